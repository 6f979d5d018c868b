//! Sessions that are bound to a scope, guards of transactions, and change streams in sessions.

use std::time::Duration;

use mongo_actors::{
    Client,
    bson::{Document, doc},
    error::ErrorKind,
    options::WriteConcern,
};
use mongo_actors_testkit::{FailPoint, LoadBalancerProxy, ReplicaSet};

use crate::{
    kit::{PATIENCE, Recorder, eventually},
    sessions::client_of,
    transactions::things,
};

#[tokio::test]
async fn operations_in_a_scope_run_in_its_session() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    let client = things.client();
    let mut session = client.start_session().await.unwrap();
    let mut other = client.start_session().await.unwrap();
    let id = |session: &mongo_actors::ClientSession| Document::try_from(session.id()).unwrap();
    let (own, of_other) = (id(&session), id(&other));
    assert_ne!(own, of_other);

    let mut cursor = session
        .scope(async {
            things.insert_many((0..10).map(|id| doc! { "_id": id })).await.unwrap();
            assert_eq!(things.count_documents(doc! {}).await.unwrap(), 10);
            client.database("it").run_command("ping").await.unwrap();
            let mut changes = things.watch().await.unwrap();
            things.insert_one(doc! { "_id": 10 }).await.unwrap();
            changes.next().await.unwrap().unwrap();
            changes.close().await;
            things.find(doc! {}).batch_size(4).await.unwrap()
        })
        .await;
    // What was opened inside stays in the session.
    assert_eq!(cursor.to_vec().await.unwrap().len(), 11);
    let sent = commands.take();
    for name in ["insert", "aggregate", "ping", "getMore", "find"] {
        assert!(sent.iter().any(|sent| sent.name == name), "{name}");
    }
    for sent in sent {
        assert_eq!(sent.lsid(), Some(&own), "{}", sent.name);
    }
    assert!(session.operation_time().is_some(), "it has seen what happened");

    session
        .scope(async {
            other.scope(things.find_one(doc! {})).await.unwrap();
            assert_eq!(commands.last().lsid(), Some(&of_other), "the inner scope holds");
            things.find_one(doc! {}).session(&mut other).await.unwrap();
            assert_eq!(commands.last().lsid(), Some(&of_other), "what it is given goes before");
            let (things, commands) = (things.clone(), commands.clone());
            let spawned = tokio::spawn(async move {
                things.find_one(doc! {}).await.unwrap();
                commands.last().lsid().cloned()
            });
            assert_ne!(spawned.await.unwrap().unwrap(), own, "a task is outside");
        })
        .await;
    things.find_one(doc! {}).await.unwrap();
    assert_ne!(commands.last().lsid(), Some(&own));
    client.close().await;
}

#[tokio::test]
async fn what_cannot_run_in_the_session_of_a_scope_is_refused() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    let (stranger, sent_by_stranger) = client_of(&set, &[]).await;
    let mut session = things.client().start_session().await.unwrap();
    let mut cursor = session
        .scope(async {
            let error = stranger.database("it").run_command("ping").await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::InvalidOperation { .. }), "{error}");
            let none = WriteConcern::nodes(0);
            let error = things.insert_one(doc! {}).write_concern(none).await.unwrap_err();
            assert!(error.to_string().contains("unacknowledged"), "{error}");
            things.insert_many((0..10).map(|id| doc! { "_id": id })).await.unwrap();
            things.find(doc! {}).batch_size(4).await.unwrap()
        })
        .await;
    assert!(sent_by_stranger.take().is_empty());
    session.end().await;
    commands.take();
    let error = session.scope(things.find_one(doc! {})).await.unwrap_err();
    assert!(error.to_string().contains("ended"), "{error}");
    let error = cursor.to_vec().await.unwrap_err();
    assert!(error.to_string().contains("ended"), "{error}");
    assert!(commands.named("getMore").is_empty());
    stranger.close().await;
    things.client().close().await;
}

