//! The connections of a pool and the states they are in.

use std::time::Instant;

use bson::oid::ObjectId;

use super::event::ConnectionClosedReason;
use crate::sdam::Generation;

/// The number of a connection within its pool: 1 for the first one created, then increasing by one.
pub type ConnectionId = u32;

/// What a connection is checked out for; a wait-queue timeout reports how many there are of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// An operation that gives the connection back when it has its reply.
    #[default]
    Operation,
    /// A cursor that pins the connection.
    Cursor,
    /// A transaction that pins the connection.
    Transaction,
}

/// One connection of the pool.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) generation: Generation,
    pub(super) service: Option<ObjectId>,
    pub(super) created: Instant,
    pub(super) state: ConnectionState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionState {
    Pending,
    Available,
    InUse {
        purpose: Purpose,
        /// Why it will be closed when it comes back.
        doomed: Option<ConnectionClosedReason>,
        draining: bool,
    },
}

impl ConnectionState {
    pub(super) const fn in_use() -> Self {
        Self::InUse { purpose: Purpose::Operation, doomed: None, draining: false }
    }
}

/// All connections that count for the pool, in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Connections {
    all: Vec<Connection>,
    pending: usize,
    last_id: ConnectionId,
}

impl Connections {
    /// No connections, and numbers that go on where those of `self` ended.
    pub(super) fn emptied(&self) -> Self {
        Self { all: Vec::new(), pending: 0, last_id: self.last_id }
    }

    pub(super) fn create(&mut self, generation: Generation, now: Instant) -> ConnectionId {
        loop {
            self.last_id = self.last_id.wrapping_add(1).max(1);
            // Only after a number has wrapped around can it be taken, or belong anywhere but at the end.
            if let Err(place) = self.place(self.last_id) {
                let id = self.last_id;
                let state = ConnectionState::Pending;
                self.all.insert(place, Connection { id, generation, service: None, created: now, state });
                self.pending += 1;
                return id;
            }
        }
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.place(id).ok().map(|place| &self.all[place])
    }

    /// The connection, for changes that do not touch whether it is pending.
    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.place(id).ok().map(|place| &mut self.all[place])
    }

    /// Ends the pending state of a connection.
    pub(super) fn established(&mut self, id: ConnectionId, state: ConnectionState) {
        if let Some(connection) = self.get_mut(id)
            && connection.state == ConnectionState::Pending
        {
            connection.state = state;
            self.pending -= 1;
        }
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let connection = self.all.remove(self.place(id).ok()?);
        if connection.state == ConnectionState::Pending {
            self.pending -= 1;
        }
        Some(connection)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.all.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.all.iter_mut()
    }

    pub(super) fn total(&self) -> usize {
        self.all.len()
    }

    pub(super) fn pending(&self) -> usize {
        self.pending
    }

    fn place(&self, id: ConnectionId) -> Result<usize, usize> {
        self.all.binary_search_by_key(&id, |connection| connection.id)
    }
}
