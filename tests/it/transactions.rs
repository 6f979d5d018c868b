//! Transactions on real deployments.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use mongo_actors::{
    Client, Collection,
    bson::{Document, doc},
    error::{Outcome, labels},
    options::WriteConcern,
};
use mongo_actors_testkit::{Break, FailPoint, MongosProxy, ReplicaSet};

use crate::{commands::Commands, sessions::client_of};

/// A collection that exists, so that the server need not create it within a transaction.
pub(crate) async fn things(set: &ReplicaSet) -> (Collection<Document>, Arc<Commands>) {
    let (client, commands) = client_of(set, &[]).await;
    let things = client.database("it").create_collection("things").await.unwrap();
    commands.take();
    (things, commands)
}

#[tokio::test]
async fn a_transaction_is_committed_as_a_whole() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    let mut session = things.client().start_session().await.unwrap();
    session.start_transaction().write_concern(WriteConcern::majority()).await.unwrap();
    assert!(session.in_transaction());
    things.insert_one(doc! { "_id": 1 }).session(&mut session).await.unwrap();
    things.insert_one(doc! { "_id": 2 }).session(&mut session).await.unwrap();
    assert_eq!(things.find_one(doc! { "_id": 1 }).await.unwrap(), None);
    assert!(things.find_one(doc! { "_id": 1 }).session(&mut session).await.unwrap().is_some());
    session.commit_transaction().await.unwrap();
    assert!(!session.in_transaction());
    assert_eq!(things.count_documents(doc! {}).await.unwrap(), 2);
    let sent = commands.take();
    let inserts: Vec<_> = sent.iter().filter(|sent| sent.name == "insert").collect();
    assert_eq!(inserts[0].transaction_fields(), ["startTransaction", "autocommit"]);
    assert_eq!(inserts[1].transaction_fields(), ["autocommit"]);
    assert_eq!(inserts[0].command.get("txnNumber"), inserts[1].command.get("txnNumber"));
    assert!(!inserts[0].command.contains_key("writeConcern"));
    let commit = sent.iter().find(|sent| sent.name == "commitTransaction").unwrap();
    assert_eq!(commit.command.get_document("writeConcern").unwrap(), &doc! { "w": "majority" });
    things.client().close().await;
}

#[tokio::test]
async fn nothing_remains_of_an_aborted_transaction() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    let mut session = things.client().start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    session.abort_transaction().await.unwrap();
    session.start_transaction().await.unwrap();
    session.commit_transaction().await.unwrap();
    assert!(commands.take().is_empty(), "empty transactions send nothing");
    session.start_transaction().await.unwrap();
    let cursor = things.insert_many((0..10).map(|number| doc! { "_id": number })).session(&mut session).await;
    assert_eq!(cursor.unwrap().inserted_ids.len(), 10);
    let mut found = things.find(doc! {}).batch_size(3).session(&mut session).await.unwrap();
    assert_eq!(found.to_vec(&mut session).await.unwrap().len(), 10);
    for more in commands.take_named("getMore") {
        assert_eq!(more.transaction_fields(), ["autocommit"]);
        assert!(more.command.contains_key("txnNumber"));
    }
    session.abort_transaction().await.unwrap();
    assert_eq!(things.count_documents(doc! {}).session(&mut session).await.unwrap(), 0);
    let error = session.abort_transaction().await.unwrap_err();
    assert!(error.to_string().contains("No transaction started"), "{error}");
    things.client().close().await;
}

#[tokio::test]
async fn a_session_that_is_dropped_aborts_its_transaction() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, _) = things(&set).await;
    let primary = set.primary().await.unwrap();
    let mut session = things.client().start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    things.insert_one(doc! { "_id": 1 }).session(&mut session).await.unwrap();
    assert_eq!(primary.open_transactions().await.unwrap(), 1);
    drop(session);
    // The write conflicts with the transaction until that is aborted.
    things.insert_one(doc! { "_id": 1 }).await.unwrap();
    assert_eq!(primary.open_transactions().await.unwrap(), 0);
    things.client().close().await;
}

