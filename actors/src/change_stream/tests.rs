//! The actor's own death, at every moment of a fetch.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::{Handler, Message};
use bson::{Document, RawDocument, doc};
use mongo_actors_protocol::{
    change_stream::{ChangeStreamOptions, Start, Watch, Watched},
    command::{Command, Namespace},
    options::ClientOptions,
    read_preference::ReadPreference,
    retry::{self, Budget, RetryOptions},
};
use mongo_actors_testkit::{Reply, Role, ScriptedServer};

use super::{actor::ChangeStreamActor, handle::ChangeStreamHandle, plan::ChangeStreamPlan};
use crate::{
    engine::Engine,
    failure::Cause,
    runtime::{Context, Placement},
    settings::EngineSettings,
    ticket::Operation,
};

/// Makes the actor panic.
#[derive(Message)]
#[rtype(result = "()")]
struct Crash;

impl Handler<Crash> for ChangeStreamActor {
    type Result = ();

    fn handle(&mut self, _: Crash, _: &mut Context<Self>) {
        panic!("a crash on purpose");
    }
}

/// Events without end, numbered from 1; each `getMore` has up to three. Every cursor has an id of its own.
async fn endless() -> ScriptedServer {
    let state = Arc::new(Mutex::new((0, 0)));
    let cursors = state.clone();
    let number = |document: &Document| document.get_i32("_data").unwrap();
    ScriptedServer::builder()
        .role(Role::Primary("rs".into()))
        .with("aggregate", move |command| {
            let stage = command.body.get_array("pipeline").unwrap()[0].as_document().unwrap().clone();
            let stage = stage.get_document("$changeStream").unwrap();
            let mut cursors = cursors.lock().unwrap();
            *cursors = (cursors.0 + 1, stage.get_document("resumeAfter").map_or(0, number));
            let token = doc! { "_data": cursors.1 };
            let cursor = doc! { "id": cursors.0, "ns": "db.c", "firstBatch": [], "postBatchResumeToken": token };
            Reply::document(doc! { "ok": 1, "cursor": cursor })
        })
        .with("getMore", move |command| {
            let mut state = state.lock().unwrap();
            if command.body.get_i64("getMore").unwrap() != state.0 {
                return Reply::error(43, "CursorNotFound", "gone");
            }
            let first = state.1 + 1;
            state.1 = first + first % 3;
            let events: Vec<_> = (first..=state.1).map(|n| doc! { "_id": { "_data": n }, "n": n }).collect();
            Reply::document(doc! { "ok": 1, "cursor": { "id": state.0, "ns": "db.c", "nextBatch": events } })
        })
        .on("killCursors", Reply::ok())
        .start()
        .await
        .unwrap()
}

fn engine(server: &ScriptedServer, restarts: usize) -> Engine {
    let mut settings = EngineSettings::new(ClientOptions::parse(&server.uri()).unwrap());
    settings.placement = Some(Placement::Dedicated);
    settings.restart_budget.restarts = restarts;
    Engine::start(settings).unwrap()
}

fn watch(engine: &Engine) -> ChangeStreamHandle {
    let watched = Watched::Collection(Namespace::new("db", "c"));
    let options = ChangeStreamOptions::default();
    let command = Watch { watched: &watched, pipeline: &[], options: &options, start: &Start::AsGiven };
    let operation = Box::new(Operation::new(command.request().unwrap(), ReadPreference::Primary.into()));
    engine.watch(ChangeStreamPlan {
        session: None,
        watched,
        pipeline: Vec::new(),
        options,
        operation,
        retry: retry::Operation::READ,
        retry_options: RetryOptions::default(),
        timeout: None,
    })
}

async fn next(stream: &mut ChangeStreamHandle) -> i32 {
    loop {
        if let Some(event) = stream.next_event() {
            return RawDocument::from_bytes(&event.unwrap()).unwrap().get_i32("n").unwrap();
        }
        poll_fn(|cx| stream.poll_fetch(Budget::Unset, cx)).await.unwrap();
    }
}

fn crash(stream: &ChangeStreamHandle) {
    stream.actor().unwrap().do_send(Crash);
}

#[tokio::test]
async fn a_crash_between_two_fetches_loses_and_repeats_nothing() {
    let server = endless().await;
    let engine = engine(&server, 1000);
    let mut stream = watch(&engine);
    for expected in 1..=200 {
        assert_eq!(next(&mut stream).await, expected);
        if expected % 7 == 0 {
            crash(&stream);
        }
    }
    let entry = engine.actors().into_iter().find(|entry| entry.path.to_string().contains("change-stream")).unwrap();
    assert!(entry.restarts > 20, "{entry:?}");
    assert!(entry.last_failure.unwrap().to_string().contains("on purpose"));
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_fetch_loses_and_repeats_nothing() {
    let server = endless().await;
    let engine = engine(&server, 1000);
    let mut stream = watch(&engine);
    for expected in 1..=200 {
        // The fetch is on its way, at whatever stage, when the actor dies.
        if !stream.delivery().has_next() {
            let first_poll = poll_fn(|cx| std::task::Poll::Ready(stream.poll_fetch(Budget::Unset, cx))).await;
            assert!(!matches!(first_poll, std::task::Poll::Ready(Err(_))));
            for _ in 0..expected % 5 {
                tokio::task::yield_now().await;
            }
            crash(&stream);
        }
        assert_eq!(next(&mut stream).await, expected);
    }
    // Cursors of earlier lives are killed.
    let opened = server.received_named("aggregate").len();
    assert!(opened > 20, "{opened}");
    server.wait_for("killCursors", opened / 2, Duration::from_secs(20)).await.unwrap();
}

#[tokio::test]
async fn an_actor_that_is_given_up_is_replaced() {
    let server = endless().await;
    let engine = engine(&server, 1);
    let mut stream = watch(&engine);
    for expected in 1..=30 {
        assert_eq!(next(&mut stream).await, expected);
        if expected % 5 == 0 {
            let actor = stream.actor().unwrap().clone();
            for _ in 0..3 {
                crash(&stream);
            }
            while actor.connected() {
                tokio::task::yield_now().await;
            }
        }
    }
}

#[tokio::test]
async fn a_stream_whose_actor_crashes_at_once_reports_that_and_does_not_spin() {
    let server = endless().await;
    let engine = engine(&server, 0);
    let mut stream = watch(&engine);
    assert_eq!(next(&mut stream).await, 1);
    server.with("aggregate", |_| Reply::Never);
    let actor = stream.actor().unwrap().clone();
    crash(&stream);
    while actor.connected() {
        tokio::task::yield_now().await;
    }
    // A new actor is started, and dies in its turn.
    while stream.delivery().has_next() {
        stream.next_event();
    }
    let mut fetch = Box::pin(poll_fn(|cx| stream.poll_fetch(Budget::Unset, cx)));
    tokio::select! {
        biased;
        _ = &mut fetch => panic!("nothing answers"),
        _ = server.wait_for("aggregate", 2, Duration::from_secs(20)) => {}
    }
    drop(fetch);
    crash(&stream);
    let error = poll_fn(|cx| stream.poll_fetch(Budget::Unset, cx)).await.unwrap_err();
    let super::FetchError::GivenUp(given_up) = error else { panic!("{error:?}") };
    assert!(matches!(given_up.failure.cause, Cause::EngineDown(_)) && !given_up.ends, "{given_up:?}");
}
