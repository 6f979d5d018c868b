//! Prose tests of the client side operations timeout specification, and those of its unit tests that need a server. 2 and 3
//! are about encryption.
//! Times are longer than those of the specification, so that they hold on a busy machine.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mongo_actors::{
    Client, Namespace,
    bson::{Document, doc},
    error::{Error, ErrorKind},
    event::{
        ConnectionClosedEvent, ConnectionClosedReason, ConnectionCreatedEvent, ConnectionReadyEvent, PoolListener,
        PoolReadyEvent,
    },
    gridfs::{GridFsBucket, GridFsBucketOptions},
    options::{CursorType, InsertOneModel},
};
use mongo_actors_testkit::{Direction, FailPoint, Proxy, ReplicaSet, Reply, Role, ScriptedServer, Standalone};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
};

use crate::{commands::Commands, sessions::client_of};

const PATIENCE: Duration = Duration::from_secs(30);

fn is_timeout(error: &Error) -> bool {
    error.is_timeout() && matches!(error.kind(), ErrorKind::OperationTimeout)
}

#[tokio::test]
async fn client_side_operations_timeout_1_the_commands_of_an_insert_share_its_time() {
    let server = Standalone::start().await.unwrap();
    let (commands, uri) = (Commands::new(), server.uri_with(&[("timeoutMS", "8000")]));
    let client = Client::builder().uri(uri).command_listener(commands.clone()).build().unwrap();
    let things = client.database("db").collection::<Document>("coll");
    let fault = FailPoint::fail_command(["insert"]).times(2).block(Duration::from_millis(4010));
    let _guard = server.member().enable(fault).await.unwrap();
    let text = "x".repeat(1_000_000);
    let error = things.insert_many((0..50).map(|id| doc! { "_id": id, "text": &text })).await.unwrap_err();
    assert!(is_timeout(&error), "{error:?}");
    assert_eq!(commands.take_named("insert").len(), 2);
    client.close().await;
}

/// What a pool does, by name.
#[derive(Default)]
struct Pool {
    seen: Mutex<Vec<&'static str>>,
    more: Notify,
}

impl Pool {
    fn saw(&self, event: &'static str) {
        self.seen.lock().unwrap().push(event);
        self.more.notify_one();
    }

    async fn wait_for(&self, event: &'static str) {
        let seen = async {
            while !self.seen.lock().unwrap().contains(&event) {
                self.more.notified().await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, seen).await.is_ok(), "no {event}");
    }
}

impl PoolListener for Pool {
    fn connection_created(&self, _: &ConnectionCreatedEvent) {
        self.saw("created");
    }

    fn connection_ready(&self, _: &ConnectionReadyEvent) {
        self.saw("ready");
    }

    fn connection_closed(&self, event: &ConnectionClosedEvent) {
        self.saw("closed");
        if event.reason == ConnectionClosedReason::Error {
            self.saw("closed by an error");
        }
    }

    fn pool_ready(&self, _: &PoolReadyEvent) {
        self.saw("pool ready");
    }
}

#[tokio::test]
async fn client_side_operations_timeout_4_the_handshake_of_a_pooled_connection_is_limited() {
    let set = ReplicaSet::builder(1).auth("root", "secret").start().await.unwrap();
    for (commands, block, timeout, event) in [
        (vec!["saslContinue"], 2_000, "500", "closed"),
        // Together they take longer than one of them may.
        (vec!["hello", "isMaster", "saslContinue"], 400, "700", "ready"),
    ] {
        let name = format!("timeoutBackgroundPoolTest{event}");
        let fault = FailPoint::fail_command(commands).block(Duration::from_millis(block)).app_name(&name);
        let guard = set.primary().await.unwrap().enable(fault).await.unwrap();
        let pool = Arc::new(Pool::default());
        let uri = set.uri_with(&[("minPoolSize", "1"), ("timeoutMS", timeout), ("appName", &name)]);
        let client = Client::builder().uri(uri).pool_listener(pool.clone()).build().unwrap();
        pool.wait_for("created").await;
        pool.wait_for(event).await;
        drop(client);
        guard.disable().await.unwrap();
    }
}

