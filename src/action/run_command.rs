//! Commands that a user wrote.

use std::time::Duration;

use bson::{Document, RawDocumentBuf};
use mongo_actors_protocol::{
    command::{CursorReply, CursorType, RunCommand as RawCommand, RunCommandOptions, RunCursorCommandOptions},
    options::CodecOptions,
    read_preference::ReadPreference,
    selection::SelectionCriteria,
};
use serde::de::DeserializeOwned;

use super::{ActionFuture, awaitable, setters::fluent};
use crate::{
    ClientSession, CommandDocument,
    cursor::{Core, Cursor, SessionCursor, Terms},
    database::Database,
    decode::decode,
    error::{Error, ErrorKind, Result},
    executor::{Executed, Opening, Prepared, require},
    session::{ExplicitSession, ImplicitSession},
};

impl Database {
    /// Runs a command that the driver has no method for, and returns the server's reply.
    ///
    /// It goes to the primary unless [`selection_criteria`](RunCommand::selection_criteria) says otherwise, and is sent
    /// as it is: concerns of database and client do not apply to it, and it is not repeated. What the driver adds to
    /// every command (such as `$db` and `lsid`) must not be in it.
    ///
    /// ```no_run
    /// # async fn example(client: mongo_actors::Client) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::bson::doc;
    ///
    /// let admin = client.database("admin");
    /// let status = admin.run_command(doc! { "replSetGetStatus": 1 }).await?;
    /// // Some errors are answers.
    /// let reply = admin.run_command("replSetGetStatus").allow_code(76).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) for an empty command, and those of reaching a
    /// server and of its refusal.
    ///
    /// # Cancel safety
    /// The command may or may not be executed when the future is dropped; see [`action`](crate::action).
    pub fn run_command(&self, command: impl Into<CommandDocument>) -> RunCommand<'_> {
        RunCommand {
            database: self,
            command: command.into().into_raw(),
            options: RunCommandOptions::default(),
            timeout: None,
            session: None,
            allowed: Allowed::default(),
            reply: std::marker::PhantomData,
        }
    }

    /// Runs a command whose reply has a cursor.
    ///
    /// ```no_run
    /// # async fn example(shop: mongo_actors::Database) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::bson::doc;
    ///
    /// let mut orders = shop.run_cursor_command(doc! { "find": "orders", "batchSize": 10 }).batch_size(10).await?;
    /// while let Some(order) = orders.next().await {
    ///     println!("{}", order?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidOperation`](crate::error::ErrorKind::InvalidOperation) when the reply has no cursor, and those of
    /// [`run_command`](Self::run_command).
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn run_cursor_command(&self, command: impl Into<CommandDocument>) -> RunCursorCommand<'_> {
        RunCursorCommand {
            database: self,
            command: command.into().into_raw(),
            options: RunCursorCommandOptions::default(),
            timeout: None,
            session: ImplicitSession,
        }
    }

    fn prepare_raw(
        &self,
        command: Result<RawDocumentBuf>,
        criteria: Option<&SelectionCriteria>,
        timeout: Option<Duration>,
        session: Option<&ClientSession>,
    ) -> Result<Prepared> {
        const PRIMARY: &SelectionCriteria = &SelectionCriteria::ReadPreference(ReadPreference::Primary);
        let call = self.call().inherited_criteria(PRIMARY).selection_criteria(criteria);
        let call = call.timeout(timeout).in_session(session).verbatim();
        call.prepare(&RawCommand { database: self.name(), command: &command? })
    }
}

/// Runs a command. Made by [`Database::run_command`]; awaiting it gives the server's reply.
#[must_use = "operations do nothing unless they are awaited"]
pub struct RunCommand<'a, R = Document> {
    database: &'a Database,
    command: Result<RawDocumentBuf>,
    options: RunCommandOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
    allowed: Allowed,
    reply: std::marker::PhantomData<fn() -> R>,
}

/// Which errors of the server are answers.
#[derive(Clone, Default)]
struct Allowed {
    all: bool,
    codes: Vec<i32>,
    messages: Vec<String>,
}

impl Allowed {
    fn allows(&self, error: &Error) -> bool {
        let message = error.server_response().and_then(|reply| reply.get_str("errmsg").ok());
        error.is_operation_failure()
            && (self.all
                || error.code().is_some_and(|code| self.codes.contains(&code))
                || message.is_some_and(|message| self.messages.iter().any(|allowed| allowed == message)))
    }
}

fluent! { ['a, R] RunCommand<'a, R>, RunCommandOptions { session, command_criteria } }

impl<'a, R> RunCommand<'a, R> {
    /// The same with the reply read as `S`.
    pub fn with_type<S>(self) -> RunCommand<'a, S> {
        let Self { database, command, options, timeout, session, allowed, .. } = self;
        RunCommand { database, command, options, timeout, session, allowed, reply: std::marker::PhantomData }
    }

    /// An error of the server with this code is returned as a reply. May be called several times.
    pub fn allow_code(mut self, code: i32) -> Self {
        self.allowed.codes.push(code);
        self
    }

    /// An error of the server with exactly this message is returned as a reply. May be called several times.
    pub fn allow_message(mut self, message: impl Into<String>) -> Self {
        self.allowed.messages.push(message.into());
        self
    }

    /// Every error of the server is returned as a reply.
    pub fn unchecked(mut self) -> Self {
        self.allowed.all = true;
        self
    }
}

