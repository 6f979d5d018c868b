//! Server sessions, their pool, and the cluster time.
//!
//! It follows the driver sessions specification, and the load balancer specification where sessions never expire.

mod cluster_time;
mod pool;
mod server_session;

#[cfg(test)]
mod tests;

pub use cluster_time::ClusterTime;
pub use pool::{MAX_END_SESSIONS, ServerSessionPool};
pub use server_session::{ServerSession, SessionExpiry};
