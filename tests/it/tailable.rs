//! Cursors that stay open at the end of a capped collection.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use mongo_actors::{
    Client, Collection,
    bson::{Document, doc},
    error::ErrorKind,
    options::CursorType,
};
use mongo_actors_testkit::Standalone;

use crate::{
    commands::Commands,
    kit::{PATIENCE, eventually},
};

/// A capped collection with the documents 0, 1 and 2, on a server of its own.
async fn ring(size: u64) -> (Standalone, Arc<Commands>, Collection<Document>) {
    let server = Standalone::start().await.unwrap();
    let (client, commands) = Commands::client(&server.uri());
    let ring = client.database("it").create_collection("ring").capped(true).size(size).await.unwrap();
    insert(&ring, 0..3).await;
    commands.take();
    (server, commands, ring)
}

async fn insert(ring: &Collection<Document>, ids: std::ops::Range<i32>) {
    ring.insert_many(ids.map(|id| doc! { "_id": id })).await.unwrap();
}

macro_rules! next {
    ($cursor:expr) => {
        tokio::time::timeout(PATIENCE, $cursor.try_next()).await.expect("nothing came").unwrap()
    };
}

fn id(document: Option<Document>) -> Option<i32> {
    document.map(|document| document.get_i32("_id").unwrap())
}

/// Waits until so many requests for more were sent.
async fn asked(commands: &Commands, times: usize) {
    eventually("more is asked for", async || commands.named("getMore").len() >= times).await;
}

#[tokio::test]
async fn a_tailable_cursor_goes_on_where_it_stood() {
    let (server, commands, ring) = ring(64 * 1024).await;
    let mut cursor = ring.find(doc! {}).cursor_type(CursorType::Tailable).batch_size(2).await.unwrap();
    for expected in 0..3 {
        assert_eq!(id(next!(cursor)), Some(expected));
    }
    for round in 0..3 {
        assert_eq!((next!(cursor), cursor.is_alive()), (None, true), "there is nothing now");
        insert(&ring, 10 * round + 10..10 * round + 13).await;
        for expected in 0..3 {
            assert_eq!(id(next!(cursor)), Some(10 * round + 10 + expected));
        }
    }
    let sent = commands.take();
    let find = &sent[0].command;
    assert!(find.get_bool("tailable").unwrap() && !find.contains_key("awaitData"));
    assert!(sent.iter().filter(|sent| sent.name == "getMore").all(|sent| !sent.command.contains_key("maxTimeMS")));
    // The raw batches of the same cursor.
    let mut batches = cursor.into_raw_batches();
    assert!(next!(batches).is_none() && batches.is_alive());
    insert(&ring, 50..52).await;
    assert_eq!(next!(batches).unwrap().count(), 2);
    assert_eq!(server.member().open_cursors().await.unwrap(), 1);
    batches.close_within(Duration::from_secs(10)).await;
    assert_eq!(server.member().open_cursors().await.unwrap(), 0);
    ring.client().close().await;
}

#[tokio::test]
async fn a_tailable_cursor_ends_where_its_place_is_gone() {
    let (server, _, ring) = ring(4096).await;
    let tail = || ring.find(doc! {}).cursor_type(CursorType::Tailable).batch_size(2);
    let mut overtaken = tail().await.unwrap();
    assert_eq!(id(next!(overtaken)), Some(0));
    insert(&ring, 100..400).await;
    assert_eq!(id(next!(overtaken)), Some(1), "it had come already");
    let error = overtaken.try_next().await.unwrap_err();
    assert_eq!(error.code_name(), Some("CappedPositionLost"), "{error}");
    assert_eq!((overtaken.try_next().await.unwrap(), overtaken.is_alive()), (None, false));

    let mut killed = tail().await.unwrap();
    assert!(next!(killed).is_some() && next!(killed).is_some());
    let kill = doc! { "killCursors": "ring", "cursors": [killed.cursor_id().unwrap()] };
    ring.database().run_command(kill).await.unwrap();
    assert_eq!((next!(killed), killed.is_alive()), (None, false), "a cursor that is gone has just ended");

    let empty = ring.database().create_collection("empty").capped(true).size(4096).await.unwrap();
    let mut nothing = empty.find(doc! {}).cursor_type(CursorType::TailableAwait).await.unwrap();
    assert_eq!((nothing.cursor_id(), nothing.is_alive(), next!(nothing)), (Some(0), false, None));
    let plain = ring.database().collection::<Document>("plain");
    plain.insert_one(doc! {}).await.unwrap();
    let refused = plain.find(doc! {}).cursor_type(CursorType::Tailable).await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Command(_)), "{refused}");
    ring.client().close().await;
    drop(server);
}

