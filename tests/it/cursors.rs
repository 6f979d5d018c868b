//! Cursors over many batches, and what becomes of those that are not read to their end.

use std::time::{Duration, Instant};

use mongo_actors::{
    Client,
    bson::{Document, RawDocumentBuf, doc, rawdoc},
    error::ErrorKind,
    options::CursorType,
};
use mongo_actors_testkit::{ReplicaSet, Reply, ScriptedServer, Standalone};

use crate::{
    commands::Commands,
    kit::{Recorder, client_and_database, eventually},
};

#[tokio::test]
async fn every_batch_comes_once_and_in_order_typed_and_raw() {
    let (client, database) = client_and_database("cursor-batches").await;
    let numbers = database.collection::<RawDocumentBuf>("numbers");
    numbers.insert_many((0..10_000).map(|id| rawdoc! { "_id": id })).await.unwrap();
    let sorted = || numbers.find(doc! {}).sort(doc! { "_id": 1 }).batch_size(7);

    let mut cursor = sorted().await.unwrap();
    for expected in 0..10_000 {
        assert!(cursor.advance().await.unwrap());
        assert_eq!(cursor.current().unwrap().get_i32("_id").unwrap(), expected);
    }
    assert!(!cursor.advance().await.unwrap());
    assert_eq!((cursor.retrieved(), cursor.is_alive()), (10_000, false));

    let (mut batches, mut expected) = (sorted().await.unwrap().into_raw_batches(), 0);
    while let Some(batch) = batches.try_next().await.unwrap() {
        assert!(batch.count() <= 7);
        for document in batch.iter() {
            assert_eq!(document.unwrap().get_i32("_id").unwrap(), expected);
            expected += 1;
        }
    }
    assert_eq!(expected, 10_000);

    let pipeline = [doc! { "$match": { "_id": { "$lt": 1000 } } }, doc! { "$sort": { "_id": -1 } }];
    let documents = numbers.aggregate(pipeline).batch_size(11).await.unwrap().to_vec().await.unwrap();
    let ids: Vec<_> = documents.iter().map(|document: &Document| document.get_i32("_id").unwrap()).collect();
    assert_eq!(ids, (0..1000).rev().collect::<Vec<_>>());
    client.close().await;
}

#[tokio::test]
async fn a_cursor_dropped_half_read_is_killed_on_its_server_and_returns_its_session() {
    let server = Standalone::start().await.unwrap();
    let (recorder, builder) = Recorder::listen(Client::builder().uri(server.uri()));
    let client = builder.build().unwrap();
    let numbers = client.database("it").collection::<Document>("numbers");
    numbers.insert_many((0..100).map(|id| doc! { "_id": id })).await.unwrap();
    for read in [0, 1, 10, 11, 55] {
        let mut cursor = numbers.find(doc! {}).batch_size(10).await.unwrap();
        for _ in 0..read {
            cursor.try_next().await.unwrap().unwrap();
        }
        assert_eq!(server.member().open_cursors().await.unwrap(), 1);
        drop(cursor);
        eventually("the server has no cursor", async || server.member().open_cursors().await.unwrap() == 0).await;
    }
    recorder.expect_all_checked_in(&client).await;
    assert_eq!((recorder.killed_cursors(), recorder.closed()), (5, 0));
    assert!(recorder.sessions() <= 2, "sessions were used again: {}", recorder.sessions());
    client.close().await;
}

#[tokio::test]
async fn a_cursor_closed_by_hand_is_gone_when_that_returns() {
    let server = Standalone::start().await.unwrap();
    let client = Client::with_uri_str(&server.uri()).await.unwrap();
    let numbers = client.database("it").collection::<Document>("numbers");
    numbers.insert_many((0..100).map(|id| doc! { "_id": id })).await.unwrap();
    let mut cursor = numbers.find(doc! {}).batch_size(10).await.unwrap();
    cursor.try_next().await.unwrap();
    cursor.close().await;
    assert_eq!(server.member().open_cursors().await.unwrap(), 0);
    client.close().await;
}

