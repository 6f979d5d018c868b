//! Any history: whatever comes in whatever order, certain things hold.

use std::{collections::BTreeMap, sync::Arc};

use proptest::{collection::vec, option, prelude::*, sample::select};
use rand::{SeedableRng, rngs::StdRng};

use super::*;
use crate::error::CommandError;

const HOSTS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// One thing that happens to the topology.
#[derive(Clone, Debug)]
enum Step {
    Checked {
        host: &'static str,
        reply: Reply,
    },
    CheckFailed {
        host: &'static str,
        timed_out: bool,
    },
    Failed(Failed),
    PoolRestarted(&'static str),
    SrvUpdated {
        hosts: Vec<&'static str>,
        seed: u64,
    },
    /// Its actor crashes, and the next one begins with what was published.
    Crash,
}

/// A server's answer to `hello`.
#[derive(Clone, Debug)]
struct Reply {
    kind: Kind,
    hosts: Vec<&'static str>,
    /// `electionId` and `setVersion`.
    election: Option<(u8, i32)>,
    version: Option<(u8, i64)>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Standalone,
    Mongos,
    Ghost,
    Member(&'static str),
}

/// What an application's connection met.
#[derive(Clone, Debug)]
struct Failed {
    host: &'static str,
    phase: FailurePhase,
    kind: FailedKind,
    overloaded: bool,
    /// How many generations ago the connection was made.
    age: u32,
}

#[derive(Clone, Debug)]
enum FailedKind {
    Network { timed_out: bool },
    Command { code: i32, version: Option<(u8, i64)> },
    Other,
}

fn host() -> impl Strategy<Value = &'static str> {
    select(&HOSTS[..])
}

fn hosts() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(HOSTS.to_vec(), 1..=HOSTS.len())
}

