//! The options of connection strings, one row each.

use std::{borrow::Cow, path::PathBuf, time::Duration};

use super::{
    ConfigError, ConfigWarning, WarningReason,
    set::OptionSet,
    values::{self, BadValue},
};
use crate::auth::secret::Secret;

/// One option: its name, what it parses to and where that goes.
pub(super) struct Row {
    /// The canonical spelling; matched without regard to ASCII case.
    pub(super) name: &'static str,
    kind: Kind,
    /// Whether a malformed value is ignored with a warning, rather than an error.
    lenient: bool,
    /// Whether the value must not be shown.
    secret: bool,
    /// What repeating the option means.
    pub(super) repeated: Repeated,
    /// A remark that is kept beside the option when it is used.
    notice: Option<&'static WarningReason>,
}

/// What repeating an option means.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Repeated {
    /// The last one holds, with a warning.
    LastHolds,
    /// The values form a list.
    Accumulates,
    /// It is an error.
    Refused,
    /// It is an error unless all agree.
    MustAgree,
}

/// The field of the set that a value goes to.
type Slot<T> = fn(&mut OptionSet) -> &mut Option<T>;

/// What a value parses to.
enum Kind {
    /// `true` or `false`, or an old spelling of them.
    Bool(Slot<bool>),
    /// `true` or `false` only: options that are younger than the old spellings.
    PlainBool(Slot<bool>),
    /// Any text that is not empty.
    Text(Slot<String>),
    /// Text that must not be shown.
    Secret(Slot<Secret>),
    /// A file.
    Path(Slot<PathBuf>),
    /// A number of milliseconds, at least this many.
    Millis { least: u64, most: u64, slot: Slot<Duration> },
    /// An integer in a range.
    Unsigned { least: u32, slot: Slot<u32> },
    /// An integer in a range that may be negative.
    Signed { least: i32, most: i32, slot: Slot<i32> },
    /// Anything else.
    Custom(fn(&mut OptionSet, &str, &mut Vec<ConfigWarning>) -> Result<(), BadValue>),
    /// An old name: the value is rewritten for the option that replaced it.
    RenamedTo(&'static str, fn(&str) -> Result<Cow<'_, str>, BadValue>),
    /// An option that was understood once and does nothing.
    NoEffect(&'static str),
}

const MOST_MILLIS: u64 = i32::MAX as u64;

impl Row {
    const fn new(name: &'static str, kind: Kind) -> Self {
        let secret = matches!(kind, Kind::Secret(_));
        Self { name, kind, lenient: true, secret, repeated: Repeated::LastHolds, notice: None }
    }

