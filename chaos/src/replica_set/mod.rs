//! Runs against a real replica set: three servers behind proxies, all of which are attacked together with the driver.
//!
//! A seed decides what fails and when; it does not decide how processes and threads interleave. So a run that is made
//! again meets the same faults, and perhaps not the same moment.

mod environment;
mod follower;
mod log;
mod plan;
mod round;
mod workload;

use std::{
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use mongo_actors_testkit::ReplicaSet;
use tokio::runtime::Runtime;

use crate::{
    campaign::{Pulse, Subject},
    record::{Against, RunRecord},
};

/// How long the driver is attacked in each run.
pub const ATTACK: Duration = Duration::from_secs(12);

/// A replica set of three members that is attacked by one run after the other.
pub struct RealSet {
    runtime: Runtime,
    attack: Duration,
    /// None after a run that did not leave it whole.
    set: Mutex<Option<ReplicaSet>>,
}

/// There is no replica set to attack.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No threads can be had.
    #[error("there are no threads for the campaign: {0}")]
    Threads(#[from] io::Error),
    /// No servers can be had.
    #[error("the replica set does not start: {0}")]
    Set(#[from] mongo_actors_testkit::Error),
}

impl RealSet {
    /// Starts the servers. Each run's attack will take that long.
    ///
    /// # Errors
    /// [`StartError`] says what is missing.
    pub fn start(attack: Duration) -> Result<Self, StartError> {
        let runtime = Runtime::new()?;
        let set = runtime.block_on(new_set())?;
        Ok(Self { runtime, attack, set: Mutex::new(Some(set)) })
    }

    async fn attack(&self, seed: u64) -> Result<RunRecord, round::Failure> {
        let kept = self.set.lock().unwrap_or_else(PoisonError::into_inner).take();
        let set = match kept {
            Some(set) => set,
            None => new_set().await?,
        };
        let run = round::attack(&set, seed, self.attack).await?;
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = Some(set);
        Ok(run)
    }
}

async fn new_set() -> mongo_actors_testkit::Result<ReplicaSet> {
    ReplicaSet::builder(3).behind_proxies().election_timeout(Duration::from_secs(1)).start().await
}

impl Subject for RealSet {
    fn against(&self) -> Against {
        Against::ReplicaSet
    }

    /// There is but one set.
    fn at_a_time(&self) -> usize {
        1
    }

    /// Whatever a run waits for has a limit of its own, and all of them together are less.
    fn limit(&self) -> Duration {
        self.attack + Duration::from_secs(600)
    }

    fn run(&self, seed: u64, _: &Pulse) -> RunRecord {
        self.runtime.block_on(self.attack(seed)).unwrap_or_else(|failure| {
            let mut run = RunRecord::new(seed, Against::ReplicaSet);
            run.violations.push(format!("the run could not be made: {failure}"));
            run
        })
    }
}
