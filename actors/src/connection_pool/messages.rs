//! What a pool accepts.

use std::sync::Arc;

use actix::Message;
use bson::oid::ObjectId;
use mongo_actors_protocol::{
    cmap::{CheckIn, CheckOutError, Clear, ConnectionId, Purpose, Waiter},
    sdam::PoolGenerations,
};
use tokio::sync::oneshot;

use crate::{
    connection::ConnectionActor,
    failure::EstablishError,
    runtime::Address,
    shared::Token,
    ticket::{ConnectionInfo, Lease, Ticket},
};

/// Hand over a connection.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum CheckOut {
    /// To a ticket, which goes on to the connection by itself.
    Ticket(Ticket),
    /// To somebody who wants nothing but the lease.
    Bare(oneshot::Sender<Result<Lease, CheckOutError<EstablishError>>>),
}

impl Waiter for CheckOut {
    type Failure = EstablishError;

    fn is_cancelled(&self) -> bool {
        match self {
            Self::Ticket(ticket) => ticket.is_cancelled(),
            Self::Bare(reply) => reply.is_closed(),
        }
    }
}

/// A lease was dropped.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CheckedIn {
    pub(crate) id: ConnectionId,
    pub(crate) condition: CheckIn,
}

/// The connection is held for this from now on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Dedicate {
    pub(crate) id: ConnectionId,
    pub(crate) purpose: Purpose,
}

/// A connection has shaken hands with a service behind a load balancer, and goes on to authenticate.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct HandshakeCompleted {
    pub(crate) id: ConnectionId,
    pub(crate) service_id: ObjectId,
}

/// A connection could not be established. The topology hears of it next.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ConnectionFailed {
    pub(crate) id: ConnectionId,
    pub(crate) error: EstablishError,
}

/// A connection is ready for commands.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ConnectionEstablished {
    pub(crate) id: ConnectionId,
    pub(crate) info: Arc<ConnectionInfo>,
    pub(crate) actor: Address<ConnectionActor>,
}

/// A connection could not be established. Comes back from the topology, behind the `Clear` that it may have caused.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ConnectionRefused {
    pub(crate) id: ConnectionId,
    pub(crate) error: EstablishError,
}

/// The server closed an idle connection.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ConnectionDied {
    pub(crate) id: ConnectionId,
}

/// A connection reads a reply that nobody waits for.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct DrainStarted {
    pub(crate) id: ConnectionId,
}

/// The server was checked and is usable.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct MarkReady;

/// The connections of older generations are stale.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ClearPool(pub(crate) Clear);

/// The server, once primary, is silent while a newer primary is known: give up whatever will be repeated there.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct AbandonServer;

/// The pool has crashed, and these are its generations now.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Renew(pub(crate) PoolGenerations);

/// Have idle connections return their cached sessions.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SurrenderSessions {
    pub(crate) done: Token,
}

/// Tell when there are `minPoolSize` connections.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct WarmUp {
    /// Dropped when there are, or when the pool cannot have them now.
    pub(crate) done: Token,
}

/// Close for good.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ClosePool {
    /// The actor ends when the last connection is gone; otherwise it stays and refuses.
    pub(crate) then_end: bool,
    /// Dropped with the pool.
    pub(crate) done: Option<Token>,
}

/// A barrier: dropped when everything before it was handled.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct FlushPool(#[expect(dead_code, reason = "its drop is the message")] pub(crate) Token);
