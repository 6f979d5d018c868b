//! Standalone servers and replica sets made of real `mongod` processes.

mod fail_point;
mod launch;
mod member;
mod options;
mod replica_set;
mod standalone;
#[cfg(test)]
mod tests;
mod uri;

pub(crate) use replica_set::current_primary;
pub(crate) use uri::compose as compose_uri;

pub use fail_point::{FailPoint, FailPointGuard};
pub use member::Member;
pub use options::MemberOptions;
pub use replica_set::{ReplicaSet, ReplicaSetBuilder};
pub use standalone::{Standalone, StandaloneBuilder};

use std::time::Duration;

/// How long the kit waits for servers to start, elect and recover before it gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
