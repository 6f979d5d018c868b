//! Bulk writes on a replica set, and those of a client on a server that knows the command.

use std::time::Duration;

use mongo_actors::{
    Client, Collection, Namespace,
    bson::{Bson, Document, doc},
    error::{ErrorKind, Outcome},
    options::{
        DeleteManyModel, DeleteOneModel, InsertOneModel, NamespacedWrite, ReplaceOneModel, UpdateManyModel,
        UpdateOneModel, WriteConcern, WriteModel,
    },
};
use mongo_actors_testkit::{ReplicaSet, Secantus};

async fn deployment() -> (ReplicaSet, Client) {
    let set = ReplicaSet::start(1).await.unwrap();
    let client = Client::with_uri_str(&set.uri()).await.unwrap();
    (set, client)
}

fn things(client: &Client) -> Collection {
    client.database("it").collection("things")
}

fn insert(id: i32) -> WriteModel {
    InsertOneModel::new(doc! { "_id": id, "x": 0 }).into()
}

fn increment(id: i32) -> WriteModel {
    UpdateOneModel::new(doc! { "_id": id }, doc! { "$inc": { "x": 1 } }).into()
}

/// For each number one insert, one update of it, and for every tenth one delete of it.
fn mixed(numbers: std::ops::Range<i32>) -> impl Iterator<Item = WriteModel> + Send {
    numbers.flat_map(|id| {
        let delete = (id % 10 == 0).then(|| DeleteOneModel::new(doc! { "_id": id }).into());
        [Some(insert(id)), Some(increment(id)), delete].into_iter().flatten()
    })
}

#[tokio::test]
async fn a_hundred_thousand_mixed_writes_arrive() {
    let (_set, client) = deployment().await;
    let things = things(&client);
    let half = 26_000;
    // In order, each of these is a command; so there are few of them, and the bulk goes in blocks.
    let result = things.bulk_write(mixed(0..200)).await.unwrap();
    assert_eq!((result.inserted_count, result.modified_count, result.deleted_count), (200, 200, 20));
    let blocks = (0..4).flat_map(|block| {
        let numbers = move || 1_000 + block * half / 2..1_000 + (block + 1) * half / 2;
        numbers().map(insert).chain(numbers().map(increment))
    });
    let result = things.bulk_write(blocks).await.unwrap();
    let all = u64::try_from(half).unwrap() * 2;
    assert_eq!((result.inserted_count, result.matched_count, result.modified_count), (all, all, all));
    assert_eq!(things.count_documents(doc! { "x": 1 }).await.unwrap(), 180 + all);
    let removals =
        (0..2 * half).map(|id| WriteModel::<Document>::from(DeleteOneModel::new(doc! { "_id": 1_000 + id })));
    let writes = removals.chain((0..10_000).map(|id| insert(-1 - id)));
    let result = things.bulk_write(writes).ordered(false).await.unwrap();
    assert_eq!((result.deleted_count, result.inserted_count), (all, 10_000));
    assert_eq!(things.count_documents(doc! {}).await.unwrap(), 10_180);
    client.close().await;
}

#[tokio::test]
async fn more_bytes_than_a_message_holds_are_split() {
    let (_set, client) = deployment().await;
    let things = things(&client);
    let text = "x".repeat(1024 * 1024);
    let documents = (0..60).map(|id| doc! { "_id": id, "text": &text });
    let writes: Vec<_> = documents.map(InsertOneModel::new).map(WriteModel::from).collect();
    let result = things.bulk_write(writes).await.unwrap();
    assert_eq!((result.inserted_count, result.inserted_ids.len()), (60, 60));
    let replaced = (0..60).map(|id| {
        ReplaceOneModel::new(doc! { "_id": id }, doc! { "text": &text, "new": true }).upsert(id % 2 == 0).into()
    });
    let result = things.bulk_write(replaced.collect::<Vec<WriteModel>>()).ordered(false).await.unwrap();
    assert_eq!((result.matched_count, result.modified_count, result.upserted_count), (60, 60, 0));
    client.close().await;
}

#[tokio::test]
async fn a_failure_in_the_middle_stops_what_is_ordered() {
    let (_set, client) = deployment().await;
    let things = things(&client);
    let writes = || (0..150).map(insert).chain((100..250).map(insert)).chain((0..250).map(increment));
    let error = things.bulk_write(writes()).await.unwrap_err();
    let ErrorKind::BulkWrite(partial) = error.kind() else { panic!("{error:?}") };
    assert_eq!(partial.write_errors.iter().map(|error| error.index).collect::<Vec<_>>(), [150]);
    assert_eq!((partial.partial_result.inserted_count, partial.partial_result.matched_count), (150, 0));
    assert!(error.is_duplicate_key() && error.outcome() == Outcome::Applied, "{error}");
    assert_eq!(things.count_documents(doc! {}).await.unwrap(), 150);

    things.delete_many(doc! {}).await.unwrap();
    let error = things.bulk_write(writes()).ordered(false).await.unwrap_err();
    let partial = error.partial_bulk_write().unwrap();
    assert_eq!(
        partial.write_errors.iter().map(|error| error.index).collect::<Vec<_>>(),
        (150..200).collect::<Vec<_>>()
    );
    assert_eq!((partial.partial_result.inserted_count, partial.partial_result.modified_count), (250, 250));
    let missing: Vec<_> = (150..200).filter(|at| partial.partial_result.inserted_ids.contains_key(at)).collect();
    assert!(missing.is_empty());

    let upserts = (1_000..1_003)
        .map(|id| UpdateOneModel::new(doc! { "_id": id }, doc! { "$set": { "x": 1 } }).upsert(true).into());
    let result = things.bulk_write(upserts.collect::<Vec<WriteModel>>()).await.unwrap();
    assert_eq!(
        result.upserted_ids.into_iter().collect::<Vec<_>>(),
        [(0, 1000.into()), (1, 1001.into()), (2, 1002.into())]
    );
    client.close().await;
}

