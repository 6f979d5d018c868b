//! What the death of each actor costs, and what is left afterwards: the table of the architecture, row by row.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bson::{RawBsonRef, rawdoc};
use mongo_actors_engine::{
    Cause, Death, Engine, EngineSettings, FaultOrder, KillCursors, Operation, Pending, RestartBudget, Role, TreeStatus,
    resolve_seedlist,
};
use mongo_actors_protocol::{
    chaos::MessageFault,
    cmap::CheckOutError,
    command::Namespace,
    event::{CommandListener, CommandSucceededEvent, ServerDescriptionChangedEvent, ServerListener},
    options::{ClientOptions, ResolverConfig},
    read_preference::{ReadPreference, TagSet},
    retry::{Retryability, Stage},
};
use mongo_actors_testkit::DnsServer;

use crate::{Ledger, actors, command, eventually, insert, number, persist, run, set, settings};

/// A client of the shared set, and what its listeners saw.
struct Subject {
    engine: Engine,
    pools: Arc<Ledger>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// What servers were found to be, with the reason when they became unknown.
    servers: Mutex<Vec<Option<String>>>,
    killed_cursors: AtomicUsize,
    ended_sessions: AtomicUsize,
}

impl ServerListener for Seen {
    fn server_description_changed(&self, event: &ServerDescriptionChangedEvent) {
        let error = event.new_description.error.as_ref().map(ToString::to_string);
        self.servers.lock().unwrap().push(error);
    }
}

impl CommandListener for Seen {
    fn command_succeeded(&self, event: &CommandSucceededEvent) {
        let array = |name: &str| event.reply.as_document().get_array(name).map_or(0, |array| array.into_iter().count());
        match event.command_name.as_ref() {
            "killCursors" => drop(self.killed_cursors.fetch_add(array("cursorsKilled"), Ordering::SeqCst)),
            "endSessions" => drop(self.ended_sessions.fetch_add(1, Ordering::SeqCst)),
            _ => {}
        }
    }
}

impl Subject {
    async fn new(options: &[(&str, &str)]) -> Self {
        Self::with(options, |_| {}).await
    }

    async fn with(options: &[(&str, &str)], change: impl FnOnce(&mut EngineSettings)) -> Self {
        let mut settings = settings(&set().await.uri_with(options));
        let (pools, seen) = (Arc::new(Ledger::default()), Arc::new(Seen::default()));
        settings.listeners.pool.push(pools.clone());
        settings.listeners.server.push(seen.clone());
        settings.listeners.command.push(seen.clone());
        change(&mut settings);
        let engine = Engine::start(settings).unwrap();
        persist(&engine, ping()).await;
        Self { engine, pools, seen }
    }

    fn restarts(&self, role: Role) -> u64 {
        actors(&self.engine, role).iter().map(|actor| actor.restarts).sum()
    }

    /// Runs an operation that meets the order, and says how its attempt ended.
    async fn meet(&self, order: FaultOrder) -> (Cause, Stage) {
        let mut firings = self.engine.chaos().order(order);
        let setback = run(&self.engine, ping()).await.unwrap_err();
        assert!(firings.reached(1).await);
        (setback.failure.cause, setback.failure.stage)
    }

    /// Service is as before: commands succeed, nothing is left over.
    async fn end_well(self) {
        persist(&self.engine, ping()).await;
        let (pools, engine) = (&self.pools, &self.engine);
        eventually("nothing is on its way", || engine.operations_in_flight() == 0).await;
        engine.flush_events().await;
        let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        assert_eq!(count(&pools.checked_out), count(&pools.checked_in));
        assert_eq!(actors(engine, Role::Topology).len(), 1);
        assert_eq!(actors(engine, Role::ServerMonitor).len(), 1);
        assert_eq!(actors(engine, Role::ConnectionPool).len(), 1);
        engine.close(None).await;
        eventually("all actors are gone", || engine.actors().is_empty()).await;
        assert_eq!(count(&pools.created), count(&pools.closed), "every connection was seen to end");
    }
}

