//! The options of connection strings: their values in force on the client.

use libtest_mimic::Failed;
use mongo_actors_protocol::{
    auth::credential::MechanismProperties,
    options::{ClientOptions, Compressor, TlsOptions},
    read_preference::TagSet,
};
use serde_json::{Map, Value, json};

use super::{Case, connection_string};
use crate::discovery::SpecFile;

pub(crate) fn cases(file: &SpecFile) -> Vec<Case> {
    connection_string::uri_cases(file, connection_string::run)
}

/// Checks `options` of a case: each that is named has its value; if a warning is due and nothing else is said, each
/// option that was warned of has its default; and without any option in the URI, all have.
pub(super) fn check(test: &Value, options: &ClientOptions) -> Result<(), Failed> {
    if let Some(expected) = test["options"].as_object() {
        return expected.iter().try_for_each(|(name, value)| expect(name, value, options));
    }
    let uri = connection_string::text(test, "uri")?;
    let default = match uri.starts_with("mongodb+srv:") {
        true => ClientOptions::parse("mongodb+srv://localhost")?,
        false => ClientOptions::parse("mongodb://localhost")?,
    };
    let unset: Vec<String> = match uri.split_once('?') {
        Some(_) => options.warnings().iter().map(|warning| warning.option.clone()).collect(),
        None => ALL.iter().map(|&name| name.to_owned()).filter(|name| !name.starts_with("auth")).collect(),
    };
    for name in unset {
        // An unknown option has no value that could have changed.
        if let Some(value) = value_of(&name, &default) {
            expect(&name, &value, options)?;
        }
    }
    Ok(())
}

fn expect(name: &str, expected: &Value, options: &ClientOptions) -> Result<(), Failed> {
    match value_of(name, options) {
        None => Err(format!("this runner does not know the option {name}").into()),
        Some(actual) if agrees(expected, &actual) => Ok(()),
        Some(actual) => Err(format!("option {name}: expected {expected}, got {actual}").into()),
    }
}

/// Whether a value is the one expected. Properties that have defaults may be there beside those expected.
fn agrees(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            expected.iter().all(|(name, value)| actual.get(name) == Some(value))
        }
        _ => expected == actual,
    }
}

/// The names of the options that `value_of` knows.
const ALL: &[&str] = &[
    "appname",
    "authMechanism",
    "authMechanismProperties",
    "authSource",
    "compressors",
    "connectTimeoutMS",
    "directConnection",
    "enableOverloadRetargeting",
    "fsync",
    "heartbeatFrequencyMS",
    "journal",
    "loadBalanced",
    "localThresholdMS",
    "maxAdaptiveRetries",
    "maxConnecting",
    "maxIdleTimeMS",
    "maxPoolSize",
    "maxStalenessSeconds",
    "minPoolSize",
    "proxyHost",
    "proxyPassword",
    "proxyPort",
    "proxyUsername",
    "readConcernLevel",
    "readPreference",
    "readPreferenceTags",
    "replicaSet",
    "retryReads",
    "retryWrites",
    "serverMonitoringMode",
    "serverSelectionTimeoutMS",
    "serverSelectionTryOnce",
    "socketTimeoutMS",
    "srvMaxHosts",
    "srvServiceName",
    "ssl",
    "timeoutMS",
    "tls",
    "tlsAllowInvalidCertificates",
    "tlsAllowInvalidHostnames",
    "tlsCAFile",
    "tlsCertificateKeyFile",
    "tlsCertificateKeyFilePassword",
    "tlsDisableCertificateRevocationCheck",
    "tlsDisableOCSPEndpointCheck",
    "tlsInsecure",
    "w",
    "waitQueueTimeoutMS",
    "wTimeoutMS",
    "zlibCompressionLevel",
    "zstdCompressionLevel",
];

/// The value of an option as the specifications write it; null when it is absent.
fn value_of(name: &str, options: &ClientOptions) -> Option<Value> {
    let name = name.to_ascii_lowercase();
    client_value(&name, options)
        .or_else(|| concern_value(&name, options))
        .or_else(|| credential_value(&name, options))
        .or_else(|| tls_value(&name, options))
        .or_else(|| proxy_value(&name, options))
}

fn client_value(name: &str, options: &ClientOptions) -> Option<Value> {
    let millis = |duration: Option<std::time::Duration>| json!(duration.unwrap_or_default().as_millis() as u64);
    Some(match name {
        "appname" => json!(options.app_name),
        "compressors" => options.compressors.iter().map(|compressor| compressor.name()).collect(),
        "connecttimeoutms" => millis(options.connect_timeout),
        "directconnection" => json!(options.direct_connection),
        "enableoverloadretargeting" => json!(options.overload_retargeting),
        "heartbeatfrequencyms" => millis(Some(options.heartbeat_frequency)),
        "loadbalanced" => json!(options.load_balanced),
        "localthresholdms" => millis(Some(options.local_threshold)),
        "maxadaptiveretries" => json!(options.max_adaptive_retries),
        "maxconnecting" => json!(options.max_connecting),
        "maxidletimems" => millis(options.max_idle_time),
        "maxpoolsize" => json!(options.max_pool_size.unwrap_or(0)),
        "minpoolsize" => json!(options.min_pool_size),
        "replicaset" => json!(options.replica_set),
        "retryreads" => json!(options.retry_reads),
        "retrywrites" => json!(options.retry_writes),
        "servermonitoringmode" => json!(options.server_monitoring_mode.as_str()),
        "serverselectiontimeoutms" => millis(Some(options.server_selection_timeout)),
        "serverselectiontryonce" => json!(options.server_selection_try_once),
        "sockettimeoutms" => millis(options.socket_timeout),
        "srvmaxhosts" => json!(options.srv.as_ref().map(|srv| srv.max_hosts)),
        "srvservicename" => json!(options.srv.as_ref().map(|srv| &srv.service_name)),
        "timeoutms" => json!(options.timeout.map(|timeout| timeout.as_millis() as u64)),
        "waitqueuetimeoutms" => millis(options.wait_queue_timeout),
        "zlibcompressionlevel" => compression_level(options, "zlib"),
        "zstdcompressionlevel" => compression_level(options, "zstd"),
        _ => return None,
    })
}

