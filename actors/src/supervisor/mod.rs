//! The root of one client's tree.
//!
//! Accepts: obituaries of its children, `Shutdown`, `Restart`, `StartChangeStream`.
//! Sends: the closing messages, in their order.
//! Owns: the lifelines of its children, the threads, the ledger of what is owed to servers.
//! Invariant: the tree is up, or operations fail at once with the reason.
//! If it dies: its guard ends the tree, and operations fail with the cause.

mod actor;
mod messages;

pub(crate) use actor::{SupervisorActor, SupervisorPlan};
pub(crate) use messages::{Restart, Shutdown, StartChangeStream};
