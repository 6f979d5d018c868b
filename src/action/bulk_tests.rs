//! Bulk writes against a server that answers as it is told.

use std::time::Duration;

use bson::{Bson, Document, doc};
use mongo_actors_protocol::retry::Outcome;
use mongo_actors_testkit::{Received, Reply, Role, ScriptedServer, ScriptedServerBuilder};

use crate::{
    Client, Namespace,
    error::{BulkWriteError, Error, ErrorKind, InsertManyError},
    options::{
        DeleteManyModel, DeleteOneModel, InsertOneModel, NamespacedWrite, UpdateManyModel, UpdateOneModel,
        WriteConcern, WriteModel,
    },
};

fn client_of(server: &ScriptedServer, options: &str) -> Client {
    Client::builder().uri(format!("{}?{options}", server.uri())).build().unwrap()
}

fn insert(id: i32) -> WriteModel {
    InsertOneModel::new(doc! { "_id": id }).into()
}

fn set(id: i32) -> WriteModel {
    UpdateOneModel::new(doc! { "_id": id }, doc! { "$set": { "x": 1 } }).into()
}

fn delete(id: i32) -> WriteModel {
    DeleteOneModel::new(doc! { "_id": id }).into()
}

fn here(model: impl Into<WriteModel>) -> NamespacedWrite {
    NamespacedWrite::new(Namespace::new("db", "things"), model)
}

fn count(command: &Received) -> i32 {
    let lists = ["documents", "updates", "deletes", "ops"];
    let count = lists.iter().find_map(|list| command.body.get_array(list).ok()).unwrap().len();
    i32::try_from(count).unwrap()
}

fn counted(command: &Received) -> Reply {
    let count = count(command);
    Reply::document(doc! { "ok": 1, "n": count, "nModified": count })
}

fn crud() -> ScriptedServerBuilder {
    ScriptedServer::builder().with("insert", counted).with("update", counted).with("delete", counted)
}

fn sent(server: &ScriptedServer) -> Vec<(String, i32)> {
    let is_write = |command: &&Received| ["insert", "update", "delete", "bulkWrite"].contains(&&*command.name);
    server.received().iter().filter(is_write).map(|command| (command.name.clone(), count(command))).collect()
}

/// A server that knows `bulkWrite`, with three writes to a command.
fn modern() -> ScriptedServerBuilder {
    ScriptedServer::builder()
        .role(Role::Primary("rs".into()))
        .hello(doc! { "maxWriteBatchSize": 3, "maxWireVersion": 25 })
        .with("bulkWrite", |command| bulk_reply(doc! { "nInserted": count(command) }, [], 0))
}

fn bulk_reply(counts: Document, results: impl IntoIterator<Item = Document>, cursor: i64) -> Reply {
    let batch: Vec<_> = results.into_iter().collect();
    let mut reply = doc! { "ok": 1, "nErrors": 0 };
    reply.extend(counts);
    reply.insert("cursor", doc! { "id": cursor, "ns": "admin.$cmd.bulkWrite", "firstBatch": batch });
    Reply::document(reply)
}

#[tokio::test]
async fn runs_of_one_kind_become_commands() {
    let server = crud().start().await.unwrap();
    let things = client_of(&server, "").database("db").collection::<Document>("things");
    let writes = [insert(0), insert(1), set(2), delete(3), delete(4), set(5)];
    let result = things.bulk_write(writes.clone()).await.unwrap();
    let expected = [("insert", 2), ("update", 1), ("delete", 2), ("update", 1)];
    assert_eq!(sent(&server), expected.map(|(name, count)| (name.to_owned(), count)));
    assert_eq!((result.inserted_count, result.matched_count, result.deleted_count), (2, 2, 2));
    assert!(result.acknowledged && result.inserted_ids.contains_key(&1));
    server.forget_received();
    things.bulk_write(writes).ordered(false).await.unwrap();
    let expected = [("insert", 2), ("update", 2), ("delete", 2)];
    assert_eq!(sent(&server), expected.map(|(name, count)| (name.to_owned(), count)));
    let error = things.bulk_write(Vec::<WriteModel>::new()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }));
}

