//! What can go wrong with a deployment.

use std::{io, time::Duration};

use bson::Document;

use crate::provision::ProvisionError;

/// The result of everything in this crate that talks to servers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a deployment could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no `mongod` to start.
    #[error(transparent)]
    Provision(#[from] ProvisionError),

    /// A server ended while starting, or did not get ready in time.
    #[error("mongod on port {port} did not start: {reason}\n----- end of its log -----\n{log}")]
    Start {
        /// The port it was to listen on.
        port: u16,
        /// What was observed.
        reason: String,
        /// The last lines of the server's log.
        log: String,
    },

    /// A server answered a command with an error.
    #[error("{address} refused `{command}`: {message} ({code} {code_name})")]
    Command {
        /// The member that answered.
        address: String,
        /// The command's name.
        command: String,
        /// The server's error code; 0 when it sent none.
        code: i32,
        /// The name of the code; empty when the server sent none.
        code_name: String,
        /// The server's explanation.
        message: String,
        /// The whole reply.
        response: Box<Document>,
    },

    /// The connection to a server could not be made, or broke.
    #[error("`{command}` could not be exchanged with {address}: {source}")]
    Network {
        /// The member that was spoken to.
        address: String,
        /// The command's name.
        command: String,
        /// The cause.
        source: io::Error,
    },

    /// Something that was waited for did not happen.
    #[error("waited {waited:?} for {what}; at last: {state}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        waited: Duration,
        /// What was seen at the last look.
        state: String,
    },

    /// A request that makes no sense, such as to start a member that runs.
    #[error("{0}")]
    Invalid(String),

    /// The operating system refused something the kit needs.
    #[error("{what}: {source}")]
    System {
        /// What was attempted.
        what: String,
        /// The cause.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }

    /// The server's error code, when a server refused a command.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Command { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the connection failed, as opposed to the server refusing.
    pub fn is_network(&self) -> bool {
        matches!(self, Self::Network { .. })
    }
}
