//! How cursors come to their batches, and how they end.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bson::{Document, RawDocumentBuf, doc};
use futures_util::TryStreamExt;
use mongo_actors_testkit::{Received, Reply, ScriptedServer, ScriptedServerBuilder};

use crate::{Client, Collection, Cursor, error::ErrorKind, options::CursorType};

const SOON: Duration = Duration::from_secs(10);

/// Hands out the numbers from 0 up to `count`, as many at a time as the command asks for (three unless it says), and
/// keeps the cursor open until all are handed out.
fn numbers(count: i32) -> ScriptedServerBuilder {
    let next = Arc::new(Mutex::new(0));
    let batch = move |command: &Received, first: bool| {
        let mut next = next.lock().unwrap();
        if first {
            *next = 0;
        }
        let size =
            command.body.get("batchSize").and_then(|size| size.as_i32().or(size.as_i64().map(|size| size as i32)));
        let start = *next;
        *next = count.min(start + size.unwrap_or(3));
        let documents: Vec<_> = (start..*next).map(|number| doc! { "_id": number }).collect();
        let id = if *next < count { 7_i64 } else { 0 };
        let key = if first { "firstBatch" } else { "nextBatch" };
        Reply::document(doc! { "ok": 1, "cursor": { "id": id, "ns": "db.numbers", key: documents } })
    };
    let more = batch.clone();
    ScriptedServer::builder()
        .with("find", move |command| batch(command, true))
        .with("getMore", move |command| more(command, false))
}

async fn collection(server: &ScriptedServer) -> Collection<Document> {
    let client = Client::builder().uri(server.uri()).build().unwrap();
    client.database("db").collection("numbers")
}

fn ids(documents: &[Document]) -> Vec<i32> {
    documents.iter().map(|document| document.get_i32("_id").unwrap()).collect()
}

#[tokio::test]
async fn every_way_of_reading_gives_the_same_documents() {
    let server = numbers(8).start().await.unwrap();
    let numbers = collection(&server).await;
    let expected: Vec<_> = (0..8).collect();
    let mut cursor = numbers.find(doc! {}).await.unwrap();
    assert_eq!((cursor.cursor_id(), cursor.has_next()), (Some(7), true));
    assert_eq!(cursor.address(), Some(&server.address()));
    assert_eq!(ids(&cursor.to_vec().await.unwrap()), expected);
    assert_eq!((cursor.retrieved(), cursor.is_alive(), cursor.cursor_id()), (8, false, Some(0)));

    let all: Vec<_> = numbers.find(doc! {}).await.unwrap().try_collect().await.unwrap();
    assert_eq!(ids(&all), expected);

    let mut cursor = numbers.find(doc! {}).await.unwrap();
    assert!(cursor.current().is_none());
    let mut found = Vec::new();
    while cursor.advance().await.unwrap() {
        assert_eq!(cursor.deserialize_current().unwrap(), Document::try_from(cursor.current().unwrap()).unwrap());
        found.push(cursor.current().unwrap().get_i32("_id").unwrap());
    }
    assert_eq!(found, expected);
    assert!(matches!(cursor.deserialize_current().unwrap_err().kind(), ErrorKind::InvalidOperation { .. }));

    let mut batches = numbers.find_raw_batches(doc! {}).await.unwrap();
    let mut sizes = Vec::new();
    let mut found = Vec::new();
    while let Some(batch) = batches.try_next().await.unwrap() {
        sizes.push(batch.count());
        found.extend(batch.iter().map(|document| document.unwrap().get_i32("_id").unwrap()));
    }
    assert_eq!((sizes, found), (vec![3, 3, 2], expected));

    let mut cursor = numbers.find(doc! {}).await.unwrap();
    assert_eq!(ids(&cursor.next_many(4).await.unwrap()), [0, 1, 2, 3]);
    assert!(cursor.next_many(0).await.is_err());
}

