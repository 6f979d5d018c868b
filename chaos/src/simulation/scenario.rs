//! What a simulated run is made of.

use std::time::Duration;

use super::server::Slip;

/// How a run goes, whatever its seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// How many members the replica set has.
    pub members: usize,
    /// How many operations are begun in each simulated second.
    pub operations_per_second: u32,
    /// For how long things fail. After that everything heals, and service has to resume.
    pub faulty_for: Duration,
    /// The time of each operation (`timeoutMS`).
    pub timeout: Duration,
    /// Whether the network between client and members fails, and that between members.
    pub network_fails: bool,
    /// Whether members crash and step down.
    pub servers_fail: bool,
    /// Whether the driver's actors and connections fail, by [`FaultPlan::realistic`](mongo_actors::chaos::FaultPlan).
    pub actors_fail: bool,
    /// Whether dates jump.
    pub clocks_fail: bool,
    /// What the servers do wrong, which the checks must notice.
    pub slip: Slip,
}

impl Default for Scenario {
    /// Three members, ten operations a second, half a minute in which everything fails.
    fn default() -> Self {
        Self {
            members: 3,
            operations_per_second: 10,
            faulty_for: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            network_fails: true,
            servers_fail: true,
            actors_fail: true,
            clocks_fail: true,
            slip: Slip::None,
        }
    }
}
