//! Options given in code.

use std::{num::NonZeroU32, time::Duration};

use super::{
    ClientOptions, CodecOptions, Compressor, ConfigError, DriverInfo, ResolverConfig, ServerApi, ServerMonitoringMode,
    Socks5Proxy, TlsOptions,
    read::{self, Reading},
    resolve::{self, Origin},
    set::OptionSet,
};
use crate::{
    address::{DEFAULT_PORT, ServerAddress},
    auth::{
        credential::{AuthMechanism, Credential, InvalidCredential, MechanismProperties},
        secret::Secret,
    },
    concern::{ReadConcern, WriteConcern},
    read_preference::ReadPreference,
    uri::{ConnectionString, Scheme},
};

/// A host given in code: a text, which is a connection string if it has a slash, or an address.
#[derive(Clone, Debug)]
pub struct HostEntry(Entry);

#[derive(Clone)]
enum Entry {
    Text(Secret),
    Address(ServerAddress),
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl From<&str> for HostEntry {
    fn from(text: &str) -> Self {
        Self(Entry::Text(text.into()))
    }
}

impl From<String> for HostEntry {
    fn from(text: String) -> Self {
        Self(Entry::Text(text.into()))
    }
}

impl From<ServerAddress> for HostEntry {
    fn from(address: ServerAddress) -> Self {
        Self(Entry::Address(address))
    }
}

/// Collects options given in code, with or without a connection string; each goes before the same option of the
/// connection string. A bad value is an error of [`build`](Self::build).
///
/// ```
/// use std::time::Duration;
///
/// use mongo_actors_protocol::options::ClientOptions;
///
/// let options = ClientOptions::builder()
///     .uri("mongodb://alice@db0/?maxPoolSize=5&minPoolSize=2")
///     .password("secret")
///     .max_pool_size(50)
///     .connect_timeout(Duration::from_secs(3))
///     .build()
///     .unwrap();
/// assert_eq!((options.max_pool_size, options.min_pool_size), (Some(50), 2));
/// assert_eq!(options.credential.unwrap().username.as_deref(), Some("alice"));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct ClientOptionsBuilder {
    uri: Option<Secret>,
    hosts: Option<Vec<HostEntry>>,
    default_port: Option<u16>,
    set: OptionSet,
    fault: Option<ConfigError>,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty => $field:ident,)*) => {
        impl ClientOptionsBuilder {
            $(
                $(#[$doc])*
                pub fn $name(mut self, value: impl Into<$type>) -> Self {
                    self.set.$field = Some(value.into());
                    self
                }
            )*
        }
    };
}

setters! {
    /// Name shown in servers' logs: `appname`.
    app_name: String => app_name,
    /// Mechanism to authenticate with, none to negotiate it: `authMechanism`.
    auth_mechanism: Option<AuthMechanism> => auth_mechanism,
    /// What the mechanism needs: `authMechanismProperties`, replaced as a whole.
    auth_mechanism_properties: MechanismProperties => auth_mechanism_properties,
    /// Database that `Client::default_database` gives.
    default_database: String => default_database,
    /// Whether the one seed is used as it is: `directConnection`.
    direct_connection: bool => direct_connection,
    /// Interval between checks of a server, at least `min_heartbeat_frequency`: `heartbeatFrequencyMS`.
    heartbeat_frequency: Duration => heartbeat_frequency,
    /// Whether the one seed is a load balancer: `loadBalanced`.
    load_balanced: bool => load_balanced,
    /// Width of the latency window: `localThresholdMS`.
    local_threshold: Duration => local_threshold,
    /// How often an operation that overload refused is repeated: `maxAdaptiveRetries`.
    max_adaptive_retries: u32 => max_adaptive_retries,
    /// How long after a check of a server the next one comes at the earliest, at least 10 ms.
    min_heartbeat_frequency: Duration => min_heartbeat_frequency,
    /// How many connections a pool keeps: `minPoolSize`.
    min_pool_size: u32 => min_pool_size,
    /// Whether such a repetition avoids the overloaded server: `enableOverloadRetargeting`.
    overload_retargeting: bool => overload_retargeting,
    /// Password as it is, never percent-encoded. It may complete the user name of a connection string.
    password: Secret => password,
    /// Default read concern: `readConcernLevel`.
    read_concern: ReadConcern => read_concern,
    /// Default read preference: goes before `readPreference`, `readPreferenceTags` and `maxStalenessSeconds` together.
    read_preference: ReadPreference => read_preference,
    /// Whether eligible reads are repeated: `retryReads`.
    retry_reads: bool => retry_reads,
    /// Whether eligible writes are repeated: `retryWrites`.
    retry_writes: bool => retry_writes,
    /// Who is asked for the records of a `mongodb+srv` connection string.
    resolver_config: ResolverConfig => resolver_config,
    /// Stable API asked of servers.
    server_api: ServerApi => server_api,
    /// How servers are watched: `serverMonitoringMode`.
    server_monitoring_mode: ServerMonitoringMode => server_monitoring_mode,
    /// How long to wait for a suitable server, zero to decide at once: `serverSelectionTimeoutMS`.
    server_selection_timeout: Duration => server_selection_timeout,
    /// How many hosts of DNS are used, 0 for all: `srvMaxHosts`.
    srv_max_hosts: u32 => srv_max_hosts,
    /// Service whose SRV records are asked for: `srvServiceName`.
    srv_service_name: String => srv_service_name,
    /// User name as it is, never percent-encoded.
    username: String => username,
}

