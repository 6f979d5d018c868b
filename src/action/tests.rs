//! Inserts of many documents, and what else an action does beside one command.

use bson::{Document, doc};
use mongo_actors_protocol::retry::Outcome;
use mongo_actors_testkit::{Received, Reply, ScriptedServer};

use crate::{
    Client, Collection, Database,
    error::ErrorKind,
    options::{IndexModel, WriteConcern},
};

async fn database(server: &ScriptedServer) -> Database {
    Client::builder().uri(server.uri()).build().unwrap().database("db")
}

async fn things(server: &ScriptedServer) -> Collection<Document> {
    database(server).await.collection("things")
}

fn count(command: &Received) -> i32 {
    i32::try_from(command.body.get_array("documents").unwrap().len()).unwrap()
}

fn inserted(command: &Received) -> Reply {
    Reply::document(doc! { "ok": 1, "n": count(command) })
}

async fn small_batches() -> ScriptedServer {
    ScriptedServer::builder().hello(doc! { "maxWriteBatchSize": 3 }).with("insert", inserted).start().await.unwrap()
}

fn documents(count: i32) -> impl Iterator<Item = Document> + Send {
    (0..count).map(|number| doc! { "_id": number })
}

fn sizes(server: &ScriptedServer) -> Vec<i32> {
    server.received_named("insert").iter().map(count).collect()
}

#[tokio::test]
async fn an_insert_prepared_for_larger_servers_is_split_again() {
    let server = small_batches().await;
    let things = things(&server).await;
    // Nothing is known of the server yet: the defaults are assumed.
    let result = things.insert_many(documents(8)).await.unwrap();
    assert_eq!(result.inserted_ids.into_values().collect::<Vec<_>>(), (0..8).map(Into::into).collect::<Vec<_>>());
    assert_eq!(sizes(&server), [3, 3, 2]);
    server.forget_received();
    // Now the limits are known.
    things.insert_many(documents(4)).await.unwrap();
    assert_eq!(sizes(&server), [3, 1]);
    let sent: Vec<_> = server
        .received_named("insert")
        .iter()
        .flat_map(|command| command.body.get_array("documents").unwrap().clone())
        .collect();
    assert_eq!(sent, documents(4).map(Into::into).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_single_document_too_large_for_the_server_is_never_sent() {
    let server = ScriptedServer::builder()
        .hello(doc! { "maxBsonObjectSize": 50 })
        .with("insert", inserted)
        .start()
        .await
        .unwrap();
    let things = things(&server).await;
    for _ in 0..2 {
        let error = things.insert_one(doc! { "text": "x".repeat(100) }).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::DocumentTooLarge { index: 0, limit: 50, .. }), "{error:?}");
        assert_eq!(error.outcome(), Outcome::NotSent);
        things.insert_one(doc! { "_id": 1 }).await.unwrap();
    }
    assert_eq!(sizes(&server), [1, 1]);
}

#[tokio::test]
async fn an_ordered_insert_stops_at_the_first_refusal() {
    let server = small_batches().await;
    let things = things(&server).await;
    things.insert_many(documents(1)).await.unwrap();
    server.forget_received();
    let refusal = doc! { "ok": 1, "n": 1, "writeErrors": [{ "index": 1, "code": 11000, "errmsg": "dup" }] };
    server.once("insert", Reply::document(doc! { "ok": 1, "n": 3 }));
    server.once("insert", Reply::document(refusal.clone()));
    let error = things.insert_many(documents(9)).await.unwrap_err();
    let ErrorKind::InsertMany(partial) = error.kind() else { panic!("{error:?}") };
    assert_eq!(partial.inserted_ids.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(partial.write_errors[0].index, 4);
    assert_eq!((error.outcome(), sizes(&server)), (Outcome::Applied, vec![3, 3]));
    assert!(error.is_duplicate_key() && error.server_response().is_some());
    server.forget_received();
    server.once("insert", Reply::document(refusal));
    let error = things.insert_many(documents(9)).ordered(false).await.unwrap_err();
    assert_eq!(error.partial_insert().unwrap().inserted_ids.len(), 8);
    assert_eq!(sizes(&server), [3, 3, 3]);
}

#[tokio::test]
async fn an_insert_that_loses_its_server_tells_what_was_inserted() {
    let server = small_batches().await;
    let things = things(&server).await;
    things.insert_many(documents(1)).await.unwrap();
    server.once("insert", Reply::document(doc! { "ok": 1, "n": 3 }));
    server.once("insert", Reply::error(13, "Unauthorized", "no"));
    let error = things.insert_many(documents(9)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Command(_)));
    assert_eq!((error.code(), error.outcome()), (Some(13), Outcome::Applied));
    assert_eq!(error.partial_insert().unwrap().inserted_ids.len(), 3);
}

#[tokio::test]
async fn a_document_that_cannot_be_encoded_is_met_when_it_is_reached() {
    let server = small_batches().await;
    let things = things(&server).await;
    things.insert_many(documents(1)).await.unwrap();
    server.forget_received();
    let error = things.insert_many([doc! { "a": 1 }, doc! { "a\0": 1 }]).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidDocument { index: Some(1), .. }));
    assert_eq!((error.outcome(), sizes(&server).len()), (Outcome::NotSent, 0));
    let late = documents(5).chain([doc! { "a\0": 1 }]);
    let error = things.insert_many(late).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidDocument { index: Some(5), .. }));
    assert_eq!(error.partial_insert().unwrap().inserted_ids.len(), 3);
    let error = things.insert_many(Vec::<Document>::new()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }));
}

