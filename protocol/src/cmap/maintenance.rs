//! What a pool does in the background: closing idle connections and keeping its smallest size.

use std::time::Instant;

use super::{
    event::ConnectionClosedReason,
    pool::{Pool, PoolState},
    wait_queue::{Waiter, sooner},
};

impl<W: Waiter> Pool<W> {
    /// One run of the background maintenance: closes available connections that have perished, then fills the pool up
    /// to `minPoolSize`, as far as `maxConnecting` allows. It is due at [`next_deadline`](Self::next_deadline).
    pub fn maintain(&mut self, now: Instant) {
        self.last_run = Some(now);
        self.prune(now);
        self.serve_and_fill(now);
    }

    /// Closes available connections that have perished, the one unused for the longest time first.
    pub(super) fn prune(&mut self, now: Instant) {
        for _ in 0..self.available.len() {
            let Some(entry) = self.available.pop_front() else { break };
            if self.is_stale(entry.id) {
                self.close_connection(entry.id, ConnectionClosedReason::Stale, None);
            } else if self.is_idle_too_long(entry.since, now) {
                self.close_connection(entry.id, ConnectionClosedReason::Idle, None);
            } else {
                self.available.push_back(entry);
            }
        }
    }

    /// Starts establishing what is missing to `minPoolSize`. Waiters come first: they were served before.
    pub(super) fn fill(&mut self, now: Instant) {
        if self.is_filled() || self.fill_after.is_some_and(|after| now < after) {
            return;
        }
        self.fill_after = None;
        while !self.is_filled() && self.may_establish() {
            self.establish(now, None);
        }
    }

    /// Pauses filling after a failed establishment. Otherwise a server that refuses connections because it is
    /// overloaded, for which the pool is not cleared, would be asked again without a break.
    pub(super) fn postpone_fill(&mut self, now: Instant) {
        self.fill_after = self.options.maintenance_interval.and_then(|interval| now.checked_add(interval));
    }

    /// When the maintenance has something to do that no other input will cause.
    pub(super) fn next_run(&self) -> Option<Instant> {
        let interval = self.options.maintenance_interval?;
        let idle = self.options.max_idle().and_then(|limit| {
            let expiry = self.available.front()?.since.checked_add(limit)?;
            let earliest_run = self.last_run.and_then(|last| last.checked_add(interval));
            Some(earliest_run.map_or(expiry, |earliest| earliest.max(expiry)))
        });
        let fill = self.fill_after.filter(|_| !self.is_filled() && self.may_establish());
        sooner(idle, fill)
    }

    /// Whether the pool has its `minPoolSize` connections, all of them established, or cannot get them now.
    pub fn is_warm(&self) -> bool {
        let established = self.connections.total() - self.connections.pending();
        self.state != PoolState::Ready || established >= self.options.min_size as usize
    }

    /// Whether there is nothing to fill now.
    fn is_filled(&self) -> bool {
        self.state != PoolState::Ready
            || self.options.maintenance_interval.is_none()
            || self.connections.total() >= self.options.min_size as usize
    }
}
