//! Change streams on real replica sets.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use mongo_actors::{
    ChangeStream, Client, Collection,
    bson::{Document, doc},
    change_stream::event::{ChangeStreamEvent, OperationType},
    concern::ReadConcern,
    error::{Error, ErrorKind},
    options::{
        ChangeStreamPreAndPostImages, CollectionOptions, FullDocumentBeforeChangeType, FullDocumentType, ReadPreference,
    },
};
use mongo_actors_testkit::{Direction, FailPoint, ReplicaSet, Standalone};
use tokio::sync::oneshot::{self, error::TryRecvError};

use crate::commands::Commands;

const PATIENCE: Duration = Duration::from_secs(60);

type Changes = ChangeStream<ChangeStreamEvent<Document>>;

async fn client(set: &ReplicaSet) -> Client {
    Client::with_uri_str(set.uri_with(&[("w", "majority")])).await.unwrap()
}

async fn one_member() -> (ReplicaSet, Client) {
    let set = ReplicaSet::start(1).await.unwrap();
    let client = client(&set).await;
    (set, client)
}

/// A collection that exists.
async fn created(client: &Client, name: &str) -> Collection {
    client.database("it").create_collection(name).await.unwrap();
    client.database("it").collection(name)
}

async fn next(changes: &mut Changes) -> ChangeStreamEvent<Document> {
    tokio::time::timeout(PATIENCE, changes.next()).await.expect("no event came").expect("the stream ended").unwrap()
}

async fn operations(changes: &mut Changes, count: usize) -> Vec<OperationType> {
    let mut all = Vec::new();
    while all.len() < count {
        all.push(next(changes).await.operation_type);
    }
    all
}

fn id(event: &ChangeStreamEvent<Document>) -> i32 {
    event.document_key.as_ref().unwrap().get_i32("_id").unwrap()
}

async fn insert(things: &Collection, ids: std::ops::Range<i32>) {
    things.insert_many(ids.map(|id| doc! { "_id": id })).await.unwrap();
}

#[tokio::test]
async fn a_collection_tells_of_everything_until_it_is_invalidated() {
    let (_set, client) = one_member().await;
    let things = created(&client, "things").await;
    let mut changes = things.watch().await.unwrap();
    let list: Vec<i32> = (0..30).collect();
    things.insert_one(doc! { "_id": 1, "list": list.clone() }).await.unwrap();
    things.update_one(doc! { "_id": 1 }, doc! { "$set": { "x": 1 }, "$unset": { "y": 1 } }).await.unwrap();
    let shorter = [doc! { "$set": { "list": { "$slice": ["$list", 20] } } }];
    things.update_one(doc! { "_id": 1 }, shorter.to_vec()).await.unwrap();
    things.replace_one(doc! { "_id": 1 }, doc! { "z": 1 }).await.unwrap();
    things.delete_one(doc! { "_id": 1 }).await.unwrap();
    things.drop().await.unwrap();

    let inserted = next(&mut changes).await;
    assert_eq!(inserted.operation_type, OperationType::Insert);
    assert_eq!(inserted.full_document, Some(doc! { "_id": 1, "list": list }));
    let place = inserted.ns.unwrap();
    assert_eq!((place.db.as_str(), place.coll.as_deref()), ("it", Some("things")));
    assert!(inserted.cluster_time.is_some() && inserted.wall_time.is_some());
    let updated = next(&mut changes).await;
    assert_eq!((updated.operation_type.clone(), id(&updated)), (OperationType::Update, 1));
    assert_eq!(updated.update_description.unwrap().updated_fields, doc! { "x": 1 });
    let shortened = next(&mut changes).await.update_description.unwrap();
    assert_eq!(shortened.truncated_arrays.unwrap()[0].new_size, 20);
    let rest = operations(&mut changes, 4).await;
    let expected = [OperationType::Replace, OperationType::Delete, OperationType::Drop, OperationType::Invalidate];
    assert_eq!(rest, expected);
    assert!(!changes.is_alive() && changes.next().await.is_none());

    // Behind the invalidation only startAfter goes on.
    let token = changes.resume_token().unwrap();
    let error = things.watch().resume_after(token.clone()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Command(_)), "{error:?}");
    let mut changes = things.watch().start_after(token).await.unwrap();
    things.insert_one(doc! { "_id": 2 }).await.unwrap();
    assert_eq!(id(&next(&mut changes).await), 2);
    client.close().await;
}

