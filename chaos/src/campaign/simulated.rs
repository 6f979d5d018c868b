//! The simulation as what a campaign attacks.

use std::{num::NonZero, thread};

use super::Subject;
use crate::{
    record::{Against, RunRecord},
    simulation,
};

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

    fn run(&self, seed: u64) -> RunRecord {
        simulation::run(seed)
    }
}
