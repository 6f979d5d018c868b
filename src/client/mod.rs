//! The client: the handle of one deployment.

mod builder;
mod child;
mod deployment;
mod identity;
mod lifecycle;

use std::{fmt, sync::Arc};

use mongo_actors_engine::{Engine, EngineSettings, resolve_seedlist};
use mongo_actors_protocol::{
    concern::{ReadConcern, WriteConcern},
    options::{ClientOptions, CodecOptions, ConfigWarning},
    read_preference::ReadPreference,
    retry::RetryOptions,
};

use self::identity::Identity;
pub use self::{builder::ClientBuilder, child::ClientChild};
use crate::{
    database::Database,
    error::{Error, Result},
    executor::Call,
    monitoring,
    settings::{DatabaseOptions, Settings},
};

/// A handle of one deployment: a standalone server, a replica set, a sharded cluster or a load balancer.
///
/// Make one and clone it: clones share monitors and connections, and cost next to nothing. It may be shared between
/// threads and used on any tokio runtime or actix arbiter; it must not be used across a fork of the process.
///
/// Making a client asks no server: monitors look for the servers in the background, and operations wait for them. A
/// server that cannot be reached and a wrong password are errors of the first operation. When the last clone is gone,
/// the client closes in the background; [`close`](Self::close) waits for that.
///
/// Two clients are equal when they are for the same deployment: the same seeds, set name and SRV name. Whether they are
/// the same client is told by [`ptr_eq`](Self::ptr_eq).
///
/// ```no_run
/// use mongo_actors::{
///     Client,
///     bson::{Document, doc},
/// };
///
/// # async fn example() -> mongo_actors::error::Result<()> {
/// let client = Client::with_uri_str("mongodb://localhost:27017").await?;
/// let orders = client.database("shop").collection::<Document>("orders");
/// orders.insert_one(doc! { "item": "tea" }).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    engine: Engine,
    options: Arc<ClientOptions>,
    settings: Settings,
    retry: RetryOptions,
    identity: Identity,
}

