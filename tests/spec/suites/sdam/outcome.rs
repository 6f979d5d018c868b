//! Compares the topology with the outcome of a phase.

use bson::{Bson, oid::ObjectId};
use libtest_mimic::Failed;
use mongo_actors_protocol::{
    address::ServerAddress,
    sdam::{ServerDescription, Topology},
};
use serde_json::{Value, json};

pub(super) fn check(topology: &Topology, outcome: &Value) -> Result<(), Failed> {
    let description = topology.description();
    for (key, expected) in object(outcome)? {
        match key.as_str() {
            "servers" => check_servers(topology, expected)?,
            "topologyType" => same(key, &json!(description.topology_type.name()), expected)?,
            "setName" => same(key, &json!(description.set_name), expected)?,
            "logicalSessionTimeoutMinutes" => {
                same(key, &json!(description.logical_session_timeout_minutes), expected)?;
            }
            "maxSetVersion" => same(key, &json!(description.max_set_version), expected)?,
            "maxElectionId" => same(key, &object_id(description.max_election_id), expected)?,
            "compatible" => same(key, &json!(description.is_compatible()), expected)?,
            unknown => return Err(format!("unknown outcome: {unknown}").into()),
        }
    }
    Ok(())
}

fn check_servers(topology: &Topology, expected: &Value) -> Result<(), Failed> {
    let servers = &topology.description().servers;
    let expected = object(expected)?;
    let mut addresses: Vec<ServerAddress> = Vec::new();
    for (address, server) in expected {
        let address: ServerAddress = address.parse()?;
        let found = servers.get(&address).ok_or_else(|| Failed::from(format!("{address} is not there")))?;
        for (key, value) in object(server)? {
            let what = format!("{address}.{key}");
            match key.as_str() {
                "pool" => {
                    let generation = topology.generation(&address, None).0;
                    same(&what, &json!({ "generation": generation }), value)?;
                }
                _ => check_field(&what, key, found, value)?,
            }
        }
        addresses.push(address);
    }
    match servers.keys().find(|address| !addresses.contains(address)) {
        Some(address) => Err(format!("{address} should not be there").into()),
        None => Ok(()),
    }
}

/// Compares one field of a server's description.
pub(super) fn check_field(what: &str, key: &str, server: &ServerDescription, expected: &Value) -> Result<(), Failed> {
    let found = match key {
        "error" => {
            let text = expected.as_str().ok_or("an expected error is no text")?;
            let error = server.error.as_deref().unwrap_or_default();
            let message = || Failed::from(format!("{what}: \"{error}\" does not contain \"{text}\""));
            return error.contains(text).then_some(()).ok_or_else(message);
        }
        // To drivers that check all servers at the same time, a possible primary is merely unknown.
        "type" if expected == "PossiblePrimary" => {
            return same(what, &json!(server.server_type.name()), &json!("Unknown"));
        }
        "type" => json!(server.server_type.name()),
        "address" => json!(server.address.to_string()),
        "setName" => json!(server.set_name),
        "setVersion" => json!(server.set_version),
        "electionId" => object_id(server.election_id),
        "logicalSessionTimeoutMinutes" => json!(server.logical_session_timeout_minutes),
        "minWireVersion" => wire_version(server.min_wire_version, expected),
        "maxWireVersion" => wire_version(server.max_wire_version, expected),
        "topologyVersion" => match server.topology_version {
            None => Value::Null,
            Some(version) => json!({
                "processId": object_id(Some(version.process_id)),
                "counter": { "$numberLong": version.counter.to_string() },
            }),
        },
        "hosts" => addresses(&server.hosts),
        "passives" => addresses(&server.passives),
        "arbiters" => addresses(&server.arbiters),
        "primary" => json!(server.primary.as_ref().map(ToString::to_string)),
        "me" => json!(server.me.as_ref().map(ToString::to_string)),
        "tags" => json!(server.tags),
        unknown => return Err(format!("unknown field of a server: {unknown}").into()),
    };
    same(what, &found, expected)
}

/// Compares as extended JSON does, so that every way to write a number counts as the same.
pub(super) fn same(what: &str, found: &Value, expected: &Value) -> Result<(), Failed> {
    if plain(found)? == plain(expected)? {
        return Ok(());
    }
    Err(format!("{what} is {found}, not {expected}").into())
}

fn plain(value: &Value) -> Result<Bson, Failed> {
    let bson: Bson = serde_json::from_value(value.clone())?;
    Ok(widened(bson))
}

fn widened(value: Bson) -> Bson {
    match value {
        Bson::Int32(number) => Bson::Int64(number.into()),
        Bson::Document(document) => {
            Bson::Document(document.into_iter().map(|(key, value)| (key, widened(value))).collect())
        }
        Bson::Array(array) => Bson::Array(array.into_iter().map(widened).collect()),
        other => other,
    }
}

pub(super) fn object(value: &Value) -> Result<&serde_json::Map<String, Value>, Failed> {
    value.as_object().ok_or_else(|| Failed::from(format!("{value} is no object")))
}

/// A version that no server told is 0 in a description, and null in some of the files.
fn wire_version(version: i32, expected: &Value) -> Value {
    if version == 0 && expected.is_null() { Value::Null } else { json!(version) }
}

fn addresses(addresses: &[ServerAddress]) -> Value {
    addresses.iter().map(ToString::to_string).collect()
}

fn object_id(id: Option<ObjectId>) -> Value {
    id.map_or(Value::Null, |id| json!({ "$oid": id.to_hex() }))
}
