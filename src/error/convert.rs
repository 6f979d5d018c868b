//! From the errors of the layers below.

use std::{borrow::Cow, error::Error as StdError, io, sync::Arc};

use mongo_actors_engine::{Cause, EstablishError, EstablishFault, EstablishStep, Failure, SeedlistError, StartError};
use mongo_actors_protocol::{
    cmap::CheckOutError,
    codec::ConversionError,
    command::{EncodeError, InvalidReply, WriteFailure, brief},
    concern::InvalidWriteConcern,
    error::{CommandError, Labels, WriteConcernError, WriteError},
    gridfs::GridFsError,
    options::ConfigError,
    retry::{Outcome, RETRYABLE_WRITES_UNSUPPORTED},
    selection::SelectionError,
    session::InvalidSessionOptions,
    transaction::TransactionError,
};

use super::{Context, Error, ErrorKind, Response};

impl Error {
    /// The error of a failed attempt. `labels` are those of the server and the driver together.
    pub(crate) fn from_failure(
        failure: &Failure,
        labels: &Labels,
        command: Option<Cow<'static, str>>,
        writes: bool,
        outcome: Outcome,
    ) -> Self {
        let server = failure.server.as_ref().map(|server| server.address.clone());
        let context = Context { server, command, writes };
        let (kind, response) = kind_of(&failure.cause);
        let mut error = Self::new(kind).with_labels(labels).with_context(context).with_outcome(outcome);
        if error.kind().source().is_none() {
            error = error.with_shared_source(source_of(&failure.cause));
        }
        match response {
            Some(response) => error.with_response(response),
            None => error,
        }
    }

    fn with_shared_source(self, source: Option<Arc<dyn StdError + Send + Sync>>) -> Self {
        self.change(|inner| inner.source = source)
    }

    /// Says what to do about a deployment that cannot run retryable writes, in place of what its server says.
    pub(crate) fn with_remedy_for_transaction_numbers(self) -> Self {
        let ErrorKind::Command(error) = self.kind() else { return self };
        if !error.is_transaction_numbers_unsupported() {
            return self;
        }
        let mut explained = (**error).clone();
        explained.message = RETRYABLE_WRITES_UNSUPPORTED.to_owned();
        self.change(|inner| inner.kind = ErrorKind::Command(Arc::new(explained)))
    }

    /// The error of a single write, from what its reply reported. `outcome` is what became of the write.
    pub(crate) fn from_write_failure(mut failure: WriteFailure) -> Self {
        let concern = failure.write_concern_errors.drain(..).next();
        let error = match failure.write_errors.drain(..).next() {
            Some(error) => {
                let kind = write_error_kind(error);
                Self::new(kind).with_write_concern_error(concern).with_outcome(Outcome::Rejected)
            }
            None => {
                let concern = concern.unwrap_or_else(|| WriteConcernError::new(0, "", "the server gave no reason"));
                Self::new(write_concern_kind(concern)).with_outcome(Outcome::Applied)
            }
        };
        error.with_labels(&failure.labels)
    }
}

fn write_error_kind(error: WriteError) -> ErrorKind {
    if error.is_duplicate_key() { ErrorKind::DuplicateKey(error) } else { ErrorKind::Write(error) }
}

fn write_concern_kind(error: WriteConcernError) -> ErrorKind {
    if error.is_timeout() { ErrorKind::WriteConcernTimeout(error) } else { ErrorKind::WriteConcern(error) }
}

fn kind_of(cause: &Cause) -> (ErrorKind, Option<Response>) {
    let kind = match cause {
        Cause::Selection(error) => selection_kind(error),
        Cause::CheckOut(error) => return check_out_kind(error),
        Cause::SocketTimeout { waited } => ErrorKind::NetworkTimeout { limit: *waited },
        Cause::DeadlinePassed => ErrorKind::OperationTimeout,
        Cause::Wire(error) => ErrorKind::Protocol { reason: error.to_string() },
        Cause::Reply(error) => ErrorKind::InvalidReply { reason: error.to_string() },
        Cause::Command(error) => return (command_kind(error), Some(Response::Error(error.clone()))),
        Cause::WriteConcern { reply, error } => {
            let concern = WriteConcernError::from_reply(reply.as_document());
            let kind = concern.map_or_else(|| command_kind(error), write_concern_kind);
            return (kind, Some(Response::Reply(reply.clone())));
        }
        Cause::Unsupported(error) => unsupported(error),
        Cause::NoSessions | Cause::NoSnapshots => {
            let option = if matches!(cause, Cause::NoSessions) { "session" } else { "snapshot" };
            ErrorKind::Configuration { options: vec![option.into()], reason: cause.to_string() }
        }
        Cause::LimitsExceeded(_) => ErrorKind::InvalidOperation {
            reason: "the server accepts less at a time than the one that the operation was prepared for".into(),
        },
        Cause::Abandoned => ErrorKind::Abandoned,
        Cause::ClientClosed => ErrorKind::InvalidOperation { reason: "the client is closed".into() },
        Cause::EngineDown(reason) => ErrorKind::EngineDown { reason: reason.clone() },
        Cause::Network(error) => ErrorKind::AutoReconnect { reason: error.to_string() },
        other => ErrorKind::AutoReconnect { reason: other.to_string() },
    };
    (kind, None)
}

