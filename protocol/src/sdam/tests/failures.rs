use std::sync::Arc;

use super::*;
use crate::error::{CommandError, labels};

fn network(phase: FailurePhase) -> ServerFailure {
    ServerFailure {
        address: address("a"),
        phase,
        kind: FailureKind::Network { timed_out: false },
        overloaded: false,
        message: "broken pipe".into(),
        generation: Generation(0),
        service_id: None,
        max_wire_version: 21,
    }
}

fn command(code: i32, phase: FailurePhase) -> ServerFailure {
    let error = Arc::new(CommandError::new(code, "", "refused"));
    ServerFailure { kind: FailureKind::Command(error), ..network(phase) }
}

fn known() -> Topology {
    let mut topology = opened(settings(&["a"]));
    check(&mut topology, "a", standalone());
    topology
}

fn load_balancer() -> Topology {
    opened(TopologySettings { load_balanced: true, ..settings(&["a"]) })
}

use FailurePhase::{AfterHandshakeCompletes, Authenticating, EstablishingConnection};

#[test]
fn a_broken_connection_clears_the_pool_and_cancels_the_check() {
    let mut topology = known();
    assert_eq!(topology.operation_failed(&network(AfterHandshakeCompletes)), Verdict::ServerFailed);
    let effects = drain(&mut topology);
    let actions: Vec<&Effect> = effects.iter().filter(|effect| !is_published(effect)).collect();
    let clear = Effect::ClearPool {
        address: address("a"),
        generation: Generation(1),
        service_id: None,
        interrupt_in_use: false,
    };
    assert_eq!(actions, [&Effect::DescriptionReplaced, &clear, &Effect::CancelCheck(address("a"))]);
    let server = topology.description().server(&address("a")).unwrap();
    assert_eq!(server.error.as_deref(), Some("broken pipe"));
    // The second connection of the same generation tells nothing new.
    assert_eq!(topology.operation_failed(&network(AfterHandshakeCompletes)), Verdict::Stale);
    assert_eq!(topology.poll_effect(), None);
}

#[test]
fn silence_counts_only_before_the_handshake_completes() {
    let timeout = |phase| ServerFailure { kind: FailureKind::Network { timed_out: true }, ..network(phase) };
    assert_eq!(known().operation_failed(&timeout(AfterHandshakeCompletes)), Verdict::Ignored);
    assert_eq!(known().operation_failed(&timeout(Authenticating)), Verdict::ServerFailed);
}

#[test]
fn signs_of_overload_are_ignored() {
    let overloaded = ServerFailure { overloaded: true, ..network(EstablishingConnection) };
    assert_eq!(known().operation_failed(&overloaded), Verdict::Ignored);
    let mut error = CommandError::new(462, "IngressRequestRateLimitExceeded", "later");
    error.labels.add(labels::SYSTEM_OVERLOADED_ERROR);
    let refused = ServerFailure { kind: FailureKind::Command(error.into()), ..network(Authenticating) };
    assert_eq!(known().operation_failed(&refused), Verdict::Ignored);
}

#[test]
fn what_cannot_be_overload_marks_the_server_unknown() {
    let certificate = ServerFailure { kind: FailureKind::Other, ..network(EstablishingConnection) };
    assert_eq!(known().operation_failed(&certificate), Verdict::ServerFailed);
    assert_eq!(known().operation_failed(&command(18, Authenticating)), Verdict::ServerFailed);
    assert_eq!(known().operation_failed(&command(18, AfterHandshakeCompletes)), Verdict::Ignored);
}

#[test]
fn a_state_change_asks_for_a_check_and_clears_only_on_shutdown() {
    let mut topology = known();
    let verdict = topology.operation_failed(&command(10107, AfterHandshakeCompletes));
    assert_eq!(verdict, Verdict::StateChanged { pool_cleared: false });
    let effects = drain(&mut topology);
    assert_eq!(effects.last(), Some(&Effect::RequestCheck(address("a"))));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::ClearPool { .. } | Effect::CancelCheck(_))));

    let mut topology = known();
    let verdict = topology.operation_failed(&command(91, Authenticating));
    assert_eq!(verdict, Verdict::StateChanged { pool_cleared: true });
    assert_eq!(topology.generation(&address("a"), None), Generation(1));
}

