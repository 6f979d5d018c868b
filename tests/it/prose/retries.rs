//! Prose tests of the retryable reads and the retryable writes specification, which ask for the same in many places.
//! What shall happen between two attempts is scripted. The pauses between attempts (number 5 of reads, case 5 of number 6
//! of writes) cannot be seen from outside: they are `one_overload_error_sets_the_limit_for_all_further_repetitions` in
//! `protocol/src/retry/tests.rs`.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use mongo_actors::{
    Client, Collection,
    bson::{Document, doc},
    error::{Error, Result, labels},
    event::{
        CommandFailedEvent, CommandListener, CommandSucceededEvent, ConnectionCheckedOutEvent,
        ConnectionCheckoutFailedEvent, Delivery, PoolClearedEvent, PoolListener,
    },
};
use mongo_actors_testkit::{FailPoint, MongosProxy, ReplicaSet, Reply, Role, ScriptedServer};

use crate::{commands::Commands, kit::eventually};

const OVERLOAD: [&str; 2] = [labels::RETRYABLE_ERROR, labels::SYSTEM_OVERLOADED_ERROR];

/// What became of check-outs, in order.
#[derive(Default)]
struct CheckOuts(Mutex<Vec<&'static str>>);

impl CheckOuts {
    fn saw(&self, event: &'static str) {
        self.0.lock().unwrap().push(event);
    }
}

impl PoolListener for CheckOuts {
    fn connection_checked_out(&self, _: &ConnectionCheckedOutEvent) {
        self.saw("checked out");
    }

    fn connection_checkout_failed(&self, event: &ConnectionCheckoutFailedEvent) {
        self.saw(if event.reason.as_str() == "connectionError" { "connection error" } else { "other failure" });
    }

    fn pool_cleared(&self, _: &PoolClearedEvent) {
        self.saw("cleared");
    }
}

/// Two operations share one connection; the first makes the pool be cleared while the other waits for it.
async fn both_survive_a_cleared_pool(command: &str, run: impl AsyncFn(Collection<Document>) -> Result<()>) {
    let set = ReplicaSet::start(1).await.unwrap();
    let (commands, check_outs) = (Commands::new(), Arc::new(CheckOuts::default()));
    let client = Client::builder()
        .uri(set.uri_with(&[("maxPoolSize", "1")]))
        .command_listener(commands.clone())
        .pool_listener(check_outs.clone())
        .build()
        .unwrap();
    let things = client.database("it").collection::<Document>("things");
    let fault = FailPoint::fail_command([command]).times(1).error_code(91).block(Duration::from_secs(1));
    let fault = if command == "insert" { fault.error_labels([labels::RETRYABLE_WRITE_ERROR]) } else { fault };
    let _guard = set.primary().await.unwrap().enable(fault).await.unwrap();
    let (one, other) = futures_util::future::join(run(things.clone()), run(things.clone())).await;
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    client.flush_events().await;
    let seen = check_outs.0.lock().unwrap().clone();
    assert_eq!(seen[..3], ["checked out", "cleared", "connection error"], "{seen:?}");
    assert_eq!(commands.named(command).len(), 3);
    client.close().await;
}

#[tokio::test]
async fn retryable_reads_1_a_cleared_pool_is_no_error_of_a_read() {
    both_survive_a_cleared_pool("find", async |things| things.find_one(doc! {}).await.map(drop)).await;
}

#[tokio::test]
async fn retryable_writes_2_a_cleared_pool_is_no_error_of_a_write() {
    both_survive_a_cleared_pool("insert", async |things| things.insert_one(doc! {}).await.map(drop)).await;
}

/// Which servers answered commands of one name, with success or not.
#[derive(Default)]
struct Answers {
    succeeded: Mutex<Vec<String>>,
    failed: Mutex<Vec<String>>,
}

impl Answers {
    fn take(&self) -> (Vec<String>, Vec<String>) {
        (std::mem::take(&mut *self.succeeded.lock().unwrap()), std::mem::take(&mut *self.failed.lock().unwrap()))
    }
}

fn counts(name: &str) -> bool {
    ["find", "insert"].contains(&name)
}

impl CommandListener for Answers {
    fn delivery(&self) -> Delivery {
        Delivery::Inline
    }

    fn command_succeeded(&self, event: &CommandSucceededEvent) {
        if counts(&event.command_name) {
            self.succeeded.lock().unwrap().push(event.connection.address.to_string());
        }
    }

    fn command_failed(&self, event: &CommandFailedEvent) {
        if counts(&event.command_name) {
            self.failed.lock().unwrap().push(event.connection.address.to_string());
        }
    }
}

async fn knows(client: &Client, servers: usize) {
    eventually("all servers are known", async || {
        client.topology_description().known_servers().count() == servers || {
            client.ping(mongo_actors::options::ReadPreference::nearest()).await.unwrap();
            false
        }
    })
    .await;
}

/// Both pretended routers lead to one server, whose fail point meets an attempt whichever way it comes.
async fn routers_are_changed(fault: FailPoint, run: impl AsyncFn(&Collection<Document>) -> Result<()>) {
    let set = ReplicaSet::start(1).await.unwrap();
    let (first, second) = (MongosProxy::start(&set).await.unwrap(), MongosProxy::start(&set).await.unwrap());
    let answers = Arc::new(Answers::default());
    let uri = MongosProxy::uri_of(&[&first, &second], &[("localThresholdMS", "30000")]);
    let client = Client::builder().uri(uri).command_listener(answers.clone()).build().unwrap();
    let things = client.database("it").collection::<Document>("things");
    things.insert_one(doc! {}).await.unwrap();
    knows(&client, 2).await;
    answers.take();
    let _guard = set.primary().await.unwrap().enable(fault.times(2)).await.unwrap();
    run(&things).await.unwrap_err();
    let (succeeded, failed) = answers.take();
    assert_eq!((succeeded.len(), failed.len()), (0, 2));
    assert_ne!(failed[0], failed[1], "the other router is tried");
    client.close().await;
}

async fn the_only_router_is_tried_again(fault: FailPoint, run: impl AsyncFn(&Collection<Document>) -> Result<()>) {
    let set = ReplicaSet::start(1).await.unwrap();
    let router = MongosProxy::start(&set).await.unwrap();
    let answers = Arc::new(Answers::default());
    let client = Client::builder().uri(router.uri()).command_listener(answers.clone()).build().unwrap();
    let things = client.database("it").collection::<Document>("things");
    things.insert_one(doc! {}).await.unwrap();
    answers.take();
    let _guard = set.primary().await.unwrap().enable(fault.times(1)).await.unwrap();
    run(&things).await.unwrap();
    let (succeeded, failed) = answers.take();
    assert_eq!((succeeded.len(), failed.len()), (1, 1));
    assert_eq!(succeeded, failed);
    client.close().await;
}

#[tokio::test]
async fn retryable_reads_2_1_a_read_is_repeated_on_another_router() {
    let fault = FailPoint::fail_command(["find"]).error_code(6);
    routers_are_changed(fault, async |things| things.find_one(doc! {}).await.map(drop)).await;
}

#[tokio::test]
async fn retryable_reads_2_2_a_read_is_repeated_on_the_only_router() {
    let fault = FailPoint::fail_command(["find"]).error_code(6);
    the_only_router_is_tried_again(fault, async |things| things.find_one(doc! {}).await.map(drop)).await;
}

#[tokio::test]
async fn retryable_writes_4_a_write_is_repeated_on_another_router() {
    let fault = FailPoint::fail_command(["insert"]).error_code(6).error_labels([labels::RETRYABLE_WRITE_ERROR]);
    routers_are_changed(fault, async |things| things.insert_one(doc! {}).await.map(drop)).await;
}

#[tokio::test]
async fn retryable_writes_5_a_write_is_repeated_on_the_only_router() {
    let fault = FailPoint::fail_command(["insert"]).error_code(6).error_labels([labels::RETRYABLE_WRITE_ERROR]);
    let run = async |things: &Collection<Document>| things.insert_one(doc! {}).await.map(drop);
    the_only_router_is_tried_again(fault.close_connection(), run).await;
}

#[tokio::test]
async fn retryable_reads_3_only_overload_and_only_on_demand_changes_the_member() {
    let set = ReplicaSet::start(2).await.unwrap();
    for (retarget, labels, moves) in
        [("true", &OVERLOAD[..], true), ("false", &OVERLOAD[..1], false), ("false", &OVERLOAD[..], false)]
    {
        let answers = Arc::new(Answers::default());
        let options = [("readPreference", "primaryPreferred"), ("enableOverloadRetargeting", retarget)];
        let client = Client::builder().uri(set.uri_with(&options)).command_listener(answers.clone()).build().unwrap();
        knows(&client, 2).await;
        let fault = FailPoint::fail_command(["find"]).times(1).error_code(6).error_labels(labels.iter().copied());
        let guard = set.primary().await.unwrap().enable(fault).await.unwrap();
        client.database("it").collection::<Document>("things").find_one(doc! {}).await.unwrap();
        let (succeeded, failed) = answers.take();
        assert_eq!((succeeded.len(), failed.len()), (1, 1));
        assert_eq!(succeeded != failed, moves, "retargeting {retarget}, labels {labels:?}");
        guard.disable().await.unwrap();
        client.close().await;
    }
}

fn refusal(code: i32, labels: &[&str]) -> Reply {
    Reply::document(doc! { "ok": 0, "code": code, "codeName": "Scripted", "errmsg": "no", "errorLabels": labels })
}

/// A primary whose first answer differs from all others.
async fn primary(command: &str, first: Reply, others: Reply) -> (ScriptedServer, Collection<Document>) {
    let server = ScriptedServer::builder()
        .role(Role::Primary("rs".into()))
        .nth(command, 0, first)
        .on(command, others)
        .start()
        .await
        .unwrap();
    let client = Client::with_uri_str(&server.uri()).await.unwrap();
    (server, client.database("db").collection("things"))
}

#[tokio::test]
async fn retryable_reads_4_one_overload_error_sets_the_number_of_repetitions() {
    let (first, others) = (refusal(91, &OVERLOAD), refusal(91, &OVERLOAD[..1]));
    let (server, things) = primary("find", first, others).await;
    assert_eq!(things.find_one(doc! {}).await.unwrap_err().code(), Some(91));
    assert_eq!(server.received_named("find").len(), 3);
}

#[tokio::test]
async fn retryable_writes_1_a_storage_engine_without_transaction_numbers_is_explained() {
    let message = "Transaction numbers are only allowed on a replica set member or mongos";
    let refusal = Reply::error(20, "IllegalOperation", message);
    let (server, things) = primary("insert", refusal.clone(), refusal).await;
    let error = things.insert_one(doc! {}).await.unwrap_err();
    assert_eq!(error.code(), Some(20));
    let explained = "This MongoDB deployment does not support retryable writes. Please add retryWrites=false to your \
                     connection string.";
    assert!(error.to_string().contains(explained), "{error}");
    assert_eq!(server.received_named("insert").len(), 1);
}

async fn insert_error(first: Reply, others: Reply) -> (Error, usize) {
    let (server, things) = primary("insert", first, others).await;
    let error = things.insert_one(doc! {}).await.unwrap_err();
    (error, server.received_named("insert").len())
}

#[tokio::test]
async fn retryable_writes_3_a_write_concern_error_outlives_a_repetition_that_wrote_nothing() {
    let concern = doc! { "code": 91, "errmsg": "no" };
    let labels = [labels::RETRYABLE_WRITE_ERROR];
    let first = doc! { "ok": 1, "n": 1, "writeConcernError": concern, "errorLabels": &labels[..] };
    let others = refusal(10107, &[labels[0], labels::NO_WRITES_PERFORMED]);
    let (error, attempts) = insert_error(Reply::document(first), others).await;
    assert_eq!((error.code(), attempts), (Some(91), 2));
}

#[tokio::test]
async fn retryable_writes_6_1_of_errors_that_show_an_attempt_the_last_is_reported() {
    let (error, attempts) = insert_error(refusal(91, &OVERLOAD), refusal(10107, &OVERLOAD)).await;
    assert_eq!((error.code(), attempts), (Some(10107), 3));
}

#[tokio::test]
async fn retryable_writes_6_2_of_errors_that_show_none_the_first_is_reported() {
    let labels = [OVERLOAD[0], OVERLOAD[1], labels::NO_WRITES_PERFORMED];
    let (error, attempts) = insert_error(refusal(91, &labels), refusal(10107, &labels)).await;
    assert_eq!((error.code(), attempts), (Some(91), 3));
}

#[tokio::test]
async fn retryable_writes_6_3_an_error_that_shows_an_attempt_goes_before_those_that_show_none() {
    let labels = [OVERLOAD[0], OVERLOAD[1], labels::NO_WRITES_PERFORMED];
    let (error, _) = insert_error(refusal(91, &OVERLOAD), refusal(91, &labels)).await;
    assert_eq!(error.code(), Some(91));
    assert!(!error.has_label(labels::NO_WRITES_PERFORMED), "{error:?}");
}

#[tokio::test]
async fn retryable_writes_6_4_one_overload_error_sets_the_number_of_repetitions() {
    let others = refusal(91, &[labels::RETRYABLE_ERROR, labels::RETRYABLE_WRITE_ERROR]);
    let (error, attempts) = insert_error(refusal(91, &OVERLOAD), others).await;
    assert_eq!((error.code(), attempts), (Some(91), 3));
}

/// `retryable-writes/tests/README.md`, split batch tests: each command of an insert is repeated by itself.
#[tokio::test]
async fn retryable_writes_split_batches_are_repeated_one_by_one() {
    let server = ScriptedServer::builder()
        .role(Role::Primary("rs".into()))
        .hello(doc! { "maxWriteBatchSize": 2 })
        .nth("insert", 1, Reply::Close)
        .with("insert", |command| {
            Reply::document(doc! { "ok": 1, "n": command.body.get_array("documents").map_or(0, Vec::len) as i32 })
        })
        .start()
        .await
        .unwrap();
    let client = Client::with_uri_str(&server.uri()).await.unwrap();
    let things = client.database("db").collection::<Document>("things");
    // From now on the limits of the server are known.
    client.database("db").run_command("ping").await.unwrap();
    let result = things.insert_many((0..4).map(|id| doc! { "_id": id })).await.unwrap();
    assert_eq!(result.inserted_ids.len(), 4);
    let sent = server.received_named("insert");
    let numbers: Vec<_> = sent.iter().map(|sent| sent.body.get_i64("txnNumber").unwrap()).collect();
    assert!(numbers.len() == 3 && numbers[1] == numbers[2] && numbers[0] != numbers[1], "{numbers:?}");
    let distinct: BTreeSet<_> = sent.iter().map(|sent| sent.body.get_document("lsid").unwrap().to_string()).collect();
    assert!(!distinct.is_empty());
}
