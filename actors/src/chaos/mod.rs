//! Faults on purpose, at the two places that everything passes. Feature `chaos`.
//!
//! Accepts: plans and orders, from [`ChaosControl`]; sites that are reached, from the runtime and from transports.
//! Sends: faults back to where they are due; each firing to the log, to listeners and into the recording.
//! Owns: the armed plan, the orders, the partitions, the recording.
//! Invariant: without a plan, an order or a partition, nothing fails, and no site takes a lock.
//! If it dies: it is no actor; a plan ends by its time, by its guard, or by the kill switch.

mod classes;
mod control;
mod cursors;
mod orders;
mod state;
mod transport;

pub use control::{ArmError, Armed, ChaosControl};
pub use orders::{FaultOrder, Firings};

/// What a panic says that a plan or a command has ordered: its payload, for a panic hook that leaves such panics out.
pub const ORDERED_PANIC: &str = ORDERED;

/// What every failure says that was ordered.
const ORDERED: &str = "a fault that was ordered";

pub(crate) use cursors::BoundCursor;
pub(crate) use state::{Chaos, RecordedAttempt, Taken};
