//! What is known of a run when it is over.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

/// What a run went against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Against {
    /// Simulated servers, a simulated network and a simulated clock: the seed decides everything.
    Simulation,
    /// A replica set of real servers: the seed decides the faults, but not how threads interleave.
    ReplicaSet,
}

/// A fault that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiredFault {
    /// What failed: the role of an actor, `socket`, `network`, `server` or `clock`.
    pub role: String,
    /// How it failed, such as `panic` or `partition`.
    pub kind: String,
    /// When, since the run began.
    pub at: Duration,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// What the run's choices follow from.
    pub seed: u64,
    /// What it went against.
    pub against: Against,
    /// The faults that happened, in their order.
    pub faults: Vec<FiredFault>,
    /// How many operations were begun.
    pub operations: u64,
    /// How they ended: `ok`, `failed: not executed`, `failed: unknown` and the like, and how many of each.
    pub outcomes: BTreeMap<String, u64>,
    /// For each fault that stopped service, the time until the next operation succeeded.
    pub recoveries: Vec<Duration>,
    /// The promises that were broken, each as a sentence. None in a good run.
    pub violations: Vec<String>,
    /// How long the run took by the clock of those in it.
    pub simulated: Duration,
    /// How long it really took.
    pub elapsed: Duration,
    /// A digest of everything that was observed: the same for every run with this seed. 0 against real servers.
    pub history: u64,
}

impl RunRecord {
    /// A run that has not begun.
    pub fn new(seed: u64, against: Against) -> Self {
        Self {
            seed,
            against,
            faults: Vec::new(),
            operations: 0,
            outcomes: BTreeMap::new(),
            recoveries: Vec::new(),
            violations: Vec::new(),
            simulated: Duration::ZERO,
            elapsed: Duration::ZERO,
            history: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_being_saved() {
        let mut record = RunRecord::new(7, Against::Simulation);
        record.faults.push(FiredFault {
            role: "network".into(),
            kind: "partition".into(),
            at: Duration::from_millis(3),
        });
        record.outcomes.insert("ok".into(), 12);
        let saved = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<RunRecord>(&saved).unwrap(), record);
    }
}
