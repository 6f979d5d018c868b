//! The loop around transactions, with its time and its dice in the test's hands. Among these are prose tests of the
//! convenient API for transactions, named so.

use std::time::{Duration, Instant};

use bson::{Document, doc};
use mongo_actors_engine::Entropy;
use mongo_actors_protocol::transaction::Repetition;
use mongo_actors_testkit::{Reply, Role, ScriptedServer};
use rand::RngCore;

use crate::{
    Client, Collection,
    error::{Error, ErrorKind, labels},
};

async fn bank() -> (ScriptedServer, Collection<Document>) {
    let server = ScriptedServer::builder()
        .role(Role::Mongos)
        .on("insert", Reply::document(doc! { "ok": 1, "n": 1, "recoveryToken": { "shard": 1 } }))
        .start()
        .await
        .unwrap();
    let client = Client::with_uri_str(server.uri()).await.unwrap();
    (server, client.database("bank").collection("transfers"))
}

fn labelled(code: i32, label: &str) -> Reply {
    Reply::document(doc! { "ok": 0, "code": code, "errmsg": "injected", "errorLabels": [label] })
}

/// A loop whose time is up after its first attempt.
fn over() -> Repetition {
    let now = Instant::now();
    Repetition::new(now, Some(now))
}

fn at_once(repetition: &mut Repetition, _: &Entropy) -> Option<Duration> {
    repetition.next_attempt(Instant::now(), &mut Constant(0))
}

/// Dice that always show the same.
struct Constant(u64);

impl RngCore for Constant {
    fn next_u32(&mut self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.0
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// Inserts one document in a transaction, under these conditions.
async fn insert(
    transfers: &Collection<Document>,
    repetition: Repetition,
    pause: fn(&mut Repetition, &Entropy) -> Option<Duration>,
) -> Result<(), Error> {
    let mut session = transfers.client().start_session().await?;
    let mut attempts = session.start_transaction().attempts();
    (attempts.repetition, attempts.pause) = (repetition, pause);
    loop {
        let session = attempts.begin().await?;
        let result = transfers.insert_one(doc! {}).session(session).await;
        if attempts.end(result).await?.is_some() {
            return Ok(());
        }
    }
}

#[tokio::test]
async fn convenient_api_retry_timeout_is_enforced_for_operations() {
    let (server, transfers) = bank().await;
    server.once("insert", labelled(112, labels::TRANSIENT_TRANSACTION_ERROR));
    let error = insert(&transfers, over(), at_once).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TransactionTimeout { .. }) && error.is_timeout(), "{error}");
    assert!(error.has_label(labels::TRANSIENT_TRANSACTION_ERROR));
    let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<Error>()).unwrap();
    assert_eq!((source.code(), source.labels()), (Some(112), error.labels()));
    assert_eq!(server.received_named("abortTransaction").len(), 1);
}

#[tokio::test]
async fn a_timeout_that_was_set_ends_a_transaction_in_the_timeout_of_an_operation() {
    let (server, transfers) = bank().await;
    server.once("insert", labelled(112, labels::TRANSIENT_TRANSACTION_ERROR));
    let mut session = transfers.client().start_session().await.unwrap();
    let mut attempts = session.start_transaction().timeout(Duration::from_secs(20)).attempts();
    attempts.repetition = over();
    let result = transfers.insert_one(doc! {}).session(attempts.begin().await.unwrap()).await;
    let error = attempts.end(result).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OperationTimeout), "{error:?}");
    assert!(error.has_label(labels::TRANSIENT_TRANSACTION_ERROR));
    let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<Error>()).unwrap();
    assert_eq!((source.code(), source.labels()), (Some(112), error.labels()));
}

#[tokio::test]
async fn convenient_api_retry_timeout_is_enforced_for_commits() {
    for label in [labels::UNKNOWN_TRANSACTION_COMMIT_RESULT, labels::TRANSIENT_TRANSACTION_ERROR] {
        let (server, transfers) = bank().await;
        server.once("commitTransaction", labelled(64, label));
        let error = insert(&transfers, over(), at_once).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TransactionTimeout { .. }), "{error}");
        assert!(error.has_label(label));
        assert_eq!(server.received_named("commitTransaction").len(), 1);
    }
}