#[tokio::test]
async fn a_raw_document_keeps_the_servers_bytes() {
    let server = numbers(1).start().await.unwrap();
    let raw = collection(&server).await.clone_with_type::<RawDocumentBuf>();
    let found = raw.find(doc! {}).await.unwrap().to_vec().await.unwrap();
    assert_eq!(found[0].get_i32("_id").unwrap(), 0);
}

#[tokio::test]
async fn later_batches_ask_for_what_the_limit_leaves() {
    let server = numbers(5).start().await.unwrap();
    let numbers = collection(&server).await;
    let found = numbers.find(doc! {}).limit(5).batch_size(2).comment("why").await.unwrap().to_vec().await.unwrap();
    assert_eq!(found.len(), 5);
    let asked: Vec<_> = server.received_named("getMore");
    assert_eq!(asked.iter().map(|command| command.body.get_i32("batchSize").unwrap()).collect::<Vec<_>>(), [2, 1]);
    assert!(asked.iter().all(|command| command.body.get_str("comment").unwrap() == "why"));
    assert!(asked.iter().all(|command| command.body.get_i64("getMore").unwrap() == 7));
    let sessions: Vec<_> =
        ["find", "getMore"].map(|name| server.received_named(name)[0].body.get("lsid").cloned()).into();
    assert!(sessions[0].is_some());
    assert_eq!(sessions[0], sessions[1], "a cursor lives in one session");
}

#[tokio::test]
async fn a_cursor_at_its_limit_is_closed() {
    let server = numbers(9).start().await.unwrap();
    let numbers = collection(&server).await;
    let found = numbers.find(doc! {}).limit(3).await.unwrap().to_vec().await.unwrap();
    assert_eq!(found.len(), 3);
    assert!(server.received_named("getMore").is_empty());
    server.wait_for("killCursors", 1, SOON).await.unwrap();
}

#[tokio::test]
async fn what_is_dropped_half_read_is_closed_on_the_server() {
    let server = numbers(9).start().await.unwrap();
    let numbers = collection(&server).await;
    drop(numbers.find(doc! {}).await.unwrap());
    let killed = server.wait_for("killCursors", 1, SOON).await.unwrap();
    assert_eq!(killed[0].body.get_str("killCursors").unwrap(), "numbers");
    assert_eq!(killed[0].body.get_array("cursors").unwrap(), &[7_i64.into()]);
    numbers.find(doc! {}).await.unwrap().close().await;
    assert_eq!(server.received_named("killCursors").len(), 2, "close waits for the server");
}

#[tokio::test]
async fn a_cursor_can_start_late_and_start_again() {
    let server = numbers(4).start().await.unwrap();
    let numbers = collection(&server).await;
    let mut cursor = numbers.find(doc! { "x": 1 }).batch_size(2).lazy();
    assert_eq!((cursor.cursor_id(), cursor.is_alive()), (None, true));
    assert!(server.received_named("find").is_empty());
    assert_eq!(ids(&cursor.next_many(3).await.unwrap()), [0, 1, 2]);
    cursor.rewind().await.unwrap();
    assert_eq!((cursor.cursor_id(), cursor.retrieved()), (None, 0));
    assert_eq!(ids(&cursor.to_vec().await.unwrap()), [0, 1, 2, 3]);
    let mut again = cursor.clone_unstarted().unwrap().await.unwrap();
    assert_eq!(ids(&again.to_vec().await.unwrap()), [0, 1, 2, 3]);
    let finds = server.received_named("find");
    assert_eq!(finds.len(), 3);
    assert!(finds.iter().all(|find| find.body.get_document("filter").unwrap() == &doc! { "x": 1 }));
    let mut listed = numbers.database().run_cursor_command(doc! { "find": "numbers" }).await.unwrap();
    assert!(listed.rewind().await.is_err() && listed.clone_unstarted().is_none());
}

