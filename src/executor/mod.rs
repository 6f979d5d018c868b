//! From an action to the engine and back: what an operation needs besides its bytes, and its attempts.
//!
//! A [`Call`] resolves the settings that an action inherits, and prepares the operation. `Client::run` makes the first
//! attempt on a short path; only a failure enters the long one ([`recovery`]), which asks the retry plan what to do.

mod executed;
mod recovery;
mod session;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod timeout_tests;
mod timing;

use std::{borrow::Cow, time::Duration};

use bson::RawDocument;
use mongo_actors_engine::{HeldSession, Lease, Limits, Operation, SessionMark, SessionUse, SharedSession, clock};
use mongo_actors_protocol::{
    address::ServerAddress,
    command::{Command, Criteria, Properties, ReadConcernUse, Request},
    concern::{ReadConcern, WriteConcern},
    read_preference::ReadPreference,
    retry::{self, Budget},
    selection::SelectionCriteria,
    transaction::TransactionError,
    wire::ReplyBody,
};

pub(crate) use self::{
    executed::{Ended, Executed, Home},
    session::Whole,
    timing::{Opening, Timing},
};
use crate::{
    client::Client,
    error::{Error, ErrorKind, Result},
    session::{ClientSession, SessionHandle, with_bound},
    settings::Settings,
    timeout,
};

/// What an action says about its execution, over what it inherits.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    client: &'a Client,
    settings: &'a Settings,
    selection_criteria: &'a SelectionCriteria,
    read_concern: &'a ReadConcern,
    write_concern: &'a WriteConcern,
    timeout: Option<Duration>,
    /// The session that it was given; else it runs in the one that is bound to the scope around it.
    session: Option<&'a SessionHandle>,
    /// Whether it runs outside of the scope around it.
    apart: bool,
    /// Whether the command is sent as it is, whatever the codec options say.
    verbatim: bool,
    own: Own,
}

/// Which of its settings the operation itself was given.
#[derive(Clone, Copy, Default)]
struct Own {
    selection_criteria: bool,
    read_concern: bool,
    write_concern: bool,
    timeout: bool,
}

/// An operation that is ready to be executed.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) operation: Box<Operation>,
    pub(crate) retry: retry::Operation,
    pub(crate) budget: Budget,
    /// What it means for the cursor that it opens.
    pub(crate) timing: Timing,
    /// The application's session that it runs in.
    session: Option<SharedSession>,
    /// Error 26 is success.
    missing_namespace_is_success: bool,
}

/// What both paths of an operation know about it.
#[derive(Debug)]
struct Facts {
    command: Cow<'static, str>,
    retry: retry::Operation,
    budget: Budget,
    missing_namespace_is_success: bool,
}

impl<'a> Call<'a> {
    pub(crate) fn new(client: &'a Client, settings: &'a Settings) -> Self {
        Self {
            client,
            settings,
            selection_criteria: &settings.selection_criteria,
            read_concern: &settings.read_concern,
            write_concern: &settings.write_concern,
            timeout: settings.timeout,
            session: None,
            apart: false,
            verbatim: false,
            own: Own::default(),
        }
    }