fn ping() -> Operation {
    let mut ping = command("ping", rawdoc! { "ping": 1 });
    ping.retryability = Retryability::Read;
    ping
}

/// A read that the server takes this long for.
fn slow(time: Duration) -> Operation {
    let filter = format!("sleep({}) || true", time.as_millis());
    let mut find = command("find", rawdoc! { "find": "slow", "filter": { "$where": filter } });
    find.retryability = Retryability::Read;
    find
}

/// Has so many slow reads under way, on the server or waiting for a connection.
async fn begin(subject: &Subject, count: usize, on_server: usize) -> Vec<tokio::task::JoinHandle<(Cause, Stage)>> {
    let mut insert = insert(1);
    insert.request.body = rawdoc! { "insert": "slow" };
    persist(&subject.engine, insert).await;
    let outcome = |pending: Pending| async move {
        let setback = pending.await.unwrap().unwrap_err();
        (setback.failure.cause, setback.failure.stage)
    };
    let busy = || actors(&subject.engine, Role::Connection).iter().filter(|actor| actor.in_flight > 0).count();
    eventually("the insert is over for its connection", || busy() == 0).await;
    let all =
        (0..count).map(|_| tokio::spawn(outcome(subject.engine.execute(slow(Duration::from_secs(20)))))).collect();
    // A connection writes in the turn in which it takes an operation up.
    eventually("they are under way", || busy() >= on_server).await;
    all
}

#[tokio::test]
async fn a_connection_that_dies_frees_its_slot_and_counts_as_a_network_error() {
    for fault in [MessageFault::Panic, MessageFault::Stop, MessageFault::Kill] {
        let subject = Subject::new(&[("maxPoolSize", "1")]).await;
        let (cause, stage) = subject.meet(FaultOrder::new(Role::Connection, fault).on("Run")).await;
        assert!(matches!(cause, Cause::Abandoned), "{cause}");
        assert!(!stage.may_be_sent(), "{stage:?}");
        persist(&subject.engine, ping()).await;
        subject.engine.flush_events().await;
        assert_eq!(subject.pools.cleared.load(Ordering::SeqCst), 1, "{fault:?}");
        assert_eq!(subject.restarts(Role::Connection), 0, "it is never restarted");
        let errors: Vec<_> = subject.seen.servers.lock().unwrap().iter().flatten().cloned().collect();
        assert!(errors.iter().any(|error| error.contains("actor of a connection")), "{errors:?}");
        subject.end_well().await;
    }
}

#[tokio::test]
async fn a_pool_that_dies_answers_everyone_and_begins_a_generation() {
    let subject = Subject::new(&[("maxPoolSize", "2")]).await;
    let first = run(&subject.engine, ping()).await.unwrap().connection.generation;
    let under_way = begin(&subject, 3, 2).await;
    let (cause, stage) = subject.meet(FaultOrder::new(Role::ConnectionPool, MessageFault::Panic).on("CheckOut")).await;
    assert!(matches!(cause, Cause::Abandoned) && stage == Stage::Selected, "{cause} {stage:?}");
    let mut stages = Vec::new();
    for waiter in under_way {
        let (cause, stage) = waiter.await.unwrap();
        match &cause {
            Cause::Abandoned => assert_eq!(stage, Stage::Written),
            Cause::CheckOut(error) => assert!(matches!(**error, CheckOutError::PoolCleared(_)), "{error}"),
            other => panic!("{other}"),
        }
        stages.push(stage);
    }
    stages.sort();
    assert_eq!(stages, [Stage::Selected, Stage::Written, Stage::Written]);
    let next = persist(&subject.engine, ping()).await.connection.generation;
    assert!(next > first, "{next} after {first}");
    assert_eq!((subject.restarts(Role::ConnectionPool), subject.restarts(Role::Topology)), (1, 0));
    subject.end_well().await;
}