macro_rules! limit_setters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        impl ClientOptionsBuilder {
            $(
                $(#[$doc])*
                pub fn $name(mut self, limit: impl Into<Option<Duration>>) -> Self {
                    self.set.$name = Some(limit.into().unwrap_or_default());
                    self
                }
            )*
        }
    };
}

limit_setters! {
    /// Limit for establishing a connection, none or zero for no limit: `connectTimeoutMS`.
    connect_timeout,
    /// How long a connection may be idle, none or zero for no limit: `maxIdleTimeMS`.
    max_idle_time,
    /// Limit for one reply, none or zero for no limit: `socketTimeoutMS`.
    socket_timeout,
    /// Budget of a whole operation: `timeoutMS`. None or zero sets it to unlimited, which differs from not calling this.
    timeout,
}

impl ClientOptionsBuilder {
    /// The connection string. Options given in code go before those in it.
    pub fn uri(mut self, uri: impl AsRef<str>) -> Self {
        self.uri = Some(uri.as_ref().into());
        self
    }

    /// The seeds, in place of those of [`uri`](Self::uri). One entry may be a connection string, whose hosts are added
    /// to the others.
    pub fn hosts<H: Into<HostEntry>>(mut self, hosts: impl IntoIterator<Item = H>) -> Self {
        self.hosts = Some(hosts.into_iter().map(Into::into).collect());
        self
    }

    /// The port of seeds that have none of their own; 27017 by default.
    pub fn default_port(mut self, port: u16) -> Self {
        self.check(port != 0, "port", "the default port must be from 1 to 65535");
        self.default_port = Some(port);
        self
    }

    /// Name of the replica set the seeds belong to: `replicaSet`.
    pub fn replica_set(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.check(!name.is_empty(), "replicaSet", "the name of the replica set is empty: leave it out");
        self.set.replica_set = Some(name);
        self
    }

    /// Database that knows the user: `authSource`.
    pub fn auth_source(mut self, source: impl Into<String>) -> Self {
        let source = source.into();
        if source.is_empty() {
            self.fault.get_or_insert(InvalidCredential::EmptySource.into());
        }
        self.set.auth_source = Some(source);
        self
    }

    /// Whatever of the credential is given, each part by itself.
    pub fn credential(mut self, credential: Credential) -> Self {
        let Credential { username, password, source, mechanism, mechanism_properties } = credential;
        let set = &mut self.set;
        set.username = username.or(set.username.take());
        set.password = password.or(set.password.take());
        set.auth_mechanism = mechanism.map(Some).or(set.auth_mechanism);
        if !mechanism_properties.is_empty() {
            set.auth_mechanism_properties = Some(mechanism_properties);
        }
        match source {
            Some(source) => self.auth_source(source),
            None => self,
        }
    }

    /// How many connections a pool may have, none or 0 for no limit: `maxPoolSize`.
    pub fn max_pool_size(mut self, size: impl Into<Option<u32>>) -> Self {
        self.set.max_pool_size = Some(size.into().unwrap_or(0));
        self
    }