#[tokio::test]
async fn operations_in_a_scope_belong_to_its_transaction_and_take_turns() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    let mut session = things.client().start_session().await.unwrap();
    session
        .with_transaction(async |session| {
            let insert = |id: i32| things.insert_one(doc! { "_id": id }).into_future();
            let all = async { tokio::try_join!(insert(1), insert(2), insert(3)) };
            session.scope(all).await?;
            let found = session.scope(async { things.find(doc! {}).batch_size(2).await?.to_vec().await }).await?;
            assert_eq!(found.len(), 3);
            assert_eq!(things.count_documents(doc! {}).await?, 0, "outside of the scope, outside of the transaction");
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(things.count_documents(doc! {}).await.unwrap(), 3);
    let inserts = commands.named("insert");
    let starts = inserts.iter().filter(|sent| sent.command.contains_key("startTransaction")).count();
    assert_eq!((inserts.len(), starts), (3, 1));
    assert!(inserts.iter().all(|sent| matches!(sent.command.get_bool("autocommit"), Ok(false))));
    things.client().close().await;
}

#[tokio::test]
async fn a_guarded_transaction_is_committed_by_hand_only() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    let primary = set.primary().await.unwrap();
    let mut session = things.client().start_session().await.unwrap();
    let mut guard = session.start_transaction().write_concern(WriteConcern::majority()).guarded().await.unwrap();
    things.insert_one(doc! { "_id": 1 }).session(&mut guard).await.unwrap();
    guard.scope(things.insert_one(doc! { "_id": 2 })).await.unwrap();
    guard.commit().await.unwrap();
    assert_eq!(things.count_documents(doc! {}).await.unwrap(), 2);

    for round in 0..3 {
        commands.take();
        let mut guard = session.start_transaction().guarded().await.unwrap();
        things.insert_one(doc! { "_id": 10 }).session(&mut guard).await.unwrap();
        if round == 2 {
            // While one of its operations is with the server.
            let block = FailPoint::fail_command(["insert"]).times(1).block(Duration::from_millis(200));
            let point = primary.enable(block).await.unwrap();
            let slow = tokio::time::timeout(
                Duration::from_millis(50),
                things.insert_one(doc! { "_id": 11 }).session(&mut guard).into_future(),
            );
            assert!(slow.await.is_err());
            point.disable().await.unwrap();
        }
        drop(guard);
        assert!(!session.in_transaction());
        match round {
            // Whatever comes next finds the transaction gone.
            0 => assert_eq!(things.count_documents(doc! {}).session(&mut session).await.unwrap(), 2),
            _ => {
                session.start_transaction().await.unwrap();
                things.insert_one(doc! { "_id": 10 }).session(&mut session).await.unwrap();
                session.abort_transaction().await.unwrap();
            }
        }
        let names: Vec<_> = commands.take().into_iter().map(|sent| sent.name).collect();
        let aborted = names.iter().position(|name| name == "abortTransaction").expect("it was aborted");
        assert!(aborted < names.len() - 1, "{names:?}");
    }
    // One in which nothing was done has nothing to abort.
    drop(session.start_transaction().guarded().await.unwrap());
    let error = session.commit_transaction().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidOperation { .. }), "{error}");
    let guard = session.start_transaction().guarded().await.unwrap();
    guard.abort().await.unwrap();
    assert_eq!(primary.open_transactions().await.unwrap(), 0);
    assert_eq!(things.count_documents(doc! {}).await.unwrap(), 2);
    things.client().close().await;
    drop(session);
}

#[tokio::test]
async fn a_session_that_ends_while_its_transaction_is_being_left_loses_nothing() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    let primary = set.primary().await.unwrap();
    let mut session = things.client().start_session().await.unwrap();
    let mut guard = session.start_transaction().guarded().await.unwrap();
    things.insert_one(doc! { "_id": 1 }).session(&mut guard).await.unwrap();
    drop(guard);
    drop(session);
    eventually("it is aborted", async || primary.open_transactions().await.unwrap() == 0).await;
    let abort = commands.named("abortTransaction");
    assert_eq!(abort.len(), 1);
    assert!(abort[0].lsid().is_some());
    things.client().close().await;
}

