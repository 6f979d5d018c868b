//! Errors: what went wrong, where, and what is known about the operation's outcome.
//!
//! Every fallible call returns the one opaque [`Error`]. Its [`kind`](Error::kind) says what happened,
//! [`outcome`](Error::outcome) what became of the operation, and [`attempts`](Error::attempts) what was tried.

mod attempt;
mod bulk_write;
mod convert;
mod display;
mod insert_many;
mod kind;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc};

use bson::RawDocument;
use mongo_actors_protocol::{address::ServerAddress, wire::ReplyBody};
pub use mongo_actors_protocol::{
    auth::credential::InvalidCredential,
    cmap::WaitQueueTimeout,
    command::InvalidName,
    error::{CommandError, Labels, WriteConcernError, WriteError, labels},
    options::{ConfigError, ConfigWarning, WarningReason},
    retry::{Outcome, Stage},
    selection::SelectionError,
};

pub(crate) use self::bulk_write::Partial;
pub use self::{
    attempt::Attempt,
    bulk_write::{BulkWriteError, ClientBulkWriteError},
    insert_many::InsertManyError,
    kind::ErrorKind,
};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation failed. One pointer wide, and cheap to clone.
///
/// Its text is one sentence to act on. [`kind`](Self::kind) tells errors apart, and the `is_*` methods tell families of
/// kinds apart. The chain of [`source`](StdError::source)s leads to the error of the operating system, the server or
/// the BSON library that is behind it, if there is one.
///
/// ```no_run
/// # use mongo_actors::{Collection, bson::doc, error::Outcome};
/// # async fn example(orders: Collection) {
/// if let Err(error) = orders.insert_one(doc! { "_id": 1 }).await {
///     if error.is_duplicate_key() {
///         println!("it is already there");
///     } else if error.outcome() == Outcome::Unknown {
///         println!("it may or may not have been inserted: {error}");
///     }
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    labels: Labels,
    outcome: Outcome,
    attempts: Vec<Attempt>,
    context: Context,
    response: Option<Response>,
    write_concern_error: Option<WriteConcernError>,
    partial: Option<Arc<Partial>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// Where it happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    /// The server of the error that is reported.
    pub(crate) server: Option<ServerAddress>,
    /// Name of the command.
    pub(crate) command: Option<Cow<'static, str>>,
    /// Whether the command may change data, so that its outcome matters to the reader.
    pub(crate) writes: bool,
}

/// The reply of a server, in whichever hands it is.
#[derive(Clone)]
pub(crate) enum Response {
    Error(Arc<CommandError>),
    Reply(ReplyBody),
}

impl Response {
    fn document(&self) -> &RawDocument {
        match self {
            Self::Error(error) => &error.response,
            Self::Reply(reply) => reply.as_document(),
        }
    }
}

