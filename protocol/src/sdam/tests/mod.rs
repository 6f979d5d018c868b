//! The topology machine, through its inputs: histories that the specification's files do not tell.

mod failures;
mod hello;
mod histories;
mod lifecycle;
mod replica_set;
mod srv;

use std::time::{Duration, Instant};

use bson::{RawDocumentBuf, doc, oid::ObjectId, rawdoc};

use super::*;
use crate::address::ServerAddress;

const ID: [u8; 12] = [9; 12];

fn address(text: &str) -> ServerAddress {
    text.parse().unwrap()
}

fn object_id(byte: u8) -> ObjectId {
    ObjectId::from_bytes([byte; 12])
}

#[expect(clippy::disallowed_methods, reason = "an instant cannot be made from nothing")]
fn epoch() -> Instant {
    static EPOCH: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

fn settings(seeds: &[&str]) -> TopologySettings {
    TopologySettings::new(seeds.iter().map(|seed| address(seed)))
}

fn opened(settings: TopologySettings) -> Topology {
    let mut topology = Topology::new(settings, ObjectId::from_bytes(ID));
    topology.open();
    drain(&mut topology);
    topology
}

fn drain(topology: &mut Topology) -> Vec<Effect> {
    std::iter::from_fn(|| topology.poll_effect()).collect()
}

fn description(from: &str, reply: &RawDocumentBuf) -> ServerDescription {
    let reply = HelloReply::from_document(reply).unwrap();
    let rtt = RoundTripTime { average: Duration::from_millis(3), minimum: Duration::from_millis(2) };
    ServerDescription::from_hello(address(from), &reply, epoch(), rtt)
}

fn check(topology: &mut Topology, from: &str, reply: RawDocumentBuf) -> Vec<Effect> {
    topology.server_checked(description(from, &reply));
    drain(topology)
}

fn standalone() -> RawDocumentBuf {
    rawdoc! { "ok": 1, "isWritablePrimary": true, "maxWireVersion": 21 }
}

fn mongos() -> RawDocumentBuf {
    rawdoc! { "ok": 1, "isWritablePrimary": true, "msg": "isdbgrid", "maxWireVersion": 21 }
}

fn member(kind: &str, hosts: &[&str]) -> RawDocumentBuf {
    let reply = doc! { "ok": 1, kind: true, "setName": "rs", "hosts": hosts, "maxWireVersion": 21 };
    RawDocumentBuf::try_from(&reply).unwrap()
}

fn primary(hosts: &[&str]) -> RawDocumentBuf {
    member("isWritablePrimary", hosts)
}

fn version(process: u8, counter: i64) -> TopologyVersion {
    TopologyVersion { process_id: object_id(process), counter }
}

fn with_version(mut reply: RawDocumentBuf, process: u8, counter: i64) -> RawDocumentBuf {
    reply.append(bson::raw::cstr!("topologyVersion"), version(process, counter).to_document());
    reply
}

fn type_of(topology: &Topology, server: &str) -> ServerType {
    topology.description().server(&address(server)).map_or(ServerType::Unknown, |server| server.server_type)
}

fn is_published(effect: &Effect) -> bool {
    matches!(effect, Effect::Publish(_))
}