#[tokio::test]
async fn a_guard_gives_the_connection_behind_a_load_balancer_back() {
    let set = ReplicaSet::start(1).await.unwrap();
    let balancer = LoadBalancerProxy::start(&set, 2).await.unwrap();
    let (recorder, builder) = Recorder::listen(Client::builder().uri(balancer.uri()));
    let client = builder.build().unwrap();
    let things = client.database("it").create_collection("things").await.unwrap();
    let mut session = client.start_session().await.unwrap();
    let mut guard = session.start_transaction().guarded().await.unwrap();
    things.insert_one(doc! { "_id": 1 }).session(&mut guard).await.unwrap();
    drop(guard);
    recorder.expect_all_checked_in(&client).await;
    assert_eq!((recorder.sent("abortTransaction"), recorder.closed()), (1, 0));
    client.close().await;
}

#[tokio::test]
async fn a_change_stream_runs_in_its_session_from_beginning_to_end() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    let client = things.client();
    let (mut session, mut other) = (client.start_session().await.unwrap(), client.start_session().await.unwrap());
    things.insert_one(doc! { "_id": 0 }).session(&mut session).await.unwrap();
    let seen = session.operation_time().unwrap();
    commands.take();
    let primary = set.primary().await.unwrap();
    let mut failing = Vec::new();
    let mut changes = things.watch().session(&mut session).await.unwrap();
    let opened = commands.last();
    assert_eq!(opened.read_concern("afterClusterTime"), Some(&seen.into()));
    for id in 1..4 {
        things.insert_one(doc! { "_id": id }).session(&mut session).await.unwrap();
        let event = tokio::time::timeout(PATIENCE, changes.next(&mut session)).await.unwrap().unwrap().unwrap();
        assert_eq!(event.document_key.unwrap(), doc! { "_id": id });
        if id == 2 {
            // It resumes in the same session.
            let point = FailPoint::fail_command(["getMore"]).times(1).error_code(6);
            let point = point.error_labels(["ResumableChangeStreamError"]);
            failing.push(primary.enable(point).await.unwrap());
        }
    }
    assert_eq!(commands.named("aggregate").len(), 1, "it has resumed once");
    let error = changes.next(&mut other).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("another session"), "{error}");

    session.start_transaction().await.unwrap();
    let error = changes.try_next(&mut session).await.unwrap_err();
    assert!(error.to_string().contains("transaction"), "{error}");
    let error = things.watch().session(&mut session).await.unwrap_err();
    assert!(error.to_string().contains("transaction"), "{error}");
    session.abort_transaction().await.unwrap();
    assert!(changes.is_alive());

    // A call that is dropped leaves the session to the next operation.
    let idle = tokio::time::timeout(Duration::from_millis(50), changes.next(&mut session)).await;
    assert!(idle.is_err());
    things.insert_one(doc! { "_id": 4 }).session(&mut session).await.unwrap();
    let event = tokio::time::timeout(PATIENCE, changes.next(&mut session)).await.unwrap().unwrap().unwrap();
    assert_eq!(event.document_key.unwrap(), doc! { "_id": 4 });
    changes.close().await;
    let own = Document::try_from(session.id()).unwrap();
    // Lost cursors are closed in the background, in whatever session.
    for sent in commands.take().into_iter().filter(|sent| sent.name != "killCursors") {
        assert_eq!(sent.lsid(), Some(&own), "{}", sent.name);
    }
    eventually("no cursor is left", async || set.members()[0].open_cursors().await.unwrap() == 0).await;
    session.end().await;
    client.close().await;
}