fn compression_level(options: &ClientOptions, name: &str) -> Value {
    let level = options.compressors.iter().find(|compressor| compressor.name() == name).map(|it| match it {
        Compressor::Zlib { level } | Compressor::Zstd { level } => *level,
        _ => None,
    });
    json!(level.flatten())
}

fn concern_value(name: &str, options: &ClientOptions) -> Option<Value> {
    let write = &options.write_concern;
    let read_preference = &options.read_preference;
    Some(match name {
        "fsync" => json!(write.fsync),
        "journal" | "j" => json!(write.journal),
        "w" => write.to_document().get("w").map_or(Value::Null, |w| w.clone().into_relaxed_extjson()),
        "wtimeoutms" | "wtimeout" => json!(write.w_timeout.map(|limit| limit.as_millis() as u64)),
        "readconcernlevel" => json!(options.read_concern.level.as_ref().map(|level| level.as_str())),
        "maxstalenessseconds" => json!(read_preference.max_staleness().map_or(-1, |limit| limit.as_secs() as i64)),
        "readpreference" => json!(read_preference.mode().as_str()),
        "readpreferencetags" => read_preference.tag_sets().iter().map(tags).collect(),
        _ => return None,
    })
}

fn tags(tags: &TagSet) -> Value {
    tags.iter().map(|(key, value)| (key.clone(), json!(value))).collect::<Map<_, _>>().into()
}

fn credential_value(name: &str, options: &ClientOptions) -> Option<Value> {
    let credential = options.credential.as_ref();
    Some(match name {
        "authmechanism" => json!(credential.and_then(|it| it.mechanism).map(|mechanism| mechanism.as_str())),
        "authmechanismproperties" => {
            credential.map_or(Value::Null, |it| mechanism_properties(&it.mechanism_properties).into())
        }
        "authsource" => json!(credential.map(|it| it.effective_source())),
        _ => return None,
    })
}

/// The properties that are set, as the specifications write them.
pub(super) fn mechanism_properties(properties: &MechanismProperties) -> Map<String, Value> {
    let environment = properties.environment.map(|environment| environment.as_str());
    let token = properties.aws_session_token.as_ref().map(|token| token.expose());
    let values = [
        ("SERVICE_NAME", properties.service_name.as_deref()),
        ("SERVICE_HOST", properties.service_host.as_deref()),
        ("SERVICE_REALM", properties.service_realm.as_deref()),
        ("CANONICALIZE_HOST_NAME", properties.canonicalize_host_name.map(|how| how.as_str())),
        ("AWS_SESSION_TOKEN", token),
        ("ENVIRONMENT", environment),
        ("TOKEN_RESOURCE", properties.token_resource.as_deref()),
    ];
    values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
}

fn tls_value(name: &str, options: &ClientOptions) -> Option<Value> {
    let tls: &TlsOptions = &options.tls_options;
    Some(match name {
        "tls" | "ssl" => json!(options.tls_enabled),
        "tlsallowinvalidcertificates" => json!(tls.allows_invalid_certificates()),
        "tlsallowinvalidhostnames" => json!(tls.allows_invalid_hostnames()),
        "tlscafile" => json!(tls.ca_file),
        "tlscertificatekeyfile" => json!(tls.cert_key_file),
        "tlscertificatekeyfilepassword" => json!(tls.cert_key_password.as_ref().map(|password| password.expose())),
        "tlscrlfile" => json!(tls.crl_file),
        "tlsdisablecertificaterevocationcheck" => json!(tls.disable_certificate_revocation_check.unwrap_or(false)),
        "tlsdisableocspendpointcheck" => json!(tls.disable_ocsp_endpoint_check.unwrap_or(false)),
        "tlsinsecure" => json!(tls.insecure.unwrap_or(false)),
        _ => return None,
    })
}

fn proxy_value(name: &str, options: &ClientOptions) -> Option<Value> {
    let proxy = options.socks5_proxy.as_ref();
    let credentials = proxy.and_then(|proxy| proxy.credentials.as_ref());
    Some(match name {
        "proxyhost" => json!(proxy.map(|proxy| &proxy.host)),
        "proxyport" => json!(proxy.map(|proxy| proxy.port)),
        "proxyusername" => json!(credentials.map(|(username, _)| username)),
        "proxypassword" => json!(credentials.map(|(_, password)| password.expose())),
        _ => return None,
    })
}
