//! A cursor that is to be killed.

use std::{sync::Arc, time::Instant};

use actix::Message;
use mongo_actors_protocol::{
    address::ServerAddress,
    command::{self, Command, Namespace},
    selection::SelectionCriteria,
};

use crate::ticket::{HeldSession, Lease, Operation, Ticket};

/// A cursor that is still open on its server and that nobody will read any more.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct KillCursors {
    /// The server it lives on.
    pub server: Arc<ServerAddress>,
    /// Its database.
    pub database: Arc<str>,
    /// Its collection, or `$cmd.aggregate` and the like.
    pub collection: String,
    /// Its id.
    pub cursor_id: i64,
    /// The session it lives in, which returns when the cursor is gone.
    pub session: Option<HeldSession>,
    /// The connection it is bound to.
    pub lease: Option<Lease>,
}

impl KillCursors {
    /// The debt of an operation whose caller went away while the cursor was being opened. The reply of every command
    /// that opens a cursor belongs to the collection that the command names.
    pub(crate) fn for_abandoned(
        ticket: &Ticket,
        server: &Arc<ServerAddress>,
        cursor_id: i64,
        session: Option<HeldSession>,
    ) -> Option<Self> {
        let request = &ticket.operation.request;
        let collection = match request.name.as_ref() {
            "getMore" => request.body.get_str("collection").ok()?.to_owned(),
            name => match request.body.get(name).ok()?? {
                bson::RawBsonRef::String(collection) => collection.to_owned(),
                _ => format!("$cmd.{name}"),
            },
        };
        Some(Self {
            server: server.clone(),
            database: request.database.clone(),
            collection,
            cursor_id,
            session,
            lease: None,
        })
    }

    /// The operation that pays the debt, by `deadline`; none if it cannot be expressed.
    pub(crate) fn operation(&self, deadline: Instant) -> Option<Operation> {
        let namespace = Namespace::new(self.database.clone(), self.collection.clone());
        let ids = [self.cursor_id];
        let request = command::KillCursors { namespace: &namespace, cursors: &ids }.request().ok()?;
        let mut operation = Operation::new(request, SelectionCriteria::Address((*self.server).clone()));
        operation.deadline = Some(deadline);
        Some(operation)
    }
}
