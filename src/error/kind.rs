//! What can happen.

use std::{borrow::Cow, error::Error as StdError, sync::Arc, time::Duration};

use mongo_actors_protocol::{
    cmap::WaitQueueTimeout,
    command::InvalidName,
    error::{CommandError, WriteConcernError, WriteError},
    gridfs::GridFsError,
};

use super::{BulkWriteError, ClientBulkWriteError, InsertManyError};

/// What happened. The families that kinds belong to are told by the methods of [`Error`](super::Error).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The connection string cannot be parsed, or contradicts itself.
    InvalidUri {
        /// The part of it that is at fault.
        place: String,
        /// What is wrong with it, and what to write instead.
        reason: String,
    },
    /// Options that cannot be used, not together, or not with this server.
    Configuration {
        /// The options at fault, by their names in a connection string or command.
        options: Vec<Cow<'static, str>>,
        /// What is wrong with them, and what to do.
        reason: String,
    },
    /// The hosts of a `mongodb+srv` connection string could not be looked up.
    Dns {
        /// What went wrong.
        reason: String,
    },
    /// The driver and a server have no wire version in common.
    IncompatibleServer {
        /// Which server, and which versions.
        reason: Arc<str>,
    },
    /// The call is not allowed now, or not on this object: the client is closed, the cursor was not started, ...
    InvalidOperation {
        /// What is not allowed, and what to do instead.
        reason: Cow<'static, str>,
    },
    /// An argument that the operation does not take.
    InvalidArgument {
        /// The argument or option, by its name in the command.
        argument: Cow<'static, str>,
        /// What is wrong with it, and what to pass instead.
        reason: Cow<'static, str>,
    },
    /// A name of a database or collection that no server accepts.
    InvalidName(InvalidName),
    /// A collection that exists already, or that failed its validation.
    CollectionInvalid {
        /// What is wrong with which collection.
        reason: String,
    },
    /// A value cannot be written as BSON.
    InvalidDocument {
        /// Position of the value in the caller's input; none when there is only one.
        index: Option<usize>,
        /// What the encoder says.
        reason: String,
    },
    /// A document is larger than the server takes.
    DocumentTooLarge {
        /// Position in the caller's input, from 0.
        index: usize,
        /// Its encoded size in bytes.
        size: usize,
        /// What the server takes, in bytes.
        limit: usize,
    },
    /// A document of the server cannot be read as the type that is asked for. The operation itself succeeded.
    Deserialization {
        /// What the decoder says.
        reason: String,
    },
    /// No suitable server was found within `serverSelectionTimeoutMS`. The source shows the topology.
    ServerSelectionTimeout,
    /// No connection to the server became free in time.
    WaitQueueTimeout(WaitQueueTimeout),
    /// The connection pool was cleared because its server failed, before the operation had a connection.
    ConnectionPoolCleared {
        /// Why it was cleared.
        reason: String,
    },
    /// No connection could be established.
    ConnectionFailure {
        /// What went wrong.
        reason: String,
    },
    /// The server refused the credentials, or the conversation with it failed.
    Authentication {
        /// What went wrong.
        reason: String,
        /// The server's error, if it sent one.
        error: Option<Arc<CommandError>>,
    },
    /// The connection was lost. The client establishes new ones by itself.
    AutoReconnect {
        /// What went wrong.
        reason: String,
    },
    /// The server stayed silent for longer than `socketTimeoutMS` or `connectTimeoutMS` allows.
    NetworkTimeout {
        /// The limit that was exceeded.
        limit: Duration,
    },
    /// The server is not primary any more, recovering, or shutting down.
    NotPrimary(Arc<CommandError>),
    /// The server sent what is not a valid message.
    Protocol {
        /// What is wrong with it.
        reason: String,
    },
    /// A reply lacks what its command promises.
    InvalidReply {
        /// What is missing.
        reason: String,
    },
    /// The time that the operation as a whole was given (`timeoutMS`) is up.
    OperationTimeout,
    /// The server replied with an error that has no kind of its own.
    Command(Arc<CommandError>),
    /// The server does not know the cursor any more.
    CursorNotFound(Arc<CommandError>),
    /// The server stopped the operation because its time (`maxTimeMS`) was up.
    ExecutionTimeout(Arc<CommandError>),
    /// The write was executed, but its write concern was not satisfied.
    WriteConcern(WriteConcernError),
    /// The write was executed, but its write concern was not satisfied in time.
    WriteConcernTimeout(WriteConcernError),
    /// A single write failed.
    Write(WriteError),
    /// A unique index refused a document.
    DuplicateKey(WriteError),
    /// Documents of an insert of several failed, or its write concern was not satisfied.
    InsertMany(InsertManyError),
    /// The two minutes for the repetitions of a transaction are over, and no timeout was set for it. The source is the
    /// error of the last one.
    TransactionTimeout {
        /// What the last one failed with.
        reason: String,
    },
    /// An error of the application; see [`Error::custom`](super::Error::custom). It is the source.
    Custom {
        /// What the application says.
        reason: String,
    },
    /// Writes of a bulk write to a collection failed, or its write concern was not satisfied.
    BulkWrite(BulkWriteError),
    /// Writes of a client's bulk write failed, or its write concern was not satisfied.
    ClientBulkWrite(ClientBulkWriteError),
    /// An event of a change stream has no `_id`, so that the stream could not be resumed behind it: a stage of the
    /// pipeline has removed it. The stream has ended.
    MissingResumeToken,
    /// A file cannot be stored, found or read.
    GridFs(GridFsError),
    /// An actor of the driver died while it held the operation. The client heals by itself.
    Abandoned,
    /// The driver's actors could not be kept alive. The client tries again by itself; see `Client::restart`.
    EngineDown {
        /// Why.
        reason: Arc<str>,
    },
}

