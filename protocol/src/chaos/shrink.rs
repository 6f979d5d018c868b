//! Makes a failing plan smaller.

use super::{
    decide::Firing,
    plan::{Fault, FaultPlan},
    site::Site,
};

/// Looks for the fewest faults of a failing run that still make it fail, by leaving out ever smaller parts of them (the
/// *delta debugging* of Zeller and Hildebrandt).
///
/// ```
/// use mongo_actors_protocol::chaos::{FaultPlan, Recording, Shrinker};
///
/// fn fails(plan: &FaultPlan) -> bool {
///     // Runs the test with the plan.
///     # let _ = plan;
///     false
/// }
///
/// let recording = Recording::new(FaultPlan::new(1));
/// let mut shrinker = Shrinker::new(&recording);
/// while let Some(plan) = shrinker.candidate() {
///     let failed = fails(&plan);
///     shrinker.tried(failed);
/// }
/// println!("{:?}", shrinker.smallest());
/// ```
#[derive(Debug)]
pub struct Shrinker {
    seed: u64,
    /// The fewest known to fail.
    faults: Vec<(Site, u64, Fault)>,
    /// Into how many parts they are cut.
    parts: usize,
    /// Which part is left out next.
    next: usize,
}

impl Shrinker {
    /// Begins with everything that fired in a run that failed.
    pub fn new(recording: &super::Recording) -> Self {
        let fault = |firing: &Firing| (firing.site.clone(), firing.ordinal, firing.fault);
        let faults = recording.firings().iter().map(fault).collect();
        Self { seed: recording.plan().seed(), faults, parts: 2, next: 0 }
    }

    /// The plan to try next; none when no part can be left out any more.
    pub fn candidate(&mut self) -> Option<FaultPlan> {
        loop {
            if self.faults.len() < 2 {
                return None;
            }
            if self.next < self.parts {
                return Some(FaultPlan::exactly(self.seed, self.without(self.next)));
            }
            if self.parts >= self.faults.len() {
                return None;
            }
            self.parts = (self.parts * 2).min(self.faults.len());
            self.next = 0;
        }
    }

    /// Whether the run with the last candidate failed as well.
    pub fn tried(&mut self, failed: bool) {
        if failed {
            self.faults = self.without(self.next);
            self.parts = self.parts.saturating_sub(1).max(2);
            self.next = 0;
        } else {
            self.next += 1;
        }
    }

    /// The smallest plan known to fail.
    pub fn smallest(&self) -> FaultPlan {
        FaultPlan::exactly(self.seed, self.faults.clone())
    }

    /// All faults but those of one part.
    fn without(&self, part: usize) -> Vec<(Site, u64, Fault)> {
        let bound = |part: usize| part * self.faults.len() / self.parts;
        let (from, to) = (bound(part), bound(part + 1));
        [&self.faults[..from], &self.faults[to..]].concat()
    }
}