impl Error {
    /// An error of the driver itself, before anything was sent.
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self(Arc::new(Inner {
            kind,
            labels: Labels::new(),
            outcome: Outcome::NotSent,
            attempts: Vec::new(),
            context: Context::default(),
            response: None,
            write_concern_error: None,
            partial: None,
            source: None,
        }))
    }

    /// An error of the application, for functions that report those of the driver too, such as the operations of
    /// [`ClientSession::with_transaction`](crate::ClientSession::with_transaction).
    ///
    /// ```
    /// use mongo_actors::error::{Error, ErrorKind};
    ///
    /// let error = Error::custom(std::fmt::Error);
    /// assert!(matches!(error.kind(), ErrorKind::Custom { .. }));
    /// assert!(std::error::Error::source(&error).unwrap().is::<std::fmt::Error>());
    /// ```
    pub fn custom(source: impl StdError + Send + Sync + 'static) -> Self {
        Self::new(ErrorKind::Custom { reason: source.to_string() }).with_source(source)
    }

    /// There would be another attempt of a transaction after this error, if there were time.
    pub(crate) fn out_of_time(self) -> Self {
        if self.is_timeout() {
            return self;
        }
        Self::new(ErrorKind::TransactionTimeout { reason: self.to_string() })
            .with_labels(self.labels())
            .with_outcome(self.outcome())
            .with_source(self)
    }

    /// A call that is not allowed now, or on this object.
    pub(crate) fn invalid_operation(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidOperation { reason: reason.into() })
    }

    /// An argument that the call does not take.
    pub(crate) fn invalid_argument(argument: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidArgument { argument: argument.into(), reason: reason.into() })
    }

    /// A successful reply that cannot be used. The command was executed.
    pub(crate) fn invalid_reply(source: impl StdError + Send + Sync + 'static) -> Self {
        Self::new(ErrorKind::InvalidReply { reason: source.to_string() })
            .with_source(source)
            .with_outcome(Outcome::Applied)
    }

    fn change(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    pub(crate) fn with_source(self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.change(|inner| inner.source = Some(Arc::new(source)))
    }

    pub(crate) fn with_outcome(self, outcome: Outcome) -> Self {
        self.change(|inner| inner.outcome = outcome)
    }

    pub(crate) fn with_labels(self, labels: &Labels) -> Self {
        self.change(|inner| inner.labels.extend_from(labels))
    }

    pub(crate) fn with_context(self, context: Context) -> Self {
        self.change(|inner| inner.context = context)
    }

    pub(crate) fn with_response(self, response: Response) -> Self {
        self.change(|inner| inner.response = Some(response))
    }

    pub(crate) fn with_write_concern_error(self, error: Option<WriteConcernError>) -> Self {
        self.change(|inner| inner.write_concern_error = error)
    }

    pub(crate) fn with_partial(self, partial: Partial) -> Self {
        self.change(|inner| inner.partial = Some(Arc::new(partial)))
    }

    /// The timeout of the operation as a whole, which this error is the first sign of.
    pub(crate) fn into_operation_timeout(self) -> Self {
        if matches!(self.kind(), ErrorKind::OperationTimeout) {
            return self;
        }
        let behind = self.clone();
        self.change(|inner| {
            let kind = std::mem::replace(&mut inner.kind, ErrorKind::OperationTimeout);
            inner.partial = inner.partial.take().or_else(|| Partial::of(kind).map(Arc::new));
            inner.source = Some(Arc::new(behind));
        })
    }

    /// The error that made the operation run out of time, if one did.
    fn behind(&self) -> Option<&Self> {
        match self.kind() {
            ErrorKind::OperationTimeout => self.0.source.as_deref().and_then(|source| source.downcast_ref()),
            _ => None,
        }
    }

    /// Adds attempts that were made before the one that led to this error, and what is known after them.
    pub(crate) fn after(self, attempts: Vec<Attempt>, outcome: Outcome) -> Self {
        self.change(|inner| {
            inner.attempts.splice(0..0, attempts);
            inner.outcome = inner.outcome.fold(outcome);
        })
    }

    /// What happened.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The labels that the server or the driver put on the error; names are in [`labels`].
    pub fn labels(&self) -> &Labels {
        &self.0.labels
    }

    /// Whether the error has this label.
    ///
    /// ```no_run
    /// # fn example(error: mongo_actors::error::Error) {
    /// use mongo_actors::error::labels;
    ///
    /// let again = error.has_label(labels::TRANSIENT_TRANSACTION_ERROR);
    /// # }
    /// ```
    pub fn has_label(&self, label: &str) -> bool {
        self.0.labels.contains(label)
    }

    /// What is known to have become of the operation, all attempts taken together.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// What was tried: one entry per attempt, in order. Empty when the error arose before the first attempt, or in a
    /// reply that reported success to the only attempt.
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }

    /// The server that the error is about, if one was involved.
    pub fn server(&self) -> Option<&ServerAddress> {
        self.0.context.server.as_ref()
    }

    /// Name of the command that failed, if there was one.
    pub fn command_name(&self) -> Option<&str> {
        self.0.context.command.as_deref()
    }

    /// The server's whole reply, if the error comes from one.
    pub fn server_response(&self) -> Option<&RawDocument> {
        self.0.response.as_ref().map(Response::document)
    }

    /// The server's error code, if the error comes from a server that sent one. For several errors in one, that of the
    /// first.
    pub fn code(&self) -> Option<i32> {
        self.behind().unwrap_or(self).kind().code().map(|(code, _)| code).filter(|code| *code != 0)
    }

    /// The name of the error code, if the server sent one.
    pub fn code_name(&self) -> Option<&str> {
        self.behind().unwrap_or(self).kind().code().map(|(_, name)| name).filter(|name| !name.is_empty())
    }

    /// Why the write concern was not satisfied, also when it is not the main error.
    pub fn write_concern_error(&self) -> Option<&WriteConcernError> {
        match self.behind().unwrap_or(self).kind() {
            ErrorKind::WriteConcern(error) | ErrorKind::WriteConcernTimeout(error) => Some(error),
            ErrorKind::InsertMany(error) => error.write_concern_errors.first(),
            ErrorKind::BulkWrite(error) => error.write_concern_errors.first(),
            ErrorKind::ClientBulkWrite(error) => error.write_concern_errors.first(),
            _ => self.0.write_concern_error.as_ref(),
        }
    }

    /// What an insert of several documents achieved before it failed, also when the connection was lost halfway, when a
    /// document could not be encoded, and when it achieved nothing. None for errors of other operations.
    pub fn partial_insert(&self) -> Option<&InsertManyError> {
        match self.kind() {
            ErrorKind::InsertMany(error) => Some(error),
            _ => match self.0.partial.as_deref() {
                Some(Partial::InsertMany(partial)) => Some(partial),
                _ => None,
            },
        }
    }

    /// What a bulk write to a collection achieved before it failed, also when the connection was lost halfway, when a
    /// write could not be encoded, and when it achieved nothing. None for errors of other operations.
    pub fn partial_bulk_write(&self) -> Option<&BulkWriteError> {
        match self.kind() {
            ErrorKind::BulkWrite(error) => Some(error),
            _ => match self.0.partial.as_deref() {
                Some(Partial::BulkWrite(partial)) => Some(partial),
                _ => None,
            },
        }
    }

    /// What a client's bulk write achieved before it failed, also when the connection was lost halfway, when a write
    /// could not be encoded, and when it achieved nothing. None for errors of other operations.
    pub fn partial_client_bulk_write(&self) -> Option<&ClientBulkWriteError> {
        match self.kind() {
            ErrorKind::ClientBulkWrite(error) => Some(error),
            _ => match self.0.partial.as_deref() {
                Some(Partial::ClientBulkWrite(partial)) => Some(partial),
                _ => None,
            },
        }
    }

    /// Whether the time allowed ran out: for a server, a connection, a reply, the execution, or the operation as a
    /// whole.
    pub fn is_timeout(&self) -> bool {
        match self.kind() {
            ErrorKind::WriteConcern(error) => error.is_timeout(),
            ErrorKind::Write(error) => error.is_max_time_expired(),
            ErrorKind::InsertMany(error) => error.is_timeout(),
            ErrorKind::BulkWrite(error) => error.errors().is_timeout(),
            ErrorKind::ClientBulkWrite(error) => error.errors().is_timeout(),
            kind => kind.is_timeout(),
        }
    }

    /// Whether no server could be reached, or the connection to it was lost.
    pub fn is_connection_failure(&self) -> bool {
        self.is_auto_reconnect()
            || matches!(self.kind(), ErrorKind::ConnectionFailure { .. } | ErrorKind::WaitQueueTimeout(_))
    }

    /// Whether the connection was lost, or no suitable server was there, and the client will recover by itself.
    pub fn is_auto_reconnect(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::AutoReconnect { .. }
                | ErrorKind::NetworkTimeout { .. }
                | ErrorKind::NotPrimary(_)
                | ErrorKind::ConnectionPoolCleared { .. }
                | ErrorKind::ServerSelectionTimeout
                | ErrorKind::Abandoned
        )
    }

    /// Whether the server replied with an error, or reported one in its reply.
    pub fn is_operation_failure(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Command(_)
                | ErrorKind::Authentication { .. }
                | ErrorKind::CursorNotFound(_)
                | ErrorKind::ExecutionTimeout(_)
                | ErrorKind::WriteConcern(_)
                | ErrorKind::WriteConcernTimeout(_)
                | ErrorKind::Write(_)
                | ErrorKind::DuplicateKey(_)
                | ErrorKind::InsertMany(_)
                | ErrorKind::BulkWrite(_)
                | ErrorKind::ClientBulkWrite(_)
        )
    }

    /// Whether settings contradict each other, or ask for what this driver or the server does not support.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Configuration { .. }
                | ErrorKind::InvalidUri { .. }
                | ErrorKind::Dns { .. }
                | ErrorKind::IncompatibleServer { .. }
        )
    }

    /// Whether a unique index refused a document; for several documents, at least one of them.
    pub fn is_duplicate_key(&self) -> bool {
        match self.kind() {
            ErrorKind::DuplicateKey(_) => true,
            ErrorKind::InsertMany(error) => error.write_errors.iter().any(WriteError::is_duplicate_key),
            ErrorKind::BulkWrite(error) => error.errors().is_duplicate_key(),
            ErrorKind::ClientBulkWrite(error) => error.errors().is_duplicate_key(),
            _ => false,
        }
    }

    /// Whether the network was at fault.
    pub fn is_network(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::AutoReconnect { .. } | ErrorKind::NetworkTimeout { .. } | ErrorKind::ConnectionFailure { .. }
        )
    }

    /// Whether the same call may succeed when it is made again, without the risk that its effect is doubled.
    ///
    /// The driver has already repeated what the retry specifications allow. This is true for errors that pass
    /// (connections, elections, overload) of operations that only read, or that no server has executed.
    pub fn is_retryable(&self) -> bool {
        let passes = self.is_connection_failure()
            || self.has_label(labels::RETRYABLE_WRITE_ERROR)
            || self.has_label(labels::RETRYABLE_ERROR)
            || matches!(self.kind(), ErrorKind::Command(error) if error.is_retryable_read_code());
        let harmless = !self.0.context.writes || self.outcome() <= Outcome::Rejected;
        passes && harmless
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        let mut shown = f.debug_struct("Error");
        shown.field("kind", &inner.kind).field("outcome", &inner.outcome);
        if !inner.labels.is_empty() {
            shown.field("labels", &inner.labels);
        }
        if let Some(server) = &inner.context.server {
            shown.field("server", server);
        }
        if let Some(command) = &inner.context.command {
            shown.field("command", command);
        }
        if !inner.attempts.is_empty() {
            shown.field("attempts", &inner.attempts);
        }
        if let Some(error) = &inner.write_concern_error {
            shown.field("write_concern_error", error);
        }
        shown.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.source {
            Some(source) => Some(&**source),
            None => self.kind().source(),
        }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}
