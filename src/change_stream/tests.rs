//! Change streams against a scripted server: what is sent when, and what becomes of failures.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bson::{Document, Timestamp, doc};
use futures_util::FutureExt;
use mongo_actors_testkit::{Received, Reply, Role, ScriptedServer};

use super::{ChangeStream, ResumeToken, event::ChangeStreamEvent};
use crate::{Client, Collection, error::ErrorKind};

const PATIENCE: Duration = Duration::from_secs(20);

fn token(n: i32) -> Document {
    doc! { "_data": n }
}

fn event(n: i32) -> Document {
    doc! {
        "_id": token(n),
        "operationType": "insert",
        "ns": { "db": "db", "coll": "things" },
        "documentKey": { "_id": n },
        "fullDocument": { "_id": n },
    }
}

fn batch(name: &str, id: i64, events: Vec<Document>, post_batch: Option<i32>) -> Reply {
    let mut cursor = doc! { "id": id, "ns": "db.things" };
    cursor.insert(if name == "getMore" { "nextBatch" } else { "firstBatch" }, events);
    if let Some(n) = post_batch {
        cursor.insert("postBatchResumeToken", token(n));
    }
    Reply::document(doc! { "ok": 1, "cursor": cursor, "operationTime": Timestamp { time: 5, increment: 0 } })
}

/// What the `$changeStream` stage of an `aggregate` says.
fn stage(aggregate: &Received) -> Document {
    let stages = aggregate.body.get_array("pipeline").unwrap();
    stages[0].as_document().unwrap().get_document("$changeStream").unwrap().clone()
}

/// A server whose collection changes without end: events are numbered from 1, two per `getMore`.
async fn endless() -> ScriptedServer {
    let at = Arc::new(Mutex::new(0));
    let place = at.clone();
    ScriptedServer::builder()
        .role(Role::Primary("rs".into()))
        .with("aggregate", move |command| {
            let after = stage(command).get_document("resumeAfter").ok().map(|token| token.get_i32("_data").unwrap());
            *place.lock().unwrap() = after.unwrap_or(0);
            batch("aggregate", 7, vec![], Some(after.unwrap_or(0)))
        })
        .with("getMore", move |_| {
            let mut at = at.lock().unwrap();
            *at += 2;
            batch("getMore", 7, vec![event(*at - 1), event(*at)], None)
        })
        .on("killCursors", Reply::ok())
        .on("ping", Reply::ok())
        .start()
        .await
        .unwrap()
}

async fn things(server: &ScriptedServer) -> Collection {
    Client::with_uri_str(server.uri()).await.unwrap().database("db").collection("things")
}

async fn number(changes: &mut ChangeStream<ChangeStreamEvent<Document>>) -> i32 {
    changes.next().await.unwrap().unwrap().full_document.unwrap().get_i32("_id").unwrap()
}

fn stored(token: Option<ResumeToken>) -> Option<Document> {
    token.map(|token| bson::Bson::try_from(token).unwrap().as_document().unwrap().clone())
}

#[tokio::test]
async fn changes_are_asked_for_only_when_somebody_waits() {
    let server = endless().await;
    let things = things(&server).await;
    let mut changes = things.watch().await.unwrap();
    things.client().database("db").run_command(doc! { "ping": 1 }).await.unwrap();
    assert!(server.received_named("getMore").is_empty());
    assert_eq!(number(&mut changes).await, 1);
    assert_eq!(number(&mut changes).await, 2);
    things.client().database("db").run_command(doc! { "ping": 1 }).await.unwrap();
    assert_eq!(server.received_named("getMore").len(), 1, "nothing is read ahead");
    assert_eq!(stored(changes.resume_token()), Some(token(2)));
}