fn command_kind(error: &Arc<CommandError>) -> ErrorKind {
    let error = error.clone();
    if error.is_state_change() {
        ErrorKind::NotPrimary(error)
    } else if error.is_cursor_not_found() {
        ErrorKind::CursorNotFound(error)
    } else if error.is_max_time_expired() {
        ErrorKind::ExecutionTimeout(error)
    } else if error.is_duplicate_key() {
        ErrorKind::DuplicateKey(WriteError::new(0, error.code, &*error.message))
    } else {
        ErrorKind::Command(error)
    }
}

fn selection_kind(error: &SelectionError) -> ErrorKind {
    match error {
        SelectionError::TimedOut { .. } => ErrorKind::ServerSelectionTimeout,
        SelectionError::Incompatible { reason } => ErrorKind::IncompatibleServer { reason: reason.clone() },
        SelectionError::MaxStalenessTooSmall { .. } => ErrorKind::Configuration {
            options: vec!["maxStalenessSeconds".into(), "heartbeatFrequencyMS".into()],
            reason: error.to_string(),
        },
        other => ErrorKind::InvalidOperation { reason: other.to_string().into() },
    }
}

fn check_out_kind(error: &CheckOutError<EstablishError>) -> (ErrorKind, Option<Response>) {
    let kind = match error {
        CheckOutError::WaitQueueTimeout(error) => ErrorKind::WaitQueueTimeout(error.clone()),
        CheckOutError::Establishment(error) => return establish_kind(error),
        CheckOutError::PoolClosed(_) | CheckOutError::PoolCleared(_) => {
            ErrorKind::ConnectionPoolCleared { reason: error.to_string() }
        }
        CheckOutError::Lost | CheckOutError::Dismissed | CheckOutError::Cancelled => {
            ErrorKind::ConnectionFailure { reason: error.to_string() }
        }
    };
    (kind, None)
}

fn establish_kind(error: &EstablishError) -> (ErrorKind, Option<Response>) {
    let reason = error.to_string();
    let authenticating = error.step == EstablishStep::Authenticate;
    match &error.fault {
        EstablishFault::TimedOut { limit } => (ErrorKind::NetworkTimeout { limit: *limit }, None),
        EstablishFault::Wire(_) => (ErrorKind::Protocol { reason }, None),
        EstablishFault::Command(refusal) => {
            let kind = if authenticating || refusal.is_authentication_failed() {
                ErrorKind::Authentication { reason, error: Some(refusal.clone()) }
            } else {
                command_kind(refusal)
            };
            (kind, Some(Response::Error(refusal.clone())))
        }
        EstablishFault::Refused(_) if authenticating => (ErrorKind::Authentication { reason, error: None }, None),
        _ => (ErrorKind::ConnectionFailure { reason }, None),
    }
}

fn unsupported(error: &mongo_actors_protocol::command::Unsupported) -> ErrorKind {
    use mongo_actors_protocol::command::Unsupported;

    if let Unsupported::Server { option: "bulkWrite", needed, found } = error {
        let reason = format!(
            "bulk writes of a client need a server with wire version {needed} (8.0) or higher, and this one has \
             {found}; use those of a collection"
        );
        return ErrorKind::InvalidOperation { reason: reason.into() };
    }
    let options = match error {
        Unsupported::Server { option, .. } => vec![Cow::Borrowed(*option)],
        Unsupported::Unacknowledged { option } => vec![Cow::Borrowed(*option), "w".into()],
        _ => Vec::new(),
    };
    ErrorKind::Configuration { options, reason: error.to_string() }
}

/// The error behind a cause, where its kind does not carry it.
fn source_of(cause: &Cause) -> Option<Arc<dyn StdError + Send + Sync>> {
    Some(match cause {
        Cause::Selection(error) => error.clone(),
        Cause::CheckOut(error) => error.clone(),
        Cause::Network(error) => error.clone(),
        Cause::Wire(error) => error.clone(),
        Cause::Reply(error) => error.clone(),
        Cause::Command(error) => error.clone(),
        Cause::Unsupported(error) => Arc::new(*error),
        _ => return None,
    })
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        let kind = match &error {
            ConfigError::InvalidUri { place, reason } => {
                ErrorKind::InvalidUri { place: place.clone(), reason: reason.clone() }
            }
            ConfigError::Configuration { options, reason } => {
                ErrorKind::Configuration { options: options.clone(), reason: reason.clone() }
            }
            other => ErrorKind::Configuration { options: Vec::new(), reason: other.to_string() },
        };
        Self::new(kind).with_source(error)
    }
}