    pub(crate) fn client(&self) -> &'a Client {
        self.client
    }

    pub(crate) fn settings(&self) -> &'a Settings {
        self.settings
    }

    /// The session that the operation runs in, if the application gave one.
    pub(crate) fn session(self, session: Option<&'a mut ClientSession>) -> Self {
        self.in_session(session.map(|session| &*session))
    }

    pub(crate) fn in_session(self, session: Option<&'a ClientSession>) -> Self {
        Self { session: session.map(ClientSession::handle), ..self }
    }

    /// The session that it runs in.
    fn with_session<R>(&self, look: impl FnOnce(Option<&SessionHandle>) -> R) -> R {
        match self.session {
            None if !self.apart => with_bound(look),
            session => look(session),
        }
    }

    /// Tells the session that the operation runs in, if the application gave one.
    pub(crate) fn session_mark(&self) -> Option<SessionMark> {
        self.with_session(|session| session.map(|session| session.shared().mark()))
    }

    /// Outside of the session that is bound to the scope around it.
    pub(crate) fn apart(self) -> Self {
        Self { apart: true, ..self }
    }

    /// Leaves the command as it is: the application wrote it itself, or it is converted already.
    pub(crate) fn verbatim(self) -> Self {
        Self { verbatim: true, ..self }
    }

    /// Which servers to ask unless the operation says otherwise, whatever it inherits.
    pub(crate) fn inherited_criteria(self, criteria: &'a SelectionCriteria) -> Self {
        Self { selection_criteria: criteria, ..self }
    }

    pub(crate) fn selection_criteria(mut self, criteria: Option<&'a SelectionCriteria>) -> Self {
        self.own.selection_criteria |= criteria.is_some();
        Self { selection_criteria: criteria.unwrap_or(self.selection_criteria), ..self }
    }

    pub(crate) fn read_concern(mut self, concern: Option<&'a ReadConcern>) -> Self {
        self.own.read_concern |= concern.is_some();
        Self { read_concern: concern.unwrap_or(self.read_concern), ..self }
    }

    pub(crate) fn write_concern(mut self, concern: Option<&'a WriteConcern>) -> Self {
        self.own.write_concern |= concern.is_some();
        Self { write_concern: concern.unwrap_or(self.write_concern), ..self }
    }

    pub(crate) fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.own.timeout |= timeout.is_some();
        Self { timeout: timeout.or(self.timeout), ..self }
    }

    /// Whether the server is to confirm writes.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.write_concern.is_acknowledged() || self.is_in_transaction()
    }

    /// Watches over an operation of several commands: see [`Whole`].
    pub(crate) fn whole(&self) -> Whole {
        self.with_session(|session| {
            Whole::new(session.filter(|session| session.in_transaction()).map(SessionHandle::shared).cloned())
        })
    }

    pub(crate) fn is_in_transaction(&self) -> bool {
        self.with_session(|session| session.is_some_and(SessionHandle::in_transaction))
    }

    /// The time that an operation has as a whole; zero is unlimited.
    pub(crate) fn effective_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The time that an operation beginning now has: what is left to `with_transaction`, else its own timeout or the
    /// scope around it, whichever ends first, else what it inherits.
    pub(crate) fn budget(&self) -> Result<Budget> {
        let of_transaction = self.with_session(|session| session.map_or(Budget::Unset, SessionHandle::budget));
        if of_transaction.is_set() {
            return match self.own.timeout {
                true => Err(Error::invalid_argument(
                    "timeout",
                    "with_transaction has one for all operations of its session: give it to that",
                )),
                false => Ok(of_transaction.within(timeout::current().unwrap_or_default())),
            };
        }
        let inherited = self.timeout.map(|timeout| Budget::beginning_at(clock::now(), Some(timeout)));
        Ok(match timeout::current() {
            Some(scope) if self.own.timeout => inherited.unwrap_or_default().within(scope),
            Some(scope) => scope,
            None => inherited.unwrap_or_default(),
        })
    }

    /// Encodes a command and resolves how it is executed.
    pub(crate) fn prepare(&self, command: &impl Command) -> Result<Prepared> {
        self.prepare_request(command.request()?, command.properties())
    }

    pub(crate) fn prepare_request(&self, request: Request, properties: Properties) -> Result<Prepared> {
        self.prepare_within(request, properties, self.budget()?)
    }

    /// The same for one of several commands that share their time.
    pub(crate) fn prepare_within(
        &self,
        mut request: Request,
        properties: Properties,
        budget: Budget,
    ) -> Result<Prepared> {
        if !self.verbatim {
            self.settings.codec_options.write_request(&mut request)?;
        }
        self.with_session(|session| self.prepare_in(request, properties, budget, session))
    }

    fn prepare_in(
        &self,
        request: Request,
        properties: Properties,
        budget: Budget,
        session: Option<&SessionHandle>,
    ) -> Result<Prepared> {
        if let Some(session) = session {
            session.check_usable_by(self.client, self.session.is_some())?;
        }
        let mut prepared = match session {
            Some(session) if session.in_transaction() => self.prepare_in_transaction(request, &properties, session)?,
            session => self.prepare_outside(request, &properties, budget, session.is_some())?,
        };
        prepared.session = session.map(|session| session.shared().clone());
        prepared.budget = budget;
        prepared.timing.timeout = self.timeout.filter(|_| self.own.timeout || timeout::current().is_none());
        let operation = &mut prepared.operation;
        operation.retryability = prepared.retry.effective_retryability(self.client.retry_options());
        operation.deadline = budget.deadline();
        operation.timed = budget.is_set();
        // With a time budget, what is left of it takes the place of the limit.
        operation.max_time = properties.max_time.filter(|_| budget == Budget::Unset);
        operation.exhaust = properties.exhaust;
        operation.requirements = properties.requirements;
        operation.operation_id = self.client.engine().next_operation_id();
        if tracing::enabled!(target: "mongo_actors::command", tracing::Level::DEBUG) {
            operation.span = tracing::Span::current();
        }
        Ok(prepared)
    }

    fn prepare_outside(
        &self,
        request: Request,
        properties: &Properties,
        budget: Budget,
        in_session: bool,
    ) -> Result<Prepared> {
        let write_concern = self.effective_write_concern(properties, budget)?;
        let acknowledged = write_concern.as_ref().is_none_or(WriteConcern::is_acknowledged);
        if !acknowledged && in_session {
            return Err(Error::invalid_argument(
                "session",
                "an unacknowledged write (w=0) cannot run in a session: drop one of them",
            ));
        }
        let retry = match properties.retry {
            retry::Operation::WRITE if !acknowledged => retry::Operation::PLAIN_WRITE,
            retry => retry,
        };
        let mut operation = Box::new(Operation::new(request, properties.criteria.resolve(self.selection_criteria)));
        operation.read_concern = (properties.read_concern == ReadConcernUse::Full
            && !self.read_concern.is_server_default())
        .then(|| self.read_concern.clone());
        operation.read_concern_use = properties.read_concern;
        operation.write_concern = write_concern;
        operation.session = if acknowledged { SessionUse::Implicit } else { SessionUse::None };
        Ok(Prepared::new(operation, retry, properties))
    }

    /// In a transaction the concerns are those of the transaction, and everything goes to the primary.
    fn prepare_in_transaction(
        &self,
        request: Request,
        properties: &Properties,
        session: &SessionHandle,
    ) -> Result<Prepared> {
        if self.own.read_concern {
            return Err(TransactionError::ReadConcern.into());
        }
        if self.own.write_concern {
            return Err(TransactionError::WriteConcern.into());
        }
        let criteria = match properties.criteria {
            Criteria::Writable => SelectionCriteria::Writable,
            _ => self.criteria_in_transaction(session)?,
        };
        let operation = Box::new(Operation::new(request, criteria));
        Ok(Prepared::new(operation, properties.retry.in_transaction(), properties))
    }

    fn criteria_in_transaction(&self, session: &SessionHandle) -> Result<SelectionCriteria> {
        const PRIMARY: SelectionCriteria = SelectionCriteria::ReadPreference(ReadPreference::Primary);
        let of_transaction = || session.transaction_criteria().unwrap_or_else(|| PRIMARY.clone());
        let criteria = if self.own.selection_criteria { self.selection_criteria.clone() } else { of_transaction() };
        if criteria == PRIMARY { Ok(criteria) } else { Err(TransactionError::ReadPreference.into()) }
    }

    fn effective_write_concern(&self, properties: &Properties, budget: Budget) -> Result<Option<WriteConcern>> {
        if !properties.write_concern || self.write_concern.is_server_default() {
            return Ok(None);
        }
        self.write_concern.validate()?;
        let mut concern = self.write_concern.clone();
        if budget != Budget::Unset {
            concern.w_timeout = None;
        }
        Ok(Some(concern))
    }
}