#[tokio::test]
async fn a_database_and_a_deployment_are_watched_as_a_whole() {
    let (_set, client) = one_member().await;
    let mut everything = client.watch().await.unwrap();
    let mut database = client.database("it").watch().show_expanded_events(true).await.unwrap();
    let things = created(&client, "things").await;
    things.insert_one(doc! { "_id": 1 }).await.unwrap();
    let model = mongo_actors::options::IndexModel::new(doc! { "x": 1 });
    things.create_index(model).await.unwrap();
    client.database("it").modify_collection("things").validator(doc! { "y": { "$ne": 3 } }).await.unwrap();
    things.drop_index("x_1").await.unwrap();
    things.rename("others").await.unwrap();
    client.database("else").collection("where").insert_one(doc! { "_id": 2 }).await.unwrap();
    client.database("it").drop().await.unwrap();

    let mut created = next(&mut database).await;
    assert_eq!(created.operation_type, OperationType::Create);
    let uuid = created.collection_uuid.take().unwrap();
    let mut expected = vec![
        OperationType::Insert,
        OperationType::CreateIndexes,
        OperationType::Modify,
        OperationType::DropIndexes,
        OperationType::Rename,
    ];
    for expected in expected.drain(..) {
        let event = next(&mut database).await;
        assert_eq!(event.operation_type, expected);
        assert_eq!(event.collection_uuid, Some(uuid), "{event:?}");
        match expected {
            OperationType::Rename => assert_eq!(event.to.unwrap().coll.as_deref(), Some("others")),
            OperationType::Insert => assert_eq!(event.operation_description, None),
            _ => assert!(event.operation_description.is_some(), "{event:?}"),
        }
    }
    let end = operations(&mut database, 3).await;
    assert_eq!(end, [OperationType::Drop, OperationType::DropDatabase, OperationType::Invalidate]);
    assert!(!database.is_alive());

    let seen = operations(&mut everything, 5).await;
    let expected = [
        OperationType::Insert,
        OperationType::Rename,
        OperationType::Insert,
        OperationType::Drop,
        OperationType::DropDatabase,
    ];
    assert_eq!(seen, expected);
    assert!(everything.is_alive());
    everything.close().await;
    client.close().await;
}

#[tokio::test]
async fn documents_come_as_they_were_before_and_after() {
    let (_set, client) = one_member().await;
    let database = client.database("it");
    let images = ChangeStreamPreAndPostImages { enabled: true };
    database.create_collection("kept").change_stream_pre_and_post_images(images).await.unwrap();
    let kept = database.collection::<Document>("kept");
    kept.insert_one(doc! { "_id": 1, "x": 1 }).await.unwrap();
    let mut changes = kept
        .watch()
        .full_document(FullDocumentType::Required)
        .full_document_before_change(FullDocumentBeforeChangeType::Required)
        .await
        .unwrap();
    kept.update_one(doc! {}, doc! { "$set": { "x": 2 } }).await.unwrap();
    kept.update_one(doc! {}, doc! { "$set": { "x": 3 } }).await.unwrap();
    let event = next(&mut changes).await;
    assert_eq!(event.full_document_before_change, Some(doc! { "_id": 1, "x": 1 }));
    assert_eq!(event.full_document, Some(doc! { "_id": 1, "x": 2 }));

    let plain = created(&client, "plain").await;
    plain.insert_one(doc! { "_id": 1, "x": 1 }).await.unwrap();
    let mut looked_up = plain.watch().full_document(FullDocumentType::UpdateLookup).await.unwrap();
    let mut bare = plain.watch().await.unwrap();
    let mut demanding = plain.watch().full_document(FullDocumentType::Required).await.unwrap();
    plain.update_one(doc! {}, doc! { "$set": { "x": 2 } }).await.unwrap();
    assert_eq!(next(&mut looked_up).await.full_document, Some(doc! { "_id": 1, "x": 2 }));
    assert_eq!(next(&mut bare).await.full_document, None);
    let error = demanding.next().await.unwrap().unwrap_err();
    assert!(error.is_operation_failure() && !demanding.is_alive(), "{error:?}");
    let error = plain.watch().full_document(FullDocumentType::Other("sometimes".into())).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Command(_)), "the server validates: {error:?}");
    client.close().await;
}

