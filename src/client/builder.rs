//! Options given in code.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use mongo_actors_engine::{
    EngineSettings, Listeners, Parent, Placement, RestartBudget, SupervisionListener, resolve_seedlist,
};
use mongo_actors_protocol::{
    auth::{
        credential::{AuthMechanism, Credential, MechanismProperties},
        secret::Secret,
    },
    concern::{ReadConcern, WriteConcern},
    event::{CommandListener, HeartbeatListener, PoolListener, ServerListener, TopologyListener},
    options::{
        ClientOptions, ClientOptionsBuilder, CodecOptions, Compressor, DriverInfo, HostEntry, ResolverConfig,
        ServerApi, ServerMonitoringMode, Socks5Proxy, TlsOptions,
    },
    read_preference::ReadPreference,
    selection::ServerSelector,
};

use super::Client;
use crate::error::Result;

/// Makes a [`Client`] from options given in code, with or without a connection string, and from what no connection
/// string can hold: listeners, a server selector, and how the driver's actors run.
///
/// Each option goes before the same option of the connection string. A bad value is an error of
/// [`build`](Self::build).
///
/// ```no_run
/// use std::time::Duration;
///
/// use mongo_actors::Client;
///
/// # fn example() -> mongo_actors::error::Result<()> {
/// let client = Client::builder()
///     .uri("mongodb://db0,db1/?replicaSet=rs")
///     .app_name("shop")
///     .timeout(Duration::from_secs(10))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct ClientBuilder {
    options: ClientOptionsBuilder,
    listeners: Listeners,
    selector: Option<ServerSelector>,
    placement: Option<Placement>,
    restart_budget: Option<RestartBudget>,
    stay_down: bool,
    stall_limit: Option<Duration>,
    parent: Option<Parent>,
    max_log_document_len: Option<usize>,
    #[cfg(feature = "simulation")]
    simulation: Option<mongo_actors_engine::Simulation>,
}

