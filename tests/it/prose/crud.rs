//! Prose tests of the CRUD specification. 10 and 13 were removed from it.

use std::sync::{Arc, Mutex};

use mongo_actors::{
    Client, Collection, Namespace,
    bson::{Document, RawDocumentBuf, doc},
    error::{Error, ErrorKind, Outcome},
    event::{CommandListener, CommandStartedEvent, CommandSucceededEvent, Delivery},
    options::{InsertOneModel, NamespacedWrite, UpdateOneModel, WriteConcern, WriteModel},
};
use mongo_actors_testkit::{FailPoint, Received, ReplicaSet, Reply, Role, ScriptedServer, Secantus};

/// A command that was sent.
#[derive(Clone)]
struct Started {
    name: String,
    command: Arc<RawDocumentBuf>,
    operation_id: i64,
}

impl Started {
    fn count(&self, list: &str) -> usize {
        self.command.get_array(list).unwrap().into_iter().count()
    }

    fn namespaces(&self) -> Vec<String> {
        let infos = self.command.get_array("nsInfo").unwrap().into_iter();
        infos.map(|info| info.unwrap().as_document().unwrap().get_str("ns").unwrap().to_owned()).collect()
    }
}

#[derive(Default)]
struct Recording {
    started: Mutex<Vec<Started>>,
    replies: Mutex<Vec<Document>>,
}

impl Recording {
    fn named(&self, name: &str) -> Vec<Started> {
        self.started.lock().unwrap().iter().filter(|started| started.name == name).cloned().collect()
    }
}

impl CommandListener for Recording {
    fn delivery(&self) -> Delivery {
        Delivery::Inline
    }

    fn command_started(&self, event: &CommandStartedEvent) {
        self.started.lock().unwrap().push(Started {
            name: event.command_name.to_string(),
            command: event.command.clone(),
            operation_id: event.operation_id,
        });
    }

    fn command_succeeded(&self, event: &CommandSucceededEvent) {
        self.replies.lock().unwrap().push(Document::try_from(event.reply.as_document()).unwrap());
    }
}

fn recorded(uri: &str) -> (Client, Arc<Recording>) {
    let recording = Arc::new(Recording::default());
    let client = Client::builder().uri(uri).command_listener(recording.clone()).build().unwrap();
    (client, recording)
}

/// A server that knows `bulkWrite`, a client of it, and what the server says of its limits.
struct Modern {
    _server: Secantus,
    client: Client,
    recording: Arc<Recording>,
    max_bson_object_size: usize,
    max_message_size: usize,
}

impl Modern {
    async fn start() -> Self {
        let server = Secantus::start().await.unwrap();
        let (client, recording) = recorded(&server.uri());
        let hello = client.database("admin").run_command(doc! { "hello": 1 }).await.unwrap();
        let limit = |name| usize::try_from(hello.get_i32(name).unwrap()).unwrap();
        Self {
            _server: server,
            client,
            recording,
            max_bson_object_size: limit("maxBsonObjectSize"),
            max_message_size: limit("maxMessageSizeBytes"),
        }
    }

    fn collection(&self) -> Collection {
        self.client.database("db").collection("coll")
    }

    async fn fail(&self, mode: Document, data: Document) {
        let fault = doc! { "configureFailPoint": "failCommand", "mode": mode, "data": data };
        self.client.database("admin").run_command(fault).await.unwrap();
    }
}

fn write(model: impl Into<WriteModel>) -> NamespacedWrite {
    NamespacedWrite::new(Namespace::new("db", "coll"), model)
}

fn insert(document: Document) -> NamespacedWrite {
    write(InsertOneModel::new(document))
}

/// Tests 3, 5 and 6 need one write more than the server takes at once. A pretended server that takes few stands in
/// for a real one, which takes a hundred thousand.
const MAX_WRITE_BATCH_SIZE: usize = 1_000;

async fn small_batches(answer: impl FnMut(&Received) -> Reply + Send + 'static) -> ScriptedServer {
    ScriptedServer::builder()
        .role(Role::Primary("rs".into()))
        .hello(doc! { "maxWriteBatchSize": i32::try_from(MAX_WRITE_BATCH_SIZE).unwrap(), "maxWireVersion": 25 })
        .with("bulkWrite", answer)
        .start()
        .await
        .unwrap()
}

fn ops(command: &Received) -> i32 {
    i32::try_from(command.body.get_array("ops").unwrap().len()).unwrap()
}

fn bulk_reply(inserted: i32, errors: Vec<Document>) -> Document {
    let failed = i32::try_from(errors.len()).unwrap();
    let cursor = doc! { "id": 0_i64, "ns": "admin.$cmd.bulkWrite", "firstBatch": errors };
    doc! { "ok": 1, "nInserted": inserted, "nErrors": failed, "cursor": cursor }
}

