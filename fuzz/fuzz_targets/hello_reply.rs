//! Replies to hello, one document after the other, and what the topology makes of them.

#![no_main]

use std::{sync::OnceLock, time::Instant};

use bson::{RawDocument, oid::ObjectId};
use libfuzzer_sys::fuzz_target;
use mongo_actors_protocol::{
    handshake::HandshakeReply,
    options::ClientOptions,
    sdam::{HelloReply, RoundTripTime, ServerDescription, ServerType, Topology, TopologySettings, TopologyType},
    wire::{Documents, ReplyBody},
};

const URIS: [&str; 5] = [
    "mongodb://a,b,c",
    "mongodb://a/?directConnection=true",
    "mongodb://a,b/?replicaSet=rs",
    "mongodb://a/?loadBalanced=true",
    "mongodb://a",
];

fn settings(choice: u8) -> TopologySettings {
    static SETTINGS: OnceLock<Vec<TopologySettings>> = OnceLock::new();
    let all = SETTINGS.get_or_init(|| {
        URIS.iter().map(|uri| TopologySettings::from(&ClientOptions::parse(uri).expect("a good URI"))).collect()
    });
    all[usize::from(choice) % all.len()].clone()
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, documents)) = data.split_first() else { return };
    let mut topology = Topology::new(settings(*choice), ObjectId::from_bytes([7; 12]));
    topology.open();
    while topology.poll_effect().is_some() {}
    for (turn, document) in Documents::new(documents).map_while(Result::ok).take(8).enumerate() {
        observe(&mut topology, document, turn);
    }
});

fn observe(topology: &mut Topology, document: &RawDocument, turn: usize) {
    // Only what the wire lets through gets this far.
    let Ok(body) = ReplyBody::try_from(bytes::Bytes::copy_from_slice(document.as_bytes())) else { return };
    for load_balanced in [false, true] {
        if let Ok(reply) = HandshakeReply::read(body.as_document(), load_balanced) {
            assert!(reply.limits.max_bson_object_size <= reply.limits.max_message_size);
            assert!(reply.limits.max_message_size <= mongo_actors_protocol::handshake::SizeLimits::MAX_SIZE);
        }
    }
    let Ok(reply) = HelloReply::from_document(body.as_document()) else { return };
    let Some(address) = topology.description().servers.keys().nth(turn % 3).cloned() else { return };
    let rtt = RoundTripTime::default();
    let description = ServerDescription::from_hello(address, &reply, Instant::now(), rtt);
    let _shown = (format!("{description:?}"), topology.description().to_string());
    topology.server_checked(description);
    let mut effects = 0;
    while topology.poll_effect().is_some() {
        effects += 1;
        assert!(effects < 100_000, "the topology never comes to rest");
    }
    let description = topology.description();
    let primaries = description.servers.values().filter(|server| server.server_type == ServerType::RsPrimary).count();
    match description.topology_type {
        TopologyType::ReplicaSetWithPrimary => assert_eq!(primaries, 1),
        TopologyType::Single => {}
        _ => assert_eq!(primaries, 0),
    }
}
