//! Server discovery and monitoring: which servers there are, what they are, and what an error says about them.
//!
//! [`Topology`] is the single writer of the [`TopologyDescription`] and of the pools' generations;
//! [`monitor`] decides when and how one server is checked. Both follow the Server Discovery and
//! Monitoring, the Server Monitoring and the Load Balancer specifications, and neither performs I/O.

mod cluster_time;
mod event;
mod failure;
mod generation;
mod hello;
pub mod monitor;
mod server_description;
mod settings;
mod srv;
mod srv_polling;
#[cfg(test)]
mod tests;
mod topology;
mod topology_description;
mod types;
mod update;

pub use self::{
    event::SdamEvent,
    failure::{FailureKind, FailurePhase, ServerFailure, Verdict},
    generation::{Generation, PoolGenerations},
    hello::{HelloError, HelloReply},
    monitor::{RttEstimator, ServerMonitoringMode},
    server_description::{
        DEFAULT_MAX_BSON_OBJECT_SIZE, DEFAULT_MAX_MESSAGE_SIZE_BYTES, DEFAULT_MAX_WRITE_BATCH_SIZE, RoundTripTime,
        ServerDescription,
    },
    settings::TopologySettings,
    srv_polling::{Rescan, SrvPolling, SrvRecord},
    topology::{Effect, Topology, TopologySnapshot},
    topology_description::{MAX_WIRE_VERSION, MIN_WIRE_VERSION, TopologyDescription},
    types::{ServerType, TopologyType, TopologyVersion},
};