#[tokio::test]
async fn a_stream_starts_where_it_is_told_to() {
    let (_set, client) = one_member().await;
    let things = created(&client, "things").await;
    let mut changes = things.watch().await.unwrap();
    insert(&things, 0..10).await;
    let mut events = Vec::new();
    for _ in 0..10 {
        events.push(next(&mut changes).await);
    }
    let mut after = things.watch().resume_after(events[3].id.clone()).await.unwrap();
    assert_eq!(id(&next(&mut after).await), 4);
    let mut after = things.watch().start_after(events[5].id.clone()).batch_size(1).await.unwrap();
    assert_eq!(id(&next(&mut after).await), 6);
    let time = events[0].cluster_time.unwrap();
    let mut at = things.watch().start_at_operation_time(time).await.unwrap();
    assert_eq!(id(&next(&mut at).await), 0);
    // A stored token is as good.
    let stored = serde_json::to_string(&events[7].id).unwrap();
    let mut after = things
        .watch()
        .resume_after(serde_json::from_str::<mongo_actors::change_stream::ResumeToken>(&stored).unwrap())
        .await
        .unwrap();
    assert_eq!(id(&next(&mut after).await), 8);

    let two = things.watch().resume_after(events[1].id.clone()).start_at_operation_time(time).await.unwrap_err();
    assert!(matches!(two.kind(), ErrorKind::Command(_)), "{two:?}");
    let nonsense: mongo_actors::change_stream::ResumeToken = mongo_actors::bson::rawdoc! { "_data": "nonsense" }.into();
    let error = things.watch().resume_after(nonsense).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Command(_)), "{error:?}");
    client.close().await;
}

#[tokio::test]
async fn options_reach_the_server() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, recorder) = Commands::client(&set.uri());
    let things = created(&client, "things").await;
    let mut changes = things
        .watch()
        .pipeline([doc! { "$match": { "fullDocument.x": "ÉT" } }])
        .collation(mongo_actors::options::Collation::new("fr"))
        .batch_size(3)
        .comment("a stream")
        .max_await_time(Duration::from_millis(70))
        .read_concern(ReadConcern::majority())
        .await
        .unwrap();
    things.insert_many((0..20).map(|id| doc! { "_id": id, "x": if id % 2 == 0 { "ÉT" } else { "no" } })).await.unwrap();
    for expected in 0..10 {
        assert_eq!(id(&next(&mut changes).await), 2 * expected);
    }
    let opened = &recorder.named("aggregate")[0].command;
    assert_eq!(opened.get_document("cursor").unwrap(), &doc! { "batchSize": 3 });
    assert_eq!(opened.get_str("comment").unwrap(), "a stream");
    assert!(opened.get_document("collation").is_ok() && opened.get("maxTimeMS").is_none());
    assert_eq!(opened.get_document("readConcern").unwrap(), &doc! { "level": "majority" });
    for more in recorder.named("getMore") {
        assert_eq!(more.command.get("maxTimeMS").and_then(|limit| limit.as_i64()), Some(70));
        assert_eq!(
            (more.command.get_str("comment").unwrap(), more.command.get_i32("batchSize").unwrap()),
            ("a stream", 3)
        );
        assert_eq!(more.command.get("lsid"), opened.get("lsid"));
    }

    let error = things.watch().read_concern(ReadConcern::linearizable()).await.unwrap_err();
    assert!(error.is_operation_failure(), "{error:?}");
    let stage = doc! { "$lookup": { "from": "x", "localField": "a", "foreignField": "b", "as": "c" } };
    let error = things.watch().pipeline([stage]).await.unwrap_err();
    assert!(error.is_operation_failure(), "{error:?}");
    let error = client.database("it").collection::<Document>("a$b").watch().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidName(_)));
    client.close().await;
}

