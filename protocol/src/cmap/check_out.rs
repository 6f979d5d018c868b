//! Checking connections out and in.

use std::time::{Duration, Instant};

use super::{
    connection::{ConnectionId, ConnectionState, Purpose},
    error::CheckOutError,
    event::{
        ConnectionCheckedInEvent, ConnectionCheckedOutEvent, ConnectionCheckoutStartedEvent, ConnectionClosedReason,
        PoolEvent,
    },
    pool::{Available, Pool, PoolAction, PoolState},
    wait_queue::{Waiter, Waiting},
};

/// In which condition a connection comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckIn {
    /// It waits for the next command.
    Reusable,
    /// It must not be used again: it met a network error, a timeout, a protocol error, or has half a reply unread.
    Broken,
}

/// A connection was checked in that is not checked out of this pool (any more).
///
/// It is normal for a connection the pool has closed by itself meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("connection {id} is not checked out of this pool")]
pub struct NotCheckedOut {
    /// Its number.
    pub id: ConnectionId,
}

impl<W: Waiter> Pool<W> {
    /// Asks for a connection. The answer is a [`PoolAction::Deliver`] or a [`PoolAction::Refuse`].
    ///
    /// With a `deadline` the waiter is refused when it passes, even while its connection is being established (which
    /// then goes on for others); without one `waitQueueTimeoutMS` limits the stay in the wait queue.
    pub fn check_out(&mut self, now: Instant, waiter: W, deadline: Option<Instant>) {
        self.publish(|address| PoolEvent::ConnectionCheckoutStarted(ConnectionCheckoutStartedEvent { address }));
        let queue_deadline = self.options.queue_deadline(now);
        let waiting = Waiting { waiter, started: now, deadline, queue_deadline };
        match self.state {
            PoolState::Ready => {}
            PoolState::Paused => {
                let error = self.pool_cleared(false);
                return self.refuse(now, waiting, error);
            }
            PoolState::Closed => {
                let error = self.pool_closed();
                return self.refuse(now, waiting, error);
            }
        }
        self.queue.push(waiting);
        self.serve(now);
        if self.queue.wants_sweep() {
            let mut cancelled = Vec::new();
            self.queue.sweep(|waiting| cancelled.push(waiting));
            for waiting in cancelled {
                self.refuse(now, waiting, CheckOutError::Cancelled);
            }
        }
    }

    /// Takes a connection back.
    ///
    /// # Errors
    /// [`NotCheckedOut`] for a connection that is not out.
    pub fn check_in(&mut self, now: Instant, id: ConnectionId, condition: CheckIn) -> Result<(), NotCheckedOut> {
        let Some(connection) = self.connections.get_mut(id) else { return Err(NotCheckedOut { id }) };
        let ConnectionState::InUse { doomed, draining, .. } = connection.state else {
            return Err(NotCheckedOut { id });
        };
        if draining {
            self.draining.retain(|other| *other != id);
        }
        self.publish_checked_in(id);
        match self.closing_reason(id, condition, doomed) {
            Some(reason) => self.close_connection(id, reason, None),
            None => self.make_available(now, id),
        }
        self.serve_and_fill(now);
        Ok(())
    }

    /// Says what a checked-out connection is held for from now on. Of no effect for any other connection.
    pub fn set_purpose(&mut self, id: ConnectionId, purpose: Purpose) {
        if let Some(connection) = self.connections.get_mut(id)
            && let ConnectionState::InUse { purpose: current, .. } = &mut connection.state
        {
            *current = purpose;
        }
    }

    fn closing_reason(
        &self,
        id: ConnectionId,
        condition: CheckIn,
        doomed: Option<ConnectionClosedReason>,
    ) -> Option<ConnectionClosedReason> {
        match (self.state, doomed, condition) {
            (PoolState::Closed, _, _) => Some(ConnectionClosedReason::PoolClosed),
            (_, Some(reason), _) => Some(reason),
            (_, None, CheckIn::Broken) => Some(ConnectionClosedReason::Error),
            (_, None, CheckIn::Reusable) => self.is_stale(id).then_some(ConnectionClosedReason::Stale),
        }
    }

