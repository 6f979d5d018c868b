//! What a connection accepts.

use actix::Message;

use crate::ticket::Ticket;

/// Execute the ticket's command. The ticket holds this connection's lease.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Run(pub(crate) Ticket);

/// The session pool has given the ticket what it was sent for.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Equipped(pub(crate) Ticket);

/// The server was found to be down: fail the operation in flight, if any, and end.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Interrupt;

/// The server is silent and a newer primary known: give up the operation in flight if it will be repeated there.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Abandon;

/// The client closes: return the cached session. Dropping `done` tells that it happened.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SurrenderSession {
    pub(crate) done: crate::shared::Token,
}
