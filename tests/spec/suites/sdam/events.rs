//! Compares the published events with those that a phase expects.

use bson::oid::ObjectId;
use libtest_mimic::Failed;
use mongo_actors_protocol::sdam::{SdamEvent, ServerDescription, TopologyDescription};
use serde_json::{Value, json};

use super::outcome::{check_field, object, same};

pub(super) fn check(events: &[SdamEvent], expected: &Value) -> Result<(), Failed> {
    let expected = expected.as_array().ok_or("the expected events are no array")?;
    let names: Vec<&str> = events.iter().map(name).collect();
    if events.len() != expected.len() {
        return Err(format!("there are {} events, not {}: {names:?}", events.len(), expected.len()).into());
    }
    for (index, (event, expected)) in events.iter().zip(expected).enumerate() {
        let (expected_name, fields) = object(expected)?.iter().next().ok_or("an expected event without a name")?;
        if name(event) != expected_name {
            return Err(format!("event {index} is {}, not {expected_name}; all of them: {names:?}", name(event)).into());
        }
        for (key, value) in object(fields)? {
            check_event_field(&format!("event {index} ({expected_name}): {key}"), event, key, value)?;
        }
    }
    Ok(())
}

/// The topology that an event names.
pub(super) fn topology_id(event: &SdamEvent) -> ObjectId {
    match event {
        SdamEvent::TopologyOpening { topology_id }
        | SdamEvent::TopologyClosed { topology_id }
        | SdamEvent::TopologyDescriptionChanged { topology_id, .. }
        | SdamEvent::ServerOpening { topology_id, .. }
        | SdamEvent::ServerClosed { topology_id, .. }
        | SdamEvent::ServerDescriptionChanged { topology_id, .. } => *topology_id,
    }
}

fn name(event: &SdamEvent) -> &'static str {
    match event {
        SdamEvent::TopologyOpening { .. } => "topology_opening_event",
        SdamEvent::TopologyDescriptionChanged { .. } => "topology_description_changed_event",
        SdamEvent::TopologyClosed { .. } => "topology_closed_event",
        SdamEvent::ServerOpening { .. } => "server_opening_event",
        SdamEvent::ServerDescriptionChanged { .. } => "server_description_changed_event",
        SdamEvent::ServerClosed { .. } => "server_closed_event",
    }
}

fn check_event_field(what: &str, event: &SdamEvent, key: &str, expected: &Value) -> Result<(), Failed> {
    match (event, key) {
        // The files write a number of their own; that all events name one topology is checked elsewhere.
        (_, "topologyId") => Ok(()),
        (SdamEvent::ServerOpening { address, .. } | SdamEvent::ServerClosed { address, .. }, "address")
        | (SdamEvent::ServerDescriptionChanged { address, .. }, "address") => {
            same(what, &json!(address.to_string()), expected)
        }
        (SdamEvent::ServerDescriptionChanged { previous, .. }, "previousDescription") => {
            check_server(what, previous, expected)
        }
        (SdamEvent::ServerDescriptionChanged { new, .. }, "newDescription") => check_server(what, new, expected),
        (SdamEvent::TopologyDescriptionChanged { previous, .. }, "previousDescription") => {
            check_topology(what, previous, expected)
        }
        (SdamEvent::TopologyDescriptionChanged { new, .. }, "newDescription") => check_topology(what, new, expected),
        _ => Err(format!("{what} is not known").into()),
    }
}

fn check_server(what: &str, server: &ServerDescription, expected: &Value) -> Result<(), Failed> {
    for (key, value) in object(expected)? {
        check_field(&format!("{what}.{key}"), key, server, value)?;
    }
    Ok(())
}

fn check_topology(what: &str, topology: &TopologyDescription, expected: &Value) -> Result<(), Failed> {
    for (key, value) in object(expected)? {
        let what = format!("{what}.{key}");
        match key.as_str() {
            "topologyType" => same(&what, &json!(topology.topology_type.name()), value)?,
            "setName" => same(&what, &json!(topology.set_name), value)?,
            "servers" => check_servers(&what, topology, value)?,
            _ => return Err(format!("{what} is not known").into()),
        }
    }
    Ok(())
}

fn check_servers(what: &str, topology: &TopologyDescription, expected: &Value) -> Result<(), Failed> {
    let expected = expected.as_array().ok_or("the expected servers are no array")?;
    if expected.len() != topology.servers.len() {
        return Err(format!("{what}: the topology is {topology}, but should have {} servers", expected.len()).into());
    }
    for server in expected {
        let address = server["address"].as_str().ok_or("an expected server without an address")?;
        let found =
            topology.server(&address.parse()?).ok_or_else(|| Failed::from(format!("{what}: {address} is missing")))?;
        check_server(&format!("{what}.{address}"), found, server)?;
    }
    Ok(())
}
