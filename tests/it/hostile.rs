//! Servers that lie, cheat and misbehave: each connection ends with a clear error, and the driver lives on.

use std::time::{Duration, Instant};

use mongo_actors::{
    Client, Collection,
    bson::{Bson, Document, bson, doc, oid::ObjectId, spec::BinarySubtype},
    error::{Error, ErrorKind, Result},
    options::ServerMonitoringMode,
};
use mongo_actors_testkit::{Received, Reply, ScriptedServer};

fn found() -> Reply {
    Reply::cursor("it.things", [doc! { "_id": 1 }])
}

async fn server() -> ScriptedServer {
    ScriptedServer::builder().on("find", found()).start().await.unwrap()
}

/// A client that repeats nothing, and does not stream its checks.
fn client_of(server: &ScriptedServer) -> Client {
    let uri = server.uri_with(&[("serverSelectionTimeoutMS", "3000"), ("retryReads", "false")]);
    Client::builder().uri(uri).retry_writes(false).server_monitoring_mode(ServerMonitoringMode::Poll).build().unwrap()
}

fn things(client: &Client) -> Collection<Document> {
    client.database("it").collection("things")
}

/// Nothing of the driver has crashed, whatever came.
#[track_caller]
fn assert_unharmed(client: &Client, context: &str) {
    for actor in client.actors() {
        assert_eq!(actor.restarts, 0, "{context}: {actor:?}");
    }
}

fn nested(levels: usize) -> Document {
    (0..levels).fold(doc! { "ok": 1.0 }, |inner, _| doc! { "ok": 1.0, "a": inner })
}

fn header(length: i32, op_code: i32) -> Vec<u8> {
    [length, 1, 1, op_code].iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// An OP_MSG with these sections, in answer to nothing.
fn message(sections: &[u8]) -> Vec<u8> {
    let mut message = header(i32::try_from(20 + sections.len()).unwrap(), 2013);
    message.extend([0; 4]);
    message.extend(sections);
    message
}

#[tokio::test]
async fn every_malformed_reply_ends_its_connection_and_no_other() {
    let ok = || doc! { "ok": 1.0 };
    let length = |length| Reply::Length { document: ok(), length };
    let cases: Vec<(Reply, &str)> = vec![
        (Reply::WrongResponseTo(ok()), "where the answer to request"),
        (length(-1), "announced a message of -1 bytes"),
        (length(i32::MIN), "announced a message of"),
        (length(15), "announced a message of 15 bytes"),
        (length(i32::MAX), "announced a message of 2147483647 bytes"),
        (length(48_000_001), "announced a message of 48000001 bytes"),
        (length(22), "the message"),
        (length(30), "the message"),
        (Reply::Truncated { document: ok(), bytes: 3 }, "in the middle of a reply"),
        (Reply::Truncated { document: ok(), bytes: 17 }, "in the middle of a reply"),
        (Reply::Truncated { document: ok(), bytes: 30 }, "in the middle of a reply"),
        (Reply::Close, "closed the connection"),
        (Reply::Reset, "reset"),
        (Reply::Raw(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec()), "announced a message of"),
        (Reply::Raw(header(16, 2013)), "inside its flags"),
        (Reply::Raw(header(16, 4711)), "unknown operation code 4711"),
        (Reply::Raw(header(16, 2004)), "which is no reply"),
        (Reply::Raw(header(16, 2012)), ""),
        (Reply::Raw(message(&[])), "no document"),
        (Reply::Raw(message(&[7])), "unknown kind 7"),
        (Reply::Raw(message(&[0, 255, 255, 255, 127])), "where"),
        (Reply::Raw(message(&[0, 255, 255, 255, 255])), "where"),
        (Reply::Raw(message(&[0, 5, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0])), "more than one document"),
        (Reply::Raw(message(&[1, 255, 255, 255, 127, 0])), "where"),
        (Reply::Document(nested(300)), "nested more than 256 levels"),
        (Reply::Stream(vec![ok(), ok()]), "nobody has asked for"),
        (Reply::Endless { document: ok(), every: Duration::from_millis(1) }, "nobody has asked for"),
    ];
    let server = server().await;
    let client = client_of(&server);
    let things = things(&client);
    for (reply, expected) in cases {
        let context = format!("{reply:.80?}");
        server.once("find", reply);
        let error = things.find_one(doc! {}).await.expect_err(&context);
        let text = error.to_string();
        assert!(text.contains(expected), "{context}: {text}");
        assert!(matches!(error.kind(), ErrorKind::Protocol { .. } | ErrorKind::AutoReconnect { .. }), "{error:?}");
        assert_eq!(things.find_one(doc! {}).await.unwrap(), Some(doc! { "_id": 1 }), "{context}");
        let finds = server.received_named("find");
        let [.., bad, good] = finds.as_slice() else { panic!("{context}") };
        assert_ne!(bad.connection, good.connection, "{context}");
        assert_unharmed(&client, &context);
    }
    client.close().await;
}

#[tokio::test]
async fn a_reply_of_the_longest_allowed_length_does_not_wait_for_ever() {
    let server = server().await;
    let client = client_of(&server);
    // 48 million bytes are announced, and 38 come: only a limit of time can help, and does.
    server.once("find", Reply::Length { document: doc! { "ok": 1.0 }, length: 48_000_000 });
    let options = mongo_actors::options::CollectionOptions::new().timeout(Duration::from_millis(300));
    let timed = client.database("it").collection_with_options::<Document>("things", options);
    let started = Instant::now();
    let error = timed.find_one(doc! {}).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(10));
    things(&client).find_one(doc! {}).await.unwrap();
    assert_unharmed(&client, "length");
    client.close().await;
}