#[tokio::test]
async fn convenient_api_retry_backoff_is_enforced() {
    let (server, transfers) = bank().await;
    let longest: fn(&mut Repetition, &Entropy) -> Option<Duration> =
        |repetition, _| repetition.next_attempt(Instant::now(), &mut Constant(u64::MAX));
    let mut durations = Vec::new();
    for pause in [at_once, longest] {
        for _ in 0..13 {
            server.once("commitTransaction", labelled(251, labels::TRANSIENT_TRANSACTION_ERROR));
        }
        let started = Instant::now();
        insert(&transfers, Repetition::new(started, None), pause).await.unwrap();
        durations.push(started.elapsed());
    }
    // On a loaded machine the round trips themselves may take longer the second time, but hardly by so much.
    let pauses = durations[1].saturating_sub(durations[0]);
    assert!(pauses > Duration::from_millis(1_800) && pauses < Duration::from_millis(4_000), "{durations:?}");
    assert_eq!(server.received_named("commitTransaction").len(), 28);
}

#[tokio::test]
async fn convenient_api_callback_raises_a_custom_error() {
    #[derive(Debug, thiserror::Error)]
    #[error("not enough money")]
    struct Poor;

    let (server, transfers) = bank().await;
    let mut session = transfers.client().start_session().await.unwrap();
    let mut calls = 0;
    let result: Result<(), Error> = session
        .with_transaction(async |session| {
            calls += 1;
            transfers.insert_one(doc! {}).session(session).await?;
            Err(Error::custom(Poor))
        })
        .await;
    let error = result.unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().is::<Poor>());
    assert_eq!((calls, error.to_string()), (1, "not enough money".to_owned()));
    assert_eq!(server.received_named("abortTransaction").len(), 1);
    assert!(server.received_named("commitTransaction").is_empty() && !session.in_transaction());
}

#[tokio::test]
async fn convenient_api_callback_returns_a_value() {
    let (_server, transfers) = bank().await;
    let mut session = transfers.client().start_session().await.unwrap();
    let value = session
        .with_transaction(async |session| {
            transfers.insert_one(doc! {}).session(session).await?;
            Ok("foo")
        })
        .await;
    assert_eq!(value.unwrap(), "foo");
}

#[tokio::test]
async fn operations_may_end_the_transaction_themselves() {
    let (server, transfers) = bank().await;
    let mut session = transfers.client().start_session().await.unwrap();
    let value = session
        .with_transaction(async |session| {
            transfers.insert_one(doc! {}).session(session).await?;
            session.abort_transaction().await?;
            Ok(7)
        })
        .await;
    assert_eq!(value.unwrap(), 7);
    assert!(server.received_named("commitTransaction").is_empty());
}

#[tokio::test]
async fn a_commit_of_unknown_result_is_sent_again_for_a_majority() {
    let (server, transfers) = bank().await;
    let mut session = transfers.client().start_session().await.unwrap();
    server.once("commitTransaction", labelled(64, labels::UNKNOWN_TRANSACTION_COMMIT_RESULT));
    session
        .with_transaction(async |session| transfers.insert_one(doc! {}).session(session).await.map(drop))
        .await
        .unwrap();
    let commits = server.received_named("commitTransaction");
    assert_eq!(commits.len(), 2);
    assert!(!commits[0].body.contains_key("writeConcern"));
    assert_eq!(commits[1].body.get_document("writeConcern").unwrap(), &doc! { "w": "majority", "wtimeout": 10_000 });
    assert_eq!(commits[0].body.get("txnNumber"), commits[1].body.get("txnNumber"));
    for commit in commits {
        assert_eq!(commit.body.get_document("recoveryToken").unwrap(), &doc! { "shard": 1 });
    }
    assert_eq!(server.received_named("insert").len(), 1);
}

