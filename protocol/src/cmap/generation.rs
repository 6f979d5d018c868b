//! Generations: which connections a clear has made stale.

use std::{collections::HashMap, fmt};

use bson::oid::ObjectId;

/// A number the topology raises whenever it clears a pool, or one service of a load-balanced pool.
///
/// A connection keeps the generation it was created in; it is stale once the pool's is higher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u32);

impl Generation {
    /// The generation of a pool that was never cleared.
    pub const FIRST: Self = Self(0);

    /// The generation numbered `number`.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The generation after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The number itself; 0 for a pool that was never cleared.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a load-balanced pool knows of one service.
#[derive(Debug, Default)]
struct Service {
    generation: Generation,
    connections: usize,
}

/// The generations a pool has been told of.
#[derive(Debug)]
pub(super) struct Generations {
    pool: Generation,
    services: HashMap<ObjectId, Service>,
}

impl Generations {
    pub(super) fn new(pool: Generation) -> Self {
        Self { pool, services: HashMap::new() }
    }

    /// The same numbers for a pool without connections, the pool's own raised to `pool`.
    pub(super) fn restarted(&self, pool: Generation) -> Self {
        let cleared = self.services.iter().filter(|(_, service)| service.generation > Generation::FIRST);
        let services = cleared.map(|(id, service)| (*id, Service { generation: service.generation, connections: 0 }));
        Self { pool: pool.max(self.pool), services: services.collect() }
    }

    /// The generation of the pool, or of one of its services.
    pub(super) fn current(&self, service: Option<ObjectId>) -> Generation {
        match service {
            None => self.pool,
            Some(id) => self.services.get(&id).map_or(Generation::FIRST, |service| service.generation),
        }
    }

    /// Raises a generation. False when it was already as high: that clear has been carried out before.
    pub(super) fn raise(&mut self, service: Option<ObjectId>, to: Generation) -> bool {
        let current = match service {
            None => &mut self.pool,
            Some(id) => &mut self.services.entry(id).or_default().generation,
        };
        let newer = to > *current;
        if newer {
            *current = to;
        }
        newer
    }

    pub(super) fn is_stale(&self, generation: Generation, service: Option<ObjectId>) -> bool {
        generation < self.current(service)
    }

    /// Counts a connection of `service` in, and says which generation it has.
    pub(super) fn join(&mut self, service: ObjectId) -> Generation {
        let service = self.services.entry(service).or_default();
        service.connections += 1;
        service.generation
    }

    /// Counts a connection of `service` out. A service without connections is forgotten, unless it was ever cleared:
    /// the topology remembers its number, and a later connection that began at zero again would look stale to it.
    pub(super) fn leave(&mut self, service: ObjectId) {
        if let Some(entry) = self.services.get_mut(&service) {
            entry.connections = entry.connections.saturating_sub(1);
            if entry.connections == 0 && entry.generation == Generation::FIRST {
                self.services.remove(&service);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn known_services(&self) -> usize {
        self.services.len()
    }
}
