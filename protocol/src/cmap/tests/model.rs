//! Any history: whatever happens in whichever order, the promises of the pool hold after every step.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    num::NonZeroU32,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::{collection::vec, option, prelude::*, sample::Index};

use super::{
    super::*,
    scene::{ms, start_of_time},
};
use crate::sdam::PoolGenerations;

struct Caller {
    number: usize,
    cancelled: Rc<Cell<bool>>,
}

impl Waiter for Caller {
    type Failure = &'static str;

    fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Life {
    Created,
    Ready,
    Out,
}

/// One thing that happens. What it happens to is chosen among those that are there.
#[derive(Clone, Debug)]
enum Step {
    /// Somebody asks for a connection, and waits for at most so many milliseconds.
    Ask(Option<u64>),
    GiveBack {
        which: Index,
        broken: bool,
    },
    EndEstablishing {
        which: Index,
        fails: bool,
    },
    LetTimePass(u64),
    /// Somebody who waits goes away.
    GiveUp(Index),
    StartDraining(Index),
    /// A connection dies, which may be one that never was.
    Die(Index),
    MarkReady,
    Clear {
        interrupt_in_use: bool,
    },
    /// The pool's owner crashes; its successor starts with the first generation again.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        300 => option::weighted(0.3, 0..80_u64).prop_map(Step::Ask),
        200 => (any::<Index>(), prop::bool::weighted(0.1))
            .prop_map(|(which, broken)| Step::GiveBack { which, broken }),
        200 => (any::<Index>(), prop::bool::weighted(0.2))
            .prop_map(|(which, fails)| Step::EndEstablishing { which, fails }),
        120 => (0..30_u64).prop_map(Step::LetTimePass),
        40 => any::<Index>().prop_map(Step::GiveUp),
        30 => any::<Index>().prop_map(Step::StartDraining),
        30 => any::<Index>().prop_map(Step::Die),
        50 => Just(Step::MarkReady),
        20 => any::<bool>().prop_map(|interrupt_in_use| Step::Clear { interrupt_in_use }),
        1 => Just(Step::Crash),
    ]
}

fn pool_options() -> impl Strategy<Value = PoolOptions> {
    let limits = (option::of(Just(ms(40))), option::of(Just(ms(60))));
    (0..=6_u32, 0..=6_u32, 1..4_u32, limits).prop_map(|(max_size, min_size, max_connecting, limits)| PoolOptions {
        max_size,
        min_size: if max_size == 0 { min_size.min(3) } else { min_size.min(max_size) },
        max_idle: limits.0,
        max_connecting: NonZeroU32::new(max_connecting).unwrap(),
        wait_queue_timeout: limits.1,
        load_balanced: false,
        maintenance_interval: Some(ms(20)),
    })
}

/// One of those that are there.
fn choose<T>(mut among: impl ExactSizeIterator<Item = T>, which: Index) -> Option<T> {
    let count = among.len();
    (count > 0).then(|| among.nth(which.index(count))).flatten()
}

/// What an observer of events, and the one who carries out actions, believe to be true.
struct Model {
    pool: Pool<Caller>,
    now: Instant,
    generation: Generation,
    /// By events: the state of every connection that has not been closed.
    lives: BTreeMap<ConnectionId, Life>,
    last_created: ConnectionId,
    ready: bool,
    started: usize,
    ended: usize,
    /// By actions.
    establishing: BTreeSet<ConnectionId>,
    out: BTreeSet<ConnectionId>,
    interrupted: BTreeSet<ConnectionId>,
    /// Check-outs without an answer, by number.
    asked: BTreeMap<usize, Rc<Cell<bool>>>,
    /// Check-outs that have neither an answer nor a connection on its way, in order.
    queued: VecDeque<usize>,
    next_caller: usize,
}

