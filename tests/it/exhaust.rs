//! Exhaust cursors: batches that the server sends without being asked.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use mongo_actors::{
    Client, Collection,
    bson::{Document, doc},
    error::ErrorKind,
    options::CursorType,
};
use mongo_actors_testkit::{
    Break, Direction, FailPoint, LoadBalancerProxy, MongosProxy, ReplicaSet, Reply, ScriptedServer, Standalone,
};

use crate::{
    commands::Commands,
    kit::{PATIENCE, Recorder, eventually},
    sessions::client_of,
};

const COUNT: i32 = 1000;

async fn filled(client: &Client) -> Collection<Document> {
    let numbers = client.database("it").collection("numbers");
    numbers.insert_many((0..COUNT).map(|id| doc! { "_id": id })).await.unwrap();
    numbers
}

async fn on_standalone(options: &[(&str, &str)]) -> (Standalone, Arc<Recorder>, Collection<Document>) {
    let server = Standalone::start().await.unwrap();
    let (recorder, builder) = Recorder::listen(Client::builder().uri(server.uri_with(options)));
    let numbers = filled(&builder.build().unwrap()).await;
    (server, recorder, numbers)
}

macro_rules! streamed {
    ($numbers:expr) => {
        $numbers.find(doc! {}).sort(doc! { "_id": 1 }).batch_size(10).cursor_type(CursorType::Exhaust)
    };
}

fn ids(documents: &[Document]) -> Vec<i32> {
    documents.iter().map(|document| document.get_i32("_id").unwrap()).collect()
}

#[tokio::test]
async fn every_document_comes_once_and_in_order_in_every_way_of_reading() {
    let (server, recorder, numbers) = on_standalone(&[]).await;
    let expected: Vec<_> = (0..COUNT).collect();
    assert_eq!(ids(&streamed!(numbers).await.unwrap().to_vec().await.unwrap()), expected);

    let (mut cursor, mut one_by_one) = (streamed!(numbers).await.unwrap(), Vec::new());
    while let Some(document) = cursor.try_next().await.unwrap() {
        one_by_one.push(document);
    }
    assert_eq!(ids(&one_by_one), expected);
    assert_eq!((cursor.is_alive(), cursor.cursor_id()), (false, Some(0)));

    let mut batches = streamed!(numbers).await.unwrap().into_raw_batches();
    let mut next = 0;
    while let Some(batch) = batches.try_next().await.unwrap() {
        for document in &batch {
            assert_eq!(document.unwrap().get_i32("_id").unwrap(), next);
            next += 1;
        }
    }
    assert_eq!(next, COUNT);
    // Read to their ends, they leave connection and session as they were.
    recorder.expect_all_checked_in(numbers.client()).await;
    assert_eq!((recorder.closed(), recorder.killed_cursors(), recorder.most_in_use()), (0, 0, 1));
    assert!(recorder.sessions() <= 2, "{}", recorder.sessions());
    assert_eq!(server.member().open_cursors().await.unwrap(), 0);
    numbers.client().close().await;
}

#[tokio::test]
async fn a_stream_needs_no_more_requests() {
    let set = ReplicaSet::builder(1).behind_proxies().start().await.unwrap();
    let (client, _) = client_of(&set, &[]).await;
    let numbers = filled(&client).await;
    let mut cursor = streamed!(numbers).await.unwrap();
    for id in 0..11 {
        assert_eq!(cursor.try_next().await.unwrap().unwrap().get_i32("_id").unwrap(), id);
    }
    // Nothing reaches the server any more, and the rest comes all the same.
    let proxy = set.members()[0].proxy().unwrap().clone();
    proxy.stall(Direction::ToServer);
    for id in 11..COUNT {
        let next = tokio::time::timeout(PATIENCE, cursor.try_next()).await.expect("nothing was streamed");
        assert_eq!(next.unwrap().unwrap().get_i32("_id").unwrap(), id);
    }
    assert_eq!(cursor.try_next().await.unwrap(), None);
    proxy.resume(Direction::ToServer);
    client.close().await;
}

