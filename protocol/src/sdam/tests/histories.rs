//! Random histories: whatever comes in whatever order, certain things hold.

use std::{collections::BTreeMap, sync::Arc};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::*;
use crate::error::CommandError;

const HOSTS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// What a listener and a pool owner can see.
struct Observer {
    topology: Arc<TopologyDescription>,
    opened: Vec<ServerAddress>,
    generations: BTreeMap<ServerAddress, Generation>,
}

impl Observer {
    fn watch(&mut self, topology: &mut Topology) {
        while let Some(effect) = topology.poll_effect() {
            match effect {
                Effect::Publish(event) => self.hear(event),
                Effect::ServerAdded { address, .. } => {
                    assert!(!self.opened.contains(&address), "{address} was added twice");
                    self.opened.push(address);
                }
                Effect::ServerRemoved(address) => {
                    assert!(self.opened.contains(&address), "{address} was removed but is not there");
                    self.opened.retain(|own| *own != address);
                }
                Effect::ClearPool { address, generation, .. } => {
                    assert!(self.opened.contains(&address));
                    let known = self.generations.entry(address).or_default();
                    assert!(generation > *known, "generations only grow");
                    *known = generation;
                }
                Effect::MarkPoolReady(address)
                | Effect::RequestCheck(address)
                | Effect::CancelCheck(address)
                | Effect::PrimarySuperseded(address) => assert!(self.opened.contains(&address)),
                Effect::DescriptionReplaced => {}
            }
        }
        let description = topology.description();
        assert!(description.servers.keys().eq(sorted(&self.opened).iter()));
        assert_eq!(**description, *self.topology, "listeners know what the topology knows");
        check_description(description);
    }

    fn hear(&mut self, event: SdamEvent) {
        match event {
            SdamEvent::TopologyDescriptionChanged { previous, new, .. } => {
                assert_eq!(*previous, *self.topology, "a change begins where the one before ended");
                assert_ne!(*previous, *new);
                self.topology = new;
            }
            SdamEvent::ServerDescriptionChanged { address, previous, new, .. } => {
                assert_eq!(self.topology.server(&address), Some(&previous));
                assert_ne!(previous, new);
            }
            _ => {}
        }
    }
}

fn sorted(addresses: &[ServerAddress]) -> Vec<ServerAddress> {
    let mut addresses = addresses.to_vec();
    addresses.sort();
    addresses
}

fn check_description(description: &TopologyDescription) {
    let of_type = |wanted| description.servers.values().filter(|server| server.server_type == wanted).count();
    let primaries = of_type(ServerType::RsPrimary);
    match description.topology_type {
        TopologyType::ReplicaSetWithPrimary => assert_eq!(primaries, 1),
        TopologyType::ReplicaSetNoPrimary | TopologyType::Sharded | TopologyType::Unknown => assert_eq!(primaries, 0),
        _ => assert!(description.servers.len() <= 1),
    }
    // A single server is used whatever it turns out to be.
    if description.topology_type != TopologyType::Single {
        assert_eq!(of_type(ServerType::Standalone), 0);
        assert!(description.topology_type == TopologyType::Sharded || of_type(ServerType::Mongos) == 0);
    }
    for server in description.servers.values() {
        assert_eq!(server.round_trip_time.is_some(), server.is_known());
    }
}

fn some_hosts(rng: &mut StdRng) -> Vec<&'static str> {
    let count = rng.random_range(1..=HOSTS.len());
    HOSTS.choose_multiple(rng, count).copied().collect()
}

fn some_reply(rng: &mut StdRng) -> RawDocumentBuf {
    let kind = *["isWritablePrimary", "isWritablePrimary", "secondary", "arbiterOnly", "hidden"].choose(rng).unwrap();
    let hosts = some_hosts(rng);
    let mut reply = match rng.random_range(0..12) {
        0 => standalone(),
        1 => mongos(),
        2 => rawdoc! { "ok": 1, "isreplicaset": true, "maxWireVersion": 21 },
        _ => member(kind, &hosts),
    };
    if rng.random() {
        reply.append(bson::raw::cstr!("electionId"), object_id(rng.random_range(0..4)));
        reply.append(bson::raw::cstr!("setVersion"), rng.random_range(0..4));
    }
    match rng.random() {
        true => with_version(reply, rng.random_range(0..3), rng.random_range(0..5)),
        false => reply,
    }
}

fn some_failure(topology: &Topology, rng: &mut StdRng) -> ServerFailure {
    let address = address(HOSTS.choose(rng).unwrap());
    let code = *[10107, 91, 11600, 189, 18, 1].choose(rng).unwrap();
    let mut error = CommandError::new(code, "", "refused");
    error.topology_version = rng.random::<bool>().then(|| version(rng.random_range(0..3), rng.random_range(0..5)));
    let generation = topology.generation(&address, None).0;
    ServerFailure {
        address,
        phase: *[
            FailurePhase::EstablishingConnection,
            FailurePhase::Authenticating,
            FailurePhase::AfterHandshakeCompletes,
        ]
        .choose(rng)
        .unwrap(),
        kind: match rng.random_range(0..3) {
            0 => FailureKind::Network { timed_out: rng.random() },
            1 => FailureKind::Command(error.into()),
            _ => FailureKind::Other,
        },
        overloaded: rng.random_range(0..5) == 0,
        message: "broken".into(),
        generation: Generation(generation.saturating_sub(rng.random_range(0..2))),
        service_id: None,
        max_wire_version: 21,
    }
}

fn play(settings: &TopologySettings, rng: &mut StdRng) {
    let mut topology = Topology::new(settings.clone(), ObjectId::from_bytes(ID));
    let nothing = Arc::new(TopologyDescription::of_unknown(TopologyType::Unknown, []));
    let mut observer = Observer { topology: nothing, opened: Vec::new(), generations: BTreeMap::new() };
    topology.open();
    observer.watch(&mut topology);
    for _ in 0..40 {
        let host = address(HOSTS.choose(rng).unwrap());
        match rng.random_range(0..20) {
            0..10 => topology.server_checked(description(&host.host(), &some_reply(rng))),
            10..13 => topology.check_failed(&host, "refused", None, rng.random()),
            13..17 => {
                let failure = some_failure(&topology, rng);
                topology.operation_failed(&failure);
            }
            17 => {
                topology.pool_restarted(&host);
            }
            18 => {
                let hosts: Vec<_> = some_hosts(rng).into_iter().map(address).collect();
                topology.srv_updated(&hosts, rng);
            }
            _ => {
                topology = Topology::restored(settings.clone(), &topology.snapshot());
                observer.opened.clear();
                topology.open();
            }
        }
        observer.watch(&mut topology);
    }
    topology.close();
    observer.watch(&mut topology);
    assert!(observer.opened.is_empty());
}

#[test]
fn every_history_keeps_the_descriptions_whole() {
    let replica_set = TopologySettings { replica_set: Some("rs".into()), ..settings(&["a", "b"]) };
    let direct = TopologySettings { direct_connection: true, ..settings(&["a"]) };
    let limited = TopologySettings { srv_max_hosts: 2, ..settings(&["a", "b", "c"]) };
    for kind in [settings(&["a"]), settings(&["a", "b", "c"]), replica_set, direct, limited] {
        for seed in 0..300 {
            play(&kind, &mut StdRng::seed_from_u64(seed));
        }
    }
}
