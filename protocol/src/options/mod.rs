//! The options of a client: where they come from, what they default to, and which of them contradict each other
//! (URI options specification and those it refers to).
//!
//! An option given in code goes before one of the connection string, that before one of a TXT record, and that before
//! the default; this holds for each option by itself. Malformed values in a connection string are dropped with a
//! [`ConfigWarning`]; values given in code and contradictions are errors.

mod builder;
mod checks;
mod compressor;
mod driver;
mod error;
mod monitoring;
mod proxy;
mod read;
mod resolve;
mod resolver;
mod set;
mod table;
mod tls;
mod values;

use std::time::Duration;

use bson::Document;
use rand::RngCore;

pub use self::{
    builder::{ClientOptionsBuilder, HostEntry},
    compressor::Compressor,
    driver::{DriverInfo, ServerApi, ServerApiVersion},
    error::{ConfigError, ConfigWarning, WarningReason},
    monitoring::ServerMonitoringMode,
    proxy::{DEFAULT_PROXY_PORT, Socks5Proxy},
    resolver::ResolverConfig,
    tls::TlsOptions,
};
pub use crate::codec::{
    CodecOptions, DatetimeConversion, TypeRegistry, Utf8Policy, UuidRepresentation, time::UtcOffset,
};
use crate::{
    address::ServerAddress,
    auth::credential::{AuthMechanism, Credential},
    concern::{ReadConcern, WriteConcern},
    read_preference::ReadPreference,
    uri::srv::{SrvOptions, TxtOptions},
};

/// The options in force for a client: validated, with defaults filled in. Its `Debug` output shows no secrets.
///
/// The fields may be changed; [`validate`](Self::validate) then checks again that they fit together.
///
/// ```
/// use std::time::Duration;
///
/// use mongo_actors_protocol::options::ClientOptions;
///
/// let options = ClientOptions::parse("mongodb://db0,db1/?replicaSet=rs&maxPoolSize=20&retryWrite=true").unwrap();
/// assert_eq!(options.replica_set.as_deref(), Some("rs"));
/// assert_eq!(options.max_pool_size, Some(20));
/// assert_eq!(options.connect_timeout, Some(Duration::from_secs(20)));
/// assert_eq!(options.warnings()[0].to_string(), "option retryWrite is unknown and was ignored");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClientOptions {
    /// The seeds. Empty until [`apply_txt_and_hosts`](Self::apply_txt_and_hosts) when they come from DNS.
    pub hosts: Vec<ServerAddress>,
    /// Where the seeds come from, for a `mongodb+srv` connection string.
    pub srv: Option<SrvOptions>,
    /// Who is asked for the records of a `mongodb+srv` connection string.
    pub resolver_config: ResolverConfig,
    /// Name shown in servers' logs, at most 128 bytes.
    pub app_name: Option<String>,
    /// Libraries built on the driver, in the order they are appended to its own identity.
    pub driver_infos: Vec<DriverInfo>,
    /// Who the client claims to be; none connects without authentication.
    pub credential: Option<Credential>,
    /// Database of the connection string, which `Client::default_database` gives.
    pub default_database: Option<String>,

    /// Whether the one seed is used as it is, whatever it belongs to.
    pub direct_connection: bool,
    /// Whether the one seed is a load balancer.
    pub load_balanced: bool,
    /// Name of the replica set the seeds belong to.
    pub replica_set: Option<String>,

    /// How many connections a pool may have, 100 by default; none is no limit.
    pub max_pool_size: Option<u32>,
    /// How many connections a pool keeps, 0 by default.
    pub min_pool_size: u32,
    /// How many connections a pool may be establishing at a time, 2 by default.
    pub max_connecting: u32,
    /// How long a connection may be idle; none, the default, is no limit.
    pub max_idle_time: Option<Duration>,
    /// How long an operation may wait for a connection; none, the default, is no limit.
    pub wait_queue_timeout: Option<Duration>,

    /// Budget of a whole operation: none (the default) when unset, zero when set to unlimited.
    pub timeout: Option<Duration>,
    /// Limit for establishing a connection, 20 seconds by default; none is no limit.
    pub connect_timeout: Option<Duration>,
    /// Limit for one reply; none, the default, is no limit.
    pub socket_timeout: Option<Duration>,
    /// How long to wait for a suitable server, 30 seconds by default; zero decides at once.
    pub server_selection_timeout: Duration,

    /// Interval between checks of a server, 10 seconds by default, at least `min_heartbeat_frequency`.
    pub heartbeat_frequency: Duration,
    /// How long after a check the next one comes at the earliest when it is needed, 500 ms by default, at least 10 ms.
    pub min_heartbeat_frequency: Duration,
    /// Width of the latency window above the fastest suitable server, 15 ms by default.
    pub local_threshold: Duration,
    /// How servers are watched.
    pub server_monitoring_mode: ServerMonitoringMode,
    /// Understood for the sake of other drivers; changes nothing.
    pub server_selection_try_once: Option<bool>,

    /// Whether eligible reads are repeated once, true by default.
    pub retry_reads: bool,
    /// Whether eligible writes are repeated once, true by default.
    pub retry_writes: bool,
    /// How often an operation is repeated that an overloaded server refused, 2 by default.
    pub max_adaptive_retries: u32,
    /// Whether such a repetition avoids the overloaded server, false by default.
    pub overload_retargeting: bool,
    /// Compressors in order of preference; none by default.
    pub compressors: Vec<Compressor>,

    /// Default read concern.
    pub read_concern: ReadConcern,
    /// Default write concern.
    pub write_concern: WriteConcern,
    /// Default read preference.
    pub read_preference: ReadPreference,
    /// Stable API asked of servers.
    pub server_api: Option<ServerApi>,
    /// How values are converted.
    pub codec_options: CodecOptions,

    /// Whether connections are encrypted; see [`tls`](Self::tls).
    pub tls_enabled: bool,
    /// How connections are encrypted, if they are.
    pub tls_options: TlsOptions,
    /// Proxy that every connection goes through.
    pub socks5_proxy: Option<Socks5Proxy>,

    warnings: Vec<ConfigWarning>,
    notices: Vec<ConfigWarning>,
    /// Whether `authSource` was given, rather than derived.
    given_auth_source: bool,
    /// Whether `loadBalanced` was given, be it false.
    given_load_balanced: bool,
}

