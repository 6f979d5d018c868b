//! How far a campaign has come, for whoever watches.

use indicatif::{ProgressBar, ProgressStyle};

use super::Extent;
use crate::record::{Against, RunRecord};

/// A line on the terminal; nothing where there is none.
pub(super) struct Progress {
    bar: ProgressBar,
    /// What is counted: runs, or seconds that pass by themselves.
    counts_runs: bool,
}

impl Progress {
    pub(super) fn start(against: Against, extent: Extent) -> Self {
        let (length, unit, counts_runs) = match extent {
            Extent::Seeds(seeds) => (seeds, "runs", true),
            Extent::Time(time) => (time.as_secs(), "s", false),
        };
        let name = match against {
            Against::Simulation => "simulation",
            Against::ReplicaSet => "replica set",
        };
        let template = format!("{name:<12} {{bar:30}} {{pos}}/{{len}} {unit} {{msg}}");
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(length).with_style(style);
        Self { bar, counts_runs }
    }

    pub(super) fn ran(&self, run: &RunRecord) {
        match self.counts_runs {
            true => self.bar.inc(1),
            false => self.bar.set_position(self.bar.elapsed().as_secs().min(self.bar.length().unwrap_or(u64::MAX))),
        }
        let (seed, faults, operations) = (run.seed, run.faults.len(), run.operations);
        self.bar.set_message(format!("seed {seed}: {faults} faults, {operations} operations"));
        for violation in &run.violations {
            self.bar.suspend(|| eprintln!("seed {seed}: {violation}"));
        }
    }

    pub(super) fn end(self) {
        self.bar.finish();
    }
}
