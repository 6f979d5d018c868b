//! What the user decides about a topology.

use std::time::Duration;

use super::TopologyType;
use crate::{address::ServerAddress, options::ClientOptions};

/// What the user decides about a topology.
#[derive(Clone, Debug, PartialEq)]
pub struct TopologySettings {
    /// Where to begin. With a load balancer or a direct connection, exactly one.
    pub seeds: Vec<ServerAddress>,
    /// The name of the replica set that all servers must belong to.
    pub replica_set: Option<String>,
    /// Use the one seed whatever it is, and look for no other server.
    pub direct_connection: bool,
    /// The one seed is a load balancer.
    pub load_balanced: bool,
    /// The interval between checks of one server. Default 10 s.
    pub heartbeat_frequency: Duration,
    /// The width of the latency window. Default 15 ms.
    pub local_threshold: Duration,
    /// How many hosts of an SRV record to use at most; 0, the default, for all of them.
    pub srv_max_hosts: u32,
}

impl TopologySettings {
    /// The default settings for these seeds.
    pub fn new(seeds: impl IntoIterator<Item = ServerAddress>) -> Self {
        Self {
            seeds: seeds.into_iter().collect(),
            replica_set: None,
            direct_connection: false,
            load_balanced: false,
            heartbeat_frequency: Duration::from_secs(10),
            local_threshold: Duration::from_millis(15),
            srv_max_hosts: 0,
        }
    }

    /// The type a topology begins with.
    pub fn initial_topology_type(&self) -> TopologyType {
        if self.load_balanced {
            TopologyType::LoadBalanced
        } else if self.direct_connection {
            TopologyType::Single
        } else if self.replica_set.is_some() {
            TopologyType::ReplicaSetNoPrimary
        } else {
            TopologyType::Unknown
        }
    }
}

impl From<&ClientOptions> for TopologySettings {
    fn from(options: &ClientOptions) -> Self {
        Self {
            seeds: options.hosts.clone(),
            replica_set: options.replica_set.clone(),
            direct_connection: options.direct_connection,
            load_balanced: options.load_balanced,
            heartbeat_frequency: options.heartbeat_frequency,
            local_threshold: options.local_threshold,
            srv_max_hosts: options.srv.as_ref().map_or(0, |srv| srv.max_hosts),
        }
    }
}