#[tokio::test]
async fn closing_the_client_aborts_open_transactions() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    let mut session = things.client().start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    things.insert_one(doc! { "_id": 1 }).session(&mut session).await.unwrap();
    commands.take();
    things.client().close().await;
    let names = commands.take_names();
    assert_eq!(names, ["abortTransaction", "endSessions"]);
    assert_eq!(set.primary().await.unwrap().open_transactions().await.unwrap(), 0);
    assert!(session.commit_transaction().await.is_err());
}

#[tokio::test]
async fn a_dropped_operation_leaves_only_the_abort() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    let primary = set.primary().await.unwrap();
    let mut session = things.client().start_session().await.unwrap();
    // The first time it is the operation that begins the transaction on the server.
    for inserts_before in [0, 1] {
        session.start_transaction().await.unwrap();
        for _ in 0..inserts_before {
            things.insert_one(doc! {}).session(&mut session).await.unwrap();
        }
        let block = FailPoint::fail_command(["insert"]).times(1).block(Duration::from_millis(300));
        let point = primary.enable(block).await.unwrap();
        let mut slow = Box::pin(things.insert_one(doc! {}).session(&mut session).into_future());
        assert!(futures_util::poll!(slow.as_mut()).is_pending());
        point.wait_for_hits(1, Duration::from_secs(10)).await.unwrap();
        drop(slow);
        commands.take();
        let error = things.find_one(doc! {}).session(&mut session).await.unwrap_err();
        assert!(error.to_string().contains("can only be aborted"), "{error}");
        let error = session.commit_transaction().await.unwrap_err();
        assert!(error.to_string().contains("can only be aborted"), "{error}");
        assert!(session.in_transaction());
        session.abort_transaction().await.unwrap();
        assert_eq!(commands.take_names(), ["abortTransaction"]);
        assert_eq!(primary.open_transactions().await.unwrap(), 0);
    }
    assert_eq!(things.count_documents(doc! {}).session(&mut session).await.unwrap(), 0);
    things.client().close().await;
}

#[tokio::test]
async fn an_operation_dropped_before_it_was_sent_needs_no_abort_command() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, commands) = client_of(&set, &[("maxPoolSize", "1")]).await;
    let things = client.database("it").create_collection("things").await.unwrap();
    let block = FailPoint::fail_command(["find"]).times(1).block(Duration::from_millis(500));
    let point = set.primary().await.unwrap().enable(block).await.unwrap();
    let other = tokio::spawn({
        let things = things.clone();
        async move { things.find_one(doc! {}).await }
    });
    point.wait_for_hits(1, Duration::from_secs(10)).await.unwrap();
    let mut session = client.start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    let mut waiting = Box::pin(things.insert_one(doc! {}).session(&mut session).into_future());
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());
    drop(waiting);
    commands.take();
    // The only connection is busy: neither the session nor the abort waits for it.
    session.abort_transaction().await.unwrap();
    assert!(commands.take().is_empty());
    other.await.unwrap().unwrap();
    client.close().await;
}

#[tokio::test]
async fn a_lost_connection_makes_a_transaction_transient_and_a_commit_unknown() {
    let set = ReplicaSet::builder(1).behind_proxies().start().await.unwrap();
    let (things, _) = things(&set).await;
    let primary = set.primary().await.unwrap();
    let proxy = primary.proxy().unwrap();
    let mut session = things.client().start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    proxy.arm(Break::before_reply("insert"));
    let error = things.insert_one(doc! { "_id": 1 }).session(&mut session).await.unwrap_err();
    assert!(error.has_label(labels::TRANSIENT_TRANSACTION_ERROR), "{error:?}");
    assert!(!error.has_label(labels::RETRYABLE_WRITE_ERROR) && error.attempts().len() == 1);
    session.abort_transaction().await.unwrap();

    session.start_transaction().await.unwrap();
    things.insert_one(doc! { "_id": 1 }).session(&mut session).await.unwrap();
    proxy.arm(Break::before_reply("commitTransaction"));
    // Repeated by the driver, whether or not retryWrites is on.
    session.commit_transaction().await.unwrap();
    session.start_transaction().await.unwrap();
    things.insert_one(doc! { "_id": 2 }).session(&mut session).await.unwrap();
    proxy.arm(Break::before_reply("commitTransaction").times(2));
    let error = session.commit_transaction().await.unwrap_err();
    assert!(error.has_label(labels::UNKNOWN_TRANSACTION_COMMIT_RESULT), "{error:?}");
    assert!(error.has_label(labels::RETRYABLE_WRITE_ERROR));
    assert!(!error.has_label(labels::TRANSIENT_TRANSACTION_ERROR));
    assert_eq!(error.outcome(), Outcome::Unknown);
    session.commit_transaction().await.unwrap();
    assert_eq!(things.count_documents(doc! {}).await.unwrap(), 2);
    things.client().close().await;
}

