//! From the options given to the options in force.

use std::time::Duration;

use super::{
    ClientOptions, CodecOptions, Compressor, ConfigError, ConfigWarning, DEFAULT_PROXY_PORT, Socks5Proxy, TlsOptions,
    WarningReason, set::OptionSet,
};
use crate::{
    address::ServerAddress,
    auth::credential::{AuthMechanism, Credential, DEFAULT_SERVICE_NAME},
    concern::WriteConcern,
    read_preference::{ReadPreference, ReadPreferenceOptions},
    uri::srv::{self, SrvOptions},
};

pub(super) const MAX_POOL_SIZE: u32 = 100;
pub(super) const MAX_CONNECTING: u32 = 2;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const SERVER_SELECTION_TIMEOUT: Duration = Duration::from_secs(30);
const HEARTBEAT_FREQUENCY: Duration = Duration::from_secs(10);
const MIN_HEARTBEAT_FREQUENCY: Duration = Duration::from_millis(500);
const LOCAL_THRESHOLD: Duration = Duration::from_millis(15);
const MAX_ADAPTIVE_RETRIES: u32 = 2;

/// What the options depend on beside themselves.
#[derive(Default)]
pub(super) struct Origin {
    pub(super) hosts: Vec<ServerAddress>,
    /// The name of a `mongodb+srv` connection string.
    pub(super) srv_host: Option<String>,
    pub(super) database: Option<String>,
    pub(super) warnings: Vec<ConfigWarning>,
    pub(super) notices: Vec<ConfigWarning>,
}

/// Fills in defaults and checks everything.
pub(super) fn resolve(mut set: OptionSet, mut origin: Origin) -> Result<ClientOptions, ConfigError> {
    let given_auth_source = set.auth_source.is_some();
    let given_load_balanced = set.load_balanced.is_some();
    let srv = srv(&mut set, origin.srv_host.take())?;
    let read_preference = read_preference(&mut set)?;
    let socks5_proxy = socks5_proxy(&mut set)?;
    let tls_options = tls_options(&mut set);
    let tls_enabled = tls_enabled(set.tls, &tls_options, srv.is_some())?;
    let credential = credential(&mut set, origin.database.as_deref())?;
    if credential.as_ref().and_then(|c| c.mechanism) == Some(AuthMechanism::Plain) && !tls_enabled {
        let reason = WarningReason::Insecure("PLAIN sends the password in the clear: turn TLS on");
        origin.notices.push(ConfigWarning::new("authMechanism", reason));
    }
    let limit = |duration: Option<Duration>| duration.filter(|duration| !duration.is_zero());
    let options = ClientOptions {
        hosts: origin.hosts,
        srv,
        resolver_config: set.resolver_config.take().unwrap_or_default(),
        compressors: compressors(&mut set),
        credential,
        read_preference,
        write_concern: write_concern(&mut set),
        codec_options: codec_options(&mut set),
        tls_enabled,
        tls_options,
        socks5_proxy,
        app_name: set.app_name,
        driver_infos: set.driver_infos.unwrap_or_default(),
        default_database: set.default_database.or(origin.database),
        direct_connection: set.direct_connection.unwrap_or(false),
        load_balanced: set.load_balanced.unwrap_or(false),
        replica_set: set.replica_set,
        max_pool_size: Some(set.max_pool_size.unwrap_or(MAX_POOL_SIZE)).filter(|&size| size > 0),
        min_pool_size: set.min_pool_size.unwrap_or(0),
        max_connecting: set.max_connecting.unwrap_or(MAX_CONNECTING),
        max_idle_time: limit(set.max_idle_time),
        wait_queue_timeout: limit(set.wait_queue_timeout),
        timeout: set.timeout,
        connect_timeout: limit(Some(set.connect_timeout.unwrap_or(CONNECT_TIMEOUT))),
        socket_timeout: limit(set.socket_timeout),
        server_selection_timeout: set.server_selection_timeout.unwrap_or(SERVER_SELECTION_TIMEOUT),
        heartbeat_frequency: set.heartbeat_frequency.unwrap_or(HEARTBEAT_FREQUENCY),
        min_heartbeat_frequency: set.min_heartbeat_frequency.unwrap_or(MIN_HEARTBEAT_FREQUENCY),
        local_threshold: set.local_threshold.unwrap_or(LOCAL_THRESHOLD),
        server_monitoring_mode: set.server_monitoring_mode.unwrap_or_default(),
        server_selection_try_once: set.server_selection_try_once,
        retry_reads: set.retry_reads.unwrap_or(true),
        retry_writes: set.retry_writes.unwrap_or(true),
        max_adaptive_retries: set.max_adaptive_retries.unwrap_or(MAX_ADAPTIVE_RETRIES),
        overload_retargeting: set.overload_retargeting.unwrap_or(false),
        read_concern: set.read_concern.unwrap_or_default(),
        server_api: set.server_api,
        warnings: origin.warnings,
        notices: origin.notices,
        given_auth_source,
        given_load_balanced,
    };
    options.validate()?;
    Ok(options)
}

fn srv(set: &mut OptionSet, host: Option<String>) -> Result<Option<SrvOptions>, ConfigError> {
    let service_name = set.srv_service_name.take();
    let max_hosts = set.srv_max_hosts.take();
    let Some(host) = host else {
        let given = match (&service_name, max_hosts) {
            (Some(_), _) => "srvServiceName",
            (None, Some(_)) => "srvMaxHosts",
            (None, None) => return Ok(None),
        };
        return Err(ConfigError::conflict(&[given], format!("{given} belongs to mongodb+srv:// only: drop it")));
    };
    if service_name.as_deref().is_some_and(|name| !srv::is_service_name(name)) {
        let reason = "srvServiceName must be 1 to 62 letters, digits and hyphens";
        return Err(ConfigError::conflict(&["srvServiceName"], reason));
    }
    Ok(Some(SrvOptions {
        host: host.to_ascii_lowercase(),
        service_name: service_name.unwrap_or_else(|| srv::DEFAULT_SERVICE_NAME.to_owned()),
        max_hosts: max_hosts.unwrap_or(0),
    }))
}

