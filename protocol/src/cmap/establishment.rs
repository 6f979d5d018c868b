//! Establishing connections: for a check-out or in the background.

use std::time::Instant;

use bson::oid::ObjectId;

use super::{
    connection::{ConnectionId, ConnectionState},
    error::CheckOutError,
    event::{ConnectionClosedReason, ConnectionCreatedEvent, ConnectionReadyEvent, PoolEvent},
    pool::{Establishing, Pool, PoolAction},
    wait_queue::{Waiter, Waiting},
};
use crate::sdam::Generation;

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The generation it was created in; behind a load balancer, from the handshake on, that of its service.
    pub generation: Generation,
    /// The service behind a load balancer, once the handshake has told it.
    pub service_id: Option<ObjectId>,
}

impl<W: Waiter> Pool<W> {
    /// A connection finished its handshake but not yet its authentication. Outside load-balanced mode nothing needs to
    /// be told.
    ///
    /// Behind a load balancer the connection now belongs to a service. The answer is the generation that errors on it
    /// must be reported with; none for a connection the pool is not establishing.
    pub fn handshake_completed(&mut self, id: ConnectionId, service_id: ObjectId) -> Option<Generation> {
        let connection = self.connections.get_mut(id)?;
        if connection.state != ConnectionState::Pending {
            return None;
        }
        if self.options.load_balanced && connection.service.is_none() {
            connection.service = Some(service_id);
            connection.generation = self.generations.join(service_id);
        }
        Some(connection.generation)
    }

    /// Where a connection comes from: what its errors must be reported with. None for a connection that is not the
    /// pool's (any more).
    pub fn origin(&self, id: ConnectionId) -> Option<Origin> {
        let connection = self.connections.get(id)?;
        Some(Origin { generation: connection.generation, service_id: connection.service })
    }

    /// A connection is established, authentication included.
    pub fn connection_established(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        if connection.state != ConnectionState::Pending {
            return;
        }
        let duration = now.saturating_duration_since(connection.created);
        let waiting = self.take_establishing(id);
        if self.is_stale(id) {
            self.close_connection(id, ConnectionClosedReason::Stale, None);
            if let Some(waiting) = waiting {
                let error = self.pool_cleared(false);
                self.refuse(now, waiting, error);
            }
            return self.serve_and_fill(now);
        }
        self.publish(|address| {
            PoolEvent::ConnectionReady(ConnectionReadyEvent { address, connection_id: id, duration })
        });
        self.connections.established(id, ConnectionState::in_use());
        match waiting {
            Some(waiting) if !waiting.waiter.is_cancelled() => self.deliver(now, id, waiting),
            waiting => {
                if let Some(waiting) = waiting {
                    self.refuse(now, waiting, CheckOutError::Cancelled);
                }
                self.make_available(now, id);
            }
        }
        self.serve_and_fill(now);
    }

    /// A connection could not be established. The check-out it was created for fails with `failure`.
    ///
    /// If the failure makes the topology clear the pool, the clear is to be told first.
    pub fn connection_failed(&mut self, now: Instant, id: ConnectionId, failure: W::Failure) {
        if self.connections.get(id).is_some_and(|connection| connection.state == ConnectionState::Pending) {
            self.close_connection(id, ConnectionClosedReason::Error, Some(&failure));
            if let Some(waiting) = self.take_establishing(id) {
                self.refuse(now, waiting, CheckOutError::Establishment(failure));
            }
            self.postpone_fill(now);
            self.serve_and_fill(now);
        }
    }

    /// A connection has ended by itself: the server closed an idle one, or its owner died.
    ///
    /// An available one leaves the pool at once, one in use when it is checked in, and a pending one fails.
    pub fn connection_died(&mut self, now: Instant, id: ConnectionId) {
        let reason = if self.is_stale(id) { ConnectionClosedReason::Stale } else { ConnectionClosedReason::Error };
        let Some(connection) = self.connections.get_mut(id) else { return };
        match &mut connection.state {
            ConnectionState::InUse { doomed, .. } => {
                doomed.get_or_insert(reason);
                return;
            }
            ConnectionState::Available => {
                self.available.retain(|entry| entry.id != id);
                self.close_connection(id, reason, None);
            }
            ConnectionState::Pending => {
                self.close_connection(id, reason, None);
                if let Some(waiting) = self.take_establishing(id) {
                    self.refuse(now, waiting, CheckOutError::Lost);
                }
                self.postpone_fill(now);
            }
        }
        self.serve_and_fill(now);
    }

    /// Whether the limits allow one more connection to be established.
    pub(super) fn may_establish(&self) -> bool {
        self.may_connect() && self.options.has_room(self.connections.total())
    }

    pub(super) fn may_connect(&self) -> bool {
        self.connections.pending() < self.options.max_connecting.get() as usize
    }

    /// Creates a connection and asks for its establishment, for a check-out or for nobody yet.
    pub(super) fn establish(&mut self, now: Instant, waiting: Option<Waiting<W>>) {
        let generation = self.generations.current(None);
        let id = self.connections.create(generation, now);
        let background = waiting.is_none();
        if let Some(waiting) = waiting {
            self.establishing.push(Establishing { id, waiting });
        }
        self.publish(|address| PoolEvent::ConnectionCreated(ConnectionCreatedEvent { address, connection_id: id }));
        self.actions.push_back(PoolAction::Establish { id, generation, background });
    }
}
