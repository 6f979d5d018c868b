//! Where a client's chances come from: random numbers, new identifiers, and the date. A simulation has seeded ones.

use std::time::SystemTime;

use bson::oid::ObjectId;
use rand::RngCore;

#[cfg(feature = "simulation")]
use super::seeded::Seeded;

/// What cannot be foreseen. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Entropy {
    /// None for that of the process.
    #[cfg(feature = "simulation")]
    pub(super) seeded: Option<std::sync::Arc<Seeded>>,
}

#[cfg(not(feature = "simulation"))]
impl Entropy {
    /// Random numbers.
    pub fn rng(&self) -> impl RngCore + use<> {
        rand::rng()
    }

    /// An identifier that nobody else has.
    pub fn object_id(&self) -> ObjectId {
        ObjectId::new()
    }

    /// The date.
    pub fn date(&self) -> SystemTime {
        SystemTime::now()
    }
}

#[cfg(feature = "simulation")]
impl Entropy {
    /// Random numbers.
    pub fn rng(&self) -> impl RngCore + use<> {
        super::seeded::Numbers::of(self)
    }

    /// An identifier that nobody else has.
    pub fn object_id(&self) -> ObjectId {
        self.seeded.as_ref().map_or_else(ObjectId::new, |seeded| seeded.object_id())
    }

    /// The date.
    pub fn date(&self) -> SystemTime {
        self.seeded.as_ref().map_or_else(SystemTime::now, |seeded| seeded.date())
    }
}
