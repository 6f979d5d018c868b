//! The timeout of an operation as a whole.

use std::{
    error::Error as _,
    sync::Arc,
    time::{Duration, Instant},
};

use bson::{Bson, Document, doc};
use mongo_actors_testkit::{Reply, Role, ScriptedServer, ScriptedServerBuilder};
use tokio::sync::watch;

use crate::{
    Client, Collection,
    error::{Error, ErrorKind, Outcome},
    event::{ConnectionClosedEvent, ConnectionClosedReason, PoolListener},
    options::{CursorType, TimeoutMode},
    timeout,
};

const LONG: Duration = Duration::from_secs(20);

fn things(server: &ScriptedServer, options: &str) -> Collection<Document> {
    let client = Client::builder().uri(format!("{}?{options}", server.uri())).build().unwrap();
    client.database("db").collection("things")
}

fn primary() -> ScriptedServerBuilder {
    ScriptedServer::builder()
        .role(Role::Primary("rs".into()))
        .on("insert", Reply::document(doc! { "ok": 1, "n": 1 }))
        .on("find", Reply::cursor("db.things", [doc! { "_id": 1 }]))
}

fn open_cursor(name: &str, id: i64) -> Reply {
    let batch = vec![doc! { "_id": 1 }];
    Reply::document(doc! { "ok": 1, "cursor": { name: batch, "id": id, "ns": "db.things" } })
}

/// `maxTimeMS` of the commands of this name.
fn limits(server: &ScriptedServer, name: &str) -> Vec<Option<i64>> {
    server.received_named(name).iter().map(|command| command.body.get("maxTimeMS").and_then(Bson::as_i64)).collect()
}

fn is_within(limit: Option<i64>, milliseconds: i64) -> bool {
    limit.is_some_and(|limit| (1..=milliseconds).contains(&limit))
}

#[tokio::test]
async fn the_server_is_told_what_is_left() {
    let server = primary().start().await.unwrap();
    let plain = things(&server, "");
    plain.insert_one(doc! {}).await.unwrap();
    plain.insert_one(doc! {}).timeout(LONG).await.unwrap();
    plain.insert_one(doc! {}).timeout(Duration::ZERO).await.unwrap();
    let found = limits(&server, "insert");
    assert!(found[0].is_none() && is_within(found[1], 20_000) && found[2].is_none(), "{found:?}");
    let timed = things(&server, "timeoutMS=10000");
    timed.find_one(doc! {}).max_time(Duration::from_millis(1)).await.unwrap();
    timed.find_one(doc! {}).timeout(LONG).await.unwrap();
    let found = limits(&server, "find");
    assert!(found[0].is_some_and(|limit| limit > 1 && limit <= 10_000), "{found:?}");
    assert!(found[1].is_some_and(|limit| limit > 10_000), "{found:?}");
}

#[tokio::test]
async fn without_time_nothing_is_sent_and_the_connection_stays() {
    let server = primary().start().await.unwrap();
    let things = things(&server, "");
    things.find_one(doc! {}).await.unwrap();
    let connections = server.accepted();
    for _ in 0..5 {
        let error = things.insert_one(doc! {}).timeout(Duration::from_micros(1)).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::OperationTimeout) && error.is_timeout(), "{error:?}");
        assert_eq!(error.outcome(), Outcome::NotSent);
        assert!(error.to_string().contains("timeoutMS"), "{error}");
    }
    things.find_one(doc! {}).await.unwrap();
    assert!(server.received_named("insert").is_empty());
    assert_eq!(server.accepted(), connections);
}

#[tokio::test]
async fn an_operation_is_repeated_for_as_long_as_there_is_time() {
    for timeout in [LONG, Duration::ZERO] {
        let mut builder = primary();
        for attempt in 0..6 {
            builder = builder.nth("insert", attempt, Reply::Close);
        }
        let server = builder.start().await.unwrap();
        things(&server, "").insert_one(doc! {}).timeout(timeout).await.unwrap();
        assert_eq!(server.received_named("insert").len(), 7);
    }
    let server = ScriptedServer::builder().role(Role::Primary("rs".into())).on("insert", Reply::Close).start().await;
    let server = server.unwrap();
    let begun = Instant::now();
    let error = things(&server, "").insert_one(doc! {}).timeout(Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OperationTimeout), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

fn behind(error: &Error) -> &Error {
    error.source().unwrap().downcast_ref().unwrap()
}

#[tokio::test]
async fn timeouts_from_elsewhere_are_the_operations_and_show_what_was_behind() {
    let expired = doc! { "code": 50, "codeName": "Other", "errmsg": "limit exceeded" };
    let server = primary().start().await.unwrap();
    let things = things(&server, "timeoutMS=20000");
    for reply in [
        Reply::error(50, "Other", "limit exceeded"),
        Reply::document(
            doc! { "ok": 1, "n": 0, "writeErrors": [{ "index": 0, "code": 50, "errmsg": "limit exceeded" }] },
        ),
        Reply::document(doc! { "ok": 1, "n": 1, "writeConcernError": expired }),
    ] {
        server.once("insert", reply.clone());
        let error = things.insert_one(doc! {}).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::OperationTimeout), "{error:?}");
        assert_eq!(error.code(), Some(50));
        assert!(!matches!(behind(&error).kind(), ErrorKind::OperationTimeout));
        assert!(error.to_string().contains(&behind(&error).to_string()), "{error}");
        server.once("insert", reply);
        let error = things.insert_many([doc! {}, doc! {}]).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::OperationTimeout), "{error:?}");
    }
    server.once("find", Reply::error(50, "Other", "limit exceeded"));
    let error = things.find_one(doc! {}).timeout(Duration::ZERO).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ExecutionTimeout(_)), "without a deadline nothing changes: {error:?}");
}

