//! Explicit sessions on real deployments.

use std::{sync::Arc, time::Duration};

use futures_util::TryStreamExt;
use mongo_actors::{
    Client, Collection,
    bson::{Document, doc},
    error::ErrorKind,
    options::WriteConcern,
};
use mongo_actors_testkit::{FailPoint, ReplicaSet, Standalone};

use crate::commands::Commands;

pub(crate) async fn client_of(set: &ReplicaSet, options: &[(&str, &str)]) -> (Client, Arc<Commands>) {
    let commands = Commands::new();
    let client = Client::builder().uri(set.uri_with(options)).command_listener(commands.clone()).build().unwrap();
    (client, commands)
}

async fn things(set: &ReplicaSet) -> (Collection<Document>, Arc<Commands>) {
    let (client, commands) = client_of(set, &[]).await;
    (client.database("it").collection("things"), commands)
}

#[tokio::test]
async fn every_command_of_a_session_carries_its_id() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    let mut session = things.client().start_session().await.unwrap();
    let id = Document::try_from(session.id()).unwrap();
    things.insert_many((0..5).map(|number| doc! { "_id": number })).session(&mut session).await.unwrap();
    things.update_one(doc! { "_id": 1 }, doc! { "$set": { "a": 1 } }).session(&mut session).await.unwrap();
    assert_eq!(things.count_documents(doc! {}).session(&mut session).await.unwrap(), 5);
    let mut found = things.find(doc! {}).batch_size(2).session(&mut session).await.unwrap();
    let mut ids = Vec::new();
    while let Some(thing) = found.next(&mut session).await.transpose().unwrap() {
        // The session is free for other operations while the cursor is open.
        things.delete_one(doc! { "_id": thing.get_i32("_id").unwrap() }).session(&mut session).await.unwrap();
        ids.push(thing.get_i32("_id").unwrap());
    }
    assert_eq!(ids, [0, 1, 2, 3, 4]);
    let sent = commands.take();
    assert!(sent.iter().any(|sent| sent.name == "getMore"));
    for sent in sent {
        assert_eq!(sent.lsid(), Some(&id), "{}", sent.name);
    }
    session.end().await;
    things.client().close().await;
}

#[tokio::test]
async fn a_cursor_of_a_session_is_read_in_every_way() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, _) = things(&set).await;
    things.insert_many((0..10).map(|number| doc! { "_id": number })).await.unwrap();
    let mut session = things.client().start_session().await.unwrap();
    let sorted = || things.find(doc! {}).sort(doc! { "_id": 1 }).batch_size(3);
    let mut cursor = sorted().session(&mut session).await.unwrap();
    assert!(cursor.advance(&mut session).await.unwrap());
    assert_eq!(cursor.current().unwrap().get_i32("_id").unwrap(), 0);
    let two: Vec<_> = {
        use futures_util::StreamExt;
        cursor.stream(&mut session).take(2).try_collect().await.unwrap()
    };
    assert_eq!(two, [doc! { "_id": 1 }, doc! { "_id": 2 }]);
    assert_eq!(cursor.next_raw_batch(&mut session).await.unwrap().unwrap().count(), 3);
    assert_eq!(cursor.to_vec(&mut session).await.unwrap().len(), 4);
    assert!(!cursor.is_alive());
    let mut cursor = sorted().session(&mut session).await.unwrap();
    let mut other = things.client().start_session().await.unwrap();
    let error = cursor.try_next(&mut other).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }), "{error}");
    assert_eq!(cursor.try_next(&mut session).await.unwrap(), Some(doc! { "_id": 0 }));
    cursor.close(&mut session).await;
    assert_eq!(set.primary().await.unwrap().open_cursors().await.unwrap(), 0);
    let mut names = things.list_indexes().session(&mut session).await.unwrap();
    assert_eq!(names.next(&mut session).await.unwrap().unwrap().name(), "_id_");
    let sums = things.aggregate([doc! { "$group": { "_id": null, "sum": { "$sum": "$_id" } } }]);
    let mut sums = sums.session(&mut session).await.unwrap();
    assert_eq!(sums.to_vec(&mut session).await.unwrap(), [doc! { "_id": null, "sum": 45 }]);
    things.client().close().await;
}

#[tokio::test]
async fn a_session_of_no_use_is_refused_before_anything_is_sent() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    let mut session = things.client().start_session().await.unwrap();
    let unacknowledged = things.insert_one(doc! {}).write_concern(WriteConcern::nodes(0)).session(&mut session);
    let error = unacknowledged.await.unwrap_err();
    assert!(error.to_string().contains("unacknowledged"), "{error}");
    session.end().await;
    session.end().await;
    assert!(session.has_ended());
    let error = things.insert_one(doc! {}).session(&mut session).await.unwrap_err();
    assert!(error.to_string().contains("ended"), "{error}");
    let (other, _) = client_of(&set, &[]).await;
    let mut foreign = other.start_session().await.unwrap();
    let error = things.find_one(doc! {}).session(&mut foreign).await.unwrap_err();
    assert!(error.to_string().contains("another client"), "{error}");
    assert!(commands.take().is_empty());
    things.client().close().await;
    assert!(things.client().start_session().await.is_err());
}

