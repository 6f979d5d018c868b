//! The pool itself: its state, what it asks for, and what the other files of this folder share.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    connection::{ConnectionId, ConnectionState, Connections, Purpose},
    error::{CheckOutError, PoolCleared, PoolClosed, WaitQueueTimeout},
    event::{
        ConnectionCheckoutFailedEvent, ConnectionClosedEvent, ConnectionClosedReason, PoolCreatedEvent, PoolEvent,
        PoolReadyEvent,
    },
    generation::Generations,
    options::PoolOptions,
    wait_queue::{WaitQueue, Waiter, Waiting, sooner},
};
use crate::{
    address::ServerAddress,
    sdam::{Generation, PoolGenerations},
};

/// Whether a pool hands out connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PoolState {
    /// New, or cleared: check-outs are refused until the server has been checked.
    Paused,
    /// Check-outs work, and connections are created in the background.
    Ready,
    /// Closed for ever.
    Closed,
}

/// How many connections a pool has, by state, and how many check-outs wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolCounts {
    /// All connections: pending, available and in use.
    pub total: usize,
    /// Connections being established.
    pub pending: usize,
    /// Connections ready to be checked out.
    pub available: usize,
    /// Connections checked out.
    pub in_use: usize,
    /// Those in use whose operation was cancelled and whose reply is being read and thrown away.
    pub draining: usize,
    /// Check-outs in the wait queue.
    pub waiting: usize,
}

/// Something the owner of a pool has to do.
#[derive(Debug)]
pub enum PoolAction<W: Waiter> {
    /// Establish a new connection, then report [`Pool::connection_established`] or [`Pool::connection_failed`].
    Establish {
        /// Its number.
        id: ConnectionId,
        /// Its generation; behind a load balancer [`Pool::handshake_completed`] tells the one that counts.
        generation: Generation,
        /// Whether no operation waits for it, so that no operation's timeout applies.
        background: bool,
    },
    /// Hand a connection to a waiter, who gives it back with [`Pool::check_in`].
    Deliver {
        /// Its number.
        id: ConnectionId,
        /// Its generation, which errors on it must be reported with.
        generation: Generation,
        /// Who waited.
        waiter: W,
        /// How long.
        waited: Duration,
    },
    /// Tell a waiter that there is no connection for it.
    Refuse {
        /// Who waited.
        waiter: W,
        /// Why there is none.
        error: CheckOutError<W::Failure>,
    },
    /// Fail the operation that uses this connection with a retryable error, and check the connection in.
    Interrupt {
        /// Its number.
        id: ConnectionId,
    },
    /// Close this connection, or stop establishing it. It does not count for the pool any more; nothing is to be
    /// reported about it.
    Close {
        /// Its number.
        id: ConnectionId,
        /// Why.
        reason: ConnectionClosedReason,
    },
    /// Publish an event.
    Publish(PoolEvent),
}

/// A connection ready to be checked out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Available {
    pub(super) id: ConnectionId,
    pub(super) since: Instant,
}

/// A check-out whose connection is being established.
#[derive(Debug)]
pub(super) struct Establishing<W> {
    pub(super) id: ConnectionId,
    pub(super) waiting: Waiting<W>,
}

