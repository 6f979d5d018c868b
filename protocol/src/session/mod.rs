//! Server sessions, their pool, explicit sessions, and the cluster time.
//!
//! It follows the driver sessions, causal consistency and snapshot reads specifications, and the load balancer
//! specification where sessions never expire.

mod cluster_time;
mod pool;
mod server_session;
mod state;

#[cfg(test)]
mod state_tests;
#[cfg(test)]
mod tests;

pub use cluster_time::ClusterTime;
pub use pool::{MAX_END_SESSIONS, ServerSessionPool};
pub use server_session::{ServerSession, SessionExpiry};
pub use state::{InvalidSessionOptions, SNAPSHOT_WIRE_VERSION, SessionOptions, SessionState, StampedReadConcern};
