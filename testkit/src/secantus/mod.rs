//! SecantusDB, a server that answers as MongoDB 8.2, for commands that the `mongod` of the kit is too old for.

mod install;

use std::{ffi::OsString, net::SocketAddr, path::Path, time::Duration};

use bson::Document;
use tokio::time::Instant;

use crate::{
    background,
    deployment::{PATIENCE, compose_uri},
    error::{Error, Result},
    ports::Port,
    process::{Directory, ServerProcess},
    wire::client::Client,
};

/// How often the server is asked whether it answers by now.
const INTERVAL: Duration = Duration::from_millis(20);
const LOG_TAIL_LINES: usize = 25;

/// A SecantusDB 0.7.0b3 on the loopback interface, which says that it is the primary of a replica set `secantus` of one
/// member with wire version 27. It ends when this value is dropped or the process ends. Fail points are enabled.
///
/// It comes from a Python package that is installed once, by `python3 -m venv` and `pip`, into a folder of its own in
/// `$XDG_CACHE_HOME/mongo-actors` (or `~/.cache/mongo-actors`).
///
/// ```no_run
/// # async fn example() -> mongo_actors_testkit::Result<()> {
/// use bson::doc;
/// use mongo_actors_testkit::Secantus;
///
/// let server = Secantus::start().await?;
/// println!("{}", server.uri());
/// server.run_command("admin", doc! { "ping": 1 }).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Secantus {
    port: Port,
    _process: ServerProcess,
    /// Dropped after the server has been killed.
    _directory: Directory,
}

impl Secantus {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// [`Error::Provision`] when the package cannot be installed, [`Error::Start`] with the end of the log when the
    /// server does not come up.
    ///
    /// # Cancel safety
    /// Safe: the server is then killed once it has started.
    pub async fn start() -> Result<Self> {
        let program = background::run_blocking(install::cached_or_installed).await?;
        background::run(async move { start(&program).await }).await
    }

    /// Where it listens.
    pub fn socket_address(&self) -> SocketAddr {
        self.port.address()
    }

    /// A connection string.
    pub fn uri(&self) -> String {
        self.uri_with(&[])
    }

    /// A connection string with further options, such as `("maxPoolSize", "5")`.
    pub fn uri_with(&self, options: &[(&str, &str)]) -> String {
        compose_uri(&[self.port.address().to_string()], None, None, options)
    }

    /// Runs a command on a connection of the kit's own.
    ///
    /// # Errors
    /// [`Error::Command`] for the server's refusal, [`Error::Network`] when it does not answer.
    ///
    /// # Cancel safety
    /// The command may be executed all the same.
    pub async fn run_command(&self, database: &str, command: Document) -> Result<Document> {
        let (address, database) = (self.port.address(), database.to_owned());
        background::run(async move {
            Client::connect(address, None, None, PATIENCE).await?.command(&database, command, PATIENCE).await
        })
        .await
    }
}

async fn start(program: &Path) -> Result<Secantus> {
    let directory = Directory::create()?;
    let port = Port::reserve().map_err(Error::system("a port for a server"))?;
    let log = directory.path().join("secantus.log");
    let data = directory.path().join("data");
    let mut arguments: Vec<OsString> =
        ["--host", "127.0.0.1", "--enable-test-commands", "--port"].map(Into::into).into();
    arguments.extend([port.number().to_string().into(), "--storage-path".into(), data.into_os_string()]);
    let process = ServerProcess::spawn(program, &arguments, &log)
        .await
        .map_err(Error::system("the shell that starts and watches SecantusDB"))?;
    let address = port.address();
    let failure = |reason: String| {
        let text = std::fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        Error::Start {
            port: port.number(),
            reason,
            log: lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n"),
        }
    };
    let deadline = Instant::now() + PATIENCE;
    while Client::connect(address, None, None, Duration::from_secs(2)).await.is_err() {
        if let Some(status) = process.exit_status() {
            return Err(failure(format!("it ended with status {status}")));
        }
        if Instant::now() > deadline {
            return Err(failure(format!("it does not answer after {PATIENCE:?}")));
        }
        tokio::time::sleep(INTERVAL).await;
    }
    Ok(Secantus { port, _process: process, _directory: directory })
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[tokio::test]
    async fn the_server_answers_as_a_newer_one() {
        let server = Secantus::start().await.unwrap();
        let hello = server.run_command("admin", doc! { "hello": 1 }).await.unwrap();
        assert!(hello.get_i32("maxWireVersion").unwrap() >= 25, "{hello}");
        assert!(hello.get_bool("isWritablePrimary").unwrap());
        let fault = doc! {
            "configureFailPoint": "failCommand", "mode": { "times": 1 },
            "data": { "failCommands": ["ping"], "errorCode": 8 },
        };
        server.run_command("admin", fault).await.unwrap();
        let refused = server.run_command("admin", doc! { "ping": 1 }).await.unwrap_err();
        assert_eq!(refused.code(), Some(8));
    }
}
