//! Prose tests of "connections survive primary step down": what ends connections, and what does not.

use std::sync::Arc;

use mongo_actors::{
    Client, Collection,
    bson::{Document, doc},
    error::ErrorKind,
    options::WriteConcern,
};
use mongo_actors_testkit::{FailPoint, ReplicaSet};

use crate::kit::Recorder;

async fn collection(set: &ReplicaSet) -> (Arc<Recorder>, Collection<Document>) {
    let uri = set.uri_with(&[("retryWrites", "false"), ("heartbeatFrequencyMS", "500")]);
    let (recorder, builder) = Recorder::listen(Client::builder().uri(uri));
    let database = builder.build().unwrap().database("step-down");
    let things = database.collection::<Document>("step-down");
    things.drop().write_concern(WriteConcern::majority()).await.unwrap();
    database.create_collection("step-down").write_concern(WriteConcern::majority()).await.unwrap();
    (recorder, things)
}

#[tokio::test]
async fn step_down_1_a_cursor_goes_on_where_it_lives() {
    let set = ReplicaSet::start(3).await.unwrap();
    let (recorder, things) = collection(&set).await;
    let documents = (0..5).map(|id| doc! { "_id": id });
    things.insert_many(documents).write_concern(WriteConcern::majority()).await.unwrap();
    let mut cursor = things.find(doc! {}).sort("_id").batch_size(2).await.unwrap();
    assert_eq!(cursor.next_many(2).await.unwrap().len(), 2);
    let home = cursor.address().unwrap().clone();
    let new = set.step_down().await.unwrap();
    assert_ne!(new.address(), home);
    assert_eq!(cursor.to_vec().await.unwrap(), [doc! { "_id": 2 }, doc! { "_id": 3 }, doc! { "_id": 4 }]);
    assert_eq!((cursor.address(), recorder.cleared()), (Some(&home), 0));
    things.client().close().await;
}

/// How often pools were cleared when an insert has met this error once.
async fn cleared_by(code: i32) -> usize {
    let set = ReplicaSet::start(1).await.unwrap();
    let (recorder, things) = collection(&set).await;
    let point = FailPoint::fail_command(["insert"]).times(1).error_code(code);
    let _point = set.primary().await.unwrap().enable(point).await.unwrap();
    let error = things.insert_one(doc! { "test": 1 }).await.unwrap_err();
    assert!(error.code() == Some(code) && matches!(error.kind(), ErrorKind::NotPrimary(_)), "{error}");
    things.insert_one(doc! { "test": 1 }).await.unwrap();
    things.client().flush_events().await;
    let cleared = recorder.cleared();
    things.client().close().await;
    cleared
}

#[tokio::test]
async fn step_down_2_who_is_not_primary_keeps_its_connections() {
    assert_eq!(cleared_by(10107).await, 0);
}

#[tokio::test]
async fn step_down_3_who_shuts_down_loses_its_connections() {
    assert_eq!(cleared_by(91).await, 1);
}

#[tokio::test]
async fn step_down_4_who_is_interrupted_at_shutdown_loses_its_connections() {
    assert_eq!(cleared_by(11600).await, 1);
}
