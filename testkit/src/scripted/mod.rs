//! A pretended server that answers as it is told.

mod reply;
mod script;
mod serve;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bson::Document;
use mongo_actors_protocol::address::ServerAddress;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::{
    background,
    deployment::compose_uri,
    ports,
    role::Role,
    tls::{Handshake, ServerTls},
    wait::{self, Look},
};
pub use reply::Reply;
use script::Script;

/// A command that arrived at a [`ScriptedServer`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Received {
    /// Which connection it came on, from 1 in the order they were made.
    pub connection: u64,
    /// The command's name.
    pub name: String,
    /// The database it was for; empty for a legacy message.
    pub database: String,
    /// The command with all its fields; document sequences appear as arrays.
    pub body: Document,
    /// The number by which its reply refers to it.
    pub request_id: i32,
    /// False when the client said that it does not want a reply.
    pub expects_reply: bool,
    /// The id of the algorithm that it was compressed with (1 Snappy, 2 zlib, 3 Zstandard); none when it was not.
    pub compressor: Option<u8>,
}

/// A pretended server on the loopback interface that records the commands it gets and answers as it is told, right or
/// wrong.
///
/// By itself it answers `hello`, and accepts `ping`, `endSessions`, `killCursors`, `commitTransaction` and
/// `abortTransaction`; any other command is unknown to it. It ends when it is dropped.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use bson::doc;
/// use mongo_actors_testkit::{Reply, ScriptedServer};
///
/// let server = ScriptedServer::builder()
///     .nth("find", 0, Reply::error(10107, "NotWritablePrimary", "not primary"))
///     .on("find", Reply::cursor("db.things", [doc! { "_id": 1 }]))
///     .with("insert", |command| Reply::document(doc! { "ok": 1, "n": command.body.len() as i32 }))
///     .start()
///     .await?;
/// println!("{}", server.uri());
/// assert!(server.received().is_empty());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ScriptedServer {
    port: u16,
    shared: Arc<Shared>,
    tls: Option<ServerTls>,
}

/// What the server and its connections share.
struct Shared {
    script: Mutex<Script>,
    received: watch::Sender<Vec<Received>>,
    /// How often all connections were closed.
    closings: watch::Sender<u64>,
    ended: watch::Sender<bool>,
    connections: watch::Sender<Connections>,
    /// What to shake hands with, if TLS is spoken.
    acceptor: Option<TlsAcceptor>,
    handshakes: watch::Sender<Vec<Handshake>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("connections", &*self.connections.borrow()).finish_non_exhaustive()
    }
}

/// The connections, numbered from 1.
#[derive(Debug, Default)]
struct Connections {
    accepted: u64,
    open: BTreeSet<u64>,
}

/// Writes the script of a [`ScriptedServer`].
#[derive(Debug, Default)]
#[must_use]
pub struct ScriptedServerBuilder {
    role: Role,
    hello: Document,
    script: Script,
    tls: Option<ServerTls>,
}

impl ScriptedServerBuilder {
    /// What the server says it is. Default: a standalone.
    pub fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// Sets fields of the `hello` reply, for example `maxWireVersion`.
    pub fn hello(mut self, fields: Document) -> Self {
        self.hello.extend(fields);
        self
    }

