//! What an error that an application met says about the server.

use std::sync::Arc;

use bson::oid::ObjectId;

use super::{Generation, TopologyVersion};
use crate::{
    address::ServerAddress,
    error::{CommandError, labels},
};

/// How far the connection had come on which an error occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailurePhase {
    /// Connecting, TLS, and `hello`.
    EstablishingConnection,
    /// Authenticating, after `hello` was answered.
    Authenticating,
    /// In use by operations.
    AfterHandshakeCompletes,
}

/// What kind of error it was.
#[derive(Clone, Debug, PartialEq)]
pub enum FailureKind {
    /// The connection failed.
    Network {
        /// It did not fail, but stayed silent for too long.
        timed_out: bool,
    },
    /// The server answered with an error, or with a write concern error in its one-line form.
    Command(Arc<CommandError>),
    /// Neither: the server's certificate or signature was refused, its name could not be resolved, and the like.
    Other,
}

/// An error that an application's connection met.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerFailure {
    /// The server.
    pub address: ServerAddress,
    /// How far the connection had come.
    pub phase: FailurePhase,
    /// What kind of error it was.
    pub kind: FailureKind,
    /// The error carries the label `SystemOverloadedError`, as network errors before the end of `hello` mostly do.
    pub overloaded: bool,
    /// What to remember as the server's error.
    pub message: Arc<str>,
    /// The generation of the connection; before `hello` was answered, that of the pool when the attempt began.
    pub generation: Generation,
    /// The service behind a load balancer, once `hello` has told it.
    pub service_id: Option<ObjectId>,
    /// The newest wire version of the connection's server; 0 before `hello` was answered.
    pub max_wire_version: i32,
}

/// What the topology made of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is older than what is known by now, or concerns a server that is gone.
    Stale,
    /// It says nothing about the server.
    Ignored,
    /// The server is out of date, not down: it is marked unknown and checked at once. Its pool is cleared if it shuts down.
    StateChanged {
        /// Whether the pool (or the service's part of it) was cleared.
        pool_cleared: bool,
    },
    /// The server is taken to be down: it is marked unknown and its pool is cleared.
    ServerFailed,
}

/// What has to be done about an error, apart from whether it is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    Nothing,
    StateChange { shutting_down: bool },
    ServerDown,
}

impl ServerFailure {
    pub(super) fn consequence(&self) -> Consequence {
        match &self.kind {
            FailureKind::Command(error) if error.is_state_change() => {
                Consequence::StateChange { shutting_down: error.is_node_shutting_down() }
            }
            _ if self.is_overloaded() => Consequence::Nothing,
            _ if self.phase != FailurePhase::AfterHandshakeCompletes => Consequence::ServerDown,
            FailureKind::Network { timed_out: false } => Consequence::ServerDown,
            _ => Consequence::Nothing,
        }
    }

    pub(super) fn topology_version(&self) -> Option<TopologyVersion> {
        match &self.kind {
            FailureKind::Command(error) => error.topology_version,
            _ => None,
        }
    }

    fn is_overloaded(&self) -> bool {
        let labelled = match &self.kind {
            FailureKind::Command(error) => error.labels.contains(labels::SYSTEM_OVERLOADED_ERROR),
            _ => false,
        };
        self.overloaded || labelled
    }
}