impl Model {
    fn new(options: PoolOptions) -> Self {
        let address = Arc::new("db:1".parse().unwrap());
        let pool = Pool::new(address, options, PoolGenerations::default(), true);
        Self {
            pool,
            now: start_of_time(),
            generation: Generation::default(),
            lives: BTreeMap::new(),
            last_created: 0,
            ready: false,
            started: 0,
            ended: 0,
            establishing: BTreeSet::new(),
            out: BTreeSet::new(),
            interrupted: BTreeSet::new(),
            asked: BTreeMap::new(),
            queued: VecDeque::new(),
            next_caller: 0,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Ask(limit) => self.ask(limit),
            Step::GiveBack { which, broken } => self.give_back(which, broken),
            Step::EndEstablishing { which, fails } => self.end_establishing(which, fails),
            Step::LetTimePass(milliseconds) => self.let_time_pass(milliseconds),
            Step::GiveUp(which) => {
                choose(self.asked.values(), which).inspect(|cancelled| cancelled.set(true));
            }
            Step::StartDraining(which) => {
                if let Some(&id) = choose(self.out.iter(), which) {
                    self.pool.drain_started(self.now, id);
                }
            }
            Step::Die(which) => {
                let id = which.index(usize::try_from(self.last_created).unwrap() + 2) as ConnectionId;
                self.establishing.remove(&id);
                self.pool.connection_died(self.now, id);
            }
            Step::MarkReady => self.pool.mark_ready(self.now),
            Step::Clear { interrupt_in_use } => self.clear(interrupt_in_use),
            Step::Crash => self.crash(),
        }
        self.carry_out();
        self.check();
    }

    fn ask(&mut self, limit: Option<u64>) {
        let cancelled = Rc::new(Cell::new(false));
        let number = self.next_caller;
        self.next_caller += 1;
        self.asked.insert(number, Rc::clone(&cancelled));
        self.queued.push_back(number);
        let deadline = limit.map(|limit| self.now + ms(limit));
        self.pool.check_out(self.now, Caller { number, cancelled }, deadline);
    }

    fn give_back(&mut self, which: Index, broken: bool) {
        if let Some(&id) = choose(self.out.iter(), which) {
            self.out.remove(&id);
            let broken = self.interrupted.remove(&id) || broken;
            let condition = if broken { CheckIn::Broken } else { CheckIn::Reusable };
            self.pool.check_in(self.now, id, condition).unwrap();
        }
    }

    fn end_establishing(&mut self, which: Index, fails: bool) {
        if let Some(&id) = choose(self.establishing.iter(), which) {
            self.establishing.remove(&id);
            if fails {
                self.pool.connection_failed(self.now, id, "refused");
            } else {
                self.pool.connection_established(self.now, id);
            }
        }
    }

    fn let_time_pass(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
        if self.pool.next_deadline().is_some_and(|deadline| deadline <= self.now) {
            self.pool.on_deadline(self.now);
            let next = self.pool.next_deadline();
            assert!(next.is_none_or(|next| next > self.now), "the pool would spin");
        }
    }

    fn clear(&mut self, interrupt_in_use: bool) {
        self.generation = self.generation.next();
        let cause = Some("lost".into());
        self.pool.clear(self.now, Clear { generation: self.generation, interrupt_in_use, cause, service_id: None });
    }

    fn crash(&mut self) {
        let address = Arc::clone(self.pool.address());
        let idle = Pool::new(address, PoolOptions::default(), PoolGenerations::default(), false);
        let crashed = std::mem::replace(&mut self.pool, idle);
        self.pool = crashed.restarted(self.now, PoolGenerations::default());
        self.generation = Generation::default();
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.pool.poll_action() {
            match action {
                PoolAction::Publish(event) => self.observe(&event),
                PoolAction::Establish { id, background, generation } => {
                    assert_eq!(generation, self.generation, "connections are created in the current generation");
                    assert!(self.establishing.insert(id));
                    if !background {
                        let first = self.queued.pop_front().expect("established for nobody");
                        assert!(!self.asked[&first].get(), "established for someone who has gone");
                    }
                }
                PoolAction::Deliver { id, waiter, .. } => self.delivered(id, &waiter),
                PoolAction::Refuse { waiter, error } => {
                    assert!(self.asked.remove(&waiter.number).is_some(), "answered twice");
                    assert!(error != CheckOutError::Cancelled || waiter.is_cancelled());
                    self.queued.retain(|number| *number != waiter.number);
                }
                PoolAction::Interrupt { id } => {
                    assert!(self.out.contains(&id) && self.interrupted.insert(id));
                }
                PoolAction::Close { id, .. } => {
                    assert!(!self.lives.contains_key(&id), "closed before its event");
                    self.establishing.remove(&id);
                    self.out.remove(&id);
                    self.interrupted.remove(&id);
                }
            }
        }
    }

