//! The actors of the mongo-actors MongoDB driver, and the only code in it that does I/O.
//!
//! Applications use the façade crate `mongo-actors`. What stands here is the [`Engine`] behind it: the supervised tree
//! of actors of one client, and the tickets that operations travel in.

mod change_stream;
#[cfg(feature = "chaos")]
mod chaos;
mod connection;
mod connection_pool;
mod engine;
mod event_publisher;
mod failure;
mod net;
mod reaper;
mod runtime;
mod seedlist;
mod server_monitor;
mod session_pool;
mod settings;
mod shared;
#[cfg(feature = "simulation")]
mod simulation;
mod srv_poller;
mod summary;
mod supervisor;
mod ticket;
mod topology;

pub use change_stream::{ChangeStreamHandle, ChangeStreamPlan, FetchError, FetchedBatch, GivenUp};
#[cfg(feature = "chaos")]
pub use chaos::{ArmError, Armed, ChaosControl, FaultOrder, Firings, ORDERED_PANIC};
pub use engine::{Engine, Selected};
pub use event_publisher::{Listeners, SupervisionListener};
pub use failure::{Cause, EstablishError, EstablishFault, EstablishStep, Failure};
pub use net::DnsError;
pub use reaper::{KillCursors, Tidy};
pub use runtime::{ActorEntry, ActorPath, ActorState, Death, Placement, RestartBudget, Role, SupervisionEvent};
#[doc(hidden)]
pub use runtime::{Entropy, clock};
pub use seedlist::{SeedlistError, resolve_seedlist};
#[doc(hidden)]
pub use settings::Conformance;
pub use settings::{EngineSettings, StartError};
#[cfg(feature = "simulation")]
pub use simulation::{Dialer, Dialing, Simulation, Stream, Witness};
pub use summary::Summary;
pub use supervisor::{Decision, Escalation, Parent, SupervisionSnapshot, TreeStatus};
pub use ticket::{
    Answer, Attempting, ConnectionInfo, HeldSession, Lease, Limits, Operation, Pending, Reply, SessionMark, SessionUse,
    Setback, SharedSession, Turn, Unanswered,
};
#[doc(hidden)]
pub use topology::PoolOrder;
