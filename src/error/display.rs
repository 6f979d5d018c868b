//! The one sentence that an error is.

use std::fmt;

use mongo_actors_protocol::retry::{Outcome, Stage};

use super::{Attempt, Context, Error, ErrorKind};

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        let context = &inner.context;
        match &inner.kind {
            ErrorKind::ServerSelectionTimeout => match &inner.source {
                Some(source) => write!(f, "{source}; check the addresses, and whether the servers can be reached")?,
                None => f.write_str("no suitable server was found in time")?,
            },
            ErrorKind::OperationTimeout => {
                write_kind(f, &inner.kind, context)?;
                // What is behind it says all the rest.
                if let Some(source) = &inner.source {
                    return write!(f, ": {source}");
                }
                write!(f, "; {}", noticed(inner.attempts.last()))?;
            }
            kind => write_kind(f, kind, context)?,
        }
        if inner.attempts.len() > 1 {
            write!(f, " (after {} attempts)", inner.attempts.len())?;
        }
        if context.writes && inner.outcome == Outcome::Unknown {
            f.write_str("; it is not known whether the server executed it")?;
        }
        if let Some(error) = &inner.write_concern_error {
            write!(f, "; also, {error}")?;
        }
        match &inner.partial {
            Some(partial) if !partial.is_empty() => write!(f, "; {partial}"),
            _ => Ok(()),
        }
    }
}

/// When it was noticed that there was no time left.
fn noticed(attempt: Option<&Attempt>) -> &'static str {
    let Some(attempt) = attempt.filter(|attempt| attempt.cause().is_some()) else {
        return "that was noticed while it was in the hands of the driver";
    };
    match attempt.stage() {
        Stage::Queued => "that was noticed before a server was selected",
        Stage::Selected => "that was noticed before there was a connection",
        Stage::CheckedOut => "that was noticed before the command was sent",
        Stage::Writing => "that was noticed while the command was being sent",
        _ => "that was noticed before the server replied",
    }
}

fn write_kind(f: &mut fmt::Formatter<'_>, kind: &ErrorKind, context: &Context) -> fmt::Result {
    match kind {
        ErrorKind::InvalidUri { place, reason } => write!(f, "invalid connection string: {place}: {reason}"),
        ErrorKind::Configuration { options, reason } if options.is_empty() => {
            write!(f, "invalid configuration: {reason}")
        }
        ErrorKind::Configuration { options, reason } => {
            write!(f, "invalid configuration: {reason} (see {})", options.join(", "))
        }
        ErrorKind::Dns { reason } => write!(f, "the hosts of the connection string cannot be looked up: {reason}"),
        ErrorKind::IncompatibleServer { reason } => f.write_str(reason),
        ErrorKind::InvalidOperation { reason } => write!(f, "invalid operation: {reason}"),
        ErrorKind::InvalidArgument { argument, reason } => write!(f, "invalid argument \"{argument}\": {reason}"),
        ErrorKind::InvalidName(error) => write!(f, "{error}"),
        ErrorKind::GridFs(error) => write!(f, "{error}"),
        ErrorKind::CollectionInvalid { reason } | ErrorKind::Custom { reason } => f.write_str(reason),
        ErrorKind::TransactionTimeout { reason } => {
            write!(f, "there is no time to repeat the transaction once more; the last attempt failed: {reason}")
        }
        ErrorKind::InvalidDocument { index: Some(index), reason } => {
            write!(f, "document {index} cannot be encoded as BSON: {reason}")
        }
        ErrorKind::InvalidDocument { index: None, reason } => {
            write!(f, "a value cannot be encoded as BSON: {reason}")
        }
        ErrorKind::DocumentTooLarge { index, size, limit } => {
            write!(f, "document {index} has {size} bytes, and the server accepts at most {limit}")
        }
        ErrorKind::Deserialization { reason } => {
            write!(f, "a document of the server does not fit the type it is read as: {reason}")
        }
        ErrorKind::ServerSelectionTimeout => f.write_str("no suitable server was found in time"),
        ErrorKind::OperationTimeout => {
            write!(f, "the time given to {} (timeoutMS) is up", At { what: "the operation", context })
        }
        ErrorKind::MissingResumeToken => f.write_str(
            "cannot provide resume functionality when the resume token is missing: a stage of the pipeline has removed \
             the event's _id; leave it in",
        ),
        ErrorKind::Abandoned => f.write_str("an actor of the driver died while it held the operation"),
        ErrorKind::EngineDown { reason } => {
            write!(f, "the driver's actors are down, and will be started again: {reason}")
        }
        ErrorKind::InsertMany(error) => write!(f, "{error}"),
        ErrorKind::BulkWrite(error) => write!(f, "{error}"),
        ErrorKind::ClientBulkWrite(error) => write!(f, "{error}"),
        kind => write_remote(f, kind, context),
    }
}

/// What happened on the way to a server, or there.
fn write_remote(f: &mut fmt::Formatter<'_>, kind: &ErrorKind, context: &Context) -> fmt::Result {
    let server = Server(context);
    match kind {
        ErrorKind::WaitQueueTimeout(error) => write!(f, "{error}; raise maxPoolSize or waitQueueTimeoutMS"),
        ErrorKind::ConnectionPoolCleared { reason } | ErrorKind::ConnectionFailure { reason } => f.write_str(reason),
        ErrorKind::Authentication { reason, .. } => {
            write!(f, "{reason}; check user name, password and authSource")
        }
        ErrorKind::AutoReconnect { reason } => write!(f, "the connection to {server} was lost: {reason}"),
        ErrorKind::NetworkTimeout { limit } => write!(f, "{server} did not answer within {} ms", limit.as_millis()),
        ErrorKind::NotPrimary(error) => write!(f, "{server} cannot serve as primary now: {error}"),
        ErrorKind::Protocol { reason } => write!(f, "{server} broke the protocol: {reason}"),
        ErrorKind::InvalidReply { reason } => write!(f, "{server} sent an unusable reply: {reason}"),
        ErrorKind::CursorNotFound(error) => {
            write!(f, "{server} does not know the cursor any more, which it closes after some idle time: {error}")
        }
        ErrorKind::ExecutionTimeout(error) => {
            write!(f, "{} exceeded its time limit on the server: {error}", At { what: "the operation", context })
        }
        ErrorKind::Command(error) => {
            write!(f, "{server} refused {}: {error}", At { what: "the command", context: &context.without_server() })
        }
        ErrorKind::WriteConcern(error) | ErrorKind::WriteConcernTimeout(error) => {
            write!(f, "the write was executed, but {error}")
        }
        ErrorKind::Write(error) => write!(f, "the write was refused: {} (code {})", error.message, error.code),
        ErrorKind::DuplicateKey(error) => {
            write!(f, "a unique index refused a document: {} (code {})", error.message, error.code)
        }
        _ => f.write_str("the operation failed"),
    }
}

struct Server<'a>(&'a Context);

impl fmt::Display for Server<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.server {
            Some(server) => write!(f, "the server {server}"),
            None => f.write_str("the server"),
        }
    }
}

/// The command and its server, as far as they are known.
struct At<'a> {
    what: &'a str,
    context: &'a Context,
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.context.command {
            Some(command) => write!(f, "\"{command}\"")?,
            None => f.write_str(self.what)?,
        }
        match &self.context.server {
            Some(server) => write!(f, " on {server}"),
            None => Ok(()),
        }
    }
}

impl Context {
    fn without_server(&self) -> Self {
        Self { server: None, command: self.command.clone(), writes: self.writes }
    }
}