    /// How many connections a pool may be establishing at a time: `maxConnecting`.
    pub fn max_connecting(mut self, count: NonZeroU32) -> Self {
        self.set.max_connecting = Some(count.get());
        self
    }

    /// How long an operation may wait for a connection, none for no limit: `waitQueueTimeoutMS`. Zero is an error.
    pub fn wait_queue_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        let limit = limit.into();
        let reason = "the wait for a connection cannot be zero: use none for no limit";
        self.check(limit != Some(Duration::ZERO), "waitQueueTimeoutMS", reason);
        self.set.wait_queue_timeout = Some(limit.unwrap_or_default());
        self
    }

    /// Adds the identity of a library built on the driver. One of the same name, in any case, is kept once.
    pub fn driver_info(mut self, info: DriverInfo) -> Self {
        let is_name = !info.name.is_empty() && !info.name.contains('|');
        self.check(is_name, "driver", "the name of a wrapping library must not be empty or contain |");
        let infos = self.set.driver_infos.get_or_insert_default();
        if !infos.iter().any(|known| known.name.eq_ignore_ascii_case(&info.name)) {
            infos.push(info);
        }
        self
    }

    /// Compressors in order of preference: `compressors` and their levels.
    pub fn compressors(mut self, compressors: impl IntoIterator<Item = Compressor>) -> Self {
        self.set.compressors = Some(compressors.into_iter().collect());
        self
    }

    /// Default write concern: whatever of it is given, each part by itself.
    pub fn write_concern(mut self, concern: WriteConcern) -> Self {
        let set = &mut self.set;
        set.w = concern.w.or(set.w.take());
        set.w_timeout = concern.w_timeout.or(set.w_timeout);
        set.journal = concern.journal.or(set.journal);
        set.fsync = concern.fsync.or(set.fsync);
        self
    }

    /// How values are converted.
    pub fn codec_options(mut self, options: CodecOptions) -> Self {
        let CodecOptions { time_zone, datetime_conversion, uuid_representation, type_registry, utf8_policy } = options;
        self.set.time_zone = Some(time_zone);
        self.set.datetime_conversion = Some(datetime_conversion);
        self.set.uuid_representation = Some(uuid_representation);
        self.set.type_registry = Some(type_registry);
        self.set.utf8_policy = Some(utf8_policy);
        self
    }

    /// Turns TLS on, with whatever of these options is given, each by itself.
    pub fn tls(mut self, options: TlsOptions) -> Self {
        self.set.tls = Some(true);
        let set = &mut self.set;
        set.tls_ca_file = options.ca_file.or(set.tls_ca_file.take());
        set.tls_ca_pem = options.ca_pem.or(set.tls_ca_pem.take());
        set.tls_certificate_key_file = options.cert_key_file.or(set.tls_certificate_key_file.take());
        set.tls_certificate_key_pem = options.cert_key_pem.or(set.tls_certificate_key_pem.take());
        set.tls_key_file = options.key_file.or(set.tls_key_file.take());
        let password = &mut set.tls_certificate_key_file_password;
        *password = options.cert_key_password.or(password.take());
        set.tls_crl_file = options.crl_file.or(set.tls_crl_file.take());
        set.tls_insecure = options.insecure.or(set.tls_insecure);
        let certificates = &mut set.tls_allow_invalid_certificates;
        *certificates = options.allow_invalid_certificates.or(*certificates);
        set.tls_allow_invalid_hostnames = options.allow_invalid_hostnames.or(set.tls_allow_invalid_hostnames);
        let ocsp = &mut set.tls_disable_ocsp_endpoint_check;
        *ocsp = options.disable_ocsp_endpoint_check.or(*ocsp);
        let revocation = &mut set.tls_disable_certificate_revocation_check;
        *revocation = options.disable_certificate_revocation_check.or(*revocation);
        self
    }

    /// Turns TLS off, also for `mongodb+srv`. TLS options that ask for it are then an error.
    pub fn no_tls(mut self) -> Self {
        self.set.tls = Some(false);
        self
    }

    /// Proxy that every connection goes through: `proxyHost` and its companions.
    pub fn socks5_proxy(mut self, proxy: Socks5Proxy) -> Self {
        self.check(!proxy.host.is_empty(), "proxyHost", "the host of the proxy is empty");
        self.check(proxy.port != 0, "proxyPort", "the port of the proxy must be from 1 to 65535");
        self.set.proxy_host = Some(proxy.host);
        self.set.proxy_port = Some(proxy.port);
        if let Some((username, password)) = proxy.credentials {
            self.set.proxy_username = Some(username);
            self.set.proxy_password = Some(password);
        }
        self
    }

    /// The options in force.
    ///
    /// # Errors
    /// [`ConfigError`] for a connection string that cannot be used, a bad value given in code, and options of whatever
    /// origin that contradict each other.
    pub fn build(self) -> Result<ClientOptions, ConfigError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let port = self.default_port.unwrap_or(DEFAULT_PORT);
        let given = GivenHosts::sort(self.hosts)?;
        if self.uri.is_some() && given.uri.is_some() {
            return Err(two_uris());
        }
        let text = self.uri.as_ref().or(given.uri.as_ref());
        let uri = text.map(|text| ConnectionString::parse(text.expose())).transpose()?;
        let mut origin = Origin::default();
        let mut lower = OptionSet::default();
        let mut uri_hosts = Vec::new();
        if let Some(uri) = uri {
            let Reading { set, warnings, notices } = read::read(&uri.options)?;
            lower = OptionSet { username: uri.username, password: uri.password, ..set };
            (origin.warnings, origin.notices, origin.database) = (warnings, notices, uri.database);
            match uri.scheme {
                Scheme::MongoDb => uri_hosts = uri.hosts.iter().map(|host| host.address(port)).collect(),
                Scheme::MongoDbSrv => origin.srv_host = uri.hosts.into_iter().next().map(|host| host.host),
            }
        }
        origin.hosts = given.combine(uri_hosts, origin.srv_host.is_some(), port)?;
        resolve::resolve(self.set.over(lower), origin)
    }

    fn check(&mut self, holds: bool, option: &'static str, reason: &str) {
        if !holds {
            self.fault.get_or_insert_with(|| ConfigError::conflict(&[option], reason));
        }
    }
}

