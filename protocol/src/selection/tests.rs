use std::time::Instant;

use rand::{SeedableRng, rngs::StdRng};

use super::*;

fn address(text: &str) -> ServerAddress {
    text.parse().unwrap()
}

fn server(name: &str, server_type: ServerType, milliseconds: u64) -> ServerDescription {
    let mut server = ServerDescription::unknown(address(name));
    server.server_type = server_type;
    server.max_wire_version = 21;
    server.round_trip_time = Some(Duration::from_millis(milliseconds));
    server
}

fn replica_set() -> TopologyDescription {
    TopologyDescription::new(
        TopologyType::ReplicaSetWithPrimary,
        [
            server("p", ServerType::RsPrimary, 1),
            server("s", ServerType::RsSecondary, 2),
            server("t", ServerType::RsSecondary, 50),
        ],
    )
}

fn select(context: &SelectionContext<'_>) -> Result<Option<String>, SelectionError> {
    let selected = select_server(context, &|_| 0, &mut StdRng::seed_from_u64(7))?;
    Ok(selected.map(|server| server.address.host().into_owned()))
}

fn reading(preference: ReadPreference) -> SelectionCriteria {
    SelectionCriteria::ReadPreference(preference)
}

fn host(name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[test]
fn a_primary_is_selected_for_writes_and_by_default() {
    let description = replica_set();
    for criteria in [SelectionCriteria::Writable, reading(ReadPreference::Primary)] {
        assert_eq!(select(&SelectionContext::new(&description, &criteria)), Ok(host("p")));
    }
}

#[test]
fn a_deprioritised_server_is_used_when_there_is_no_other() {
    let description = replica_set();
    let (p, s, t) = (address("p"), address("s"), address("t"));
    let cases: [(ReadPreference, &[ServerAddress], &str); 5] = [
        (ReadPreference::Primary, std::slice::from_ref(&p), "p"),
        (ReadPreference::secondary(), std::slice::from_ref(&s), "t"),
        (ReadPreference::primary_preferred(), std::slice::from_ref(&p), "s"),
        (ReadPreference::secondary_preferred(), &[s.clone(), t.clone()], "p"),
        (ReadPreference::nearest(), &[p.clone(), t.clone()], "s"),
    ];
    for (preference, deprioritized, expected) in cases {
        let criteria = reading(preference);
        let context = SelectionContext { deprioritized, ..SelectionContext::new(&description, &criteria) };
        assert_eq!(select(&context), Ok(host(expected)), "{criteria}");
    }
}

#[test]
fn the_selector_stands_between_the_preference_and_the_latency_window() {
    let description = replica_set();
    let far = ServerSelector::new(|servers| {
        servers.iter().filter(|server| server.round_trip_time > Some(Duration::from_millis(10))).cloned().collect()
    });
    let criteria = reading(ReadPreference::nearest());
    let context = SelectionContext { selector: Some(&far), ..SelectionContext::new(&description, &criteria) };
    assert_eq!(select(&context), Ok(host("t")));
    // It is asked about the one primary too, and may refuse it.
    let context = SelectionContext { criteria: &SelectionCriteria::Writable, ..context };
    assert_eq!(select(&context), Ok(None));
}

#[test]
fn the_selector_is_not_asked_where_there_is_no_choice() {
    let never = ServerSelector::new(|_| panic!("asked"));
    let single = TopologyDescription::new(TopologyType::Single, [server("a", ServerType::RsArbiter, 1)]);
    let mut balancer = ServerDescription::load_balancer(address("a"));
    balancer.max_wire_version = 0;
    let balanced = TopologyDescription::new(TopologyType::LoadBalanced, [balancer]);
    for description in [&single, &balanced] {
        let context = SelectionContext {
            selector: Some(&never),
            ..SelectionContext::new(description, &SelectionCriteria::Writable)
        };
        assert_eq!(select(&context), Ok(host("a")));
    }
    let description = replica_set();
    let criteria = SelectionCriteria::Address(address("t"));
    let context = SelectionContext { selector: Some(&never), ..SelectionContext::new(&description, &criteria) };
    assert_eq!(select(&context), Ok(host("t")));
}

#[test]
fn a_selector_that_panics_is_an_error_and_one_that_invents_servers_is_not_believed() {
    let description = replica_set();
    let criteria = reading(ReadPreference::nearest());
    let panics = ServerSelector::new(|_| panic!("no"));
    let context = SelectionContext { selector: Some(&panics), ..SelectionContext::new(&description, &criteria) };
    assert_eq!(select(&context), Err(SelectionError::SelectorPanicked));
    let invents = ServerSelector::new(|_| vec![Arc::new(server("x", ServerType::RsPrimary, 1))]);
    let context = SelectionContext { selector: Some(&invents), ..context };
    assert_eq!(select(&context), Ok(None));
}

#[test]
fn a_pinned_server_must_be_known() {
    let mut gone = server("a", ServerType::Unknown, 1);
    gone.error = Some("refused".into());
    let description = TopologyDescription::new(TopologyType::Sharded, [gone, server("b", ServerType::Mongos, 1)]);
    for (name, expected) in [("a", None), ("b", host("b")), ("c", None)] {
        let criteria = SelectionCriteria::Address(address(name));
        assert_eq!(select(&SelectionContext::new(&description, &criteria)), Ok(expected));
    }
}

#[test]
fn an_incompatible_server_is_an_error() {
    let mut old = server("a", ServerType::RsSecondary, 1);
    old.max_wire_version = 7;
    let description =
        TopologyDescription::new(TopologyType::ReplicaSetWithPrimary, [old, server("b", ServerType::RsPrimary, 1)]);
    let error = select(&SelectionContext::new(&description, &SelectionCriteria::Writable)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Server at a:27017 reports wire version 7, but this version of mongo-actors requires at least 8 (MongoDB 4.2)."
    );
}

#[test]
fn a_staleness_limit_is_validated_only_in_replica_sets_and_even_if_a_primary_is_there() {
    let criteria = reading(ReadPreference::primary_preferred().with_max_staleness(Duration::from_secs(89)));
    let description = replica_set();
    let error = select(&SelectionContext::new(&description, &criteria)).unwrap_err();
    assert!(error.to_string().contains("at least 90 s"), "{error}");
    let sharded = TopologyDescription::new(TopologyType::Sharded, [server("m", ServerType::Mongos, 1)]);
    assert_eq!(select(&SelectionContext::new(&sharded, &criteria)), Ok(host("m")));
}

#[test]
fn the_heartbeat_interval_raises_the_least_staleness() {
    let mut description = replica_set();
    description.heartbeat_frequency = Duration::from_secs(200);
    let limit = |seconds| reading(ReadPreference::nearest().with_max_staleness(Duration::from_secs(seconds)));
    assert!(select(&SelectionContext::new(&description, &limit(209))).is_err());
    assert!(select(&SelectionContext::new(&description, &limit(210))).is_ok());
    description.heartbeat_frequency = Duration::MAX;
    assert!(select(&SelectionContext::new(&description, &limit(210))).is_err());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "an instant cannot be made from nothing")]
