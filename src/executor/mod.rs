//! From an action to the engine and back: what an operation needs besides its bytes, and its attempts.
//!
//! A [`Call`] resolves the settings that an action inherits, and prepares the operation. `Client::run` makes the first
//! attempt on a short path; only a failure enters the long one ([`recovery`]), which asks the retry plan what to do.

mod executed;
mod recovery;
#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use bson::RawDocument;
use mongo_actors_engine::{HeldSession, Lease, Limits, Operation, SessionUse};
use mongo_actors_protocol::{
    address::ServerAddress,
    command::{Command, Properties, ReadConcernUse, Request},
    concern::{ReadConcern, WriteConcern},
    retry::{self, Budget},
    selection::SelectionCriteria,
    wire::ReplyBody,
};

pub(crate) use self::executed::{Ended, Executed};
use crate::{
    client::Client,
    error::{Error, ErrorKind, Result},
    settings::Settings,
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
}

/// An operation that is ready to be executed.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) operation: Operation,
    pub(crate) retry: retry::Operation,
    pub(crate) budget: Budget,
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
        }
    }

    pub(crate) fn client(&self) -> &'a Client {
        self.client
    }

    pub(crate) fn settings(&self) -> &'a Settings {
        self.settings
    }

    pub(crate) fn selection_criteria(self, criteria: Option<&'a SelectionCriteria>) -> Self {
        Self { selection_criteria: criteria.unwrap_or(self.selection_criteria), ..self }
    }

    pub(crate) fn read_concern(self, concern: Option<&'a ReadConcern>) -> Self {
        Self { read_concern: concern.unwrap_or(self.read_concern), ..self }
    }

    pub(crate) fn write_concern(self, concern: Option<&'a WriteConcern>) -> Self {
        Self { write_concern: concern.unwrap_or(self.write_concern), ..self }
    }

    pub(crate) fn timeout(self, timeout: Option<Duration>) -> Self {
        Self { timeout: timeout.or(self.timeout), ..self }
    }

    /// Whether the server is to confirm writes.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.write_concern.is_acknowledged()
    }

    /// The time that an operation has as a whole; zero is unlimited.
    pub(crate) fn effective_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The time that an operation beginning now has.
    pub(crate) fn budget(&self) -> Budget {
        Budget::beginning_at(Instant::now(), self.timeout)
    }

    /// Encodes a command and resolves how it is executed.
    pub(crate) fn prepare(&self, command: &impl Command) -> Result<Prepared> {
        self.prepare_request(command.request()?, command.properties())
    }

    pub(crate) fn prepare_request(&self, request: Request, properties: Properties) -> Result<Prepared> {
        self.prepare_within(request, properties, self.budget())
    }

    /// The same for one of several commands that share their time.
    pub(crate) fn prepare_within(&self, request: Request, properties: Properties, budget: Budget) -> Result<Prepared> {
        let write_concern = self.effective_write_concern(&properties, budget)?;
        let acknowledged = write_concern.as_ref().is_none_or(WriteConcern::is_acknowledged);
        let retry = match properties.retry {
            retry::Operation::WRITE if !acknowledged => retry::Operation::PLAIN_WRITE,
            retry => retry,
        };
        let criteria = properties.criteria.resolve(self.selection_criteria);
        let mut operation = Operation::new(request, criteria);
        operation.retryability = retry.effective_retryability(self.client.retry_options());
        operation.read_concern = (properties.read_concern == ReadConcernUse::Full
            && !self.read_concern.is_server_default())
        .then(|| self.read_concern.clone());
        operation.write_concern = write_concern;
        operation.session = if acknowledged { SessionUse::Implicit } else { SessionUse::None };
        operation.deadline = budget.deadline();
        // With a time budget, what is left of it takes the place of the limit.
        operation.max_time = properties.max_time.filter(|_| budget == Budget::Unset);
        operation.requirements = properties.requirements;
        operation.operation_id = self.client.engine().next_operation_id();
        if tracing::enabled!(target: "mongo_actors::command", tracing::Level::DEBUG) {
            operation.span = tracing::Span::current();
        }
        let missing_namespace_is_success = properties.missing_namespace_is_success;
        Ok(Prepared { operation, retry, budget, missing_namespace_is_success })
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
    /// The same operation with another part of its documents, split by `limits`.
    pub(crate) fn with_request(&self, request: Request, limits: Limits) -> Self {
        let operation = Operation { request, limits: Some(limits), ..self.operation.clone() };
        let &Self { retry, budget, missing_namespace_is_success, .. } = self;
        Self { operation, retry, budget, missing_namespace_is_success }
    }

    /// A command for the server that has the cursor, which only an overloaded server makes the driver repeat.
    pub(crate) fn for_cursor(
        request: Request,
        properties: Properties,
        server: &ServerAddress,
        budget: Budget,
        operation_id: i64,
    ) -> Self {
        let mut operation = Operation::new(request, SelectionCriteria::Address(server.clone()));
        operation.max_time = properties.max_time;
        operation.deadline = budget.deadline();
        operation.operation_id = operation_id;
        let missing_namespace_is_success = properties.missing_namespace_is_success;
        Self { operation, retry: properties.retry, budget, missing_namespace_is_success }
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
        match self.run(prepared, None, None).await? {
            Ended::Done(executed) => Ok(executed),
            Ended::TooLarge { .. } => Err(Error::new(ErrorKind::InvalidOperation {
                reason: "the server accepts less at a time than the command has".into(),
            })),
        }
    }

    /// Executes an operation, in the session and on the connection that it is given.
    pub(crate) async fn run(
        &self,
        prepared: Prepared,
        session: Option<HeldSession>,
        lease: Option<Lease>,
    ) -> Result<Ended> {
        let Prepared { operation, retry, budget, missing_namespace_is_success } = prepared;
        let command = operation.request.name.clone();
        let facts = Facts { command, retry, budget, missing_namespace_is_success };
        match self.engine().execute_in(operation, session, lease).await {
            Ok(Ok(reply)) => Ok(Ended::Done(Executed::new(reply, facts, None))),
            failed => Box::pin(recovery::recover(self, facts, failed)).await,
        }
    }
}
