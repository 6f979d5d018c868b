//! What operations inherit, and how they are repeated.

use std::time::Duration;

use bson::{Document, doc, rawdoc};
use mongo_actors_engine::SessionUse;
use mongo_actors_protocol::{
    command::{Delete, DeleteOptions, Find, FindOneOptions, Namespace},
    concern::{ReadConcern, WriteConcern},
    read_preference::ReadPreference,
    retry::{Budget, Operation, Outcome, Retryability, Stage},
    selection::SelectionCriteria,
};
use mongo_actors_testkit::{Reply, Role, ScriptedServer};

use super::{Call, Prepared};
use crate::{
    Client, Collection,
    error::{ErrorKind, Result},
};

fn client(uri: &str) -> Client {
    Client::builder().uri(uri).build().unwrap()
}

fn find(call: Call<'_>) -> Prepared {
    let options = FindOneOptions { max_time: Some(Duration::from_secs(1)), ..Default::default() };
    call.prepare(&Find::one(&Namespace::new("db", "c"), &rawdoc! {}, &options)).unwrap()
}

fn delete(call: Call<'_>) -> Result<Prepared> {
    call.prepare(&Delete::one(&Namespace::new("db", "c"), &rawdoc! {}, &DeleteOptions::default()))
}

#[tokio::test]
async fn an_operation_inherits_what_it_does_not_say() {
    let client = client("mongodb://127.0.0.1:1/?readPreference=nearest&readConcernLevel=majority&w=2");
    let call = client.call();
    let read = find(call).operation;
    assert_eq!(read.criteria, ReadPreference::nearest().into());
    assert_eq!((read.read_concern, read.write_concern), (Some(ReadConcern::majority()), None));
    assert_eq!(read.max_time, Some(Duration::from_secs(1)));
    let write = delete(call).unwrap().operation;
    assert_eq!(write.criteria, SelectionCriteria::Writable);
    assert_eq!((write.read_concern, write.write_concern), (None, Some(WriteConcern::nodes(2))));
    let (criteria, concern) = (ReadPreference::Primary.into(), ReadConcern::default());
    let read = find(call.selection_criteria(Some(&criteria)).read_concern(Some(&concern))).operation;
    assert_eq!((read.criteria, read.read_concern), (criteria, None));
}

#[tokio::test]
async fn switches_decide_whether_an_operation_is_repeated() {
    let on = client("mongodb://127.0.0.1:1");
    assert_eq!(find(on.call()).operation.retryability, Retryability::Read);
    assert_eq!(delete(on.call()).unwrap().operation.retryability, Retryability::Write);
    let off = client("mongodb://127.0.0.1:1/?retryReads=false&retryWrites=false");
    assert_eq!(find(off.call()).operation.retryability, Retryability::None);
    assert_eq!(delete(off.call()).unwrap().operation.retryability, Retryability::None);
}

#[tokio::test]
async fn an_unacknowledged_write_has_no_session_and_no_repetition() {
    let client = client("mongodb://127.0.0.1:1");
    let concern = WriteConcern::nodes(0);
    let prepared = delete(client.call().write_concern(Some(&concern))).unwrap();
    assert!(matches!(prepared.operation.session, SessionUse::None));
    assert_eq!(prepared.retry, Operation::PLAIN_WRITE);
    let contradiction = WriteConcern::nodes(0).with_journal(true);
    let error = delete(client.call().write_concern(Some(&contradiction))).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Configuration { .. }));
}

#[tokio::test]
async fn a_timeout_takes_the_place_of_the_other_limits() {
    let client = client("mongodb://127.0.0.1:1/?timeoutMS=5000&wTimeoutMS=100&w=2");
    let read = find(client.call());
    assert!(matches!(read.budget, Budget::Until(_)));
    assert!(read.operation.deadline.is_some() && read.operation.max_time.is_none());
    let write = delete(client.call()).unwrap().operation;
    assert_eq!(write.write_concern, Some(WriteConcern::nodes(2)));
    let unlimited = find(client.call().timeout(Some(Duration::ZERO)));
    assert_eq!((unlimited.budget, unlimited.operation.deadline), (Budget::Unlimited, None));
}

