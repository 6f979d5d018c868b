//! Wire compression, against real servers and hostile ones.

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use mongo_actors::{
    Client,
    bson::{Binary, Document, doc, rawdoc, spec::BinarySubtype},
    error::{ErrorKind, Outcome},
    event::{CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent},
};
use mongo_actors_testkit::{Reply, ScriptedServer, Standalone};

const ALGORITHMS: [&str; 3] = ["snappy", "zlib", "zstd"];
/// Larger than what is compressed at once.
const LARGE: usize = 3_000_000;

async fn server(compressors: &str) -> Standalone {
    Standalone::builder().arg("--networkMessageCompressors").arg(compressors).start().await.unwrap()
}

async fn client(server: &Standalone, options: &[(&str, &str)]) -> Client {
    Client::with_uri_str(&server.uri_with(options)).await.unwrap()
}

/// Bytes that the server compressed and decompressed with each algorithm so far.
async fn traffic(client: &Client, algorithm: &str) -> (i64, i64) {
    let status = client.database("admin").run_command(doc! { "serverStatus": 1 }).await.unwrap();
    let Ok(counters) = status.get_document("network").unwrap().get_document("compression") else { return (0, 0) };
    let Ok(counters) = counters.get_document(algorithm) else { return (0, 0) };
    let bytes = |direction| counters.get_document(direction).unwrap().get_i64("bytesIn").unwrap();
    (bytes("compressor"), bytes("decompressor"))
}

/// What every listener is told, without what differs from run to run.
#[derive(Default)]
struct Diary(Mutex<Vec<(&'static str, String, Document)>>);

impl Diary {
    fn note(&self, what: &'static str, name: &str, mut document: Document) {
        for passing in ["lsid", "$clusterTime", "operationTime", "txnNumber"] {
            document.remove(passing);
        }
        self.0.lock().unwrap().push((what, name.to_owned(), document));
    }
}

impl CommandListener for Diary {
    fn command_started(&self, event: &CommandStartedEvent) {
        self.note("started", &event.command_name, (*event.command).clone().try_into().unwrap());
    }

    fn command_succeeded(&self, event: &CommandSucceededEvent) {
        let reply = event.reply.as_document().to_owned().try_into().unwrap();
        self.note("succeeded", &event.command_name, reply);
    }

    fn command_failed(&self, event: &CommandFailedEvent) {
        self.note("failed", &event.command_name, doc! { "failure": event.failure.to_string() });
    }
}

fn noise(length: usize) -> Binary {
    let mut state = 88_172_645_463_325_252_u64;
    let bytes = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    });
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.take(length).collect() }
}

/// Small and large commands and replies, good and bad; what they told the listener.
async fn day(uri: &str) -> Vec<(&'static str, String, Document)> {
    let diary = Arc::new(Diary::default());
    let client = Client::builder().uri(uri).command_listener(diary.clone()).build().unwrap();
    let things = client.database("it").collection::<Document>("things");
    things.insert_many((0..50).map(|id| doc! { "_id": id, "text": "again and again" })).await.unwrap();
    let large = doc! { "_id": "large", "noise": noise(LARGE), "text": "the same ".repeat(LARGE / 9) };
    things.insert_one(large.clone()).await.unwrap();
    assert_eq!(things.find_one(doc! { "_id": "large" }).await.unwrap(), Some(large));
    let mut found = things.find(doc! { "_id": { "$lt": 50 } }).sort(doc! { "_id": 1 }).batch_size(20).await.unwrap();
    let mut count = 0;
    while let Some(thing) = found.try_next().await.unwrap() {
        assert_eq!(thing, doc! { "_id": count, "text": "again and again" });
        count += 1;
    }
    assert_eq!(count, 50);
    assert!(things.insert_one(doc! { "_id": 0 }).await.unwrap_err().is_duplicate_key());
    client.database("it").run_command(doc! { "noSuchCommand": 1 }).await.unwrap_err();
    things.drop().await.unwrap();
    client.close().await;
    let mut entries = diary.0.lock().unwrap().clone();
    entries.retain(|(_, name, _)| name != "endSessions");
    for (_, _, document) in &mut entries {
        if let Ok(cursor) = document.get_document_mut("cursor") {
            cursor.remove("id");
        }
        document.remove("getMore");
    }
    entries
}

#[tokio::test]
async fn each_algorithm_carries_everything_and_changes_no_event() {
    for algorithm in ALGORITHMS {
        let server = server(algorithm).await;
        let observer = client(&server, &[]).await;
        let plain = day(&server.uri()).await;
        assert_eq!(traffic(&observer, algorithm).await, (0, 0), "{algorithm} was used without being asked for");
        let compressed = day(&server.uri_with(&[("compressors", algorithm)])).await;
        let (sent, received) = traffic(&observer, algorithm).await;
        assert!(sent > LARGE as i64 && received > LARGE as i64, "{algorithm}: {sent} and {received} bytes");
        assert!(plain.len() > 10);
        for (plain, compressed) in plain.iter().zip(&compressed) {
            let shown = |entry: &(&str, String, Document)| entry.2.to_string().chars().take(300).collect::<String>();
            assert!(
                plain == compressed,
                "{algorithm}: {} {}: {} {}",
                plain.0,
                plain.1,
                shown(plain),
                shown(compressed)
            );
        }
        assert_eq!(plain.len(), compressed.len());
        observer.close().await;
    }
}