/// The two upserts of tests 7 to 9, whose results do not fit into one batch.
fn large_upserts(modern: &Modern) -> [NamespacedWrite; 2] {
    ["a", "b"].map(|letter| {
        let filter = doc! { "_id": letter.repeat(modern.max_bson_object_size / 2) };
        write(UpdateOneModel::new(filter, doc! { "$set": { "x": 1 } }).upsert(true))
    })
}

async fn replica_set() -> (ReplicaSet, Client, Arc<Recording>) {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, recording) = recorded(&set.uri());
    (set, client, recording)
}

#[tokio::test]
async fn crud_1_write_concern_errors_have_their_details() {
    let (set, client, _) = replica_set().await;
    let details = doc! { "writeConcern": { "w": 2, "wtimeout": 0, "provenance": "clientSupplied" } };
    let error = doc! {
        "code": 100, "codeName": "UnsatisfiableWriteConcern", "errmsg": "Not enough data-bearing nodes",
        "errInfo": details.clone(),
    };
    let fault = FailPoint::fail_command(["insert"]).times(1).data("writeConcernError", error);
    let _guard = set.primary().await.unwrap().enable(fault).await.unwrap();
    let error = client.database("db").collection::<Document>("coll").insert_one(doc! {}).await.unwrap_err();
    let ErrorKind::WriteConcern(concern) = error.kind() else { panic!("{error:?}") };
    assert_eq!((concern.code, concern.details.as_ref()), (100, Some(&details)));
}

#[tokio::test]
async fn crud_2_write_errors_have_their_details() {
    let (_set, client, recording) = replica_set().await;
    let db = client.database("db");
    db.create_collection("test").validator(doc! { "x": { "$type": "string" } }).await.unwrap();
    let error = db.collection::<Document>("test").insert_one(doc! { "x": 1 }).await.unwrap_err();
    let ErrorKind::Write(refusal) = error.kind() else { panic!("{error:?}") };
    assert_eq!(refusal.code, 121);
    let replies = recording.replies.lock().unwrap();
    let errors = replies.iter().find_map(|reply| reply.get_array("writeErrors").ok()).unwrap();
    let details = errors[0].as_document().unwrap().get_document("errInfo").unwrap();
    assert_eq!(refusal.details.as_ref(), Some(details));
}

#[tokio::test]
async fn crud_3_a_bulk_write_is_split_by_the_number_of_writes() {
    let server = small_batches(|command| Reply::document(bulk_reply(ops(command), Vec::new()))).await;
    let (client, recording) = recorded(&server.uri());
    let count = MAX_WRITE_BATCH_SIZE + 1;
    let result = client.bulk_write((0..count).map(|_| insert(doc! { "a": "b" }))).await.unwrap();
    assert_eq!(result.inserted_count, count as u64);
    let events = recording.named("bulkWrite");
    assert_eq!(events.iter().map(|event| event.count("ops")).collect::<Vec<_>>(), [count - 1, 1]);
    assert_eq!(events[0].operation_id, events[1].operation_id);
}

#[tokio::test]
async fn crud_4_a_bulk_write_is_split_by_the_size_of_the_message() {
    let modern = Modern::start().await;
    let document = doc! { "a": "b".repeat(modern.max_bson_object_size - 500) };
    let count = modern.max_message_size / modern.max_bson_object_size + 1;
    let result = modern.client.bulk_write((0..count).map(|_| insert(document.clone()))).await.unwrap();
    assert_eq!(result.inserted_count, count as u64);
    let events = modern.recording.named("bulkWrite");
    assert_eq!(events.iter().map(|event| event.count("ops")).collect::<Vec<_>>(), [count - 1, 1]);
    assert_eq!(events[0].operation_id, events[1].operation_id);
}

#[tokio::test]
async fn crud_5_write_concern_errors_of_all_commands_are_collected() {
    let server = small_batches(|command| {
        let mut reply = bulk_reply(ops(command), Vec::new());
        reply.insert("writeConcernError", doc! { "code": 91, "errmsg": "Replication is being shut down" });
        Reply::document(reply)
    });
    let server = server.await;
    let (client, recording) = recorded(&format!("{}?retryWrites=false", server.uri()));
    let count = MAX_WRITE_BATCH_SIZE + 1;
    let error = client.bulk_write((0..count).map(|_| insert(doc! { "a": "b" }))).await.unwrap_err();
    let ErrorKind::ClientBulkWrite(partial) = error.kind() else { panic!("{error:?}") };
    assert_eq!(partial.write_concern_errors.len(), 2);
    assert_eq!(partial.partial_result.as_ref().unwrap().inserted_count, count as u64);
    assert_eq!(recording.named("bulkWrite").len(), 2);
}