    fn delivered(&mut self, id: ConnectionId, waiter: &Caller) {
        assert!(!waiter.is_cancelled(), "delivered to someone who has gone");
        assert!(self.asked.remove(&waiter.number).is_some(), "answered twice");
        assert!(self.out.insert(id), "delivered twice");
        if let Some(place) = self.queued.iter().position(|number| *number == waiter.number) {
            let passed_over = self.queued.drain(..place).filter(|number| self.asked.contains_key(number));
            assert_eq!(passed_over.count(), 0, "someone who came earlier still waits");
            self.queued.pop_front();
        }
    }

    /// Checks that an event may follow those before it.
    fn observe(&mut self, event: &PoolEvent) {
        match event {
            PoolEvent::PoolCreated(_) => assert_eq!(self.started, 0),
            PoolEvent::PoolReady(_) => assert!(!std::mem::replace(&mut self.ready, true)),
            PoolEvent::PoolCleared(_) => assert!(std::mem::replace(&mut self.ready, false)),
            PoolEvent::PoolClosed(_) => self.ready = false,
            PoolEvent::ConnectionCreated(event) => {
                assert!(self.ready);
                assert_eq!(event.connection_id, self.last_created + 1);
                self.last_created += 1;
                self.lives.insert(event.connection_id, Life::Created);
            }
            PoolEvent::ConnectionReady(event) => self.change(event.connection_id, Life::Created, Life::Ready),
            PoolEvent::ConnectionCheckedOut(event) => {
                assert!(self.ready);
                self.ended += 1;
                self.change(event.connection_id, Life::Ready, Life::Out);
            }
            PoolEvent::ConnectionCheckedIn(event) => self.change(event.connection_id, Life::Out, Life::Ready),
            PoolEvent::ConnectionClosed(event) => {
                let life = self.lives.remove(&event.connection_id);
                assert!(matches!(life, Some(Life::Created | Life::Ready)), "{life:?}");
            }
            PoolEvent::ConnectionCheckoutStarted(_) => self.started += 1,
            PoolEvent::ConnectionCheckoutFailed(_) => self.ended += 1,
        }
    }

    fn change(&mut self, id: ConnectionId, from: Life, to: Life) {
        assert_eq!(self.lives.insert(id, to), Some(from), "connection {id}");
    }

    fn check(&self) {
        let counts = self.pool.counts();
        let options = self.pool.options();
        assert!(options.max_size == 0 || counts.total <= options.max_size as usize, "{counts:?}");
        assert!(counts.pending <= options.max_connecting.get() as usize, "{counts:?}");
        assert_eq!(counts.total, counts.pending + counts.available + counts.in_use);
        let lives = |wanted| self.lives.values().filter(|life| **life == wanted).count();
        assert_eq!(
            (counts.pending, counts.available, counts.in_use),
            (lives(Life::Created), lives(Life::Ready), lives(Life::Out))
        );
        assert_eq!(counts.in_use, self.out.len());
        assert_eq!(counts.pending, self.establishing.len());
        assert_eq!(counts.waiting, self.queued.len());
        assert!(counts.draining <= counts.in_use);
        assert_eq!(self.started, self.ended + self.asked.len(), "every check-out ends once");
        let waiting = self.queued.iter().any(|number| !self.asked[number].get());
        assert!(!waiting || counts.available == 0, "someone waits beside an available connection");
        assert!(!waiting || self.ready);
    }

    fn finish(&mut self) {
        self.pool.close(self.now);
        self.carry_out();
        for id in std::mem::take(&mut self.out) {
            self.pool.check_in(self.now, id, CheckIn::Reusable).unwrap();
        }
        self.carry_out();
        assert!(self.asked.is_empty() && self.lives.is_empty() && self.pool.is_drained());
    }
}

proptest! {
    #[test]
    fn the_promises_hold_in_every_history(options in pool_options(), steps in vec(step(), 0..600)) {
        let mut model = Model::new(options);
        steps.into_iter().for_each(|step| model.step(step));
        model.finish();
    }
}
