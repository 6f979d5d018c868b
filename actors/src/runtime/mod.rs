//! The layer between actix and our actors.
//!
//! Accepts: actors to start, with their place in the tree and their restart budget.
//! Sends: obituaries to parents.
//! Owns: each actor's task, its one timer, its restarts, its entry in the registry; the watch for stalls.
//! Invariant: an actor lives exactly as long as the lifeline in its parent's state.
//! If it dies: it is the task itself; when its arbiter stops, the obituary says "killed".

mod address;
mod budget;
pub mod clock;
mod context;
mod entropy;
mod event;
mod lifeline;
mod obituary;
mod path;
mod placement;
mod registry;
#[cfg(feature = "simulation")]
mod seeded;
mod supervise;
#[cfg(test)]
mod tests;
mod vital;
mod watch;

pub use budget::RestartBudget;
pub use entropy::Entropy;
pub use event::SupervisionEvent;
pub use obituary::Death;
pub use path::{ActorPath, Role};
pub use placement::Placement;
pub use registry::{ActorEntry, ActorState};

pub(crate) use address::{Address, Inbox, Outlet};
pub(crate) use budget::CrashRecord;
pub(crate) use context::{Context, SupervisedActor};
pub(crate) use obituary::Obituary;
pub(crate) use placement::{Home, HostThread, Threads};
pub(crate) use registry::Registry;
pub(crate) use supervise::{Birth, Child, start, start_with};
pub(crate) use watch::Watch;