fn two_uris() -> ConfigError {
    ConfigError::conflict(&["host"], "several connection strings are given: keep one, and list further hosts by name")
}

/// The hosts given in code.
#[derive(Default)]
struct GivenHosts {
    was_given: bool,
    uri: Option<Secret>,
    /// How many entries came before the connection string.
    before_uri: usize,
    entries: Vec<Entry>,
}

impl GivenHosts {
    fn sort(hosts: Option<Vec<HostEntry>>) -> Result<Self, ConfigError> {
        let mut given = Self { was_given: hosts.is_some(), ..Self::default() };
        for HostEntry(entry) in hosts.into_iter().flatten() {
            match entry {
                Entry::Text(text) if text.expose().contains('/') => {
                    given.before_uri = given.entries.len();
                    if given.uri.replace(text).is_some() {
                        return Err(two_uris());
                    }
                }
                other => given.entries.push(other),
            }
        }
        Ok(given)
    }

    /// The seeds, given those of the connection string.
    fn combine(
        self,
        uri_hosts: Vec<ServerAddress>,
        is_srv: bool,
        port: u16,
    ) -> Result<Vec<ServerAddress>, ConfigError> {
        if !self.was_given {
            let localhost = || vec![ServerAddress::Tcp { host: "localhost".to_owned(), port }];
            return Ok(if uri_hosts.is_empty() && !is_srv { localhost() } else { uri_hosts });
        }
        if is_srv && !self.entries.is_empty() {
            return Err(ConfigError::conflict(&["host"], "mongodb+srv:// takes its hosts from DNS: list no others"));
        }
        let parse = |entry| match entry {
            Entry::Address(address) => Ok(address),
            Entry::Text(text) => ServerAddress::parse(text.expose(), port)
                .map_err(|error| ConfigError::conflict(&["host"], error.to_string())),
        };
        let mut seeds = self.entries.into_iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        if self.uri.is_some() {
            seeds.splice(self.before_uri..self.before_uri, uri_hosts);
        }
        Ok(seeds)
    }
}