#[tokio::test]
async fn a_server_that_is_not_found_in_time_is_what_is_behind() {
    let client = Client::builder().uri("mongodb://127.0.0.1:1/?timeoutMS=50").build().unwrap();
    let begun = Instant::now();
    let error = client.database("db").collection::<Document>("c").find_one(doc! {}).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(matches!(error.kind(), ErrorKind::OperationTimeout), "{error:?}");
    assert!(matches!(behind(&error).kind(), ErrorKind::ServerSelectionTimeout));
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}

#[tokio::test]
async fn other_limits_do_not_hold() {
    let slow = Reply::cursor("db.things", []).after(Duration::from_millis(300));
    let server = primary().on("find", slow).start().await.unwrap();
    let things = things(&server, "maxPoolSize=1&waitQueueTimeoutMS=20&socketTimeoutMS=20");
    for timeout in [LONG, Duration::ZERO] {
        let find = || async { things.find_one(doc! {}).timeout(timeout).await };
        let (first, second) = tokio::join!(find(), find());
        first.unwrap();
        second.unwrap();
    }
    assert!(things.find_one(doc! {}).await.unwrap_err().is_timeout());
}

#[tokio::test]
async fn a_cursor_has_the_time_of_its_operation() {
    let server = primary().on("find", open_cursor("firstBatch", 7)).on("getMore", open_cursor("nextBatch", 7));
    let server = server.start().await.unwrap();
    let things = things(&server, "");
    let mut cursor = things.find(doc! {}).timeout(LONG).await.unwrap();
    cursor.next_many(3).await.unwrap();
    cursor.close().await;
    assert!(is_within(limits(&server, "find")[0], 20_000));
    assert_eq!(limits(&server, "getMore"), [None, None]);
    assert!(is_within(limits(&server, "killCursors")[0], 20_000));

    // What has arrived is handed out even when the time is up.
    let mut cursor = things.find(doc! {}).timeout(Duration::from_millis(300)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(cursor.try_next().await.unwrap().is_some());
    let error = cursor.try_next().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OperationTimeout), "{error:?}");
    assert_eq!(server.received_named("getMore").len(), 2);
}

#[tokio::test]
async fn each_iteration_has_the_time_anew() {
    let slow = open_cursor("nextBatch", 7).after(Duration::from_millis(150));
    let server = primary().on("find", open_cursor("firstBatch", 7)).on("getMore", slow).start().await.unwrap();
    let things = things(&server, "");
    let find = || things.find(doc! {}).timeout(Duration::from_millis(400)).timeout_mode(TimeoutMode::Iteration);
    let mut cursor = find().await.unwrap();
    cursor.next_many(6).await.unwrap();
    assert_eq!(limits(&server, "find"), [None]);
    server.on("getMore", Reply::Never);
    let error = cursor.try_next().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OperationTimeout), "{error:?}");
    assert!(limits(&server, "getMore").iter().all(Option::is_none));
}

#[tokio::test]
async fn a_tailable_cursor_waits_for_what_is_left_at_most() {
    let server = primary().on("find", open_cursor("firstBatch", 7)).on("getMore", open_cursor("nextBatch", 7));
    let server = server.start().await.unwrap();
    let things = things(&server, "timeoutMS=20000");
    let tail = |kind| things.find(doc! {}).cursor_type(kind);
    let mut cursor = tail(CursorType::TailableAwait).max_await_time(Duration::from_millis(30)).await.unwrap();
    cursor.next_many(2).await.unwrap();
    let mut cursor = tail(CursorType::TailableAwait).await.unwrap();
    cursor.next_many(2).await.unwrap();
    let mut cursor = tail(CursorType::Tailable).await.unwrap();
    cursor.next_many(2).await.unwrap();
    let found = limits(&server, "find");
    assert!(is_within(found[0], 20_000) && is_within(found[1], 20_000) && found[2].is_none(), "{found:?}");
    assert_eq!(limits(&server, "getMore"), [Some(30), None, None]);
}

