//! Generations of connection pools.

use std::{collections::BTreeMap, fmt};

use bson::oid::ObjectId;

/// Counts how often a pool was cleared. A connection belongs to the generation in which it was begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl Generation {
    /// The one after this.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The generations of one server's pool: one for all, or behind a load balancer one for each service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolGenerations {
    pool: Generation,
    services: BTreeMap<ObjectId, Generation>,
}

impl PoolGenerations {
    /// The current generation of the pool, or of its connections to `service_id`.
    pub fn get(&self, service_id: Option<ObjectId>) -> Generation {
        match service_id {
            None => self.pool,
            Some(id) => self.services.get(&id).copied().unwrap_or_default(),
        }
    }

    /// Begins the next generation of the pool, or of its connections to `service_id`.
    pub(super) fn advance(&mut self, service_id: Option<ObjectId>) -> Generation {
        let generation = match service_id {
            None => &mut self.pool,
            Some(id) => self.services.entry(id).or_default(),
        };
        *generation = generation.next();
        *generation
    }

    /// Begins the next generation of the pool and of every service seen so far.
    pub(super) fn advance_all(&mut self) {
        self.advance(None);
        self.services.values_mut().for_each(|generation| *generation = generation.next());
    }
}