#[tokio::test]
async fn events_can_have_another_shape() {
    #[derive(Debug, serde::Deserialize)]
    struct Sum {
        sum: i32,
    }

    let (_set, client) = one_member().await;
    let things = created(&client, "things").await;
    let project = doc! { "$project": { "sum": { "$add": ["$fullDocument.a", "$fullDocument.b"] } } };
    let mut sums = things.watch().pipeline([project]).await.unwrap().with_type::<Sum>();
    things.insert_one(doc! { "a": 2, "b": 3 }).await.unwrap();
    assert_eq!(sums.next().await.unwrap().unwrap().sum, 5);
    let mut wrong = things.watch().await.unwrap().with_type::<Sum>();
    things.insert_one(doc! { "a": 2, "b": 3 }).await.unwrap();
    let error = wrong.next().await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Deserialization { .. }) && wrong.is_alive(), "{error:?}");
    client.close().await;
}

#[tokio::test]
async fn a_server_without_history_says_so() {
    let server = Standalone::start().await.unwrap();
    let client = Client::with_uri_str(server.uri()).await.unwrap();
    let error = client.database("it").collection::<Document>("things").watch().await.unwrap_err();
    assert_eq!(error.code(), Some(40573), "{error:?}");
    client.close().await;
}

#[tokio::test]
async fn secondaries_can_be_watched() {
    let set = ReplicaSet::start(3).await.unwrap();
    let (client, recorder) = Commands::client(&set.uri_with(&[("w", "3")]));
    let things = created(&client, "things").await;
    let reads = CollectionOptions::new().selection_criteria(ReadPreference::secondary());
    let mut changes = things.with_options(reads).watch().await.unwrap();
    insert(&things, 0..5).await;
    for expected in 0..5 {
        assert_eq!(id(&next(&mut changes).await), expected);
    }
    let primary = set.primary().await.unwrap().address().to_string();
    for name in ["aggregate", "getMore"] {
        let sent = recorder.named(name);
        assert!(!sent.is_empty() && sent.iter().all(|command| command.server != primary), "{sent:?}");
    }
    client.close().await;
}

/// The cursor of the newest `aggregate` or `getMore`.
fn cursor_id(recorder: &Commands) -> i64 {
    let replies = recorder.replies("aggregate");
    replies.last().unwrap().get_document("cursor").unwrap().get_i64("id").unwrap()
}

#[tokio::test]
async fn a_killed_cursor_is_replaced() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, recorder) = Commands::client(&set.uri());
    let things = created(&client, "things").await;
    let mut changes = things.watch().max_await_time(Duration::from_millis(50)).await.unwrap();
    for expected in 0..20 {
        let kill = doc! { "killCursors": "things", "cursors": [cursor_id(&recorder)] };
        let killed = set.primary().await.unwrap().command("it", kill).await.unwrap();
        assert_eq!(killed.get_array("cursorsKilled").unwrap().len(), 1, "{killed:?}");
        insert(&things, expected..expected + 1).await;
        assert_eq!(id(&next(&mut changes).await), expected);
    }
    assert_eq!(recorder.named("aggregate").len(), 21);
    client.close().await;
}