    const fn hard(mut self) -> Self {
        self.lenient = false;
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    const fn repeated(mut self, repeated: Repeated) -> Self {
        self.repeated = repeated;
        self
    }

    const fn notice(mut self, notice: &'static WarningReason) -> Self {
        self.notice = Some(notice);
        self
    }

    const fn millis(name: &'static str, slot: Slot<Duration>) -> Self {
        Self::new(name, Kind::Millis { least: 0, most: MOST_MILLIS, slot })
    }

    const fn proxy(name: &'static str, kind: Kind) -> Self {
        Self::new(name, kind).repeated(Repeated::Refused)
    }

    const fn renamed(name: &'static str, replacement: &'static str) -> Self {
        Self::new(name, Kind::RenamedTo(replacement, values::unchanged))
    }
}

/// Every option, sorted by what it is about.
static ROWS: &[Row] = &[
    // Topology
    Row::new("connect", Kind::NoEffect("the client connects when it is built or first used")),
    Row::new("directConnection", Kind::Bool(|s| &mut s.direct_connection)),
    Row::new("loadBalanced", Kind::PlainBool(|s| &mut s.load_balanced)),
    Row::new("replicaSet", Kind::Text(|s| &mut s.replica_set)),
    Row::new("srvMaxHosts", Kind::Unsigned { least: 0, slot: |s| &mut s.srv_max_hosts }),
    Row::new("srvServiceName", Kind::Custom(values::srv_service_name)),
    // Pools
    Row::new("maxConnecting", Kind::Unsigned { least: 1, slot: |s| &mut s.max_connecting }),
    Row::millis("maxIdleTimeMS", |s| &mut s.max_idle_time),
    Row::new("maxPoolSize", Kind::Unsigned { least: 0, slot: |s| &mut s.max_pool_size }),
    Row::new("minPoolSize", Kind::Unsigned { least: 0, slot: |s| &mut s.min_pool_size }),
    Row::new("waitQueueTimeoutMS", Kind::Millis { least: 1, most: MOST_MILLIS, slot: |s| &mut s.wait_queue_timeout }),
    // Timeouts
    Row::millis("connectTimeoutMS", |s| &mut s.connect_timeout),
    Row::millis("serverSelectionTimeoutMS", |s| &mut s.server_selection_timeout),
    Row::millis("socketTimeoutMS", |s| &mut s.socket_timeout),
    Row::millis("timeoutMS", |s| &mut s.timeout),
    // Selection and monitoring
    Row::millis("heartbeatFrequencyMS", |s| &mut s.heartbeat_frequency),
    Row::millis("localThresholdMS", |s| &mut s.local_threshold),
    Row::new("serverMonitoringMode", Kind::Custom(values::server_monitoring_mode)),
    Row::new("serverSelectionTryOnce", Kind::Bool(|s| &mut s.server_selection_try_once))
        .notice(&WarningReason::NoEffect("it is for drivers with a single thread")),
    // Identity
    Row::new("appname", Kind::Custom(values::app_name)),
    // Retries and compression
    Row::new("enableOverloadRetargeting", Kind::PlainBool(|s| &mut s.overload_retargeting)),
    Row::new("maxAdaptiveRetries", Kind::Unsigned { least: 0, slot: |s| &mut s.max_adaptive_retries }),
    Row::new("retryReads", Kind::Bool(|s| &mut s.retry_reads)),
    Row::new("retryWrites", Kind::Bool(|s| &mut s.retry_writes)),
    Row::new("compressors", Kind::Custom(values::compressors)),
    Row::new("zlibCompressionLevel", Kind::Signed { least: -1, most: 9, slot: |s| &mut s.zlib_compression_level }),
    Row::new("zstdCompressionLevel", Kind::Signed { least: 1, most: 22, slot: |s| &mut s.zstd_compression_level }),
    // Concerns and read preference
    Row::new("fsync", Kind::Bool(|s| &mut s.fsync)),
    Row::new("journal", Kind::Bool(|s| &mut s.journal)),
    Row::new("w", Kind::Custom(values::w)),
    Row::new("wTimeoutMS", Kind::Millis { least: 0, most: i64::MAX as u64, slot: |s| &mut s.w_timeout })
        .notice(&WarningReason::Deprecated { instead: "timeoutMS" }),
    Row::new("readConcernLevel", Kind::Custom(values::read_concern_level)),
    Row::new("maxStalenessSeconds", Kind::Custom(values::max_staleness)),
    Row::new("readPreference", Kind::Custom(values::read_preference_mode)),
    Row::new("readPreferenceTags", Kind::Custom(values::read_preference_tags)).repeated(Repeated::Accumulates),
    // Authentication
    Row::new("authMechanism", Kind::Custom(values::auth_mechanism)).hard(),
    Row::new("authMechanismProperties", Kind::Custom(values::auth_mechanism_properties)).secret(),
    Row::new("authSource", Kind::Custom(values::auth_source)).hard(),
    // TLS
    // Hard, as a value that is ignored would leave the connection unencrypted.
    Row::new("tls", Kind::Bool(|s| &mut s.tls)).repeated(Repeated::MustAgree).hard(),
    Row::new("ssl", Kind::Bool(|s| &mut s.tls)).repeated(Repeated::MustAgree).hard(),
    Row::new("tlsAllowInvalidCertificates", Kind::Bool(|s| &mut s.tls_allow_invalid_certificates)),
    Row::new("tlsAllowInvalidHostnames", Kind::Bool(|s| &mut s.tls_allow_invalid_hostnames)),
    Row::new("tlsCAFile", Kind::Path(|s| &mut s.tls_ca_file)),
    Row::new("tlsCertificateKeyFile", Kind::Path(|s| &mut s.tls_certificate_key_file)),
    Row::new("tlsCertificateKeyFilePassword", Kind::Secret(|s| &mut s.tls_certificate_key_file_password)),
    Row::new("tlsCRLFile", Kind::Path(|s| &mut s.tls_crl_file)),
    Row::new("tlsDisableCertificateRevocationCheck", Kind::Bool(|s| &mut s.tls_disable_certificate_revocation_check)),
    Row::new("tlsDisableOCSPEndpointCheck", Kind::Bool(|s| &mut s.tls_disable_ocsp_endpoint_check)),
    Row::new("tlsInsecure", Kind::Bool(|s| &mut s.tls_insecure)),
    // SOCKS5
    Row::proxy("proxyHost", Kind::Text(|s| &mut s.proxy_host)),
    Row::proxy("proxyPort", Kind::Custom(values::proxy_port)),
    Row::proxy("proxyUsername", Kind::Custom(values::proxy_username)),
    Row::proxy("proxyPassword", Kind::Custom(values::proxy_password)).secret(),
    // Conversions
    Row::new("datetime_conversion", Kind::Custom(values::datetime_conversion)),
    Row::new("tz_aware", Kind::Custom(values::tz_aware)),
    Row::new("unicode_decode_error_handler", Kind::Custom(values::utf8_policy)),
    Row::new("uuidRepresentation", Kind::Custom(values::uuid_representation)),
    // Old names
    Row::renamed("j", "journal"),
    Row::renamed("wTimeout", "wTimeoutMS"),
    Row::renamed("ssl_ca_certs", "tlsCAFile"),
    Row::new("ssl_cert_reqs", Kind::RenamedTo("tlsAllowInvalidCertificates", values::cert_reqs)),
    Row::renamed("ssl_certfile", "tlsCertificateKeyFile"),
    Row::renamed("ssl_crlfile", "tlsCRLFile"),
    Row::new("ssl_keyfile", Kind::Custom(values::ssl_keyfile)),
    Row::new("ssl_match_hostname", Kind::RenamedTo("tlsAllowInvalidHostnames", values::inverted)),
    Row::renamed("ssl_pem_passphrase", "tlsCertificateKeyFilePassword").secret(),
    // Options of the past
    Row::new("auto_start_request", Kind::NoEffect("connections are not bound to threads")),
    Row::new("socketKeepAlive", Kind::NoEffect("keep-alive is always on")),
    Row::new("waitQueueMultiple", Kind::NoEffect("the length of the wait queue is not limited")),
];

/// The row of an option.
pub(super) fn row(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name.eq_ignore_ascii_case(name))
}

impl Row {
    /// The option that replaced this one.
    pub(super) fn replacement(&self) -> Option<&'static str> {
        match self.kind {
            Kind::RenamedTo(replacement, _) => Some(replacement),
            _ => None,
        }
    }