impl Client {
    /// A client for the deployment of a connection string, with default options otherwise.
    ///
    /// # Errors
    /// [`InvalidUri`](crate::error::ErrorKind::InvalidUri) or
    /// [`Configuration`](crate::error::ErrorKind::Configuration) when the connection string cannot be used, or needs
    /// what this build of the driver lacks; [`Dns`](crate::error::ErrorKind::Dns) with what was asked and what came back
    /// when DNS has no hosts for a `mongodb+srv` name. Malformed values of options are not errors: see
    /// [`ClientOptions::warnings`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn with_uri_str(uri: impl AsRef<str>) -> Result<Self> {
        Self::builder().uri(uri).connect().await
    }

    /// A client with these options, whose hosts DNS is asked for if they are those of a `mongodb+srv` connection string.
    ///
    /// # Errors
    /// Those of [`with_options`](Self::with_options), and [`Dns`](crate::error::ErrorKind::Dns).
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn connect(options: ClientOptions) -> Result<Self> {
        options.validate()?;
        Self::start(resolve_seedlist(options).await?, EngineSettings::new)
    }

    /// A client with these options. Does not ask DNS: [`connect`](Self::connect) does, for `mongodb+srv`.
    ///
    /// ```no_run
    /// use mongo_actors::{Client, options::ClientOptions};
    ///
    /// # fn example() -> mongo_actors::error::Result<()> {
    /// let mut options = ClientOptions::parse("mongodb://localhost/?replicaSet=rs")?;
    /// options.app_name = Some("shop".into());
    /// let client = Client::with_options(options)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Configuration`](crate::error::ErrorKind::Configuration) when options contradict each other, or need what this
    /// build of the driver lacks.
    pub fn with_options(options: ClientOptions) -> Result<Self> {
        options.validate()?;
        Self::start(options, EngineSettings::new)
    }

    /// Options given in code, with or without a connection string, and listeners.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    fn start(options: ClientOptions, settings: impl FnOnce(ClientOptions) -> EngineSettings) -> Result<Self> {
        warn(options.warnings());
        warn(options.notices());
        let retry = RetryOptions {
            retry_reads: options.retry_reads,
            retry_writes: options.retry_writes,
            max_adaptive_retries: options.max_adaptive_retries,
            overload_retargeting: options.overload_retargeting,
        };
        let inherited = Settings::of_client(&options);
        let identity = Identity::of(&options);
        let mut settings = settings(options);
        settings.listeners = monitoring::with_registered(settings.listeners);
        let options = settings.options.clone();
        let engine = Engine::start(settings)?;
        Ok(Self(Arc::new(Shared { engine, options, settings: inherited, retry, identity })))
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn retry_options(&self) -> &RetryOptions {
        &self.0.retry
    }

    /// An operation on the deployment, with nothing but what it inherits.
    pub(crate) fn call(&self) -> Call<'_> {
        Call::new(self, &self.0.settings)
    }

    /// The options in force. Passwords are not shown by their `Debug` output.
    pub fn options(&self) -> &ClientOptions {
        &self.0.options
    }

    /// How values are converted.
    pub fn codec_options(&self) -> &CodecOptions {
        &self.0.options.codec_options
    }

    /// Which servers reads go to, unless a database, collection or operation says otherwise. Default: the primary.
    pub fn read_preference(&self) -> &ReadPreference {
        &self.0.options.read_preference
    }

    /// Which data reads may return, unless a database, collection or operation says otherwise. Default: what the server
    /// makes of it.
    pub fn read_concern(&self) -> &ReadConcern {
        &self.0.options.read_concern
    }

    /// How many members must confirm writes, unless a database, collection or operation says otherwise. Default: what
    /// the server makes of it.
    pub fn write_concern(&self) -> &WriteConcern {
        &self.0.options.write_concern
    }

    /// A database. Asks no server; a name that no server accepts is an error of the first operation.
    pub fn database(&self, name: &str) -> Database {
        Database::new(self, name, DatabaseOptions::default())
    }

    /// A database with settings of its own.
    pub fn database_with_options(&self, name: &str, options: DatabaseOptions) -> Database {
        Database::new(self, name, options)
    }

    /// The database that the connection string names; none when it names none.
    ///
    /// ```no_run
    /// # async fn example() -> mongo_actors::error::Result<()> {
    /// let client = mongo_actors::Client::with_uri_str("mongodb://localhost/shop").await?;
    /// assert_eq!(client.default_database().unwrap().name(), "shop");
    /// # Ok(())
    /// # }
    /// ```
    pub fn default_database(&self) -> Option<Database> {
        self.0.options.default_database.as_deref().map(|name| self.database(name))
    }

    /// The database that the connection string names, else the one called `name`.
    pub fn default_database_or(&self, name: &str) -> Database {
        self.default_database().unwrap_or_else(|| self.database(name))
    }

    /// The database called `name`, else the one that the connection string names, with settings of its own.
    ///
    /// # Errors
    /// [`Configuration`](crate::error::ErrorKind::Configuration) when neither is given.
    pub fn database_with(&self, name: Option<&str>, options: DatabaseOptions) -> Result<Database> {
        let name = name.or(self.0.options.default_database.as_deref()).ok_or_else(|| {
            Error::new(crate::error::ErrorKind::Configuration {
                options: Vec::new(),
                reason: "neither the call nor the connection string names a database".into(),
            })
        })?;
        Ok(self.database_with_options(name, options))
    }
}

fn warn(warnings: &[ConfigWarning]) {
    for warning in warnings {
        tracing::warn!(
            target: "mongo_actors::client",
            option = warning.option,
            replacement = warning.replacement(),
            "{warning}"
        );
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("options", &self.0.options).finish_non_exhaustive()
    }
}