awaitable! { ['a, R: DeserializeOwned + 'a] RunCommand<'a, R> => R {
    fn into_future(self) -> Self::IntoFuture {
        let Self { database, command, options, timeout, session, allowed, .. } = self;
        let criteria = options.selection_criteria.as_ref();
        let prepared = database.prepare_raw(command, criteria, timeout, session.map(|session| &*session));
        ActionFuture::new(async move {
            let codec = CodecOptions::default();
            match database.client().execute(prepared?).await {
                Ok(executed) => executed.finish(|body| decode(require(body)?.as_bytes(), &codec)),
                Err(error) => match error.server_response() {
                    Some(reply) if allowed.allows(&error) => decode(reply.as_bytes(), &codec),
                    _ => Err(error),
                },
            }
        })
    }
} }

/// Runs a command whose reply has a cursor. Made by [`Database::run_cursor_command`]; awaiting it gives a [`Cursor`], or
/// in a session a [`SessionCursor`].
///
/// All options but the selection criteria are for the `getMore`s of the cursor: what the command itself shall have is
/// written into it.
#[derive(Clone)]
#[must_use = "operations do nothing unless they are awaited"]
pub struct RunCursorCommand<'a, S = ImplicitSession> {
    database: &'a Database,
    command: Result<RawDocumentBuf>,
    options: RunCursorCommandOptions,
    timeout: Option<Duration>,
    session: S,
}

impl<'a> RunCursorCommand<'a> {
    /// Runs in a session, which is borrowed until the cursor is open. Awaiting it then gives a [`SessionCursor`].
    pub fn session(self, session: &'a mut ClientSession) -> RunCursorCommand<'a, ExplicitSession<'a>> {
        let Self { database, command, options, timeout, .. } = self;
        RunCursorCommand { database, command, options, timeout, session: ExplicitSession(session) }
    }
}

fluent! { ['a, S] RunCursorCommand<'a, S>, RunCursorCommandOptions {
    await_time, batch_size, command_criteria, comment, cursor_type, timeout_mode,
} }

awaitable! { ['a] RunCursorCommand<'a> => Cursor<Document> {
    fn into_future(self) -> Self::IntoFuture {
        let Self { database, command, options, timeout, .. } = self;
        ActionFuture::new(async move { Ok(Cursor::of(open(database, command, options, timeout, None).await?)) })
    }
} }

awaitable! { ['a] RunCursorCommand<'a, ExplicitSession<'a>> => SessionCursor<Document> {
    fn into_future(self) -> Self::IntoFuture {
        let Self { database, command, options, timeout, session: ExplicitSession(session) } = self;
        ActionFuture::new(async move {
            Ok(SessionCursor::of(open(database, command, options, timeout, Some(session)).await?))
        })
    }
} }

async fn open(
    database: &Database,
    command: Result<RawDocumentBuf>,
    options: RunCursorCommandOptions,
    timeout: Option<Duration>,
    session: Option<&ClientSession>,
) -> Result<Core> {
    if timeout.is_some() && options.max_time.is_some() {
        return Err(Error::invalid_argument("max_time", "a timeout takes its place: set one of them"));
    }
    let cursor_type = options.cursor_type.unwrap_or_default();
    let opening = Opening {
        mode: options.timeout_mode,
        cursor_type,
        max_await_time: options.max_time.filter(|_| cursor_type == CursorType::TailableAwait),
        writes: false,
    };
    let prepared = database.prepare_raw(command, options.selection_criteria.as_ref(), timeout, session)?;
    let prepared = prepared.opening(opening)?;
    let terms = terms(options, &prepared);
    let executed = database.client().execute(prepared).await?;
    if !has_cursor(&executed) {
        return Err(executed.explain(Error::new(ErrorKind::InvalidOperation {
            reason: "the reply of the command has no cursor: use run_command".into(),
        })));
    }
    Core::opened(database.client(), database.codec_options(), terms, executed)
}

fn has_cursor(executed: &Executed) -> bool {
    executed.body.as_ref().is_some_and(|body| CursorReply::read(body.as_document()).is_ok())
}

fn terms(options: RunCursorCommandOptions, prepared: &Prepared) -> Terms {
    let RunCursorCommandOptions { cursor_type, batch_size, max_time, comment, .. } = options;
    let cursor_type = cursor_type.unwrap_or_default();
    // A timeout that is inherited takes its place, unless it says how long the server waits.
    let max_time = max_time.filter(|_| !prepared.budget.is_set() || cursor_type == CursorType::TailableAwait);
    Terms { batch_size, limit: None, max_time, comment, cursor_type, ..Terms::of(prepared) }
}