#[tokio::test]
async fn the_first_of_ours_that_the_server_knows_is_used() {
    let server = server("snappy,zlib").await;
    let observer = client(&server, &[]).await;
    for (ours, used) in [("zstd,zlib,snappy", "zlib"), ("snappy,zlib", "snappy")] {
        let before = [traffic(&observer, "snappy").await, traffic(&observer, "zlib").await];
        let client = client(&server, &[("compressors", ours), ("zlibCompressionLevel", "9")]).await;
        client.database("it").run_command(doc! { "ping": 1 }).await.unwrap();
        client.close().await;
        let after = [traffic(&observer, "snappy").await, traffic(&observer, "zlib").await];
        let changed: Vec<_> =
            ["snappy", "zlib"].into_iter().zip(before.iter().zip(&after)).filter(|(_, (a, b))| a != b).collect();
        assert_eq!(changed.iter().map(|(name, _)| *name).collect::<Vec<_>>(), [used], "{ours}");
    }
    for useless in ["zstd", "snoopy", "snoopy,zstd"] {
        let client = client(&server, &[("compressors", useless)]).await;
        client.database("it").run_command(doc! { "ping": 1 }).await.unwrap();
        client.close().await;
    }
    observer.close().await;
}

#[tokio::test]
async fn every_level_is_understood_by_the_server() {
    let server = server("zlib,zstd").await;
    for (compressor, option, levels) in
        [("zlib", "zlibCompressionLevel", -1..=9), ("zstd", "zstdCompressionLevel", 1..=22)]
    {
        for level in levels {
            let client = client(&server, &[("compressors", compressor), (option, &level.to_string())]).await;
            let things = client.database("it").collection::<Document>("levels");
            let thing = doc! { "_id": format!("{compressor} {level}"), "text": "level ".repeat(100) };
            things.insert_one(thing.clone()).await.unwrap();
            assert_eq!(things.find_one(doc! { "_id": thing.get_str("_id").unwrap() }).await.unwrap(), Some(thing));
            client.close().await;
        }
    }
}

#[tokio::test]
async fn users_authenticate_where_messages_are_compressed() {
    let builder = Standalone::builder().arg("--networkMessageCompressors").arg("zstd").auth("ada", "secret");
    let server = builder.start().await.unwrap();
    let client = client(&server, &[("compressors", "zstd")]).await;
    client.database("it").run_command(doc! { "ping": 1 }).await.unwrap();
    assert!(traffic(&client, "zstd").await.1 > 0);
    client.close().await;
}

#[tokio::test]
async fn handshake_and_secrets_are_never_compressed_and_all_else_is() {
    let server = ScriptedServer::builder()
        .hello(doc! { "compression": ["zlib"] })
        .on("createUser", Reply::ok())
        .on("saslStart", Reply::ok())
        .on("find", Reply::cursor("it.things", []))
        .start()
        .await
        .unwrap();
    let client = Client::with_uri_str(&format!("{}?compressors=snappy,zlib", server.uri())).await.unwrap();
    let it = client.database("it");
    it.run_command(doc! { "createUser": "ada", "pwd": "secret", "roles": [] }).await.unwrap();
    it.run_command(doc! { "saslStart": 1, "payload": "secret" }).await.unwrap();
    it.run_command(doc! { "hello": 1 }).await.unwrap();
    it.run_command(doc! { "ping": 1 }).await.unwrap();
    it.collection::<Document>("things").find_one(doc! {}).await.unwrap();
    client.close().await;
    let received = server.received();
    for command in &received {
        let secret = ["hello", "isMaster", "createUser", "saslStart"].contains(&&*command.name);
        assert_eq!(command.compressor, (!secret).then_some(2), "{}", command.name);
    }
    for name in ["isMaster", "hello", "createUser", "saslStart", "ping", "find", "endSessions"] {
        assert!(received.iter().any(|command| command.name == name), "{name} did not come");
    }
    let offers: Vec<_> = received.iter().filter_map(|command| command.body.get_array("compression").ok()).collect();
    assert!(offers.iter().any(|offer| offer.len() == 2));
}

/// The content of an ordinary reply.
fn reply_content() -> Vec<u8> {
    let mut content = vec![0; 5];
    content.extend_from_slice(rawdoc! { "ok": 1, "text": "text ".repeat(100) }.as_bytes());
    content
}

fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn compressed(original_op_code: i32, uncompressed_size: usize, compressor: u8, data: Vec<u8>) -> Reply {
    let uncompressed_size = i32::try_from(uncompressed_size).unwrap();
    Reply::Compressed { original_op_code, uncompressed_size, compressor, data }
}

