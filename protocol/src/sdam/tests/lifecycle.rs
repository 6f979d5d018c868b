use super::*;

fn load_balanced() -> TopologySettings {
    TopologySettings { load_balanced: true, ..settings(&["lb"]) }
}

#[test]
fn the_first_type_follows_from_the_settings() {
    let kind = |change: fn(&mut TopologySettings)| {
        let mut settings = settings(&["a"]);
        change(&mut settings);
        settings.initial_topology_type()
    };
    assert_eq!(kind(|_| ()), TopologyType::Unknown);
    assert_eq!(kind(|settings| settings.replica_set = Some("rs".into())), TopologyType::ReplicaSetNoPrimary);
    assert_eq!(kind(|settings| settings.direct_connection = true), TopologyType::Single);
    assert_eq!(
        kind(|settings| {
            settings.direct_connection = true;
            settings.replica_set = Some("rs".into());
        }),
        TopologyType::Single
    );
    assert_eq!(kind(|settings| settings.load_balanced = true), TopologyType::LoadBalanced);
}

#[test]
fn seeds_are_listed_before_it_opens_and_opening_twice_does_nothing() {
    let mut topology = Topology::new(settings(&["a", "b"]), object_id(1));
    assert_eq!(topology.description().servers.len(), 2);
    assert_eq!(topology.poll_effect(), None);
    topology.open();
    let effects = drain(&mut topology);
    assert!(matches!(effects[0], Effect::Publish(SdamEvent::TopologyOpening { .. })));
    assert!(matches!(effects[1], Effect::Publish(SdamEvent::TopologyDescriptionChanged { .. })));
    // A server's opening is published before its monitor is created.
    assert!(matches!(effects[2], Effect::Publish(SdamEvent::ServerOpening { .. })));
    assert_eq!(effects[3], Effect::ServerAdded { address: address("a"), monitored: true });
    topology.open();
    assert_eq!(topology.poll_effect(), None);
}

#[test]
fn a_load_balancer_is_there_at_once_and_never_checked() {
    let mut topology = Topology::new(load_balanced(), object_id(1));
    topology.open();
    let effects = drain(&mut topology);
    assert!(effects.contains(&Effect::ServerAdded { address: address("lb"), monitored: false }));
    assert!(effects.contains(&Effect::MarkPoolReady(address("lb"))));
    assert_eq!(type_of(&topology, "lb"), ServerType::LoadBalancer);
    assert!(check(&mut topology, "lb", standalone()).is_empty());
    topology.check_failed(&address("lb"), "broken", None, false);
    assert!(drain(&mut topology).is_empty());
    assert!(topology.description().supports_sessions() && topology.description().is_compatible());
}

#[test]
fn closing_removes_the_servers_before_the_topology_ends() {
    let mut topology = opened(settings(&["a", "b"]));
    topology.close();
    let effects = drain(&mut topology);
    let removed = effects.iter().filter(|effect| matches!(effect, Effect::ServerRemoved(_))).count();
    assert_eq!(removed, 2);
    let events: Vec<&Effect> = effects.iter().filter(|effect| is_published(effect)).collect();
    let [closed_a, closed_b, changed, ended] = events[..] else { panic!("{events:?}") };
    assert!(matches!(closed_a, Effect::Publish(SdamEvent::ServerClosed { .. })));
    assert!(matches!(closed_b, Effect::Publish(SdamEvent::ServerClosed { .. })));
    let Effect::Publish(SdamEvent::TopologyDescriptionChanged { new, .. }) = changed else { panic!("{changed:?}") };
    assert_eq!(new.topology_type, TopologyType::Unknown);
    assert!(new.servers.is_empty());
    assert!(matches!(ended, Effect::Publish(SdamEvent::TopologyClosed { .. })));
    topology.close();
    assert!(check(&mut topology, "a", standalone()).is_empty());
}

#[test]
fn an_equal_reply_replaces_the_description_without_an_event() {
    let mut topology = opened(settings(&["a"]));
    check(&mut topology, "a", standalone());
    let mut again = description("a", &standalone());
    again.round_trip_time = Some(Duration::from_secs(1));
    topology.server_checked(again);
    let effects = drain(&mut topology);
    assert_eq!(effects, [Effect::MarkPoolReady(address("a")), Effect::DescriptionReplaced]);
    let server = topology.description().server(&address("a")).unwrap();
    assert_eq!(server.round_trip_time, Some(Duration::from_secs(1)));
}

#[test]
fn the_pool_is_ready_before_the_server_can_be_selected_and_cleared_after_it_is_unknown() {
    let mut topology = opened(settings(&["a"]));
    let effects = check(&mut topology, "a", standalone());
    assert_eq!(effects[0], Effect::MarkPoolReady(address("a")));
    topology.check_failed(&address("a"), "silence", None, true);
    let effects = drain(&mut topology);
    let position = |wanted: &dyn Fn(&Effect) -> bool| effects.iter().position(wanted).unwrap();
    let replaced = position(&|effect| *effect == Effect::DescriptionReplaced);
    let cleared = position(&|effect| matches!(effect, Effect::ClearPool { interrupt_in_use: true, .. }));
    assert!(replaced < cleared);
    assert_eq!(topology.description().server(&address("a")).unwrap().round_trip_time, None);
}