/// The connection pool of one server, without its sockets.
///
/// Every input is a method; what follows from it is drained, in order, from [`poll_action`](Self::poll_action). An
/// event is built only if someone wants events. Checking an idle connection out and in allocates nothing.
///
/// ```
/// use std::{sync::Arc, time::Instant};
///
/// use mongo_actors_protocol::{
///     cmap::{CheckIn, Pool, PoolAction, PoolOptions, Waiter},
///     sdam::PoolGenerations,
/// };
///
/// struct Caller;
/// impl Waiter for Caller {
///     type Failure = std::io::Error;
///     fn is_cancelled(&self) -> bool {
///         false
///     }
/// }
///
/// let now = Instant::now();
/// let address = Arc::new("localhost".parse().unwrap());
/// let mut pool = Pool::new(address, PoolOptions::default(), PoolGenerations::default(), false);
/// pool.mark_ready(now);
/// pool.check_out(now, Caller, None);
/// let Some(PoolAction::Establish { id, .. }) = pool.poll_action() else { panic!() };
/// pool.connection_established(now, id);
/// let Some(PoolAction::Deliver { id, waiter, .. }) = pool.poll_action() else { panic!() };
/// pool.check_in(now, id, CheckIn::Reusable).unwrap();
/// assert_eq!(pool.counts().available, 1);
/// ```
#[derive(Debug)]
pub struct Pool<W: Waiter> {
    pub(super) address: Arc<ServerAddress>,
    pub(super) options: PoolOptions,
    pub(super) state: PoolState,
    pub(super) generations: Generations,
    pub(super) connections: Connections,
    /// Most recently used last.
    pub(super) available: VecDeque<Available>,
    pub(super) establishing: Vec<Establishing<W>>,
    /// Oldest first.
    pub(super) draining: VecDeque<ConnectionId>,
    pub(super) queue: WaitQueue<W>,
    pub(super) actions: VecDeque<PoolAction<W>>,
    pub(super) last_run: Option<Instant>,
    /// Until when the pool is not filled, because an establishment has failed.
    pub(super) fill_after: Option<Instant>,
    pub(super) cleared_by: Option<Arc<str>>,
    pub(super) events_wanted: bool,
}

impl<W: Waiter> Pool<W> {
    /// A paused pool without connections, in the `generations` that the topology has for the server.
    pub fn new(
        address: Arc<ServerAddress>,
        options: PoolOptions,
        generations: PoolGenerations,
        events_wanted: bool,
    ) -> Self {
        let mut pool = Self {
            address,
            options,
            state: PoolState::Paused,
            generations: Generations::new(generations),
            connections: Connections::default(),
            available: VecDeque::new(),
            establishing: Vec::new(),
            draining: VecDeque::new(),
            queue: WaitQueue::new(),
            actions: VecDeque::new(),
            last_run: None,
            fill_after: None,
            cleared_by: None,
            events_wanted,
        };
        let options = pool.options.non_default();
        pool.publish(|address| PoolEvent::PoolCreated(PoolCreatedEvent { address, options }));
        pool
    }

    /// The server successfully answered a check: a paused pool becomes ready. Anything else stays as it is.
    pub fn mark_ready(&mut self, now: Instant) {
        if self.state == PoolState::Paused {
            self.state = PoolState::Ready;
            self.cleared_by = None;
            self.fill_after = None;
            self.publish(|address| PoolEvent::PoolReady(PoolReadyEvent { address }));
            self.maintain(now);
        }
    }

    /// What is to be done next; none when everything has been asked for.
    pub fn poll_action(&mut self) -> Option<PoolAction<W>> {
        self.actions.pop_front()
    }

    /// When [`on_deadline`](Self::on_deadline) should be called, unless something else happens before.
    pub fn next_deadline(&self) -> Option<Instant> {
        let establishing = self.establishing.iter().filter_map(|entry| entry.waiting.deadline).min();
        sooner(sooner(self.queue.earliest(), establishing), self.next_run())
    }

    /// Time has passed: refuses waiters whose time is up and runs the maintenance that is due.
    pub fn on_deadline(&mut self, now: Instant) {
        self.expire_waiters(now);
        if self.next_run().is_some_and(|due| due <= now) {
            self.maintain(now);
        }
    }

    /// Whether events are to be built from now on.
    pub fn set_events_wanted(&mut self, wanted: bool) {
        self.events_wanted = wanted;
    }

    /// The server the pool belongs to.
    pub fn address(&self) -> &Arc<ServerAddress> {
        &self.address
    }

    /// The options the pool was made with.
    pub fn options(&self) -> &PoolOptions {
        &self.options
    }

    /// Whether the pool hands out connections.
    pub fn state(&self) -> PoolState {
        self.state
    }

    /// The pool's own generation, which connections outside load-balanced mode are created in.
    pub fn generation(&self) -> Generation {
        self.generations.current(None)
    }

