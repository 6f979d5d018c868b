//! Which actors of a client are alive, by path, and who hears of what happens to them.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use dashmap::DashMap;
use serde::Serialize;
use tokio::sync::Notify;

use super::{
    address::{Mail, Outlet},
    clock,
    event::SupervisionEvent,
    obituary::Death,
    path::{ActorPath, Role},
    vital::Vital,
};

/// What an actor does at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ActorState {
    /// The thread that it will live on has not come to it yet.
    Starting,
    /// It waits for a message, a socket or its timer.
    Idle,
    /// It is in the middle of its turn.
    Busy,
    /// It owes a sign of life.
    Silent,
}

impl fmt::Display for ActorState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Silent => "silent",
        })
    }
}

/// What is known of one live actor.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ActorEntry {
    /// Where it stands in the tree.
    pub path: ActorPath,
    /// What it is.
    pub role: Role,
    /// What it does.
    pub state: ActorState,
    /// How many times it was restarted.
    pub restarts: u64,
    /// How long its present life has lasted.
    pub alive_for: Duration,
    /// How many messages wait in its mailbox.
    pub mailbox: usize,
    /// How much it had in its hands when it last handled a message: operations that are parked, wait for a connection or
    /// are exchanged with a server; checks under way; debts not yet paid.
    pub in_flight: usize,
    /// How its previous life ended; none in its first life.
    pub last_failure: Option<Death>,
}

/// The live actors of one client. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Registry {
    entries: Arc<DashMap<ActorPath, Registered>>,
    entered: Arc<AtomicU64>,
    /// Told when the last actor is gone.
    emptied: Arc<Notify>,
    events: Outlet<SupervisionEvent>,
    /// What is to fail.
    #[cfg(feature = "chaos")]
    pub(crate) chaos: crate::chaos::Chaos,
}

struct Registered {
    ordinal: u64,
    role: Role,
    restarts: u64,
    born: Instant,
    last_failure: Option<Death>,
    vital: Arc<Vital>,
    mail: Arc<Mail>,
}

impl Registered {
    fn entry(&self, path: &ActorPath, now: Instant) -> ActorEntry {
        ActorEntry {
            path: path.clone(),
            role: self.role,
            state: self.vital.state(),
            restarts: self.restarts,
            alive_for: now.saturating_duration_since(self.born),
            mailbox: self.mail.waiting(),
            in_flight: self.vital.in_flight(),
            last_failure: self.last_failure.clone(),
        }
    }
}

impl Registry {
    /// Nobody is alive; what happens will be told to `events`.
    pub(crate) fn new(events: Outlet<SupervisionEvent>) -> Self {
        #[cfg(feature = "chaos")]
        let chaos = crate::chaos::Chaos::default();
        #[cfg(feature = "chaos")]
        chaos.tell(events.clone());
        Self {
            entries: Arc::default(),
            entered: Arc::default(),
            emptied: Arc::default(),
            events,
            #[cfg(feature = "chaos")]
            chaos,
        }
    }

    pub(crate) fn tell(&self, event: SupervisionEvent) {
        self.events.send(event);
    }

    /// Enters an actor for as long as the answer is kept.
    pub(super) fn enter(&self, path: ActorPath, role: Role, mail: Arc<Mail>) -> Registration {
        let ordinal = self.entered.fetch_add(1, Ordering::Relaxed);
        let vital = Arc::new(Vital::default());
        let (born, vitals) = (clock::now(), vital.clone());
        let registered = Registered { ordinal, role, restarts: 0, born, last_failure: None, vital: vitals, mail };
        self.entries.insert(path.clone(), registered);
        self.tell(SupervisionEvent::ActorStarted { path: path.clone(), role });
        Registration { registry: self.clone(), path, role, ordinal, vital }
    }

    /// Every live actor, in the order of their paths.
    pub(crate) fn snapshot(&self) -> Vec<ActorEntry> {
        let now = clock::now();
        let mut entries: Vec<_> = self.entries.iter().map(|entry| entry.value().entry(entry.key(), now)).collect();
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        entries
    }

    /// Resolves when no actor is alive.
    pub(crate) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.entries.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// Has actors fail at once. Says how many.
    #[cfg(feature = "chaos")]
    pub(crate) fn strike(
        &self,
        fault: mongo_actors_protocol::chaos::MessageFault,
        who: impl Fn(&ActorPath, Role) -> bool,
    ) -> usize {
        let struck = self.in_order(|path, registered| who(path, registered.role));
        struck.iter().map(|(_, vital)| vital.strike(fault)).count()
    }

    /// Has each actor look at what it waits for.
    #[cfg(feature = "chaos")]
    pub(crate) fn rouse(&self) {
        self.for_each(|_, vital| vital.wake());
    }

    /// Calls `look` with each live actor and its signs of life. It must not look at the registry.
    pub(super) fn for_each(&self, mut look: impl FnMut(&ActorPath, &Vital)) {
        #[cfg(feature = "simulation")]
        self.in_order(|_, _| true).iter().for_each(|(path, vital)| look(path, vital));
        #[cfg(not(feature = "simulation"))]
        self.entries.iter().for_each(|entry| look(entry.key(), &entry.value().vital));
    }

    /// The actors that are wanted, in the order of their paths: whoever is woken first runs first, and in a simulation
    /// that must not depend on where a map keeps its entries.
    #[cfg(feature = "chaos")]
    fn in_order(&self, wanted: impl Fn(&ActorPath, &Registered) -> bool) -> Vec<(ActorPath, Arc<Vital>)> {
        let entries = self.entries.iter().filter(|entry| wanted(entry.key(), entry.value()));
        let mut found: Vec<_> = entries.map(|entry| (entry.key().clone(), entry.value().vital.clone())).collect();
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new(Outlet::nowhere())
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries.iter().map(|entry| entry.key().clone())).finish()
    }
}

/// An actor's entry, removed when this is dropped, unless a successor has taken its path by then.
#[derive(Debug)]
pub(super) struct Registration {
    registry: Registry,
    path: ActorPath,
    role: Role,
    ordinal: u64,
    vital: Arc<Vital>,
}

impl Registration {
    pub(super) fn vital(&self) -> &Arc<Vital> {
        &self.vital
    }

    pub(super) fn restarted(&self, cause: &Death) {
        let Some(mut entry) = self.registry.entries.get_mut(&self.path) else { return };
        entry.restarts += 1;
        entry.born = clock::now();
        entry.last_failure = Some(cause.clone());
        let restarts = entry.restarts;
        // A listener that is called at once may look at the registry.
        drop(entry);
        let (path, role, cause) = (self.path.clone(), self.role, cause.clone());
        self.registry.tell(SupervisionEvent::ActorRestarted { path, role, restarts, cause });
    }

    /// Takes the actor out, and tells what it ended of.
    pub(super) fn ended(self, cause: Death) {
        let event = SupervisionEvent::ActorEnded { path: self.path.clone(), role: self.role, cause };
        let registry = self.registry.clone();
        drop(self);
        registry.tell(event);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.entries.remove_if(&self.path, |_, registered| registered.ordinal == self.ordinal);
        if self.registry.entries.is_empty() {
            self.registry.emptied.notify_waiters();
        }
    }
}
