//! Faults by plan and by command, against real servers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bson::rawdoc;
use mongo_actors_engine::{Engine, Role, SupervisionEvent};
use mongo_actors_protocol::{
    address::ServerAddress,
    chaos::{FaultPlan, MessageFault, Recording, Rule, SocketFault},
    retry::Retryability,
};

use crate::{actors, command, count, eventually, insert, number, persist, run, set, settings, supervision::Chronicle};

struct Subject {
    engine: Engine,
    chronicle: Arc<Chronicle>,
    server: ServerAddress,
}

async fn subject() -> Subject {
    let chronicle = Arc::new(Chronicle::default());
    let mut settings = settings(&set().await.uri());
    settings.stall_limit = Duration::from_millis(500);
    settings.listeners.supervision.push(chronicle.clone());
    let server = settings.options.hosts[0].clone();
    let engine = Engine::start(settings).unwrap();
    persist(&engine, ping()).await;
    Subject { engine, chronicle, server }
}

fn ping() -> mongo_actors_engine::Operation {
    let mut ping = command("ping", rawdoc! { "ping": 1 });
    ping.retryability = Retryability::Read;
    ping
}

/// The promises that hold whatever was injected.
fn hold(recording: &Recording) {
    recording.no_lost_reply().unwrap();
    recording.recovers_within(Duration::from_secs(10)).unwrap();
    recording.no_leak().unwrap();
}

#[tokio::test]
async fn each_fault_of_a_message_is_survived_and_told() {
    for (fault, role, message) in [
        (MessageFault::Drop, Role::ConnectionPool, "CheckOut"),
        (MessageFault::Delay(Duration::from_millis(30)), Role::ConnectionPool, "CheckOut"),
        (MessageFault::Reorder, Role::Topology, "Execute"),
        (MessageFault::Panic, Role::Topology, "Execute"),
        (MessageFault::Stop, Role::ConnectionPool, "CheckOut"),
        (MessageFault::Kill, Role::Connection, "Run"),
        (MessageFault::Stall, Role::Topology, "Execute"),
        (MessageFault::Delay(Duration::from_millis(200)), Role::Topology, "ServerChecked"),
    ] {
        let Subject { engine, chronicle, .. } = subject().await;
        let plan = FaultPlan::new(1).rule(Rule::message(fault).role(role).on(message).limit(1));
        let armed = engine.chaos().arm(plan).unwrap();
        if message == "ServerChecked" {
            // A new tree learns of its server from such a report.
            engine.restart().await;
        }
        persist(&engine, ping()).await;
        persist(&engine, ping()).await;
        engine.flush_events().await;
        let is_told = |event: &SupervisionEvent| matches!(event, SupervisionEvent::FaultInjected { .. });
        assert!(chronicle.has(is_told), "{fault:?} of {role} at {message}");
        engine.close(None).await;
        let recording = armed.disarm().unwrap();
        assert_eq!(recording.firings().len(), 1, "{fault:?} of {role} at {message}");
        hold(&recording);
    }
}

#[tokio::test]
async fn each_fault_of_a_socket_is_survived() {
    for fault in [
        SocketFault::CloseBeforeWrite,
        SocketFault::CloseInWrite,
        SocketFault::CloseBeforeReply,
        SocketFault::Reset,
        SocketFault::Stall(Duration::from_millis(100)),
        SocketFault::Corrupt,
    ] {
        let Subject { engine, .. } = subject().await;
        let plan = FaultPlan::new(1).rule(Rule::socket(fault).command("ping").limit(1));
        let armed = engine.chaos().arm(plan).unwrap();
        let began = Instant::now();
        let outcome = run(&engine, ping()).await;
        match fault {
            SocketFault::Stall(pause) => assert!(outcome.is_ok() && began.elapsed() >= pause),
            _ => assert!(outcome.is_err(), "{fault:?}"),
        }
        persist(&engine, ping()).await;
        engine.close(None).await;
        let recording = armed.disarm().unwrap();
        assert_eq!(recording.firings().len(), 1, "{fault:?}");
        hold(&recording);
    }
}

