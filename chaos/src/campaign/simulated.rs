//! The simulation as what a campaign attacks.

use std::{num::NonZero, thread, time::Duration};

use super::{Pulse, Subject};
use crate::{
    record::{Against, RunRecord},
    simulation,
};

/// How long the simulated clock may stand still. A step of it takes milliseconds at most, on whatever machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs that are simulated, as many at a time as there are processors.
#[derive(Clone, Copy, Debug, Default)]
pub struct Simulated;

impl Subject for Simulated {
    fn against(&self) -> Against {
        Against::Simulation
    }

    fn at_a_time(&self) -> usize {
        thread::available_parallelism().map_or(1, NonZero::get)
    }

    fn limit(&self) -> Duration {
        LIMIT
    }

    fn run(&self, seed: u64, pulse: &Pulse) -> RunRecord {
        simulation::run_watched(seed, || pulse.beat())
    }
}