    /// Applies a value. What was not applied as written is a warning; remarks that are no fault are notices.
    ///
    /// # Errors
    /// A malformed value of an option that is not lenient, and values that are refused in any case.
    pub(super) fn apply(
        &self,
        value: &str,
        set: &mut OptionSet,
        warnings: &mut Vec<ConfigWarning>,
        notices: &mut Vec<ConfigWarning>,
    ) -> Result<(), ConfigError> {
        match self.parse(value, set, warnings) {
            Ok(()) => {
                notices.extend(self.notice.cloned().map(|notice| ConfigWarning::new(self.name, notice)));
                Ok(())
            }
            Err(BadValue::Refused(error)) => Err(error),
            Err(BadValue::Malformed(expected)) if self.lenient => {
                let value = (!self.secret).then(|| value.to_owned());
                warnings.push(ConfigWarning::new(self.name, WarningReason::InvalidValue { value, expected }));
                Ok(())
            }
            Err(BadValue::Malformed(expected)) => {
                let reason = match self.secret {
                    true => format!("the value is not {expected}"),
                    false => format!("\"{value}\" is not {expected}"),
                };
                Err(ConfigError::conflict(&[self.name], reason))
            }
        }
    }

    fn parse(&self, value: &str, set: &mut OptionSet, warnings: &mut Vec<ConfigWarning>) -> Result<(), BadValue> {
        match self.kind {
            Kind::Bool(slot) => *slot(set) = Some(values::old_bool(self.name, value, warnings)?),
            Kind::PlainBool(slot) => *slot(set) = Some(values::plain_bool(value)?),
            Kind::Text(slot) => *slot(set) = Some(values::text(value)?.to_owned()),
            Kind::Secret(slot) => *slot(set) = Some(values::text(value)?.into()),
            Kind::Path(slot) => *slot(set) = Some(values::text(value)?.into()),
            Kind::Millis { least, most, slot } => *slot(set) = Some(values::millis(value, least, most)?),
            Kind::Unsigned { least, slot } => *slot(set) = Some(values::unsigned(value, least)?),
            Kind::Signed { least, most, slot } => *slot(set) = Some(values::signed(value, least, most)?),
            Kind::Custom(parse) => parse(set, value, warnings)?,
            Kind::RenamedTo(replacement, convert) => {
                let converted = convert(value)?;
                warnings.push(ConfigWarning::new(self.name, WarningReason::Renamed { replacement }));
                if let Some(row) = row(replacement) {
                    return row.parse(&converted, set, warnings);
                }
            }
            Kind::NoEffect(why) => warnings.push(ConfigWarning::new(self.name, WarningReason::NoEffect(why))),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_replacements_exist() {
        for (index, first) in ROWS.iter().enumerate() {
            assert!(ROWS[index + 1..].iter().all(|row| !row.name.eq_ignore_ascii_case(first.name)), "{}", first.name);
            assert!(first.replacement().is_none_or(|name| row(name).is_some()), "{}", first.name);
        }
    }
}
