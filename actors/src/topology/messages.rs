//! What the topology accepts.

use std::{sync::Arc, time::Instant};

use actix::Message;
use bson::oid::ObjectId;
use mongo_actors_protocol::{
    address::ServerAddress,
    cmap::{CheckOutError, ConnectionId},
    sdam::{Generation, RoundTripTime, ServerDescription, ServerFailure, monitor::CheckOutcome},
    selection::SelectionCriteria,
    session::ClusterTime,
};
use tokio::sync::oneshot;

use crate::{
    connection_pool::ConnectionPoolActor,
    failure::{Cause, EstablishError},
    runtime::{Address, Death},
    shared::Token,
    ticket::{ConnectionInfo, Lease, Ticket},
};

/// Route the ticket to a suitable server.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Execute(pub(crate) Ticket);

/// Say which server suits.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Select {
    pub(crate) criteria: SelectionCriteria,
    pub(crate) entered: Instant,
    pub(crate) deadline: Option<Instant>,
    pub(crate) reply: oneshot::Sender<Result<Arc<ServerDescription>, Cause>>,
}

/// Hand over a connection of this server, without an operation.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CheckOutBare {
    pub(crate) address: ServerAddress,
    pub(crate) reply: oneshot::Sender<Result<Lease, CheckOutError<EstablishError>>>,
}

/// A monitor checked its server.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ServerChecked {
    pub(crate) address: ServerAddress,
    /// Which start of the server's monitor this is from; one from an earlier start is not applied.
    pub(crate) tag: u64,
    pub(crate) outcome: CheckOutcome,
}

/// DNS names these hosts now, at least one.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SrvUpdated {
    pub(crate) hosts: Vec<ServerAddress>,
    /// Which start of the poller this is from; one from an earlier start is not applied.
    pub(crate) tag: u64,
}

/// What else a monitor has to say of its server.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ServerObserved {
    pub(crate) address: ServerAddress,
    /// As in [`ServerChecked`].
    pub(crate) tag: u64,
    pub(crate) observation: Observation,
}

/// What a monitor observed outside of its checks.
#[derive(Debug)]
pub(crate) enum Observation {
    /// How far away the server is.
    Rtt(RoundTripTime),
    /// A former primary, whose place was taken, does not answer.
    Silence,
    /// Nothing any more: the monitor crashed and begins anew.
    MonitorRestarted,
}

/// An operation met an error that concerns its server. The ticket holds the connection's lease.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct OperationFailed {
    pub(crate) ticket: Ticket,
    pub(crate) cause: Cause,
    pub(crate) failure: ServerFailure,
}

/// A connection could not be established.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct EstablishmentFailed {
    /// The pool that waits for it.
    pub(crate) pool: Address<ConnectionPoolActor>,
    pub(crate) address: Arc<ServerAddress>,
    pub(crate) id: ConnectionId,
    pub(crate) generation: Generation,
    pub(crate) service_id: Option<ObjectId>,
    pub(crate) error: EstablishError,
}

/// A connection's actor died, which counts as a network error of that connection.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ConnectionLost {
    pub(crate) address: Arc<ServerAddress>,
    /// The pool's generation, for a connection that was not established yet.
    pub(crate) generation: Generation,
    /// What was known of the connection once it was established.
    pub(crate) info: Option<Arc<ConnectionInfo>>,
    pub(crate) death: Death,
}

/// A reply carried a newer cluster time.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ClusterTimeSeen(pub(crate) ClusterTime);

/// A pool crashed and is paused until it is told its generation.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct PoolRestarted {
    pub(crate) address: ServerAddress,
}

/// The client closes: have all connections return their cached sessions.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CollectSessions {
    pub(crate) done: Token,
}

/// The client closes: answer those who wait for a server.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct RefuseWaiting;

/// Close pools and monitors, publish the closing events, and end.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CloseTopology {
    pub(crate) done: Token,
}

/// What a conformance test tells a pool in the topology's place.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum PoolOrder {
    /// Become ready.
    Ready,
    /// Begin the next generation.
    Clear {
        /// Operations in flight are interrupted too.
        interrupt_in_use: bool,
    },
    /// Close.
    Close,
}

/// Give a pool this order.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct OrderPool {
    pub(crate) address: ServerAddress,
    pub(crate) order: PoolOrder,
    pub(crate) done: Token,
}

/// Tell when all pools are as full as they are to be kept.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct WarmUpPools {
    pub(crate) done: Token,
}

/// A barrier through the topology and its pools.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Flush(pub(crate) Token);