#[tokio::test]
async fn writes_encoded_for_a_larger_server_are_split_again() {
    let server = crud().hello(doc! { "maxWriteBatchSize": 2 }).start().await.unwrap();
    let things = client_of(&server, "").database("db").collection::<Document>("things");
    // Nothing is known of the server yet, and the second command is encoded before the first comes back.
    let writes = [insert(0), insert(1), insert(2), set(3), set(4), set(5), delete(6)];
    let result = things.bulk_write(writes).await.unwrap();
    let expected = [("insert", 2), ("insert", 1), ("update", 2), ("update", 1), ("delete", 1)];
    assert_eq!(sent(&server), expected.map(|(name, count)| (name.to_owned(), count)));
    assert_eq!((result.inserted_count, result.modified_count, result.deleted_count), (3, 3, 1));
}

#[tokio::test]
async fn an_ordered_bulk_write_stops_and_tells_what_was_done() {
    let server = crud().start().await.unwrap();
    let things = client_of(&server, "").database("db").collection::<Document>("things");
    let refusal = doc! {
        "ok": 1, "n": 1, "nModified": 1, "upserted": [{ "index": 0, "_id": 7 }],
        "writeErrors": [{ "index": 1, "code": 11000, "errmsg": "dup" }],
    };
    let writes = [insert(0), set(1), set(2), delete(3)];
    server.once("update", Reply::document(refusal.clone()));
    let error = things.bulk_write(writes.clone()).await.unwrap_err();
    let ErrorKind::BulkWrite(partial) = error.kind() else { panic!("{error:?}") };
    assert_eq!(partial.write_errors[0].index, 2);
    assert_eq!(partial.partial_result.upserted_ids.get(&1), Some(&Bson::Int32(7)));
    assert_eq!((partial.partial_result.inserted_count, partial.partial_result.deleted_count), (1, 0));
    assert!(error.is_duplicate_key() && error.is_operation_failure() && error.server_response().is_some());
    assert_eq!((error.outcome(), error.code(), sent(&server).len()), (Outcome::Applied, Some(11000), 2));
    server.forget_received();
    server.once("update", Reply::document(refusal));
    let error = things.bulk_write(writes).ordered(false).await.unwrap_err();
    assert_eq!(error.partial_bulk_write().unwrap().partial_result.deleted_count, 1);
    assert_eq!(sent(&server).len(), 3);
}

#[tokio::test]
async fn what_was_done_before_a_lost_server_is_told() {
    let server = crud().start().await.unwrap();
    let things = client_of(&server, "").database("db").collection::<Document>("things");
    server.once("update", Reply::error(13, "Unauthorized", "no"));
    let error = things.bulk_write([insert(0), set(1)]).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Command(_)));
    assert_eq!((error.code(), error.outcome()), (Some(13), Outcome::Applied));
    assert_eq!(error.partial_bulk_write().unwrap().partial_result.inserted_count, 1);
    server.once("insert", Reply::error(13, "Unauthorized", "no"));
    let error = things.bulk_write([insert(0), set(1)]).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Rejected);
    assert!(error.partial_bulk_write().is_some_and(BulkWriteError::is_empty));
    assert!(!error.to_string().contains("inserted"), "{error}");
    server.once("insert", Reply::error(13, "Unauthorized", "no"));
    let error = things.insert_many([doc! { "_id": 1 }]).await.unwrap_err();
    assert_eq!((error.outcome(), error.partial_insert()), (Outcome::Rejected, Some(&InsertManyError::default())));
}