#[tokio::test]
async fn a_topology_that_dies_keeps_what_orders_its_knowledge_and_answers_the_parked() {
    let subject = Subject::new(&[]).await;
    let before = subject.engine.description();
    let first = run(&subject.engine, ping()).await.unwrap().connection.generation;
    let parked = {
        let mut operation = ping();
        let nowhere = [TagSet::from([("dc".to_owned(), "nowhere".to_owned())])];
        operation.criteria = ReadPreference::secondary().with_tag_sets(nowhere).into();
        tokio::spawn(subject.engine.execute(operation))
    };
    // A barrier through the topology: it has been parked.
    subject.engine.flush_events().await;
    let (cause, stage) = subject.meet(FaultOrder::new(Role::Topology, MessageFault::Panic).on("Execute")).await;
    assert!(matches!(cause, Cause::Abandoned) && stage == Stage::Queued, "{cause} {stage:?}");
    let parked = parked.await.unwrap().unwrap().unwrap_err();
    assert!(matches!(parked.failure.cause, Cause::Abandoned), "{:?}", parked.failure);
    assert_eq!(parked.failure.stage, Stage::Queued);

    let next = persist(&subject.engine, ping()).await.connection.generation;
    assert!(next > first, "{next} after {first}");
    let after = subject.engine.description();
    assert!(before.max_election_id.is_some() && before.max_set_version.is_some());
    assert_eq!((after.max_election_id, after.max_set_version), (before.max_election_id, before.max_set_version));
    assert_eq!(after.set_name, before.set_name);
    assert_eq!(subject.restarts(Role::Topology), 1);
    subject.end_well().await;
}

#[tokio::test]
async fn a_monitor_that_dies_disturbs_no_operation() {
    for fault in [MessageFault::Panic, MessageFault::Stop] {
        let subject = Subject::new(&[("heartbeatFrequencyMS", "500")]).await;
        let mut firings = subject.engine.chaos().order(FaultOrder::new(Role::ServerMonitor, fault).on("RequestCheck"));
        let under_way = {
            let operation = slow(Duration::from_millis(300));
            tokio::spawn(subject.engine.execute(operation))
        };
        let deadline = Instant::now() + Duration::from_millis(100);
        let nowhere = [TagSet::from([("dc".to_owned(), "nowhere".to_owned())])];
        let unselectable = ReadPreference::secondary().with_tag_sets(nowhere);
        assert!(subject.engine.select(unselectable.into(), Some(deadline)).await.is_err());
        assert!(firings.reached(1).await);
        persist(&subject.engine, ping()).await;
        under_way.await.unwrap().unwrap().unwrap();
        subject.engine.flush_events().await;
        let errors: Vec<_> = subject.seen.servers.lock().unwrap().iter().flatten().cloned().collect();
        assert!(errors.iter().any(|error| error.contains("monitor")), "the server was unknown meanwhile: {errors:?}");
        assert_eq!(subject.pools.cleared.load(Ordering::SeqCst), 0);
        assert_eq!((subject.restarts(Role::ServerMonitor), subject.restarts(Role::Topology)), (1, 0));
        subject.end_well().await;
    }
}

