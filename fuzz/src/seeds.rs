//! Writes what the fuzzers start from: `seeds <folder>` makes a folder per target with a few good inputs.

use std::{env, fs, io, path::Path};

use bson::{RawDocumentBuf, oid::ObjectId, rawdoc};
use mongo_actors_protocol::{
    auth::{
        conversation::Conversation,
        credential::{AuthMechanism, Credential},
    },
    compression::MessageCompressor,
    options::Compressor,
    wire::{DocumentSequence, HEADER_LEN, MessageFlags, MessageParts},
};
use rand::{SeedableRng, rngs::StdRng};

fn main() -> io::Result<()> {
    let folder = env::args().nth(1).unwrap_or_else(|| "corpus".to_owned());
    let folder = Path::new(&folder);
    write(folder, "connection_string", connection_strings())?;
    write(folder, "op_msg", messages())?;
    write(folder, "op_compressed", compressed())?;
    write(folder, "hello_reply", hello_replies())?;
    write(folder, "scram", conversations())?;
    write(folder, "command_reply", replies().into_iter().map(RawDocumentBuf::into_bytes).collect())?;
    write(folder, "change_stream", change_streams())?;
    write(folder, "conversation", sasl_replies())?;
    write(folder, "ocsp", ocsp())?;
    write(folder, "pem_key", keys())?;
    write(folder, "srv_records", srv_records())
}

fn write(folder: &Path, target: &str, inputs: Vec<Vec<u8>>) -> io::Result<()> {
    let folder = folder.join(target);
    fs::create_dir_all(&folder)?;
    for (index, input) in inputs.iter().enumerate() {
        fs::write(folder.join(format!("seed-{index}")), input)?;
    }
    Ok(())
}