#[tokio::test]
async fn cursors_that_make_no_sense_are_errors() {
    let server = server().await;
    let client = client_of(&server);
    let things = things(&client);
    let cursor = |cursor: Document| Reply::document(doc! { "ok": 1.0, "cursor": cursor });
    let batch = || vec![doc! { "_id": 1 }];
    for (reply, names) in [
        (Reply::document(doc! { "ok": 1.0 }), "cursor"),
        (Reply::document(doc! { "ok": 1.0, "cursor": 7 }), "cursor"),
        (cursor(doc! { "ns": "it.things", "firstBatch": batch() }), "cursor.id"),
        (cursor(doc! { "id": "7", "ns": "it.things", "firstBatch": batch() }), "cursor.id"),
        (cursor(doc! { "id": 0.5, "ns": "it.things", "firstBatch": batch() }), "cursor.id"),
        (cursor(doc! { "id": f64::NAN, "ns": "it.things", "firstBatch": batch() }), "cursor.id"),
        (cursor(doc! { "id": 0_i64, "ns": "it.things", "firstBatch": "none" }), "firstBatch"),
        (cursor(doc! { "id": 7_i64, "ns": "", "firstBatch": batch() }), "cursor.ns"),
        (cursor(doc! { "id": 7_i64, "ns": "nodot", "firstBatch": batch() }), "cursor.ns"),
        (cursor(doc! { "id": 0_i64, "ns": "it.things", "firstBatch": [1, "two"] }), "document"),
    ] {
        let context = format!("{reply:.100?}");
        server.once("find", reply);
        let outcome = match things.find(doc! {}).await {
            Ok(cursor) => cursor.to_vec_checked().await,
            Err(error) => Err(error),
        };
        let error = outcome.expect_err(&context);
        assert!(matches!(error.kind(), ErrorKind::InvalidReply { .. }), "{context}: {error:?}");
        assert!(error.to_string().contains(names), "{context}: {error}");
        assert_unharmed(&client, &context);
    }
    client.close().await;
}

/// Reads a cursor to its end.
trait ReadToEnd {
    async fn to_vec_checked(self) -> Result<Vec<Document>>;
}

impl ReadToEnd for mongo_actors::Cursor<Document> {
    async fn to_vec_checked(mut self) -> Result<Vec<Document>> {
        let mut all = Vec::new();
        while let Some(document) = self.try_next().await? {
            all.push(document);
        }
        Ok(all)
    }
}

#[tokio::test]
async fn later_batches_may_lie_too() {
    let server = server().await;
    let client = client_of(&server);
    let things = things(&client);
    let open = |id: i64| {
        Reply::document(doc! { "ok": 1.0, "cursor": { "id": id, "ns": "it.things", "firstBatch": [{ "_id": 1 }] } })
    };
    let next = |cursor: Document| Reply::document(doc! { "ok": 1.0, "cursor": cursor });
    for (reply, is_error) in [
        (Reply::document(doc! { "ok": 1.0 }), true),
        (next(doc! { "id": "x", "ns": "it.things", "nextBatch": [] }), true),
        (next(doc! { "id": 0_i64, "ns": "it.things", "nextBatch": 5 }), true),
        (next(doc! { "id": 0_i64, "ns": "it.things", "nextBatch": [{ "_id": 2 }] }), false),
    ] {
        for id in [7, -7, i64::MIN, i64::MAX] {
            server.once("find", open(id));
            server.once("getMore", reply.clone());
            let outcome = things.find(doc! {}).await.unwrap().to_vec_checked().await;
            assert_eq!(outcome.is_err(), is_error, "{reply:?}, {id}: {outcome:?}");
            let asked = server.received_named("getMore").last().unwrap().body.get_i64("getMore").unwrap();
            assert_eq!(asked, id);
        }
        assert_unharmed(&client, "getMore");
    }
    client.close().await;
}

