//! Which actors of a client are alive, by path.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use dashmap::DashMap;
use serde::Serialize;

use super::{
    obituary::Death,
    path::{ActorPath, Role},
    vital::Vital,
};

/// What is known of one live actor.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ActorEntry {
    /// Where it stands in the tree.
    pub path: ActorPath,
    /// What it is.
    pub role: Role,
    /// How many times it was restarted.
    pub restarts: u64,
    /// How its previous life ended; none in its first life.
    pub last_failure: Option<String>,
}

/// The live actors of one client. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    entries: Arc<DashMap<ActorPath, Registered>>,
    entered: Arc<AtomicU64>,
    /// What actors are ordered to fail at.
    #[cfg(feature = "chaos")]
    pub(crate) orders: super::seam::Orders,
}

#[derive(Debug)]
struct Registered {
    ordinal: u64,
    entry: ActorEntry,
    vital: Arc<Vital>,
}

impl Registry {
    /// Enters an actor for as long as the answer is kept.
    pub(crate) fn enter(&self, path: ActorPath, role: Role) -> Registration {
        let ordinal = self.entered.fetch_add(1, Ordering::Relaxed);
        let entry = ActorEntry { path: path.clone(), role, restarts: 0, last_failure: None };
        let vital = Arc::new(Vital::default());
        self.entries.insert(path.clone(), Registered { ordinal, entry, vital: vital.clone() });
        Registration { registry: self.clone(), path, ordinal, vital }
    }

    /// Every live actor, in the order of their paths.
    pub(crate) fn snapshot(&self) -> Vec<ActorEntry> {
        let mut entries: Vec<_> = self.entries.iter().map(|entry| entry.value().entry.clone()).collect();
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        entries
    }

    /// Calls `look` with each live actor and its signs of life.
    pub(super) fn for_each(&self, mut look: impl FnMut(&ActorPath, &Vital)) {
        self.entries.iter().for_each(|entry| look(entry.key(), &entry.value().vital));
    }
}

/// An actor's entry, removed when this is dropped, unless a successor has taken its path by then.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Registry,
    path: ActorPath,
    ordinal: u64,
    vital: Arc<Vital>,
}

impl Registration {
    pub(super) fn vital(&self) -> &Vital {
        &self.vital
    }

    pub(crate) fn restarted(&self, cause: &Death) {
        if let Some(mut entry) = self.registry.entries.get_mut(&self.path) {
            entry.entry.restarts += 1;
            entry.entry.last_failure = Some(cause.to_string());
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.entries.remove_if(&self.path, |_, registered| registered.ordinal == self.ordinal);
    }
}
