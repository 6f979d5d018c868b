//! The wait queue: check-outs in the order in which they came.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// A queue shorter than this is not searched for waiters that have given up.
const SMALLEST_SWEEP: usize = 16;

/// Someone who waits for a connection. Dropping one without an answer is the pool owner's business.
pub trait Waiter {
    /// Why a connection could not be established, as the one who establishes connections puts it.
    type Failure: std::fmt::Debug + std::fmt::Display;

    /// Whether nobody is interested in the answer any more.
    fn is_cancelled(&self) -> bool;
}

/// A check-out under way.
#[derive(Debug)]
pub(super) struct Waiting<W> {
    pub(super) waiter: W,
    pub(super) started: Instant,
    /// The operation's own deadline, which also holds while its connection is being established.
    pub(super) deadline: Option<Instant>,
    /// The end of the wait queue timeout, used when the operation has no deadline.
    pub(super) queue_deadline: Option<Instant>,
}

impl<W> Waiting<W> {
    pub(super) fn waited(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    /// Whether its time in the queue is up.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.leaves_queue_at().is_some_and(|deadline| deadline <= now)
    }

    fn leaves_queue_at(&self) -> Option<Instant> {
        self.deadline.or(self.queue_deadline)
    }
}

/// Check-outs that neither have a connection nor permission to establish one.
#[derive(Debug)]
pub(super) struct WaitQueue<W> {
    waiting: VecDeque<Waiting<W>>,
    /// Never later than the earliest deadline in the queue; it may be earlier, after that waiter has left.
    earliest: Option<Instant>,
    sweep_at: usize,
}

impl<W: Waiter> WaitQueue<W> {
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::new(), earliest: None, sweep_at: SMALLEST_SWEEP }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.waiting.capacity()
    }

    pub(super) fn push(&mut self, waiting: Waiting<W>) {
        self.earliest = sooner(self.earliest, waiting.leaves_queue_at());
        self.waiting.push_back(waiting);
    }

    pub(super) fn pop(&mut self) -> Option<Waiting<W>> {
        let first = self.waiting.pop_front();
        if self.waiting.is_empty() {
            self.earliest = None;
        }
        first
    }

    pub(super) fn front(&self) -> Option<&Waiting<W>> {
        self.waiting.front()
    }

    /// When [`expire`](Self::expire) should be called next.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.earliest
    }

    /// Takes out everyone whose time is up.
    pub(super) fn expire(&mut self, now: Instant, out: impl FnMut(Waiting<W>)) {
        if self.earliest.is_some_and(|earliest| earliest <= now) {
            self.take(|waiting| waiting.is_overdue(now), out);
        }
    }

    /// Whether the queue has doubled since it was last searched for waiters that have given up.
    pub(super) fn wants_sweep(&self) -> bool {
        self.waiting.len() >= self.sweep_at
    }

    /// Takes out everyone who has given up.
    pub(super) fn sweep(&mut self, out: impl FnMut(Waiting<W>)) {
        self.take(|waiting| waiting.waiter.is_cancelled(), out);
        self.sweep_at = (self.waiting.len() * 2).max(SMALLEST_SWEEP);
    }

    pub(super) fn take(&mut self, mut leaves: impl FnMut(&Waiting<W>) -> bool, mut out: impl FnMut(Waiting<W>)) {
        self.earliest = None;
        for _ in 0..self.waiting.len() {
            if let Some(waiting) = self.waiting.pop_front() {
                if leaves(&waiting) {
                    out(waiting);
                } else {
                    self.push(waiting);
                }
            }
        }
    }
}

/// The sooner of two moments, where none is never.
pub(super) fn sooner(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
