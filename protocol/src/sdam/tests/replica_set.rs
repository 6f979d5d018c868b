use super::*;

fn replica_set() -> Topology {
    opened(TopologySettings { replica_set: Some("rs".into()), ..settings(&["a", "b"]) })
}

#[test]
fn a_newer_primary_sends_a_probe_to_the_old_one_and_leaves_its_pool_alone() {
    let mut topology = replica_set();
    check(&mut topology, "a", primary(&["a", "b"]));
    let effects = check(&mut topology, "b", primary(&["a", "b"]));
    assert_eq!(type_of(&topology, "a"), ServerType::Unknown);
    let server = topology.description().server(&address("a")).unwrap();
    assert_eq!(server.error.as_deref(), Some("primary marked stale due to discovery of newer primary"));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::ClearPool { .. })));
    let tail = &effects[effects.len() - 2..];
    assert_eq!(tail, [Effect::RequestCheck(address("a")), Effect::PrimarySuperseded(address("a"))]);
    let changed: Vec<&ServerAddress> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Publish(SdamEvent::ServerDescriptionChanged { address, .. }) => Some(address),
            _ => None,
        })
        .collect();
    assert_eq!(changed, [&address("b"), &address("a")]);
}

#[test]
fn an_old_primary_that_left_the_set_is_not_probed() {
    let mut topology = replica_set();
    check(&mut topology, "a", primary(&["a", "b"]));
    let effects = check(&mut topology, "b", primary(&["b"]));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::RequestCheck(_) | Effect::PrimarySuperseded(_))));
    assert!(effects.contains(&Effect::ServerRemoved(address("a"))));
}

#[test]
fn a_stale_primary_says_what_it_was_compared_with_and_its_pool_stays() {
    let elected = |id, version: i32| {
        let mut reply = primary(&["a", "b"]);
        reply.append(bson::raw::cstr!("electionId"), object_id(id));
        reply.append(bson::raw::cstr!("setVersion"), version);
        reply
    };
    let mut topology = replica_set();
    check(&mut topology, "a", elected(2, 1));
    let effects = check(&mut topology, "b", elected(1, 9));
    assert!(!effects.contains(&Effect::MarkPoolReady(address("b"))));
    let error = topology.description().server(&address("b")).unwrap().error.clone().unwrap();
    assert_eq!(
        &*error,
        "primary marked stale due to electionId/setVersion mismatch, (electionId 010101010101010101010101, setVersion 9) \
         is stale compared to (electionId 020202020202020202020202, setVersion 1)"
    );
    assert_eq!(type_of(&topology, "a"), ServerType::RsPrimary);
}

#[test]
fn new_members_open_before_former_ones_close_and_before_the_topology_changes() {
    let mut topology = replica_set();
    let effects = check(&mut topology, "a", primary(&["a", "c"]));
    let events: Vec<&str> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Publish(SdamEvent::ServerDescriptionChanged { .. }) => Some("changed"),
            Effect::Publish(SdamEvent::ServerOpening { .. }) => Some("opening"),
            Effect::Publish(SdamEvent::ServerClosed { .. }) => Some("closed"),
            Effect::Publish(SdamEvent::TopologyDescriptionChanged { .. }) => Some("topology"),
            _ => None,
        })
        .collect();
    assert_eq!(events, ["changed", "opening", "closed", "topology"]);
}

#[test]
fn a_removed_server_is_ignored_and_its_generation_never_comes_back() {
    let mut topology = replica_set();
    topology.check_failed(&address("b"), "refused", None, false);
    check(&mut topology, "a", primary(&["a"]));
    assert!(check(&mut topology, "b", member("secondary", &["a", "b"])).is_empty());
    check(&mut topology, "a", primary(&["a", "b"]));
    assert_eq!(topology.generation(&address("b"), None), Generation(2));
}

#[test]
fn a_standalone_in_a_replica_set_is_told_and_removed() {
    let mut topology = replica_set();
    let effects = check(&mut topology, "a", standalone());
    let told = effects.iter().any(|effect| {
        matches!(effect, Effect::Publish(SdamEvent::ServerDescriptionChanged { new, .. })
            if new.server_type == ServerType::Standalone)
    });
    assert!(told);
    assert!(effects.contains(&Effect::ServerRemoved(address("a"))));
    assert!(!effects.contains(&Effect::MarkPoolReady(address("a"))));
}

#[test]
fn a_member_used_directly_has_its_pool_ready_whatever_it_is() {
    for kind in ["secondary", "arbiterOnly"] {
        let mut topology = opened(TopologySettings { direct_connection: true, ..settings(&["a"]) });
        let effects = check(&mut topology, "a", member(kind, &["a", "b"]));
        assert_eq!(effects[0], Effect::MarkPoolReady(address("a")));
        assert_eq!(topology.description().servers.len(), 1);
    }
    let mut topology = replica_set();
    let effects = check(&mut topology, "a", member("arbiterOnly", &["a", "b"]));
    assert!(!effects.contains(&Effect::MarkPoolReady(address("a"))));
}

#[test]
fn a_direct_connection_to_another_set_says_which() {
    let settings = TopologySettings { direct_connection: true, replica_set: Some("other".into()), ..settings(&["a"]) };
    let mut topology = opened(settings);
    let effects = check(&mut topology, "a", primary(&["a"]));
    assert!(!effects.contains(&Effect::MarkPoolReady(address("a"))));
    let server = topology.description().server(&address("a")).unwrap();
    assert_eq!(server.server_type, ServerType::Unknown);
    assert_eq!(server.error.as_deref(), Some("the server belongs to the replica set \"rs\", not to \"other\""));
}

#[test]
fn the_session_timeout_is_the_least_of_the_servers_with_data() {
    let timeout = |mut reply: RawDocumentBuf, minutes: i32| {
        reply.append(bson::raw::cstr!("logicalSessionTimeoutMinutes"), minutes);
        reply
    };
    let mut topology = replica_set();
    check(&mut topology, "a", timeout(primary(&["a", "b", "c"]), 30));
    assert_eq!(topology.description().logical_session_timeout_minutes, Some(30));
    check(&mut topology, "b", timeout(member("secondary", &["a", "b", "c"]), 20));
    assert_eq!(topology.description().logical_session_timeout_minutes, Some(20));
    check(&mut topology, "c", member("arbiterOnly", &["a", "b", "c"]));
    assert_eq!(topology.description().logical_session_timeout_minutes, Some(20));
    check(&mut topology, "b", member("secondary", &["a", "b", "c"]));
    assert_eq!(topology.description().logical_session_timeout_minutes, None);
}

#[test]
fn the_supported_wire_versions_are_8_to_29() {
    let with = |min: i32, max: i32| {
        let mut topology = opened(settings(&["a"]));
        let reply = rawdoc! { "ok": 1, "msg": "isdbgrid", "minWireVersion": min, "maxWireVersion": max };
        check(&mut topology, "a", reply);
        topology.description().compatibility_error.clone()
    };
    assert_eq!(with(0, 8), None);
    assert_eq!(with(29, 40), None);
    let old = with(0, 7).unwrap();
    assert!(old.contains("reports wire version 7") && old.contains("at least 8 (MongoDB 4.2)"), "{old}");
    assert!(with(30, 40).unwrap().contains("requires wire version 30"));
}