fn connection_strings() -> Vec<Vec<u8>> {
    [
        "mongodb://localhost",
        "mongodb://user:p%40ssword12345@a:1,[::1]:2,%2Ftmp%2Fm.sock/db.coll?replicaSet=rs&w=majority&wTimeoutMS=5&journal=true",
        "mongodb://a/?readPreference=secondary&readPreferenceTags=dc:ny,rack:1&readPreferenceTags=&maxStalenessSeconds=120",
        "mongodb://a/?tls=true&tlsCAFile=ca.pem&tlsInsecure=true;appname=x&compressors=zstd,zlib&zlibCompressionLevel=3",
        "mongodb://a/?authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:a%3Ab&authSource=$external",
        "mongodb://a/?proxyHost=p&proxyPort=1&proxyUsername=u&proxyPassword=p&timeoutMS=1&loadBalanced=true",
        "mongodb+srv://u:p@cluster0.example.com/?srvMaxHosts=1&srvServiceName=x\0a.example.com:1,b.example.com\0authSource=s",
        "mongodb+srv://a.b.c/?tls=false\0x.b.c:1\0replicaSet=rs&loadBalanced=false",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

fn message(body: &RawDocumentBuf, sequences: &[DocumentSequence]) -> Vec<u8> {
    let parts = MessageParts { body, tail: &[], sequences, flags: MessageFlags::NONE, request_id: 1 };
    let mut out = Vec::new();
    parts.write_to(&mut out, 1 << 20).expect("it is small");
    out
}

fn sequence() -> DocumentSequence {
    let mut sequence = DocumentSequence::new("documents");
    (0..3).for_each(|id| sequence.push(&rawdoc! { "_id": id }));
    sequence
}

fn messages() -> Vec<Vec<u8>> {
    let one = message(&rawdoc! { "ok": 1, "deep": { "er": [{ "est": "text" }] } }, &[]);
    let two = message(&rawdoc! { "ok": 1 }, &[sequence()]);
    let legacy = {
        let document = rawdoc! { "ismaster": true, "ok": 1 }.into_bytes();
        let mut out = ((36 + document.len()) as i32).to_le_bytes().to_vec();
        for number in [1_i32, 2, 1, 8, 0, 0, 0, 1] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&document);
        out
    };
    let with_piece = |piece: u8, messages: &[&Vec<u8>]| {
        let mut out = vec![piece];
        messages.iter().for_each(|message| out.extend_from_slice(message));
        out
    };
    vec![
        with_piece(255, &[&one]),
        with_piece(1, &[&two]),
        with_piece(16, &[&legacy]),
        with_piece(7, &[&one, &two, &legacy]),
    ]
}

fn compressed() -> Vec<Vec<u8>> {
    let plain = message(&rawdoc! { "ok": 1, "text": "the same words again and the same words again" }, &[sequence()]);
    [Compressor::Snappy, Compressor::Zlib { level: None }, Compressor::Zstd { level: None }]
        .map(|compressor| {
            let mut out = Vec::new();
            let mut encoder = MessageCompressor::new(compressor).expect("all algorithms are built in");
            encoder.compress(&plain, &mut out, 1 << 20).expect("it is small");
            out.split_off(HEADER_LEN)
        })
        .to_vec()
}

fn hello_replies() -> Vec<Vec<u8>> {
    let limits = rawdoc! {
        "maxBsonObjectSize": 16_777_216, "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000,
        "logicalSessionTimeoutMinutes": 30, "connectionId": 7, "minWireVersion": 0, "maxWireVersion": 17, "ok": 1.0,
    };
    let with = |mut document: RawDocumentBuf| {
        for element in &limits {
            let (key, value) = element.expect("it was just made");
            document.append(key, value);
        }
        document.into_bytes()
    };
    let id = ObjectId::from_bytes([1; 12]);
    let primary = with(rawdoc! {
        "helloOk": true, "isWritablePrimary": true, "ismaster": true, "setName": "rs", "setVersion": 3,
        "electionId": id, "hosts": ["a:27017", "b:27017"], "passives": ["p"], "arbiters": ["d"], "primary": "a:27017",
        "me": "a:27017", "tags": { "dc": "ny" }, "topologyVersion": { "processId": id, "counter": 5_i64 },
        "lastWrite": { "lastWriteDate": bson::DateTime::from_millis(5) }, "compression": ["zlib"],
        "saslSupportedMechs": ["SCRAM-SHA-256"],
    });
    let secondary = with(rawdoc! { "secondary": true, "setName": "rs", "hosts": ["a:27017", "b:27017"], "primary": "a:27017", "me": "b:27017" });
    let mongos = with(rawdoc! { "msg": "isdbgrid", "isWritablePrimary": true });
    let standalone = with(rawdoc! { "isWritablePrimary": true });
    let balanced = with(rawdoc! { "serviceId": id, "msg": "isdbgrid" });
    let other = with(rawdoc! { "hidden": true, "setName": "rs", "arbiterOnly": true, "isreplicaset": true });
    let join = |choice: u8, documents: &[&Vec<u8>]| {
        let mut out = vec![choice];
        documents.iter().for_each(|document| out.extend_from_slice(document));
        out
    };
    vec![
        join(0, &[&primary, &secondary, &other]),
        join(0, &[&mongos, &mongos]),
        join(1, &[&standalone]),
        join(2, &[&secondary, &primary, &secondary]),
        join(3, &[&balanced]),
        join(4, &[&standalone, &mongos]),
    ]
}

fn conversations() -> Vec<Vec<u8>> {
    [
        (1, "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096\0v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
        (5, "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096\0v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
        (0, "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096\0e=other-error"),
        (1, "m=ext,r=x,s=,i=0"),
    ]
    .map(|(choice, text)| [&[choice], text.as_bytes()].concat())
    .to_vec()
}

fn change_streams() -> Vec<Vec<u8>> {
    let event = |token: &str| {
        rawdoc! {
            "_id": { "_data": token }, "operationType": "update", "ns": { "db": "d", "coll": "c" },
            "documentKey": { "_id": 1 }, "clusterTime": bson::Timestamp { time: 1, increment: 2 },
            "updateDescription": { "updatedFields": { "a": 1 }, "removedFields": ["b"], "truncatedArrays": [] },
            "wallTime": bson::DateTime::from_millis(5), "splitEvent": { "fragment": 1, "of": 2 },
        }
    };
    let batch = |name: &str, id: i64, events: &[RawDocumentBuf], token: Option<&str>| {
        let mut cursor = rawdoc! { "id": id, "ns": "d.c" };
        let mut array = bson::RawArrayBuf::new();
        events.iter().for_each(|event| array.push(event.clone()));
        match name {
            "first" => cursor.append(bson::raw::cstr!("firstBatch"), array),
            _ => cursor.append(bson::raw::cstr!("nextBatch"), array),
        }
        if let Some(token) = token {
            cursor.append(bson::raw::cstr!("postBatchResumeToken"), rawdoc! { "_data": token });
        }
        rawdoc! { "cursor": cursor, "ok": 1.0, "operationTime": bson::Timestamp { time: 1, increment: 2 } }.into_bytes()
    };
    let none: &[RawDocumentBuf] = &[];
    let stream = |choice: u8, replies: &[Vec<u8>]| [&[choice], &*replies.concat()].concat();
    vec![
        stream(0, &[batch("first", 5, none, None), batch("next", 5, &[event("8201"), event("8202")], Some("8203"))]),
        stream(1, &[batch("first", 5, none, Some("8200")), batch("next", 0, &[event("8201")], None)]),
        stream(2, &[batch("first", 5, &[event("8201"), event("8202")], None), batch("next", 5, none, Some("8209"))]),
        stream(0, &[batch("first", 5, &[rawdoc! { "operationType": "insert" }], None)]),
        stream(0, &[batch("first", 5, &[rawdoc! { "_id": f64::NAN, "operationType": "x" }], None)]),
    ]
}

fn sasl_replies() -> Vec<Vec<u8>> {
    let reply = |done: bool, payload: &[u8]| {
        let payload = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: payload.to_vec() };
        rawdoc! { "conversationId": 1, "done": done, "payload": payload, "ok": 1 }.into_bytes()
    };
    // What the client of the target sends first has its nonce; the server's begins with it.
    let first = |mechanism| {
        let credential = Credential::new("AKIDEXAMPLE", "x").with_mechanism(mechanism);
        let now = std::time::SystemTime::UNIX_EPOCH;
        let conversation = Conversation::begin(mechanism, &credential, now, &mut StdRng::seed_from_u64(1));
        let command = conversation.expect("a good credential").first_command().body;
        command.get_binary("payload").expect("it has one").bytes.to_vec()
    };
    let aws = RawDocumentBuf::from_bytes(first(AuthMechanism::MongoDbAws)).expect("AWS speaks BSON");
    let nonce = [aws.get_binary("r").expect("it has a nonce").bytes, &[7; 32]].concat();
    let nonce = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: nonce };
    let challenge = rawdoc! { "s": nonce, "h": "sts.us-west-2.amazonaws.com" }.into_bytes();
    let scram = String::from_utf8(first(AuthMechanism::ScramSha256)).expect("SCRAM speaks text");
    let scram = format!("{}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", &scram[scram.find("r=").expect("a nonce")..]);
    let conversation = |choice: u8, replies: &[Vec<u8>]| [&[choice], &*replies.concat()].concat();
    vec![
        conversation(0, &[reply(false, scram.as_bytes())]),
        conversation(1, &[reply(false, scram.as_bytes())]),
        conversation(2, &[rawdoc! { "dbname": "$external", "user": "CN=client", "ok": 1 }.into_bytes()]),
        conversation(3, &[reply(false, &challenge), reply(true, b"")]),
        conversation(4, &[reply(true, b"")]),
    ]
}

fn ocsp() -> Vec<Vec<u8>> {
    macro_rules! fixtures {
        ($choice:literal: $($name:literal),*) => {
            vec![$([&[$choice], include_bytes!(concat!("../../protocol/src/ocsp/fixtures/", $name, ".der")).as_slice()].concat()),*]
        };
    }
    [
        fixtures!(0: "server", "other"),
        fixtures!(1: "ca.spki"),
        fixtures!(2: "good", "bykey", "delegate", "noend", "revoked", "sha256", "unknown"),
    ]
    .concat()
}

fn keys() -> Vec<Vec<u8>> {
    macro_rules! fixtures {
        ($($name:literal),*) => {
            vec![$(include_bytes!(concat!("../../actors/src/net/tls/fixtures/", $name, ".pem")).to_vec()),*]
        };
    }
    fixtures!("ec.pkcs8", "ec.pkcs8-aes256", "ec.sec1", "ec.legacy-aes256", "rsa.pkcs1", "rsa.legacy-des3", "ca")
}

fn srv_records() -> Vec<Vec<u8>> {
    [
        "mongodb+srv://a.b.c/?srvMaxHosts=2\nx.b.c 1 60\ny.b.c 2 90\nx.evil.c 3 0\nz.b.c 27017 3600",
        "mongodb+srv://u:p@cluster0.example.com/\ndb0.example.com 27017 60\0authSource=s&replicaSet=rs",
        "mongodb+srv://u@a.b.c/?authMechanism=MONGODB-X509\nx.b.c 1 60\0authSource=s&loadBalanced=true",
        "mongodb+srv://localhost/?tls=false\nlocalhost 1 1\na.localhost 2 2\0tls=true\0replicaSet=rs",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

fn replies() -> Vec<RawDocumentBuf> {
    let time = rawdoc! {
        "clusterTime": bson::Timestamp { time: 1, increment: 2 },
        "signature": { "hash": bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![0; 20] }, "keyId": 1_i64 },
    };
    vec![
        rawdoc! {
            "cursor": { "id": 5_i64, "ns": "db.c", "firstBatch": [{ "_id": 1 }, { "_id": 2, "x": [1.5, true, bson::RawBson::Null] }], "postBatchResumeToken": { "_data": "82" } },
            "ok": 1.0, "$clusterTime": time, "operationTime": bson::Timestamp { time: 1, increment: 2 },
        },
        rawdoc! { "ok": 0.0, "code": 10107, "codeName": "NotWritablePrimary", "errmsg": "not primary", "errorLabels": ["RetryableWriteError"], "topologyVersion": { "processId": ObjectId::from_bytes([1; 12]), "counter": 5_i64 } },
        rawdoc! { "ok": 1, "n": 2, "nModified": 1, "upserted": [{ "index": 0, "_id": 5 }], "writeErrors": [{ "index": 1, "code": 11000, "errmsg": "duplicate", "keyPattern": { "a": 1 }, "keyValue": { "a": 1 } }], "writeConcernError": { "code": 64, "errmsg": "late", "errInfo": { "wtimeout": true } } },
        rawdoc! { "ok": 1, "when": bson::DateTime::from_millis(-5), "id": ObjectId::from_bytes([2; 12]), "re": bson::Regex { pattern: "a".try_into().expect("no zero"), options: "i".try_into().expect("no zero") } },
    ]
}