#[tokio::test]
async fn conflicts_are_resolved_by_repetition() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, _) = things(&set).await;
    things.insert_one(doc! { "_id": 0, "count": 0 }).await.unwrap();
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let things = things.clone();
            tokio::spawn(async move {
                let mut session = things.client().start_session().await?;
                for _ in 0..5 {
                    let things = things.clone();
                    session
                        .with_transaction(async move |session| {
                            let found = things.find_one(doc! { "_id": 0 }).session(session).await?;
                            let count = found.and_then(|found| found.get_i32("count").ok()).unwrap_or(-1);
                            let next = doc! { "$set": { "count": count + 1 } };
                            things.update_one(doc! { "_id": 0 }, next).session(session).await.map(drop)
                        })
                        .await?;
                }
                Ok::<_, mongo_actors::Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(things.find_one(doc! {}).await.unwrap().unwrap().get_i32("count").unwrap(), 20);
    things.client().close().await;
}

/// A client of two pretended routers.
pub(crate) async fn routers(set: &ReplicaSet) -> ([MongosProxy; 2], Client, Arc<Commands>) {
    let (first, second) = (MongosProxy::start(set).await.unwrap(), MongosProxy::start(set).await.unwrap());
    let uri = MongosProxy::uri_of(&[&first, &second], &[("localThresholdMS", "1000"), ("heartbeatFrequencyMS", "500")]);
    let commands = Commands::new();
    let client = Client::builder().uri(uri).command_listener(commands.clone()).build().unwrap();
    client.database("it").create_collection("things").await.unwrap();
    while client.nodes().len() < 2 {
        client.ping(mongo_actors::options::ReadPreference::nearest()).await.unwrap();
    }
    ([first, second], client, commands)
}

#[tokio::test]
async fn a_transaction_stays_on_its_router() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (_routers, client, commands) = routers(&set).await;
    let things = client.database("it").collection::<Document>("things");
    let mut session = client.start_session().await.unwrap();
    for _ in 0..10 {
        commands.take();
        session.start_transaction().await.unwrap();
        for _ in 0..4 {
            things.insert_one(doc! {}).session(&mut session).await.unwrap();
        }
        session.commit_transaction().await.unwrap();
        session.commit_transaction().await.unwrap();
        let sent = commands.take();
        let servers: BTreeSet<_> = sent.iter().map(|sent| &sent.server).collect();
        assert_eq!((sent.len(), servers.len()), (6, 1));
        assert_eq!(sent[4].transaction_fields(), ["autocommit", "recoveryToken"]);
        assert_eq!(sent[3].transaction_fields(), ["autocommit"]);
    }
    client.close().await;
}

#[tokio::test]
async fn a_commit_whose_router_is_gone_goes_to_another() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (routers, client, commands) = routers(&set).await;
    let things = client.database("it").collection::<Document>("things");
    let mut session = client.start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    things.insert_one(doc! { "_id": 1 }).session(&mut session).await.unwrap();
    let pinned = commands.last().server;
    let router = routers.iter().find(|router| router.address().to_string() == pinned).unwrap();
    router.proxy().arm(Break::before_request("commitTransaction"));
    session.commit_transaction().await.unwrap();
    let commits = commands.take_named("commitTransaction");
    assert_eq!(commits.len(), 2);
    assert_eq!(commits[0].server, pinned);
    assert_ne!(commits[1].server, pinned, "the router that failed is avoided");
    assert_eq!(commits[1].transaction_fields(), ["autocommit", "recoveryToken"]);
    assert_eq!(commits[1].command.get_document("writeConcern").unwrap().get_str("w").unwrap(), "majority");
    assert_eq!(things.count_documents(doc! {}).await.unwrap(), 1);
    client.close().await;
}
