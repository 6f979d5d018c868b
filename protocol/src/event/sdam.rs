//! Events of the topology and its servers, in the form that listeners get them.

use std::sync::Arc;

use bson::oid::ObjectId;

use crate::{
    address::ServerAddress,
    sdam::{ServerDescription, TopologyDescription},
};

/// The topology begins to exist.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TopologyOpeningEvent {
    /// Identifies the topology.
    pub topology_id: ObjectId,
}

/// Something about the deployment changed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TopologyDescriptionChangedEvent {
    /// Identifies the topology.
    pub topology_id: ObjectId,
    /// What was known before.
    pub previous_description: Arc<TopologyDescription>,
    /// What is known now.
    pub new_description: Arc<TopologyDescription>,
}

/// The topology ceased to exist.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TopologyClosedEvent {
    /// Identifies the topology.
    pub topology_id: ObjectId,
}

/// A server was added.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ServerOpeningEvent {
    /// Identifies the topology.
    pub topology_id: ObjectId,
    /// The server.
    pub address: ServerAddress,
}

/// Something about a server changed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ServerDescriptionChangedEvent {
    /// Identifies the topology.
    pub topology_id: ObjectId,
    /// The server.
    pub address: ServerAddress,
    /// What was known before.
    pub previous_description: Arc<ServerDescription>,
    /// What is known now.
    pub new_description: Arc<ServerDescription>,
}

/// A server was removed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ServerClosedEvent {
    /// Identifies the topology.
    pub topology_id: ObjectId,
    /// The server.
    pub address: ServerAddress,
}