    /// Speaks TLS, and nothing else. Default: no TLS.
    pub fn tls(mut self, tls: ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Answers every command of this name so, unless [`nth`](Self::nth) says otherwise.
    pub fn on(mut self, command: impl Into<String>, reply: Reply) -> Self {
        self.script.always(command.into(), Box::new(move |_| reply.clone()));
        self
    }

    /// Answers the command of this name so when it comes for the `index`-th time, counted from 0 over all connections.
    pub fn nth(mut self, command: impl Into<String>, index: u64, reply: Reply) -> Self {
        self.script.nth(command.into(), index, reply);
        self
    }

    /// Answers every command of this name with what `answer` makes of it, unless [`nth`](Self::nth) says otherwise.
    pub fn with<F>(mut self, command: impl Into<String>, answer: F) -> Self
    where
        F: FnMut(&Received) -> Reply + Send + 'static,
    {
        self.script.always(command.into(), Box::new(answer));
        self
    }

    /// Starts the server.
    ///
    /// # Errors
    /// Those of listening on the loopback interface, and of unusable certificates.
    pub async fn start(self) -> io::Result<ScriptedServer> {
        let acceptor = self.tls.as_ref().map(ServerTls::acceptor).transpose()?;
        let (listener, port) = ports::listen()?;
        let mut script = self.script;
        let mut hello = self.role.hello(&format!("127.0.0.1:{port}"));
        hello.extend(self.hello);
        script.set_hello(hello);
        let shared = Arc::new(Shared {
            script: Mutex::new(script),
            received: watch::Sender::default(),
            closings: watch::Sender::default(),
            ended: watch::Sender::default(),
            connections: watch::Sender::default(),
            acceptor,
            handshakes: watch::Sender::default(),
        });
        background::spawn(serve::accept(shared.clone(), listener));
        Ok(ScriptedServer { port, shared, tls: self.tls })
    }
}

impl ScriptedServer {
    /// Starts to write a script.
    pub fn builder() -> ScriptedServerBuilder {
        ScriptedServerBuilder::default()
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
        self.uri_with(&[])
    }

    /// The connection string with further options.
    pub fn uri_with(&self, options: &[(&str, &str)]) -> String {
        compose_uri(&[self.address().to_string()], None, self.tls.as_ref(), options)
    }

    /// From now on answers every command of this name so.
    pub fn on(&self, command: impl Into<String>, reply: Reply) {
        self.script().always(command.into(), Box::new(move |_| reply.clone()));
    }

    /// From now on answers every command of this name with what `answer` makes of it.
    pub fn with<F>(&self, command: impl Into<String>, answer: F)
    where
        F: FnMut(&Received) -> Reply + Send + 'static,
    {
        self.script().always(command.into(), Box::new(answer));
    }

    /// Answers the next command of this name so. Several are used in the order they were given.
    pub fn once(&self, command: impl Into<String>, reply: Reply) {
        self.script().next(command.into(), reply);
    }

    /// All commands so far, in the order they came.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.borrow().clone()
    }

    /// The commands of this name so far.
    pub fn received_named(&self, command: &str) -> Vec<Received> {
        self.shared.received.borrow().iter().filter(|received| received.name == command).cloned().collect()
    }

    /// Forgets the commands recorded so far; occurrences go on being counted.
    pub fn forget_received(&self) {
        self.shared.received.send_modify(Vec::clear);
    }

    /// Waits until at least `count` commands of this name are recorded, for at most `within`; returns them.
    ///
    /// # Errors
    /// [`Error::Timeout`](crate::Error::Timeout).
    pub async fn wait_for(&self, command: &str, count: usize, within: Duration) -> crate::Result<Vec<Received>> {
        let (received, command) = (self.shared.received.subscribe(), command.to_owned());
        background::run(async move {
            wait::until(&format!("{count} times `{command}`"), within, || async {
                let all = received.borrow();
                let found: Vec<_> = all.iter().filter(|received| received.name == command).cloned().collect();
                Ok(if found.len() >= count { Look::Done(found) } else { Look::NotYet(format!("{} came", found.len())) })
            })
            .await
        })
        .await
    }

    /// The TLS handshakes that succeeded so far.
    pub fn handshakes(&self) -> Vec<Handshake> {
        self.shared.handshakes.borrow().clone()
    }

    /// How many connections are open now.
    pub fn connections(&self) -> usize {
        self.shared.connections.borrow().open.len()
    }

    /// How many connections were ever made.
    pub fn accepted(&self) -> u64 {
        self.shared.connections.borrow().accepted
    }

    /// Closes all connections of the present and waits until they are closed; new ones are accepted.
    pub async fn close_connections(&self) {
        let mut connections = self.shared.connections.subscribe();
        let last = self.accepted();
        self.shared.closings.send_modify(|count| *count += 1);
        let _ = connections.wait_for(|connections| connections.open.first().is_none_or(|first| *first > last)).await;
    }

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.shared.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.shared.ended.send_replace(true);
    }
}