#[tokio::test]
async fn closing_the_client_kills_its_cursors_and_ends_its_sessions() {
    let server = Standalone::start().await.unwrap();
    let (recorder, builder) = Recorder::listen(Client::builder().uri(server.uri()));
    let client = builder.build().unwrap();
    let numbers = client.database("it").collection::<Document>("numbers");
    numbers.insert_many((0..100).map(|id| doc! { "_id": id })).await.unwrap();
    let mut dropped = Vec::new();
    for _ in 0..3 {
        dropped.push(numbers.find(doc! {}).batch_size(10).await.unwrap());
    }
    assert_eq!(server.member().open_cursors().await.unwrap(), 3);
    // Dropped at the last moment: the debts are paid by closing.
    drop(dropped);
    client.close().await;
    assert_eq!(server.member().open_cursors().await.unwrap(), 0);
    assert_eq!((recorder.killed_cursors(), recorder.ended_sessions()), (3, 1));
    assert_eq!(recorder.created(), recorder.closed());
}

#[tokio::test]
async fn a_cursor_of_a_closed_client_says_so() {
    let (client, database) = client_and_database("cursor-closed").await;
    let numbers = database.collection::<Document>("numbers");
    numbers.insert_many((0..100).map(|id| doc! { "_id": id })).await.unwrap();
    let mut cursor = numbers.find(doc! {}).batch_size(10).await.unwrap();
    client.close().await;
    let error = loop {
        match cursor.try_next().await {
            Ok(document) => assert!(document.is_some(), "the first batch was there already"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("closed"), "{error}");
}

#[tokio::test]
async fn only_a_cursor_without_a_timeout_outlives_idle_time() {
    let server = Standalone::builder()
        .parameter("cursorTimeoutMillis", 50)
        .parameter("clientCursorMonitorFrequencySecs", 1)
        // Without it, cursors of sessions end with these.
        .parameter("enableTimeoutOfInactiveSessionCursors", true)
        .start()
        .await
        .unwrap();
    let (client, commands) = Commands::client(&server.uri());
    let numbers = client.database("it").collection::<Document>("numbers");
    numbers.insert_many((0..100).map(|id| doc! { "_id": id })).await.unwrap();
    let mut lasting = numbers.find(doc! {}).batch_size(10).no_cursor_timeout(true).await.unwrap();
    let mut ordinary = numbers.find(doc! {}).batch_size(10).await.unwrap();
    let flags: Vec<_> =
        commands.named("find").iter().map(|find| find.command.get_bool("noCursorTimeout").ok()).collect();
    assert_eq!(flags, [Some(true), None]);
    eventually("the idle cursor is gone", async || server.member().open_cursors().await.unwrap() == 1).await;
    let error = loop {
        match ordinary.try_next().await {
            Ok(document) => assert!(document.is_some(), "the first batch was there already"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error.kind(), ErrorKind::CursorNotFound(_)), "{error}");
    assert_eq!((ordinary.retrieved(), ordinary.is_alive()), (10, false));
    assert_eq!(lasting.to_vec().await.unwrap().len(), 100);
    client.close().await;
}

#[tokio::test]
async fn batch_sizes_are_asked_for_and_can_be_changed() {
    let server = Standalone::start().await.unwrap();
    let (client, commands) = Commands::client(&server.uri());
    let numbers = client.database("it").collection::<Document>("numbers");
    numbers.insert_many((0..300).map(|id| doc! { "_id": id })).await.unwrap();
    let mut cursor = numbers.find(doc! {}).batch_size(1).await.unwrap();
    assert_eq!(cursor.next_many(3).await.unwrap().len(), 3, "one in a batch is not one in all");
    cursor.set_batch_size(20);
    assert_eq!(cursor.next_many(40).await.unwrap().len(), 40);
    cursor.set_batch_size(0);
    assert_eq!(cursor.to_vec().await.unwrap().len(), 257);
    let sizes: Vec<_> = commands.named("getMore").iter().map(|more| more.command.get_i32("batchSize").ok()).collect();
    assert_eq!(sizes, [Some(1), Some(1), Some(20), Some(20), None]);
    let mut batches = numbers.find_raw_batches(doc! {}).batch_size(100).await.unwrap();
    for _ in 0..3 {
        assert_eq!(batches.try_next().await.unwrap().unwrap().count(), 100);
    }
    assert!(batches.try_next().await.unwrap().is_none());
    assert_eq!((batches.retrieved(), batches.namespace().unwrap().to_string().as_str()), (300, "it.numbers"));
    client.close().await;
}

#[tokio::test]
async fn the_cursor_of_any_command_takes_options_for_what_comes_after_it() {
    let server = Standalone::start().await.unwrap();
    let (client, commands) = Commands::client(&server.uri());
    let database = client.database("it");
    let ring = database.create_collection("ring").capped(true).size(64 * 1024).await.unwrap();
    ring.insert_many((0..10).map(|id| doc! { "_id": id })).await.unwrap();
    commands.take();
    let find = doc! { "find": "ring", "batchSize": 2, "comment": "mine" };
    let mut cursor = database.run_cursor_command(find.clone()).batch_size(3).comment("more").await.unwrap();
    assert_eq!(cursor.to_vec().await.unwrap().len(), 10);
    let sent = commands.take();
    assert_eq!(sent.len(), 4);
    assert_eq!(
        (sent[0].command.get("comment"), sent[0].command.get("batchSize")),
        (Some(&"mine".into()), Some(&2.into()))
    );
    for more in &sent[1..] {
        assert_eq!(
            (more.command.get("comment"), more.command.get("batchSize")),
            (Some(&"more".into()), Some(&3.into()))
        );
        assert!(!more.command.contains_key("maxTimeMS"));
    }

    let tail = doc! { "find": "ring", "tailable": true, "awaitData": true };
    let wait = Duration::from_millis(300);
    let run = database.run_cursor_command(tail).cursor_type(CursorType::TailableAwait).max_time(wait);
    let mut cursor = run.await.unwrap();
    assert_eq!(cursor.next_many(10).await.unwrap().len(), 10);
    let begun = Instant::now();
    assert_eq!(cursor.try_next_nonblocking().await.unwrap(), None);
    assert!(begun.elapsed() >= wait && cursor.is_alive());
    assert_eq!(commands.last().command.get_i64("maxTimeMS").unwrap(), 300);
    drop(cursor);
    eventually("the server has no cursor", async || server.member().open_cursors().await.unwrap() == 0).await;

    let mut session = client.start_session().await.unwrap();
    commands.take();
    let mut cursor = database.run_cursor_command(find.clone()).session(&mut session).await.unwrap();
    cursor.set_batch_size(100);
    assert_eq!(cursor.to_vec(&mut session).await.unwrap().len(), 10);
    let lsid = Document::try_from(session.id()).unwrap();
    let sent = commands.take();
    assert!(sent.len() == 2 && sent.iter().all(|sent| sent.lsid() == Some(&lsid)));

    let error = database.run_cursor_command("ping").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidOperation { .. }), "{error}");
    let both = database.run_cursor_command(find).timeout(wait).max_time(wait).await.unwrap_err();
    assert!(matches!(both.kind(), ErrorKind::InvalidArgument { .. }), "{both}");
    client.close().await;
}

#[tokio::test]
async fn a_cursor_in_a_transaction_sees_its_snapshot_and_ends_with_it() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, commands) = Commands::client(&set.uri());
    let numbers = client.database("it").collection::<Document>("numbers");
    numbers.insert_many((0..10).map(|id| doc! { "_id": id })).await.unwrap();
    let mut session = client.start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    commands.take();
    let find = || numbers.find(doc! {}).sort("_id").batch_size(3);
    let mut cursor = find().session(&mut session).await.unwrap();
    numbers.delete_many(doc! { "_id": { "$gte": 5 } }).await.unwrap();
    numbers.insert_one(doc! { "_id": 10 }).session(&mut session).await.unwrap();
    let ids = cursor.to_vec(&mut session).await.unwrap();
    assert_eq!(ids.len(), 11, "what others have deleted is still there, and what the transaction has inserted, too");
    session.commit_transaction().await.unwrap();
    let sent = commands.take();
    let mine: Vec<_> = sent.iter().filter(|sent| sent.command.contains_key("txnNumber")).collect();
    let names: Vec<_> = mine.iter().filter(|sent| sent.name != "delete").map(|sent| &*sent.name).collect();
    assert_eq!(names, ["find", "insert", "getMore", "getMore", "getMore", "commitTransaction"]);
    assert!(mine[0].command.get_bool("startTransaction").unwrap());
    assert!(mine[1..].iter().all(|sent| !sent.command.contains_key("startTransaction")));
    assert_eq!(numbers.count_documents(doc! {}).await.unwrap(), 6);

    // What is left of it when the transaction ends is gone with that.
    session.start_transaction().await.unwrap();
    let mut cursor = find().session(&mut session).await.unwrap();
    session.abort_transaction().await.unwrap();
    let error = loop {
        match cursor.try_next(&mut session).await {
            Ok(document) => assert!(document.is_some(), "the first batch was there already"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error.kind(), ErrorKind::Command(_) | ErrorKind::CursorNotFound(_)), "{error}");
    assert_eq!((cursor.retrieved(), cursor.is_alive()), (3, false));
    drop(cursor);
    let primary = set.primary().await.unwrap();
    eventually("the server has no cursor", async || primary.open_cursors().await.unwrap() == 0).await;
    assert_eq!(numbers.count_documents(doc! {}).session(&mut session).await.unwrap(), 6, "the session goes on");
    client.close().await;
}