#[tokio::test]
async fn crud_6_write_errors_of_all_commands_are_collected() {
    let server = small_batches(|command| {
        let refused = |index| doc! { "ok": 0, "idx": index, "code": 11000, "errmsg": "dup", "n": 0 };
        let tried = if command.body.get_bool("ordered").unwrap() { 1 } else { ops(command) };
        Reply::document(bulk_reply(0, (0..tried).map(refused).collect()))
    });
    let server = server.await;
    let (client, recording) = recorded(&server.uri());
    let count = MAX_WRITE_BATCH_SIZE + 1;
    let writes = || (0..count).map(|_| insert(doc! { "_id": 1 }));
    let error = client.bulk_write(writes()).ordered(false).await.unwrap_err();
    assert_eq!(error.partial_client_bulk_write().unwrap().write_errors.len(), count);
    assert_eq!(recording.named("bulkWrite").len(), 2);
    recording.started.lock().unwrap().clear();
    let error = client.bulk_write(writes()).ordered(true).await.unwrap_err();
    assert_eq!(error.partial_client_bulk_write().unwrap().write_errors.len(), 1);
    assert_eq!(recording.named("bulkWrite").len(), 1);
}

#[tokio::test]
async fn crud_7_a_cursor_of_several_batches_is_read() {
    let modern = Modern::start().await;
    let result = modern.client.bulk_write(large_upserts(&modern)).verbose_results(true).await.unwrap();
    assert_eq!((result.upserted_count, result.verbose_results.unwrap().update_results.len()), (2, 2));
    assert_eq!(modern.recording.named("getMore").len(), 1);
}

/// There is no server here that knows the command and has transactions: a pretended one reports in two batches.
#[tokio::test]
async fn crud_8_a_cursor_of_several_batches_is_read_in_a_transaction() {
    let upserted = |index: i32| doc! { "ok": 1, "idx": index, "n": 1, "nModified": 0, "upserted": { "_id": index } };
    let cursor = doc! { "id": 7_i64, "ns": "admin.$cmd.bulkWrite", "firstBatch": [upserted(0)] };
    let reply = doc! { "ok": 1, "nUpserted": 2, "nErrors": 0, "cursor": cursor };
    let rest = doc! { "id": 0_i64, "ns": "admin.$cmd.bulkWrite", "nextBatch": [upserted(1)] };
    let server = ScriptedServer::builder()
        .role(Role::Primary("rs".into()))
        .hello(doc! { "maxWireVersion": 25 })
        .on("bulkWrite", Reply::document(reply))
        .on("getMore", Reply::document(doc! { "ok": 1, "cursor": rest }))
        .start()
        .await
        .unwrap();
    let client = Client::with_uri_str(&server.uri()).await.unwrap();
    let mut session = client.start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    let writes = ["a", "b"].map(|id| {
        write(UpdateOneModel::new(doc! { "_id": id.repeat(1_000) }, doc! { "$set": { "x": 1 } }).upsert(true))
    });
    let result = client.bulk_write(writes).verbose_results(true).session(&mut session).await.unwrap();
    assert_eq!((result.upserted_count, result.verbose_results.unwrap().update_results.len()), (2, 2));
    let [write] = &server.received_named("bulkWrite")[..] else { panic!("not one bulkWrite") };
    let [more] = &server.received_named("getMore")[..] else { panic!("not one getMore") };
    for field in ["lsid", "txnNumber", "autocommit"] {
        assert!(write.body.contains_key(field), "{field}");
        assert_eq!(write.body.get(field), more.body.get(field), "{field}");
    }
    assert!(write.body.contains_key("startTransaction") && !more.body.contains_key("startTransaction"));
    session.commit_transaction().await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn crud_9_an_error_of_get_more_ends_the_bulk_write() {
    let modern = Modern::start().await;
    modern.fail(doc! { "times": 1 }, doc! { "failCommands": ["getMore"], "errorCode": 8 }).await;
    let error = modern.client.bulk_write(large_upserts(&modern)).verbose_results(true).await.unwrap_err();
    assert_eq!(error.code(), Some(8));
    let partial = error.partial_client_bulk_write().unwrap().partial_result.clone().unwrap();
    assert_eq!((partial.upserted_count, partial.verbose_results.unwrap().update_results.len()), (2, 1));
    assert_eq!(modern.recording.named("getMore").len(), 1);
    modern.client.close().await;
    assert_eq!(modern.recording.named("killCursors").len(), 1);
}

#[tokio::test]
async fn crud_11_a_namespace_counts_against_the_size_of_the_message() {
    let modern = Modern::start().await;
    let (size, bytes) = (modern.max_bson_object_size, modern.max_message_size - 1122);
    let mut lengths = vec![size - 57; bytes / size];
    lengths.extend(Some(bytes % size).filter(|rest| *rest >= 217).map(|rest| rest - 57));
    let models = || lengths.iter().map(|length| insert(doc! { "a": "b".repeat(*length) }));
    let count = lengths.len();

    let same = insert(doc! { "a": "b" });
    let result = modern.client.bulk_write(models().chain([same])).await.unwrap();
    assert_eq!(result.inserted_count, count as u64 + 1);
    let events = modern.recording.named("bulkWrite");
    assert_eq!(events.iter().map(|event| event.count("ops")).collect::<Vec<_>>(), [count + 1]);
    assert_eq!(events[0].namespaces(), ["db.coll"]);

    modern.recording.started.lock().unwrap().clear();
    let long = format!("db.{}", "c".repeat(200));
    let new = InsertOneModel::new(doc! { "a": "b" }).in_namespace(long.parse().unwrap());
    let result = modern.client.bulk_write(models().chain([new])).await.unwrap();
    assert_eq!(result.inserted_count, count as u64 + 1);
    let events = modern.recording.named("bulkWrite");
    assert_eq!(events.iter().map(|event| event.count("ops")).collect::<Vec<_>>(), [count, 1]);
    assert_eq!(events.iter().map(Started::namespaces).collect::<Vec<_>>(), [vec!["db.coll".to_owned()], vec![long]]);
}

#[tokio::test]
async fn crud_12_a_write_that_fits_into_no_message_is_an_error() {
    let modern = Modern::start().await;
    let document = insert(doc! { "a": "b".repeat(modern.max_message_size) });
    let namespace = Namespace::new("db", "c".repeat(modern.max_message_size));
    let name = InsertOneModel::new(doc! { "a": "b" }).in_namespace(namespace);
    for write in [document, name] {
        let error: Error = modern.client.bulk_write([write]).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::DocumentTooLarge { .. } | ErrorKind::InvalidName(_)),
            "{:?}",
            error.outcome()
        );
        assert_eq!(error.outcome(), Outcome::NotSent);
        assert_eq!(error.partial_client_bulk_write().unwrap().partial_result, None);
    }
}