#[tokio::test]
async fn client_side_operations_timeout_5_all_batches_of_an_iteration_share_its_time() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, commands) = client_of(&set, &[]).await;
    let db = client.database("db");
    db.create_collection("coll").capped(true).size(500_u64).await.unwrap();
    let things = db.collection::<Document>("coll");
    things.insert_one(doc! { "x": 1 }).await.unwrap();
    let fault = FailPoint::fail_command(["getMore"]).block(Duration::from_millis(600));
    let _guard = set.primary().await.unwrap().enable(fault).await.unwrap();
    commands.take();
    // Without awaiting data, iteration asks the server once only.
    let tail = things.find(doc! {}).cursor_type(CursorType::TailableAwait).max_await_time(Duration::from_millis(20));
    let mut cursor = tail.timeout(Duration::from_millis(1000)).await.unwrap();
    assert_ne!(cursor.cursor_id(), Some(0));
    assert_eq!(cursor.try_next().await.unwrap().unwrap().get_i32("x").unwrap(), 1);
    let error = cursor.try_next().await.unwrap_err();
    assert!(is_timeout(&error), "{error:?}");
    let names = commands.take_names();
    let relevant: Vec<_> = names.iter().filter(|name| ["find", "getMore"].contains(&&***name)).collect();
    assert_eq!(relevant, ["find", "getMore", "getMore"]);
    client.close().await;
}

#[tokio::test]
async fn client_side_operations_timeout_5_all_batches_of_a_change_stream_share_its_time() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, commands) = client_of(&set, &[]).await;
    let things = client.database("db").collection::<Document>("coll");
    things.insert_one(doc! { "x": 1 }).await.unwrap();
    let fault = FailPoint::fail_command(["getMore"]).block(Duration::from_millis(600));
    let _guard = set.primary().await.unwrap().enable(fault).await.unwrap();
    commands.take();
    // Without it, the server would wait for a second beyond the fault.
    let watch = things.watch().max_await_time(Duration::from_millis(20));
    let mut changes = watch.timeout(Duration::from_millis(1000)).await.unwrap();
    let error = changes.try_next().await.unwrap_err();
    assert!(is_timeout(&error), "{error:?}");
    let names = commands.take_names();
    let relevant: Vec<_> = names.iter().filter(|name| ["aggregate", "getMore"].contains(&&***name)).collect();
    assert_eq!(relevant, ["aggregate", "getMore", "getMore"]);
    client.close().await;
}

#[tokio::test]
async fn client_side_operations_timeout_8_selection_takes_the_shorter_of_two_limits() {
    for options in [
        "serverSelectionTimeoutMS=100",
        "timeoutMS=100&serverSelectionTimeoutMS=20000",
        "timeoutMS=20000&serverSelectionTimeoutMS=100",
        "timeoutMS=0&serverSelectionTimeoutMS=100",
    ] {
        let client = Client::with_uri_str(&format!("mongodb://invalid/?{options}")).await.unwrap();
        let begun = Instant::now();
        let error = client.database("admin").run_command("ping").await.unwrap_err();
        assert!(error.is_timeout() && begun.elapsed() < Duration::from_secs(5), "{options}: {error:?}");
        assert!(error.to_string().contains("invalid"), "{error}");
    }
    let set = ReplicaSet::builder(1).auth("root", "secret").start().await.unwrap();
    let fault = FailPoint::fail_command(["saslContinue"]).block(Duration::from_secs(10)).app_name("slow");
    let _guard = set.primary().await.unwrap().enable(fault).await.unwrap();
    for (timeout, selection) in [("500", "20000"), ("20000", "500")] {
        let options = [("timeoutMS", timeout), ("serverSelectionTimeoutMS", selection), ("appName", "slow")];
        let client = Client::with_uri_str(&set.uri_with(&options)).await.unwrap();
        let begun = Instant::now();
        let error = client.database("db").collection("coll").insert_one(doc! { "x": 1 }).await.unwrap_err();
        assert!(error.is_timeout() && begun.elapsed() < Duration::from_secs(5), "{options:?}: {error:?}");
    }
}

/// The session's end reports no error, as that of aborting is of no consequence; but it takes no longer than it may.
#[tokio::test]
async fn client_side_operations_timeout_9_the_end_of_a_session_is_limited() {
    let set = ReplicaSet::start(1).await.unwrap();
    let limit = Duration::from_millis(150);
    for place in ["client", "session", "call"] {
        let options: &[(&str, &str)] = if place == "client" { &[("timeoutMS", "150")] } else { &[] };
        let (client, commands) = client_of(&set, options).await;
        let things = client.database("db").collection::<Document>("coll");
        things.insert_one(doc! {}).timeout(PATIENCE).await.unwrap();
        let fault = FailPoint::fail_command(["abortTransaction"]).times(1).block(Duration::from_secs(4));
        let guard = set.primary().await.unwrap().enable(fault).await.unwrap();
        let start = client.start_session();
        let mut session = if place == "session" { start.default_timeout(limit) } else { start }.await.unwrap();
        session.start_transaction().await.unwrap();
        things.insert_one(doc! { "x": 1 }).timeout(PATIENCE).session(&mut session).await.unwrap();
        let begun = Instant::now();
        match place {
            "call" => session.end_within(limit).await,
            _ => session.end().await,
        }
        assert!(begun.elapsed() < Duration::from_secs(3), "{place}: {:?}", begun.elapsed());
        let aborts = commands.take_named("abortTransaction");
        assert!(aborts[0].command.get("maxTimeMS").is_some(), "{place}");
        guard.disable().await.unwrap();
        client.close().await;
    }
}