#[test]
fn an_error_is_stale_unless_its_topology_version_is_newer() {
    let mut topology = opened(settings(&["a"]));
    check(&mut topology, "a", with_version(standalone(), 1, 5));
    let mut fail = |process, counter| {
        let mut error = CommandError::new(10107, "", "not primary");
        error.topology_version = Some(version(process, counter));
        let kind = FailureKind::Command(error.into());
        let generation = topology.generation(&address("a"), None);
        topology.operation_failed(&ServerFailure { kind, generation, ..network(AfterHandshakeCompletes) })
    };
    assert_eq!(fail(1, 4), Verdict::Stale);
    assert_eq!(fail(1, 5), Verdict::Stale);
    assert_eq!(fail(1, 6), Verdict::StateChanged { pool_cleared: false });
    // The version of the error is remembered, so that its echo on another connection is stale.
    assert_eq!(fail(1, 6), Verdict::Stale);
    assert_eq!(fail(2, 0), Verdict::StateChanged { pool_cleared: false });
}

#[test]
fn a_check_is_stale_if_its_topology_version_is_older() {
    let mut topology = opened(settings(&["a"]));
    check(&mut topology, "a", with_version(standalone(), 1, 5));
    assert!(check(&mut topology, "a", with_version(mongos(), 1, 4)).is_empty());
    assert!(!check(&mut topology, "a", with_version(standalone(), 1, 5)).is_empty());
    // A restarted process counts anew, and a failure without a version is always news.
    assert!(!check(&mut topology, "a", with_version(standalone(), 2, 0)).is_empty());
    topology.check_failed(&address("a"), "refused", Some(version(2, -1)), false);
    assert!(drain(&mut topology).is_empty());
    topology.check_failed(&address("a"), "refused", None, false);
    assert_eq!(type_of(&topology, "a"), ServerType::Unknown);
}

#[test]
fn behind_a_load_balancer_only_the_service_is_cleared() {
    let mut topology = load_balancer();
    let (one, other) = (Some(object_id(1)), Some(object_id(2)));
    let broken = ServerFailure { service_id: one, ..network(AfterHandshakeCompletes) };
    assert_eq!(topology.operation_failed(&broken), Verdict::ServerFailed);
    let clear = Effect::ClearPool {
        address: address("a"),
        generation: Generation(1),
        service_id: one,
        interrupt_in_use: false,
    };
    assert_eq!(drain(&mut topology), [clear]);
    assert_eq!(type_of(&topology, "a"), ServerType::LoadBalancer);
    assert_eq!(topology.generation(&address("a"), one), Generation(1));
    assert_eq!(topology.generation(&address("a"), other), Generation(0));
    assert_eq!(topology.generation(&address("a"), None), Generation(0));

    // The old generation of one service is not that of the other.
    assert_eq!(topology.operation_failed(&broken), Verdict::Stale);
    let shutdown = ServerFailure { service_id: other, ..command(11600, AfterHandshakeCompletes) };
    assert_eq!(topology.operation_failed(&shutdown), Verdict::StateChanged { pool_cleared: true });
    let stepdown =
        ServerFailure { service_id: one, generation: Generation(1), ..command(189, AfterHandshakeCompletes) };
    assert_eq!(topology.operation_failed(&stepdown), Verdict::StateChanged { pool_cleared: false });
    assert_eq!(topology.description().topology_type, TopologyType::LoadBalanced);
}

#[test]
fn behind_a_load_balancer_errors_before_hello_tell_nothing() {
    let mut topology = load_balancer();
    assert_eq!(topology.operation_failed(&network(EstablishingConnection)), Verdict::Ignored);
    assert_eq!(topology.poll_effect(), None);
    let auth = ServerFailure { service_id: Some(object_id(1)), ..command(18, Authenticating) };
    assert_eq!(topology.operation_failed(&auth), Verdict::ServerFailed);
}

#[test]
fn generations_of_services_outlive_a_crash() {
    let mut topology = load_balancer();
    let service_id = Some(object_id(1));
    topology.operation_failed(&ServerFailure { service_id, ..network(AfterHandshakeCompletes) });
    let settings = TopologySettings { load_balanced: true, ..settings(&["a"]) };
    let restored = Topology::restored(settings, &topology.snapshot());
    assert_eq!(restored.generation(&address("a"), service_id), Generation(2));
    assert_eq!(restored.generations(&address("a")).get(None), Generation(1));
}

#[test]
fn errors_of_unknown_or_removed_servers_are_stale() {
    let mut topology = known();
    let elsewhere = ServerFailure { address: address("b"), ..network(AfterHandshakeCompletes) };
    assert_eq!(topology.operation_failed(&elsewhere), Verdict::Stale);
    topology.close();
    drain(&mut topology);
    assert_eq!(topology.operation_failed(&network(AfterHandshakeCompletes)), Verdict::Stale);
    assert_eq!(topology.poll_effect(), None);
}
