use rand::{SeedableRng, rngs::StdRng};

use super::*;

fn update(topology: &mut Topology, hosts: &[&str], seed: u64) -> Vec<Effect> {
    let hosts: Vec<ServerAddress> = hosts.iter().map(|host| address(host)).collect();
    topology.srv_updated(&hosts, &mut StdRng::seed_from_u64(seed));
    drain(topology)
}

fn servers(topology: &Topology) -> Vec<String> {
    topology.description().servers.keys().map(|address| address.host().into_owned()).collect()
}

#[test]
fn hosts_come_and_go_with_the_record() {
    let mut topology = opened(settings(&["a", "b"]));
    check(&mut topology, "a", mongos());
    let effects = update(&mut topology, &["a", "c"], 1);
    assert_eq!(servers(&topology), ["a", "c"]);
    assert_eq!(type_of(&topology, "a"), ServerType::Mongos);
    assert!(effects.contains(&Effect::ServerAdded { address: address("c"), monitored: true }));
    assert!(effects.contains(&Effect::ServerRemoved(address("b"))));
    assert!(update(&mut topology, &[], 1).is_empty());
}

#[test]
fn only_unknown_and_sharded_topologies_follow_the_record() {
    let mut topology = opened(settings(&["a"]));
    assert!(topology.polls_srv());
    check(&mut topology, "a", primary(&["a"]));
    assert!(!topology.polls_srv());
    assert!(update(&mut topology, &["b"], 1).is_empty());
    assert_eq!(servers(&topology), ["a"]);
}

#[test]
fn with_a_limit_known_hosts_stay_and_others_fill_up_at_random() {
    let mut chosen = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let mut topology = opened(TopologySettings { srv_max_hosts: 2, ..settings(&["a", "b"]) });
        update(&mut topology, &["a", "c", "d", "e"], seed);
        let servers = servers(&topology);
        assert_eq!((servers.len(), servers[0].as_str()), (2, "a"));
        chosen.insert(servers[1].clone());
    }
    assert_eq!(chosen.into_iter().collect::<Vec<_>>(), ["c", "d", "e"]);
}

#[test]
fn a_limit_that_is_not_reached_changes_nothing() {
    let mut topology = opened(TopologySettings { srv_max_hosts: 3, ..settings(&["a"]) });
    update(&mut topology, &["a", "b", "c"], 1);
    assert_eq!(servers(&topology), ["a", "b", "c"]);
}

#[test]
fn a_standalone_is_a_deployment_only_if_the_record_names_no_other() {
    let mut topology = opened(settings(&["a"]));
    update(&mut topology, &["a", "b"], 1);
    check(&mut topology, "a", standalone());
    assert_eq!(topology.description().topology_type, TopologyType::Unknown);
    assert_eq!(servers(&topology), ["b"]);

    let mut topology = opened(settings(&["a", "b"]));
    update(&mut topology, &["a"], 1);
    check(&mut topology, "a", standalone());
    assert_eq!(topology.description().topology_type, TopologyType::Single);
}