/// Retryable commands have numbers of their own, which a repetition keeps; others have none and are not repeated.
#[tokio::test]
async fn each_command_is_repeated_under_its_own_number() {
    let server = crud().role(Role::Primary("rs".into())).nth("update", 0, Reply::Close).start().await.unwrap();
    let things = client_of(&server, "").database("db").collection::<Document>("things");
    let many: WriteModel = UpdateManyModel::new(doc! {}, doc! { "$set": { "x": 1 } }).into();
    things.bulk_write([insert(0), set(1), delete(2), many]).await.unwrap();
    let commands = server.received();
    let writes = commands.iter().filter(|command| ["insert", "update", "delete"].contains(&&*command.name));
    let number = |command: &Received| {
        let number = command.body.get_i64("txnNumber").ok()?;
        Some((command.body.get_document("lsid").unwrap().to_string(), number))
    };
    let numbers: Vec<_> = writes.map(number).collect();
    let [Some(first), Some(second), Some(again), Some(third), None] = &numbers[..] else { panic!("{numbers:?}") };
    assert_eq!(second, again);
    assert!(first != second && second != third && third != first);

    server.once("delete", Reply::Close);
    let all: WriteModel = DeleteManyModel::new(doc! {}).into();
    let error = things.bulk_write([delete(0), all]).await.unwrap_err();
    assert_eq!((error.outcome(), server.received_named("delete").len()), (Outcome::Unknown, 2));
}

