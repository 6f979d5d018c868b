//! What a client's actors are made from.

use std::{collections::HashMap, env, num::NonZeroU32, path::Path, sync::Arc, time::Duration};

use mongo_actors_protocol::{
    auth::conversation::Conversation,
    cmap::PoolOptions,
    compression::is_available,
    handshake::{ClientMetadata, Environment, InvalidMetadata, OperatingSystem},
    options::{ClientOptions, Compressor, ConfigError},
    sdam::SrvPolling,
    selection::ServerSelector,
};

use crate::{
    event_publisher::Listeners,
    net::{Tls, dns},
    runtime::{Entropy, Placement, RestartBudget},
    supervisor::Parent,
};

/// The default of [`EngineSettings::stall_limit`].
const STALL_LIMIT: Duration = Duration::from_secs(4);

/// Everything that decides how a client's actors behave. It never changes.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// The client's options, validated.
    pub options: Arc<ClientOptions>,
    /// The application's own say in server selection.
    pub selector: Option<ServerSelector>,
    /// Who listens to events.
    pub listeners: Listeners,
    /// The most bytes of a document that a log message shows; none for what the environment says, else 1000.
    pub max_log_document_len: Option<usize>,
    /// Where the actors that operations pass through live; none for what suits the thread that builds the client.
    pub placement: Option<Placement>,
    /// How often an actor may crash before its parent takes over.
    pub restart_budget: RestartBudget,
    /// Whether a tree that could not be kept alive stays down until [`Engine::restart`](crate::Engine::restart), rather
    /// than being started anew after a pause of 1 to 30 seconds.
    pub stay_down: bool,
    /// Who decides about a tree that could not be kept alive.
    pub parent: Option<Parent>,
    /// How long an actor, or the thread it lives on, may be silent before it counts as stalled.
    pub stall_limit: Duration,
    /// What the client has in place of the world; none for the world.
    #[cfg(feature = "simulation")]
    pub simulation: Option<crate::simulation::Simulation>,
    /// What only conformance tests change.
    #[doc(hidden)]
    pub conformance: Conformance,
    pub(crate) function_as_a_service: bool,
    /// Those of the options that this build has.
    pub(crate) compressors: Vec<Compressor>,
}

/// Takes from the driver what a conformance test does by itself.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Conformance {
    /// Whether servers are monitored; otherwise nobody marks their pools ready.
    pub monitors: bool,
    /// How often pools look after their connections; none for never.
    pub maintenance_interval: Option<Duration>,
    /// The least time between two lookups of SRV records.
    pub srv_rescan_interval: Duration,
    /// What the environment says about the keys of AWS; none for that of the process, which tests cannot change.
    pub variables: Option<Arc<HashMap<String, String>>>,
}

impl Default for Conformance {
    fn default() -> Self {
        Self {
            monitors: true,
            maintenance_interval: PoolOptions::default().maintenance_interval,
            srv_rescan_interval: SrvPolling::LEAST_INTERVAL,
            variables: None,
        }
    }
}