#[tokio::test]
async fn client_side_operations_timeout_10_aborting_has_the_time_anew() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, commands) = client_of(&set, &[("timeoutMS", "4000")]).await;
    let things = client.database("db").collection::<Document>("coll");
    things.insert_one(doc! {}).timeout(PATIENCE).await.unwrap();
    let fault = FailPoint::fail_command(["insert", "abortTransaction"]).times(2).block(Duration::from_secs(10));
    let _guard = set.primary().await.unwrap().enable(fault).await.unwrap();
    commands.take();
    let mut session = client.start_session().await.unwrap();
    let run = session.with_transaction(async |session| {
        let own = things.insert_one(doc! {}).timeout(PATIENCE).session(session).await.unwrap_err();
        assert!(matches!(own.kind(), ErrorKind::InvalidArgument { .. }), "{own:?}");
        things.insert_one(doc! { "_id": 1 }).session(session).await
    });
    let error = run.await.unwrap_err();
    assert!(is_timeout(&error), "{error:?}");
    let sent = commands.take();
    let limited =
        |name: &str| sent.iter().filter(|sent| sent.name == name).all(|sent| sent.command.contains_key("maxTimeMS"));
    assert!(limited("insert") && limited("abortTransaction"));
    assert_eq!(sent.iter().filter(|sent| sent.name == "insert").count(), 1);
    assert!(sent.iter().any(|sent| sent.name == "abortTransaction"));
}

#[tokio::test]
async fn client_side_operations_timeout_11_the_commands_of_a_bulk_write_share_its_time() {
    let cursor = doc! { "id": 0_i64, "ns": "admin.$cmd.bulkWrite", "firstBatch": [] };
    let reply = Reply::document(doc! { "ok": 1, "nErrors": 0, "nInserted": 1, "cursor": cursor });
    let server = ScriptedServer::builder()
        .role(Role::Primary("rs".into()))
        .hello(doc! { "maxWriteBatchSize": 1, "maxWireVersion": 25 })
        .on("bulkWrite", reply.after(Duration::from_millis(1010)))
        .start()
        .await
        .unwrap();
    let client = Client::with_uri_str(&format!("{}?timeoutMS=2000", server.uri())).await.unwrap();
    let writes = (0..2).map(|id| InsertOneModel::new(doc! { "_id": id }).in_namespace(Namespace::new("db", "coll")));
    let error = client.bulk_write(writes).await.unwrap_err();
    assert!(is_timeout(&error), "{error:?}");
    assert_eq!(server.received_named("bulkWrite").len(), 2);
    assert_eq!(error.partial_client_bulk_write().unwrap().partial_result.as_ref().unwrap().inserted_count, 1);
}

#[tokio::test]
async fn client_side_operations_timeout_unit_1_and_2_the_check_out_has_the_time_of_the_operation() {
    let server = Standalone::start().await.unwrap();
    let uri = server.uri_with(&[("maxPoolSize", "1"), ("waitQueueTimeoutMS", "50")]);
    let client = Client::with_uri_str(&uri).await.unwrap();
    let things = client.database("db").collection::<Document>("coll");
    things.insert_one(doc! { "_id": 1 }).await.unwrap();
    let slow = things.find_one(doc! { "$where": "sleep(1500) || true" });
    let patient = things.find_one(doc! {}).timeout(PATIENCE);
    let hasty = things.find_one(doc! {}).timeout(Duration::from_millis(300));
    // Polled in this order, they reach the pool in this order.
    let (slow, patient, hasty) =
        tokio::join!(biased; async { slow.await }, async { patient.await }, async { hasty.await });
    slow.unwrap();
    patient.unwrap();
    let error = hasty.unwrap_err();
    assert!(is_timeout(&error), "{error:?}");
    client.close().await;
}

/// A server behind a proxy, a client of it whose pool has no connection yet, and what its pool does.
async fn behind_a_proxy(options: &str) -> (ScriptedServer, Proxy, Client, Arc<Pool>) {
    let found = Reply::cursor("db.coll", [doc! { "_id": 1 }]);
    let server = ScriptedServer::builder().on("find", found).start().await.unwrap();
    let proxy = Proxy::start(server.socket_address()).await.unwrap();
    // The monitor is to notice nothing.
    let uri = format!("mongodb://{}/?heartbeatFrequencyMS=600000&{options}", proxy.address());
    let pool = Arc::new(Pool::default());
    let client = Client::builder().uri(uri).pool_listener(pool.clone()).build().unwrap();
    pool.wait_for("pool ready").await;
    (server, proxy, client, pool)
}