#[tokio::test]
async fn a_cursor_that_awaits_data_waits_on_the_server_for_as_long_as_it_is_told() {
    let (_server, commands, ring) = ring(64 * 1024).await;
    let wait = Duration::from_millis(400);
    let find = ring.find(doc! {}).cursor_type(CursorType::TailableAwait).max_time(Duration::from_secs(20));
    let mut cursor = find.max_await_time(wait).await.unwrap();
    for expected in 0..3 {
        assert_eq!(id(next!(cursor)), Some(expected));
    }
    let begun = Instant::now();
    assert_eq!(cursor.try_next_nonblocking().await.unwrap(), None);
    assert!(begun.elapsed() >= wait, "{:?}", begun.elapsed());
    assert!(cursor.is_alive());
    let sent = commands.take();
    assert_eq!(sent.iter().map(|sent| &*sent.name).collect::<Vec<_>>(), ["find", "getMore"]);
    let [find, more] = [&sent[0].command, &sent[1].command];
    assert!(find.get_bool("tailable").unwrap() && find.get_bool("awaitData").unwrap());
    assert_eq!(find.get_i64("maxTimeMS").unwrap(), 20_000, "the time of the find itself");
    assert_eq!(more.get_i64("maxTimeMS").unwrap(), 400, "how long the server waits");

    // A call waits for as many of these times as it takes.
    let other = ring.clone();
    let waiting = tokio::spawn(async move { (next!(cursor), cursor) });
    asked(&commands, 3).await;
    insert(&other, 3..4).await;
    let (document, cursor) = waiting.await.unwrap();
    assert_eq!(id(document), Some(3));
    cursor.close().await;
    ring.client().close().await;
}

#[tokio::test]
async fn what_comes_while_the_server_waits_is_delivered_at_once() {
    let (server, commands, ring) = ring(64 * 1024).await;
    let long = Duration::from_secs(600);
    let find = ring.find(doc! { "_id": { "$gte": 0 } }).cursor_type(CursorType::TailableAwait);
    let mut cursor = find.max_await_time(long).await.unwrap();
    for expected in 0..3 {
        assert_eq!(id(next!(cursor)), Some(expected));
    }
    // Dropping a call that waits loses nothing: the request goes on, and the next call gets what it brings.
    assert!(Box::pin(cursor.try_next()).now_or_never().is_none());
    for expected in 3..6 {
        asked(&commands, expected as usize - 2).await;
        insert(&ring, expected..expected + 1).await;
        assert_eq!(id(next!(cursor)), Some(expected));
        assert!(Box::pin(cursor.try_next()).now_or_never().is_none());
    }
    asked(&commands, 4).await;
    // The last request still waits on the server, which is told to stop: MongoDB 6.0 looks at that when it wakes up.
    drop(cursor);
    eventually("the cursor is killed", async || !commands.replies("killCursors").is_empty()).await;
    insert(&ring, 6..7).await;
    eventually("the server has no cursor", async || server.member().open_cursors().await.unwrap() == 0).await;
    ring.client().close().await;
}

#[tokio::test]
async fn a_tailable_cursor_lives_in_a_session() {
    let (_server, commands, ring) = ring(64 * 1024).await;
    let mut session = ring.client().start_session().await.unwrap();
    let tail = ring.find(doc! {}).cursor_type(CursorType::TailableAwait).max_await_time(Duration::from_millis(50));
    let mut cursor = tail.session(&mut session).await.unwrap();
    assert_eq!(cursor.next_many(&mut session, 3).await.unwrap().len(), 3);
    assert_eq!(cursor.try_next_nonblocking(&mut session).await.unwrap(), None);
    ring.insert_one(doc! { "_id": 3 }).session(&mut session).await.unwrap();
    let next = tokio::time::timeout(PATIENCE, cursor.try_next(&mut session)).await.unwrap().unwrap();
    assert_eq!(id(next), Some(3));
    cursor.close(&mut session).await;
    let lsid = Document::try_from(session.id()).unwrap();
    let sent = commands.take();
    assert!(sent.iter().any(|sent| sent.name == "killCursors"));
    assert!(sent.iter().all(|sent| sent.lsid() == Some(&lsid)), "all of them in the session");
    session.end().await;
    ring.client().close().await;
}

#[tokio::test]
async fn a_timeout_holds_for_each_step_of_a_tailable_cursor() {
    let (_server, commands, ring) = ring(64 * 1024).await;
    let tail = || ring.find(doc! {}).cursor_type(CursorType::TailableAwait).timeout(Duration::from_millis(700));
    let error = tail().max_await_time(Duration::from_millis(700)).await.unwrap_err();
    assert!(error.to_string().contains("maxAwaitTimeMS"), "{error}");
    let mut cursor = tail().max_await_time(Duration::from_millis(100)).await.unwrap();
    assert_eq!(cursor.next_many(3).await.unwrap().len(), 3);
    // The time is that of a step, not of the cursor's life: many steps take longer than one of them may.
    let begun = Instant::now();
    for number in 3.. {
        insert(&ring, number..number + 1).await;
        assert_eq!(id(next!(cursor)), Some(number));
        if begun.elapsed() > Duration::from_millis(800) {
            break;
        }
    }
    let error = cursor.try_next().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OperationTimeout), "{error}");
    let more = commands.named("getMore");
    assert!(more.iter().all(|sent| sent.command.get_i64("maxTimeMS").unwrap() <= 100));
    ring.client().close().await;
}

#[tokio::test]
async fn closing_the_client_ends_a_cursor_that_waits() {
    let (_server, commands, ring) = ring(64 * 1024).await;
    let client: Client = ring.client().clone();
    let tail = ring.find(doc! {}).cursor_type(CursorType::TailableAwait).max_await_time(Duration::from_secs(600));
    let mut cursor = tail.await.unwrap();
    assert_eq!(cursor.next_many(3).await.unwrap().len(), 3);
    let waiting = tokio::spawn(async move { cursor.try_next().await });
    asked(&commands, 1).await;
    tokio::time::timeout(PATIENCE, client.shutdown_within(Duration::from_millis(100))).await.expect("it hangs");
    let error = tokio::time::timeout(PATIENCE, waiting).await.expect("it waits for ever").unwrap().unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
}
