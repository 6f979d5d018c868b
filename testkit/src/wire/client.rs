//! A connection for administrative commands: one request at a time.

use std::{io, net::SocketAddr, time::Duration};

use bson::{Binary, Document, doc, spec::BinarySubtype};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{Instant, timeout_at},
};

use super::{
    message::{Message, op_msg, read_frame},
    scram::Login,
};
use crate::{
    error::{Error, Result},
    tls::{ServerTls, Stream},
};

/// The application name of the kit's own connections, for fail points and logs.
pub(crate) const APP_NAME: &str = "mongo-actors-testkit";

/// A user and password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(crate) struct Client {
    stream: Stream,
    address: SocketAddr,
    next_id: i32,
    broken: bool,
}

impl Client {
    /// Connects and says hello, then logs in when there are `credentials`.
    pub(crate) async fn connect(
        address: SocketAddr,
        tls: Option<&ServerTls>,
        login: Option<&Credentials>,
        limit: Duration,
    ) -> Result<Self> {
        let fail = |source| network(address, "connect", source);
        let connected = tokio::time::timeout(limit, open(address, tls)).await;
        let stream = connected.map_err(|_| fail(io::ErrorKind::TimedOut.into()))?.map_err(fail)?;
        let mut client = Self { stream, address, next_id: 1, broken: false };
        let about = doc! {
            "application": { "name": APP_NAME },
            "driver": { "name": APP_NAME, "version": env!("CARGO_PKG_VERSION") },
            "os": { "type": std::env::consts::OS },
        };
        client.command("admin", doc! { "hello": 1, "client": about }, limit).await?;
        if let Some(login) = login {
            client.log_in(login, limit).await?;
        }
        Ok(client)
    }

    /// Runs `command` in `database`; a reply with `ok: 0` is an error.
    pub(crate) async fn command(&mut self, database: &str, command: Document, limit: Duration) -> Result<Document> {
        let name = command.keys().next().cloned().unwrap_or_default();
        self.broken = true;
        let exchanged = timeout_at(Instant::now() + limit, self.exchange(database, command)).await;
        let reply = exchanged.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let reply = reply.map_err(|source| network(self.address, &name, source))?;
        self.broken = false;
        if number(&reply, "ok") == 1 {
            return Ok(reply);
        }
        Err(Error::Command {
            address: self.address.to_string(),
            command: name,
            code: i32::try_from(number(&reply, "code")).unwrap_or(0),
            code_name: reply.get_str("codeName").unwrap_or_default().to_owned(),
            message: reply.get_str("errmsg").unwrap_or_default().to_owned(),
            response: Box::new(reply),
        })
    }

    /// Whether an exchange was left half done, so that the connection must not be used again.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether the server has not closed the connection, as far as can be seen without asking.
    pub(crate) fn is_open(&self) -> bool {
        let nothing_to_read = match &self.stream {
            Stream::Plain(stream) => stream.try_read(&mut [0]),
            // What is there to read may be news of TLS itself.
            Stream::Tls(_) => return true,
        };
        nothing_to_read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    async fn exchange(&mut self, database: &str, mut command: Document) -> io::Result<Document> {
        command.insert("$db", database);
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        self.stream.write_all(&op_msg(id, 0, 0, &command)?).await?;
        self.stream.flush().await?;
        let frame = read_frame(&mut self.stream).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let message = Message::parse(&frame)?;
        if message.header.response_to != id {
            return Err(super::message::invalid("the answer to another request"));
        }
        Ok(message.body)
    }

    async fn log_in(&mut self, credentials: &Credentials, limit: Duration) -> Result<()> {
        let address = self.address;
        let fail = |source| network(address, "saslStart", source);
        let mut login = Login::new(&credentials.user, &credentials.password);
        let start = doc! {
            "saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": binary(login.first()),
            "options": { "skipEmptyExchange": true },
        };
        let reply = self.command("admin", start, limit).await?;
        let id = reply.get("conversationId").cloned().unwrap_or_default();
        let proof = login.proof(&payload(&reply)).map_err(fail)?;
        let step = doc! { "saslContinue": 1, "conversationId": id, "payload": binary(proof) };
        let reply = self.command("admin", step, limit).await?;
        login.verify(&payload(&reply)).map_err(fail)
    }
}

async fn open(address: SocketAddr, tls: Option<&ServerTls>) -> io::Result<Stream> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    match tls {
        Some(tls) => tls.connect(tcp).await,
        None => Ok(Stream::Plain(tcp)),
    }
}

fn network(address: SocketAddr, command: &str, source: io::Error) -> Error {
    Error::Network { address: address.to_string(), command: command.to_owned(), source }
}

/// An integral number of any BSON type; 0 when there is none.
pub(crate) fn number(document: &Document, key: &str) -> i64 {
    match document.get(key) {
        Some(bson::Bson::Int32(value)) => i64::from(*value),
        Some(bson::Bson::Int64(value)) => *value,
        // Only `ok` and small counters come as doubles.
        #[expect(clippy::cast_possible_truncation, reason = "a small whole number")]
        Some(bson::Bson::Double(value)) => *value as i64,
        Some(bson::Bson::Boolean(value)) => i64::from(*value),
        _ => 0,
    }
}

fn binary(payload: String) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: payload.into_bytes() }
}

fn payload(reply: &Document) -> String {
    let bytes = reply.get_binary_generic("payload").map(Vec::as_slice).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}