fn kind() -> impl Strategy<Value = Kind> {
    // Most members claim to be the primary.
    const KINDS: [&str; 5] = ["isWritablePrimary", "isWritablePrimary", "secondary", "arbiterOnly", "hidden"];
    prop_oneof![
        1 => Just(Kind::Standalone),
        1 => Just(Kind::Mongos),
        1 => Just(Kind::Ghost),
        9 => select(&KINDS[..]).prop_map(Kind::Member),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    (kind(), hosts(), option::of((0..4_u8, 0..4)), option::of((0..3_u8, 0..5_i64)))
        .prop_map(|(kind, hosts, election, version)| Reply { kind, hosts, election, version })
}

fn failed() -> impl Strategy<Value = Failed> {
    use FailurePhase::{AfterHandshakeCompletes, Authenticating, EstablishingConnection};

    let kind = prop_oneof![
        any::<bool>().prop_map(|timed_out| FailedKind::Network { timed_out }),
        (select(&[10107, 91, 11600, 189, 18, 1][..]), option::of((0..3_u8, 0..5_i64)))
            .prop_map(|(code, version)| FailedKind::Command { code, version }),
        Just(FailedKind::Other),
    ];
    let phase = select(&[EstablishingConnection, Authenticating, AfterHandshakeCompletes][..]);
    (host(), phase, kind, prop::bool::weighted(0.2), 0..2_u32).prop_map(|(host, phase, kind, overloaded, age)| Failed {
        host,
        phase,
        kind,
        overloaded,
        age,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (host(), reply()).prop_map(|(host, reply)| Step::Checked { host, reply }),
        3 => (host(), any::<bool>()).prop_map(|(host, timed_out)| Step::CheckFailed { host, timed_out }),
        4 => failed().prop_map(Step::Failed),
        1 => host().prop_map(Step::PoolRestarted),
        1 => (hosts(), any::<u64>()).prop_map(|(hosts, seed)| Step::SrvUpdated { hosts, seed }),
        1 => Just(Step::Crash),
    ]
}

impl Reply {
    fn document(&self) -> RawDocumentBuf {
        let mut reply = match self.kind {
            Kind::Standalone => standalone(),
            Kind::Mongos => mongos(),
            Kind::Ghost => rawdoc! { "ok": 1, "isreplicaset": true, "maxWireVersion": 21 },
            Kind::Member(kind) => member(kind, &self.hosts),
        };
        if let Some((election_id, set_version)) = self.election {
            reply.append(bson::raw::cstr!("electionId"), object_id(election_id));
            reply.append(bson::raw::cstr!("setVersion"), set_version);
        }
        match self.version {
            Some((process, counter)) => with_version(reply, process, counter),
            None => reply,
        }
    }
}

impl Failed {
    fn failure(&self, topology: &Topology) -> ServerFailure {
        let address = address(self.host);
        let generation = topology.generation(&address, None).0;
        let kind = match self.kind {
            FailedKind::Network { timed_out } => FailureKind::Network { timed_out },
            FailedKind::Command { code, version: known } => {
                let mut error = CommandError::new(code, "", "refused");
                error.topology_version = known.map(|(process, counter)| version(process, counter));
                FailureKind::Command(error.into())
            }
            FailedKind::Other => FailureKind::Other,
        };
        ServerFailure {
            address,
            phase: self.phase,
            kind,
            overloaded: self.overloaded,
            message: "broken".into(),
            generation: Generation(generation.saturating_sub(self.age)),
            service_id: None,
            max_wire_version: 21,
        }
    }
}

/// What a listener and a pool owner can see.
struct Observer {
    topology: Arc<TopologyDescription>,
    opened: Vec<ServerAddress>,
    generations: BTreeMap<ServerAddress, Generation>,
    closing: bool,
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
                // Whoever closes says last that nothing is known any more.
                if !self.closing {
                    check_transition(previous.topology_type, new.topology_type);
                }
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

/// Which type follows which, by the table of the specification.
fn check_transition(from: TopologyType, to: TopologyType) {
    use TopologyType::{ReplicaSetNoPrimary, ReplicaSetWithPrimary, Unknown};

    let legal = match from {
        Unknown => to != TopologyType::LoadBalanced,
        ReplicaSetNoPrimary | ReplicaSetWithPrimary => matches!(to, ReplicaSetNoPrimary | ReplicaSetWithPrimary),
        _ => to == from,
    };
    assert!(legal, "{from:?} became {to:?}");
}

/// A failure of another age changes nothing: what it tells is known already, or was overtaken.
fn fail(topology: &mut Topology, failed: &Failed) {
    let failure = failed.failure(topology);
    let known = topology.generation(&failure.address, None);
    let before = topology.description().clone();
    let verdict = topology.operation_failed(&failure);
    if failure.generation < known || before.server(&failure.address).is_none() {
        assert_eq!(verdict, Verdict::Stale);
    }
    if matches!(verdict, Verdict::Stale | Verdict::Ignored) {
        assert!(topology.poll_effect().is_none(), "{verdict:?}, and yet something follows");
        assert_eq!(before, *topology.description());
        assert_eq!(topology.generation(&failure.address, None), known);
    }
}

fn play(settings: &TopologySettings, steps: &[Step]) {
    let mut topology = Topology::new(settings.clone(), ObjectId::from_bytes(ID));
    let nothing = Arc::new(TopologyDescription::of_unknown(TopologyType::Unknown, []));
    let (opened, generations) = (Vec::new(), BTreeMap::new());
    let mut observer = Observer { topology: nothing, opened, generations, closing: false };
    topology.open();
    observer.watch(&mut topology);
    for step in steps {
        match step {
            Step::Checked { host, reply } => topology.server_checked(description(host, &reply.document())),
            Step::CheckFailed { host, timed_out } => {
                topology.check_failed(&address(host), "refused", None, *timed_out);
            }
            Step::Failed(failed) => fail(&mut topology, failed),
            Step::PoolRestarted(host) => {
                topology.pool_restarted(&address(host));
            }
            Step::SrvUpdated { hosts, seed } => {
                let hosts: Vec<_> = hosts.iter().copied().map(address).collect();
                topology.srv_updated(&hosts, &mut StdRng::seed_from_u64(*seed));
            }
            Step::Crash => {
                topology = Topology::restored(settings.clone(), &topology.snapshot());
                observer.opened.clear();
                topology.open();
            }
        }
        observer.watch(&mut topology);
    }
    observer.closing = true;
    topology.close();
    observer.watch(&mut topology);
    assert!(observer.opened.is_empty());
}

fn any_settings() -> impl Strategy<Value = TopologySettings> {
    let replica_set = TopologySettings { replica_set: Some("rs".into()), ..settings(&["a", "b"]) };
    let direct = TopologySettings { direct_connection: true, ..settings(&["a"]) };
    let limited = TopologySettings { srv_max_hosts: 2, ..settings(&["a", "b", "c"]) };
    select(vec![settings(&["a"]), settings(&["a", "b", "c"]), replica_set, direct, limited])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_history_keeps_the_descriptions_whole(settings in any_settings(), steps in vec(step(), 0..60)) {
        play(&settings, &steps);
    }
}
