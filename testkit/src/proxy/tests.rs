use std::time::Instant;

use bson::doc;
use tokio::io::AsyncWriteExt as _;

use super::*;
use crate::{
    Reply, ScriptedServer,
    error::Error,
    wire::{
        client::Client,
        message::{MORE_TO_COME, Message, op_msg, read_frame},
    },
};

const LIMIT: Duration = Duration::from_secs(5);
/// For what is not to happen.
const SHORT: Duration = Duration::from_millis(60);

async fn pair() -> (ScriptedServer, Proxy) {
    let server = ScriptedServer::builder().on("insert", Reply::ok()).start().await.unwrap();
    let proxy = Proxy::start(server.socket_address()).await.unwrap();
    (server, proxy)
}

async fn client(proxy: &Proxy) -> Client {
    Client::connect(proxy.socket_address(), None, None, LIMIT).await.unwrap()
}

async fn insert(client: &mut Client) -> crate::Result<bson::Document> {
    client.command("db", doc! { "insert": "c", "documents": [{ "_id": 1 }] }, LIMIT).await
}

fn kind(outcome: crate::Result<bson::Document>) -> io::ErrorKind {
    match outcome {
        Err(Error::Network { source, .. }) => source.kind(),
        other => panic!("expected a broken connection, not {other:?}"),
    }
}

#[tokio::test]
async fn latency_is_added_and_removed() {
    let (_server, proxy) = pair().await;
    let mut client = client(&proxy).await;
    proxy.delay(Direction::Both, Duration::from_millis(40));
    let begin = Instant::now();
    insert(&mut client).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(80), "{:?}", begin.elapsed());
    proxy.delay(Direction::Both, Duration::ZERO);
    proxy.delay(Direction::ToClient, Duration::from_millis(40));
    let begin = Instant::now();
    insert(&mut client).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(40));
}

#[tokio::test]
async fn a_stalled_proxy_swallows_and_later_delivers() {
    let (server, proxy) = pair().await;
    let mut first = client(&proxy).await;
    proxy.stall(Direction::ToServer);
    let silent = first.command("db", doc! { "insert": "c" }, SHORT).await;
    assert_eq!(kind(silent), io::ErrorKind::TimedOut);
    assert!(server.received_named("insert").is_empty());
    // New connections are accepted and hang too.
    assert!(Client::connect(proxy.socket_address(), None, None, SHORT).await.is_err());
    proxy.resume(Direction::ToServer);
    server.wait_for("insert", 1, LIMIT).await.unwrap();

    let mut second = client(&proxy).await;
    proxy.stall(Direction::ToClient);
    let silent = second.command("db", doc! { "insert": "c" }, SHORT).await;
    assert_eq!(kind(silent), io::ErrorKind::TimedOut);
    server.wait_for("insert", 2, LIMIT).await.unwrap();
}

#[tokio::test]
async fn connections_are_cut_or_closed() {
    let (_server, proxy) = pair().await;
    let mut reset = client(&proxy).await;
    proxy.cut().await;
    assert!(matches!(kind(insert(&mut reset).await), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe));
    let mut closed = client(&proxy).await;
    proxy.close_connections().await;
    assert!(insert(&mut closed).await.unwrap_err().is_network());
    insert(&mut client(&proxy).await).await.unwrap();
    assert_eq!(proxy.accepted(), 3);
}

#[tokio::test]
async fn bytes_are_counted() {
    let (server, proxy) = pair().await;
    let mut first = client(&proxy).await;
    proxy.cut_after(Direction::ToServer, 30);
    assert!(insert(&mut first).await.unwrap_err().is_network());
    assert!(server.received_named("insert").is_empty());
    assert!(Client::connect(proxy.socket_address(), None, None, LIMIT).await.is_err());
    proxy.heal().await.unwrap();
    insert(&mut client(&proxy).await).await.unwrap();
}