#[tokio::test]
async fn a_cursor_left_in_the_middle_of_its_stream_closes_its_connection() {
    let (server, recorder, numbers) = on_standalone(&[("maxPoolSize", "1")]).await;
    // More than the sockets take, so that the server is still in the middle of it.
    let padding = "x".repeat(64 * 1024);
    numbers.update_many(doc! { "_id": { "$lt": 500 } }, doc! { "$set": { "padding": padding } }).await.unwrap();
    for (round, by_hand) in [false, true].into_iter().enumerate() {
        let mut cursor = streamed!(numbers).await.unwrap();
        for _ in 0..15 {
            cursor.try_next().await.unwrap().unwrap();
        }
        assert_eq!(server.member().open_cursors().await.unwrap(), 1);
        match by_hand {
            true => cursor.close().await,
            false => drop(cursor),
        }
        eventually("the server has no cursor", async || server.member().open_cursors().await.unwrap() == 0).await;
        // Whoever comes next gets another connection, with nothing of the stream in it.
        assert_eq!(numbers.find_one(doc! { "_id": 700 }).await.unwrap(), Some(doc! { "_id": 700 }));
        recorder.expect_all_checked_in(numbers.client()).await;
        assert_eq!((recorder.closed(), recorder.cleared()), (round + 1, 0));
    }
    numbers.client().close().await;
}

#[tokio::test]
async fn a_cursor_left_before_its_stream_began_is_killed_on_its_own_connection() {
    let (server, recorder, numbers) = on_standalone(&[("maxPoolSize", "1"), ("waitQueueTimeoutMS", "200")]).await;
    let mut cursor = streamed!(numbers).await.unwrap();
    cursor.try_next().await.unwrap().unwrap();
    // The cursor owns the only connection.
    let error = numbers.find_one(doc! {}).await.unwrap_err();
    assert!(error.to_string().contains("connections in use by cursors: 1"), "{error}");
    drop(cursor);
    eventually("the server has no cursor", async || server.member().open_cursors().await.unwrap() == 0).await;
    recorder.expect_all_checked_in(numbers.client()).await;
    assert_eq!((recorder.closed(), recorder.killed_cursors()), (0, 1));
    numbers.client().close().await;
}

#[tokio::test]
async fn a_call_that_is_dropped_loses_nothing() {
    let set = ReplicaSet::builder(1).behind_proxies().start().await.unwrap();
    let (client, _) = client_of(&set, &[]).await;
    let numbers = filled(&client).await;
    let proxy = set.members()[0].proxy().unwrap().clone();
    let mut cursor = streamed!(numbers).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 40 {
        seen.push(cursor.try_next().await.unwrap().unwrap());
    }
    proxy.stall(Direction::ToClient);
    // What is on its way already still comes.
    loop {
        let slow = tokio::time::timeout(Duration::from_millis(100), cursor.try_next()).await;
        match slow {
            Ok(next) => seen.push(next.unwrap().unwrap()),
            Err(_) => break,
        }
        if seen.len() == COUNT as usize {
            break;
        }
    }
    proxy.resume(Direction::ToClient);
    while let Some(document) = cursor.try_next().await.unwrap() {
        seen.push(document);
    }
    assert_eq!(ids(&seen), (0..COUNT).collect::<Vec<_>>());
    client.close().await;
}

#[tokio::test]
async fn an_error_of_the_server_ends_the_cursor_and_not_the_connection() {
    let (server, recorder, numbers) = on_standalone(&[]).await;
    for skip in [0, 3] {
        let point = FailPoint::fail_command(["getMore"]).skip(skip).error_code(2);
        let point = server.member().enable(point).await.unwrap();
        let mut cursor = streamed!(numbers).await.unwrap();
        let mut read = 0;
        let error = loop {
            match cursor.try_next().await {
                Ok(document) => read += i32::from(document.is_some()),
                Err(error) => break error,
            }
        };
        assert_eq!((read, error.code()), (10 * (1 + i32::try_from(skip).unwrap()), Some(2)), "{error}");
        assert_eq!(cursor.try_next().await.unwrap(), None);
        point.disable().await.unwrap();
        drop(cursor);
        eventually("the server has no cursor", async || server.member().open_cursors().await.unwrap() == 0).await;
    }
    recorder.expect_all_checked_in(numbers.client()).await;
    assert_eq!(recorder.closed(), 0);
    numbers.client().close().await;
}