#[tokio::test]
async fn unacknowledged_writes_keep_their_order() {
    let server = crud().start().await.unwrap();
    let things = client_of(&server, "").database("db").collection::<Document>("things");
    let careless = WriteConcern::nodes(0);
    let writes = [insert(0), set(1), delete(2)];
    let result = things.bulk_write(writes.clone()).write_concern(careless.clone()).await.unwrap();
    assert!(!result.acknowledged && result.inserted_count == 0 && result.inserted_ids.len() == 1);
    let expects = |server: &ScriptedServer| {
        let all = server.received();
        let writes = all.iter().filter(|command| ["insert", "update", "delete"].contains(&&*command.name));
        writes.map(|command| command.expects_reply).collect::<Vec<_>>()
    };
    server.wait_for("delete", 1, Duration::from_secs(10)).await.unwrap();
    assert_eq!(expects(&server), [true, true, false]);
    server.forget_received();
    things.bulk_write(writes).ordered(false).write_concern(careless.clone()).await.unwrap();
    server.wait_for("delete", 1, Duration::from_secs(10)).await.unwrap();
    server.wait_for("update", 1, Duration::from_secs(10)).await.unwrap();
    server.wait_for("insert", 1, Duration::from_secs(10)).await.unwrap();
    assert_eq!(expects(&server), [false, false, false]);
    assert!(server.received_named("update")[0].body.get("lsid").is_none());

    let filters = UpdateOneModel::new(doc! {}, doc! { "$set": { "a.$[i]": 1 } }).array_filters([doc! { "i": 1 }]);
    for (write, bypass) in [(filters.into(), None), (insert(0), Some(true))] {
        server.forget_received();
        let mut bulk = things.bulk_write([insert(9), write]).write_concern(careless.clone());
        if let Some(bypass) = bypass {
            bulk = bulk.bypass_document_validation(bypass);
        }
        let error = bulk.ordered(false).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Configuration { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_clients_bulk_write_is_split_and_merged() {
    let server = modern().start().await.unwrap();
    let client = client_of(&server, "");
    let result = client.bulk_write((0..7).map(|id| here(insert(id)))).await.unwrap();
    assert_eq!((result.inserted_count, result.acknowledged), (7, true));
    assert!(result.verbose_results.is_none());
    let commands = server.received_named("bulkWrite");
    assert_eq!(commands.iter().map(count).collect::<Vec<_>>(), [3, 3, 1]);
    assert!(commands.iter().all(|command| command.database == "admin" && command.body.contains_key("txnNumber")));
    assert_eq!(commands[0].body.get_array("nsInfo").unwrap(), &vec![doc! { "ns": "db.things" }.into()]);
    server.forget_received();
    let many = UpdateManyModel::new(doc! {}, doc! { "$set": { "x": 1 } });
    client.bulk_write([here(many)]).await.unwrap();
    assert!(!server.received_named("bulkWrite")[0].body.contains_key("txnNumber"));
    let error = client.bulk_write(Vec::<NamespacedWrite>::new()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }));
}

#[tokio::test]
async fn a_cursor_is_read_to_its_end_before_the_next_command() {
    let server = modern()
        .nth("bulkWrite", 0, bulk_reply(doc! { "nInserted": 3 }, [doc! { "ok": 1, "idx": 0, "n": 1 }], 99))
        .on(
            "getMore",
            Reply::document(doc! { "ok": 1, "cursor": { "id": 0_i64, "ns": "admin.$cmd.bulkWrite", "nextBatch": [
                { "ok": 1, "idx": 1, "n": 1 }, { "ok": 1, "idx": 2, "n": 1 },
            ] } }),
        )
        .start()
        .await
        .unwrap();
    let client = client_of(&server, "");
    let result = client.bulk_write((0..4).map(|id| here(insert(id)))).verbose_results(true).comment("c").await.unwrap();
    let verbose = result.verbose_results.unwrap();
    assert_eq!(verbose.insert_results.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
    let names: Vec<_> = server.received().iter().map(|command| command.name.clone()).collect();
    let relevant: Vec<_> = names.iter().filter(|name| ["bulkWrite", "getMore"].contains(&&***name)).collect();
    assert_eq!(relevant, ["bulkWrite", "getMore", "bulkWrite"]);
    let (bulk, more) = (&server.received_named("bulkWrite")[0], &server.received_named("getMore")[0]);
    assert_eq!(more.body.get("lsid"), bulk.body.get("lsid"));
    assert_eq!(more.body.get_str("collection").unwrap(), "$cmd.bulkWrite");
}

#[tokio::test]
async fn a_write_concern_error_does_not_lose_the_cursor() {
    let concern = doc! { "code": 64, "errmsg": "late" };
    let server = modern()
        .nth("bulkWrite", 0, bulk_reply(doc! { "nInserted": 2, "nErrors": 1, "writeConcernError": concern }, [], 99))
        .on(
            "getMore",
            Reply::document(doc! { "ok": 1, "cursor": { "id": 0_i64, "ns": "admin.$cmd.bulkWrite", "nextBatch": [
                { "ok": 0, "idx": 2, "code": 11000, "errmsg": "dup", "n": 0 },
            ] } }),
        )
        .start()
        .await
        .unwrap();
    let client = client_of(&server, "");
    let error = client.bulk_write((0..4).map(|id| here(insert(id)))).ordered(false).await.unwrap_err();
    let ErrorKind::ClientBulkWrite(partial) = error.kind() else { panic!("{error:?}") };
    assert_eq!(partial.write_errors.keys().copied().collect::<Vec<_>>(), [2]);
    assert_eq!(partial.write_concern_errors.len(), 1);
    assert_eq!(partial.partial_result.as_ref().unwrap().inserted_count, 3);
    assert_eq!(server.received_named("bulkWrite").len(), 2);
}

#[tokio::test]
async fn a_failed_get_more_ends_the_bulk_write_and_the_cursor() {
    let server = modern()
        .nth("bulkWrite", 0, bulk_reply(doc! { "nInserted": 3 }, [doc! { "ok": 1, "idx": 0, "n": 1 }], 99))
        .on("getMore", Reply::error(8, "UnknownError", "no"))
        .start()
        .await
        .unwrap();
    let client = client_of(&server, "");
    let bulk = client.bulk_write((0..4).map(|id| here(insert(id)))).ordered(false).verbose_results(true);
    let error = bulk.await.unwrap_err();
    assert_eq!((error.code(), error.outcome()), (Some(8), Outcome::Applied));
    let partial = error.partial_client_bulk_write().unwrap().partial_result.clone().unwrap();
    assert_eq!((partial.inserted_count, partial.verbose_results.unwrap().insert_results.len()), (3, 1));
    assert_eq!(server.received_named("bulkWrite").len(), 1);
    let killed = server.wait_for("killCursors", 1, Duration::from_secs(10)).await.unwrap();
    assert_eq!(killed[0].body.get_array("cursors").unwrap(), &vec![Bson::Int64(99)]);
}

fn is_invalid_operation(error: &Error, text: &str) -> bool {
    matches!(error.kind(), ErrorKind::InvalidOperation { .. }) && error.to_string().contains(text)
}

#[tokio::test]
async fn a_clients_bulk_write_refuses_what_cannot_be_done() {
    let server = modern().start().await.unwrap();
    let client = client_of(&server, "w=0");
    let error = client.bulk_write([here(insert(0))]).await.unwrap_err();
    assert!(is_invalid_operation(&error, "Cannot request unacknowledged write concern and ordered writes"));
    let error = client.bulk_write([here(insert(0))]).ordered(false).verbose_results(true).await.unwrap_err();
    assert!(is_invalid_operation(&error, "Cannot request unacknowledged write concern and verbose results"));
    let result = client.bulk_write([here(insert(0))]).ordered(false).await.unwrap();
    assert!(!result.acknowledged);
    let sent = server.wait_for("bulkWrite", 1, Duration::from_secs(10)).await.unwrap();
    assert!(!sent[0].expects_reply);
    let error = client.bulk_write([here(set(0)), here(WriteModel::from(UpdateOneModel::new(doc! {}, doc! {})))]);
    let error = error.ordered(false).await.unwrap_err();
    assert!(error.to_string().contains("writes[1].update"), "{error}");

    let old = ScriptedServer::builder().hello(doc! { "maxWireVersion": 24 }).start().await.unwrap();
    let error = client_of(&old, "").bulk_write([here(insert(0))]).await.unwrap_err();
    assert!(is_invalid_operation(&error, "wire version 25"), "{error}");
    assert!(old.received_named("bulkWrite").is_empty());
}

#[tokio::test]
async fn a_document_too_large_for_the_server_is_never_sent() {
    let server = modern().hello(doc! { "maxBsonObjectSize": 60 }).with("insert", counted).start().await.unwrap();
    let client = client_of(&server, "");
    let large = || InsertOneModel::new(doc! { "text": "x".repeat(100) });
    for _ in 0..2 {
        // First encoded for larger servers, then with the limits known.
        let error = client.bulk_write([here(insert(0)), here(large())]).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::DocumentTooLarge { index: 1, limit: 60, .. }), "{error:?}");
        assert_eq!(error.outcome(), Outcome::NotSent);
        let things = client.database("db").collection::<Document>("things");
        let error = things.bulk_write([insert(0), large().into()]).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::DocumentTooLarge { index: 1, limit: 60, .. }), "{error:?}");
    }
    assert!(sent(&server).is_empty());
}

/// The server knows by session and number that it has executed the command; what it is sent is the same, byte for byte.
#[tokio::test]
async fn a_clients_bulk_write_whose_write_concern_failed_is_repeated_as_it_was() {
    let stopping = doc! { "code": 91, "errmsg": "Replication is being shut down" };
    let mut failed = doc! { "writeConcernError": stopping, "nInserted": 1 };
    failed.insert("errorLabels", ["RetryableWriteError"].as_slice());
    let server = modern().nth("bulkWrite", 0, bulk_reply(failed, [], 0)).start().await.unwrap();
    let client = client_of(&server, "");
    let result = client.bulk_write([here(insert(0)), here(set(1)), here(delete(2))]).await.unwrap();
    assert_eq!(result.inserted_count, 3, "what counts is the second answer");
    let [first, second] = &server.received_named("bulkWrite")[..] else { panic!("it was sent once, or three times") };
    for field in ["lsid", "txnNumber", "ops", "nsInfo"] {
        assert!(first.body.contains_key(field));
        assert_eq!(first.body.get(field), second.body.get(field), "{field}");
    }
}