fn staleness_is_measured_against_the_primary_even_if_that_is_deprioritised() {
    let epoch = Instant::now();
    let at = |mut server: ServerDescription, write: i64| {
        server.last_write_date = Some(bson::DateTime::from_millis(write * 1000));
        server.last_update_time = Some(epoch);
        server
    };
    let description = TopologyDescription::new(
        TopologyType::ReplicaSetWithPrimary,
        [
            at(server("p", ServerType::RsPrimary, 1), 1000),
            at(server("s", ServerType::RsSecondary, 1), 900),
            server("silent", ServerType::RsSecondary, 1),
        ],
    );
    let criteria = reading(ReadPreference::secondary().with_max_staleness(Duration::from_secs(100)));
    let deprioritized = [address("p")];
    let context = SelectionContext { deprioritized: &deprioritized, ..SelectionContext::new(&description, &criteria) };
    assert_eq!(select(&context), Ok(None));
    let criteria = reading(ReadPreference::secondary().with_max_staleness(Duration::from_secs(110)));
    assert_eq!(select(&SelectionContext { criteria: &criteria, ..context }), Ok(host("s")));
}

#[test]
fn an_aggregation_that_writes_needs_the_primary_unless_all_servers_are_new() {
    let criteria = SelectionCriteria::WritingAggregate(ReadPreference::secondary());
    let mut description = replica_set();
    assert_eq!(select(&SelectionContext::new(&description, &criteria)), Ok(host("s")));
    let mut old = server("t", ServerType::RsSecondary, 50);
    old.max_wire_version = 9;
    description.servers.insert(address("t"), Arc::new(old));
    assert_eq!(select(&SelectionContext::new(&description, &criteria)), Ok(host("p")));
    assert_eq!(criteria.read_preference(&description), Some(&ReadPreference::Primary));
}

