//! Many callers, few connections.

use std::sync::Arc;

use mongo_actors::{
    Client,
    bson::{Document, doc},
    error::ErrorKind,
};
use mongo_actors_testkit::{ReplicaSet, Standalone};

use crate::kit::{Recorder, shared_set};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_tasks_share_five_connections() {
    let uri = shared_set().await.uri_with(&[("maxPoolSize", "5")]);
    let (recorder, builder) = Recorder::listen(Client::builder().uri(uri));
    let client = builder.build().unwrap();
    let things = Arc::new(client.database("it-two-hundred").collection::<Document>("things"));
    let tasks: Vec<_> = (0..200)
        .map(|task| {
            let things = things.clone();
            tokio::spawn(async move {
                for turn in 0..10 {
                    let id = task * 10 + turn;
                    things.insert_one(doc! { "_id": id }).await.unwrap();
                    assert!(things.find_one(doc! { "_id": id }).await.unwrap().is_some());
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(things.count_documents(doc! {}).await.unwrap(), 2000);
    recorder.expect_all_checked_in(&client).await;
    assert!(recorder.created() <= 5 && recorder.most_in_use() <= 5, "{} connections", recorder.created());
    assert!(recorder.sessions() <= 10, "{} sessions", recorder.sessions());
    assert_eq!((recorder.closed(), recorder.cleared()), (0, 0));
    client.close().await;
}

#[tokio::test]
async fn waiting_too_long_for_a_connection_names_the_limit() {
    let uri = shared_set().await.uri_with(&[("maxPoolSize", "1"), ("waitQueueTimeoutMS", "50")]);
    let client = Client::with_uri_str(&uri).await.unwrap();
    let things = client.database("it-wait-queue").collection::<Document>("things");
    things.insert_one(doc! { "_id": 1 }).await.unwrap();
    let slow = things.find_one(doc! { "$where": "sleep(500) || true" });
    // Polled in this order, they reach the pool in this order.
    let (slow, hasty) = tokio::join!(biased; async { slow.await }, async { things.find_one(doc! {}).await });
    slow.unwrap();
    let error = hasty.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WaitQueueTimeout(_)), "{error}");
    assert!(error.to_string().contains("maxPoolSize: 1"), "{error}");
    client.close().await;
}

#[tokio::test]
async fn warming_up_waits_for_the_least_number_of_connections_to_every_server() {
    let set = ReplicaSet::start(2).await.unwrap();
    let uri = set.uri_with(&[("minPoolSize", "3")]);
    let (recorder, builder) = Recorder::listen(Client::builder().uri(uri));
    let client = builder.build().unwrap();
    client.warm_up().await.unwrap();
    client.flush_events().await;
    assert!(recorder.created() >= 3, "{}", recorder.created());
    client.database("it").collection::<Document>("things").find_one(doc! {}).await.unwrap();
    client.flush_events().await;
    assert!(recorder.created() <= 6, "none was made for the operation: {}", recorder.created());
    client.close().await;
}

#[tokio::test]
async fn warming_up_reports_what_is_in_the_way() {
    let server = Standalone::builder().auth("ada", "lovelace").start().await.unwrap();
    let uri = server.uri().replace("lovelace", "babbage");
    let client = Client::with_uri_str(&uri).await.unwrap();
    let error = client.warm_up().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Authentication { .. }), "{error}");
    let client = Client::with_uri_str("mongodb://localhost:1/?serverSelectionTimeoutMS=100").await.unwrap();
    let error = client.warm_up().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ServerSelectionTimeout), "{error}");
}
