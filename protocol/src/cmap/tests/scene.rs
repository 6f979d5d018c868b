//! A pool on a stage: a clock that moves when told to, waiters with names, and a log of everything that happened.

use std::{
    cell::Cell,
    num::NonZeroU32,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use super::super::*;
use crate::sdam::PoolGenerations;

/// A waiter known by its name.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) name: &'static str,
    pub(super) cancelled: Rc<Cell<bool>>,
}

impl Waiter for Caller {
    type Failure = &'static str;

    fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }
}

/// The pool under test and what it has asked for, in words.
pub(super) struct Scene {
    pub(super) pool: Pool<Caller>,
    pub(super) now: Instant,
    /// Every action, events under the names of the specification.
    pub(super) log: Vec<String>,
    pub(super) events: Vec<PoolEvent>,
    pub(super) errors: Vec<(&'static str, CheckOutError<&'static str>)>,
    generation: Generation,
}

pub(super) fn options(change: impl FnOnce(&mut PoolOptions)) -> PoolOptions {
    let mut options = PoolOptions::default();
    change(&mut options);
    options
}

pub(super) fn max_size(size: u32) -> PoolOptions {
    options(|options| options.max_size = size)
}

pub(super) fn max_connecting(limit: u32) -> impl FnOnce(&mut PoolOptions) {
    move |options| options.max_connecting = NonZeroU32::new(limit).unwrap()
}

pub(super) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[allow(clippy::disallowed_methods, reason = "a starting point for the test's own clock")]
pub(super) fn start_of_time() -> Instant {
    Instant::now()
}

impl Scene {
    /// A pool nobody has marked ready.
    pub(super) fn paused(options: PoolOptions) -> Self {
        let address = Arc::new("db:27017".parse().unwrap());
        let pool = Pool::new(address, options, PoolGenerations::default(), true);
        let generation = Generation::default();
        let (log, events, errors) = (Vec::new(), Vec::new(), Vec::new());
        let mut scene = Self { pool, now: start_of_time(), log, events, errors, generation };
        scene.settle();
        scene
    }

    /// A ready pool with an empty log.
    pub(super) fn ready(options: PoolOptions) -> Self {
        let mut scene = Self::paused(options);
        scene.mark_ready();
        scene.forget();
        scene
    }

    pub(super) fn forget(&mut self) {
        self.log.clear();
        self.events.clear();
        self.errors.clear();
    }

    pub(super) fn mark_ready(&mut self) {
        self.pool.mark_ready(self.now);
        self.settle();
    }

    pub(super) fn check_out(&mut self, name: &'static str) -> Rc<Cell<bool>> {
        self.check_out_until(name, None)
    }

    pub(super) fn check_out_until(&mut self, name: &'static str, limit: Option<Duration>) -> Rc<Cell<bool>> {
        let cancelled = Rc::new(Cell::new(false));
        let caller = Caller { name, cancelled: Rc::clone(&cancelled) };
        self.pool.check_out(self.now, caller, limit.map(|limit| self.now + limit));
        self.settle();
        cancelled
    }

    pub(super) fn check_in(&mut self, id: ConnectionId) {
        self.pool.check_in(self.now, id, CheckIn::Reusable).unwrap();
        self.settle();
    }

    pub(super) fn check_in_broken(&mut self, id: ConnectionId) {
        self.pool.check_in(self.now, id, CheckIn::Broken).unwrap();
        self.settle();
    }

    pub(super) fn established(&mut self, id: ConnectionId) {
        self.pool.connection_established(self.now, id);
        self.settle();
    }

    pub(super) fn failed(&mut self, id: ConnectionId, failure: &'static str) {
        self.pool.connection_failed(self.now, id, failure);
        self.settle();
    }

    pub(super) fn died(&mut self, id: ConnectionId) {
        self.pool.connection_died(self.now, id);
        self.settle();
    }

    pub(super) fn drain(&mut self, id: ConnectionId) {
        self.pool.drain_started(self.now, id);
        self.settle();
    }

    pub(super) fn close(&mut self) {
        self.pool.close(self.now);
        self.settle();
    }

    pub(super) fn clear(&mut self, interrupt_in_use: bool) {
        self.generation = self.generation.next();
        let cause = Some("socket reset".into());
        let clear = Clear { generation: self.generation, interrupt_in_use, cause, service_id: None };
        self.pool.clear(self.now, clear);
        self.settle();
    }

    /// Checks out and establishes; the caller gets connection `id`.
    pub(super) fn take_new(&mut self, name: &'static str, id: ConnectionId) {
        self.check_out(name);
        self.established(id);
        assert!(self.has(&format!("{name} gets {id}")), "{:#?}", self.log);
    }

    /// Lets time pass without telling the pool.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// Lets time pass, stopping at every moment the pool has asked for.
    pub(super) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.pool.next_deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.pool.on_deadline(self.now);
            self.settle();
            assert!(self.pool.next_deadline().is_none_or(|next| next > self.now), "the pool would spin");
        }
        self.now = end;
    }

    /// Carries out what the pool has asked for, which in a scene is to write it down.
    pub(super) fn settle(&mut self) {
        while let Some(action) = self.pool.poll_action() {
            let line = match action {
                PoolAction::Establish { id, background, .. } => {
                    format!("establish {id}{}", if background { " in the background" } else { "" })
                }
                PoolAction::Deliver { id, waiter, .. } => format!("{} gets {id}", waiter.name),
                PoolAction::Refuse { waiter, error } => {
                    let line = format!("{} refused: {}", waiter.name, error.reason());
                    self.errors.push((waiter.name, error));
                    line
                }
                PoolAction::Interrupt { id } => format!("interrupt {id}"),
                PoolAction::Close { id, reason } => format!("close {id} {reason}"),
                PoolAction::Publish(event) => {
                    let line = describe(&event);
                    self.events.push(event);
                    line
                }
            };
            self.log.push(line);
        }
    }

    pub(super) fn has(&self, line: &str) -> bool {
        self.log.iter().any(|entry| entry == line)
    }

    pub(super) fn count(&self, prefix: &str) -> usize {
        self.log.iter().filter(|entry| entry.starts_with(prefix)).count()
    }

    /// The published events since the log was last forgotten.
    pub(super) fn event_lines(&self) -> Vec<String> {
        self.events.iter().map(describe).collect()
    }

    /// The published events, without those of the given kinds.
    pub(super) fn events_without(&self, ignored: &[&str]) -> Vec<String> {
        self.events.iter().filter(|event| !ignored.contains(&event.name())).map(describe).collect()
    }

    pub(super) fn error_of(&self, name: &str) -> &CheckOutError<&'static str> {
        &self.errors.iter().find(|(waiter, _)| *waiter == name).unwrap().1
    }
}

/// `ConnectionClosed 3 stale` and the like.
pub(super) fn describe(event: &PoolEvent) -> String {
    let id = event.connection_id().map(|id| format!(" {id}")).unwrap_or_default();
    let detail = match event {
        PoolEvent::ConnectionClosed(event) => format!(" {}", event.reason),
        PoolEvent::ConnectionCheckoutFailed(event) => format!(" {}", event.reason),
        PoolEvent::PoolCleared(event) if event.interrupt_in_use_connections => " interrupting".to_owned(),
        _ => String::new(),
    };
    format!("{}{id}{detail}", event.name())
}
