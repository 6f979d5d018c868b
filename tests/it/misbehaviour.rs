//! Servers that break the protocol, and networks that swallow what they are given.

use std::time::{Duration, Instant};

use mongo_actors::{
    Client, Collection,
    bson::{Document, doc},
    error::{ErrorKind, Outcome},
};
use mongo_actors_testkit::{Direction, Proxy, Reply, ScriptedServer, Standalone};

fn collection(uri: &str) -> (Client, Collection<Document>) {
    let client = Client::builder().uri(uri).retry_reads(false).retry_writes(false).build().unwrap();
    let things = client.database("it").collection("things");
    (client, things)
}

fn good() -> Document {
    doc! { "ok": 1.0, "cursor": { "id": 0_i64, "ns": "it.things", "firstBatch": [{ "_id": 1 }] } }
}

/// Each broken reply is an error that says what is wrong, costs its connection, and nothing but that.
#[tokio::test]
async fn a_malformed_reply_is_an_error_and_the_next_operation_succeeds() {
    let server = ScriptedServer::builder().on("find", Reply::document(good())).start().await.unwrap();
    let (client, things) = collection(&server.uri());
    let mut header = 1_000_i32.to_le_bytes().to_vec();
    header.extend([7_u8; 996]);
    let broken = [
        ("another request's reply", Reply::WrongResponseTo(good())),
        ("too long", Reply::Length { document: good(), length: 100_000_000 }),
        ("negative length", Reply::Length { document: good(), length: -1 }),
        ("shorter than a header", Reply::Length { document: good(), length: 3 }),
        ("no message", Reply::Raw(vec![0xff; 64])),
        ("an unknown opcode", Reply::Raw(header)),
        ("cut off", Reply::Truncated { document: good(), bytes: 30 }),
        ("cut off in the header", Reply::Truncated { document: good(), bytes: 7 }),
        ("nothing", Reply::Close),
        ("a reset", Reply::Reset),
        ("no cursor", Reply::document(doc! { "ok": 1.0 })),
        ("a cursor that is none", Reply::document(doc! { "ok": 1.0, "cursor": 5 })),
        (
            "a batch that is none",
            Reply::document(doc! { "ok": 1.0, "cursor": { "id": 0_i64, "ns": "it.things", "firstBatch": "x" } }),
        ),
    ];
    for (what, reply) in broken {
        server.once("find", reply);
        let answer = tokio::time::timeout(Duration::from_secs(5), things.find_one(doc! {}).into_future()).await;
        let error = answer.unwrap_or_else(|_| panic!("{what}: nothing came")).unwrap_err();
        let known = matches!(
            error.kind(),
            ErrorKind::Protocol { .. } | ErrorKind::InvalidReply { .. } | ErrorKind::AutoReconnect { .. }
        );
        assert!(known, "{what}: {error}");
        assert_eq!(error.server(), Some(&server.address()), "{what}: {error}");
        let found = things.find_one(doc! {}).await.unwrap_or_else(|error| panic!("after {what}: {error}"));
        assert_eq!(found, Some(doc! { "_id": 1 }), "after {what}");
    }
    client.close().await;
}

#[tokio::test]
async fn a_write_whose_reply_is_broken_has_an_unknown_outcome() {
    let server = ScriptedServer::builder().on("insert", Reply::Raw(vec![0xff; 64])).start().await.unwrap();
    let (client, things) = collection(&server.uri());
    let error = things.insert_one(doc! { "_id": 1 }).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Protocol { .. }), "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown);
    client.close().await;
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_at_the_limit_that_applies() {
    let server = ScriptedServer::builder().on("find", Reply::Never).start().await.unwrap();
    for (option, is_it) in [
        ("socketTimeoutMS", (|kind| matches!(kind, ErrorKind::NetworkTimeout { .. })) as fn(&ErrorKind) -> bool),
        ("timeoutMS", |kind| matches!(kind, ErrorKind::OperationTimeout)),
    ] {
        let (client, things) = collection(&format!("{}?{option}=300", server.uri()));
        client.ping(mongo_actors::options::ReadPreference::nearest()).await.unwrap();
        let started = Instant::now();
        let error = things.find_one(doc! {}).await.unwrap_err();
        let waited = started.elapsed();
        assert!(is_it(error.kind()) && error.is_timeout(), "{option}: {error:?}");
        assert!(waited >= Duration::from_millis(290) && waited < Duration::from_secs(3), "{option}: {waited:?}");
        client.close().await;
    }
}

#[tokio::test]
async fn a_server_whose_handshake_is_no_mongodb_ends_selection_with_the_reason() {
    let server = ScriptedServer::builder().on("hello", Reply::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()));
    let server = server.on("isMaster", Reply::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())).start().await.unwrap();
    let (client, things) = collection(&format!("{}?serverSelectionTimeoutMS=500", server.uri()));
    let error = things.find_one(doc! {}).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ServerSelectionTimeout), "{error}");
    assert!(error.to_string().contains(&server.address().to_string()), "{error}");
    client.close().await;
}

#[tokio::test]
async fn a_paused_server_is_noticed_within_the_timeout_and_serves_again_when_it_resumes() {
    let server = Standalone::start().await.unwrap();
    let uri = server.uri_with(&[("socketTimeoutMS", "400"), ("heartbeatFrequencyMS", "500")]);
    let (client, things) = collection(&uri);
    things.insert_one(doc! { "_id": 1 }).await.unwrap();
    server.member().pause().await.unwrap();
    let started = Instant::now();
    let error = things.find_one(doc! {}).await.unwrap_err();
    assert!(error.is_timeout() && started.elapsed() < Duration::from_secs(3), "{error} {:?}", started.elapsed());
    server.member().resume().unwrap();
    assert!(things.find_one(doc! {}).await.unwrap().is_some());
    client.close().await;
}

#[tokio::test]
async fn a_partition_ends_by_the_deadline_and_heals() {
    let server = Standalone::start().await.unwrap();
    let proxy = Proxy::start(server.member().direct_address().to_string().parse().unwrap()).await.unwrap();
    let uri = format!("mongodb://{}/?timeoutMS=600&heartbeatFrequencyMS=500&connectTimeoutMS=500", proxy.address());
    let (client, things) = collection(&uri);
    things.insert_one(doc! { "_id": 1 }).await.unwrap();
    proxy.stall(Direction::Both);
    let started = Instant::now();
    let error = things.insert_one(doc! { "_id": 2 }).await.unwrap_err();
    assert!(error.is_timeout() && started.elapsed() < Duration::from_secs(3), "{error}");
    proxy.heal().await.unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while things.find_one(doc! { "_id": 1 }).await.is_err() {
        assert!(Instant::now() < end, "it never healed");
    }
    client.close().await;
}