    /// How many connections and waiters there are.
    pub fn counts(&self) -> PoolCounts {
        let (total, pending, available) = (self.connections.total(), self.connections.pending(), self.available.len());
        PoolCounts {
            total,
            pending,
            available,
            in_use: total - pending - available,
            draining: self.draining.len(),
            waiting: self.queue.len(),
        }
    }

    /// Whether the pool is closed and its last connection is gone.
    pub fn is_drained(&self) -> bool {
        self.state == PoolState::Closed && self.connections.total() == 0
    }

    pub(super) fn publish(&mut self, build: impl FnOnce(Arc<ServerAddress>) -> PoolEvent) {
        if self.events_wanted {
            let event = build(Arc::clone(&self.address));
            self.actions.push_back(PoolAction::Publish(event));
        }
    }

    pub(super) fn refuse(&mut self, now: Instant, waiting: Waiting<W>, error: CheckOutError<W::Failure>) {
        self.publish_failed(&error, waiting.waited(now));
        self.actions.push_back(PoolAction::Refuse { waiter: waiting.waiter, error });
    }

    pub(super) fn publish_failed(&mut self, error: &CheckOutError<W::Failure>, duration: Duration) {
        self.publish(|address| {
            PoolEvent::ConnectionCheckoutFailed(ConnectionCheckoutFailedEvent {
                address,
                reason: error.reason(),
                error: Some(error.to_string().into()),
                duration,
            })
        });
    }

    /// Removes a connection from the pool. The caller has taken it off the list of its state.
    pub(super) fn close_connection(
        &mut self,
        id: ConnectionId,
        reason: ConnectionClosedReason,
        error: Option<&dyn std::fmt::Display>,
    ) {
        let Some(connection) = self.connections.remove(id) else { return };
        if let Some(service) = connection.service {
            self.generations.leave(service);
        }
        self.publish(|address| {
            let error = error.map(|error| error.to_string().into());
            PoolEvent::ConnectionClosed(ConnectionClosedEvent { address, connection_id: id, reason, error })
        });
        self.actions.push_back(PoolAction::Close { id, reason });
    }

    /// Takes the check-out off the list for which connection `id` is being established.
    pub(super) fn take_establishing(&mut self, id: ConnectionId) -> Option<Waiting<W>> {
        let place = self.establishing.iter().position(|entry| entry.id == id)?;
        Some(self.establishing.remove(place).waiting)
    }

    pub(super) fn is_stale(&self, id: ConnectionId) -> bool {
        self.connections
            .get(id)
            .is_some_and(|connection| self.generations.is_stale(connection.generation, connection.service))
    }

    pub(super) fn pool_cleared<F>(&self, interrupted: bool) -> CheckOutError<F> {
        let (address, cause) = (Arc::clone(&self.address), self.cleared_by.clone());
        CheckOutError::PoolCleared(PoolCleared { address, cause, interrupted })
    }

    pub(super) fn pool_closed<F>(&self) -> CheckOutError<F> {
        CheckOutError::PoolClosed(PoolClosed { address: Arc::clone(&self.address) })
    }

    pub(super) fn wait_queue_timeout(&self, waited: Duration) -> WaitQueueTimeout {
        let mut timeout = WaitQueueTimeout {
            address: Arc::clone(&self.address),
            waited,
            max_pool_size: self.options.max_size,
            pending: self.connections.pending(),
            in_use_by_cursors: 0,
            in_use_by_transactions: 0,
            in_use_by_other_operations: 0,
        };
        for connection in self.connections.iter() {
            match connection.state {
                ConnectionState::InUse { purpose: Purpose::Cursor, .. } => timeout.in_use_by_cursors += 1,
                ConnectionState::InUse { purpose: Purpose::Transaction, .. } => timeout.in_use_by_transactions += 1,
                ConnectionState::InUse { .. } => timeout.in_use_by_other_operations += 1,
                ConnectionState::Pending | ConnectionState::Available => {}
            }
        }
        timeout
    }
}
