//! The command line of a server, and the way from there to a server that answers.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use bson::doc;
use tokio::time::Instant;

use super::{PATIENCE, options::ServerOptions};
use crate::{
    error::{Error, Result},
    ports::Port,
    process::ServerProcess,
    provision::Mongod,
    tls::ServerTls,
    wire::client::Client,
};

const LOG_TAIL_LINES: usize = 25;
/// How often a server is asked whether it answers by now.
const INTERVAL: Duration = Duration::from_millis(10);
const TRIES: usize = 5;

/// All it takes to start one server again and again.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) mongod: Mongod,
    pub(crate) directory: PathBuf,
    port: Port,
    options: ServerOptions,
    replica_set: Option<String>,
}

impl Launch {
    /// Prepares the directory `parent/name` and chooses a port.
    pub(crate) fn prepare(
        mongod: Mongod,
        parent: &Path,
        name: &str,
        options: &ServerOptions,
        replica_set: Option<&str>,
    ) -> Result<Self> {
        options.check()?;
        let directory = parent.join(name);
        fs::create_dir_all(directory.join("data")).map_err(Error::system("the data directory of a server"))?;
        let launch = Self {
            mongod,
            directory,
            port: Port::reserve().map_err(Error::system("a port for a server"))?,
            options: options.clone(),
            replica_set: replica_set.map(str::to_owned),
        };
        launch.write_key_file().map_err(Error::system("the key file of a server"))?;
        Ok(launch)
    }

    /// Starts the server for the first time, on another port if somebody else took the one that was free.
    pub(crate) async fn start_first(&mut self) -> Result<ServerProcess> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.start().await {
                Err(Error::Start { log, .. }) if tries < TRIES && log.contains("Address already in use") => {
                    self.port = Port::reserve().map_err(Error::system("a port for a server"))?;
                    let _ = fs::remove_file(self.log_path());
                }
                outcome => return outcome,
            }
        }
    }

    /// Starts the server and waits until it answers.
    pub(crate) async fn start(&self) -> Result<ServerProcess> {
        let process = ServerProcess::spawn(self.mongod.path(), &self.arguments(), &self.log_path())
            .await
            .map_err(Error::system("the shell that starts and watches mongod"))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = process.exit_status() {
                return Err(self.failure(format!("it ended with status {status}")));
            }
            let answer = Client::connect(self.address(), self.options.tls.as_ref(), None, Duration::from_secs(2)).await;
            if answer.is_ok() {
                return Ok(process);
            }
            if Instant::now() > deadline {
                return Err(self.failure(format!("it does not answer after {PATIENCE:?}")));
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.port.address()
    }

    pub(crate) fn tls(&self) -> Option<&ServerTls> {
        self.options.tls.as_ref()
    }

    pub(crate) fn socket_path(&self) -> Option<PathBuf> {
        self.options.unix_socket.then(|| self.directory.join(format!("mongodb-{}.sock", self.port.number())))
    }

    /// What the server has logged.
    pub(crate) fn log(&self) -> String {
        fs::read(self.log_path()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.directory.join("mongod.log")
    }

    fn failure(&self, reason: String) -> Error {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n");
        Error::Start { port: self.port.number(), reason, log: tail }
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        let mut add = |parts: &[&str]| arguments.extend(parts.iter().map(OsString::from));
        add(&["--port", &self.port.number().to_string(), "--bind_ip", "127.0.0.1"]);
        add(&["--wiredTigerCacheSizeGB", "0.5"]);
        for (name, value) in self.options.parameters_for(self.mongod.version()) {
            add(&["--setParameter", &format!("{name}={value}")]);
        }
        if let Some(name) = &self.replica_set {
            add(&["--replSet", name, "--oplogSize", "50"]);
        }
        if self.options.credentials.is_some() {
            add(&["--auth"]);
        }
        let mut add_path = |name: &str, path: PathBuf| arguments.extend([name.into(), path.into_os_string()]);
        add_path("--dbpath", self.directory.join("data"));
        if self.needs_key_file() {
            add_path("--keyFile", self.key_file());
        }
        if self.options.unix_socket {
            add_path("--unixSocketPrefix", self.directory.clone());
        } else {
            arguments.push("--nounixsocket".into());
        }
        arguments.extend(self.tls().map(ServerTls::arguments).unwrap_or_default());
        arguments.extend(self.options.arguments.iter().cloned());
        arguments
    }

    /// Members of a replica set with authentication prove themselves to each other with a shared key.
    fn needs_key_file(&self) -> bool {
        self.replica_set.is_some() && self.options.credentials.is_some()
    }

    fn key_file(&self) -> PathBuf {
        self.directory.join("key")
    }

    fn write_key_file(&self) -> io::Result<()> {
        if self.needs_key_file() {
            let path = self.key_file();
            // The servers listen on the loopback interface only, so any key will do.
            fs::write(&path, "bW9uZ28tYWN0b3JzLXRlc3RraXQ=")?;
            restrict_to_owner(&path)?;
        }
        Ok(())
    }
}

#[cfg(unix)]
fn restrict_to_owner(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn restrict_to_owner(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Creates the first user of a deployment, which the server allows to a local client.
pub(crate) async fn create_root(address: std::net::SocketAddr, options: &ServerOptions) -> Result<()> {
    let Some(credentials) = &options.credentials else { return Ok(()) };
    let printable = |text: &str| !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if !printable(&credentials.user) || !printable(&credentials.password) {
        return Err(Error::Invalid("the user name and password of a deployment must be printable ASCII".into()));
    }
    let mut client = Client::connect(address, options.tls.as_ref(), None, PATIENCE).await?;
    let create = doc! { "createUser": &credentials.user, "pwd": &credentials.password, "roles": ["root"] };
    client.command("admin", create, PATIENCE).await.map(drop)
}