#[tokio::test]
async fn counts_that_make_no_sense_are_no_panic() {
    let server = server().await;
    let client = client_of(&server);
    let things = things(&client);
    let numbers: [Bson; 8] = [
        bson!(-1),
        bson!(i32::MIN),
        bson!(i64::MIN),
        bson!(i64::MAX),
        bson!(f64::NAN),
        bson!(f64::INFINITY),
        bson!("many"),
        Bson::Null,
    ];
    for number in numbers {
        let reply = Reply::document(doc! {
            "ok": 1.0, "n": number.clone(), "nModified": number.clone(),
            "upserted": [{ "index": number.clone(), "_id": 1 }],
        });
        for command in ["insert", "update", "delete", "count"] {
            server.on(command, reply.clone());
        }
        let context = number.to_string();
        // Whether it is an error or not: it is an answer.
        let _ = things.insert_one(doc! { "_id": 1 }).await;
        let _ = things.insert_many([doc! { "_id": 1 }, doc! { "_id": 2 }]).await;
        let _ = things.update_many(doc! {}, doc! { "$set": { "a": 1 } }).await;
        let _ = things.delete_many(doc! {}).await;
        if let Ok(count) = things.estimated_document_count().await {
            assert!(i64::try_from(count).is_ok(), "{context}");
        }
        let errors = Reply::document(doc! {
            "ok": 1.0, "n": 0,
            "writeErrors": [{ "index": number.clone(), "code": number.clone(), "errmsg": number.clone() }],
            "writeConcernError": { "code": number.clone(), "errmsg": number },
        });
        server.on("insert", errors);
        assert!(things.insert_one(doc! { "_id": 1 }).await.is_err(), "{context}");
        assert!(things.insert_many([doc! { "_id": 1 }]).await.is_err(), "{context}");
        assert_unharmed(&client, &context);
    }
    client.close().await;
}

/// Pings a server that greets so.
async fn greeted(hello: Document) -> (Result<Document>, Client, ScriptedServer) {
    let server = ScriptedServer::builder().hello(hello).on("find", found()).start().await.unwrap();
    let uri = server.uri_with(&[("serverSelectionTimeoutMS", "1000")]);
    let client = Client::builder().uri(uri).server_monitoring_mode(ServerMonitoringMode::Poll).build().unwrap();
    let outcome = client.database("admin").run_command(doc! { "ping": 1 }).await;
    (outcome, client, server)
}

#[tokio::test]
async fn greetings_that_make_no_sense_are_put_right_or_refused() {
    let crowd: Vec<_> = (0..5000).map(|number| format!("10.0.0.1:{}", number + 1)).collect();
    for (hello, accepted) in [
        (doc! { "maxBsonObjectSize": -1, "maxMessageSizeBytes": 0, "maxWriteBatchSize": i32::MIN }, true),
        (doc! { "maxBsonObjectSize": i32::MAX, "maxMessageSizeBytes": i32::MAX, "maxWriteBatchSize": i32::MAX }, true),
        (doc! { "logicalSessionTimeoutMinutes": i64::MAX }, true),
        (doc! { "logicalSessionTimeoutMinutes": -5 }, true),
        (doc! { "connectionId": i64::MIN, "compression": ["", "x".repeat(1000)] }, true),
        (doc! { "speculativeAuthenticate": { "done": true }, "saslSupportedMechs": ["x"] }, true),
        (doc! { "maxBsonObjectSize": "large" }, false),
        (doc! { "maxWireVersion": -1 }, false),
        (doc! { "minWireVersion": 1000, "maxWireVersion": i32::MAX }, false),
        (doc! { "minWireVersion": i32::MIN, "maxWireVersion": i32::MIN }, false),
        (doc! { "setName": "rs", "hosts": crowd, "secondary": true }, false),
        (doc! { "setName": "rs", "hosts": ["", ":", "a:99999999"], "secondary": true }, false),
        (doc! { "setName": 5 }, false),
        (doc! { "topologyVersion": { "processId": ObjectId::new(), "counter": -1_i64 } }, true),
        (doc! { "topologyVersion": { "processId": 1 }, "lastWrite": { "lastWriteDate": 7 } }, true),
        (doc! { "$clusterTime": { "clusterTime": 1 }, "operationTime": "now" }, true),
        (doc! { "ok": 0.0, "errmsg": "no", "code": i32::MAX }, false),
        (doc! { "ok": f64::NAN }, false),
        (nested(300), false),
    ] {
        let context = format!("{hello:.120?}");
        let started = Instant::now();
        let (outcome, client, _server) = greeted(hello).await;
        assert_eq!(outcome.is_ok(), accepted, "{context}: {outcome:?}");
        assert!(started.elapsed() < Duration::from_secs(10), "{context}");
        assert!(client.topology_description().servers.len() < 10, "{context}");
        assert_unharmed(&client, &context);
        client.close().await;
    }
}

