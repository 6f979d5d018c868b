//! The driver's actors: where they run, how often they may be restarted, and which are alive.

pub use mongo_actors_engine::{ActorEntry, ActorPath, Death, Placement, RestartBudget, Role};