#[tokio::test]
async fn an_operation_waits_for_one_that_was_dropped() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    things.insert_one(doc! { "_id": 0 }).await.unwrap();
    let mut session = things.client().start_session().await.unwrap();
    let primary = set.primary().await.unwrap();
    let block = FailPoint::fail_command(["insert"]).times(1).block(Duration::from_millis(400));
    let point = primary.enable(block).await.unwrap();
    commands.take();
    let mut slow = Box::pin(things.insert_one(doc! { "_id": 1 }).session(&mut session).into_future());
    assert!(futures_util::poll!(slow.as_mut()).is_pending());
    point.wait_for_hits(1, Duration::from_secs(10)).await.unwrap();
    drop(slow);
    // Had it not waited, the server would not have the document yet.
    assert_eq!(things.count_documents(doc! { "_id": 1 }).session(&mut session).await.unwrap(), 1);
    let sent = commands.take();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].lsid(), sent[1].lsid());
    things.client().close().await;
}

#[tokio::test]
async fn times_move_from_session_to_session() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    let mut one = things.client().start_session().await.unwrap();
    assert_eq!((one.operation_time(), one.cluster_time()), (None, None));
    things.insert_one(doc! {}).session(&mut one).await.unwrap();
    let mut other = things.client().start_session().await.unwrap();
    other.advance_cluster_time(&one.cluster_time().unwrap());
    other.advance_operation_time(one.operation_time().unwrap());
    assert_eq!(other.operation_time(), one.operation_time());
    commands.take();
    things.find_one(doc! {}).session(&mut other).await.unwrap();
    let sent = commands.last();
    assert_eq!(sent.read_concern("afterClusterTime"), one.operation_time().map(Into::into).as_ref());
    let mut earlier = one.operation_time().unwrap();
    earlier.time -= 10;
    let before = other.operation_time();
    other.advance_operation_time(earlier);
    assert_eq!(other.operation_time(), before);
    things.client().close().await;
}

#[tokio::test]
async fn a_snapshot_does_not_change() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    things
        .insert_many((0..5).map(|number| doc! { "_id": number }))
        .write_concern(WriteConcern::majority())
        .await
        .unwrap();
    let mut session = things.client().start_session().snapshot(true).await.unwrap();
    assert_eq!(session.snapshot_time(), None);
    commands.take();
    let mut found = things.find(doc! {}).batch_size(2).session(&mut session).await.unwrap();
    things.delete_many(doc! { "_id": { "$gt": 0 } }).write_concern(WriteConcern::majority()).await.unwrap();
    assert_eq!(found.to_vec(&mut session).await.unwrap().len(), 5);
    assert_eq!(things.distinct("_id", doc! {}).session(&mut session).await.unwrap().len(), 5);
    let time = session.snapshot_time().unwrap();
    let mut again = things.client().start_session().snapshot(true).snapshot_time(time).await.unwrap();
    assert_eq!(things.count_documents(doc! {}).session(&mut again).await.unwrap(), 5);
    assert_eq!(things.count_documents(doc! {}).await.unwrap(), 1);
    let sent = commands.take();
    let level = |name: &str| sent.iter().find(|sent| sent.name == name).unwrap().read_concern("level").cloned();
    assert_eq!(level("find"), Some("snapshot".into()));
    let distinct = sent.iter().find(|sent| sent.name == "distinct").unwrap();
    assert_eq!(distinct.read_concern("atClusterTime"), Some(&time.into()));
    assert!(session.start_transaction().await.unwrap_err().to_string().contains("snapshot"));
    things.client().close().await;
}

#[tokio::test]
async fn a_standalone_gets_no_cluster_times() {
    let server = Standalone::start().await.unwrap();
    let commands = Commands::new();
    let client = Client::builder().uri(server.uri()).command_listener(commands.clone()).build().unwrap();
    let things = client.database("it").collection::<Document>("things");
    let mut session = client.start_session().await.unwrap();
    session.advance_operation_time(mongo_actors::bson::Timestamp { time: 1, increment: 1 });
    things.insert_one(doc! {}).session(&mut session).await.unwrap();
    things.find_one(doc! {}).session(&mut session).await.unwrap();
    for sent in commands.take() {
        assert!(sent.lsid().is_some() && !sent.command.contains_key("$clusterTime"), "{sent:?}");
        assert!(!sent.command.contains_key("readConcern"), "{sent:?}");
    }
    client.close().await;
}