#[tokio::test]
async fn client_side_operations_timeout_unit_4_a_new_connection_has_the_shorter_of_two_limits() {
    let (_server, proxy, client, _) = behind_a_proxy("connectTimeoutMS=60000").await;
    let things = client.database("db").collection::<Document>("coll");
    proxy.stall(Direction::ToClient);
    let begun = Instant::now();
    let error = things.find_one(doc! {}).timeout(Duration::from_millis(300)).await.unwrap_err();
    assert!(is_timeout(&error) && begun.elapsed() < PATIENCE, "{error:?} after {:?}", begun.elapsed());
    proxy.resume(Direction::ToClient);
    client.close().await;

    let (_server, proxy, client, pool) = behind_a_proxy("connectTimeoutMS=300").await;
    let things = client.database("db").collection::<Document>("coll");
    proxy.stall(Direction::ToClient);
    let heal = async {
        pool.wait_for("closed by an error").await;
        proxy.resume(Direction::ToClient);
    };
    let (found, ()) = tokio::join!(async { things.find_one(doc! {}).timeout(2 * PATIENCE).await }, heal);
    assert!(found.unwrap().is_some());
    client.close().await;
}

#[tokio::test]
async fn client_side_operations_timeout_unit_8_connections_in_the_background_have_the_connect_timeout() {
    let (_server, proxy, client, pool) = behind_a_proxy("connectTimeoutMS=300&minPoolSize=1&maxIdleTimeMS=100").await;
    // There is always one that is made anew.
    pool.wait_for("ready").await;
    proxy.stall(Direction::ToClient);
    pool.wait_for("closed by an error").await;
    proxy.resume(Direction::ToClient);
    client.close().await;
}

/// A set with an empty bucket whose indexes are there, and a client whose operations have so much time.
async fn bucket(limit: &str, chunk_size: u32) -> (ReplicaSet, Client, Arc<Commands>, GridFsBucket) {
    let set = ReplicaSet::start(1).await.unwrap();
    let (commands, uri) = (Commands::new(), set.uri_with(&[("timeoutMS", limit)]));
    let plain = Client::with_uri_str(&set.uri()).await.unwrap();
    plain.database("db").gridfs_bucket(None).upload_from_stream("first", &b""[..]).await.unwrap();
    plain.close().await;
    let client = Client::builder().uri(uri).command_listener(commands.clone()).build().unwrap();
    let options = GridFsBucketOptions::new().chunk_size_bytes(chunk_size);
    let bucket = client.database("db").gridfs_bucket(options);
    (set, client, commands, bucket)
}

#[tokio::test]
async fn client_side_operations_timeout_6_an_upload_has_one_time_for_its_whole_life() {
    let (set, client, _, bucket) = bucket("2000", 255).await;
    let fault = FailPoint::fail_command(["insert"]).times(1).block(Duration::from_millis(2500));
    let _guard = set.members()[0].enable(fault).await.unwrap();
    let mut upload = bucket.open_upload_stream("filename").await.unwrap();
    upload.write_all(&[0x12]).await.unwrap();
    let error = upload.close().await.unwrap_err();
    assert!(is_timeout(&error), "{error:?}");
    drop(upload);
    client.close().await;
}

#[tokio::test]
async fn client_side_operations_timeout_6_aborting_an_upload_has_no_more_time_than_it() {
    let (set, client, _, bucket) = bucket("2000", 2).await;
    let fault = FailPoint::fail_command(["delete"]).times(1).block(Duration::from_millis(2500));
    let _guard = set.members()[0].enable(fault).await.unwrap();
    let mut upload = bucket.open_upload_stream("filename").await.unwrap();
    upload.write_all(&[1, 2, 3, 4]).await.unwrap();
    upload.flush().await.unwrap();
    let error = upload.abort().await.unwrap_err();
    assert!(is_timeout(&error), "{error:?}");
    client.close().await;
}

#[tokio::test]
async fn client_side_operations_timeout_7_a_download_has_one_time_for_its_whole_life() {
    let (set, client, commands, bucket) = bucket("2000", 4).await;
    let plain = Client::with_uri_str(&set.uri()).await.unwrap();
    plain.database("db").gridfs_bucket(None).upload_from_stream_with_id(5, "length-10", &[0; 10][..]).await.unwrap();
    let mut download = bucket.open_download_stream(5).await.unwrap();
    let fault = FailPoint::fail_command(["find"]).times(1).block(Duration::from_millis(2500));
    let _guard = set.members()[0].enable(fault).await.unwrap();
    let error = download.read(&mut [0; 10]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{error:?}");
    let read: Vec<_> =
        commands.take_named("find").iter().map(|sent| sent.command.get_str("find").unwrap().to_owned()).collect();
    assert_eq!(read, ["fs.files", "fs.chunks"]);
    plain.close().await;
    client.close().await;
}
