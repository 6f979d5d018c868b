//! What is known of the deployment: see [`Client::topology_description`](crate::Client::topology_description).

pub use mongo_actors_protocol::sdam::{
    ServerDescription, ServerType, TopologyDescription, TopologyType, TopologyVersion,
};
