//! Operations, from start to close.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bson::{Binary, doc, rawdoc, spec::BinarySubtype};
use mongo_actors_engine::{Cause, Engine, EngineSettings, Placement, PoolOrder};
use mongo_actors_protocol::{
    event::{CommandListener, CommandSucceededEvent},
    options::ClientOptions,
};
use mongo_actors_testkit::{ReplicaSet, Reply, ScriptedServer, Standalone};

use crate::{Ledger, command, count, engine, insert, number, persist, run};

#[tokio::test]
async fn a_standalone_takes_what_is_written_and_gives_it_back() {
    let server = Standalone::start().await.unwrap();
    let engine = engine(&server.uri());
    for id in 0..10 {
        assert_eq!(number(&run(&engine, insert(id)).await.unwrap()), 1);
    }
    assert_eq!(number(&run(&engine, count()).await.unwrap()), 10);
    let duplicate = run(&engine, insert(3)).await.unwrap();
    assert!(duplicate.body.unwrap().as_document().get("writeErrors").unwrap().is_some());
    engine.close(None).await;
    assert!(matches!(run(&engine, count()).await.unwrap_err().failure.cause, Cause::ClientClosed));
}

#[tokio::test]
async fn a_server_error_is_an_error_of_the_command_alone() {
    let server = Standalone::start().await.unwrap();
    let engine = engine(&server.uri());
    let setback = run(&engine, command("noSuchCommand", rawdoc! { "noSuchCommand": 1 })).await.unwrap_err();
    let Cause::Command(error) = &setback.failure.cause else { panic!("{:?}", setback.failure) };
    assert_eq!(error.code, 59);
    run(&engine, command("ping", rawdoc! { "ping": 1 })).await.unwrap();
    engine.close(None).await;
}

#[tokio::test]
async fn an_unreachable_server_ends_selection_in_time() {
    let engine = engine("mongodb://localhost:1/?serverSelectionTimeoutMS=300");
    let started = Instant::now();
    let setback = run(&engine, count()).await.unwrap_err();
    let waited = started.elapsed();
    assert!(matches!(setback.failure.cause, Cause::Selection(_)), "{:?}", setback.failure);
    assert!(waited >= Duration::from_millis(300) && waited < Duration::from_secs(2), "{waited:?}");
    engine.close(None).await;
}

#[tokio::test]
async fn credentials_are_checked() {
    let server = Standalone::builder().auth("ada", "lovelace").start().await.unwrap();
    let good = engine(&server.uri());
    persist(&good, count()).await;
    good.close(None).await;
    let bad = engine(&server.uri().replace("lovelace", "babbage"));
    let setback = run(&bad, count()).await.unwrap_err();
    let text = setback.failure.cause.to_string();
    assert!(text.contains("authentication failed"), "{text}");
    assert!(!text.contains("babbage"), "{text}");
    bad.close(None).await;
}