async fn things(server: &ScriptedServer) -> Collection<Document> {
    client(&server.uri()).database("db").collection("things")
}

#[tokio::test]
async fn a_read_is_repeated_once() {
    let server = ScriptedServer::builder()
        .nth("find", 0, Reply::Close)
        .on("find", Reply::cursor("db.things", [doc! { "_id": 1 }]))
        .start()
        .await
        .unwrap();
    let found = things(&server).await.find_one(doc! {}).await.unwrap();
    assert_eq!(found, Some(doc! { "_id": 1 }));
    assert_eq!(server.received_named("find").len(), 2);
}

#[tokio::test]
async fn a_write_is_repeated_with_the_same_number() {
    let server = ScriptedServer::builder()
        .role(Role::Primary("rs".into()))
        .nth("insert", 0, Reply::Close)
        .on("insert", Reply::document(doc! { "ok": 1, "n": 1 }))
        .start()
        .await
        .unwrap();
    things(&server).await.insert_one(doc! { "_id": 1 }).await.unwrap();
    let sent = server.received_named("insert");
    assert_eq!(sent.len(), 2);
    assert!(sent[0].body.contains_key("txnNumber"));
    assert_eq!(sent[0].body.get("txnNumber"), sent[1].body.get("txnNumber"));
    assert_eq!(sent[0].body.get("lsid"), sent[1].body.get("lsid"));
}

#[tokio::test]
async fn what_is_not_repeated_leaves_its_outcome_open() {
    let server = ScriptedServer::builder().on("update", Reply::Close).start().await.unwrap();
    let things = things(&server).await;
    let error = things.update_many(doc! {}, doc! { "$set": { "x": 1 } }).await.unwrap_err();
    assert_eq!((error.outcome(), server.received_named("update").len()), (Outcome::Unknown, 1));
    assert_eq!(error.attempts()[0].stage(), Stage::Written);
    assert_eq!(error.command_name(), Some("update"));
    assert!(!error.is_retryable() && error.is_network());
}

#[tokio::test]
async fn the_write_concern_error_of_a_reply_is_an_error_with_its_reply() {
    let concern =
        doc! { "code": 64, "codeName": "WriteConcernTimeout", "errmsg": "late", "errInfo": { "wtimeout": true } };
    let reply = doc! { "ok": 1, "n": 1, "nModified": 1, "writeConcernError": concern };
    let server = ScriptedServer::builder().on("update", Reply::document(reply)).start().await.unwrap();
    let things = things(&server).await;
    let error = things.update_one(doc! {}, doc! { "$set": { "x": 1 } }).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WriteConcernTimeout(_)) && error.is_timeout());
    assert_eq!((error.outcome(), error.code()), (Outcome::Applied, Some(64)));
    assert_eq!(error.server_response().unwrap().get_i32("n").unwrap(), 1);
}

#[tokio::test]
async fn a_missing_collection_is_fine_where_nothing_was_to_be_done() {
    let missing = Reply::error(26, "NamespaceNotFound", "ns not found");
    let server = ScriptedServer::builder()
        .on("drop", missing.clone())
        .on("count", missing.clone())
        .on("listIndexes", missing)
        .start()
        .await
        .unwrap();
    let things = things(&server).await;
    things.drop().await.unwrap();
    assert_eq!(things.estimated_document_count().await.unwrap(), 0);
    assert!(things.list_index_names().await.unwrap().is_empty());
    assert!(things.list_indexes().await.unwrap().try_next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_deadline_ends_the_operation_whatever_the_server_does() {
    let server = ScriptedServer::builder()
        .nth("find", 0, Reply::cursor("db.things", []))
        .on("find", Reply::Never)
        .start()
        .await
        .unwrap();
    let things = things(&server).await;
    things.find_one(doc! {}).await.unwrap();
    let error = things.find_one(doc! {}).timeout(Duration::from_millis(200)).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.outcome(), Outcome::Unknown);
    let closed = things.client();
    closed.close().await;
    let error = things.find_one(doc! {}).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidOperation { .. }));
}
