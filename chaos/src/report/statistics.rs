//! What many runs have in common.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::record::RunRecord;

/// How a number of durations is distributed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Percentiles {
    /// How many there are.
    pub count: usize,
    /// Half of them are at most this.
    pub p50: Duration,
    /// Nine of ten are at most this.
    pub p90: Duration,
    /// All but one in a hundred are at most this.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

impl Percentiles {
    /// By the nearest rank: each is one of the durations. All are zero when there are none.
    pub fn of(durations: &[Duration]) -> Self {
        let mut sorted = durations.to_vec();
        sorted.sort_unstable();
        let rank = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            sorted.get(rank - 1).copied().unwrap_or_default()
        };
        Self { count: sorted.len(), p50: rank(50), p90: rank(90), p99: rank(99), max: rank(100) }
    }
}

/// What all runs against the same together did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// How many runs there were.
    pub runs: u64,
    /// How many of them broke a promise.
    pub bad_runs: u64,
    /// How many operations were begun.
    pub operations: u64,
    /// How they ended.
    pub outcomes: BTreeMap<String, u64>,
    /// How often what failed: by role, then by kind.
    pub faults: BTreeMap<String, BTreeMap<String, u64>>,
    /// How long service was away.
    pub recovery: Percentiles,
    /// Each time that it was away, from short to long.
    pub recoveries: Vec<Duration>,
    /// How long the runs took by their own clocks.
    pub simulated: Duration,
    /// How long they really took, one after the other.
    pub elapsed: Duration,
}

impl Summary {
    pub(super) fn add(&mut self, run: &RunRecord) {
        self.runs += 1;
        self.bad_runs += u64::from(!run.violations.is_empty());
        self.operations += run.operations;
        for (outcome, count) in &run.outcomes {
            *self.outcomes.entry(outcome.clone()).or_default() += count;
        }
        for fault in &run.faults {
            *self.faults.entry(fault.role.clone()).or_default().entry(fault.kind.clone()).or_default() += 1;
        }
        self.recoveries.extend(&run.recoveries);
        self.simulated += run.simulated;
        self.elapsed += run.elapsed;
    }

    pub(super) fn conclude(&mut self) {
        self.recoveries.sort_unstable();
        self.recovery = Percentiles::of(&self.recoveries);
    }

    /// How many faults there were.
    pub fn fault_count(&self) -> u64 {
        self.faults.values().flat_map(BTreeMap::values).sum()
    }
}
