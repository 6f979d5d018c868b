//! How far a campaign has come, for whoever watches.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use super::Extent;
use crate::record::{Against, RunRecord};

/// How often a line is written where there is no terminal.
const LINES: Duration = Duration::from_secs(30);

/// A line on the terminal that moves; where there is none, a line from time to time.
pub(super) struct Progress {
    bar: ProgressBar,
    name: &'static str,
    extent: Extent,
    so_far: Mutex<SoFar>,
}

struct SoFar {
    runs: u64,
    violations: usize,
    told: Instant,
}

impl Progress {
    pub(super) fn start(against: Against, extent: Extent) -> Self {
        let (length, unit) = match extent {
            Extent::Seeds(seeds) => (seeds, "runs"),
            Extent::Time(time) => (time.as_secs(), "s"),
        };
        let name = match against {
            Against::Simulation => "simulation",
            Against::ReplicaSet => "replica set",
        };
        let template = format!("{name:<12} {{bar:30}} {{pos}}/{{len}} {unit} {{msg}}");
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let so_far = Mutex::new(SoFar { runs: 0, violations: 0, told: Instant::now() });
        Self { bar: ProgressBar::new(length).with_style(style), name, extent, so_far }
    }

    pub(super) fn ran(&self, run: &RunRecord) {
        let (seed, faults, operations) = (run.seed, run.faults.len(), run.operations);
        match self.extent {
            Extent::Seeds(_) => self.bar.inc(1),
            Extent::Time(time) => self.bar.set_position(self.bar.elapsed().min(time).as_secs()),
        }
        self.bar.set_message(format!("seed {seed}: {faults} faults, {operations} operations"));
        for violation in &run.violations {
            self.bar.suspend(|| eprintln!("seed {seed}: {violation}"));
        }
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        so_far.runs += 1;
        so_far.violations += run.violations.len();
        if self.bar.is_hidden() && so_far.told.elapsed() >= LINES {
            so_far.told = Instant::now();
            eprintln!("{}: {} runs, {} violations", self.name, so_far.runs, so_far.violations);
        }
    }

    pub(super) fn end(self) {
        self.bar.finish();
    }
}
