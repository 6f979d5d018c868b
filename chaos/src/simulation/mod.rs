//! The whole driver in a world of its own, where the seed decides everything.
//!
//! Network, servers, clocks, random numbers and identifiers are simulated, and all actors live on one thread; so the same
//! seed gives the same history, message by message and byte by byte, and a fault that was found once can be found again.
//!
//! An application works on a replica set while the network, the servers, the dates and the driver's own actors fail. At the
//! end everything heals, and is judged: every operation has ended in time, what was acknowledged is there, what was
//! reported as not executed is not, nothing is there twice or in part, whatever was read was there at some moment, and a
//! change stream has delivered every order exactly once.
//!
//! ```
//! use std::time::Duration;
//!
//! use mongo_actors_chaos::simulation::{Scenario, run_with};
//!
//! let scenario = Scenario { faulty_for: Duration::from_secs(5), ..Scenario::default() };
//! let record = run_with(42, &scenario);
//! assert!(record.violations.is_empty(), "{:?}", record.violations);
//! assert_eq!(run_with(42, &scenario).history, record.history);
//! ```

mod bank;
mod faults;
mod following;
mod history;
mod network;
mod operations;
mod run;
mod scenario;
mod seen;
mod server;
mod verdict;
mod workload;

pub use scenario::Scenario;
pub use server::Slip;

use crate::record::RunRecord;

/// Runs the usual scenario with this seed.
pub fn run(seed: u64) -> RunRecord {
    run_with(seed, &Scenario::default())
}

/// Runs a scenario with this seed.
pub fn run_with(seed: u64, scenario: &Scenario) -> RunRecord {
    run::run(seed, scenario, false).0
}

/// As [`run_with`], with everything that was observed, line by line.
pub fn observe(seed: u64, scenario: &Scenario) -> (RunRecord, Vec<String>) {
    run::run(seed, scenario, true)
}
