//! One server of a deployment.

use std::{
    future::Future,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bson::{Document, doc};
use mongo_actors_protocol::address::ServerAddress;

use super::{PATIENCE, launch::Launch, uri};
use crate::{
    background,
    error::{Error, Result},
    process::{ServerProcess, Signal},
    proxy::Proxy,
    wait::{self, Look},
    wire::client::{Client, Credentials, number},
};

/// How long a server has to answer a plain question before it counts as unreachable.
const HELLO_LIMIT: Duration = Duration::from_millis(500);

/// A handle to one `mongod` of a deployment, through which it is inspected and abused.
///
/// Handles are cheap to clone. They do not keep the server alive: it ends with its deployment.
///
/// # Cancel safety
/// All futures of this type can be dropped; what they have begun is finished in the background.
#[derive(Clone, Debug)]
pub struct Member(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    index: usize,
    arbiter: bool,
    launch: Launch,
    proxy: Option<Proxy>,
    process: Mutex<Option<Arc<ServerProcess>>>,
    /// Set once the user exists.
    credentials: Mutex<Option<Credentials>>,
    idle: Mutex<Vec<Client>>,
    /// Connections that only say hello and never log in.
    greeters: Mutex<Vec<Client>>,
    /// Set when the deployment ends: a start still under way must not bring the server back.
    ended: AtomicBool,
    /// One start, stop or kill at a time.
    life: tokio::sync::Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Member {
    /// Starts a member for the first time. Runs on the kit's runtime.
    pub(crate) async fn start_first(index: usize, arbiter: bool, mut launch: Launch, proxied: bool) -> Result<Self> {
        let process = launch.start_first().await?;
        let proxy = match proxied {
            true => Some(Proxy::start(launch.address()).await.map_err(Error::system("a proxy"))?),
            false => None,
        };
        Ok(Self(Arc::new(Inner {
            index,
            arbiter,
            launch,
            proxy,
            process: Mutex::new(Some(Arc::new(process))),
            credentials: Mutex::default(),
            idle: Mutex::default(),
            greeters: Mutex::default(),
            ended: AtomicBool::new(false),
            life: tokio::sync::Mutex::default(),
        })))
    }

    pub(crate) fn set_credentials(&self, credentials: Option<Credentials>) {
        *lock(&self.0.credentials) = credentials;
        self.hang_up();
    }

    /// Kills the process without waiting; for destructors.
    pub(crate) fn end_now(&self) {
        let mut process = lock(&self.0.process);
        self.0.ended.store(true, Ordering::SeqCst);
        if let Some(process) = process.take() {
            let _ = process.signal(Signal::Kill);
        }
        self.hang_up();
    }

    fn hang_up(&self) {
        lock(&self.0.idle).clear();
        lock(&self.0.greeters).clear();
    }

    /// The position of this member in its deployment, from 0.
    pub fn index(&self) -> usize {
        self.0.index
    }

    /// Whether this member was configured as an arbiter.
    pub fn is_arbiter(&self) -> bool {
        self.0.arbiter
    }

    /// The address a driver knows this member by: its proxy's when there is one.
    pub fn address(&self) -> ServerAddress {
        self.0.proxy.as_ref().map_or_else(|| self.direct_address(), Proxy::address)
    }

    /// The address of the `mongod` itself.
    pub fn direct_address(&self) -> ServerAddress {
        ServerAddress::Tcp { host: "127.0.0.1".into(), port: self.0.launch.address().port() }
    }

    pub(crate) fn direct_socket(&self) -> std::net::SocketAddr {
        self.0.launch.address()
    }

    /// The Unix socket the server listens on, if that was asked for.
    pub fn socket_address(&self) -> Option<ServerAddress> {
        self.0.launch.socket_path().map(|path| ServerAddress::Unix { path })
    }

    /// The proxy in front of this member, if the deployment is behind proxies.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.0.proxy.as_ref()
    }

    /// A connection string for this member alone (`directConnection=true`), with credentials if there are any.
    pub fn uri(&self) -> String {
        let credentials = lock(&self.0.credentials).clone();
        uri::compose(
            &[self.address().to_string()],
            credentials.as_ref(),
            self.0.launch.tls(),
            &[("directConnection", "true")],
        )
    }

    /// A connection string for the Unix socket of this member, if it listens on one.
    pub fn socket_uri(&self) -> Option<String> {
        let path = self.0.launch.socket_path()?;
        let host = path.to_string_lossy().replace('%', "%25").replace('/', "%2F");
        let credentials = lock(&self.0.credentials).clone();
        Some(uri::compose(&[host], credentials.as_ref(), self.0.launch.tls(), &[("directConnection", "true")]))
    }

    /// The process id, while the server runs.
    pub fn pid(&self) -> Option<u32> {
        self.running().map(|process| process.pid())
    }

    /// Whether the process exists; a paused server counts as running.
    pub fn is_running(&self) -> bool {
        self.running().is_some()
    }

    /// All that the server has logged so far, over all its starts.
    pub fn log(&self) -> String {
        self.0.launch.log()
    }

    /// The directory with the server's data and log.
    pub fn directory(&self) -> PathBuf {
        self.0.launch.directory.clone()
    }

    fn running(&self) -> Option<Arc<ServerProcess>> {
        lock(&self.0.process).clone().filter(|process| process.exit_status().is_none())
    }

    fn require_running(&self) -> Result<Arc<ServerProcess>> {
        self.running().ok_or_else(|| Error::Invalid(format!("{} is not running", self.direct_address())))
    }

    fn signal(&self, signal: Signal) -> Result<Arc<ServerProcess>> {
        let process = self.require_running()?;
        process.signal(signal).map_err(Error::system(format!("a signal to {}", self.direct_address())))?;
        Ok(process)
    }

    async fn in_background<T, F, Fut>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(Self) -> Fut + Send + 'static,
        Fut: Future<Output = T> + Send + 'static,
    {
        let member = self.clone();
        background::run(async move { work(member).await }).await
    }

    /// Ends the server at once (`SIGKILL`) and waits until it is gone. Its data stay for [`start`](Self::start).
    ///
    /// # Errors
    /// [`Error::Invalid`] when it does not run.
    pub async fn kill(&self) -> Result<()> {
        self.in_background(|member| async move { member.end(Signal::Kill).await }).await
    }

    /// Ends the server in order, as an operator would (`SIGTERM`), and waits until it is gone. A primary hands over
    /// first.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it does not run, [`Error::Timeout`] when it does not end within 30 s.
    pub async fn stop(&self) -> Result<()> {
        self.in_background(|member| async move { member.end(Signal::Terminate).await }).await
    }

    async fn end(&self, signal: Signal) -> Result<()> {
        let _one_at_a_time = self.0.life.lock().await;
        let process = self.signal(signal)?;
        // A paused server would not notice that it is to end.
        let _ = process.signal(Signal::Continue);
        let gone = tokio::time::timeout(PATIENCE, process.exited()).await;
        self.hang_up();
        gone.map(drop).map_err(|_| Error::Timeout {
            what: format!("the end of {}", self.direct_address()),
            waited: PATIENCE,
            state: "running".into(),
        })
    }

    /// Starts a server that was stopped or killed, on its old port and data, and waits until it answers.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it runs, [`Error::Start`] when it does not come up.
    pub async fn start(&self) -> Result<()> {
        self.in_background(|member| async move {
            let _one_at_a_time = member.0.life.lock().await;
            if member.is_running() {
                return Err(Error::Invalid(format!("{} runs already", member.direct_address())));
            }
            let process = member.0.launch.start().await?;
            let mut place = lock(&member.0.process);
            if member.0.ended.load(Ordering::SeqCst) {
                return Err(Error::Invalid(format!("the deployment of {} has ended", member.direct_address())));
            }
            *place = Some(Arc::new(process));
            Ok(())
        })
        .await
    }

    /// [`stop`](Self::stop), then [`start`](Self::start).
    ///
    /// # Errors
    /// Those of the two.
    pub async fn restart(&self) -> Result<()> {
        self.stop().await?;
        self.start().await
    }

    /// Freezes the process (`SIGSTOP`): its sockets stay open and accept bytes, but nothing is answered.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it does not run.
    pub async fn pause(&self) -> Result<()> {
        self.in_background(|member| async move {
            let process = member.signal(Signal::Stop)?;
            wait::until(&format!("{} to freeze", member.direct_address()), PATIENCE, || async {
                let is_over = process.is_frozen() || process.exit_status().is_some();
                Ok(if is_over { Look::Done(()) } else { Look::NotYet("running".into()) })
            })
            .await
        })
        .await
    }

    /// Thaws a paused process (`SIGCONT`).
    ///
    /// # Errors
    /// [`Error::Invalid`] when it does not run.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::Continue).map(drop)
    }

    /// Runs `command` in the database `admin`, past any proxy, and returns the reply.
    ///
    /// # Errors
    /// [`Error::Command`] when the server refuses, [`Error::Network`] when it cannot be reached or does not answer
    /// within 30 s.
    pub async fn admin(&self, command: Document) -> Result<Document> {
        self.command("admin", command).await
    }

    /// Runs `command` in `database`, past any proxy, and returns the reply. Secondaries are read from too.
    ///
    /// # Errors
    /// As [`admin`](Self::admin).
    pub async fn command(&self, database: &str, command: Document) -> Result<Document> {
        let database = database.to_owned();
        self.in_background(|member| async move { member.run(&database, command, PATIENCE).await }).await
    }

    /// The server's answer to `hello`, if it gives one within half a second.
    ///
    /// # Errors
    /// [`Error::Network`] when it does not.
    pub async fn hello(&self) -> Result<Document> {
        self.in_background(|member| async move { member.hello_directly().await }).await
    }

    /// Without logging in, which would meet the fail points of tests that let a login fail.
    pub(crate) async fn hello_directly(&self) -> Result<Document> {
        self.run_on(&self.0.greeters, None, "admin", doc! { "hello": 1 }, HELLO_LIMIT).await
    }

    /// Runs a command on an idle connection, or a new one. Runs on the kit's runtime.
    pub(crate) async fn run(&self, database: &str, command: Document, limit: Duration) -> Result<Document> {
        // An arbiter has no data, hence no users, and lets local clients do what it can.
        let credentials = lock(&self.0.credentials).clone().filter(|_| !self.0.arbiter);
        self.run_on(&self.0.idle, credentials.as_ref(), database, command, limit).await
    }

    async fn run_on(
        &self,
        idle: &Mutex<Vec<Client>>,
        login: Option<&Credentials>,
        database: &str,
        mut command: Document,
        limit: Duration,
    ) -> Result<Document> {
        if !command.contains_key("$readPreference") && !command.contains_key("autocommit") {
            // As of any direct connection, so that secondaries answer too.
            command.insert("$readPreference", doc! { "mode": "primaryPreferred" });
        }
        let usable = lock(idle).pop().filter(Client::is_open);
        let mut client = match usable {
            Some(client) => client,
            None => Client::connect(self.0.launch.address(), self.0.launch.tls(), login, limit).await?,
        };
        let outcome = client.command(database, command, limit).await;
        if !client.is_broken() {
            lock(idle).push(client);
        }
        outcome
    }

    /// The server's answer to `serverStatus`.
    ///
    /// # Errors
    /// As [`admin`](Self::admin).
    pub async fn server_status(&self) -> Result<Document> {
        self.admin(doc! { "serverStatus": 1 }).await
    }

    /// The number of cursors open on this server.
    ///
    /// # Errors
    /// As [`admin`](Self::admin).
    pub async fn open_cursors(&self) -> Result<u64> {
        let status = self.server_status().await?;
        Ok(figure(&status, &["metrics", "cursor", "open"], "total"))
    }

    /// The number of sessions in this server's cache: those used since it last wrote them down, or ended since.
    ///
    /// # Errors
    /// As [`admin`](Self::admin).
    pub async fn active_sessions(&self) -> Result<u64> {
        let status = self.server_status().await?;
        Ok(figure(&status, &["logicalSessionRecordCache"], "activeSessionsCount"))
    }

    /// The number of transactions open on this server.
    ///
    /// # Errors
    /// As [`admin`](Self::admin).
    pub async fn open_transactions(&self) -> Result<u64> {
        let status = self.server_status().await?;
        Ok(figure(&status, &["transactions"], "currentOpen"))
    }

    /// The number of connections to this server whose client gave `app_name` as its application name.
    ///
    /// # Errors
    /// As [`admin`](Self::admin).
    pub async fn connections_of(&self, app_name: &str) -> Result<u64> {
        let pipeline = [
            doc! { "$currentOp": { "allUsers": true, "idleConnections": true } },
            doc! { "$match": { "appName": app_name, "connectionId": { "$exists": true } } },
            doc! { "$group": { "_id": "$connectionId" } },
            doc! { "$count": "n" },
        ];
        let aggregate = doc! { "aggregate": 1, "pipeline": pipeline.to_vec(), "cursor": {} };
        let reply = self.admin(aggregate).await?;
        let batch = reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
        let first = batch.ok().and_then(|batch| batch.first()?.as_document());
        Ok(first.map_or(0, |first| number(first, "n").try_into().unwrap_or(0)))
    }
}

fn figure(document: &Document, path: &[&str], name: &str) -> u64 {
    let inner = path.iter().try_fold(document, |document, key| document.get_document(key).ok());
    inner.map_or(0, |inner| number(inner, name).try_into().unwrap_or(0))
}