#[tokio::test]
async fn breaks_happen_where_they_should() {
    let (server, proxy) = pair().await;
    let cases = [
        (Break::before_request("insert"), 0),
        (Break::within_request("insert", 20), 0),
        (Break::before_reply("insert"), 0),
        (Break::within_reply("insert", 20), 1),
        (Break::before_reply("insert").orderly(), 2),
    ];
    for (index, (fault, inserts_before)) in cases.into_iter().enumerate() {
        assert_eq!(server.received_named("insert").len(), inserts_before, "{fault:?}");
        proxy.arm(fault.clone());
        let mut client = client(&proxy).await;
        assert!(insert(&mut client).await.unwrap_err().is_network(), "{fault:?}");
        proxy.wait_for_fired(index as u64 + 1, LIMIT).await.unwrap();
    }
    let mut client = client(&proxy).await;
    proxy.arm(Break::after_reply("insert").skip(1));
    insert(&mut client).await.unwrap();
    insert(&mut client).await.unwrap();
    assert!(insert(&mut client).await.unwrap_err().is_network());
}

#[tokio::test]
async fn new_connections_are_refused_or_reset() {
    let (_server, proxy) = pair().await;
    let mut present = client(&proxy).await;
    proxy.refuse().await.unwrap();
    let refused = Client::connect(proxy.socket_address(), None, None, LIMIT).await.map(drop).unwrap_err();
    let Error::Network { source, .. } = refused else { panic!("{refused}") };
    assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
    insert(&mut present).await.unwrap();
    proxy.accept().await.unwrap();
    insert(&mut client(&proxy).await).await.unwrap();

    proxy.reset_new_connections(true);
    assert!(Client::connect(proxy.socket_address(), None, None, LIMIT).await.is_err());
    insert(&mut present).await.unwrap();
}

#[tokio::test]
async fn other_protocols_pass() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let echo = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(echo.local_addr().unwrap()).await.unwrap();
    let mut outer = tokio::net::TcpStream::connect(proxy.socket_address()).await.unwrap();
    outer.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let (mut inner, _) = echo.accept().await.unwrap();
    let mut got = [0; 16];
    inner.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"GET / HTTP/1.1\r\n");
    // The client's half-close arrives as one, and the answer still passes.
    outer.shutdown().await.unwrap();
    assert_eq!(inner.read(&mut got).await.unwrap(), 0);
    inner.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
    drop(inner);
    let mut answer = Vec::new();
    outer.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 200 OK\r\n");
}

#[tokio::test]
async fn the_proxy_ends_with_its_last_handle() {
    let (_server, proxy) = pair().await;
    let mut client = client(&proxy).await;
    let other = proxy.clone();
    drop(proxy);
    insert(&mut client).await.unwrap();
    drop(other);
    assert!(insert(&mut client).await.unwrap_err().is_network());
}

#[tokio::test]
async fn every_hello_of_a_stream_is_in_disguise_whichever_message_it_answers() {
    let member = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = Upstream::Fixed(member.local_addr().unwrap());
    let server = async {
        let (mut stream, _) = member.accept().await.unwrap();
        let hello = Message::parse(&read_frame(&mut stream).await.unwrap().unwrap()).unwrap();
        let body = doc! { "isWritablePrimary": true, "setName": "rs", "ok": 1 };
        let request = hello.header.request_id;
        for (id, response_to) in [(101, request), (102, request), (103, 102)] {
            stream.write_all(&op_msg(id, response_to, MORE_TO_COME, &body).unwrap()).await.unwrap();
        }
        stream
    };
    let client = async {
        let proxy = Proxy::start_with(upstream, vec![Disguise::Mongos]).await.unwrap();
        let mut stream = tokio::net::TcpStream::connect(proxy.socket_address()).await.unwrap();
        stream.write_all(&op_msg(7, 0, 0, &doc! { "hello": 1, "$db": "admin" }).unwrap()).await.unwrap();
        for _ in 0..3 {
            let reply = Message::parse(&read_frame(&mut stream).await.unwrap().unwrap()).unwrap().body;
            assert_eq!(reply.get_str("msg").unwrap(), "isdbgrid", "{reply}");
            assert!(!reply.contains_key("setName"), "{reply}");
        }
    };
    tokio::join!(server, client);
}
