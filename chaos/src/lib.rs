//! Faults at random against the driver, and whether it holds what it promises.
//!
//! Each run follows from a seed, and ends in a [`RunRecord`]: what was done, what failed on purpose, how the operations
//! ended, and which promises were broken.

pub mod campaign;
pub mod ordered;
pub mod record;
pub mod replica_set;
pub mod report;
pub mod simulation;

pub use record::{Against, FiredFault, RunRecord};