fn read_preference(set: &mut OptionSet) -> Result<ReadPreference, ConfigError> {
    if let Some(preference) = set.read_preference.take() {
        return Ok(preference);
    }
    let options = ReadPreferenceOptions {
        tag_sets: set.read_preference_tags.take(),
        max_staleness: set.max_staleness.flatten(),
        hedge: None,
    };
    Ok(ReadPreference::new(set.read_preference_mode.unwrap_or_default(), options)?)
}

fn write_concern(set: &mut OptionSet) -> WriteConcern {
    WriteConcern { w: set.w.take(), w_timeout: set.w_timeout, journal: set.journal, fsync: set.fsync }
}

fn codec_options(set: &mut OptionSet) -> CodecOptions {
    CodecOptions {
        time_zone: set.time_zone.flatten(),
        datetime_conversion: set.datetime_conversion.unwrap_or_default(),
        uuid_representation: set.uuid_representation.unwrap_or_default(),
        type_registry: set.type_registry.take().unwrap_or_default(),
        utf8_policy: set.utf8_policy.unwrap_or_default(),
    }
}

fn compressors(set: &mut OptionSet) -> Vec<Compressor> {
    let (zlib, zstd) = (set.zlib_compression_level, set.zstd_compression_level);
    let with_level = |compressor| match compressor {
        Compressor::Zlib { level } => Compressor::Zlib { level: level.or(zlib) },
        Compressor::Zstd { level } => Compressor::Zstd { level: level.or(zstd) },
        Compressor::Snappy => compressor,
    };
    set.compressors.take().into_iter().flatten().map(with_level).collect()
}

fn socks5_proxy(set: &mut OptionSet) -> Result<Option<Socks5Proxy>, ConfigError> {
    let (username, password) = (set.proxy_username.take(), set.proxy_password.take());
    let Some(host) = set.proxy_host.take() else {
        let given = match (set.proxy_port, &username, &password) {
            (Some(_), _, _) => "proxyPort",
            (_, Some(_), _) => "proxyUsername",
            (_, _, Some(_)) => "proxyPassword",
            _ => return Ok(None),
        };
        return Err(ConfigError::conflict(&["proxyHost", given], format!("{given} needs proxyHost beside it")));
    };
    let credentials = match (username, password) {
        (Some(username), Some(password)) => Some((username, password)),
        (None, None) => None,
        _ => {
            let reason = "proxyUsername and proxyPassword need each other: give both or neither";
            return Err(ConfigError::conflict(&["proxyUsername", "proxyPassword"], reason));
        }
    };
    Ok(Some(Socks5Proxy { host, port: set.proxy_port.unwrap_or(DEFAULT_PROXY_PORT), credentials }))
}

fn tls_options(set: &mut OptionSet) -> TlsOptions {
    TlsOptions {
        ca_file: set.tls_ca_file.take(),
        ca_pem: set.tls_ca_pem.take(),
        cert_key_file: set.tls_certificate_key_file.take(),
        cert_key_pem: set.tls_certificate_key_pem.take(),
        key_file: set.tls_key_file.take(),
        cert_key_password: set.tls_certificate_key_file_password.take(),
        crl_file: set.tls_crl_file.take(),
        insecure: set.tls_insecure,
        allow_invalid_certificates: set.tls_allow_invalid_certificates,
        allow_invalid_hostnames: set.tls_allow_invalid_hostnames,
        disable_ocsp_endpoint_check: set.tls_disable_ocsp_endpoint_check,
        disable_certificate_revocation_check: set.tls_disable_certificate_revocation_check,
    }
}

fn tls_enabled(tls: Option<bool>, options: &TlsOptions, is_srv: bool) -> Result<bool, ConfigError> {
    let implying = options.implying();
    match (tls, implying.first()) {
        (Some(false), Some(&option)) => {
            let reason = format!("{option} asks for TLS while tls=false turns it off: drop one of them");
            Err(ConfigError::conflict(&["tls", option], reason))
        }
        (Some(tls), _) => Ok(tls),
        (None, implied) => Ok(implied.is_some() || is_srv),
    }
}

/// The credential, if there is anything to authenticate with: a database or `authSource` alone is nothing.
fn credential(set: &mut OptionSet, database: Option<&str>) -> Result<Option<Credential>, ConfigError> {
    let (username, password) = (set.username.take(), set.password.take());
    if username.is_none() && password.is_none() && set.auth_mechanism.is_none() {
        return Ok(None);
    }
    let mechanism = set.auth_mechanism.flatten();
    let is_external = mechanism.is_some_and(AuthMechanism::is_external);
    let mut credential = Credential {
        username,
        password,
        source: set.auth_source.take().or_else(|| database.filter(|_| !is_external).map(str::to_owned)),
        mechanism,
        mechanism_properties: set.auth_mechanism_properties.take().unwrap_or_default(),
    };
    if mechanism == Some(AuthMechanism::Gssapi) {
        let service = &mut credential.mechanism_properties.service_name;
        service.get_or_insert_with(|| DEFAULT_SERVICE_NAME.to_owned());
    }
    credential.source = Some(credential.effective_source().to_owned());
    credential.validate()?;
    Ok(Some(credential))
}