#[test]
fn a_restored_topology_keeps_what_orders_its_knowledge() {
    let mut topology = opened(TopologySettings { replica_set: Some("rs".into()), ..settings(&["a"]) });
    let mut reply = primary(&["a", "b"]);
    reply.append(bson::raw::cstr!("electionId"), object_id(5));
    reply.append(bson::raw::cstr!("setVersion"), 3);
    check(&mut topology, "a", reply.clone());
    topology.check_failed(&address("b"), "refused", None, false);
    topology.advance_cluster_time(&rawdoc! { "clusterTime": bson::Timestamp { time: 8, increment: 1 } });
    drain(&mut topology);

    let snapshot = topology.snapshot();
    let mut topology = Topology::restored(settings(&["a"]), &snapshot);
    assert_eq!(topology.id(), ObjectId::from_bytes(ID));
    topology.open();
    let effects = drain(&mut topology);
    let added = effects.iter().filter(|effect| matches!(effect, Effect::ServerAdded { .. })).count();
    assert_eq!(added, 2);
    assert!(!effects.iter().any(|effect| matches!(
        effect,
        Effect::Publish(SdamEvent::TopologyOpening { .. } | SdamEvent::ServerOpening { .. })
    )));
    let description = topology.description();
    assert_eq!(description.topology_type, TopologyType::ReplicaSetNoPrimary);
    assert_eq!((description.max_election_id, description.max_set_version), (Some(object_id(5)), Some(3)));
    assert_eq!(description.set_name.as_deref(), Some("rs"));
    assert!(description.servers.values().all(|server| !server.is_known()));
    assert!(topology.cluster_time().is_some());
    assert_eq!(topology.generation(&address("a"), None), Generation(1));
    assert_eq!(topology.generation(&address("b"), None), Generation(2));

    // What was a stale primary before is one now.
    let mut old = primary(&["a", "b"]);
    old.append(bson::raw::cstr!("electionId"), object_id(4));
    check(&mut topology, "b", old);
    assert_eq!(type_of(&topology, "b"), ServerType::Unknown);
    check(&mut topology, "a", reply);
    assert_eq!(type_of(&topology, "a"), ServerType::RsPrimary);
}

#[test]
fn a_restored_load_balancer_is_in_use_at_once() {
    let topology = opened(load_balanced());
    let mut topology = Topology::restored(load_balanced(), &topology.snapshot());
    topology.open();
    let effects = drain(&mut topology);
    assert!(effects.contains(&Effect::MarkPoolReady(address("lb"))));
    assert!(!effects.iter().any(is_published));
    assert_eq!(type_of(&topology, "lb"), ServerType::LoadBalancer);
}

#[test]
fn a_crashed_pool_begins_a_generation_and_is_ready_if_the_server_is() {
    let mut topology = opened(settings(&["a"]));
    assert_eq!(topology.pool_restarted(&address("a")), Generation(1));
    assert_eq!(drain(&mut topology), [Effect::RequestCheck(address("a"))]);
    check(&mut topology, "a", standalone());
    assert_eq!(topology.pool_restarted(&address("a")), Generation(2));
    assert_eq!(drain(&mut topology), [Effect::MarkPoolReady(address("a")), Effect::RequestCheck(address("a"))]);
}

#[test]
fn a_measured_round_trip_time_counts_at_once_and_is_no_event() {
    let mut topology = opened(settings(&["a"]));
    check(&mut topology, "a", standalone());
    let rtt = RoundTripTime { average: Duration::from_millis(9), minimum: Duration::from_millis(8) };
    topology.rtt_measured(&address("a"), rtt);
    assert_eq!(drain(&mut topology), [Effect::DescriptionReplaced]);
    let server = topology.description().server(&address("a")).unwrap().clone();
    assert_eq!((server.round_trip_time, server.min_round_trip_time), (Some(rtt.average), rtt.minimum));

    topology.check_failed(&address("a"), "reset", None, false);
    drain(&mut topology);
    topology.rtt_measured(&address("a"), rtt);
    assert!(drain(&mut topology).is_empty(), "an unknown server has no round-trip time");
}

#[test]
fn a_crashed_monitor_makes_its_server_unknown_and_leaves_the_pool_alone() {
    let mut topology = opened(settings(&["a", "b"]));
    check(&mut topology, "a", primary(&["a", "b"]));
    topology.monitor_restarted(&address("a"), "the monitor had a fault");
    let effects = drain(&mut topology);
    assert_eq!(type_of(&topology, "a"), ServerType::Unknown);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::ClearPool { .. })));
    check(&mut topology, "a", primary(&["a", "b"]));
    assert_eq!(type_of(&topology, "a"), ServerType::RsPrimary);
}

#[test]
fn cluster_time_only_advances() {
    let mut topology = opened(settings(&["a"]));
    let time =
        |time, increment| rawdoc! { "clusterTime": bson::Timestamp { time, increment }, "signature": { "keyId": 1 } };
    assert!(topology.advance_cluster_time(&time(5, 2)));
    assert!(!topology.advance_cluster_time(&time(5, 2)));
    assert!(!topology.advance_cluster_time(&time(4, 9)));
    assert!(!topology.advance_cluster_time(&rawdoc! { "clusterTime": 9 }));
    assert!(topology.advance_cluster_time(&time(5, 3)));
    assert_eq!(**topology.cluster_time().unwrap(), time(5, 3));
}

#[test]
fn a_topology_prints_in_one_line() {
    let mut topology = opened(TopologySettings { replica_set: Some("rs".into()), ..settings(&["a", "b"]) });
    topology.check_failed(&address("a"), "connection refused", None, false);
    check(&mut topology, "b", member("secondary", &["a", "b"]));
    assert_eq!(
        topology.description().to_string(),
        "ReplicaSetNoPrimary \"rs\" [a:27017 Unknown (connection refused); b:27017 RSSecondary, 3.0 ms away]"
    );
}
