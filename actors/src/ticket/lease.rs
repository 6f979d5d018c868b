//! A checked-out connection: whoever holds the lease may use it, and dropping it checks it in.

use std::{fmt, sync::Arc, time::Duration};

use bson::oid::ObjectId;
use mongo_actors_protocol::{
    address::ServerAddress,
    cmap::{CheckIn, ConnectionId, Purpose},
    sdam::{Generation, ServerType},
};

use super::operation::Limits;
use crate::{
    connection::ConnectionActor,
    connection_pool::{CheckedIn, ConnectionPoolActor, Dedicate},
    runtime::Address,
};

/// What a connection's handshake told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The connection's number within its pool.
    pub id: ConnectionId,
    /// The server at its other end.
    pub address: Arc<ServerAddress>,
    /// The generation it was created in; behind a load balancer, that of its service.
    pub generation: Generation,
    /// The service behind a load balancer.
    pub service_id: Option<ObjectId>,
    /// The server's own number for the connection, if it told it.
    pub server_connection_id: Option<i64>,
    /// What the server is.
    pub server_type: ServerType,
    /// The highest wire version of the server.
    pub max_wire_version: i32,
    /// The server's size limits.
    pub limits: Limits,
    /// How long the server keeps sessions that nobody uses; none if it has no sessions.
    pub logical_session_timeout: Option<Duration>,
}

impl ConnectionInfo {
    /// Whether commands may carry a session id.
    pub fn has_sessions(&self) -> bool {
        self.logical_session_timeout.is_some() || self.server_type == ServerType::LoadBalancer
    }

    /// Whether commands may carry a transaction number outside of transactions.
    pub fn supports_retryable_writes(&self) -> bool {
        self.has_sessions() && self.server_type != ServerType::Standalone
    }
}

/// A connection as its pool hands it out.
pub(crate) struct PooledConnection {
    pub(crate) info: Arc<ConnectionInfo>,
    pub(crate) actor: Address<ConnectionActor>,
    pub(crate) pool: Address<ConnectionPoolActor>,
}

/// The right to use one connection. Dropping it checks the connection in.
pub struct Lease {
    connection: Arc<PooledConnection>,
    condition: CheckIn,
}

impl Lease {
    pub(crate) fn new(connection: Arc<PooledConnection>) -> Self {
        Self { connection, condition: CheckIn::Reusable }
    }

    /// What is known of the connection.
    pub fn info(&self) -> &Arc<ConnectionInfo> {
        &self.connection.info
    }

    /// Whether a transaction that begins on this connection must stay on it: it leads through a load balancer.
    pub(crate) fn binds_transactions(&self) -> bool {
        self.connection.info.service_id.is_some() && matches!(self.condition, CheckIn::Reusable)
    }

    /// Says what the connection is held for from now on.
    pub fn set_purpose(&self, purpose: Purpose) {
        self.connection.pool.do_send(Dedicate { id: self.connection.info.id, purpose });
    }

    pub(crate) fn actor(&self) -> &Address<ConnectionActor> {
        &self.connection.actor
    }

    /// The connection must not be used by anyone else.
    pub(crate) fn mark_broken(&mut self) {
        self.condition = CheckIn::Broken;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.connection.pool.do_send(CheckedIn { id: self.connection.info.id, condition: self.condition });
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("connection", &self.connection.info.id).finish_non_exhaustive()
    }
}