#[tokio::test]
async fn a_failed_batch_ends_the_cursor_with_one_error() {
    let server = numbers(9).start().await.unwrap();
    let numbers = collection(&server).await;
    let mut cursor = numbers.find(doc! {}).await.unwrap();
    server.once("getMore", Reply::error(43, "CursorNotFound", "gone"));
    assert_eq!(ids(&cursor.next_many(3).await.unwrap()), [0, 1, 2]);
    let error = cursor.next().await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::CursorNotFound(_)));
    assert_eq!(error.command_name(), Some("getMore"));
    assert!(cursor.next().await.is_none() && !cursor.is_alive());
    let tailable = numbers.find(doc! {}).cursor_type(CursorType::Tailable).await.unwrap();
    server.once("getMore", Reply::error(43, "CursorNotFound", "gone"));
    assert_eq!(tailable.try_collect::<Vec<_>>().await.unwrap().len(), 3, "the end of a tailable cursor is no error");
}

#[tokio::test]
async fn a_document_that_does_not_fit_costs_only_itself() {
    #[derive(Debug, serde::Deserialize)]
    struct Even {
        #[serde(rename = "_id", deserialize_with = "even")]
        id: i32,
    }
    fn even<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
        let number: i32 = serde::Deserialize::deserialize(deserializer)?;
        if number % 2 == 0 { Ok(number) } else { Err(serde::de::Error::custom("odd")) }
    }
    let server = numbers(3).start().await.unwrap();
    let numbers = collection(&server).await.clone_with_type::<Even>();
    let mut cursor = numbers.find(doc! {}).await.unwrap();
    assert_eq!(cursor.next().await.unwrap().unwrap().id, 0);
    let error = cursor.next().await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Deserialization { .. }) && error.to_string().contains("odd"));
    assert_eq!(cursor.next().await.unwrap().unwrap().id, 2);
    assert!(cursor.next().await.is_none());
}

#[tokio::test]
async fn asking_once_returns_even_if_nothing_came() {
    let empty = |key: &str| Reply::document(doc! { "ok": 1, "cursor": { "id": 7_i64, "ns": "db.numbers", key: [] } });
    let server = ScriptedServer::builder()
        .on("find", empty("firstBatch"))
        .on("getMore", empty("nextBatch"))
        .start()
        .await
        .unwrap();
    let numbers = collection(&server).await;
    let mut cursor = numbers.find(doc! {}).cursor_type(CursorType::TailableAwait).await.unwrap();
    assert!(cursor.try_next_nonblocking().await.unwrap().is_none());
    assert!(cursor.is_alive());
    assert_eq!(server.received_named("getMore").len(), 1);
}

#[tokio::test]
async fn a_tailable_cursor_says_that_there_is_nothing_now_and_asks_once_for_that() {
    let batch = |key: &str, documents: Vec<Document>| {
        Reply::document(doc! { "ok": 1, "cursor": { "id": 7_i64, "ns": "db.numbers", key: documents } })
    };
    let server = ScriptedServer::builder()
        .on("find", batch("firstBatch", vec![doc! { "_id": 0 }]))
        .nth("getMore", 0, batch("nextBatch", vec![]))
        .nth("getMore", 1, batch("nextBatch", vec![doc! { "_id": 1 }]))
        .on("getMore", batch("nextBatch", vec![]))
        .on("killCursors", Reply::ok())
        .start()
        .await
        .unwrap();
    let numbers = collection(&server).await;
    let mut cursor = numbers.find(doc! {}).cursor_type(CursorType::Tailable).await.unwrap();
    assert!(cursor.next().await.is_some());
    assert!(cursor.next().await.is_none() && cursor.is_alive());
    assert_eq!(server.received_named("getMore").len(), 1);
    assert_eq!(cursor.next().await.unwrap().unwrap(), doc! { "_id": 1 });
    assert!(!cursor.advance().await.unwrap() && cursor.is_alive());
    assert_eq!(server.received_named("getMore").len(), 3);
}

