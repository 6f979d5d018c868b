use std::time::Duration;

use bson::doc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;
use crate::wire::{
    client::Client,
    message::{Header, MORE_TO_COME, Message, OP_REPLY, op_msg, read_frame},
};

const LIMIT: Duration = Duration::from_secs(5);

async fn client(server: &ScriptedServer) -> Client {
    Client::connect(server.socket_address(), None, None, LIMIT).await.unwrap()
}

/// Sends one command on a connection of its own and returns the connection.
async fn send(server: &ScriptedServer, name: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.socket_address()).await.unwrap();
    stream.write_all(&op_msg(9, 0, 0, &doc! { name: 1, "$db": "db" }).unwrap()).await.unwrap();
    stream
}

#[tokio::test]
async fn replies_follow_the_script() {
    let server = ScriptedServer::builder()
        .role(Role::Mongos)
        .hello(doc! { "maxWireVersion": 21 })
        .nth("find", 1, Reply::error(11_602, "InterruptedDueToReplStateChange", "changed"))
        .on("find", Reply::cursor("db.c", [doc! { "_id": 1 }]))
        .with("echo", |command| Reply::document(doc! { "ok": 1, "db": &command.database }))
        .start()
        .await
        .unwrap();
    let mut client = client(&server).await;
    let hello = client.command("admin", doc! { "hello": 1 }, LIMIT).await.unwrap();
    assert_eq!((hello.get_str("msg").unwrap(), hello.get_i32("maxWireVersion").unwrap()), ("isdbgrid", 21));
    assert!(client.command("db", doc! { "find": "c" }, LIMIT).await.is_ok());
    let second = client.command("db", doc! { "find": "c" }, LIMIT).await.unwrap_err();
    assert_eq!(second.code(), Some(11_602));
    assert!(client.command("db", doc! { "find": "c" }, LIMIT).await.is_ok());
    server.once("find", Reply::ok());
    assert!(!client.command("db", doc! { "find": "c" }, LIMIT).await.unwrap().contains_key("cursor"));
    let echo = client.command("db", doc! { "echo": 1 }, LIMIT).await.unwrap();
    assert_eq!(echo.get_str("db").unwrap(), "db");
    assert_eq!(client.command("db", doc! { "unheardOf": 1 }, LIMIT).await.unwrap_err().code(), Some(59));
    assert_eq!(server.wait_for("find", 4, LIMIT).await.unwrap().len(), 4);
    assert_eq!(server.received_named("echo")[0].connection, 1);
}

#[tokio::test]
async fn misbehaviour_is_delivered_as_ordered() {
    let long = i32::MAX;
    let server = ScriptedServer::builder()
        .on("wrong", Reply::WrongResponseTo(doc! { "ok": 1 }))
        .on("huge", Reply::Length { document: doc! { "ok": 1 }, length: long })
        .on("truncated", Reply::Truncated { document: doc! { "ok": 1 }, bytes: 18 })
        .on("garbage", Reply::Raw(b"HTTP/1.1 200".to_vec()).then_close())
        .on("reset", Reply::Reset)
        .on("late", Reply::ok().after(Duration::from_millis(60)))
        .start()
        .await
        .unwrap();
    let mut wrong = send(&server, "wrong").await;
    let frame = read_frame(&mut wrong).await.unwrap().unwrap();
    assert_ne!(Header::read(&frame).unwrap().response_to, 9);

    let mut huge = send(&server, "huge").await;
    let mut head = [0; 4];
    huge.read_exact(&mut head).await.unwrap();
    assert_eq!(i32::from_le_bytes(head), long);

    let mut all = Vec::new();
    send(&server, "truncated").await.read_to_end(&mut all).await.unwrap();
    assert_eq!(all.len(), 18);

    all.clear();
    send(&server, "garbage").await.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"HTTP/1.1 200");

    let reset = send(&server, "reset").await.read(&mut [0]).await.unwrap_err();
    assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);

    let begin = std::time::Instant::now();
    read_frame(&mut send(&server, "late").await).await.unwrap().unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn streams_refer_to_the_reply_before() {
    let endless = Reply::Endless { document: doc! { "ok": 1 }, every: Duration::from_millis(1) };
    let server = ScriptedServer::builder()
        .on("stream", Reply::Stream(vec![doc! { "i": 0 }, doc! { "i": 1 }]))
        .on("endless", endless)
        .on("silence", Reply::Never)
        .start()
        .await
        .unwrap();
    let mut stream = send(&server, "stream").await;
    let first = Message::parse(&read_frame(&mut stream).await.unwrap().unwrap()).unwrap();
    let second = Message::parse(&read_frame(&mut stream).await.unwrap().unwrap()).unwrap();
    assert_eq!((first.header.response_to, first.flags), (9, MORE_TO_COME));
    assert_eq!((second.header.response_to, second.flags), (first.header.request_id, 0));

    let mut stream = send(&server, "endless").await;
    for _ in 0..20 {
        let reply = Message::parse(&read_frame(&mut stream).await.unwrap().unwrap()).unwrap();
        assert_eq!(reply.flags, MORE_TO_COME);
    }

    let mut silent = client(&server).await;
    let outcome = silent.command("db", doc! { "silence": 1 }, Duration::from_millis(50)).await;
    assert!(outcome.unwrap_err().is_network());
}

#[tokio::test]
async fn a_legacy_hello_gets_a_legacy_reply() {
    let server = ScriptedServer::builder().start().await.unwrap();
    let mut query = vec![0; 4];
    for number in [5_i32, 0, 2004, 0] {
        query.extend(number.to_le_bytes());
    }
    query.extend(b"admin.$cmd\0");
    query.extend(0_i32.to_le_bytes());
    query.extend((-1_i32).to_le_bytes());
    query.extend(doc! { "isMaster": 1 }.to_vec().unwrap());
    let length = i32::try_from(query.len()).unwrap();
    query[..4].copy_from_slice(&length.to_le_bytes());
    let mut stream = TcpStream::connect(server.socket_address()).await.unwrap();
    stream.write_all(&query).await.unwrap();
    let reply = Message::parse(&read_frame(&mut stream).await.unwrap().unwrap()).unwrap();
    assert_eq!((reply.header.op_code, reply.header.response_to), (OP_REPLY, 5));
    assert!(reply.body.get_bool("ismaster").unwrap());
}

#[tokio::test]
async fn connections_are_counted_and_closed() {
    let server = ScriptedServer::builder().start().await.unwrap();
    let mut first = client(&server).await;
    let _second = client(&server).await;
    assert_eq!((server.connections(), server.accepted()), (2, 2));
    server.close_connections().await;
    assert_eq!(server.connections(), 0);
    assert!(first.command("db", doc! { "ping": 1 }, LIMIT).await.unwrap_err().is_network());
    drop(client(&server).await);
    let address = server.socket_address();
    drop(server);
    wait::until("the end of the server", LIMIT, || async {
        Ok(match TcpStream::connect(address).await {
            Ok(_) => Look::NotYet("listening".into()),
            Err(_) => Look::Done(()),
        })
    })
    .await
    .unwrap();
}