impl ClientOptions {
    /// The options of a connection string. Asks neither DNS nor the file system.
    ///
    /// # Errors
    /// [`ConfigError`] when the text cannot be parsed, when a value may not be ignored although it is faulty, and when
    /// options contradict each other.
    pub fn parse(uri: &str) -> Result<Self, ConfigError> {
        Self::builder().uri(uri).build()
    }

    /// Options given in code, with or without a connection string.
    pub fn builder() -> ClientOptionsBuilder {
        ClientOptionsBuilder::default()
    }

    /// What of the connection string was not applied as written.
    pub fn warnings(&self) -> &[ConfigWarning] {
        &self.warnings
    }

    /// Remarks on options that were applied: deprecated ones, and some that weaken security.
    pub fn notices(&self) -> &[ConfigWarning] {
        &self.notices
    }

    /// How connections are encrypted; none if they are not.
    pub fn tls(&self) -> Option<&TlsOptions> {
        self.tls_enabled.then_some(&self.tls_options)
    }

    /// Checks that the options fit together.
    ///
    /// # Errors
    /// [`ConfigError`] names the options that contradict each other.
    pub fn validate(&self) -> Result<(), ConfigError> {
        checks::all(self)
    }

    /// The options of a `mongodb+srv` connection string with what DNS answered: the targets of the SRV records with
    /// their ports, and the TXT records of the name, the strings of each joined. TXT options only fill in what was
    /// given neither in code nor in the connection string. Chooses `srvMaxHosts` of the hosts at random.
    ///
    /// # Errors
    /// [`ConfigError`] when there is no host, when one is outside the name's domain, when a TXT record is faulty, and
    /// when the combined options contradict each other.
    pub fn apply_txt_and_hosts(
        &self,
        hosts: Vec<ServerAddress>,
        txt_records: &[String],
        rng: &mut dyn RngCore,
    ) -> Result<Self, ConfigError> {
        let Some(srv) = &self.srv else {
            return Err(ConfigError::uri("scheme", "only mongodb+srv takes its hosts from DNS"));
        };
        if hosts.is_empty() {
            let reason = format!("{} has no records: check the name", srv.query_name());
            return Err(ConfigError::uri("SRV record", reason));
        }
        hosts.iter().try_for_each(|host| srv.check_target(&host.host()))?;
        let mut options = self.clone();
        let txt = TxtOptions::parse(txt_records, &mut options.warnings)?;
        options.overlay(txt);
        options.hosts = srv.choose_hosts(hosts, rng);
        options.validate()?;
        Ok(options)
    }

    fn overlay(&mut self, txt: TxtOptions) {
        if self.replica_set.is_none() {
            self.replica_set = txt.replica_set;
        }
        if let Some(load_balanced) = txt.load_balanced.filter(|_| !self.given_load_balanced && !self.load_balanced) {
            self.load_balanced = load_balanced;
        }
        let Some(credential) = self.credential.as_mut().filter(|_| !self.given_auth_source) else { return };
        // A default for the cluster says nothing about users that live outside it.
        if !credential.mechanism.is_some_and(AuthMechanism::is_external) {
            credential.source = txt.auth_source.or(credential.source.take());
        }
    }

    /// The pool options that differ from their defaults, as the event of a pool's creation reports them.
    pub fn non_default_pool_options(&self) -> Document {
        let mut document = Document::new();
        let mut insert = |name: &str, value: i64, default: i64| {
            if value != default {
                document.insert(name, value);
            }
        };
        insert("maxPoolSize", self.max_pool_size.unwrap_or(0).into(), resolve::MAX_POOL_SIZE.into());
        insert("minPoolSize", self.min_pool_size.into(), 0);
        insert("maxConnecting", self.max_connecting.into(), resolve::MAX_CONNECTING.into());
        insert("maxIdleTimeMS", whole_millis(self.max_idle_time), 0);
        insert("waitQueueTimeoutMS", whole_millis(self.wait_queue_timeout), 0);
        document
    }
}

fn whole_millis(duration: Option<Duration>) -> i64 {
    i64::try_from(duration.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
