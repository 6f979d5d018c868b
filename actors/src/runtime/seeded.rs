//! The chances of a simulation: they follow from a seed.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use bson::oid::ObjectId;
use rand::{
    RngCore, SeedableRng,
    rngs::{StdRng, ThreadRng},
};

use super::entropy::Entropy;

/// Everything that a simulated client draws comes from here.
pub(super) struct Seeded {
    numbers: Mutex<StdRng>,
    date: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

impl Seeded {
    fn numbers(&self) -> MutexGuard<'_, StdRng> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time in front, as in any other, and the rest drawn.
    pub(super) fn object_id(&self) -> ObjectId {
        let mut bytes = [0; 12];
        self.numbers().fill_bytes(&mut bytes[4..]);
        let since_epoch = self.date().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // Its time is that of 32 bits, wherever the date may be.
        bytes[..4].copy_from_slice(&(since_epoch.as_secs() as u32).to_be_bytes());
        ObjectId::from_bytes(bytes)
    }

    pub(super) fn date(&self) -> SystemTime {
        (self.date)()
    }
}

impl fmt::Debug for Seeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seeded").finish_non_exhaustive()
    }
}

impl Entropy {
    /// What follows from `seed`, with the date that `date` gives.
    pub(crate) fn seeded(seed: u64, date: Arc<dyn Fn() -> SystemTime + Send + Sync>) -> Self {
        Self { seeded: Some(Arc::new(Seeded { numbers: Mutex::new(StdRng::seed_from_u64(seed)), date })) }
    }
}

/// Random numbers of the process, or of a simulation.
pub(super) enum Numbers {
    OfProcess(ThreadRng),
    OfSimulation(Arc<Seeded>),
}

impl Numbers {
    pub(super) fn of(entropy: &Entropy) -> Self {
        match &entropy.seeded {
            Some(seeded) => Self::OfSimulation(seeded.clone()),
            None => Self::OfProcess(rand::rng()),
        }
    }
}

impl RngCore for Numbers {
    fn next_u32(&mut self) -> u32 {
        match self {
            Self::OfProcess(rng) => rng.next_u32(),
            Self::OfSimulation(seeded) => seeded.numbers().next_u32(),
        }
    }

    fn next_u64(&mut self) -> u64 {
        match self {
            Self::OfProcess(rng) => rng.next_u64(),
            Self::OfSimulation(seeded) => seeded.numbers().next_u64(),
        }
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        match self {
            Self::OfProcess(rng) => rng.fill_bytes(bytes),
            Self::OfSimulation(seeded) => seeded.numbers().fill_bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seeded(seed: u64) -> Entropy {
        Entropy::seeded(seed, Arc::new(|| SystemTime::UNIX_EPOCH + Duration::from_secs(0x6543_2100)))
    }

    #[test]
    fn the_same_seed_gives_the_same_chances() {
        let draw = |entropy: Entropy| {
            let mut rng = entropy.rng();
            (rng.next_u64(), entropy.object_id(), rng.next_u32(), entropy.object_id())
        };
        let drawn = draw(seeded(7));
        assert_eq!(drawn, draw(seeded(7)));
        assert_ne!(drawn, draw(seeded(8)));
        assert_ne!(drawn.1, drawn.3);
    }

    #[test]
    fn identifiers_begin_with_the_date() {
        assert_eq!(seeded(7).object_id().bytes()[..4], [0x65, 0x43, 0x21, 0]);
        assert_eq!(seeded(7).date(), SystemTime::UNIX_EPOCH + Duration::from_secs(0x6543_2100));
    }

    #[test]
    fn without_a_seed_chances_are_the_processs() {
        let entropy = Entropy::default();
        assert_ne!(entropy.object_id(), entropy.object_id());
        assert_ne!(entropy.rng().next_u64(), entropy.rng().next_u64());
    }
}
