//! A pretended server that answers at once, for measuring what a driver costs.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use bson::{Document, doc};
use mongo_actors_protocol::address::ServerAddress;

use crate::{
    ports,
    role::Role,
    wire::message::{HEADER, Header, MORE_TO_COME, Message, OP_MSG, OP_QUERY, int32, op_msg, op_reply},
};

/// A pretended server with replies made beforehand, each connection of which has a thread of its own that does
/// nothing but read a message, look at the command's name and write the reply.
///
/// | command | reply |
/// |---|---|
/// | `hello`, `isMaster` | the role it was started with |
/// | `find`, `aggregate` | one document, cursor id 0, namespace `db.stub` |
/// | `insert`, `delete` | `n: 1` |
/// | `update` | `n: 1`, `nModified: 1` |
/// | anything else | `ok: 1` |
///
/// It ends when it is dropped.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use bson::doc;
/// use mongo_actors_testkit::{InstantStub, Role};
///
/// let stub = InstantStub::start(Role::Standalone, doc! { "_id": 1, "name": "Ada" })?;
/// println!("{}", stub.uri());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct InstantStub {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    replies: Replies,
    ended: AtomicBool,
    answered: AtomicU64,
    /// Kept to end their threads with the stub.
    connections: Mutex<HashMap<u64, TcpStream>>,
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, HashMap<u64, TcpStream>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole messages, but for the number of the request they answer.
#[derive(Debug)]
struct Replies {
    hello: Vec<u8>,
    legacy_hello: Vec<u8>,
    found: Vec<u8>,
    changed: Vec<u8>,
    updated: Vec<u8>,
    ok: Vec<u8>,
}