/// Why a client cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The options ask for something that this build of the driver lacks.
    #[error("the option \"{option}\" asks for {feature}, which this build of the driver does not have; {remedy}")]
    Unavailable {
        /// The option.
        option: &'static str,
        /// What it asks for.
        feature: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The client lives in a simulation, which lacks what the options ask for.
    #[error("the option \"{option}\" asks for something that a simulation does not have: leave it out")]
    NotSimulated {
        /// The option.
        option: &'static str,
    },
    /// The options name a `mongodb+srv` host, and nobody has asked DNS yet.
    #[error("the hosts of a mongodb+srv connection string come from DNS: connect() asks for them")]
    Unresolved,
    /// What an option names cannot be used.
    #[error(transparent)]
    Options(#[from] ConfigError),
    /// The client's description of itself cannot be sent.
    #[error(transparent)]
    Metadata(#[from] InvalidMetadata),
    /// The operating system grants no thread.
    #[error("the client's threads cannot be started: {0}")]
    Threads(#[from] std::io::Error),
}

impl StartError {
    pub(crate) fn no_dns() -> Self {
        let remedy = "turn the feature dns-resolver on, or list the hosts in a mongodb:// URI";
        Self::Unavailable { option: "mongodb+srv", feature: "a DNS lookup of the hosts", remedy }
    }
}

impl EngineSettings {
    /// The settings that follow from `options` alone.
    pub fn new(options: ClientOptions) -> Self {
        let (compressors, missing): (Vec<_>, Vec<_>) =
            options.compressors.iter().partition(|compressor| is_available(**compressor));
        for compressor in missing {
            let name = Compressor::name(compressor);
            tracing::warn!(
                target: "mongo_actors::client",
                option = "compressors",
                "{name} was ignored: this build of the driver is without it, turn the feature {name}-compression on"
            );
        }
        Self {
            options: Arc::new(options),
            selector: None,
            listeners: Listeners::default(),
            max_log_document_len: None,
            placement: None,
            restart_budget: RestartBudget::default(),
            stay_down: false,
            parent: None,
            stall_limit: STALL_LIMIT,
            #[cfg(feature = "simulation")]
            simulation: None,
            conformance: Conformance::default(),
            function_as_a_service: environment().faas.is_some(),
            compressors,
        }
    }

    /// Refuses what the options ask for and the actors cannot do: nothing is weakened in silence.
    pub(crate) fn check_availability(&self) -> Result<(), StartError> {
        let options = &self.options;
        let unavailable = |option, feature, remedy| Err(StartError::Unavailable { option, feature, remedy });
        if options.srv.is_some() && options.hosts.is_empty() {
            return Err(if dns::AVAILABLE { StartError::Unresolved } else { StartError::no_dns() });
        }
        if self.is_simulated() {
            // Their work is done by other threads, or by hosts that are not simulated.
            let options = [
                ("tls", options.tls_enabled),
                ("compressors", !options.compressors.is_empty()),
                ("proxyHost", options.socks5_proxy.is_some()),
                ("mongodb+srv", options.srv.is_some()),
            ];
            if let Some((option, _)) = options.into_iter().find(|(_, is_set)| *is_set) {
                return Err(StartError::NotSimulated { option });
            }
        }
        if options.tls_enabled && cfg!(not(feature = "tls")) {
            return unavailable("tls", "encrypted connections", "turn the Cargo feature \"tls\" on");
        }
        let mechanism = options.credential.as_ref().and_then(|credential| credential.mechanism);
        match mechanism.filter(|mechanism| !Conversation::speaks(*mechanism)) {
            Some(_) => {
                unavailable("authMechanism", "this mechanism", "use SCRAM-SHA-256, MONGODB-X509, MONGODB-AWS or PLAIN")
            }
            None => Ok(()),
        }
    }

    /// Whether the client lives in a simulation.
    pub(crate) fn is_simulated(&self) -> bool {
        #[cfg(feature = "simulation")]
        return self.simulation.is_some();
        #[cfg(not(feature = "simulation"))]
        false
    }

    /// Where the client's chances come from.
    pub(crate) fn entropy(&self) -> Entropy {
        #[cfg(feature = "simulation")]
        if let Some(simulation) = &self.simulation {
            return simulation.entropy();
        }
        Entropy::default()
    }

    /// What encrypted connections need; none when they are not asked for.
    #[cfg(feature = "tls")]
    pub(crate) fn tls(&self) -> Result<Option<Tls>, ConfigError> {
        let (proxy, limit) = (self.options.socks5_proxy.as_ref(), self.options.connect_timeout);
        self.options.tls().map(|options| Tls::new(options, proxy, limit)).transpose()
    }

    #[cfg(not(feature = "tls"))]
    pub(crate) fn tls(&self) -> Result<Option<Tls>, ConfigError> {
        Ok(None)
    }

    pub(crate) fn metadata(&self) -> Result<ClientMetadata, InvalidMetadata> {
        let mut metadata = ClientMetadata::new(self.options.app_name.clone(), environment())?;
        for info in &self.options.driver_infos {
            metadata.append(info.clone())?;
        }
        Ok(metadata)
    }

    pub(crate) fn pool_options(&self) -> PoolOptions {
        let options = &self.options;
        PoolOptions {
            max_size: options.max_pool_size.unwrap_or(0),
            min_size: options.min_pool_size,
            max_idle: options.max_idle_time,
            max_connecting: NonZeroU32::new(options.max_connecting).unwrap_or(NonZeroU32::MIN),
            wait_queue_timeout: options.wait_queue_timeout,
            load_balanced: options.load_balanced,
            maintenance_interval: self.conformance.maintenance_interval,
        }
    }
}

/// Where this process runs, as far as its variables and files tell.
fn environment() -> Environment {
    let docker = Path::new(Environment::DOCKER_FILE).exists();
    Environment::detect(OperatingSystem::of_build(), |name| env::var(name).ok(), docker)
}
