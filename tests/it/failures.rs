//! What users see when something goes wrong: each bad input has its own clear error, in time.

use std::time::{Duration, Instant};

use mongo_actors::{
    Client, Collection,
    bson::{Document, doc},
    error::{ErrorKind, Outcome},
};
use mongo_actors_testkit::Standalone;

use crate::kit::client_and_database;

fn things(client: &Client) -> Collection<Document> {
    client.database("it").collection("things")
}

#[tokio::test]
async fn a_duplicate_key_names_the_server_and_was_rejected() {
    let (client, database) = client_and_database("duplicate-key").await;
    let things = database.collection::<Document>("things");
    things.insert_one(doc! { "_id": 1 }).await.unwrap();
    let error = things.insert_one(doc! { "_id": 1 }).await.unwrap_err();
    assert!(error.is_duplicate_key(), "{error}");
    assert_eq!(error.code(), Some(11000));
    assert!(error.server().is_some());
    client.close().await;
}

#[tokio::test]
async fn who_cannot_be_reached_is_named_within_the_selection_timeout() {
    for host in ["localhost:1", "no-such-host.invalid:27017", "127.0.0.1:1"] {
        let client = Client::with_uri_str(format!("mongodb://{host}/?serverSelectionTimeoutMS=300")).await.unwrap();
        let started = Instant::now();
        let error = things(&client).find_one(doc! {}).await.unwrap_err();
        let waited = started.elapsed();
        assert!(waited >= Duration::from_millis(300) && waited < Duration::from_secs(3), "{host}: {waited:?}");
        assert!(matches!(error.kind(), ErrorKind::ServerSelectionTimeout), "{error:?}");
        assert!(error.is_timeout() && error.to_string().contains(host), "{error}");
        assert_eq!(error.outcome(), Outcome::NotSent);
        client.close().await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_an_authentication_error_and_stays_secret() {
    let server = Standalone::builder().auth("ada", "lovelace").start().await.unwrap();
    let client = Client::with_uri_str(server.uri().replace("lovelace", "babbage")).await.unwrap();
    let started = Instant::now();
    let error = things(&client).find_one(doc! {}).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(matches!(error.kind(), ErrorKind::Authentication { .. }), "{error:?}");
    assert_eq!(error.code(), Some(18));
    let text = format!("{error} {error:?} {client:?}");
    assert!(!text.contains("babbage"), "{text}");
    client.close().await;
}

#[tokio::test]
async fn a_closed_client_refuses_everything_at_once() {
    let (client, database) = client_and_database("closed").await;
    let things = database.collection::<Document>("things");
    things.insert_one(doc! {}).await.unwrap();
    client.close().await;
    client.close().await;
    assert!(client.is_closed());
    let started = Instant::now();
    for error in [
        things.find_one(doc! {}).await.unwrap_err(),
        things.insert_one(doc! {}).await.unwrap_err(),
        database.list_collection_names().await.unwrap_err(),
        client.list_database_names().await.unwrap_err(),
        client.warm_up().await.unwrap_err(),
    ] {
        assert!(matches!(error.kind(), ErrorKind::InvalidOperation { .. }), "{error:?}");
        assert!(error.to_string().contains("closed"), "{error}");
        assert_eq!(error.outcome(), Outcome::NotSent);
    }
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn names_that_no_server_accepts_are_refused_before_anything_is_sent() {
    let (client, database) = client_and_database("names").await;
    for name in ["", "a..b", ".a", "a.", "a$b", "a\0b"] {
        let error = database.collection::<Document>(name).insert_one(doc! {}).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidName(_)), "collection {name:?}: {error}");
        assert_eq!(error.outcome(), Outcome::NotSent);
    }
    for name in ["", "a b", "a.b", "a/b", "a\\b", "a\"b", "a$b", "a\0b"] {
        let error = client.database(name).collection::<Document>("things").find_one(doc! {}).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidName(_)), "database {name:?}: {error}");
    }
    client.close().await;
}

#[tokio::test]
async fn operations_that_make_no_sense_are_refused_before_anything_is_sent() {
    let (client, database) = client_and_database("nonsense").await;
    let things = database.collection::<Document>("things");
    for error in [
        things.update_one(doc! {}, doc! { "a": 1 }).await.unwrap_err(),
        things.update_one(doc! {}, doc! {}).await.unwrap_err(),
        things.replace_one(doc! {}, doc! { "$set": { "a": 1 } }).await.unwrap_err(),
        things.insert_many(Vec::<Document>::new()).await.unwrap_err(),
    ] {
        assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
        assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }), "{error:?}");
    }
    let error = things.find_one(doc! { "$noSuchOperator": 1 }).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Command(_)) && error.outcome() == Outcome::Rejected, "{error:?}");
    client.close().await;
}

#[tokio::test]
async fn a_connection_string_is_refused_with_the_place_and_the_remedy() {
    for (uri, named) in [
        ("http://localhost", "mongodb://"),
        ("mongodb://", "host"),
        ("mongodb://localhost:99999", "port"),
        ("mongodb://u:p@ss@localhost", "%40"),
        ("mongodb://localhost/?tls=maybe", "tls"),
        ("mongodb://localhost/?directConnection=true&loadBalanced=true", "loadBalanced"),
    ] {
        let error = Client::with_uri_str(uri).await.unwrap_err();
        assert!(error.is_configuration() || matches!(error.kind(), ErrorKind::InvalidUri { .. }), "{uri}: {error:?}");
        assert!(error.to_string().contains(named), "{uri}: {error}");
    }
}