impl InstantStub {
    /// Starts a stub whose `find` gives `document`.
    ///
    /// # Errors
    /// Those of listening on the loopback interface or of starting a thread; [`io::ErrorKind::InvalidData`] for a
    /// document that cannot be encoded.
    pub fn start(role: Role, document: Document) -> io::Result<Self> {
        let (listener, port) = ports::listen()?;
        listener.set_nonblocking(false)?;
        let replies = Replies::new(&role.hello(&format!("127.0.0.1:{port}")), document)?;
        let shared = Arc::new(Shared {
            replies,
            ended: AtomicBool::new(false),
            answered: AtomicU64::new(0),
            connections: Mutex::default(),
        });
        let for_thread = shared.clone();
        thread::Builder::new().name("mongo-stub".into()).spawn(move || accept(&for_thread, &listener))?;
        Ok(Self { port, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> ServerAddress {
        ServerAddress::Tcp { host: "127.0.0.1".into(), port: self.port }
    }

    /// Where it listens.
    pub fn socket_address(&self) -> SocketAddr {
        (std::net::Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// A connection string.
    pub fn uri(&self) -> String {
        format!("mongodb://{}/", self.address())
    }

    /// How many messages it has answered.
    pub fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }
}

impl Drop for InstantStub {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        for connection in self.shared.connections().values() {
            let _ = connection.shutdown(Shutdown::Both);
        }
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.socket_address());
    }
}

impl Replies {
    fn new(hello: &Document, document: Document) -> io::Result<Self> {
        let found = doc! { "cursor": { "firstBatch": [document], "id": 0_i64, "ns": "db.stub" }, "ok": 1.0 };
        let message = |document: &Document| op_msg(0, 0, 0, document);
        Ok(Self {
            hello: message(hello)?,
            legacy_hello: op_reply(0, 0, hello)?,
            found: message(&found)?,
            changed: message(&doc! { "n": 1, "ok": 1.0 })?,
            updated: message(&doc! { "n": 1, "nModified": 1, "ok": 1.0 })?,
            ok: message(&doc! { "ok": 1.0 })?,
        })
    }

    fn to(&self, command: &[u8]) -> &[u8] {
        match command {
            b"find" | b"aggregate" => &self.found,
            b"insert" | b"delete" => &self.changed,
            b"update" => &self.updated,
            b"hello" | b"isMaster" | b"ismaster" => &self.hello,
            _ => &self.ok,
        }
    }
}

fn accept(shared: &Arc<Shared>, listener: &TcpListener) {
    for number in 0.. {
        let accepted = listener.accept();
        if shared.ended.load(Ordering::SeqCst) {
            return;
        }
        let Ok((stream, _)) = accepted else { continue };
        let Ok(kept) = stream.try_clone() else { continue };
        shared.connections().insert(number, kept);
        let for_thread = shared.clone();
        let serve = move || {
            serve(&for_thread, stream);
            for_thread.connections().remove(&number);
        };
        if thread::Builder::new().name("mongo-stub".into()).spawn(serve).is_err() {
            shared.connections().remove(&number);
        }
    }
}

/// Answers until the connection ends or something comes that is no message.
fn serve(shared: &Shared, mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut buffer = vec![0; 64 * 1024];
    let mut filled = 0;
    let mut out = Vec::with_capacity(4096);
    while !shared.ended.load(Ordering::Relaxed) {
        let taken = answer_all(shared, &buffer[..filled], &mut out);
        if !out.is_empty() {
            if stream.write_all(&out).is_err() {
                break;
            }
            out.clear();
        }
        let Some(taken) = taken else { break };
        buffer.copy_within(taken..filled, 0);
        filled -= taken;
        let wanted = Header::read(&buffer[..filled]).and_then(|header| usize::try_from(header.length).ok());
        if wanted.is_some_and(|length| length > buffer.len()) {
            buffer.resize(wanted.unwrap_or(0), 0);
        }
        match stream.read(&mut buffer[filled..]) {
            Ok(0) | Err(_) => break,
            Ok(count) => filled += count,
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// Appends the replies to all whole messages in `bytes`; returns the length of those messages, or none for nonsense.
fn answer_all(shared: &Shared, bytes: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    while let Some(header) = Header::read(&bytes[at..]) {
        if !header.is_plausible() {
            return None;
        }
        let length = usize::try_from(header.length).ok()?;
        let Some(frame) = bytes.get(at..at + length) else { break };
        at += length;
        let Some(reply) = reply_to(shared, header, frame) else { continue };
        let start = out.len();
        out.extend_from_slice(reply);
        out[start + 8..start + 12].copy_from_slice(&header.request_id.to_le_bytes());
        shared.answered.fetch_add(1, Ordering::Relaxed);
    }
    Some(at)
}

/// The reply to a message; none when it wants none.
fn reply_to<'a>(shared: &'a Shared, header: Header, frame: &[u8]) -> Option<&'a [u8]> {
    if header.op_code == OP_QUERY {
        return Some(&shared.replies.legacy_hello);
    }
    let flags = int32(frame, HEADER)?.cast_unsigned();
    if header.op_code != OP_MSG || flags & MORE_TO_COME != 0 {
        return None;
    }
    if frame.get(20) != Some(&0) {
        let message = Message::parse(frame).ok()?;
        return Some(shared.replies.to(message.command_name().as_bytes()));
    }
    let key = frame.get(26..)?;
    let end = key.iter().position(|byte| *byte == 0)?;
    Some(shared.replies.to(&key[..end]))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::wire::client::Client;

    const LIMIT: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn the_stub_answers_a_driver() {
        let stub = InstantStub::start(Role::Primary("rs".into()), doc! { "_id": 7 }).unwrap();
        let mut client = Client::connect(stub.socket_address(), None, None, LIMIT).await.unwrap();
        let hello = client.command("admin", doc! { "hello": 1 }, LIMIT).await.unwrap();
        assert_eq!(hello.get_str("setName").unwrap(), "rs");
        assert_eq!(hello.get_i32("maxWireVersion").unwrap(), 17);
        let found = client.command("db", doc! { "find": "stub" }, LIMIT).await.unwrap();
        let batch = found.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
        assert_eq!(batch[0].as_document().unwrap(), &doc! { "_id": 7 });
        let large = doc! { "insert": "c", "documents": [{ "text": "x".repeat(300_000) }] };
        assert_eq!(client.command("db", large, LIMIT).await.unwrap().get_i32("n").unwrap(), 1);
        assert_eq!(stub.answered(), 4);
        drop(stub);
        assert!(client.command("db", doc! { "ping": 1 }, LIMIT).await.is_err());
    }

    #[test]
    fn pipelined_and_unanswered_messages() {
        let stub = InstantStub::start(Role::Standalone, Document::new()).unwrap();
        let mut stream = TcpStream::connect(stub.socket_address()).unwrap();
        let mut out = op_msg(1, 0, MORE_TO_COME, &doc! { "insert": "c" }).unwrap();
        out.extend(op_msg(2, 0, 0, &doc! { "ping": 1 }).unwrap());
        out.extend(op_msg(3, 0, 0, &doc! { "ping": 1 }).unwrap());
        stream.write_all(&out).unwrap();
        let mut reply = vec![0; stub.shared.replies.ok.len() * 2];
        stream.read_exact(&mut reply).unwrap();
        let second = Header::read(&reply[reply.len() / 2..]).unwrap();
        assert_eq!((Header::read(&reply).unwrap().response_to, second.response_to), (2, 3));
    }
}