/// Setters that the builder of the options has, too.
macro_rules! delegate {
    ($($(#[$doc:meta])* $name:ident($value:ident: $type:ty);)*) => {
        impl ClientBuilder {
            $(
                $(#[$doc])*
                pub fn $name(mut self, $value: $type) -> Self {
                    self.options = self.options.$name($value);
                    self
                }
            )*
        }
    };
}

delegate! {
    /// The connection string. Options given in code go before those in it.
    uri(uri: impl AsRef<str>);
    /// The seeds, in place of those of [`uri`](Self::uri): addresses, or texts of which one may be a connection string.
    /// Default: `localhost`.
    hosts(hosts: impl IntoIterator<Item = impl Into<HostEntry>>);
    /// The port of seeds that have none of their own. Default: 27017.
    default_port(port: u16);
    /// Name shown in servers' logs, at most 128 bytes (`appname`).
    app_name(name: impl Into<String>);
    /// The identity of a library built on the driver; may be called several times.
    driver_info(info: DriverInfo);
    /// The database that [`Client::default_database`] gives.
    default_database(name: impl Into<String>);
    /// Whether the one seed is used as it is, whatever it belongs to (`directConnection`). Default: false.
    direct_connection(direct: bool);
    /// Whether the one seed is a load balancer (`loadBalanced`). Default: false.
    load_balanced(load_balanced: bool);
    /// Name of the replica set that the seeds belong to (`replicaSet`).
    replica_set(name: impl Into<String>);

    /// How many connections a pool may have (`maxPoolSize`); none or 0 for no limit. Default: 100.
    max_pool_size(size: impl Into<Option<u32>>);
    /// How many connections a pool keeps (`minPoolSize`). Default: 0.
    min_pool_size(size: u32);
    /// How many connections a pool may be establishing at a time (`maxConnecting`). Default: 2.
    max_connecting(count: NonZeroU32);
    /// How long a connection may be idle (`maxIdleTimeMS`); none or zero for no limit. Default: no limit.
    max_idle_time(limit: impl Into<Option<Duration>>);
    /// How long an operation may wait for a connection (`waitQueueTimeoutMS`); none for no limit, zero is an error.
    /// Default: no limit.
    wait_queue_timeout(limit: impl Into<Option<Duration>>);

    /// The time for each operation as a whole (`timeoutMS`); none or zero for no limit, which differs from not calling
    /// this: it also lifts the other limits. Default: unset.
    timeout(limit: impl Into<Option<Duration>>);
    /// Limit for establishing a connection (`connectTimeoutMS`); none or zero for no limit. Default: 20 s.
    connect_timeout(limit: impl Into<Option<Duration>>);
    /// Limit for one reply (`socketTimeoutMS`); none or zero for no limit. Default: no limit.
    socket_timeout(limit: impl Into<Option<Duration>>);
    /// How long to wait for a suitable server (`serverSelectionTimeoutMS`); zero decides at once. Default: 30 s.
    server_selection_timeout(limit: impl Into<Duration>);

    /// Interval between checks of a server (`heartbeatFrequencyMS`), at least
    /// [`min_heartbeat_frequency`](Self::min_heartbeat_frequency). Default: 10 s.
    heartbeat_frequency(interval: impl Into<Duration>);
    /// How long after a check of a server the next one comes at the earliest when an operation waits for one, or the
    /// server has said that it is no primary any more; at least 10 ms. Default: 500 ms, which the specification of
    /// server monitoring sets for applications. Less is for tests that bring about many failures and would spend their
    /// time on waiting after each.
    min_heartbeat_frequency(interval: impl Into<Duration>);
    /// Width of the latency window above the fastest suitable server (`localThresholdMS`). Default: 15 ms.
    local_threshold(width: impl Into<Duration>);
    /// How servers are watched (`serverMonitoringMode`). Default: by streaming, except on function services.
    server_monitoring_mode(mode: impl Into<ServerMonitoringMode>);

    /// Whether eligible reads are repeated once (`retryReads`). Default: true.
    retry_reads(retry: bool);
    /// Whether eligible writes are repeated once (`retryWrites`). Default: true.
    retry_writes(retry: bool);
    /// How often an operation is repeated that an overloaded server refused (`maxAdaptiveRetries`). Default: 2.
    max_adaptive_retries(count: u32);
    /// Whether such a repetition avoids the overloaded server (`enableOverloadRetargeting`). Default: false.
    overload_retargeting(retarget: bool);
    /// Compressors in order of preference (`compressors`). Default: none.
    compressors(compressors: impl IntoIterator<Item = Compressor>);

    /// Which data reads may return (`readConcernLevel`). Default: what the server makes of it.
    read_concern(concern: impl Into<ReadConcern>);
    /// How many members must confirm writes (`w`, `journal`, `wTimeoutMS`): whatever of it is given, each part by
    /// itself. Default: what the server makes of it.
    write_concern(concern: WriteConcern);
    /// Which servers reads go to (`readPreference` and its companions, all together). Default: the primary.
    read_preference(preference: impl Into<ReadPreference>);
    /// Stable API asked of servers. Default: none.
    server_api(api: impl Into<ServerApi>);
    /// How values are converted.
    codec_options(options: CodecOptions);

    /// Whatever of the credential is given, each part by itself.
    credential(credential: Credential);
    /// User name as it is, never percent-encoded.
    username(name: impl Into<String>);
    /// Password as it is, never percent-encoded. It may complete the user name of a connection string.
    password(password: impl Into<Secret>);
    /// Database that knows the user (`authSource`).
    auth_source(source: impl Into<String>);
    /// Mechanism to authenticate with, none to negotiate it (`authMechanism`). Default: negotiated.
    auth_mechanism(mechanism: impl Into<Option<AuthMechanism>>);
    /// What the mechanism needs, replaced as a whole (`authMechanismProperties`).
    auth_mechanism_properties(properties: impl Into<MechanismProperties>);

    /// Turns TLS on, with whatever of these options is given, each by itself.
    tls(options: TlsOptions);
    /// Proxy that every connection goes through (`proxyHost` and its companions).
    socks5_proxy(proxy: Socks5Proxy);
    /// Who is asked for the records of a `mongodb+srv` connection string. Default: the system's DNS servers.
    resolver_config(config: impl Into<ResolverConfig>);
    /// How many hosts of DNS are used, 0 for all (`srvMaxHosts`). Default: 0.
    srv_max_hosts(count: u32);
    /// Service whose SRV records are asked for (`srvServiceName`). Default: `mongodb`.
    srv_service_name(name: impl Into<String>);
}

impl ClientBuilder {
    /// Turns TLS off, also for `mongodb+srv`. Options that ask for it are then an error.
    pub fn no_tls(mut self) -> Self {
        self.options = self.options.no_tls();
        self
    }

    /// The application's own say in server selection, after the read preference and before latency.
    ///
    /// ```no_run
    /// use mongo_actors::{Client, options::ServerSelector};
    ///
    /// let builder = Client::builder().server_selector(ServerSelector::new(|servers| {
    ///     servers.iter().filter(|server| server.tags.contains_key("near")).cloned().collect()
    /// }));
    /// ```
    pub fn server_selector(mut self, selector: ServerSelector) -> Self {
        self.selector = Some(selector);
        self
    }

    /// Adds a listener to commands.
    ///
    /// ```no_run
    /// use std::sync::Arc;
    ///
    /// use mongo_actors::{
    ///     Client,
    ///     event::{CommandFailedEvent, CommandListener},
    /// };
    ///
    /// struct Failures;
    ///
    /// impl CommandListener for Failures {
    ///     fn command_failed(&self, event: &CommandFailedEvent) {
    ///         eprintln!("{} failed after {:?}: {}", event.command_name, event.duration, event.failure);
    ///     }
    /// }
    ///
    /// let builder = Client::builder().command_listener(Arc::new(Failures));
    /// ```
    pub fn command_listener(mut self, listener: Arc<dyn CommandListener>) -> Self {
        self.listeners.command.push(listener);
        self
    }

    /// Adds a listener to connection pools.
    pub fn pool_listener(mut self, listener: Arc<dyn PoolListener>) -> Self {
        self.listeners.pool.push(listener);
        self
    }

    /// Adds a listener to the checks of servers.
    pub fn heartbeat_listener(mut self, listener: Arc<dyn HeartbeatListener>) -> Self {
        self.listeners.heartbeat.push(listener);
        self
    }

    /// Adds a listener to what becomes known of single servers.
    pub fn server_listener(mut self, listener: Arc<dyn ServerListener>) -> Self {
        self.listeners.server.push(listener);
        self
    }

    /// Adds a listener to what becomes known of the deployment as a whole.
    pub fn topology_listener(mut self, listener: Arc<dyn TopologyListener>) -> Self {
        self.listeners.topology.push(listener);
        self
    }

    /// Adds a listener to what happens to the driver's actors. The `Recipient` of an actix actor is one, too.
    pub fn supervision_listener(mut self, listener: Arc<dyn SupervisionListener>) -> Self {
        self.listeners.supervision.push(listener);
        self
    }

    /// Who decides what becomes of the driver's actors when they cannot be kept alive within their budget: the
    /// `Recipient` of an actix actor, or a [`Parent`]. Default: nobody, so that they are started anew after a pause of 1 s,
    /// doubled each time up to 30 s.
    ///
    /// See [`ClientChild`](crate::ClientChild) for an actor that decides.
    pub fn escalate_to(mut self, parent: impl Into<Parent>) -> Self {
        self.parent = Some(parent.into());
        self
    }

    /// On which thread the client's topology, pools and connections live. Default: on the current arbiter when there
    /// is one, else on a thread of their own.
    pub fn placement(mut self, placement: Placement) -> Self {
        self.placement = Some(placement);
        self
    }

    /// How often an actor of the driver may be restarted before its parent is. Default: 5 times in 5 s.
    pub fn restart_budget(mut self, budget: RestartBudget) -> Self {
        self.restart_budget = Some(budget);
        self
    }

    /// Whether actors that could not be kept alive stay down until [`Client::restart`], rather than being started anew
    /// after a pause of 1 to 30 seconds. Operations fail at once meanwhile. Default: false.
    pub fn stay_down(mut self, stay: bool) -> Self {
        self.stay_down = stay;
        self
    }

    /// How long an actor of the driver, or the thread that it lives on, may be silent before it counts as stalled: the
    /// actor is restarted then, the thread reported in the log. Default: 4 seconds.
    pub fn stall_limit(mut self, limit: Duration) -> Self {
        self.stall_limit = Some(limit);
        self
    }

    /// The most bytes of a command, a reply or a failure that a log message shows. Default: 1000, or what the
    /// environment variable `MONGODB_LOG_MAX_DOCUMENT_LENGTH` says.
    ///
    /// The client writes its log messages to the [`tracing`] subscriber that is in force where it is built, with the
    /// targets `mongo_actors::command`, `mongo_actors::connection`, `mongo_actors::server_selection` and
    /// `mongo_actors::topology`, mostly at the level `DEBUG`.
    pub fn max_log_document_len(mut self, bytes: usize) -> Self {
        self.max_log_document_len = Some(bytes);
        self
    }

    /// Has the client live in a simulation: see [`simulation`](crate::simulation).
    #[cfg(feature = "simulation")]
    pub fn simulation(mut self, simulation: mongo_actors_engine::Simulation) -> Self {
        self.simulation = Some(simulation);
        self
    }

    /// Makes the client. Asks no server, and not DNS either: see [`connect`](Self::connect) for `mongodb+srv`.
    ///
    /// # Errors
    /// [`InvalidUri`](crate::error::ErrorKind::InvalidUri) or
    /// [`Configuration`](crate::error::ErrorKind::Configuration) for a connection string that cannot be used, a bad
    /// value, options that contradict each other, options that need what this build of the driver lacks, and
    /// `mongodb+srv`.
    pub fn build(self) -> Result<Client> {
        let (options, settings) = self.split()?;
        Client::start(options, settings)
    }

    /// Asks DNS for the hosts of a `mongodb+srv` connection string, if there is one, and makes the client. Asks no
    /// server.
    ///
    /// ```no_run
    /// use mongo_actors::Client;
    ///
    /// # async fn example() -> mongo_actors::error::Result<()> {
    /// let client = Client::builder().uri("mongodb+srv://cluster0.example.com").app_name("shop").connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`build`](Self::build), and [`Dns`](crate::error::ErrorKind::Dns) with what was asked and what came
    /// back when no hosts are found within `connectTimeoutMS`.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn connect(self) -> Result<Client> {
        let (options, settings) = self.split()?;
        Client::start(resolve_seedlist(options).await?, settings)
    }

    /// The options, and what makes the engine's settings of them.
    fn split(self) -> Result<(ClientOptions, impl FnOnce(ClientOptions) -> EngineSettings)> {
        let Self {
            options,
            listeners,
            selector,
            placement,
            restart_budget,
            stay_down,
            stall_limit,
            parent,
            max_log_document_len,
            #[cfg(feature = "simulation")]
            simulation,
        } = self;
        let settings = move |options| {
            let mut settings = EngineSettings::new(options);
            settings.listeners = listeners;
            settings.max_log_document_len = max_log_document_len;
            settings.selector = selector;
            settings.placement = placement;
            settings.stay_down = stay_down;
            settings.parent = parent;
            #[cfg(feature = "simulation")]
            {
                settings.simulation = simulation;
            }
            if let Some(budget) = restart_budget {
                settings.restart_budget = budget;
            }
            if let Some(limit) = stall_limit {
                settings.stall_limit = limit;
            }
            settings
        };
        Ok((options.build()?, settings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_supervision_reaches_the_actors() {
        let settings_of = |builder: ClientBuilder| {
            let (options, settings) = builder.uri("mongodb://host").split().unwrap();
            settings(options)
        };
        let default = settings_of(ClientBuilder::default());
        assert!(!default.stay_down);
        let budget = RestartBudget { restarts: 7, within: Duration::from_secs(9) };
        let limit = default.stall_limit * 2;
        let settings = settings_of(ClientBuilder::default().stay_down(true).stall_limit(limit).restart_budget(budget));
        assert!(settings.stay_down);
        assert_eq!((settings.stall_limit, settings.restart_budget), (limit, budget));
    }
}
