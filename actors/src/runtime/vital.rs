//! Signs of life: whether an actor is in the middle of a turn, and whether it still answers.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
    },
    task::Waker,
    thread::{self, ThreadId},
};

use super::registry::ActorState;

const QUIET: u8 = 0;
const ASKED: u8 = 1;
const CONDEMNED: u8 = 2;

/// Shared by an actor's task and by whoever watches it. Costs a few relaxed accesses per turn and none per message.
#[derive(Debug, Default)]
pub(crate) struct Vital {
    question: AtomicU8,
    busy: AtomicBool,
    /// Whether the last question was left without an answer.
    silent: AtomicBool,
    /// Written by the actor's task.
    in_flight: AtomicUsize,
    /// What the actor is to fail of at once.
    #[cfg(feature = "chaos")]
    strike: std::sync::Mutex<Option<mongo_actors_protocol::chaos::MessageFault>>,
    #[cfg(feature = "chaos")]
    struck: AtomicBool,
    /// Set when the actor's task runs for the first time.
    body: OnceLock<(ThreadId, Waker)>,
}

/// What the watcher wants of the actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Nothing.
    None,
    /// A sign of life.
    AreYouThere,
    /// Its restart.
    Restart,
}

impl Vital {
    /// Called by the actor's task at the beginning of each turn.
    pub(super) fn begin_turn(&self, waker: &Waker) -> Question {
        self.body.get_or_init(|| (thread::current().id(), waker.clone()));
        self.busy.store(true, Ordering::Relaxed);
        match self.question.load(Ordering::Acquire) {
            QUIET => Question::None,
            ASKED => Question::AreYouThere,
            _ => Question::Restart,
        }
    }

    pub(super) fn end_turn(&self) {
        self.busy.store(false, Ordering::Relaxed);
    }

    /// The actor is there, or has just begun a new life.
    pub(super) fn answer(&self) {
        self.question.store(QUIET, Ordering::Release);
        self.silent.store(false, Ordering::Relaxed);
    }

    /// How much the actor has in its hands.
    pub(super) fn note_in_flight(&self, count: usize) {
        self.in_flight.store(count, Ordering::Relaxed);
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn state(&self) -> ActorState {
        match (self.body.get(), self.silent.load(Ordering::Relaxed), self.busy.load(Ordering::Relaxed)) {
            (None, ..) => ActorState::Starting,
            (_, true, _) => ActorState::Silent,
            (_, _, true) => ActorState::Busy,
            _ => ActorState::Idle,
        }
    }

    /// Whether the actor's task has run, and on the calling thread.
    pub(super) fn lives_here(&self) -> bool {
        self.body.get().is_some_and(|(thread, _)| *thread == thread::current().id())
    }

    /// Whether the actor is in the middle of a turn, on this thread.
    pub(super) fn occupies(&self, thread: ThreadId) -> bool {
        self.busy.load(Ordering::Relaxed) && self.body.get().is_some_and(|(own, _)| *own == thread)
    }

    /// Asks for a sign of life. Says whether the previous question was answered.
    pub(super) fn ask(&self) -> bool {
        let answered = self.question.compare_exchange(QUIET, ASKED, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if !answered {
            self.silent.store(true, Ordering::Relaxed);
        }
        self.wake();
        answered
    }

    pub(super) fn condemn(&self) {
        self.question.store(CONDEMNED, Ordering::Release);
        self.wake();
    }

    /// Has the actor fail at its next turn, which begins now.
    #[cfg(feature = "chaos")]
    pub(super) fn strike(&self, fault: mongo_actors_protocol::chaos::MessageFault) {
        *self.strike.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(fault);
        self.struck.store(true, Ordering::Release);
        self.wake();
    }

    #[cfg(feature = "chaos")]
    #[inline]
    pub(super) fn is_struck(&self) -> bool {
        self.struck.load(Ordering::Relaxed)
    }

    #[cfg(feature = "chaos")]
    pub(super) fn take_strike(&self) -> Option<mongo_actors_protocol::chaos::MessageFault> {
        self.struck.store(false, Ordering::Relaxed);
        self.strike.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }

    pub(super) fn wake(&self) {
        if let Some((_, waker)) = self.body.get() {
            waker.wake_by_ref();
        }
    }
}