#[tokio::test]
async fn replies_are_read_as_they_are_marked_whatever_was_negotiated() {
    let content = reply_content();
    let server = ScriptedServer::builder().start().await.unwrap();
    server.once("ping", compressed(2013, content.len(), 0, content.clone()));
    server.once("ping", compressed(2013, content.len(), 2, zlib(&content)));
    server.once("ping", Reply::ok());
    let client = Client::with_uri_str(&format!("{}?maxPoolSize=1", server.uri())).await.unwrap();
    for _ in 0..3 {
        client.database("it").run_command(doc! { "ping": 1 }).await.unwrap();
    }
    let connections: Vec<_> = server.received_named("ping").iter().map(|command| command.connection).collect();
    assert!(connections.iter().all(|connection| *connection == connections[0]));
    client.close().await;
}

#[tokio::test]
async fn a_hostile_compressed_reply_ends_its_connection_with_a_clear_error() {
    let content = reply_content();
    let packed = zlib(&content);
    let cut = |bytes: &[u8], end: usize| bytes[..end].to_vec();
    let bomb = zlib(&vec![0; 40_000_000]);
    assert!(bomb.len() < 100_000);
    let snappy_bomb = vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
    let cases = [
        ("size", compressed(2013, 47_999_985, 2, bomb.clone()), "is outside"),
        (
            "negative size",
            Reply::Compressed { original_op_code: 2013, uncompressed_size: -1, compressor: 2, data: packed.clone() },
            "is outside",
        ),
        ("more than announced", compressed(2013, 100, 2, bomb.clone()), "more than 100 bytes"),
        ("much more than announced", compressed(2013, 1_000_000, 2, bomb), "more than 1000000 bytes"),
        ("less than announced", compressed(2013, content.len() + 1, 2, packed.clone()), "announced"),
        ("far less than announced", compressed(2013, 40_000_000, 2, packed.clone()), "announced"),
        ("Snappy's own size", compressed(2013, content.len(), 1, snappy_bomb), "4294967295"),
        ("nested", compressed(2012, content.len(), 2, packed.clone()), "another compressed message"),
        ("unknown operation", compressed(9999, content.len(), 2, packed.clone()), "operation code 9999"),
        ("no reply", compressed(2004, content.len(), 2, packed.clone()), "no reply"),
        ("unknown algorithm", compressed(2013, content.len(), 77, packed.clone()), "unknown algorithm 77"),
        ("wrong algorithm", compressed(2013, content.len(), 3, packed.clone()), "zstd"),
        ("cut", compressed(2013, content.len(), 2, cut(&packed, packed.len() - 3)), "no end"),
        ("nothing", compressed(2013, content.len(), 2, Vec::new()), "zlib"),
        ("followed by something", compressed(2013, content.len(), 2, [packed, vec![1]].concat()), "follows the end"),
        ("content is no reply", compressed(2013, 3, 0, vec![1, 2, 3]), "flags"),
    ];
    let server = ScriptedServer::builder().start().await.unwrap();
    let uri = format!("{}?maxPoolSize=1&retryReads=false", server.uri());
    let client = Client::with_uri_str(&uri).await.unwrap();
    for (what, reply, expected) in cases {
        server.once("ping", reply);
        let error = client.database("it").run_command(doc! { "ping": 1 }).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error.kind(), ErrorKind::Protocol { .. }), "{what}: {error:?}");
        assert!(text.contains(expected), "{what}: {text}");
        assert_eq!(error.outcome(), Outcome::Unknown, "{what}");
        let spoiled = server.received_named("ping").last().unwrap().connection;
        client.database("it").run_command(doc! { "ping": 1 }).await.unwrap();
        assert_ne!(server.received_named("ping").last().unwrap().connection, spoiled, "{what}");
    }
    client.close().await;
}

#[tokio::test]
async fn giving_up_while_a_large_message_is_compressed_leaves_the_connection_usable() {
    let server = server("zlib").await;
    let options = [("compressors", "zlib"), ("zlibCompressionLevel", "9"), ("maxPoolSize", "1")];
    let client = client(&server, &options).await;
    let things = client.database("it").collection::<Document>("given_up");
    things.insert_one(doc! { "_id": -1 }).await.unwrap();
    let before = connection_id(&client).await;
    for id in 0..5 {
        let large = doc! { "_id": id, "noise": noise(10_000_000) };
        let insert = async { things.insert_one(large).await };
        assert!(tokio::time::timeout(Duration::from_millis(60), insert).await.is_err(), "it was compressed too fast");
        client.database("it").run_command(doc! { "ping": 1 }).await.unwrap();
    }
    assert_eq!(connection_id(&client).await, before, "the connection was closed without need");
    client.close().await;
}

/// The server's number for the only connection of the pool.
async fn connection_id(client: &Client) -> i32 {
    let reply = client.database("admin").run_command(doc! { "hello": 1 }).await.unwrap();
    reply.get_i32("connectionId").unwrap()
}
