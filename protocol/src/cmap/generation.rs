//! Generations: which connections a clear has made stale.

use std::collections::HashMap;

use bson::oid::ObjectId;

use crate::sdam::{Generation, PoolGenerations};

/// What a load-balanced pool knows of one service.
#[derive(Debug)]
struct Service {
    generation: Generation,
    connections: usize,
}

/// The generations a pool has been told of.
#[derive(Debug)]
pub(super) struct Generations {
    /// What the topology said when the pool was made.
    first: PoolGenerations,
    pool: Generation,
    /// Services that have connections, or were cleared since then.
    services: HashMap<ObjectId, Service>,
}

impl Generations {
    pub(super) fn new(first: PoolGenerations) -> Self {
        Self { pool: first.get(None), first, services: HashMap::new() }
    }

    /// The generation of the pool, or of one of its services.
    pub(super) fn current(&self, service: Option<ObjectId>) -> Generation {
        match service {
            None => self.pool,
            Some(id) => match self.services.get(&id) {
                Some(service) => service.generation,
                None => self.first.get(service),
            },
        }
    }

    /// Raises a generation. False when it was already as high: that clear has been carried out before.
    pub(super) fn raise(&mut self, service: Option<ObjectId>, to: Generation) -> bool {
        if to <= self.current(service) {
            return false;
        }
        match service {
            None => self.pool = to,
            Some(id) => self.service(id).generation = to,
        }
        true
    }

    pub(super) fn is_stale(&self, generation: Generation, service: Option<ObjectId>) -> bool {
        generation < self.current(service)
    }

    /// Counts a connection of `service` in, and says which generation it has.
    pub(super) fn join(&mut self, service: ObjectId) -> Generation {
        let service = self.service(service);
        service.connections += 1;
        service.generation
    }

    /// Counts a connection of `service` out. A service without connections is forgotten, unless it was cleared: the
    /// topology remembers its number, and a later connection that began anew would look stale to it.
    pub(super) fn leave(&mut self, service: ObjectId) {
        if let Some(entry) = self.services.get_mut(&service) {
            entry.connections = entry.connections.saturating_sub(1);
            if entry.connections == 0 && entry.generation == self.first.get(Some(service)) {
                self.services.remove(&service);
            }
        }
    }

    fn service(&mut self, id: ObjectId) -> &mut Service {
        let generation = self.first.get(Some(id));
        self.services.entry(id).or_insert(Service { generation, connections: 0 })
    }

    #[cfg(test)]
    pub(super) fn known_services(&self) -> usize {
        self.services.len()
    }
}
