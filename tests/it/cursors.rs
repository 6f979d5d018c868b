//! Cursors over many batches, and what becomes of those that are not read to their end.

use mongo_actors::{
    Client,
    bson::{Document, RawDocumentBuf, doc, rawdoc},
};
use mongo_actors_testkit::Standalone;

use crate::kit::{Recorder, client_and_database, eventually};

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