#[tokio::test]
async fn crud_14_explain_takes_a_time_limit() {
    let (_set, client, recording) = replica_set().await;
    let collection = client.database("explain-test").collection::<Document>("collection");
    let limit = std::time::Duration::from_millis(2000);
    collection.find(doc! { "name": "john doe" }).explain().max_time(limit).await.unwrap();
    let events = recording.named("explain");
    let sent = events[0].command.get("maxTimeMS").unwrap().unwrap();
    assert_eq!(sent.as_i64().or(sent.as_i32().map(Into::into)), Some(2000));
}

#[tokio::test]
async fn crud_15_all_commands_of_an_unacknowledged_bulk_write_are_unacknowledged() {
    let modern = Modern::start().await;
    modern.client.database("db").create_collection("coll").await.unwrap();
    let document = doc! { "a": "b".repeat(modern.max_bson_object_size - 500) };
    let count = modern.max_message_size / modern.max_bson_object_size + 1;
    let writes = (0..count).map(|_| insert(document.clone()));
    let result = modern.client.bulk_write(writes).ordered(false).write_concern(WriteConcern::nodes(0)).await.unwrap();
    assert!(!result.acknowledged);
    let events = modern.recording.named("bulkWrite");
    assert_eq!(events.iter().map(|event| event.count("ops")).collect::<Vec<_>>(), [count - 1, 1]);
    assert_eq!(events[0].operation_id, events[1].operation_id);
    for event in &events {
        assert_eq!(Document::try_from(event.command.get_document("writeConcern").unwrap()).unwrap(), doc! { "w": 0 });
    }
    assert_eq!(modern.collection().count_documents(doc! {}).await.unwrap(), count as u64);
}

#[tokio::test]
async fn crud_16_generated_ids_come_first() {
    let modern = Modern::start().await;
    let first_key = |event: &Started, list: &str, inner: Option<&str>| {
        let element = event.command.get_array(list).unwrap().get(0).unwrap().unwrap();
        let mut document = element.as_document().unwrap();
        if let Some(inner) = inner {
            document = document.get_document(inner).unwrap();
        }
        document.iter_elements().next().unwrap().unwrap().key().to_string()
    };
    let document = || doc! { "x": 1 };
    modern.collection().insert_one(document()).await.unwrap();
    modern.collection().bulk_write([WriteModel::from(InsertOneModel::new(document()))]).await.unwrap();
    modern.client.bulk_write([insert(document())]).await.unwrap();
    let inserts = modern.recording.named("insert");
    assert_eq!(inserts.iter().map(|event| first_key(event, "documents", None)).collect::<Vec<_>>(), ["_id", "_id"]);
    let bulk = modern.recording.named("bulkWrite");
    assert_eq!(first_key(&bulk[0], "ops", Some("document")), "_id");
}