impl From<StartError> for Error {
    fn from(error: StartError) -> Self {
        let reason = error.to_string();
        let kind = match &error {
            StartError::Unavailable { option, .. } | StartError::NotSimulated { option } => {
                ErrorKind::Configuration { options: vec![Cow::Borrowed(*option)], reason }
            }
            StartError::Unresolved => ErrorKind::Configuration { options: vec!["mongodb+srv".into()], reason },
            StartError::Options(error) => return error.clone().into(),
            StartError::Metadata(_) => {
                ErrorKind::Configuration { options: vec!["appname".into(), "driver".into()], reason }
            }
            _ => ErrorKind::EngineDown { reason: reason.into() },
        };
        Self::new(kind).with_source(error)
    }
}

impl From<SeedlistError> for Error {
    fn from(error: SeedlistError) -> Self {
        match error {
            SeedlistError::Config(error) => error.into(),
            SeedlistError::Unavailable(error) => {
                let options = vec!["mongodb+srv".into()];
                Self::new(ErrorKind::Configuration { options, reason: error.to_string() }).with_source(error)
            }
            other => Self::new(ErrorKind::Dns { reason: other.to_string() }).with_source(other),
        }
    }
}

impl From<InvalidWriteConcern> for Error {
    fn from(error: InvalidWriteConcern) -> Self {
        ConfigError::from(error).into()
    }
}

impl From<TransactionError> for Error {
    fn from(error: TransactionError) -> Self {
        let reason = error.to_string();
        let kind = match error {
            TransactionError::Unacknowledged => ErrorKind::Configuration { options: vec!["w".into()], reason },
            _ => ErrorKind::InvalidOperation { reason: reason.into() },
        };
        Self::new(kind)
    }
}

impl From<InvalidSessionOptions> for Error {
    fn from(error: InvalidSessionOptions) -> Self {
        let other = match error {
            InvalidSessionOptions::SnapshotTimeWithoutSnapshot => "snapshotTime",
            _ => "causalConsistency",
        };
        let kind =
            ErrorKind::Configuration { options: vec!["snapshot".into(), other.into()], reason: error.to_string() };
        Self::new(kind).with_source(error)
    }
}

impl From<EncodeError> for Error {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::InvalidName(error) => Self::new(ErrorKind::InvalidName(error)),
            EncodeError::InvalidArgument { argument, reason } => Self::invalid_argument(argument, reason),
            EncodeError::InvalidModel { index, argument, reason } => Self::new(ErrorKind::InvalidArgument {
                argument: format!("writes[{index}].{argument}").into(),
                reason: reason.into(),
            }),
            EncodeError::DocumentTooLarge { index, size, limit } => {
                Self::new(ErrorKind::DocumentTooLarge { index, size, limit })
            }
            EncodeError::InvalidDocument { index, source } => {
                let reason = source.to_string();
                Self::new(ErrorKind::InvalidDocument { index: Some(index), reason }).with_source(source)
            }
            EncodeError::Conversion { index, source } => {
                Self::new(ErrorKind::InvalidDocument { index, reason: source.to_string() }).with_source(source)
            }
            EncodeError::Bson(source) => Self::invalid_document(source),
            other => Self::new(ErrorKind::InvalidDocument { index: None, reason: other.to_string() }),
        }
    }
}

impl Error {
    /// An option that no server honours in this form.
    pub(crate) fn unsupported(error: mongo_actors_protocol::command::Unsupported) -> Self {
        Self::new(unsupported(&error)).with_source(error)
    }
}

impl From<InvalidReply> for Error {
    fn from(error: InvalidReply) -> Self {
        Self::invalid_reply(error)
    }
}

impl Error {
    /// A value of the caller that cannot be written as BSON.
    pub(crate) fn invalid_document(source: bson::error::Error) -> Self {
        let kind = ErrorKind::InvalidDocument { index: None, reason: source.to_string() };
        Self::new(kind).with_source(source)
    }

    /// A document of the server that cannot be converted as the codec options say.
    pub(crate) fn unreadable(source: ConversionError) -> Self {
        let kind = ErrorKind::Deserialization { reason: brief(&source) };
        Self::new(kind).with_source(source).with_outcome(Outcome::Applied)
    }

    /// A document of the server that does not fit the type it is read as.
    pub(crate) fn deserialization(source: bson::error::Error) -> Self {
        let kind = ErrorKind::Deserialization { reason: brief(&source) };
        Self::new(kind).with_source(source).with_outcome(Outcome::Applied)
    }
}

/// So that drivers' errors can leave functions that report errors of the operating system.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::GridFs(GridFsError::NoFile(_)) => io::ErrorKind::NotFound,
            ErrorKind::GridFs(GridFsError::FileExists { .. }) => io::ErrorKind::AlreadyExists,
            ErrorKind::GridFs(GridFsError::Corrupt { .. }) => io::ErrorKind::InvalidData,
            _ if error.is_timeout() => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