#[tokio::test]
async fn a_lost_cursor_is_opened_anew_behind_the_last_event_in_the_same_session() {
    let server = endless().await;
    let things = things(&server).await;
    let mut changes = things.watch().comment("c").max_await_time(Duration::from_millis(9)).await.unwrap();
    for expected in 1..=3 {
        assert_eq!(number(&mut changes).await, expected);
    }
    server.once("getMore", Reply::Close);
    for expected in 4..=9 {
        assert_eq!(number(&mut changes).await, expected);
    }
    let opened = server.received_named("aggregate");
    assert_eq!(opened.len(), 2);
    assert_eq!(stage(&opened[0]), doc! {});
    assert_eq!(stage(&opened[1]), doc! { "resumeAfter": token(4) });
    assert_eq!(opened[0].body.get("lsid"), opened[1].body.get("lsid"));
    assert_eq!(opened[1].body.get_str("comment").unwrap(), "c");
    let more = &server.received_named("getMore")[0].body;
    assert_eq!((more.get_i64("maxTimeMS").unwrap(), more.get_str("comment").unwrap()), (9, "c"));
    assert_eq!(more.get("lsid"), opened[0].body.get("lsid"));
    server.wait_for("killCursors", 1, PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_cursor_that_the_server_has_lost_is_not_killed() {
    let server = endless().await;
    let mut changes = things(&server).await.watch().await.unwrap();
    server.once("getMore", Reply::error(43, "CursorNotFound", "gone"));
    assert_eq!(number(&mut changes).await, 1);
    assert_eq!(server.received_named("aggregate").len(), 2);
    assert!(server.received_named("killCursors").is_empty());
}

#[tokio::test]
async fn dropping_and_closing_kill_the_cursor() {
    let server = endless().await;
    let things = things(&server).await;
    drop(things.watch().await.unwrap());
    server.wait_for("killCursors", 1, PATIENCE).await.unwrap();
    let mut changes = things.watch().await.unwrap();
    number(&mut changes).await;
    changes.close().await;
    let killed = server.received_named("killCursors");
    assert_eq!(killed.len(), 2, "closing waits");
    assert_eq!(killed[1].body.get_array("cursors").unwrap(), &[7_i64.into()]);
    // Their actors end.
    let end = std::time::Instant::now() + PATIENCE;
    while things.client().actors().iter().any(|actor| actor.role == crate::supervision::Role::ChangeStream) {
        assert!(std::time::Instant::now() < end, "an actor lives on");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn dropping_a_stream_in_the_middle_of_a_fetch_kills_the_cursor() {
    let server = endless().await;
    let mut changes = things(&server).await.watch().await.unwrap();
    server.once("getMore", Reply::Never);
    let waiting = tokio::spawn(async move { number(&mut changes).await });
    server.wait_for("getMore", 1, PATIENCE).await.unwrap();
    waiting.abort();
    server.wait_for("killCursors", 1, PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_given_up_loses_nothing() {
    let server = endless().await;
    let mut changes = things(&server).await.watch().await.unwrap();
    let mut expected = 1;
    for round in 0..20 {
        // Polled once: the request is on its way, and nobody waits for it.
        if let Some(event) = changes.next().now_or_never() {
            assert_eq!(event.unwrap().unwrap().full_document.unwrap().get_i32("_id").unwrap(), expected);
            expected += 1;
        }
        if round % 3 == 0 {
            assert_eq!(number(&mut changes).await, expected);
            expected += 1;
        }
    }
    assert_eq!(server.received_named("aggregate").len(), 1);
}

#[tokio::test]
async fn a_reader_that_only_looks_gets_the_newest_token() {
    let server = ScriptedServer::builder()
        .on("aggregate", batch("aggregate", 7, vec![], Some(1)))
        .nth("getMore", 0, batch("getMore", 7, vec![], Some(2)))
        .on("getMore", batch("getMore", 7, vec![event(3)], Some(4)))
        .start()
        .await
        .unwrap();
    let mut changes = things(&server).await.watch().await.unwrap();
    assert_eq!(stored(changes.resume_token()), Some(token(1)));
    assert_eq!(changes.next_if_any().await.unwrap(), None);
    assert_eq!(server.received_named("getMore").len(), 1);
    assert_eq!(stored(changes.resume_token()), Some(token(2)));
    assert!(changes.next_if_any().await.unwrap().is_some());
    assert_eq!(stored(changes.resume_token()), Some(token(4)));
}

#[tokio::test]
async fn an_event_without_its_id_ends_the_stream() {
    let naked = doc! { "operationType": "insert" };
    let server = ScriptedServer::builder()
        .on("aggregate", batch("aggregate", 7, vec![], None))
        .on("getMore", batch("getMore", 7, vec![naked], None))
        .on("killCursors", Reply::ok())
        .start()
        .await
        .unwrap();
    let mut changes = things(&server).await.watch().await.unwrap();
    let error = changes.next().await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::MissingResumeToken), "{error:?}");
    assert!(error.to_string().contains("resume token is missing"));
    assert!(!changes.is_alive() && changes.next().await.is_none());
    server.wait_for("killCursors", 1, PATIENCE).await.unwrap();
}

#[tokio::test]
async fn an_error_that_stays_ends_the_stream() {
    let server = endless().await;
    let mut changes = things(&server).await.watch().await.unwrap();
    assert_eq!(number(&mut changes).await, 1);
    number(&mut changes).await;
    server.once("getMore", Reply::error(280, "ChangeStreamFatalError", "no"));
    let error = changes.next().await.unwrap().unwrap_err();
    assert_eq!((error.code(), error.command_name()), (Some(280), Some("getMore")));
    assert!(!changes.is_alive() && changes.next().await.is_none());
    assert_eq!(server.received_named("aggregate").len(), 1);
    server.wait_for("killCursors", 1, PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_failed_resumption_is_reported_and_the_next_call_goes_on() {
    let server = endless().await;
    let mut changes = things(&server).await.watch().await.unwrap();
    number(&mut changes).await;
    number(&mut changes).await;
    server.once("getMore", Reply::Close);
    server.once("aggregate", Reply::Close);
    server.once("aggregate", Reply::Close);
    let error = changes.next().await.unwrap().unwrap_err();
    assert!(error.is_network(), "{error:?}");
    // The lost cursor, and both attempts to open another.
    assert_eq!(error.attempts().len(), 3);
    assert!(changes.is_alive());
    assert_eq!(number(&mut changes).await, 3);
    assert_eq!(stage(server.received_named("aggregate").last().unwrap()), doc! { "resumeAfter": token(2) });
}

#[tokio::test]
async fn a_resumption_that_is_refused_ends_the_stream() {
    let server = endless().await;
    let mut changes = things(&server).await.watch().await.unwrap();
    number(&mut changes).await;
    number(&mut changes).await;
    server.once("getMore", Reply::Close);
    server.once("aggregate", Reply::error(286, "ChangeStreamHistoryLost", "too late"));
    let error = changes.next().await.unwrap().unwrap_err();
    assert_eq!((error.code(), error.command_name()), (Some(286), Some("aggregate")));
    assert!(!changes.is_alive() && changes.next().await.is_none());
}

#[tokio::test]
async fn a_server_that_refuses_again_and_again_is_left_in_peace() {
    let server = endless().await;
    let things = things(&server).await;
    let mut changes = things.watch().timeout(Duration::from_secs(1)).await.unwrap();
    server.on("getMore", Reply::error(43, "CursorNotFound", "gone"));
    let error = changes.next().await.unwrap().unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert!(changes.is_alive());
    let asked = server.received_named("getMore").len();
    assert!((1..40).contains(&asked), "{asked} times in a second");
}

#[tokio::test]
async fn a_stream_that_timed_out_resumes_with_the_next_call() {
    let server = endless().await;
    let things = things(&server).await;
    let mut changes = things.watch().timeout(Duration::from_millis(200)).await.unwrap();
    number(&mut changes).await;
    number(&mut changes).await;
    server.once("getMore", Reply::Never);
    let error = changes.next().await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OperationTimeout), "{error:?}");
    assert!(changes.is_alive());
    assert_eq!(server.received_named("aggregate").len(), 1);
    assert_eq!(number(&mut changes).await, 3);
    assert_eq!(server.received_named("aggregate").len(), 2);
}

#[tokio::test]
async fn the_server_may_not_wait_for_longer_than_the_call() {
    let server = endless().await;
    let things = things(&server).await;
    let watch = things.watch().timeout(Duration::from_secs(1));
    let error = watch.clone().max_await_time(Duration::from_secs(1)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidArgument { argument, .. } if argument == "maxAwaitTimeMS"));
    drop(watch.max_await_time(Duration::from_millis(999)).await.unwrap());
    drop(things.watch().timeout(Duration::ZERO).max_await_time(Duration::from_secs(1)).await.unwrap());
}

#[tokio::test]
async fn an_error_of_opening_is_not_resumed() {
    let server = endless().await;
    let things = things(&server).await;
    let mut refused = doc! { "ok": 0, "code": 40573, "errmsg": "no oplog" };
    refused.insert("errorLabels", ["ResumableChangeStreamError"].as_slice());
    server.once("aggregate", Reply::document(refused));
    let error = things.watch().await.unwrap_err();
    assert_eq!(error.code(), Some(40573));
    assert_eq!(server.received_named("aggregate").len(), 1);
    // A retryable read is another matter.
    server.once("aggregate", Reply::Close);
    drop(things.watch().await.unwrap());
    assert_eq!(server.received_named("aggregate").len(), 3);
}

#[tokio::test]
async fn attempts_that_run_out_of_time_end_in_a_timeout_that_shows_the_last() {
    let server = endless().await;
    let things = things(&server).await;
    server.on("aggregate", Reply::error(7, "HostNotFound", "no such host").after(Duration::from_millis(60)));
    let error = things.watch().timeout(Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OperationTimeout), "{error:?}");
    assert_eq!(error.code(), Some(7));
}

#[tokio::test]
async fn a_closed_client_ends_its_streams() {
    let server = endless().await;
    let things = things(&server).await;
    let mut changes = things.watch().await.unwrap();
    number(&mut changes).await;
    number(&mut changes).await;
    server.once("getMore", Reply::Never);
    let (waiting, client) = (tokio::spawn(async move { (changes.next().await, changes) }), things.client().clone());
    server.wait_for("getMore", 2, PATIENCE).await.unwrap();
    client.shutdown_within(Duration::from_secs(1)).await;
    let (event, mut changes) = waiting.await.unwrap();
    let error = event.unwrap().unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
    assert!(!changes.is_alive() && changes.next().await.is_none());
    assert!(!server.received_named("killCursors").is_empty());
}

#[tokio::test]
async fn a_tree_that_starts_anew_keeps_its_streams() {
    let server = endless().await;
    let things = things(&server).await;
    let mut changes = things.watch().await.unwrap();
    for expected in 1..=20 {
        assert_eq!(number(&mut changes).await, expected);
        if expected % 5 == 0 {
            things.client().restart().await;
        }
    }
}

#[tokio::test]
async fn closing_has_the_time_of_the_stream_anew_unless_it_is_given_its_own() {
    let server = endless().await;
    let things = things(&server).await;
    let limit = async |count| {
        let killed = server.wait_for("killCursors", count, PATIENCE).await.unwrap();
        killed[count - 1].body.get_i64("maxTimeMS").ok()
    };
    things.watch().await.unwrap().close().await;
    assert_eq!(limit(1).await, None);
    let watch = || things.watch().timeout(PATIENCE);
    watch().await.unwrap().close().await;
    assert!(matches!(limit(2).await, Some(10_000..20_001)));
    watch().await.unwrap().close_within(PATIENCE / 4).await;
    assert!(matches!(limit(3).await, Some(1..5_001)));
    drop(watch().await.unwrap());
    assert!(matches!(limit(4).await, Some(10_000..20_001)));
}

#[tokio::test]
async fn asking_once_asks_the_new_cursor_after_resuming() {
    let server = endless().await;
    let mut changes = things(&server).await.watch().await.unwrap();
    server.once("getMore", Reply::Close);
    let event = changes.next_if_any().await.unwrap().unwrap();
    assert_eq!(event.full_document.unwrap().get_i32("_id").unwrap(), 1);
    assert_eq!((server.received_named("aggregate").len(), server.received_named("getMore").len()), (2, 2));

    // Not without end: a cursor that is lost again has been asked.
    assert!(changes.next_if_any().await.unwrap().is_some());
    server.on("getMore", Reply::error(43, "CursorNotFound", "gone"));
    assert!(changes.next_if_any().await.unwrap().is_none());
    assert_eq!((server.received_named("aggregate").len(), server.received_named("getMore").len()), (4, 4));
}
