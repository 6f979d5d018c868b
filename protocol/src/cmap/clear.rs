//! Clearing, closing, and starting again after a crash.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use bson::oid::ObjectId;

use super::{
    connection::{ConnectionId, ConnectionState},
    error::CheckOutError,
    event::{ConnectionClosedReason, PoolClearedEvent, PoolClosedEvent, PoolEvent},
    generation::Generations,
    pool::{Pool, PoolAction, PoolState},
    wait_queue::{WaitQueue, Waiter},
};
use crate::sdam::{Generation, PoolGenerations};

/// How a pool is to be cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clear {
    /// The generation from now on, of the pool or of the service.
    pub generation: Generation,
    /// The service whose connections became stale; only in load-balanced mode, and always there.
    pub service_id: Option<ObjectId>,
    /// Whether to interrupt operations on stale connections, and the establishment of stale connections.
    pub interrupt_in_use: bool,
    /// The error for which the pool is cleared; refused check-outs repeat it.
    pub cause: Option<Arc<str>>,
}

impl<W: Waiter> Pool<W> {
    /// Makes the connections of older generations stale.
    ///
    /// The pool pauses and its wait queue is answered; a load-balanced pool instead goes on serving, since only one
    /// of its services is concerned. Available stale connections are closed at once, those in use when they come back,
    /// those being established when that has ended. A generation the pool already knows changes nothing.
    pub fn clear(&mut self, now: Instant, clear: Clear) {
        let Clear { generation, service_id, interrupt_in_use, cause } = clear;
        let service_id = service_id.filter(|_| self.options.load_balanced);
        let unfit = self.options.load_balanced && service_id.is_none();
        if unfit || self.state == PoolState::Closed || !self.generations.raise(service_id, generation) {
            return;
        }
        let was_ready = self.state == PoolState::Ready;
        if !self.options.load_balanced {
            self.state = PoolState::Paused;
            if cause.is_some() || was_ready {
                self.cleared_by = cause;
            }
        }
        if was_ready {
            self.publish(|address| {
                PoolEvent::PoolCleared(PoolClearedEvent {
                    address,
                    service_id,
                    interrupt_in_use_connections: interrupt_in_use,
                })
            });
        }
        if self.state == PoolState::Paused {
            self.refuse_queue(now, |pool| pool.pool_cleared(false));
        }
        if interrupt_in_use {
            self.interrupt_stale(now);
        }
        self.prune(now);
        self.serve_and_fill(now);
    }

    /// Closes the pool for ever. Connections in use are closed when they come back; see [`is_drained`](Self::is_drained).
    pub fn close(&mut self, now: Instant) {
        if self.state == PoolState::Closed {
            return;
        }
        self.state = PoolState::Closed;
        self.refuse_queue(now, |pool| pool.pool_closed());
        while let Some(entry) = self.available.pop_front() {
            self.close_connection(entry.id, ConnectionClosedReason::PoolClosed, None);
        }
        for id in self.ids_where(|connection| connection == ConnectionState::Pending) {
            self.end_establishing(now, id, ConnectionClosedReason::PoolClosed, |pool| pool.pool_closed());
        }
        self.publish(|address| PoolEvent::PoolClosed(PoolClosedEvent { address }));
    }

    /// The pool that takes over after the one who ran `self` has crashed: paused, in the `generations` that the topology
    /// gave for it, with the same options and connection numbers that go on.
    ///
    /// Whoever waited is refused with a retryable error, and every connection is closed, in use or not. Events that
    /// had not been published yet still are.
    #[must_use]
    pub fn restarted(mut self, now: Instant, generations: PoolGenerations) -> Self {
        let left_over = std::mem::take(&mut self.actions);
        let mut next = Self {
            address: Arc::clone(&self.address),
            options: self.options.clone(),
            state: if self.state == PoolState::Closed { PoolState::Closed } else { PoolState::Paused },
            generations: Generations::new(generations),
            connections: self.connections.emptied(),
            available: VecDeque::new(),
            establishing: Vec::new(),
            draining: VecDeque::new(),
            queue: WaitQueue::new(),
            actions: VecDeque::new(),
            last_run: None,
            fill_after: None,
            cleared_by: Some("the connection pool was restarted after a fault".into()),
            events_wanted: self.events_wanted,
        };
        for action in left_over {
            match action {
                PoolAction::Publish(_) | PoolAction::Refuse { .. } => next.actions.push_back(action),
                PoolAction::Deliver { waiter, .. } => {
                    next.actions.push_back(PoolAction::Refuse { waiter, error: CheckOutError::Lost });
                }
                PoolAction::Establish { .. } | PoolAction::Interrupt { .. } | PoolAction::Close { .. } => {}
            }
        }
        if self.state == PoolState::Ready {
            next.publish(|address| {
                PoolEvent::PoolCleared(PoolClearedEvent {
                    address,
                    service_id: None,
                    interrupt_in_use_connections: true,
                })
            });
        }
        next.bury(now, self);
        next
    }

    /// Answers the waiters and closes the connections of a crashed pool.
    fn bury(&mut self, now: Instant, mut crashed: Self) {
        while let Some(waiting) = crashed.queue.pop() {
            let error = self.pool_cleared(false);
            self.refuse(now, waiting, error);
        }
        let ids = crashed.ids_where(|_| true);
        self.connections = std::mem::take(&mut crashed.connections);
        for id in ids {
            let state = self.connections.get(id).map(|connection| connection.state);
            if matches!(state, Some(ConnectionState::InUse { .. })) {
                self.publish_checked_in(id);
            }
            self.close_connection(id, ConnectionClosedReason::Error, Some(&"the connection pool had a fault"));
            if let Some(waiting) = crashed.take_establishing(id) {
                let error = self.pool_cleared(false);
                self.refuse(now, waiting, error);
            }
        }
    }

    fn refuse_queue(&mut self, now: Instant, error: impl Fn(&Self) -> CheckOutError<W::Failure>) {
        while let Some(waiting) = self.queue.pop() {
            let error = error(self);
            self.refuse(now, waiting, error);
        }
    }

    /// Interrupts what stale connections are doing: operations fail and give their connection back, establishment
    /// ends here.
    fn interrupt_stale(&mut self, now: Instant) {
        let Self { connections, generations, actions, .. } = self;
        for connection in connections.iter_mut() {
            if let ConnectionState::InUse { doomed, .. } = &mut connection.state
                && generations.is_stale(connection.generation, connection.service)
                && doomed.replace(ConnectionClosedReason::Stale).is_none()
            {
                actions.push_back(PoolAction::Interrupt { id: connection.id });
            }
        }
        for id in self.ids_where(|state| state == ConnectionState::Pending) {
            if self.is_stale(id) {
                self.end_establishing(now, id, ConnectionClosedReason::Stale, |pool| pool.pool_cleared(true));
            }
        }
    }

    fn end_establishing(
        &mut self,
        now: Instant,
        id: ConnectionId,
        reason: ConnectionClosedReason,
        error: impl Fn(&Self) -> CheckOutError<W::Failure>,
    ) {
        self.close_connection(id, reason, None);
        if let Some(waiting) = self.take_establishing(id) {
            let error = error(self);
            self.refuse(now, waiting, error);
        }
    }

    fn ids_where(&self, wanted: impl Fn(ConnectionState) -> bool) -> Vec<ConnectionId> {
        self.connections.iter().filter(|connection| wanted(connection.state)).map(|connection| connection.id).collect()
    }
}