#[tokio::test]
async fn a_server_that_is_small_gets_small_messages() {
    let hello = doc! { "maxBsonObjectSize": 1000, "maxMessageSizeBytes": 100_000, "maxWriteBatchSize": 2 };
    let (outcome, client, server) = greeted(hello).await;
    outcome.unwrap();
    server.with("insert", |command: &Received| {
        Reply::document(doc! { "ok": 1.0, "n": command.body.get_array("documents").unwrap().len() as i32 })
    });
    things(&client).insert_many((0..5).map(|number| doc! { "_id": number })).await.unwrap();
    assert_eq!(server.received_named("insert").len(), 3);
    let error = things(&client).insert_one(doc! { "text": "x".repeat(1500) }).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::DocumentTooLarge { .. }), "{error:?}");
    // A reply larger than what the server itself declares is not read.
    server.once("find", Reply::cursor("it.things", [doc! { "text": "x".repeat(100_000) }]));
    server.once("find", Reply::cursor("it.things", [doc! { "text": "x".repeat(100_000) }]));
    let error = things(&client).find_one(doc! {}).await.unwrap_err();
    assert!(error.to_string().contains("outside 16..=100000"), "{error}");
    assert_unharmed(&client, "small");
    client.close().await;
}

#[tokio::test]
async fn talking_out_of_turn_ends_the_connection() {
    let server = server().await;
    let client = client_of(&server);
    let things = things(&client);
    // The second reply comes when nobody waits for one.
    let mut twice = Vec::new();
    for _ in 0..2 {
        let body = doc! { "ok": 1.0 }.to_vec().unwrap();
        let mut sections = vec![0];
        sections.extend(body);
        twice.extend(message(&sections));
    }
    server.with("find", move |command: &Received| {
        let mut bytes = twice.clone();
        let half = bytes.len() / 2;
        for start in [0, half] {
            bytes[start + 8..start + 12].copy_from_slice(&command.request_id.to_le_bytes());
        }
        Reply::Raw(bytes)
    });
    for _ in 0..3 {
        let error = things.find_one(doc! {}).await.unwrap_err();
        assert!(!matches!(error.kind(), ErrorKind::Abandoned), "{error:?}");
    }
    let finds = server.received_named("find");
    assert!(finds.windows(2).all(|pair| pair[0].connection != pair[1].connection), "{finds:?}");
    server.on("find", found());
    for _ in 0..5 {
        assert_eq!(things.find_one(doc! {}).await.unwrap(), Some(doc! { "_id": 1 }));
    }
    assert_unharmed(&client, "out of turn");
    client.close().await;
}

fn binary(text: impl Into<Vec<u8>>) -> mongo_actors::bson::Binary {
    mongo_actors::bson::Binary { subtype: BinarySubtype::Generic, bytes: text.into() }
}

fn sasl(payload: impl Into<Vec<u8>>, done: bool) -> Document {
    doc! { "conversationId": 1, "done": done, "payload": binary(payload), "ok": 1.0 }
}

/// The nonce in the first message of a client.
fn nonce(command: &Received) -> String {
    let payload = command.body.get_binary_generic("payload").unwrap();
    String::from_utf8(payload.clone()).unwrap().rsplit("r=").next().unwrap().to_owned()
}

async fn scram_error(server: &ScriptedServer) -> Error {
    let uri = server.uri().replace("mongodb://", "mongodb://alice:pencil@") + "?authMechanism=SCRAM-SHA-256";
    let client = Client::builder().uri(uri).server_monitoring_mode(ServerMonitoringMode::Poll).build().unwrap();
    let error = client.database("admin").run_command(doc! { "ping": 1 }).await.unwrap_err();
    assert_unharmed(&client, "scram");
    client.close().await;
    assert!(!error.to_string().contains("pencil"), "{error}");
    error
}

