//! Connections whose operation was cancelled, and which read the rest of its reply before they are used again.

use std::time::Instant;

use super::{
    connection::{ConnectionId, ConnectionState},
    event::ConnectionClosedReason,
    pool::Pool,
    wait_queue::Waiter,
};

impl<W: Waiter> Pool<W> {
    /// The operation on a checked-out connection was cancelled after its bytes were sent: the connection reads the
    /// reply to its end and is then checked in as usual.
    ///
    /// At most half the pool may do so; beyond that, and whenever a check-out waits for a place in the pool, the
    /// connection that has been draining for the longest time is closed.
    pub fn drain_started(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let ConnectionState::InUse { draining, .. } = &mut connection.state else { return };
        if !std::mem::replace(draining, true) {
            self.draining.push_back(id);
            if self.draining.len() > self.most_draining() {
                self.close_oldest_draining();
            }
            self.serve_and_fill(now);
        }
    }

    /// Closes a draining connection if only the size of the pool keeps a new one from being established. False when
    /// there is nothing to gain.
    pub(super) fn make_room(&mut self) -> bool {
        self.may_connect() && self.close_oldest_draining()
    }

    fn most_draining(&self) -> usize {
        let size = match self.options.max_size {
            0 => self.connections.total(),
            limit => limit as usize,
        };
        (size / 2).max(1)
    }

    fn close_oldest_draining(&mut self) -> bool {
        let Some(id) = self.draining.pop_front() else { return false };
        self.publish_checked_in(id);
        self.close_connection(id, ConnectionClosedReason::Error, Some(&"its operation was cancelled"));
        true
    }
}