impl Prepared {
    fn new(operation: Box<Operation>, retry: retry::Operation, properties: &Properties) -> Self {
        let missing_namespace_is_success = properties.missing_namespace_is_success;
        let (budget, timing) = (Budget::Unset, Timing::default());
        Self { operation, retry, budget, timing, session: None, missing_namespace_is_success }
    }

    /// The application's session that it runs in.
    pub(crate) fn session(&self) -> Option<&SharedSession> {
        self.session.as_ref()
    }

    /// Tells the application's session that it runs in.
    pub(crate) fn session_mark(&self) -> Option<SessionMark> {
        self.session.as_ref().map(SharedSession::mark)
    }

    /// The same operation with another part of its documents, split by `limits`.
    pub(crate) fn with_request(&self, request: Request, limits: Limits) -> Self {
        let mut operation = self.operation.clone();
        (operation.request, operation.limits) = (request, Some(limits));
        let &Self { retry, budget, timing, missing_namespace_is_success, .. } = self;
        Self { operation, retry, budget, timing, session: self.session.clone(), missing_namespace_is_success }
    }

    /// The command that commits or aborts the transaction of a session.
    pub(crate) fn ending(
        client: &Client,
        command: &impl Command,
        session: &SharedSession,
        budget: Budget,
    ) -> Result<Self> {
        let of_transaction = session.with(|state| state.transaction.options().write_concern.clone());
        let settings = Settings { write_concern: of_transaction.unwrap_or_default(), ..client.settings().clone() };
        let call = Call::new(client, &settings).apart();
        let mut prepared = call.prepare_within(command.request()?, command.properties(), budget)?;
        prepared.session = Some(session.clone());
        Ok(prepared)
    }

