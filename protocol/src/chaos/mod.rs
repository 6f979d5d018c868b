//! Faults on purpose: what is to fail, where, and how often. Feature `chaos`.
//!
//! A [`FaultPlan`] is a seed and rules. At each [`Site`] that a fault is possible at, a [`Decider`] says whether one is due.
//! What it says depends on the seed, on the site, and on how often that site was reached before; so it does not depend on how
//! threads happen to interleave, and the same plan decides the same in every run. What fired is kept in a [`Recording`],
//! which can be saved, replayed, and made smaller by a [`Shrinker`] until only the faults are left that matter.
//!
//! ```
//! use std::time::Duration;
//!
//! use mongo_actors_protocol::chaos::{Decider, FaultPlan, MessageClass, MessageFault, Moment, Rule, Site};
//!
//! let plan = FaultPlan::new(7).rule(Rule::message(MessageFault::Panic).role("connection-pool").on("CheckOut").nth(2));
//! let mut decider = Decider::new(plan);
//! let site = Site::message(
//!     "connection-pool", "supervisor/topology/connection-pool[db0:27017]", "CheckOut", MessageClass::Ticket, Moment::Before,
//! );
//! assert!(decider.decide(&site, Duration::ZERO).is_none());
//! assert!(decider.decide(&site, Duration::from_secs(1)).is_some());
//! ```

mod cursors;
mod decide;
mod plan;
mod realistic;
mod recording;
mod shrink;
mod site;
#[cfg(test)]
mod tests;

pub use cursors::CursorNews;
pub use decide::{Decider, Firing};
pub use plan::{Fault, FaultPlan, InvalidPlan, MessageFault, Rule, SocketFault};
pub use recording::{Attempt, End, Recording, Resource, Violation};
pub use shrink::Shrinker;
pub use site::{MessageClass, Moment, Site, SocketStep};
