//! Checks one server.
//!
//! Accepts: `RequestCheck`, `CancelCheck`, `ProbeSuperseded`.
//! Sends: `ServerChecked` and `ServerObserved` to the topology, heartbeat events to the publisher.
//! Owns: the monitor machine, the connection it checks over, and a second one for round-trip times.
//! Invariant: at most one check and one measurement at a time.
//! If it dies: restarted with nothing; the server is unknown until it is checked again, which happens at once.

mod actor;
mod messages;
#[cfg(test)]
mod tests;

pub(crate) use actor::{MonitorPlan, Reports, ServerMonitorActor};
pub(crate) use messages::{CancelCheck, ProbeSuperseded, RequestCheck};