#[tokio::test]
async fn many_callers_share_few_connections() {
    let server = Standalone::start().await.unwrap();
    let engine = engine(&server.uri_with(&[("maxPoolSize", "5"), ("appName", "few")]));
    let tasks: Vec<_> = (0..200)
        .map(|task| {
            let engine = engine.clone();
            tokio::spawn(async move {
                for turn in 0..5 {
                    run(&engine, insert(task * 5 + turn)).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(number(&run(&engine, count()).await.unwrap()), 1000);
    // Five in the pool, and the monitor's two.
    assert!(server.member().connections_of("few").await.unwrap() <= 7);
    assert_eq!(engine.operations_in_flight(), 0);
    engine.close(None).await;
}

#[tokio::test]
async fn a_dropped_future_costs_no_connection() {
    let server = Standalone::start().await.unwrap();
    let ledger = Arc::new(Ledger::default());
    let mut settings = EngineSettings::new(ClientOptions::parse(&server.uri()).unwrap());
    settings.listeners.pool.push(ledger.clone());
    let engine = Engine::start(settings).unwrap();
    run(&engine, insert(1)).await.unwrap();
    let slow = || command("find", rawdoc! { "find": "numbers", "filter": { "$where": "sleep(50) || true" } });
    for patience in [0, 1, 5, 20, 45] {
        let cancelled = tokio::time::timeout(Duration::from_millis(patience), engine.execute(slow())).await;
        assert!(cancelled.is_err(), "it takes 50 ms");
    }
    let end = Instant::now() + Duration::from_secs(10);
    while engine.operations_in_flight() > 0 {
        assert!(Instant::now() < end, "a cancelled operation was never forgotten");
        run(&engine, count()).await.unwrap();
    }
    engine.flush_events().await;
    let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
    assert_eq!(count(&ledger.checked_out), count(&ledger.checked_in));
    assert_eq!(count(&ledger.closed), 0);
    engine.close(None).await;
}

#[tokio::test]
async fn acknowledged_writes_survive_the_death_of_a_primary() {
    let set = ReplicaSet::builder(3).election_timeout(Duration::from_secs(1)).start().await.unwrap();
    let engine = engine(&set.uri_with(&[("heartbeatFrequencyMS", "500"), ("w", "majority")]));
    let writer = tokio::spawn({
        let engine = engine.clone();
        async move {
            let mut repeated = 0;
            for id in 0..400 {
                let mut operation = insert(id);
                operation.write_concern = Some(mongo_actors_protocol::concern::WriteConcern::majority());
                let first = run(&engine, operation).await;
                let reply = match first {
                    Ok(reply) => reply,
                    Err(setback) => {
                        repeated += 1;
                        assert!(setback.txn_number.is_some() || setback.session.is_none());
                        let mut answer = engine.repeat(*setback, Vec::new(), None).await.expect("the engine answers");
                        loop {
                            match answer {
                                Ok(reply) => break reply,
                                Err(setback) => answer = engine.repeat(*setback, Vec::new(), None).await.unwrap(),
                            }
                        }
                    }
                };
                assert_eq!(number(&reply), 1, "write {id} was applied once");
            }
            repeated
        }
    });
    while number(&persist(&engine, count()).await) < 100 {}
    let primary = set.wait_for_primary().await.unwrap();
    primary.kill().await.unwrap();
    let repeated = writer.await.unwrap();
    assert!(repeated > 0, "the death of the primary was noticed");
    assert_eq!(number(&persist(&engine, count()).await), 400);
    engine.close(None).await;
}

#[tokio::test]
async fn dropping_the_last_handle_closes_everything() {
    let server = Standalone::start().await.unwrap();
    let engine = engine(&server.uri_with(&[("appName", "dropped")]));
    run(&engine, count()).await.unwrap();
    assert!(server.member().connections_of("dropped").await.unwrap() > 0);
    drop(engine);
    let end = Instant::now() + Duration::from_secs(10);
    while server.member().connections_of("dropped").await.unwrap() > 0 {
        assert!(Instant::now() < end, "connections are left");
    }
}

#[test]
fn an_engine_outlives_the_arbiter_it_was_built_on_with_clear_errors() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Standalone::start()).unwrap();
    let engine = actix_rt::System::new().block_on(async {
        let mut settings = EngineSettings::new(ClientOptions::parse(&server.uri()).unwrap());
        settings.placement = Some(Placement::Current);
        let engine = Engine::start(settings).unwrap();
        run(&engine, insert(1)).await.unwrap();
        engine
    });
    runtime.block_on(async {
        let answer = tokio::time::timeout(Duration::from_secs(5), run(&engine, count())).await;
        let setback = answer.expect("nothing hangs").unwrap_err();
        assert!(matches!(setback.failure.cause, Cause::Abandoned | Cause::EngineDown(_)), "{:?}", setback.failure);
        tokio::time::timeout(Duration::from_secs(5), engine.close(None)).await.expect("nothing hangs");
    });
}

#[tokio::test]
async fn what_is_not_built_is_refused_by_name() {
    let uri = "mongodb://user@localhost/?authMechanism=GSSAPI&authSource=$external";
    let error = Engine::start(EngineSettings::new(ClientOptions::parse(uri).unwrap())).unwrap_err();
    assert!(error.to_string().contains("authMechanism"), "{error}");
}

/// Counts the sessions that were ended.
#[derive(Default)]
struct EndedSessions(AtomicUsize);

impl CommandListener for EndedSessions {
    fn command_succeeded(&self, event: &CommandSucceededEvent) {
        if event.command_name == "endSessions" {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[tokio::test]
async fn closing_ends_the_sessions() {
    let server = Standalone::start().await.unwrap();
    let ended = Arc::new(EndedSessions::default());
    let mut settings = EngineSettings::new(ClientOptions::parse(&server.uri()).unwrap());
    settings.listeners.command.push(ended.clone());
    let engine = Engine::start(settings).unwrap();
    run(&engine, count()).await.unwrap();
    engine.close(None).await;
    assert_eq!(ended.0.load(Ordering::SeqCst), 1);
}

/// A connection that authenticates anew has the operation in its hands, and no exchange.
#[tokio::test]
async fn a_connection_is_interrupted_while_it_authenticates_anew() {
    let server = ScriptedServer::builder()
        .on(
            "saslStart",
            Reply::document(doc! { "ok": 1, "conversationId": 1, "done": true, "payload": Binary {
                subtype: BinarySubtype::Generic, bytes: Vec::new(),
            } }),
        )
        .on("count", Reply::document(doc! { "ok": 1, "n": 0 }))
        .start()
        .await
        .unwrap();
    let uri = server.uri().replace("mongodb://", "mongodb://alice:pencil@") + "?authMechanism=PLAIN";
    let engine = engine(&uri);
    run(&engine, count()).await.unwrap();
    server.once("count", Reply::error(391, "ReauthenticationRequired", "the credentials have expired"));
    server.once("saslStart", Reply::Never);
    let pending = engine.execute(count());
    server.wait_for("saslStart", 2, Duration::from_secs(10)).await.unwrap();
    let begun = Instant::now();
    engine.order_pool(server.address(), PoolOrder::Clear { interrupt_in_use: true }).await;
    let setback = pending.await.expect("the engine answers").unwrap_err();
    assert!(matches!(setback.failure.cause, Cause::Interrupted), "{:?}", setback.failure);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    engine.close(None).await;
}
