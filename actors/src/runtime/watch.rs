//! Stalls: tells an arbiter that is blocked from an actor that is silent while its arbiter answers.
//!
//! Each arbiter of a client has one probe task. It shows by its pulse that the arbiter runs, asks the actors that
//! live there for a sign of life, and looks at the pulses of the other arbiters. A blocked arbiter is reported with the
//! actor that blocks it, and left alone, as a thread cannot be pre-empted; a silent actor is restarted.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    thread::ThreadId,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{clock, event::SupervisionEvent, path::ActorPath, placement::Home, registry::Registry};

/// How often an arbiter is looked at within the time that is a stall.
const LOOKS: u32 = 4;

/// Ends the watch when it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    _ends: Vec<oneshot::Sender<()>>,
}

/// An arbiter that is watched.
struct Ward {
    name: String,
    thread: ThreadId,
    pulse: Mutex<Instant>,
}

impl Ward {
    fn beat(&self, now: Instant) {
        *self.pulse.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    fn last_beat(&self) -> Instant {
        *self.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Watches the actors of `registry` on these arbiters. One that is silent for `limit` has stalled.
    pub(crate) fn start(homes: &[(&str, &Home)], registry: &Registry, limit: Duration) -> Self {
        let ward = |(name, home): &(&str, &Home)| Ward {
            name: (*name).to_owned(),
            thread: home.thread(),
            pulse: Mutex::new(clock::now()),
        };
        let wards: Arc<[Ward]> = homes.iter().map(ward).collect();
        let begin = |(own, (_, home)): (usize, &(&str, &Home))| {
            let (end, ended) = oneshot::channel();
            let probe =
                Probe { own, wards: wards.clone(), registry: registry.clone(), limit, unanswered: HashMap::new() };
            home.run(move || drop(tokio::task::spawn_local(probe.run(ended))));
            end
        };
        Self { _ends: homes.iter().enumerate().map(begin).collect() }
    }
}

/// One arbiter's probe.
struct Probe {
    own: usize,
    wards: Arc<[Ward]>,
    registry: Registry,
    limit: Duration,
    /// Since when an actor owes an answer.
    unanswered: HashMap<ActorPath, Instant>,
}

impl Probe {
    async fn run(mut self, mut ended: oneshot::Receiver<()>) {
        let interval = self.limit / LOOKS;
        let mut blocked = vec![None; self.wards.len()];
        loop {
            let due = clock::now() + interval;
            if tokio::time::timeout_at(due.into(), &mut ended).await.is_ok() {
                return;
            }
            let now = clock::now();
            self.wards[self.own].beat(now);
            if now - due > interval {
                // This arbiter did not answer itself: its actors had no chance to.
                self.unanswered.clear();
            }
            self.question_actors(now);
            self.look_at_others(now, &mut blocked);
        }
    }

    fn question_actors(&mut self, now: Instant) {
        let (limit, unanswered) = (self.limit, &mut self.unanswered);
        let (mut owing, mut silent) = (HashMap::new(), Vec::new());
        self.registry.for_each(|path, vital| {
            if !vital.lives_here() || vital.ask() {
                return;
            }
            let since = *unanswered.get(path).unwrap_or(&now);
            if now - since >= limit {
                vital.condemn();
                silent.push((path.clone(), now - since));
            } else {
                owing.insert(path.clone(), since);
            }
        });
        *unanswered = owing;
        for (path, silent_for) in silent {
            tracing::error!(target: "mongo_actors::supervision", actor = %path, ?silent_for, "actor is silent while its arbiter answers");
            self.registry.tell(SupervisionEvent::ActorSilent { path, silent_for });
        }
    }

    fn look_at_others(&self, now: Instant, blocked: &mut [Option<Instant>]) {
        for (ward, reported) in self.wards.iter().zip(blocked) {
            let last = ward.last_beat();
            match *reported {
                None if now.saturating_duration_since(last) > self.limit => {
                    *reported = Some(last);
                    self.report(ward);
                }
                Some(since) if last > since => {
                    *reported = None;
                    let after = last - since;
                    tracing::warn!(target: "mongo_actors::supervision", arbiter = ward.name, ?after, "arbiter answers again");
                    self.registry.tell(SupervisionEvent::ArbiterAnswers { arbiter: ward.name.clone(), after });
                }
                _ => {}
            }
        }
    }

    fn report(&self, ward: &Ward) {
        let mut culprit = None;
        self.registry.for_each(|path, vital| {
            if vital.occupies(ward.thread) {
                culprit = Some(path.clone());
            }
        });
        let name = |path: &ActorPath| path.to_string();
        let by = culprit.as_ref().map_or_else(|| "something that is no actor of the driver".to_owned(), name);
        let silent_for = self.limit;
        tracing::error!(
            target: "mongo_actors::supervision", arbiter = ward.name, by, ?silent_for,
            "arbiter is blocked: nothing must block a thread that the driver's actors live on"
        );
        self.registry.tell(SupervisionEvent::ArbiterBlocked { arbiter: ward.name.clone(), by: culprit, silent_for });
    }
}