    pub(super) fn make_available(&mut self, now: Instant, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.state = ConnectionState::Available;
            self.available.push_back(Available { id, since: now });
        }
    }

    pub(super) fn publish_checked_in(&mut self, id: ConnectionId) {
        self.publish(|address| PoolEvent::ConnectionCheckedIn(ConnectionCheckedInEvent { address, connection_id: id }));
    }

    pub(super) fn serve_and_fill(&mut self, now: Instant) {
        self.serve(now);
        self.fill(now);
    }

    /// Serves the wait queue from its front, as far as connections and limits allow.
    pub(super) fn serve(&mut self, now: Instant) {
        if self.state != PoolState::Ready {
            return;
        }
        while let Some(first) = self.queue.front() {
            if first.waiter.is_cancelled() {
                if let Some(waiting) = self.queue.pop() {
                    self.refuse(now, waiting, CheckOutError::Cancelled);
                }
            } else if first.is_overdue(now) {
                if let Some(waiting) = self.queue.pop() {
                    self.refuse_late(now, waiting);
                }
            } else if let Some(id) = self.pop_available(now) {
                if let Some(waiting) = self.queue.pop() {
                    self.deliver(now, id, waiting);
                }
            } else if self.may_establish() {
                if let Some(waiting) = self.queue.pop() {
                    self.establish(now, Some(waiting));
                }
            } else if !self.make_room() {
                break;
            }
        }
    }

    /// The most recently used connection that has not perished; perished ones are closed on the way.
    fn pop_available(&mut self, now: Instant) -> Option<ConnectionId> {
        while let Some(Available { id, since }) = self.available.pop_back() {
            if self.is_stale(id) {
                self.close_connection(id, ConnectionClosedReason::Stale, None);
            } else if self.is_idle_too_long(since, now) {
                self.close_connection(id, ConnectionClosedReason::Idle, None);
            } else {
                return Some(id);
            }
        }
        None
    }

    pub(super) fn is_idle_too_long(&self, since: Instant, now: Instant) -> bool {
        self.options.max_idle().is_some_and(|limit| now.saturating_duration_since(since) >= limit)
    }

    /// Hands an established connection over.
    pub(super) fn deliver(&mut self, now: Instant, id: ConnectionId, waiting: Waiting<W>) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.state = ConnectionState::in_use();
        let generation = connection.generation;
        let waited: Duration = waiting.waited(now);
        self.publish(|address| {
            PoolEvent::ConnectionCheckedOut(ConnectionCheckedOutEvent { address, connection_id: id, duration: waited })
        });
        self.actions.push_back(PoolAction::Deliver { id, generation, waiter: waiting.waiter, waited });
    }

    /// Refuses those whose time is up, in the queue as well as those whose connection is being established.
    pub(super) fn expire_waiters(&mut self, now: Instant) {
        let mut expired = Vec::new();
        self.queue.expire(now, |waiting| expired.push(waiting));
        let overdue = |waiting: &Waiting<W>| waiting.deadline.is_some_and(|deadline| deadline <= now);
        while let Some(place) = self.establishing.iter().position(|entry| overdue(&entry.waiting)) {
            expired.push(self.establishing.remove(place).waiting);
        }
        for waiting in expired {
            self.refuse_late(now, waiting);
        }
    }

    /// Takes those of the waiters back that `wanted` names: nothing was sent for them yet, and they look for a connection
    /// elsewhere. Connections that are being established for them stay in the pool.
    pub fn dismiss_waiting(&mut self, now: Instant, wanted: impl Fn(&W) -> bool) -> Vec<W> {
        let mut dismissed = Vec::new();
        self.queue.take(|waiting| wanted(&waiting.waiter), |waiting| dismissed.push(waiting));
        while let Some(place) = self.establishing.iter().position(|entry| wanted(&entry.waiting.waiter)) {
            dismissed.push(self.establishing.remove(place).waiting);
        }
        for waiting in &dismissed {
            let (error, duration) = (CheckOutError::<W::Failure>::Dismissed, waiting.waited(now));
            self.publish_failed(&error, duration);
        }
        dismissed.into_iter().map(|waiting| waiting.waiter).collect()
    }

    fn refuse_late(&mut self, now: Instant, waiting: Waiting<W>) {
        let error = CheckOutError::WaitQueueTimeout(self.wait_queue_timeout(waiting.waited(now)));
        self.refuse(now, waiting, error);
    }
}
