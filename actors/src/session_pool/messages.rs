//! What the session pool accepts.

use actix::Message;
use bson::RawDocumentBuf;
use mongo_actors_protocol::session::{ServerSession, SessionOptions};
use tokio::sync::oneshot;

use crate::{
    connection::ConnectionActor,
    runtime::Address,
    shared::Token,
    ticket::{SharedSession, Ticket},
};

/// Give the ticket a session and send it to its connection.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Equip {
    pub(crate) ticket: Ticket,
    pub(crate) connection: Address<ConnectionActor>,
}

/// An explicit session begins.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Lend {
    pub(crate) options: SessionOptions,
    pub(crate) reply: oneshot::Sender<SharedSession>,
}

/// The client closes: have the reaper abort open transactions and end the application's sessions.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct AbandonSessions {
    pub(crate) done: Token,
}

/// A session comes back.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ReturnSession(pub(crate) ServerSession);

/// The client closes: hand over the ids of all sessions, in the groups that `endSessions` takes.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct TakeEnded(pub(crate) oneshot::Sender<Vec<Vec<RawDocumentBuf>>>);
