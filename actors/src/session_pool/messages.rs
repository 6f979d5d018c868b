//! What the session pool accepts.

use actix::{Addr, Message};
use bson::RawDocumentBuf;
use mongo_actors_protocol::session::ServerSession;
use tokio::sync::oneshot;

use crate::{
    connection::ConnectionActor,
    ticket::{HeldSession, Ticket},
};

/// Give the ticket a session and send it to its connection.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Equip {
    pub(crate) ticket: Ticket,
    pub(crate) connection: Addr<ConnectionActor>,
}

/// An explicit session begins: hand over a server session.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Lend(pub(crate) oneshot::Sender<HeldSession>);

/// A session comes back.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ReturnSession(pub(crate) ServerSession);

/// The client closes: hand over the ids of all sessions, in the groups that `endSessions` takes.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct TakeEnded(pub(crate) oneshot::Sender<Vec<Vec<RawDocumentBuf>>>);
