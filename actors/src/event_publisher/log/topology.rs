//! Messages on the topology and its servers.

use bson::oid::ObjectId;
use mongo_actors_protocol::{
    event::{HeartbeatEvent, LogDocument},
    sdam::SdamEvent,
};
use tracing::debug;

use super::{TOPOLOGY, milliseconds};

pub(super) fn write(event: &SdamEvent) {
    match event {
        SdamEvent::TopologyOpening { topology_id } => {
            debug!(target: TOPOLOGY, topologyId = %topology_id, "Starting topology monitoring");
        }
        SdamEvent::TopologyClosed { topology_id } => {
            debug!(target: TOPOLOGY, topologyId = %topology_id, "Stopped topology monitoring");
        }
        SdamEvent::TopologyDescriptionChanged { topology_id, previous, new } => debug!(
            target: TOPOLOGY,
            topologyId = %topology_id,
            previousDescription = %previous,
            newDescription = %new,
            "Topology description changed"
        ),
        SdamEvent::ServerOpening { topology_id, address } => debug!(
            target: TOPOLOGY,
            topologyId = %topology_id,
            serverHost = &*address.host(),
            serverPort = address.port(),
            "Starting server monitoring"
        ),
        SdamEvent::ServerClosed { topology_id, address } => debug!(
            target: TOPOLOGY,
            topologyId = %topology_id,
            serverHost = &*address.host(),
            serverPort = address.port(),
            "Stopped server monitoring"
        ),
        // The change of the topology's description says it.
        SdamEvent::ServerDescriptionChanged { .. } => {}
    }
}

/// Writes the fields that all messages on checks have, and then some.
macro_rules! heartbeat {
    ($topology:expr, $event:expr, $($rest:tt)*) => {
        debug!(
            target: TOPOLOGY,
            topologyId = $topology.map(|id| id.to_hex()),
            serverHost = &*$event.server_address.host(),
            serverPort = $event.server_address.port(),
            driverConnectionId = $event.driver_connection_id,
            serverConnectionId = $event.server_connection_id,
            awaited = $event.awaited,
            $($rest)*
        )
    };
}

pub(super) fn write_heartbeat(event: &HeartbeatEvent, topology: Option<ObjectId>, max_len: usize) {
    match event {
        HeartbeatEvent::Started(event) => heartbeat!(topology, event, "Server heartbeat started"),
        HeartbeatEvent::Succeeded(event) => {
            let reply = LogDocument::new(event.reply.as_document(), max_len);
            let duration = milliseconds(event.duration);
            heartbeat!(topology, event, durationMS = duration, reply = %reply, "Server heartbeat succeeded");
        }
        HeartbeatEvent::Failed(event) => {
            let duration = milliseconds(event.duration);
            heartbeat!(topology, event, durationMS = duration, failure = &*event.failure, "Server heartbeat failed");
        }
        _ => {}
    }
}