#[tokio::test]
async fn resumable_failures_are_not_seen_and_others_are() {
    let (set, client) = one_member().await;
    let things = created(&client, "things").await;
    let mut changes = things.watch().await.unwrap();
    let primary = set.primary().await.unwrap();
    let fail = |times| FailPoint::fail_command(["getMore"]).times(times);
    let resumable = "ResumableChangeStreamError";
    let failures = [
        fail(1).close_connection(),
        fail(3).close_connection(),
        fail(1).error_code(43),
        fail(1).error_code(280).error_labels([resumable]),
        fail(2).error_code(91).error_labels([resumable]),
        fail(1).error_code(10107).error_labels([resumable]),
    ];
    for (expected, failure) in failures.into_iter().enumerate() {
        let guard = primary.enable(failure).await.unwrap();
        let expected = i32::try_from(expected).unwrap();
        insert(&things, expected..expected + 1).await;
        assert_eq!(id(&next(&mut changes).await), expected);
        guard.disable().await.unwrap();
    }
    // Without its label the same code is not resumable on servers that know labels.
    let guard = primary.enable(fail(1).error_code(6).error_labels([])).await.unwrap();
    let error = changes.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Some(6));
    assert!(!changes.is_alive());
    drop(guard);
    client.close().await;
}

/// The `_id` of the last document.
const LAST: i32 = -1;

/// Reads until the last document was inserted, and expects each event once and in order. Errors that leave the stream
/// alive count as what they are: nothing.
async fn expect_in_order(changes: &mut Changes) -> (i32, Vec<Error>) {
    let (mut errors, mut expected) = (Vec::new(), 0);
    loop {
        match tokio::time::timeout(PATIENCE, changes.next()).await.expect("no event came") {
            Some(Ok(event)) if id(&event) == LAST => return (expected, errors),
            Some(Ok(event)) => {
                assert_eq!(id(&event), expected, "errors so far: {errors:?}");
                expected += 1;
            }
            Some(Err(error)) => {
                assert!(changes.is_alive(), "{error:?}");
                errors.push(error);
            }
            None => panic!("the stream ended behind {expected} events: {errors:?}"),
        }
    }
}

/// Inserts document after document, in their order, whatever happens, until there is calm again; then the last. Says how
/// many there were before it.
async fn insert_until_calm(things: Collection, mut calm: oneshot::Receiver<()>, at_a_time: i32) -> i32 {
    let mut count = 0;
    while calm.try_recv() == Err(TryRecvError::Empty) {
        insert_in_order(&things, (count..count + at_a_time).collect()).await;
        count += at_a_time;
    }
    insert_in_order(&things, [LAST].into()).await;
    count
}

/// Inserts all of them, in their order.
async fn insert_in_order(things: &Collection, mut ids: BTreeSet<i32>) {
    while !ids.is_empty() {
        let documents: Vec<_> = ids.iter().map(|id| doc! { "_id": *id }).collect();
        if things.insert_many(documents).await.is_ok() {
            return;
        }
        // Whatever is there already was inserted in order.
        let wanted: Vec<_> = ids.iter().copied().collect();
        let Ok(mut found) = things.find(doc! { "_id": { "$in": wanted } }).await else { continue };
        let Ok(found) = found.to_vec().await else { continue };
        for document in found {
            ids.remove(&document.get_i32("_id").unwrap());
        }
    }
}

