//! The deployments that tests run on: started once, when the first test needs them, and lent to one test at a time.

mod pool;
mod servers;
mod uri;

use std::sync::OnceLock;

use tokio::runtime::Runtime;

pub(super) use self::{
    pool::{Deployment, lend},
    servers::Group,
    uri::with_options,
};
use super::schema::TopologyName;

/// A way to reach servers: which servers, and what they look like from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) group: Group,
    pub(super) topology: TopologyName,
}

/// Every place there is. The first ones are preferred.
pub(super) const PLACES: &[Place] = &[
    Place { group: Group::ReplicaSet, topology: TopologyName::ReplicaSet },
    Place { group: Group::Standalone, topology: TopologyName::Single },
    Place { group: Group::ReplicaSet, topology: TopologyName::Sharded },
    Place { group: Group::ReplicaSet, topology: TopologyName::LoadBalanced },
    Place { group: Group::SecureReplicaSet, topology: TopologyName::ReplicaSet },
    Place { group: Group::SecureReplicaSet, topology: TopologyName::Sharded },
    Place { group: Group::SecureReplicaSet, topology: TopologyName::LoadBalanced },
    Place { group: Group::SecureStandalone, topology: TopologyName::Single },
    Place { group: Group::Secantus, topology: TopologyName::ReplicaSet },
    Place { group: Group::Secantus, topology: TopologyName::Single },
    Place { group: Group::Secantus, topology: TopologyName::Sharded },
];

/// The runtime of everything that outlives a test, and of the tests.
pub(super) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().expect("the operating system grants the threads of a runtime")
    })
}
