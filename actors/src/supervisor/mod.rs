//! The root of one client's tree.
//!
//! Accepts: obituaries of its children, `Shutdown`, `Restart`, `Attend`, `Decided`, `StartChangeStream`.
//! Sends: the closing messages, in their order; escalations to the parent that the application gave the client.
//! Owns: the lifelines of its children, the restart budget of the whole, the end of the threads.
//! Invariant: the tree is up, or operations fail at once with the reason.
//! If it dies: restarted with a new tree; past its budget its guard ends the tree, operations fail with the cause, and the
//! client's handle can start another. A close that was going on ends.

mod actor;
mod escalation;
mod messages;
mod snapshot;
#[cfg(test)]
#[cfg(feature = "chaos")]
mod tests;

pub use escalation::{Decision, Escalation, Parent};
pub use snapshot::{SupervisionSnapshot, TreeStatus};

pub(crate) use actor::{SupervisorActor, SupervisorPlan};
pub(crate) use messages::{Attend, Restart, Shutdown, StartChangeStream};