#[tokio::test]
async fn thousands_of_events_come_once_and_in_order_through_a_broken_network() {
    let set = ReplicaSet::builder(3).behind_proxies().start().await.unwrap();
    let (client, recorder) = Commands::client(&set.uri());
    let things = created(&client, "things").await;
    let mut changes = things.watch().batch_size(20).max_await_time(Duration::from_millis(100)).await.unwrap();
    let (calm, is_calm) = oneshot::channel();
    let writer = tokio::spawn(insert_until_calm(things, is_calm, 200));
    let breaker = async {
        for round in 0..40 {
            for member in set.members() {
                let proxy = member.proxy().unwrap();
                match round % 3 {
                    0 => proxy.cut().await,
                    1 => proxy.close_connections().await,
                    _ => proxy.cut_after(Direction::ToClient, 20_000),
                }
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
            for member in set.members() {
                member.proxy().unwrap().heal().await.unwrap();
            }
        }
        drop(calm);
    };
    let ((seen, errors), ()) = tokio::join!(expect_in_order(&mut changes), breaker);
    assert_eq!(seen, writer.await.unwrap());
    let opened = recorder.named("aggregate").len();
    assert!(opened > 3, "the stream was not disturbed: it was opened {opened} times");
    println!("{seen} events, {opened} cursors, {} errors", errors.len());
    drop(changes);
    client.close().await;
}

#[tokio::test]
async fn events_come_once_and_in_order_through_elections_and_crashes_of_servers() {
    let set = ReplicaSet::start(3).await.unwrap();
    let (client, recorder) = Commands::client(&set.uri_with(&[("w", "majority")]));
    let things = created(&client, "things").await;
    let mut changes = things.watch().batch_size(10).await.unwrap();
    let (calm, is_calm) = oneshot::channel();
    let writer = tokio::spawn(insert_until_calm(things.clone(), is_calm, 5));
    let breaker = async {
        set.step_down().await.unwrap();
        client.restart().await;
        let primary = set.wait_for_primary().await.unwrap();
        primary.kill().await.unwrap();
        set.wait_for_primary_other_than(&primary).await.unwrap();
        primary.start().await.unwrap();
        set.wait_until_healthy().await.unwrap();
        client.restart().await;
        drop(calm);
    };
    let ((seen, errors), ()) = tokio::join!(expect_in_order(&mut changes), breaker);
    // What is reported are resumptions that failed twice in a row; none of them may say anything else.
    assert!(errors.iter().all(|error| error.is_connection_failure() || error.is_retryable()), "{errors:?}");
    assert_eq!(seen, writer.await.unwrap());
    let opened = recorder.named("aggregate").len();
    assert!(opened > 1, "the stream was not disturbed");
    println!("{seen} events, {opened} cursors, {} errors", errors.len());
    drop(changes);
    client.close().await;
}

#[tokio::test]
async fn a_slow_reader_holds_one_batch_at_a_time() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, recorder) = Commands::client(&set.uri());
    let things = created(&client, "things").await;
    let mut changes = things.watch().batch_size(10).await.unwrap();
    insert(&things, 0..500).await;
    for expected in 0..500 {
        assert_eq!(id(&next(&mut changes).await), expected);
        let fetched = recorder.named("getMore").len();
        let needed = usize::try_from(expected).unwrap() / 10 + 1;
        assert!(fetched <= needed + 1, "{fetched} batches were fetched for {expected} events");
    }
    client.close().await;
}

#[tokio::test]
async fn a_dropped_stream_leaves_no_cursor_behind() {
    let (set, client) = one_member().await;
    let things = created(&client, "things").await;
    let primary = set.primary().await.unwrap();
    let before = primary.open_cursors().await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(things.watch().await.unwrap());
    }
    assert_eq!(primary.open_cursors().await.unwrap(), before + 5);
    // One of them is waiting when it goes.
    let mut waiting = streams.pop().unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(50), waiting.next()).await.is_err());
    streams.push(waiting);
    streams.pop().unwrap().close().await;
    drop(streams);
    let end = Instant::now() + PATIENCE;
    while primary.open_cursors().await.unwrap() > before {
        assert!(Instant::now() < end, "cursors stayed open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    client.close().await;
}

#[tokio::test]
async fn an_idle_stream_keeps_its_token_fresh() {
    let (_set, client) = one_member().await;
    let things = created(&client, "things").await;
    let elsewhere = created(&client, "elsewhere").await;
    let mut changes = things.watch().max_await_time(Duration::from_millis(50)).await.unwrap();
    let first = changes.resume_token().unwrap();
    insert(&elsewhere, 0..5).await;
    let end = Instant::now() + PATIENCE;
    while changes.resume_token().unwrap() == first {
        assert!(Instant::now() < end, "the token stays");
        assert!(changes.next_if_any().await.unwrap().is_none());
    }
    let token = changes.resume_token().unwrap();
    changes.close().await;
    insert(&things, 0..1).await;
    let mut changes = things.watch().resume_after(token).await.unwrap();
    assert_eq!(id(&next(&mut changes).await), 0);
    client.close().await;
}