#[tokio::test]
async fn a_broken_connection_ends_the_cursor_and_is_given_up() {
    let set = ReplicaSet::builder(1).behind_proxies().start().await.unwrap();
    let (recorder, builder) = Recorder::listen(Client::builder().uri(set.uri()));
    let client = builder.build().unwrap();
    let numbers = filled(&client).await;
    let mut cursor = streamed!(numbers).await.unwrap();
    set.members()[0].proxy().unwrap().arm(Break::within_reply("getMore", 30).skip(2));
    let mut read = 0;
    let error = loop {
        match cursor.try_next().await {
            Ok(document) => read += i32::from(document.is_some()),
            Err(error) => break error,
        }
    };
    assert_eq!(read, 30);
    assert!(error.is_network(), "{error}");
    recorder.expect_all_checked_in(&client).await;
    assert_eq!(recorder.killed_cursors(), 0);
    assert!(numbers.find_one(doc! {}).await.unwrap().is_some());
    client.close().await;
}

#[tokio::test]
async fn a_silent_stream_ends_at_the_timeout() {
    let set = ReplicaSet::builder(1).behind_proxies().start().await.unwrap();
    let (client, _) = client_of(&set, &[]).await;
    let numbers = filled(&client).await;
    let find = streamed!(numbers).timeout(Duration::from_millis(700));
    let mut cursor = find.timeout_mode(mongo_actors::options::TimeoutMode::Iteration).await.unwrap();
    for _ in 0..12 {
        cursor.try_next().await.unwrap().unwrap();
    }
    set.members()[0].proxy().unwrap().stall(Direction::ToClient);
    let error = loop {
        match tokio::time::timeout(PATIENCE, cursor.try_next()).await.expect("the timeout did not hold") {
            Ok(document) => assert!(document.is_some(), "the end has come through"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error.kind(), ErrorKind::OperationTimeout), "{error}");
    set.members()[0].proxy().unwrap().resume(Direction::ToClient);
    assert!(numbers.find_one(doc! {}).await.unwrap().is_some());
    client.close().await;
}

#[tokio::test]
async fn a_stream_in_a_session_leaves_it_free_in_between() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, commands) = client_of(&set, &[]).await;
    let numbers = filled(&client).await;
    let others = client.database("it").create_collection("others").await.unwrap();
    commands.take();
    let mut session = client.start_session().await.unwrap();
    for in_transaction in [false, true] {
        if in_transaction {
            session.start_transaction().await.unwrap();
        }
        let mut cursor = streamed!(numbers).session(&mut session).await.unwrap();
        let mut read = Vec::new();
        while let Some(document) = cursor.next(&mut session).await.transpose().unwrap() {
            if read.len() % 100 == 0 {
                others.insert_one(doc! {}).session(&mut session).await.unwrap();
            }
            read.push(document);
        }
        assert_eq!(ids(&read), (0..COUNT).collect::<Vec<_>>());
        if in_transaction {
            session.commit_transaction().await.unwrap();
        }
    }
    let lsid = Document::try_from(session.id()).unwrap();
    assert!(commands.take().iter().all(|sent| sent.lsid() == Some(&lsid)), "all of them in the session");
    assert_eq!(others.count_documents(doc! {}).await.unwrap(), 20);
    client.close().await;
}

#[tokio::test]
async fn one_that_cannot_be_streamed_is_refused_and_says_what_to_do() {
    let set = ReplicaSet::start(1).await.unwrap();
    let router = MongosProxy::start(&set).await.unwrap();
    let (client, commands) = Commands::client(&router.uri());
    let numbers = client.database("it").collection::<Document>("numbers");
    let error = streamed!(numbers).await.unwrap_err();
    assert!(error.to_string().contains("mongos"), "{error}");
    let error = streamed!(numbers).limit(3).await.unwrap_err();
    assert!(error.to_string().contains("limit"), "{error}");
    assert!(commands.take().iter().all(|sent| sent.name != "find"));
    client.close().await;

    let balancer = LoadBalancerProxy::start(&set, 2).await.unwrap();
    let (client, _) = Commands::client(&balancer.uri());
    let numbers = filled(&client).await;
    assert_eq!(streamed!(numbers).await.unwrap().to_vec().await.unwrap().len(), COUNT as usize);
    let mut session = client.start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    let error = streamed!(numbers).session(&mut session).await.unwrap_err();
    assert!(error.to_string().contains("cursor_type") && error.to_string().contains("transaction"), "{error}");
    client.close().await;
}

