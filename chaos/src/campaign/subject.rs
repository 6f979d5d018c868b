//! What a campaign runs.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::record::{Against, RunRecord};

/// Something that can be attacked by a seed.
pub trait Subject: Sync {
    /// What the runs go against.
    fn against(&self) -> Against;

    /// How many runs may be made at the same time.
    fn at_a_time(&self) -> usize;

    /// Makes the run that follows from `seed`, and returns when it is over.
    fn run(&self, seed: u64) -> RunRecord;
}

/// Makes a run. If it panics, that is its violation.
pub(super) fn run_contained(subject: &dyn Subject, seed: u64) -> RunRecord {
    catch_unwind(AssertUnwindSafe(|| subject.run(seed))).unwrap_or_else(|payload| {
        let message = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message = message.or_else(|| payload.downcast_ref::<String>().cloned());
        let mut run = RunRecord::new(seed, subject.against());
        run.violations.push(format!("the run panicked: {}", message.as_deref().unwrap_or("without a message")));
        run
    })
}