/// What the database makes of writes while everything fails now and then; and the same faults once more.
#[tokio::test]
async fn a_load_under_a_realistic_plan_keeps_every_promise_and_can_be_replayed() {
    let mut first_id = 10_000;
    let mut fired = 0;
    for seed in 1..=6 {
        let Subject { engine, .. } = subject().await;
        let armed = engine.chaos().arm(FaultPlan::realistic(seed)).unwrap();
        for id in first_id..first_id + 60 {
            persist(&engine, insert(id)).await;
        }
        engine.close(None).await;
        let recording = armed.disarm().unwrap();
        hold(&recording);
        fired += recording.firings().len();
        let saved = Recording::from_json(&recording.to_json()).unwrap();
        assert_eq!(saved.replay(), recording.replay());
        first_id += 60;
    }
    assert!(fired > 0, "six realistic plans have something fail");
    let Subject { engine, .. } = subject().await;
    let mut found = count();
    found.request = mongo_actors_protocol::command::Request::new(
        "count",
        "engine".into(),
        rawdoc! { "count": "numbers", "query": { "_id": { "$gte": 10_000, "$lt": first_id } } },
    );
    assert_eq!(number(&persist(&engine, found).await), first_id - 10_000, "each write once");
    engine.close(None).await;
}

#[tokio::test]
async fn actors_can_be_struck_directly() {
    let Subject { engine, server, .. } = subject().await;
    let chaos = engine.chaos();
    assert_eq!(chaos.panic(Role::ConnectionPool, &server), 1);
    eventually("the pool is restarted", || actors(&engine, Role::ConnectionPool)[0].restarts == 1).await;
    persist(&engine, ping()).await;
    assert_eq!(chaos.stop(Role::SessionPool, None), 1);
    eventually("the session pool is restarted", || actors(&engine, Role::SessionPool)[0].restarts == 1).await;
    persist(&engine, ping()).await;
    assert_eq!(chaos.kill(Role::Connection, &server), 1);
    persist(&engine, ping()).await;
    assert_eq!(chaos.stall(Role::ServerMonitor, &server), 1);
    eventually("the monitor is restarted", || actors(&engine, Role::ServerMonitor)[0].restarts == 1).await;
    persist(&engine, ping()).await;
    assert_eq!(chaos.kill(Role::ConnectionPool, &ServerAddress::parse("elsewhere:1", 27017).unwrap()), 0);
    engine.close(None).await;
}

#[tokio::test]
async fn a_server_can_be_cut_off_and_reached_again() {
    let Subject { engine, server, .. } = subject().await;
    engine.chaos().partition(&server);
    eventually("it is not known any more", || engine.description().known_servers().next().is_none()).await;
    let mut operation = ping();
    operation.deadline = Some(Instant::now() + Duration::from_millis(300));
    assert!(run(&engine, operation).await.is_err());
    engine.chaos().heal(&server);
    persist(&engine, ping()).await;
    engine.close(None).await;
}

#[tokio::test]
async fn a_plan_ends_with_its_guard_and_by_the_kill_switch() {
    let Subject { engine, .. } = subject().await;
    let always = || FaultPlan::new(0).rule(Rule::message(MessageFault::Drop).role(Role::ConnectionPool).on("CheckOut"));
    let armed = engine.chaos().arm(always()).unwrap();
    assert!(run(&engine, ping()).await.is_err());
    drop(armed);
    run(&engine, ping()).await.unwrap();
    let armed = engine.chaos().arm(always()).unwrap();
    engine.chaos().calm();
    run(&engine, ping()).await.unwrap();
    assert!(armed.disarm().is_none());
    let nonsense = FaultPlan::new(0).rule(Rule::message(MessageFault::Panic).chance(2.0));
    assert!(engine.chaos().arm(nonsense).is_err());
    engine.close(None).await;
}