#[tokio::test]
async fn all_commands_of_an_insert_are_one_operation() {
    use std::sync::{Arc, Mutex};

    use crate::event::{CommandListener, CommandStartedEvent};

    #[derive(Default)]
    struct Ids(Mutex<Vec<i64>>);

    impl CommandListener for Ids {
        fn command_started(&self, event: &CommandStartedEvent) {
            if event.command_name == "insert" {
                self.0.lock().unwrap().push(event.operation_id);
            }
        }
    }

    let server = small_batches().await;
    let ids = Arc::new(Ids::default());
    let client = Client::builder().uri(server.uri()).command_listener(ids.clone()).build().unwrap();
    client.database("db").collection::<Document>("things").insert_many(documents(7)).await.unwrap();
    client.flush_events().await;
    let ids = ids.0.lock().unwrap();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| *id == ids[0]));
}

#[tokio::test]
async fn unacknowledged_writes_do_not_wait() {
    let server = ScriptedServer::builder().start().await.unwrap();
    let things = things(&server).await;
    let careless = WriteConcern::nodes(0);
    let result = things.insert_many(documents(2)).write_concern(careless.clone()).await.unwrap();
    assert_eq!((result.acknowledged, result.inserted_ids.len()), (false, 2));
    let result = things.delete_many(doc! {}).write_concern(careless).await.unwrap();
    assert_eq!((result.acknowledged, result.deleted_count), (false, 0));
    let sent = server.wait_for("delete", 1, std::time::Duration::from_secs(10)).await.unwrap();
    assert!(!sent[0].expects_reply && !sent[0].body.contains_key("lsid"));
}

#[tokio::test]
async fn allowed_errors_are_replies() {
    let server = ScriptedServer::builder().start().await.unwrap();
    let db = database(&server).await;
    let error = db.run_command("nothing").await.unwrap_err();
    assert_eq!(error.code(), Some(59));
    let message = "no such command: 'nothing'";
    for run in [
        db.run_command("nothing").allow_code(1).allow_code(59),
        db.run_command("nothing").allow_message(message),
        db.run_command("nothing").unchecked(),
    ] {
        assert_eq!(run.await.unwrap().get_str("errmsg").unwrap(), message);
    }
    assert!(db.run_command("nothing").allow_code(60).await.is_err());
    let error = db.run_cursor_command("ping").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidOperation { .. }));
}

#[tokio::test]
async fn names_are_checked_by_the_first_operation() {
    let server = ScriptedServer::builder().start().await.unwrap();
    let client = database(&server).await.client().clone();
    let bad = client.database("a.b");
    assert!(matches!(bad.list_collection_names().await.unwrap_err().kind(), ErrorKind::InvalidName(_)));
    assert!(matches!(bad.run_command("ping").await.unwrap_err().kind(), ErrorKind::InvalidName(_)));
    let things = client.database("db").collection::<Document>("a..b");
    assert!(matches!(things.find_one(doc! {}).await.unwrap_err().kind(), ErrorKind::InvalidName(_)));
    assert!(matches!(things.insert_one(doc! {}).await.unwrap_err().kind(), ErrorKind::InvalidName(_)));
    let good = client.database("db").collection::<Document>("a");
    assert!(matches!(good.rename("$b").await.unwrap_err().kind(), ErrorKind::InvalidName(_)));
    assert!(matches!(
        good.create_index(IndexModel::new(doc! {})).await.unwrap_err().kind(),
        ErrorKind::InvalidArgument { .. }
    ));
}

#[tokio::test]
async fn a_collection_that_exists_is_refused_on_request() {
    let server = ScriptedServer::builder()
        .on("listCollections", Reply::cursor("db.$cmd.listCollections", [doc! { "name": "a" }]))
        .on("create", Reply::ok())
        .start()
        .await
        .unwrap();
    let db = database(&server).await;
    let error = db.create_collection("a").check_exists(true).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::CollectionInvalid { .. }));
    assert_eq!(db.create_collection("a").await.unwrap().name(), "a");
    assert_eq!(server.received_named("create").len(), 1);
}

#[tokio::test]
async fn a_collection_that_is_not_valid_is_an_error_with_the_report() {
    let server = ScriptedServer::builder()
        .on("validate", Reply::document(doc! { "ok": 1, "valid": false }))
        .start()
        .await
        .unwrap();
    let error = database(&server).await.validate_collection("a").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::CollectionInvalid { .. }));
    assert!(!error.server_response().unwrap().get_bool("valid").unwrap());
}

#[tokio::test]
async fn a_reference_must_point_into_this_database() {
    let server =
        ScriptedServer::builder().on("find", Reply::cursor("db.a", [doc! { "_id": 1 }])).start().await.unwrap();
    let db = database(&server).await;
    assert_eq!(db.dereference(&doc! { "$ref": "a", "$id": 1, "$db": "db" }).await.unwrap(), Some(doc! { "_id": 1 }));
    for bad in [doc! { "$ref": "a" }, doc! { "$ref": "a", "$id": 1, "$db": "other" }] {
        assert!(matches!(db.dereference(&bad).await.unwrap_err().kind(), ErrorKind::InvalidArgument { .. }));
    }
}