#[tokio::test]
async fn servers_that_only_pretend_to_know_the_password_are_found_out() {
    type Cheat = fn(&str) -> Document;
    let cases: [(Cheat, &str); 9] = [
        (|nonce| sasl(format!("r={nonce}x,s=c2FsdHNhbHQ=,i=4095"), false), "4095"),
        (|nonce| sasl(format!("r={nonce}x,s=c2FsdHNhbHQ=,i=1"), false), "iterations"),
        (|nonce| sasl(format!("r={nonce}x,s=c2FsdHNhbHQ=,i=4294967295"), false), "iterations"),
        (|nonce| sasl(format!("r={nonce}x,s=c2FsdHNhbHQ=,i=-1"), false), ""),
        (|_| sasl("r=somebodyelses,s=c2FsdHNhbHQ=,i=4096", false), "nonce"),
        (|nonce| sasl(format!("r={nonce},s=c2FsdHNhbHQ=,i=4096"), false), "nonce"),
        (|nonce| sasl(format!("r={nonce}x,s=!,i=4096"), false), "salt"),
        (|nonce| sasl(format!("r={nonce}x,s=c2FsdHNhbHQ=,i=4096"), true), "before it proved its identity"),
        (|_| doc! { "ok": 1.0 }, "conversationId"),
    ];
    for (cheat, expected) in cases {
        let server = ScriptedServer::builder()
            .with("saslStart", move |command: &Received| Reply::document(cheat(&nonce(command))))
            .start()
            .await
            .unwrap();
        let error = scram_error(&server).await;
        assert!(matches!(error.kind(), ErrorKind::Authentication { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        // The proof, with which the password could be guessed, has not left.
        assert!(server.received_named("saslContinue").is_empty(), "{expected}");
        assert!(server.received_named("ping").is_empty(), "{expected}");
    }
}

#[tokio::test]
async fn a_wrong_signature_of_the_server_is_no_success() {
    for (last, expected) in [
        (sasl("v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", true), "signature is wrong"),
        (sasl("v=!!", true), "base64"),
        (sasl("e=invalid-proof", true), "invalid-proof"),
        (sasl("", true), ""),
        (sasl("", false), ""),
    ] {
        let server = ScriptedServer::builder()
            .with("saslStart", |command: &Received| {
                Reply::document(sasl(format!("r={}x,s=c2FsdHNhbHQ=,i=4096", nonce(command)), false))
            })
            .on("saslContinue", Reply::document(last))
            .start()
            .await
            .unwrap();
        let error = scram_error(&server).await;
        assert!(matches!(error.kind(), ErrorKind::Authentication { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        assert!(server.received_named("ping").is_empty());
    }
}

#[tokio::test]
async fn a_conversation_without_end_is_ended() {
    let server = ScriptedServer::builder()
        .with("saslStart", |command: &Received| {
            Reply::document(sasl(format!("r={}x,s=c2FsdHNhbHQ=,i=4096", nonce(command)), false))
        })
        .with("saslContinue", |command: &Received| {
            let payload = command.body.get_binary_generic("payload").unwrap().clone();
            Reply::document(sasl(payload, false))
        })
        .start()
        .await
        .unwrap();
    let error = scram_error(&server).await;
    assert!(matches!(error.kind(), ErrorKind::Authentication { .. }), "{error:?}");
    assert!(server.received_named("saslContinue").len() <= 4);
}

#[tokio::test]
async fn a_server_that_floods_its_monitor_is_only_a_nuisance() {
    let server = ScriptedServer::builder()
        .hello(doc! { "topologyVersion": { "processId": ObjectId::new(), "counter": 1_i64 } })
        .on("find", found())
        .start()
        .await
        .unwrap();
    let client =
        Client::builder().uri(server.uri()).server_monitoring_mode(ServerMonitoringMode::Stream).build().unwrap();
    let things = things(&client);
    things.find_one(doc! {}).await.unwrap();
    let hello = doc! {
        "ok": 1.0, "helloOk": true, "isWritablePrimary": true, "maxWireVersion": 17, "minWireVersion": 0,
        "topologyVersion": { "processId": ObjectId::new(), "counter": 2_i64 },
    };
    for name in ["hello", "isMaster"] {
        server.once(name, Reply::Endless { document: hello.clone(), every: Duration::from_micros(100) });
    }
    let started = Instant::now();
    for _ in 0..50 {
        things.find_one(doc! {}).await.unwrap();
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_unharmed(&client, "flood");
    client.close().await;
}
