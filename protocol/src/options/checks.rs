//! Which options contradict each other.

use std::time::Duration;

use super::{ClientOptions, Compressor, ConfigError, values::MAX_APP_NAME_BYTES};
use crate::address::ServerAddress;

/// A server that is asked more often than this has little time for anything else.
const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(10);

type Check = fn(&ClientOptions) -> Result<(), ConfigError>;

const CHECKS: &[Check] = &[
    hosts,
    direct_connection,
    load_balanced,
    srv_max_hosts,
    tls_insecure,
    tls_certificate_checks,
    tls_revocation_lists,
    concerns,
    pool,
    heartbeat,
    app_name,
    compression_levels,
    credential,
    proxy,
];

/// Runs every check on the options in force.
pub(super) fn all(options: &ClientOptions) -> Result<(), ConfigError> {
    CHECKS.iter().try_for_each(|check| check(options))
}

fn refuse_if(is_wrong: bool, options: &[&'static str], reason: &str) -> Result<(), ConfigError> {
    if is_wrong { Err(ConfigError::conflict(options, reason)) } else { Ok(()) }
}

fn hosts(options: &ClientOptions) -> Result<(), ConfigError> {
    let none = options.hosts.is_empty() && options.srv.is_none();
    refuse_if(none, &["host"], "no host is given")
}

fn direct_connection(options: &ClientOptions) -> Result<(), ConfigError> {
    if !options.direct_connection {
        return Ok(());
    }
    let name = &["directConnection"];
    refuse_if(options.srv.is_some(), name, "directConnection=true does not go with mongodb+srv://, a list of hosts")?;
    refuse_if(options.hosts.len() > 1, name, "directConnection=true takes exactly one host")
}

fn load_balanced(options: &ClientOptions) -> Result<(), ConfigError> {
    if !options.load_balanced {
        return Ok(());
    }
    refuse_if(options.hosts.len() > 1, &["loadBalanced"], "loadBalanced=true takes exactly one host")?;
    let both = &["loadBalanced", "directConnection"];
    refuse_if(options.direct_connection, both, "loadBalanced=true and directConnection=true exclude each other")?;
    // The limit on hosts is reported as such where both are wrong.
    let is_limited = options.srv.as_ref().is_some_and(|srv| srv.max_hosts > 0);
    let has_set = options.replica_set.is_some() && !is_limited;
    refuse_if(has_set, &["loadBalanced", "replicaSet"], "loadBalanced=true and replicaSet exclude each other")
}

fn srv_max_hosts(options: &ClientOptions) -> Result<(), ConfigError> {
    let is_limited = options.srv.as_ref().is_some_and(|srv| srv.max_hosts > 0);
    let other = match (&options.replica_set, options.load_balanced) {
        (Some(_), _) => "replicaSet",
        (None, true) => "loadBalanced=true",
        (None, false) => return Ok(()),
    };
    if is_limited {
        return Err(ConfigError::uri("option srvMaxHosts", format!("it and {other} exclude each other")));
    }
    Ok(())
}

fn refuse_pair(first: (&str, bool), second: (&str, bool)) -> Result<(), ConfigError> {
    if first.1 && second.1 {
        let place = format!("options {} and {}", first.0, second.0);
        return Err(ConfigError::uri(place, "they exclude each other, whatever their values: drop one of them"));
    }
    Ok(())
}

fn tls_insecure(options: &ClientOptions) -> Result<(), ConfigError> {
    let tls = &options.tls_options;
    let insecure = ("tlsInsecure", tls.insecure.is_some());
    refuse_pair(insecure, ("tlsAllowInvalidCertificates", tls.allow_invalid_certificates.is_some()))?;
    refuse_pair(insecure, ("tlsAllowInvalidHostnames", tls.allow_invalid_hostnames.is_some()))?;
    refuse_pair(insecure, ("tlsDisableOCSPEndpointCheck", tls.disable_ocsp_endpoint_check.is_some()))?;
    let revocation = tls.disable_certificate_revocation_check.is_some();
    refuse_pair(insecure, ("tlsDisableCertificateRevocationCheck", revocation))
}

fn tls_certificate_checks(options: &ClientOptions) -> Result<(), ConfigError> {
    let tls = &options.tls_options;
    let certificates = ("tlsAllowInvalidCertificates", tls.allow_invalid_certificates.is_some());
    let ocsp = ("tlsDisableOCSPEndpointCheck", tls.disable_ocsp_endpoint_check.is_some());
    let revocation = ("tlsDisableCertificateRevocationCheck", tls.disable_certificate_revocation_check.is_some());
    refuse_pair(certificates, ocsp)?;
    refuse_pair(certificates, revocation)?;
    refuse_pair(ocsp, revocation)
}

fn tls_revocation_lists(options: &ClientOptions) -> Result<(), ConfigError> {
    let tls = &options.tls_options;
    let relaxed = [
        ("tlsInsecure", tls.insecure),
        ("tlsAllowInvalidCertificates", tls.allow_invalid_certificates),
        ("tlsDisableOCSPEndpointCheck", tls.disable_ocsp_endpoint_check),
        ("tlsDisableCertificateRevocationCheck", tls.disable_certificate_revocation_check),
    ];
    match relaxed.into_iter().find(|(_, flag)| *flag == Some(true)) {
        Some((name, _)) if tls.crl_file.is_some() => {
            let place = format!("options tlsCRLFile and {name}");
            Err(ConfigError::uri(place, "revocation lists are useless without the check: drop one of them"))
        }
        _ => Ok(()),
    }
}

fn concerns(options: &ClientOptions) -> Result<(), ConfigError> {
    options.write_concern.validate()?;
    Ok(options.read_preference.validate()?)
}

fn pool(options: &ClientOptions) -> Result<(), ConfigError> {
    let names = &["minPoolSize", "maxPoolSize"];
    let too_many = options.max_pool_size.is_some_and(|most| options.min_pool_size > most);
    refuse_if(too_many, names, "minPoolSize is above maxPoolSize: lower it, or set maxPoolSize=0 for no limit")?;
    refuse_if(options.max_connecting == 0, &["maxConnecting"], "maxConnecting must be at least 1")
}

fn heartbeat(options: &ClientOptions) -> Result<(), ConfigError> {
    let least = options.min_heartbeat_frequency;
    let too_short = least < SHORTEST_HEARTBEAT;
    refuse_if(too_short, &["min_heartbeat_frequency"], "min_heartbeat_frequency must be at least 10 ms")?;
    let too_often = options.heartbeat_frequency < least;
    let reason = format!("heartbeatFrequencyMS must be at least {}", least.as_millis());
    refuse_if(too_often, &["heartbeatFrequencyMS"], &reason)
}

fn app_name(options: &ClientOptions) -> Result<(), ConfigError> {
    let too_long = options.app_name.as_ref().is_some_and(|name| name.len() > MAX_APP_NAME_BYTES);
    refuse_if(too_long, &["appname"], "the application name is longer than 128 bytes: shorten it")
}

fn compression_levels(options: &ClientOptions) -> Result<(), ConfigError> {
    let is_wrong = |compressor: &Compressor| match compressor {
        Compressor::Zlib { level: Some(level) } => !(-1..=9).contains(level),
        Compressor::Zstd { level: Some(level) } => !(1..=22).contains(level),
        _ => false,
    };
    let names = &["zlibCompressionLevel", "zstdCompressionLevel"];
    let reason = "the compression level must be from -1 to 9 for zlib and from 1 to 22 for zstd";
    refuse_if(options.compressors.iter().any(is_wrong), names, reason)
}

fn credential(options: &ClientOptions) -> Result<(), ConfigError> {
    Ok(options.credential.as_ref().map_or(Ok(()), |credential| credential.validate())?)
}

fn proxy(options: &ClientOptions) -> Result<(), ConfigError> {
    let has_socket = options.hosts.iter().any(|host| matches!(host, ServerAddress::Unix { .. }));
    let is_wrong = has_socket && options.socks5_proxy.is_some();
    refuse_if(is_wrong, &["proxyHost"], "a Unix socket cannot be reached through a SOCKS5 proxy: drop one of them")
}