    /// A command for the server that has the cursor, which only an overloaded server makes the driver repeat.
    pub(crate) fn for_cursor(
        request: Request,
        properties: Properties,
        server: &ServerAddress,
        budget: Budget,
        operation_id: i64,
        session: Option<SharedSession>,
    ) -> Self {
        let mut operation = Box::new(Operation::new(request, SelectionCriteria::Address(server.clone())));
        operation.max_time = properties.max_time;
        operation.exhaust = properties.exhaust;
        operation.deadline = budget.deadline();
        operation.timed = budget.is_set();
        // Of a getMore it would be the time that the server waits for data; it is lowered where that was asked for.
        operation.bounds_server = operation.max_time.is_some() || operation.request.name == "killCursors";
        operation.operation_id = operation_id;
        let in_transaction = session.as_ref().is_some_and(SharedSession::in_transaction);
        let retry = if in_transaction { properties.retry.in_transaction() } else { properties.retry };
        Self { budget, session, ..Self::new(operation, retry, &properties) }
    }
}

/// The reply of a command that always has one.
pub(crate) fn require(body: Option<&ReplyBody>) -> Result<&RawDocument> {
    body.map(ReplyBody::as_document).ok_or_else(|| {
        Error::new(ErrorKind::InvalidReply { reason: "there is no reply to an acknowledged command".to_owned() })
    })
}

impl Client {
    /// Executes an operation whose size does not depend on limits.
    pub(crate) async fn execute(&self, prepared: Prepared) -> Result<Executed> {
        self.execute_in(prepared, None, &mut None).await
    }

    /// The same for a cursor's command, in the session and on the connection that the cursor has. The connection comes
    /// back with the result, or, if the operation failed, stays in `pin`.
    pub(crate) async fn execute_in(
        &self,
        prepared: Prepared,
        session: Option<HeldSession>,
        pin: &mut Option<Lease>,
    ) -> Result<Executed> {
        match self.run_in(prepared, session, pin).await? {
            Ended::Done(executed) => Ok(executed),
            Ended::TooLarge { .. } => Err(Error::new(ErrorKind::InvalidOperation {
                reason: "the server accepts less at a time than the command has".into(),
            })),
        }
    }

    /// Executes an operation, or finds that it is too large.
    pub(crate) async fn run(&self, prepared: Prepared) -> Result<Ended> {
        self.run_in(prepared, None, &mut None).await
    }

    async fn run_in(&self, prepared: Prepared, session: Option<HeldSession>, pin: &mut Option<Lease>) -> Result<Ended> {
        let Prepared { operation, retry, budget, session: explicit, missing_namespace_is_success, .. } = prepared;
        let command = operation.request.name.clone();
        let facts = Facts { command, retry, budget, missing_namespace_is_success };
        if let Some(explicit) = explicit {
            return Box::pin(session::run(self, facts, operation, &explicit, pin)).await;
        }
        match self.engine().execute_in(operation, session, pin.take()).await {
            Ok(Ok(reply)) => Ok(Ended::Done(Executed::new(reply, facts, None))),
            failed => Box::pin(recovery::recover(self, facts, failed, None, pin)).await,
        }
    }
}
