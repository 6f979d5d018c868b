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
    shared::Shared,
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
    pub(crate) shared: Arc<Shared>,
    pub(crate) info: Arc<ConnectionInfo>,
    pub(crate) actor: Address<ConnectionActor>,
    pub(crate) pool: Address<ConnectionPoolActor>,
    /// That it was taken, in the recording: here, so that a lease is not larger for it.
    #[cfg(feature = "chaos")]
    pub(crate) _taken: Option<crate::chaos::Taken>,
}

#[cfg(feature = "chaos")]
impl PooledConnection {
    /// The same for one lease, which a recording, if there is one, knows of as long as this is kept.
    fn recorded(self: Arc<Self>) -> Arc<Self> {
        let taken = self.shared.registry.chaos.took(mongo_actors_protocol::chaos::Resource::Connection);
        if taken.is_none() {
            return self;
        }
        let Self { shared, info, actor, pool, .. } = &*self;
        let (shared, info, actor, pool) = (shared.clone(), info.clone(), actor.clone(), pool.clone());
        Arc::new(Self { shared, info, actor, pool, _taken: taken })
    }
}

/// The right to use one connection. Dropping it checks the connection in.
pub struct Lease {
    connection: Arc<PooledConnection>,
    condition: CheckIn,
    purpose: Purpose,
    /// The server goes on sending batches of a cursor by itself.
    streaming: bool,
}

impl Lease {
    pub(crate) fn new(connection: Arc<PooledConnection>) -> Self {
        #[cfg(feature = "chaos")]
        let connection = connection.recorded();
        Self { connection, condition: CheckIn::Reusable, purpose: Purpose::Operation, streaming: false }
    }

    /// What is known of the connection.
    pub fn info(&self) -> &Arc<ConnectionInfo> {
        &self.connection.info
    }

    /// Whether a cursor or a transaction that begins on this connection must stay on it: it leads through a load
    /// balancer.
    pub(crate) fn binds(&self) -> bool {
        self.connection.info.service_id.is_some() && self.is_usable()
    }

    /// Whether a command can be sent on the connection, as far as its holder knows.
    pub fn is_usable(&self) -> bool {
        self.condition == CheckIn::Reusable && !self.streaming
    }

    /// What the connection is held for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Says what the connection is held for from now on.
    pub fn set_purpose(&mut self, purpose: Purpose) {
        if std::mem::replace(&mut self.purpose, purpose) != purpose {
            self.connection.pool.do_send(Dedicate { id: self.connection.info.id, purpose });
        }
    }

    /// Says whether the server sends further batches without being asked. While it does, nobody else can use the
    /// connection.
    pub(crate) fn set_streaming(&mut self, streaming: bool) {
        self.streaming = streaming;
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.connection.shared
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
        let condition = if self.streaming { CheckIn::Broken } else { self.condition };
        self.connection.pool.do_send(CheckedIn { id: self.connection.info.id, condition });
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("connection", &self.connection.info.id).finish_non_exhaustive()
    }
}