fn batch(first: i32, id: i64, key: &str) -> Document {
    let documents: Vec<_> = (first..first + 2).map(|number| doc! { "_id": number }).collect();
    doc! { "ok": 1, "cursor": { "id": id, "ns": "db.numbers", key: documents } }
}

async fn scripted(more: Reply) -> (ScriptedServer, Collection<Document>) {
    let found = Reply::document(batch(0, 7, "firstBatch"));
    let server = ScriptedServer::builder().on("find", found).on("getMore", more).start().await.unwrap();
    let client = Client::with_uri_str(&server.uri()).await.unwrap();
    (server, client.database("db").collection("numbers"))
}

#[tokio::test]
async fn one_request_is_answered_by_many_replies() {
    let replies = vec![batch(2, 7, "nextBatch"), batch(4, 7, "nextBatch"), batch(6, 0, "nextBatch")];
    let (server, numbers) = scripted(Reply::Stream(replies)).await;
    let mut cursor = streamed!(numbers).await.unwrap();
    assert_eq!(ids(&cursor.to_vec().await.unwrap()), (0..8).collect::<Vec<_>>());
    assert_eq!(server.received_named("getMore").len(), 1);
    assert_eq!(server.received_named("find")[0].connection, server.received_named("getMore")[0].connection);
    // A server that streams only a part of it is asked for the rest, on the same connection.
    server.forget_received();
    server.once("getMore", Reply::Stream(vec![batch(2, 7, "nextBatch"), batch(4, 7, "nextBatch")]));
    server.once("getMore", Reply::document(batch(6, 0, "nextBatch")));
    let mut cursor = streamed!(numbers).await.unwrap();
    assert_eq!(ids(&cursor.to_vec().await.unwrap()), (0..8).collect::<Vec<_>>());
    assert_eq!(server.received_named("getMore").len(), 2);
    numbers.client().close().await;
}

#[tokio::test]
async fn a_stream_that_goes_on_without_a_cursor_ends_the_connection() {
    let replies = vec![batch(2, 0, "nextBatch"), batch(4, 0, "nextBatch")];
    let (server, numbers) = scripted(Reply::Stream(replies)).await;
    let mut cursor = streamed!(numbers).await.unwrap();
    assert_eq!(ids(&[cursor.try_next().await.unwrap().unwrap()]), [0]);
    cursor.try_next().await.unwrap().unwrap();
    let error = cursor.try_next().await.unwrap_err();
    assert!(error.to_string().contains("protocol"), "{error}");
    let connection = server.received_named("getMore")[0].connection;
    server.on("find", Reply::cursor("db.numbers", [doc! { "_id": 1 }]));
    assert!(numbers.find_one(doc! {}).await.unwrap().is_some());
    assert_ne!(server.received_named("find").last().unwrap().connection, connection);
    numbers.client().close().await;
}

#[tokio::test]
async fn a_server_that_streams_for_ever_is_stopped_by_dropping_the_cursor() {
    let endless = Reply::Endless { document: batch(2, 7, "nextBatch"), every: Duration::from_millis(1) };
    let (server, numbers) = scripted(endless).await;
    let mut cursor = streamed!(numbers).await.unwrap();
    for _ in 0..50 {
        cursor.try_next().await.unwrap().unwrap();
    }
    let connections = server.connections();
    // Also while somebody waits for the next batch.
    let mut waiting = Box::pin(async { while cursor.try_next().await.unwrap().is_some() {} });
    assert!((&mut waiting).now_or_never().is_none());
    drop(waiting);
    drop(cursor);
    eventually("the stream's connection is closed", async || server.connections() < connections).await;
    assert!(server.received_named("killCursors").is_empty());
    numbers.client().close().await;
}