#[tokio::test]
async fn modes_that_make_no_sense_are_refused() {
    let server = primary().start().await.unwrap();
    let things = things(&server, "");
    let (second, find) = (Duration::from_secs(1), || things.find(doc! {}));
    for error in [
        find().timeout_mode(TimeoutMode::Iteration).await.unwrap_err(),
        find()
            .timeout(second)
            .timeout_mode(TimeoutMode::CursorLifetime)
            .cursor_type(CursorType::Tailable)
            .await
            .unwrap_err(),
        find().timeout(second).max_await_time(second).cursor_type(CursorType::TailableAwait).await.unwrap_err(),
        things.aggregate([]).timeout(second).max_await_time(2 * second).await.unwrap_err(),
        things
            .aggregate([doc! { "$out": "other" }])
            .timeout(second)
            .timeout_mode(TimeoutMode::Iteration)
            .await
            .unwrap_err(),
    ] {
        assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }), "{error:?}");
        assert!(!error.is_timeout());
    }
    assert!(server.received_named("find").is_empty() && server.received_named("aggregate").is_empty());
}

#[tokio::test]
async fn a_scope_takes_the_place_of_what_is_inherited() {
    let server = primary().start().await.unwrap();
    let things = things(&server, "timeoutMS=1000");
    timeout::scope(LONG, async {
        things.insert_one(doc! {}).await.unwrap();
        things.insert_one(doc! {}).timeout(Duration::from_secs(2)).await.unwrap();
        things.insert_one(doc! {}).timeout(10 * LONG).await.unwrap();
        timeout::scope(None, things.insert_one(doc! {})).await.unwrap();
    })
    .await;
    let found = limits(&server, "insert");
    assert!(found[0].is_some_and(|limit| limit > 2_000 && limit <= 20_000), "{found:?}");
    assert!(is_within(found[1], 2_000) && is_within(found[2], 20_000) && found[3].is_none(), "{found:?}");
    let error = timeout::scope(Duration::from_micros(1), things.insert_one(doc! {})).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OperationTimeout), "{error:?}");
}

#[tokio::test]
async fn a_session_has_a_timeout_for_the_end_of_its_transactions() {
    let server = primary().start().await.unwrap();
    let things = things(&server, "");
    let mut session = things.client().start_session().default_timeout(LONG).await.unwrap();
    for timeout in [None, Some(Duration::from_secs(2))] {
        session.start_transaction().await.unwrap();
        things.insert_one(doc! {}).session(&mut session).await.unwrap();
        let commit = session.commit_transaction();
        match timeout {
            Some(timeout) => commit.timeout(timeout).await.unwrap(),
            None => commit.await.unwrap(),
        }
    }
    session.start_transaction().await.unwrap();
    things.insert_one(doc! {}).session(&mut session).await.unwrap();
    session.abort_transaction().await.unwrap();
    let commits = limits(&server, "commitTransaction");
    assert!(commits[0].is_some_and(|limit| limit > 2_000) && is_within(commits[1], 2_000), "{commits:?}");
    assert!(is_within(limits(&server, "abortTransaction")[0], 20_000));
    assert!(limits(&server, "insert").iter().all(Option::is_none));
}

/// The reply shows a write concern error that would be met with another attempt, but there is no time for it.
#[tokio::test]
async fn an_error_that_would_be_repeated_becomes_the_timeout() {
    let concern = doc! { "code": 11602, "codeName": "InterruptedDueToReplStateChange", "errmsg": "interrupted" };
    let reply = doc! { "ok": 1, "n": 1, "writeConcernError": concern, "errorLabels": ["RetryableWriteError"] };
    let server = primary().nth("insert", 0, Reply::document(reply)).on("insert", Reply::Never).start().await.unwrap();
    let things = things(&server, "");
    things.find_one(doc! {}).await.unwrap();
    let error = things.insert_one(doc! {}).timeout(Duration::from_millis(1500)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OperationTimeout), "{error:?}");
    assert_eq!(error.outcome(), Outcome::Applied);
}

/// Counts connections that were closed before anybody could use them.
struct Failures(watch::Sender<u32>);

impl PoolListener for Failures {
    fn connection_closed(&self, event: &ConnectionClosedEvent) {
        if event.reason == ConnectionClosedReason::Error {
            self.0.send_modify(|count| *count += 1);
        }
    }
}

#[tokio::test]
async fn a_connection_for_an_operation_has_the_operations_time_and_not_the_clients() {
    let hello = doc! { "ok": 1, "isWritablePrimary": true, "minWireVersion": 0, "maxWireVersion": 21 };
    let slow = Reply::document(hello).after(Duration::from_millis(200));
    let server = ScriptedServer::builder().on("hello", slow.clone()).on("isMaster", slow).on("ping", Reply::ok());
    let server = server.start().await.unwrap();
    let things = things(&server, "timeoutMS=100");
    things.client().database("db").run_command(doc! { "ping": 1 }).timeout(LONG).await.unwrap();

    // What the pool does by itself has the client's.
    let (sender, mut failures) = watch::channel(0);
    let client = Client::builder().uri(format!("{}?timeoutMS=100&minPoolSize=2", server.uri()));
    let client = client.pool_listener(Arc::new(Failures(sender))).build().unwrap();
    tokio::select! {
        warm = timeout::scope(LONG, client.warm_up()) => panic!("there is no second connection: {warm:?}"),
        failed = failures.wait_for(|count| *count > 0) => drop(failed.unwrap()),
    }
}
