//! The events a pool publishes.

use std::{fmt, sync::Arc, time::Duration};

use bson::oid::ObjectId;

use super::{connection::ConnectionId, options::NonDefaultPoolOptions};
use crate::address::ServerAddress;

/// Anything that happened in a connection pool, in the order of the connection monitoring and pooling specification.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PoolEvent {
    /// A pool was created; it is paused.
    PoolCreated(PoolCreatedEvent),
    /// A pool was marked ready.
    PoolReady(PoolReadyEvent),
    /// A pool, or one service of a load-balanced pool, was cleared.
    PoolCleared(PoolClearedEvent),
    /// A pool was closed.
    PoolClosed(PoolClosedEvent),
    /// A connection was created; it is not established yet.
    ConnectionCreated(ConnectionCreatedEvent),
    /// A connection was established.
    ConnectionReady(ConnectionReadyEvent),
    /// A connection left the pool.
    ConnectionClosed(ConnectionClosedEvent),
    /// An operation began to wait for a connection.
    ConnectionCheckoutStarted(ConnectionCheckoutStartedEvent),
    /// An operation did not get a connection.
    ConnectionCheckoutFailed(ConnectionCheckoutFailedEvent),
    /// An operation got a connection.
    ConnectionCheckedOut(ConnectionCheckedOutEvent),
    /// An operation gave its connection back.
    ConnectionCheckedIn(ConnectionCheckedInEvent),
}

/// A pool was created for a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolCreatedEvent {
    /// The server the pool belongs to.
    pub address: Arc<ServerAddress>,
    /// The options that differ from their defaults.
    pub options: NonDefaultPoolOptions,
}

/// A pool became ready: check-outs work, and connections are created in the background.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolReadyEvent {
    /// The server the pool belongs to.
    pub address: Arc<ServerAddress>,
}

/// All connections of a pool, or of one service behind a load balancer, became stale.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolClearedEvent {
    /// The server the pool belongs to.
    pub address: Arc<ServerAddress>,
    /// The service whose connections became stale, in load-balanced mode.
    pub service_id: Option<ObjectId>,
    /// Whether connections in use were interrupted as well.
    pub interrupt_in_use_connections: bool,
}

/// A pool was closed for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolClosedEvent {
    /// The server the pool belongs to.
    pub address: Arc<ServerAddress>,
}

/// A connection began to exist; its establishment starts now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionCreatedEvent {
    /// The server the pool belongs to.
    pub address: Arc<ServerAddress>,
    /// The connection's number within its pool.
    pub connection_id: ConnectionId,
}

/// A connection finished its handshake and authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionReadyEvent {
    /// The server the pool belongs to.
    pub address: Arc<ServerAddress>,
    /// The connection's number within its pool.
    pub connection_id: ConnectionId,
    /// How long its establishment took.
    pub duration: Duration,
}

/// A connection was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionClosedEvent {
    /// The server the pool belongs to.
    pub address: Arc<ServerAddress>,
    /// The connection's number within its pool.
    pub connection_id: ConnectionId,
    /// Why it was closed.
    pub reason: ConnectionClosedReason,
    /// The error that ended the connection, where the pool was told one.
    pub error: Option<Arc<str>>,
}

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionClosedReason {
    /// The pool was cleared after the connection had been created.
    Stale,
    /// The connection had been unused for longer than `maxIdleTimeMS`.
    Idle,
    /// The connection met an error.
    Error,
    /// The pool was closed.
    PoolClosed,
}

impl ConnectionClosedReason {
    /// The specification's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Idle => "idle",
            Self::Error => "error",
            Self::PoolClosed => "poolClosed",
        }
    }
}

impl fmt::Display for ConnectionClosedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A check-out began.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionCheckoutStartedEvent {
    /// The server the pool belongs to.
    pub address: Arc<ServerAddress>,
}

/// A check-out failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionCheckoutFailedEvent {
    /// The server the pool belongs to.
    pub address: Arc<ServerAddress>,
    /// Why it failed.
    pub reason: ConnectionCheckoutFailedReason,
    /// The error the operation was given.
    pub error: Option<Arc<str>>,
    /// How long the check-out took until it failed.
    pub duration: Duration,
}

/// Why a check-out failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionCheckoutFailedReason {
    /// The operation's time was up, or its caller gave it up.
    Timeout,
    /// The connection could not be established, or the pool was paused.
    ConnectionError,
    /// The pool was closed.
    PoolClosed,
}

impl ConnectionCheckoutFailedReason {
    /// The specification's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::ConnectionError => "connectionError",
            Self::PoolClosed => "poolClosed",
        }
    }
}

impl fmt::Display for ConnectionCheckoutFailedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A check-out succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionCheckedOutEvent {
    /// The server the pool belongs to.
    pub address: Arc<ServerAddress>,
    /// The connection's number within its pool.
    pub connection_id: ConnectionId,
    /// How long the check-out took, establishment included.
    pub duration: Duration,
}

/// A connection came back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionCheckedInEvent {
    /// The server the pool belongs to.
    pub address: Arc<ServerAddress>,
    /// The connection's number within its pool.
    pub connection_id: ConnectionId,
}

impl PoolEvent {
    /// The event's name as the specification's test files spell it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PoolCreated(_) => "ConnectionPoolCreated",
            Self::PoolReady(_) => "ConnectionPoolReady",
            Self::PoolCleared(_) => "ConnectionPoolCleared",
            Self::PoolClosed(_) => "ConnectionPoolClosed",
            Self::ConnectionCreated(_) => "ConnectionCreated",
            Self::ConnectionReady(_) => "ConnectionReady",
            Self::ConnectionClosed(_) => "ConnectionClosed",
            Self::ConnectionCheckoutStarted(_) => "ConnectionCheckOutStarted",
            Self::ConnectionCheckoutFailed(_) => "ConnectionCheckOutFailed",
            Self::ConnectionCheckedOut(_) => "ConnectionCheckedOut",
            Self::ConnectionCheckedIn(_) => "ConnectionCheckedIn",
        }
    }

    /// The server the pool belongs to.
    pub const fn address(&self) -> &Arc<ServerAddress> {
        match self {
            Self::PoolCreated(event) => &event.address,
            Self::PoolReady(event) => &event.address,
            Self::PoolCleared(event) => &event.address,
            Self::PoolClosed(event) => &event.address,
            Self::ConnectionCreated(event) => &event.address,
            Self::ConnectionReady(event) => &event.address,
            Self::ConnectionClosed(event) => &event.address,
            Self::ConnectionCheckoutStarted(event) => &event.address,
            Self::ConnectionCheckoutFailed(event) => &event.address,
            Self::ConnectionCheckedOut(event) => &event.address,
            Self::ConnectionCheckedIn(event) => &event.address,
        }
    }

    /// The connection the event is about, if it is about one.
    pub const fn connection_id(&self) -> Option<ConnectionId> {
        match self {
            Self::ConnectionCreated(event) => Some(event.connection_id),
            Self::ConnectionReady(event) => Some(event.connection_id),
            Self::ConnectionClosed(event) => Some(event.connection_id),
            Self::ConnectionCheckedOut(event) => Some(event.connection_id),
            Self::ConnectionCheckedIn(event) => Some(event.connection_id),
            _ => None,
        }
    }

    /// How long it took, for events that end something.
    pub const fn duration(&self) -> Option<Duration> {
        match self {
            Self::ConnectionReady(event) => Some(event.duration),
            Self::ConnectionCheckoutFailed(event) => Some(event.duration),
            Self::ConnectionCheckedOut(event) => Some(event.duration),
            _ => None,
        }
    }
}
