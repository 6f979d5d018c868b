//! Ways to a server: Unix sockets, credentials.

use mongo_actors::{
    Client,
    bson::{Document, doc},
    error::{ErrorKind, Outcome},
};
use mongo_actors_testkit::{ReplicaSet, Standalone};

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_works_like_any_other() {
    let server = Standalone::builder().unix_socket().auth("ada", "lovelace").start().await.unwrap();
    let uri = server.member().socket_uri().unwrap();
    let client = Client::with_uri_str(&uri).await.unwrap();
    let things = client.database("it").collection::<Document>("things");
    things.insert_many((0..1000).map(|id| doc! { "_id": id })).await.unwrap();
    assert_eq!(things.find(doc! {}).batch_size(100).await.unwrap().to_vec().await.unwrap().len(), 1000);
    assert!(client.address().await.unwrap().to_string().ends_with(".sock"));
    // The server restarts, and with it the socket.
    server.member().restart().await.unwrap();
    assert_eq!(things.count_documents(doc! {}).await.unwrap(), 1000);
    client.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_that_is_not_there_is_named() {
    let uri = "mongodb://%2Ftmp%2Fno-such-directory%2Fmongodb.sock/?serverSelectionTimeoutMS=300";
    let client = Client::with_uri_str(uri).await.unwrap();
    let error = client.database("it").collection::<Document>("things").find_one(doc! {}).await.unwrap_err();
    assert!(error.is_timeout() && error.to_string().contains("/tmp/no-such-directory/mongodb.sock"), "{error}");
}

#[tokio::test]
async fn a_replica_set_checks_credentials_on_every_member() {
    let set = ReplicaSet::builder(2).auth("ada", "lovelace").start().await.unwrap();
    let client = Client::with_uri_str(&set.uri_with(&[("w", "2")])).await.unwrap();
    let things = client.database("it").collection::<Document>("things");
    things.insert_one(doc! { "_id": 1 }).await.unwrap();
    let secondary = mongo_actors::options::ReadPreference::secondary();
    let found = things.find_one(doc! { "_id": 1 }).selection_criteria(secondary).await.unwrap();
    assert!(found.is_some());
    client.close().await;

    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256"] {
        let client = Client::with_uri_str(&set.uri_with(&[("authMechanism", mechanism)])).await.unwrap();
        client.database("it").collection::<Document>("things").find_one(doc! {}).await.unwrap();
        client.close().await;
        let wrong = set.uri_with(&[("authMechanism", mechanism)]).replace("lovelace", "babbage");
        let client = Client::with_uri_str(&wrong).await.unwrap();
        let error = client.database("it").collection::<Document>("things").insert_one(doc! {}).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Authentication { .. }), "{error}");
        assert_eq!(error.outcome(), Outcome::NotSent);
        let text = format!("{error} {error:?}");
        assert!(!text.contains("babbage"), "{text}");
        client.close().await;
    }

    let anonymous = Client::with_uri_str(&set.uri_without_credentials()).await.unwrap();
    let error = anonymous.database("it").collection::<Document>("things").find_one(doc! {}).await.unwrap_err();
    assert_eq!(error.code(), Some(13), "{error}");
    anonymous.close().await;
}
