//! What the topology tells its listeners.

use std::sync::Arc;

use bson::oid::ObjectId;

use super::{ServerDescription, TopologyDescription};
use crate::address::ServerAddress;

/// An event of the SDAM monitoring specification, heartbeats excepted.
#[derive(Clone, Debug, PartialEq)]
pub enum SdamEvent {
    /// The topology begins to exist. The first of all.
    TopologyOpening {
        /// Identifies the topology.
        topology_id: ObjectId,
    },
    /// Something about the deployment changed.
    TopologyDescriptionChanged {
        /// Identifies the topology.
        topology_id: ObjectId,
        /// What was known before.
        previous: Arc<TopologyDescription>,
        /// What is known now.
        new: Arc<TopologyDescription>,
    },
    /// The topology ceased to exist. The last of all.
    TopologyClosed {
        /// Identifies the topology.
        topology_id: ObjectId,
    },
    /// A server was added, and is about to be checked.
    ServerOpening {
        /// Identifies the topology.
        topology_id: ObjectId,
        /// The server.
        address: ServerAddress,
    },
    /// Something about a server changed.
    ServerDescriptionChanged {
        /// Identifies the topology.
        topology_id: ObjectId,
        /// The server.
        address: ServerAddress,
        /// What was known before.
        previous: Arc<ServerDescription>,
        /// What is known now.
        new: Arc<ServerDescription>,
    },
    /// A server was removed.
    ServerClosed {
        /// Identifies the topology.
        topology_id: ObjectId,
        /// The server.
        address: ServerAddress,
    },
}
