//! One server on its own.

use super::{
    launch::{Launch, create_root},
    member::Member,
    options::{ServerOptions, server_option_setters},
    uri,
};
use crate::{background, error::Result, process::Directory, provision::Mongod};

/// A standalone `mongod` on the loopback interface, which ends when this value is dropped or the process ends.
///
/// ```no_run
/// # async fn example() -> mongo_actors_testkit::Result<()> {
/// use mongo_actors_testkit::Standalone;
///
/// let server = Standalone::start().await?;
/// println!("{}", server.uri());
/// server.member().kill().await?;
/// server.member().start().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Standalone {
    member: Member,
    options: ServerOptions,
    /// Dropped after the server has been killed.
    _directory: Directory,
}

/// Chooses how a [`Standalone`] is started.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct StandaloneBuilder {
    server: ServerOptions,
}

impl StandaloneBuilder {
    server_option_setters!();

    /// Starts the server and waits until it answers.
    ///
    /// # Errors
    /// [`Error::Provision`](crate::Error::Provision) without a `mongod`, [`Error::Start`](crate::Error::Start) with
    /// the end of the log when it does not come up.
    ///
    /// # Cancel safety
    /// Safe: the server is then killed once it has started.
    pub async fn start(self) -> Result<Standalone> {
        let mongod = match self.server.mongod.clone() {
            Some(mongod) => mongod,
            None => Mongod::find().await?,
        };
        background::run(async move { start(mongod, self.server).await }).await
    }
}

async fn start(mongod: Mongod, options: ServerOptions) -> Result<Standalone> {
    let directory = Directory::create()?;
    let launch = Launch::prepare(mongod, directory.path(), "0", &options, None)?;
    let member = Member::start_first(0, false, launch, options.behind_proxies).await?;
    let standalone = Standalone { member, options, _directory: directory };
    create_root(standalone.member.direct_socket(), &standalone.options).await?;
    standalone.member.set_credentials(standalone.options.credentials.clone());
    Ok(standalone)
}

impl Standalone {
    /// Starts a server with the default options.
    ///
    /// # Errors
    /// As [`StandaloneBuilder::start`].
    pub async fn start() -> Result<Self> {
        Self::builder().start().await
    }

    /// Chooses options first.
    pub fn builder() -> StandaloneBuilder {
        StandaloneBuilder::default()
    }

    /// The server.
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// A connection string, with credentials if there are any.
    pub fn uri(&self) -> String {
        self.uri_with(&[])
    }

    /// A connection string with further options, such as `("maxPoolSize", "5")`.
    pub fn uri_with(&self, options: &[(&str, &str)]) -> String {
        uri::compose(
            &[self.member.address().to_string()],
            self.options.credentials.as_ref(),
            self.options.tls.as_ref(),
            options,
        )
    }

    /// A connection string without credentials.
    pub fn uri_without_credentials(&self) -> String {
        uri::compose(&[self.member.address().to_string()], None, self.options.tls.as_ref(), &[])
    }
}

impl Drop for Standalone {
    fn drop(&mut self) {
        self.member.end_now();
    }
}