impl ErrorKind {
    /// The server's code and its name.
    pub(super) fn code(&self) -> Option<(i32, &str)> {
        match self {
            Self::Command(error)
            | Self::NotPrimary(error)
            | Self::CursorNotFound(error)
            | Self::ExecutionTimeout(error)
            | Self::Authentication { error: Some(error), .. } => Some((error.code, &error.code_name)),
            Self::WriteConcern(error) | Self::WriteConcernTimeout(error) => Some((error.code, &error.code_name)),
            Self::Write(error) | Self::DuplicateKey(error) => Some((error.code, &error.code_name)),
            Self::InsertMany(error) => error.code(),
            Self::BulkWrite(error) => error.errors().code(),
            Self::ClientBulkWrite(error) => error.errors().code(),
            _ => None,
        }
    }

    pub(super) fn is_timeout(&self) -> bool {
        matches!(
            self,
            Self::ServerSelectionTimeout
                | Self::WaitQueueTimeout(_)
                | Self::NetworkTimeout { .. }
                | Self::OperationTimeout
                | Self::ExecutionTimeout(_)
                | Self::WriteConcernTimeout(_)
                | Self::TransactionTimeout { .. }
        )
    }

    /// The error that this kind carries.
    pub(super) fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::InvalidName(error) => Some(error),
            Self::WaitQueueTimeout(error) => Some(error),
            Self::Command(error)
            | Self::NotPrimary(error)
            | Self::CursorNotFound(error)
            | Self::ExecutionTimeout(error)
            | Self::Authentication { error: Some(error), .. } => Some(&**error),
            Self::WriteConcern(error) | Self::WriteConcernTimeout(error) => Some(error),
            Self::Write(error) | Self::DuplicateKey(error) => Some(error),
            Self::InsertMany(error) => Some(error),
            Self::BulkWrite(error) => Some(error),
            Self::ClientBulkWrite(error) => Some(error),
            Self::GridFs(error) => Some(error),
            _ => None,
        }
    }
}