#[test]
fn of_two_servers_the_less_busy_is_taken() {
    let description = TopologyDescription::new(
        TopologyType::Sharded,
        [server("a", ServerType::Mongos, 1), server("b", ServerType::Mongos, 1)],
    );
    let context = SelectionContext::new(&description, &SelectionCriteria::Writable);
    for seed in 0..20 {
        let busy = |server: &ServerAddress| usize::from(*server == address("a"));
        let selected = select_server(&context, &busy, &mut StdRng::seed_from_u64(seed)).unwrap().unwrap();
        assert_eq!(selected.address, address("b"));
    }
}

#[test]
fn the_latency_window_includes_its_end_and_is_as_wide_as_asked() {
    let description = TopologyDescription::new(
        TopologyType::Sharded,
        [server("a", ServerType::Mongos, 10), server("b", ServerType::Mongos, 25), server("c", ServerType::Mongos, 26)],
    );
    let context = SelectionContext::new(&description, &SelectionCriteria::Writable);
    let in_window = |threshold: u64| {
        let mut servers = suitable_servers(&context).unwrap();
        in_latency_window(&mut servers, Duration::from_millis(threshold));
        servers.len()
    };
    assert_eq!((in_window(0), in_window(15), in_window(16)), (1, 2, 3));
}

#[test]
fn nobody_is_selected_while_nothing_is_known() {
    let description = TopologyDescription::new(TopologyType::Unknown, [server("a", ServerType::Unknown, 1)]);
    for criteria in [SelectionCriteria::Writable, reading(ReadPreference::nearest())] {
        assert_eq!(select(&SelectionContext::new(&description, &criteria)), Ok(None));
    }
    assert!(!description.has_readable_server(&ReadPreference::nearest()) && !description.has_writable_server());
}

#[test]
fn a_topology_tells_what_it_has() {
    let mut description = replica_set();
    assert!(description.has_readable_server(&ReadPreference::Primary) && description.has_writable_server());
    assert_eq!(description.primary().unwrap().address, address("p"));
    assert_eq!(description.secondaries().len(), 2);
    description.servers.remove(&address("p"));
    description.topology_type = TopologyType::ReplicaSetNoPrimary;
    assert!(!description.has_readable_server(&ReadPreference::Primary) && !description.has_writable_server());
    assert!(description.has_readable_server(&ReadPreference::secondary()));
}

#[test]
fn waiting_in_vain_prints_the_topology_in_one_line() {
    let mut down = ServerDescription::failed(address("a"), "connection refused", None);
    down.round_trip_time = None;
    let topology = Arc::new(TopologyDescription::new(TopologyType::ReplicaSetNoPrimary, [down]));
    let criteria = reading(ReadPreference::secondary().with_tag_sets([[("dc", "ny")]]));
    let error = SelectionError::timed_out(criteria, Duration::from_secs(30), topology);
    assert_eq!(
        error.to_string(),
        "a server for read preference secondary, with the tags of one of [{\"dc\": \"ny\"}] was not found within 30000 ms; \
         the topology is ReplicaSetNoPrimary [a:27017 Unknown (connection refused)]"
    );
}

#[test]
fn what_is_sent_to_whom() {
    let sent = |topology, server, preference: &ReadPreference| {
        wire_read_preference(topology, server, preference).map(|preference| preference.into_owned())
    };
    let (primary, secondary) = (ReadPreference::Primary, ReadPreference::secondary());
    use {ServerType as S, TopologyType as T};
    assert_eq!(sent(T::Single, S::Standalone, &secondary), None);
    assert_eq!(sent(T::Single, S::Mongos, &primary), None);
    assert_eq!(sent(T::Single, S::Mongos, &secondary), Some(secondary.clone()));
    assert_eq!(sent(T::Single, S::RsOther, &primary), Some(ReadPreference::primary_preferred()));
    assert_eq!(sent(T::Single, S::RsPrimary, &secondary), Some(secondary.clone()));
    assert_eq!(sent(T::ReplicaSetWithPrimary, S::RsPrimary, &primary), None);
    assert_eq!(sent(T::ReplicaSetNoPrimary, S::RsSecondary, &secondary), Some(secondary.clone()));
    assert_eq!(sent(T::LoadBalanced, S::LoadBalancer, &primary), None);
    assert_eq!(sent(T::LoadBalanced, S::LoadBalancer, &secondary), Some(secondary));
}