/// The poller gets no messages at which it could fail: it is struck between two lookups.
#[tokio::test]
async fn a_poller_that_dies_goes_on_following_the_records() {
    const SERVICE: &str = "_mongodb._tcp.test1.test.build.10gen.cc";
    let dns = DnsServer::start().await.unwrap();
    dns.set_ttl(0);
    let publish = |port| dns.srv(SERVICE, port, "localhost.test.build.10gen.cc");
    let mut hosts = 1;
    publish(27000);
    for fault in [MessageFault::Panic, MessageFault::Stop, MessageFault::Stall, MessageFault::Kill] {
        let options = ClientOptions::builder()
            .uri("mongodb+srv://test1.test.build.10gen.cc/?tls=false")
            .resolver_config(ResolverConfig::name_servers([dns.address()]))
            .build()
            .unwrap();
        let mut settings = EngineSettings::new(resolve_seedlist(options).await.unwrap());
        settings.conformance.srv_rescan_interval = Duration::from_millis(20);
        settings.conformance.monitors = false;
        settings.stall_limit = Duration::from_millis(300);
        let engine = Engine::start(settings).unwrap();
        let restarts = |role| actors(&engine, role).iter().map(|actor| actor.restarts).sum::<u64>();
        eventually("the poller is there", || actors(&engine, Role::SrvPoller).len() == 1).await;
        let chaos = engine.chaos();
        let struck = match fault {
            MessageFault::Panic => chaos.panic(Role::SrvPoller, None),
            MessageFault::Stop => chaos.stop(Role::SrvPoller, None),
            MessageFault::Stall => chaos.stall(Role::SrvPoller, None),
            _ => chaos.kill(Role::SrvPoller, None),
        };
        assert_eq!(struck, 1, "{fault:?}");
        // An actor that was killed cannot be restarted: its parent is.
        let expected = if fault == MessageFault::Kill { (0, 1) } else { (1, 0) };
        let what = format!("{fault:?}");
        eventually(&what, || (restarts(Role::SrvPoller), restarts(Role::Topology)) == expected).await;
        hosts += 1;
        publish(27000 + hosts);
        eventually(&what, || engine.description().servers.len() == usize::from(hosts)).await;
        engine.close(None).await;
        eventually("all actors are gone", || engine.actors().is_empty()).await;
    }
}

#[tokio::test]
async fn a_session_pool_that_dies_takes_the_sessions_back_that_are_out() {
    let subject = Subject::new(&[]).await;
    let mut firings = subject.engine.chaos().order(FaultOrder::new(Role::SessionPool, MessageFault::Panic).on("Equip"));
    // The first connection has a session already; a second one asks for one.
    let both = [subject.engine.execute(slow(Duration::from_millis(100))), subject.engine.execute(ping())];
    let answers = futures_util::future::join_all(both).await;
    assert!(firings.reached(1).await);
    let lost: Vec<_> = answers.into_iter().filter_map(|answer| answer.unwrap().err()).collect();
    assert_eq!(lost.len(), 1);
    assert!(matches!(lost[0].failure.cause, Cause::Abandoned) && lost[0].failure.stage == Stage::CheckedOut);
    persist(&subject.engine, ping()).await;
    subject.engine.flush_events().await;
    assert_eq!(subject.pools.closed.load(Ordering::SeqCst), 0, "no connection was harmed");
    assert_eq!(subject.restarts(Role::SessionPool), 1);
    let seen = subject.seen.clone();
    subject.end_well().await;
    assert_eq!(seen.ended_sessions.load(Ordering::SeqCst), 1, "the session of the first connection came back");
}

#[tokio::test]
async fn a_reaper_that_dies_forgets_no_debt() {
    let subject = Subject::new(&[]).await;
    for id in 10..20 {
        let mut operation = insert(id);
        operation.request.body = rawdoc! { "insert": "owed" };
        persist(&subject.engine, operation).await;
    }
    let find = command("find", rawdoc! { "find": "owed", "batchSize": 2 });
    let reply = run(&subject.engine, find).await.unwrap();
    let cursor = reply.body.as_ref().unwrap().as_document().get_document("cursor").unwrap().get("id").unwrap();
    let Some(RawBsonRef::Int64(cursor_id)) = cursor else { panic!("{cursor:?}") };
    let mut firings = subject.engine.chaos().order(FaultOrder::new(Role::Reaper, MessageFault::Panic).on("Settle"));
    let debt = KillCursors::new(reply.server.clone(), &Namespace::new("engine", "owed"), cursor_id);
    subject.engine.owe(KillCursors { session: reply.session, ..debt });
    assert!(firings.reached(1).await);
    eventually("the cursor is killed", || subject.seen.killed_cursors.load(Ordering::SeqCst) == 1).await;
    assert_eq!(subject.restarts(Role::Reaper), 1);
    subject.end_well().await;
}

