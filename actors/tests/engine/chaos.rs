//! Faults by plan and by command, against real servers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bson::{RawArrayBuf, rawdoc};
use mongo_actors_engine::{Cause, Engine, KillCursors, Role, SupervisionEvent, TreeStatus};
use mongo_actors_protocol::{
    address::ServerAddress,
    chaos::{FaultPlan, MessageFault, Recording, Rule, SocketFault, Violation},
    command::Namespace,
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

/// Opens a cursor that has more to give, and says where it is.
async fn open_cursor(engine: &Engine) -> KillCursors {
    let reply = run(engine, command("find", rawdoc! { "find": "leaks", "batchSize": 2 })).await.unwrap();
    let body = reply.body.as_ref().unwrap().as_document();
    let id = body.get_document("cursor").unwrap().get_i64("id").unwrap();
    let debt = KillCursors::new(reply.server.clone(), &Namespace::new("engine", "leaks"), id);
    KillCursors { session: reply.session, ..debt }
}

fn more(cursor: &KillCursors) -> mongo_actors_engine::Operation {
    command("getMore", rawdoc! { "getMore": cursor.cursor_id, "collection": "leaks" })
}

/// What the recording says of cursors when something was done with one.
async fn with_cursor(work: impl AsyncFnOnce(&Engine, KillCursors)) -> Result<(), Violation> {
    let Subject { engine, .. } = subject().await;
    furnish(&engine).await;
    let armed = engine.chaos().arm(FaultPlan::new(1)).unwrap();
    let cursor = open_cursor(&engine).await;
    work(&engine, cursor).await;
    engine.close(None).await;
    armed.disarm().unwrap().no_leak()
}

#[tokio::test]
async fn a_cursor_that_nobody_closes_is_a_leak() {
    let leaked = with_cursor(async |_, _| {}).await.unwrap_err().to_string();
    assert!(leaked.contains("Cursor: 1 were taken and 0 given back"), "{leaked}");
    let forgotten = with_cursor(async |engine, cursor| {
        let session = cursor.session;
        let more = command("getMore", rawdoc! { "getMore": cursor.cursor_id, "collection": "leaks", "batchSize": 1 });
        engine.execute_in(Box::new(more), session, None).await.unwrap().unwrap();
    });
    assert!(forgotten.await.is_err(), "its next batch was not its last");
}

#[tokio::test]
async fn a_cursor_is_given_back_by_its_last_batch_by_being_killed_or_when_its_server_has_lost_it() {
    let exhausted = with_cursor(async |engine, mut cursor| {
        let session = cursor.session.take();
        engine.execute_in(Box::new(more(&cursor)), session, None).await.unwrap().unwrap();
    });
    exhausted.await.unwrap();
    with_cursor(async |engine, cursor| engine.owe(cursor)).await.unwrap();
    let lost = with_cursor(async |engine, mut cursor| {
        let kill = rawdoc! { "killCursors": "leaks", "cursors": [cursor.cursor_id] };
        // Another client does it, of which the recording knows nothing.
        let other = crate::engine(&set().await.uri());
        other.execute_in(Box::new(command("killCursors", kill)), None, None).await.unwrap().unwrap();
        other.close(None).await;
        let session = cursor.session.take();
        let gone = engine.execute_in(Box::new(more(&cursor)), session, None).await.unwrap().unwrap_err();
        assert!(matches!(&gone.failure.cause, Cause::Command(error) if error.is_cursor_not_found()), "{gone:?}");
    });
    lost.await.unwrap();
}

#[tokio::test]
async fn a_cursor_is_killed_whatever_happens_to_the_command() {
    for rule in [
        Rule::message(MessageFault::Drop).role(Role::Topology).on("Execute"),
        Rule::message(MessageFault::Panic).role(Role::ConnectionPool).on("CheckOut"),
        Rule::message(MessageFault::Kill).role(Role::Connection).on("Run"),
        Rule::socket(SocketFault::CloseInWrite).command("killCursors"),
        Rule::socket(SocketFault::CloseBeforeReply).command("killCursors"),
    ] {
        let what = format!("{rule:?}");
        let Subject { engine, .. } = subject().await;
        furnish(&engine).await;
        let cursor = open_cursor(&engine).await;
        let armed = engine.chaos().arm(FaultPlan::new(1).rule(rule.limit(1))).unwrap();
        let id = cursor.cursor_id;
        engine.owe(cursor);
        expect_gone(id, &what).await;
        engine.close(None).await;
        assert_eq!(armed.disarm().unwrap().firings().len(), 1, "{what}");
    }
}

/// Waits until the server does not know the cursor any more.
async fn expect_gone(id: i64, what: &str) {
    let other = crate::engine(&set().await.uri());
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        // As long as it is there, it is refused to this client for its session.
        let more = command("getMore", rawdoc! { "getMore": id, "collection": "leaks" });
        let refusal = run(&other, more).await.unwrap_err().failure.cause;
        if matches!(&refusal, Cause::Command(error) if error.is_cursor_not_found()) {
            break;
        }
        assert!(Instant::now() < end, "{what}: {refusal}");
        tokio::task::yield_now().await;
    }
    other.close(None).await;
}

#[tokio::test]
async fn a_cursor_that_is_owed_while_the_root_dies_is_killed_by_the_next_tree() {
    for round in 0..5 {
        let Subject { engine, .. } = subject().await;
        furnish(&engine).await;
        let cursor = open_cursor(&engine).await;
        let id = cursor.cursor_id;
        assert_eq!(engine.chaos().kill(Role::Supervisor, None), 1);
        engine.owe(cursor);
        eventually("the tree is down", || matches!(engine.supervision().status, TreeStatus::Down { .. })).await;
        engine.restart().await;
        expect_gone(id, &format!("round {round}")).await;
        engine.close(None).await;
    }
}

/// Puts more into the collection than a first batch holds.
async fn furnish(engine: &Engine) {
    let documents = (0..10).map(|id| rawdoc! { "_id": id }).collect::<RawArrayBuf>();
    // Another run may have put them there.
    drop(run(engine, command("insert", rawdoc! { "insert": "leaks", "documents": documents })).await);
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

/// Nothing else would wake them within a minute.
#[tokio::test]
async fn whoever_waits_for_a_server_learns_at_once_that_it_is_cut_off() {
    for mode in ["stream", "poll"] {
        let uri = set().await.uri();
        let engine = crate::engine(&format!("{uri}&heartbeatFrequencyMS=60000&serverMonitoringMode={mode}"));
        persist(&engine, ping()).await;
        let server = engine.description().known_servers().next().unwrap().address.clone();
        assert_eq!(actors(&engine, Role::Connection).len(), 1);
        engine.chaos().partition(&server);
        eventually("the idle connection is closed", || actors(&engine, Role::Connection).is_empty()).await;
        if mode == "stream" {
            eventually("the monitor knows", || engine.description().known_servers().next().is_none()).await;
        }
        engine.close(None).await;
    }
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
