//! What users see when something goes wrong.

use std::time::{Duration, Instant};

use mongo_actors::{
    Client,
    bson::{Document, doc},
    error::Outcome,
};
use mongo_actors_testkit::{ReplicaSet, Standalone};

#[tokio::test]
async fn a_duplicate_key_names_the_server_and_was_rejected() {
    let server = Standalone::start().await.unwrap();
    let client = Client::with_uri_str(&server.uri()).await.unwrap();
    let things = client.database("it").collection::<Document>("things");
    things.insert_one(doc! { "_id": 1 }).await.unwrap();
    let error = things.insert_one(doc! { "_id": 1 }).await.unwrap_err();
    assert!(error.is_duplicate_key(), "{error}");
    assert_eq!(error.code(), Some(11000));
    client.close().await;
}

#[tokio::test]
async fn nobody_listens_at_the_port() {
    let client = Client::with_uri_str("mongodb://localhost:1/?serverSelectionTimeoutMS=300").await.unwrap();
    let started = Instant::now();
    let error = client.database("it").collection::<Document>("things").find_one(doc! {}).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(3));
    assert!(error.is_timeout() && error.to_string().contains("localhost:1"), "{error}");
    assert_eq!(error.outcome(), Outcome::NotSent);
    client.close().await;
    let error = client.database("it").collection::<Document>("things").find_one(doc! {}).await.unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
}

#[tokio::test]
async fn single_writes_survive_an_election() {
    let set = ReplicaSet::start(3).await.unwrap();
    let client = Client::with_uri_str(&set.uri_with(&[("w", "majority")])).await.unwrap();
    let things = client.database("it").collection::<Document>("things");
    things.insert_one(doc! { "_id": -1 }).await.unwrap();
    let writer = tokio::spawn({
        let things = things.clone();
        async move {
            for id in 0..300 {
                things.insert_one(doc! { "_id": id }).await.unwrap();
            }
        }
    });
    set.step_down().await.unwrap();
    writer.await.unwrap();
    assert_eq!(things.count_documents(doc! {}).await.unwrap(), 301);
    client.close().await;
}