#[tokio::test]
async fn a_supervisor_that_dies_begins_with_a_new_tree() {
    let subject = Subject::new(&[]).await;
    let under_way = begin(&subject, 1, 1).await.pop().unwrap();
    let mut firings =
        subject.engine.chaos().order(FaultOrder::new(Role::Supervisor, MessageFault::Panic).on("Restart"));
    subject.engine.restart().await;
    assert!(firings.reached(1).await);
    let (cause, stage) = under_way.await.unwrap();
    assert!(matches!(cause, Cause::Abandoned) && stage == Stage::Written, "{cause} {stage:?}");
    persist(&subject.engine, ping()).await;
    assert_eq!(subject.restarts(Role::Supervisor), 1);
    subject.end_well().await;
}

#[tokio::test]
async fn without_a_supervisor_operations_fail_with_the_cause_until_the_client_is_restarted() {
    let subject = Subject::with(&[], |settings| settings.restart_budget = RestartBudget::NONE).await;
    assert_eq!(subject.engine.chaos().panic(Role::Supervisor, None), 1);
    eventually("all actors are gone", || subject.engine.actors().is_empty()).await;
    let started = Instant::now();
    let setback = run(&subject.engine, ping()).await.unwrap_err();
    assert!(matches!(setback.failure.cause, Cause::EngineDown(_)), "{}", setback.failure.cause);
    assert!(started.elapsed() < Duration::from_millis(500), "at once");
    subject.engine.restart().await;
    persist(&subject.engine, ping()).await;
    subject.end_well().await;
}

#[tokio::test]
async fn a_restart_is_carried_out_even_if_the_root_dies_of_it_or_is_dying_already() {
    for budget in [RestartBudget::default(), RestartBudget::NONE] {
        let subject = Subject::with(&[], |settings| settings.restart_budget = budget).await;
        let engine = &subject.engine;
        for round in 1..=20 {
            let fault = if round % 2 == 0 { MessageFault::Kill } else { MessageFault::Panic };
            let mut firings = engine.chaos().order(FaultOrder::new(Role::Supervisor, fault).on("Restart"));
            engine.restart().await;
            assert!(firings.reached(1).await);
            assert!(matches!(engine.supervision().status, TreeStatus::Up), "round {round}: {fault:?} of the order");
            persist(engine, ping()).await;
            // The root still takes messages when the order comes.
            assert_eq!(engine.chaos().kill(Role::Supervisor, None), 1);
            engine.restart().await;
            assert!(matches!(engine.supervision().status, TreeStatus::Up), "round {round}: {fault:?} before the order");
            persist(engine, ping()).await;
        }
        subject.end_well().await;
    }
}

#[tokio::test]
async fn whoever_asks_for_a_session_waits_for_the_pool_that_is_being_replaced() {
    for fault in [MessageFault::Panic, MessageFault::Stop, MessageFault::Kill, MessageFault::Drop] {
        let subject = Subject::new(&[]).await;
        let mut firings = subject.engine.chaos().order(FaultOrder::new(Role::SessionPool, fault).on("Lend"));
        let session = subject.engine.start_session(Default::default(), None).await;
        assert!(firings.reached(1).await);
        assert!(session.is_ok(), "{fault:?}: {session:?}");
        drop(session);
        persist(&subject.engine, ping()).await;
        subject.end_well().await;
    }
    // Its patience is that of the caller.
    let subject = Subject::new(&[]).await;
    let _firings = subject.engine.chaos().order(FaultOrder::new(Role::SessionPool, MessageFault::Stall).on("Lend"));
    let began = Instant::now();
    let refused = subject.engine.start_session(Default::default(), Some(began + Duration::from_millis(200))).await;
    assert!(matches!(refused.unwrap_err().cause, Cause::DeadlinePassed));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    subject.engine.close(None).await;
    // A tree that is down has none.
    let subject = Subject::with(&[], |settings| {
        settings.restart_budget = RestartBudget::NONE;
        settings.stay_down = true;
    })
    .await;
    let _firings = subject.engine.chaos().order(FaultOrder::new(Role::SessionPool, MessageFault::Kill).on("Lend"));
    let refused = subject.engine.start_session(Default::default(), None).await.unwrap_err();
    assert!(matches!(refused.cause, Cause::EngineDown(_)), "{refused:?}");
    subject.engine.close(None).await;
}

