//! Why an attempt failed, where, and how far it had come.

use std::{fmt, io, sync::Arc, time::Duration};

use mongo_actors_protocol::{
    address::ServerAddress,
    cmap::CheckOutError,
    command::{ReplyError, Unsupported},
    error::{CommandError, Labels},
    retry::Stage,
    sdam::ServerDescription,
    selection::SelectionError,
    wire::{ReplyBody, WireError},
};

use crate::ticket::{ConnectionInfo, Limits};

/// A failed attempt.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// The server it was routed to, as it was known then; none before one was selected.
    pub server: Option<Arc<ServerDescription>>,
    /// The connection it had; none before one was checked out.
    pub connection: Option<Arc<ConnectionInfo>>,
    /// How far the attempt had come.
    pub stage: Stage,
}

/// Why an attempt failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// No server could be selected.
    #[error(transparent)]
    Selection(Arc<SelectionError>),
    /// The server's pool gave no connection.
    #[error(transparent)]
    CheckOut(Arc<CheckOutError<EstablishError>>),
    /// The connection failed while in use.
    #[error("the connection failed: {0}")]
    Network(Arc<io::Error>),
    /// The server stayed silent for longer than `socketTimeoutMS` allows.
    #[error("the server sent no reply within {} ms", waited.as_millis())]
    SocketTimeout {
        /// The time limit.
        waited: Duration,
    },
    /// The operation's own deadline passed.
    #[error("the operation's deadline passed")]
    DeadlinePassed,
    /// What came from the server is not a message that answers the command.
    #[error("the server broke the protocol: {0}")]
    Wire(Arc<WireError>),
    /// The reply cannot be understood.
    #[error(transparent)]
    Reply(Arc<ReplyError>),
    /// The server replied with an error.
    #[error(transparent)]
    Command(Arc<CommandError>),
    /// The command took effect, but not as durably as asked. The reply is the command's.
    #[error("{error}")]
    WriteConcern {
        /// The server's error.
        error: Arc<CommandError>,
        /// The whole reply.
        reply: ReplyBody,
    },
    /// The selected server does not support an option of the operation.
    #[error(transparent)]
    Unsupported(Unsupported),
    /// The server has no sessions, and the operation was to run in one.
    #[error("the server does not support sessions: it is too old, or no server of a deployment that stores data")]
    NoSessions,
    /// The server cannot read from a snapshot.
    #[error("Snapshot reads require MongoDB 5.0 or later")]
    NoSnapshots,
    /// The server's limits are smaller than those the request was split by.
    #[error("the server accepts less at a time than the request was split by")]
    LimitsExceeded(Limits),
    /// The pool was cleared for a server that is gone, and this operation was interrupted for it.
    #[error("the connection was interrupted because its server was found to be down")]
    Interrupted,
    /// A newer primary is known and the old one, which had the operation, does not answer.
    #[error("a newer primary took over, and the former one no longer answers")]
    Superseded,
    /// The ticket died with the actor that held it.
    #[error("an actor of the driver died while it held the operation")]
    Abandoned,
    /// The client is closed.
    #[error("the client is closed")]
    ClientClosed,
    /// The client's actors could not be kept alive.
    #[error("the driver's actors are down: {0}")]
    EngineDown(Arc<str>),
}

/// Why a connection could not be established.
#[derive(Clone, Debug)]
pub struct EstablishError {
    /// The server.
    pub address: Arc<ServerAddress>,
    /// What was being done.
    pub step: EstablishStep,
    /// What went wrong.
    pub fault: EstablishFault,
    /// Labels of the error.
    pub labels: Labels,
}

/// The steps of establishing a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EstablishStep {
    /// Resolving the name and opening the socket.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The first `hello`.
    Handshake,
    /// Authentication.
    Authenticate,
}

/// What went wrong while a connection was established.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EstablishFault {
    /// The socket failed.
    #[error("{0}")]
    Network(Arc<io::Error>),
    /// The time allowed passed.
    #[error("no answer within {} ms", limit.as_millis())]
    TimedOut {
        /// `connectTimeoutMS`.
        limit: Duration,
    },
    /// Client and server do not agree on TLS, or one does not accept the other's certificate.
    #[error("{0}")]
    Tls(Arc<str>),
    /// The server broke the protocol.
    #[error("{0}")]
    Wire(Arc<WireError>),
    /// The server refused.
    #[error("{0}")]
    Command(Arc<CommandError>),
    /// The server's part of the conversation is wrong, or the credential cannot be used.
    #[error("{0}")]
    Refused(Arc<str>),
}

impl fmt::Display for EstablishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doing = match self.step {
            EstablishStep::Connect => "cannot connect to",
            EstablishStep::Tls => "no TLS connection to",
            EstablishStep::Handshake => "the handshake failed with",
            EstablishStep::Authenticate => "authentication failed with",
        };
        write!(f, "{doing} {}: {}", self.address, self.fault)
    }
}

impl std::error::Error for EstablishError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.fault)
    }
}

impl EstablishFault {
    /// Whether the socket failed or stayed silent, rather than said something wrong.
    pub fn is_io(&self) -> bool {
        matches!(self, Self::Network(_) | Self::TimedOut { .. })
    }
}
