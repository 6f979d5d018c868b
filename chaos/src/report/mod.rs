//! What a campaign has found: gathered from its runs, and shown as text, JSON and a page with plots.

mod page;
mod plots;
mod statistics;
#[cfg(test)]
mod tests;
mod text;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

pub use statistics::{Percentiles, Summary};

use crate::record::{Against, RunRecord};

/// A promise that was broken, and how to see it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BrokenPromise {
    /// Whose run it was.
    pub seed: u64,
    /// What the run went against.
    pub against: Against,
    /// What is wrong, as a sentence.
    pub what: String,
    /// The command that makes the run again.
    pub replay: String,
}

/// What a campaign has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How long the campaign took.
    pub took: Duration,
    /// What all runs against the same together did.
    pub summaries: BTreeMap<Against, Summary>,
    /// Every violation of every run.
    pub violations: Vec<BrokenPromise>,
    /// The runs, by what they went against and their seeds.
    pub runs: Vec<RunRecord>,
}

impl Report {
    /// Gathers what the runs have found.
    pub fn new(mut runs: Vec<RunRecord>, took: Duration) -> Self {
        runs.sort_by_key(|run| (run.against, run.seed));
        let mut summaries: BTreeMap<Against, Summary> = BTreeMap::new();
        for run in &runs {
            summaries.entry(run.against).or_default().add(run);
        }
        summaries.values_mut().for_each(Summary::conclude);
        let violations = runs.iter().flat_map(|run| {
            run.violations.iter().map(|what| BrokenPromise {
                seed: run.seed,
                against: run.against,
                what: what.clone(),
                replay: replay(run.seed, run.against),
            })
        });
        Self { took, summaries, violations: violations.collect(), runs }
    }

    /// Whether every promise was kept.
    pub fn is_good(&self) -> bool {
        self.violations.is_empty()
    }

    /// What a program that made the campaign exits with: 0 when every promise was kept, 1 otherwise.
    pub fn status(&self) -> u8 {
        u8::from(!self.is_good())
    }

    /// The report for a terminal.
    pub fn text(&self) -> String {
        text::render(self)
    }

    /// The report for programs.
    ///
    /// # Errors
    /// Those of the encoder; none is known.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// The report for a browser: one file that needs no other.
    pub fn page(&self) -> String {
        page::render(self)
    }

    /// Writes `report.txt`, `report.json` and `report.html` into `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// Those of the file system, with the path they are about.
    pub fn write(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let at = |path: &Path, error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        fs::create_dir_all(folder).map_err(|error| at(folder, error))?;
        let files = [("report.txt", self.text()), ("report.json", self.json()?), ("report.html", self.page())];
        let write = |(name, content): (&str, String)| {
            let path = folder.join(name);
            fs::write(&path, content).map_err(|error| at(&path, error))?;
            Ok(path)
        };
        files.into_iter().map(write).collect()
    }
}

/// The command that makes a run again.
fn replay(seed: u64, against: Against) -> String {
    format!("cargo run --release -p mongo-actors-chaos -- --replay {seed} --only {}", option(against))
}

/// What the command line calls it.
fn option(against: Against) -> &'static str {
    match against {
        Against::Simulation => "simulation",
        Against::ReplicaSet => "replica-set",
    }
}

/// What a reader is told it is.
fn title(against: Against) -> &'static str {
    match against {
        Against::Simulation => "Simulation",
        Against::ReplicaSet => "Real replica set",
    }
}

/// A duration as people read it.
fn brief(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds >= 120.0 => format!("{:.1} min", seconds / 60.0),
        seconds if seconds >= 1.0 => format!("{seconds:.1} s"),
        seconds => format!("{:.0} ms", seconds * 1000.0),
    }
}