#[tokio::test]
async fn how_long_the_server_waits_is_told_with_each_batch_that_may_be_waited_for() {
    const WAIT: Duration = Duration::from_millis(9);
    let empty = |key: &str| Reply::document(doc! { "ok": 1, "cursor": { "id": 7_i64, "ns": "db.numbers", key: [] } });
    let server = ScriptedServer::builder()
        .on("find", empty("firstBatch"))
        .on("aggregate", empty("firstBatch"))
        .on("getMore", empty("nextBatch"))
        .start()
        .await
        .unwrap();
    let numbers = collection(&server).await;
    let told = async |mut cursor: Cursor<Document>| {
        server.forget_received();
        assert!(cursor.try_next_nonblocking().await.unwrap().is_none());
        server.received_named("getMore")[0].body.get_i64("maxTimeMS").ok()
    };
    let stream = [doc! { "$changeStream": {} }];
    let shop = numbers.client().database("db");
    let find = || shop.run_cursor_command(doc! { "find": "numbers" });
    assert_eq!(told(numbers.find(doc! {}).max_await_time(WAIT).await.unwrap()).await, None);
    let tail = numbers.find(doc! {}).cursor_type(CursorType::TailableAwait);
    assert_eq!(told(tail.max_await_time(WAIT).await.unwrap()).await, Some(9));
    assert_eq!(told(numbers.aggregate([]).max_await_time(WAIT).await.unwrap()).await, None);
    assert_eq!(told(numbers.aggregate(stream).max_await_time(WAIT).await.unwrap()).await, Some(9));
    assert_eq!(told(find().max_time(WAIT).await.unwrap()).await, Some(9));

    let refused = find().max_time(WAIT).timeout(SOON).await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::InvalidArgument { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_cursor_whose_connection_was_closed_is_killed_later_and_one_that_was_refused_at_once() {
    let batch = || Reply::document(doc! { "ok": 1, "cursor": { "id": 7_i64, "ns": "db.numbers", "firstBatch": [] } });
    let server = ScriptedServer::builder()
        .on("find", batch())
        .on("getMore", Reply::Never)
        .on("killCursors", Reply::ok())
        .on("ping", Reply::ok())
        .start()
        .await
        .unwrap();
    let numbers = collection(&server).await;
    let begun = Instant::now();
    let find = || numbers.find(doc! {}).timeout(Duration::from_millis(100));
    let error = find().await.unwrap().try_next().await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    numbers.client().database("db").run_command(doc! { "ping": 1 }).await.unwrap();
    // The server notices that the connection is gone, and has a second to close the cursor itself.
    assert!(server.received_named("killCursors").is_empty() || begun.elapsed() > Duration::from_secs(1));
    server.wait_for("killCursors", 1, SOON).await.unwrap();

    let mut cursor = find().await.unwrap();
    cursor.try_next().await.unwrap_err();
    assert!(!cursor.is_alive());
    cursor.close().await;
    assert_eq!(server.received_named("killCursors").len(), 2, "who closes a cursor does not wait for the server");
    find().await.unwrap().try_next().await.unwrap_err();
    numbers.client().close().await;
    assert_eq!(server.received_named("killCursors").len(), 3, "nor does who closes the client");

    server.on("getMore", Reply::error(2, "BadValue", "no"));
    let numbers = collection(&server).await;
    let begun = Instant::now();
    numbers.find(doc! {}).await.unwrap().try_next().await.unwrap_err();
    server.wait_for("killCursors", 4, SOON).await.unwrap();
    assert!(begun.elapsed() < SOON / 2);
}

#[tokio::test]
async fn a_dropped_cursor_is_killed_within_the_time_of_its_operation() {
    let server = numbers(8).on("killCursors", Reply::ok()).start().await.unwrap();
    let numbers = collection(&server).await;
    for (count, timeout, expected) in [(1, None, 0..1), (2, Some(SOON), 5_000..10_001), (3, Some(Duration::ZERO), 0..1)]
    {
        let mut find = numbers.find(doc! {});
        if let Some(timeout) = timeout {
            find = find.timeout(timeout);
        }
        drop(find.await.unwrap());
        let killed = server.wait_for("killCursors", count, SOON).await.unwrap();
        let limit = killed[count - 1].body.get_i64("maxTimeMS").unwrap_or_default();
        assert!(expected.contains(&limit), "{limit} with {timeout:?}");
    }
}
