//! The actors of the mongo-actors MongoDB driver, and the only code in it that does I/O.

mod runtime;

pub use runtime::{ActorEntry, ActorPath, Death, Placement, RestartBudget, Role};