#[tokio::test]
async fn a_cursor_ends_with_its_server_and_the_collection_can_be_read_again() {
    let set = ReplicaSet::builder(3).election_timeout(Duration::from_secs(1)).start().await.unwrap();
    // For so long the next batch waits for the server to come back.
    let patience = ("serverSelectionTimeoutMS", "6000");
    let client = Client::with_uri_str(&set.uri_with(&[("w", "majority"), patience])).await.unwrap();
    let numbers = client.database("it").collection::<Document>("numbers");
    numbers.insert_many((0..10).map(|id| doc! { "_id": id })).await.unwrap();
    let mut cursor = numbers.find(doc! {}).sort("_id").batch_size(3).await.unwrap();
    assert!(cursor.try_next().await.unwrap().is_some());
    let home = cursor.address().unwrap().clone();
    let primary = set.primary().await.unwrap();
    primary.kill().await.unwrap();
    set.wait_for_primary_other_than(&primary).await.unwrap();
    let error = loop {
        match cursor.try_next().await {
            Ok(document) => assert!(document.is_some(), "it lost the rest and said nothing"),
            Err(error) => break error,
        }
    };
    assert!(error.is_connection_failure(), "{error}");
    assert_eq!((cursor.retrieved(), cursor.is_alive(), cursor.try_next().await.unwrap()), (3, false, None));
    // The same find from its beginning, wherever the primary is now. The server that is gone is not waited for.
    let begun = Instant::now();
    cursor.rewind().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(cursor.to_vec().await.unwrap().len(), 10);
    assert_ne!(cursor.address(), Some(&home));
    let begun = Instant::now();
    client.close().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_cursor_is_killed_although_five_attempts_fail() {
    let open = doc! { "id": 7_i64, "ns": "it.things", "firstBatch": [{ "_id": 1 }] };
    let server = ScriptedServer::builder().on("find", Reply::document(doc! { "ok": 1.0, "cursor": open }));
    let server = (0..5).fold(server, |server, attempt| server.nth("killCursors", attempt, Reply::Close));
    let server = server.start().await.unwrap();
    let client = Client::with_uri_str(&server.uri()).await.unwrap();
    let things = client.database("it").collection::<Document>("things");
    drop(things.find(doc! {}).await.unwrap());
    // Each pause is twice as long as the one before: ten seconds in all.
    eventually("it is killed", async || server.received_named("killCursors").len() == 6).await;
    client.close().await;
    assert_eq!(server.received_named("killCursors").len(), 6, "once is enough");
}