#[tokio::test]
async fn a_commit_that_ran_out_of_its_own_time_is_not_sent_again() {
    let (server, transfers) = bank().await;
    let mut session = transfers.client().start_session().await.unwrap();
    server.once("commitTransaction", Reply::error(50, "MaxTimeMSExpired", "too slow"));
    let error = session
        .start_transaction()
        .max_commit_time(Duration::from_millis(7))
        .and_run(async |session| transfers.insert_one(doc! {}).session(session).await.map(drop))
        .await
        .unwrap_err();
    assert!(error.has_label(labels::UNKNOWN_TRANSACTION_COMMIT_RESULT), "{error:?}");
    let commits = server.received_named("commitTransaction");
    assert_eq!(commits.len(), 1);
    assert_eq!(commits[0].body.get("maxTimeMS").and_then(bson::Bson::as_i64), Some(7));
}

/// The reply to an operation that was dropped is waited for, but not for longer than the transaction has.
#[tokio::test]
async fn starting_a_transaction_waits_for_a_dropped_operation_within_its_own_time() {
    let (server, transfers) = bank().await;
    let mut session = transfers.client().start_session().await.unwrap();
    server.once("insert", Reply::Never);
    let dropped = transfers.insert_one(doc! {}).session(&mut session).into_future();
    tokio::select! {
        result = dropped => panic!("{result:?}"),
        sent = server.wait_for("insert", 1, Duration::from_secs(10)) => drop(sent.unwrap()),
    }
    let begun = Instant::now();
    let error = session.start_transaction().timeout(Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OperationTimeout), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    // Without a limit, it waits until the reply is given up.
    session.start_transaction().await.unwrap();
}

#[tokio::test]
async fn an_overloaded_server_begins_the_transaction_with_the_repetition() {
    let (server, transfers) = bank().await;
    let mut session = transfers.client().start_session().await.unwrap();
    let overloaded = doc! {
        "ok": 0, "code": 462, "errmsg": "busy", "errorLabels": ["SystemOverloadedError", "RetryableError"],
        "baseBackoffMS": 1,
    };
    server.once("insert", Reply::document(overloaded.clone()));
    server.once("commitTransaction", Reply::document(overloaded));
    session.start_transaction().await.unwrap();
    transfers.insert_one(doc! {}).session(&mut session).await.unwrap();
    session.commit_transaction().await.unwrap();
    let inserts = server.received_named("insert");
    assert_eq!(inserts.len(), 2);
    assert!(inserts.iter().all(|insert| insert.body.get_bool("startTransaction").unwrap()));
    let commits = server.received_named("commitTransaction");
    assert_eq!(commits.len(), 2);
    assert!(commits.iter().all(|commit| !commit.body.contains_key("writeConcern")));
}

#[tokio::test]
async fn options_of_operations_are_refused_in_a_transaction() {
    use crate::options::{ReadConcern, ReadPreference, WriteConcern};

    let (server, transfers) = bank().await;
    let mut session = transfers.client().start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    let majority = WriteConcern::majority();
    let error = transfers.insert_one(doc! {}).write_concern(majority).session(&mut session).await.unwrap_err();
    assert!(error.to_string().contains("Cannot set write concern after starting a transaction"), "{error}");
    let error = transfers.find_one(doc! {}).read_concern(ReadConcern::local()).session(&mut session).await.unwrap_err();
    assert!(error.to_string().contains("Cannot set read concern after starting a transaction"), "{error}");
    let nearest = ReadPreference::nearest();
    let error =
        transfers.find_one(doc! {}).selection_criteria(nearest.clone()).session(&mut session).await.unwrap_err();
    assert!(error.to_string().contains("read preference in a transaction must be primary"), "{error}");
    assert!(session.in_transaction());
    session.abort_transaction().await.unwrap();
    session.start_transaction().selection_criteria(nearest).await.unwrap();
    transfers.insert_one(doc! {}).session(&mut session).await.unwrap();
    let error = transfers.database().run_command("ping").session(&mut session).await.unwrap_err();
    assert!(error.to_string().contains("read preference in a transaction must be primary"), "{error}");
    assert_eq!(server.received_named("insert").len(), 1);
    assert!(server.received_named("abortTransaction").is_empty(), "nothing had been sent");
}
