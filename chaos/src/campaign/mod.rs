//! A campaign: many runs, one after the other, with progress, and a report of all of them.

mod arguments;
mod progress;
mod simulated;
mod subject;
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

pub use arguments::Arguments;
pub use simulated::Simulated;
pub use subject::{Pulse, Subject};

use self::{progress::Progress, subject::run_contained};
use crate::record::RunRecord;

/// When a part of a campaign ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// After so many seeds.
    Seeds(u64),
    /// When so much time has passed. The run that is going on then is finished.
    Time(Duration),
}

/// Runs `subject` with seeds from `first` on, as many at a time as it allows.
pub fn run(subject: impl Subject, first: u64, extent: Extent) -> Vec<RunRecord> {
    let subject: Arc<dyn Subject> = Arc::new(subject);
    let progress = Progress::start(subject.against(), extent);
    let (next, runs) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let began = Instant::now();
    let wants = |number: u64| match extent {
        Extent::Seeds(seeds) => number < seeds,
        Extent::Time(time) => began.elapsed() < time,
    };
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if !wants(number) {
                return;
            }
            let run = run_contained(&subject, first.wrapping_add(number));
            progress.ran(&run);
            runs.lock().unwrap_or_else(PoisonError::into_inner).push(run);
        }
    };
    thread::scope(|scope| {
        for _ in 0..subject.at_a_time() {
            scope.spawn(work);
        }
    });
    progress.end();
    runs.into_inner().unwrap_or_else(PoisonError::into_inner)
}