#[tokio::test]
async fn unacknowledged_writes_are_executed() {
    let (_set, client) = deployment().await;
    let things = things(&client);
    let writes = (0..50).map(insert).chain((0..50).map(increment));
    let result = things.bulk_write(writes).write_concern(WriteConcern::nodes(0)).await.unwrap();
    assert!(!result.acknowledged);
    let all_there = async {
        while things.count_documents(doc! { "x": 1 }).await.unwrap() < 50 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all_there).await.unwrap();
    client.close().await;
}

/// The primary is killed while increments are under way; the retry of a command does nothing twice.
#[tokio::test]
async fn nothing_is_doubled_when_the_primary_dies() {
    let set = ReplicaSet::start(3).await.unwrap();
    let client = Client::with_uri_str(&set.uri_with(&[("w", "majority")])).await.unwrap();
    let things = things(&client);
    let count = 2_000;
    things.insert_many((0..count).map(|id| doc! { "_id": id, "x": 0 })).await.unwrap();
    let (rounds, mut seen) = tokio::sync::watch::channel(0);
    let writer = tokio::spawn({
        let things = things.clone();
        async move {
            for _ in 0..12 {
                let result = things.bulk_write((0..count).map(increment)).ordered(false).await.unwrap();
                assert_eq!(result.modified_count, u64::try_from(count).unwrap());
                rounds.send_modify(|rounds| *rounds += 1);
            }
        }
    });
    seen.wait_for(|rounds| *rounds >= 2).await.unwrap();
    // In the middle of the third round.
    let primary = set.primary().await.unwrap();
    primary.kill().await.unwrap();
    writer.await.unwrap();
    assert_eq!(things.count_documents(doc! { "x": 12 }).await.unwrap(), u64::try_from(count).unwrap());
    client.close().await;
}

#[tokio::test]
async fn a_clients_bulk_write_needs_a_newer_server() {
    let (_set, client) = deployment().await;
    let write = InsertOneModel::new(doc! { "_id": 1 }).in_namespace(Namespace::new("it", "things"));
    let error = client.bulk_write([write]).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidOperation { .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotSent);
    client.close().await;
}

fn namespaced(collection: &str, model: impl Into<WriteModel>) -> NamespacedWrite {
    NamespacedWrite::new(Namespace::new("it", collection), model)
}

#[tokio::test]
async fn a_client_writes_to_several_collections_at_once() {
    let server = Secantus::start().await.unwrap();
    let client = Client::with_uri_str(&server.uri()).await.unwrap();
    let writes = [
        namespaced("a", InsertOneModel::new(doc! { "_id": 1 })),
        namespaced("b", InsertOneModel::new(doc! { "x": 2 })),
        namespaced("a", UpdateOneModel::new(doc! { "_id": 1 }, doc! { "$set": { "x": 1 } })),
        namespaced("b", UpdateManyModel::new(doc! {}, doc! { "$inc": { "x": 1 } })),
        namespaced("b", ReplaceOneModel::new(doc! { "_id": 9 }, doc! { "x": 9 }).upsert(true)),
        namespaced("a", DeleteOneModel::new(doc! { "_id": 1 })),
        namespaced("b", DeleteManyModel::new(doc! { "x": 3 })),
    ];
    let result = client.bulk_write(writes).verbose_results(true).await.unwrap();
    let counts = [result.inserted_count, result.upserted_count, result.matched_count, result.deleted_count];
    assert_eq!((counts, result.modified_count), ([2, 1, 2, 2], 2));
    let verbose = result.verbose_results.unwrap();
    assert_eq!(verbose.insert_results[&0].inserted_id, Bson::Int32(1));
    assert!(verbose.insert_results[&1].inserted_id.as_object_id().is_some());
    assert_eq!(verbose.update_results[&4].upserted_id, Some(Bson::Int32(9)));
    assert_eq!(verbose.delete_results[&6].deleted_count, 1);
    let left: Vec<_> =
        client.database("it").collection::<Document>("b").find(doc! {}).await.unwrap().to_vec().await.unwrap();
    assert_eq!(left, [doc! { "_id": 9, "x": 9 }]);

    let twice = [1, 2, 1, 3].map(|id| namespaced("c", InsertOneModel::new(doc! { "_id": id })));
    let error = client.bulk_write(twice.clone()).await.unwrap_err();
    let partial = error.partial_client_bulk_write().unwrap();
    assert_eq!(partial.write_errors.keys().copied().collect::<Vec<_>>(), [2]);
    assert_eq!(partial.partial_result.as_ref().unwrap().inserted_count, 2);
    let error = client.bulk_write(twice).ordered(false).await.unwrap_err();
    let partial = error.partial_client_bulk_write().unwrap();
    assert_eq!(partial.write_errors.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(partial.partial_result.as_ref().unwrap().inserted_count, 1);
    client.close().await;
}