#[tokio::test]
async fn a_client_without_a_supervisor_can_still_be_closed() {
    let subject = Subject::with(&[], |settings| settings.restart_budget = RestartBudget::NONE).await;
    assert_eq!(subject.engine.chaos().kill(Role::Supervisor, None), 1);
    eventually("all actors are gone", || subject.engine.actors().is_empty()).await;
    subject.engine.close(None).await;
    assert!(subject.engine.is_closed());
    let setback = run(&subject.engine, ping()).await.unwrap_err();
    assert!(matches!(setback.failure.cause, Cause::ClientClosed), "{}", setback.failure.cause);
}

#[tokio::test]
async fn the_sixth_crash_of_a_pool_within_five_seconds_restarts_the_topology() {
    let subject = Subject::new(&[]).await;
    let mut firings = subject
        .engine
        .chaos()
        .order(FaultOrder::new(Role::ConnectionPool, MessageFault::Panic).on("CheckOut").times(6));
    let started = Instant::now();
    while firings.count() < 6 {
        persist(&subject.engine, ping()).await;
    }
    assert!(firings.reached(6).await && started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    persist(&subject.engine, ping()).await;
    let topology = actors(&subject.engine, Role::Topology).pop().unwrap();
    assert_eq!(topology.restarts, 1);
    assert!(matches!(topology.last_failure, Some(Death::Escalated(_))), "{topology:?}");
    assert_eq!(subject.restarts(Role::Supervisor), 0);
    subject.end_well().await;
}

#[tokio::test]
async fn a_tree_that_cannot_be_kept_alive_is_brought_back_after_a_pause_or_by_hand() {
    let subject = Subject::with(&[], |settings| settings.restart_budget = RestartBudget::NONE).await;
    let crash = || FaultOrder::new(Role::Topology, MessageFault::Panic).on("Execute");
    let (cause, _) = subject.meet(crash()).await;
    assert!(matches!(cause, Cause::Abandoned), "{cause}");
    let (began, mut answered) = (Instant::now(), 0);
    loop {
        match run(&subject.engine, ping()).await {
            Ok(_) => break,
            Err(setback) => {
                assert!(
                    matches!(setback.failure.cause, Cause::EngineDown(_) | Cause::Abandoned),
                    "{:?}",
                    setback.failure
                );
                answered += 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
    let pause = began.elapsed();
    assert!(pause >= Duration::from_millis(900) && pause < Duration::from_secs(5), "{pause:?}");
    assert!(answered > 10, "each answered at once");

    subject.meet(crash()).await;
    let began = Instant::now();
    subject.engine.restart().await;
    persist(&subject.engine, ping()).await;
    assert!(began.elapsed() < Duration::from_millis(1900), "the next pause would be of 2 s: {:?}", began.elapsed());
    subject.end_well().await;
}

#[tokio::test]
async fn a_tree_stays_down_when_that_is_wanted() {
    let subject = Subject::with(&[], |settings| {
        settings.restart_budget = RestartBudget::NONE;
        settings.stay_down = true;
    })
    .await;
    subject.meet(FaultOrder::new(Role::Topology, MessageFault::Kill).on("Execute")).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let setback = run(&subject.engine, ping()).await.unwrap_err();
    assert!(matches!(&setback.failure.cause, Cause::EngineDown(cause) if cause.contains("topology")), "{setback:?}");
    subject.engine.restart().await;
    persist(&subject.engine, ping()).await;
    subject.end_well().await;
}

/// A crash at any of the steps of closing must not leave the caller waiting, nor an actor behind.
#[tokio::test]
async fn a_crash_while_closing_still_ends_the_close() {
    let steps = [
        (Role::Supervisor, "Shutdown"),
        (Role::Topology, "RefuseWaiting"),
        (Role::Topology, "CollectSessions"),
        (Role::Topology, "CloseTopology"),
        (Role::ConnectionPool, "SurrenderSessions"),
        (Role::ConnectionPool, "ClosePool"),
        (Role::Connection, "SurrenderSession"),
        (Role::SessionPool, "TakeEnded"),
        (Role::Reaper, "Settle"),
    ];
    for fault in [MessageFault::Panic, MessageFault::Kill] {
        for (role, message) in steps {
            let what = format!("{fault:?} of {role} at {message}");
            let subject = Subject::new(&[]).await;
            let mut firings = subject.engine.chaos().order(FaultOrder::new(role, fault).on(message));
            soon(&what, subject.engine.close(None)).await;
            assert!(soon(&what, firings.reached(1)).await, "{what}");
            assert_closed(&subject.engine, &what).await;
        }
    }
}

/// The last obituaries of a tree may come when nobody is left to read them; this one comes in the middle.
#[tokio::test]
async fn a_crash_at_an_obituary_while_closing_still_ends_the_close() {
    for fault in [MessageFault::Panic, MessageFault::Kill] {
        let what = format!("{fault:?} at an obituary");
        let Subject { engine, .. } = Subject::new(&[]).await;
        let mut held_up = engine.chaos().order(FaultOrder::new(Role::Reaper, MessageFault::Stall).on("Settle"));
        let mut firings = engine.chaos().order(FaultOrder::new(Role::Supervisor, fault).on("Obituary"));
        let attack = async {
            assert!(soon(&what, held_up.reached(1)).await, "{what}");
            assert_eq!(engine.chaos().kill(Role::SessionPool, None), 1);
            assert!(soon(&what, firings.reached(1)).await, "{what}");
        };
        tokio::join!(soon(&what, engine.close(None)), attack);
        assert_closed(&engine, &what).await;
    }
}

async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(15), work).await.expect(what)
}

async fn assert_closed(engine: &Engine, what: &str) {
    let setback = run(engine, ping()).await.unwrap_err();
    let what = format!("{what}: {:?}", setback.failure.cause);
    assert!(matches!(setback.failure.cause, Cause::ClientClosed | Cause::EngineDown(_)), "{what}");
    engine.close(None).await;
    eventually(&what, || engine.actors().is_empty()).await;
}

/// Writes go on whatever dies, each exactly once.
#[tokio::test]
async fn writes_survive_a_series_of_deaths() {
    let subject = Subject::with(&[("maxPoolSize", "4")], |settings| {
        settings.restart_budget = RestartBudget { restarts: 50, within: Duration::from_secs(5) };
    })
    .await;
    let mut orders = Vec::new();
    for (role, message) in [
        (Role::Connection, "Run"),
        (Role::Connection, "Equipped"),
        (Role::ConnectionPool, "CheckOut"),
        (Role::ConnectionPool, "CheckedIn"),
        (Role::Topology, "Execute"),
        (Role::Topology, "ClusterTimeSeen"),
        (Role::SessionPool, "Equip"),
        (Role::SessionPool, "ReturnSession"),
    ] {
        for fault in [MessageFault::Panic, MessageFault::Stop] {
            orders.push(FaultOrder::new(role, fault).on(message));
            orders.push(FaultOrder::new(role, fault).on(message).after());
        }
    }
    let drop_first = command("drop", rawdoc! { "drop": "series" });
    drop(run(&subject.engine, drop_first).await);
    for (id, order) in orders.into_iter().enumerate() {
        let firings = subject.engine.chaos().order(order);
        let write = |id: usize| {
            let mut operation = insert(i32::try_from(id).unwrap());
            operation.request.body = rawdoc! { "insert": "series" };
            operation
        };
        let writes = (0..4).map(|n| persist(&subject.engine, write(id * 4 + n)));
        for reply in futures_util::future::join_all(writes).await {
            assert_eq!(number(&reply), 1, "applied once: {:?}", reply.body);
        }
        drop(firings);
    }
    let mut count = command("count", rawdoc! { "count": "series" });
    count.retryability = Retryability::Read;
    assert_eq!(number(&persist(&subject.engine, count).await), 128);
    subject.end_well().await;
}
