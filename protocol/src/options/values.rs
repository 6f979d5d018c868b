//! What the values of options parse to.

use std::{borrow::Cow, time::Duration};

use super::{ConfigError, ConfigWarning, WarningReason, compressor::Compressor, set::OptionSet};
use crate::{
    auth::credential::{AuthMechanism, MechanismProperties},
    codec::{Utf8Policy, time::UtcOffset},
    concern::{Acknowledgment, ReadConcern},
    read_preference::TagSet,
    uri::srv,
};

/// The longest application name that servers accept, in bytes.
pub(super) const MAX_APP_NAME_BYTES: usize = 128;

/// Why a value was not taken.
pub(super) enum BadValue {
    /// It is not what the option takes.
    Malformed(Cow<'static, str>),
    /// It is an error wherever it comes from.
    Refused(ConfigError),
}

impl From<&'static str> for BadValue {
    fn from(expected: &'static str) -> Self {
        Self::Malformed(expected.into())
    }
}

type Warnings = Vec<ConfigWarning>;

pub(super) fn plain_bool(value: &str) -> Result<bool, BadValue> {
    value.parse().map_err(|_| "true or false".into())
}

/// Also takes the spellings that were allowed once, with a warning.
pub(super) fn old_bool(name: &str, value: &str, warnings: &mut Warnings) -> Result<bool, BadValue> {
    let meaning = match value {
        "1" | "yes" | "y" | "t" => true,
        "0" | "-1" | "no" | "n" | "f" => false,
        _ => return plain_bool(value),
    };
    warnings.push(ConfigWarning::new(name, WarningReason::OldBoolean { value: value.to_owned(), meaning }));
    Ok(meaning)
}

pub(super) fn text(value: &str) -> Result<&str, BadValue> {
    if value.is_empty() { Err("a text that is not empty".into()) } else { Ok(value) }
}

pub(super) fn unsigned(value: &str, least: u32) -> Result<u32, BadValue> {
    let most = i32::MAX.unsigned_abs();
    match digits(value).and_then(|number| u32::try_from(number).ok()) {
        Some(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(BadValue::Malformed(format!("an integer from {least} to {most}").into())),
    }
}

pub(super) fn signed(value: &str, least: i32, most: i32) -> Result<i32, BadValue> {
    let magnitude = digits(value.strip_prefix('-').unwrap_or(value)).and_then(|number| i32::try_from(number).ok());
    let number = magnitude.map(|number| if value.starts_with('-') { -number } else { number });
    match number {
        Some(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(BadValue::Malformed(format!("an integer from {least} to {most}").into())),
    }
}

/// Whole milliseconds, or a decimal number of them.
pub(super) fn millis(value: &str, least: u64, most: u64) -> Result<Duration, BadValue> {
    let duration = match value.split_once('.') {
        None => digits(value).map(Duration::from_millis),
        Some((whole, fraction)) => decimal_millis(whole, fraction),
    };
    match duration {
        Some(duration) if (Duration::from_millis(least)..=Duration::from_millis(most)).contains(&duration) => {
            Ok(duration)
        }
        _ => Err(BadValue::Malformed(format!("a number of milliseconds from {least} to {most}").into())),
    }
}

fn decimal_millis(whole: &str, fraction: &str) -> Option<Duration> {
    let whole = Duration::from_millis(digits(whole)?);
    digits(fraction)?;
    let nanos: String = fraction.chars().chain("000000".chars()).take(6).collect();
    whole.checked_add(Duration::from_nanos(digits(&nanos)?))
}

fn digits(value: &str) -> Option<u64> {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| value.parse().ok()).flatten()
}

pub(super) fn srv_service_name(set: &mut OptionSet, value: &str, _: &mut Warnings) -> Result<(), BadValue> {
    if !srv::is_service_name(value) {
        return Err("a service name of 1 to 62 letters, digits and hyphens".into());
    }
    set.srv_service_name = Some(value.to_owned());
    Ok(())
}

pub(super) fn server_monitoring_mode(set: &mut OptionSet, value: &str, _: &mut Warnings) -> Result<(), BadValue> {
    set.server_monitoring_mode = Some(value.parse()?);
    Ok(())
}

pub(super) fn app_name(set: &mut OptionSet, value: &str, _: &mut Warnings) -> Result<(), BadValue> {
    if value.is_empty() || value.len() > MAX_APP_NAME_BYTES {
        return Err("a name of 1 to 128 bytes".into());
    }
    set.app_name = Some(value.to_owned());
    Ok(())
}

pub(super) fn compressors(set: &mut OptionSet, value: &str, warnings: &mut Warnings) -> Result<(), BadValue> {
    let mut compressors: Vec<Compressor> = Vec::new();
    for name in value.split(',').map(str::trim) {
        match Compressor::from_name(name) {
            Some(known) if compressors.contains(&known) => {}
            Some(known) => compressors.push(known),
            None => {
                let reason = WarningReason::UnknownElement(name.to_owned());
                warnings.push(ConfigWarning::new("compressors", reason));
            }
        }
    }
    set.compressors = Some(compressors);
    Ok(())
}

pub(super) fn w(set: &mut OptionSet, value: &str, _: &mut Warnings) -> Result<(), BadValue> {
    if value.strip_prefix('-').is_some_and(|rest| digits(rest).is_some()) {
        let reason = format!("\"{value}\" is negative: use a number of servers from 0");
        return Err(BadValue::Refused(ConfigError::conflict(&["w"], reason)));
    }
    let is_integer = value.bytes().all(|byte| byte.is_ascii_digit());
    set.w = Some(match value {
        "" => return Err("a number of servers, majority or the name of a custom write concern".into()),
        _ if is_integer => Acknowledgment::Nodes(unsigned(value, 0)?),
        name => Acknowledgment::from(name),
    });
    Ok(())
}

pub(super) fn read_concern_level(set: &mut OptionSet, value: &str, _: &mut Warnings) -> Result<(), BadValue> {
    set.read_concern = Some(ReadConcern::custom(text(value)?));
    Ok(())
}

pub(super) fn max_staleness(set: &mut OptionSet, value: &str, _: &mut Warnings) -> Result<(), BadValue> {
    let limit = match value {
        "-1" => None,
        _ => match unsigned(value, 1) {
            Ok(seconds) => Some(Duration::from_secs(seconds.into())),
            Err(_) => return Err("a positive number of seconds, or -1 for no limit".into()),
        },
    };
    set.max_staleness = Some(limit);
    Ok(())
}

pub(super) fn read_preference_mode(set: &mut OptionSet, value: &str, _: &mut Warnings) -> Result<(), BadValue> {
    let expected = "primary, primaryPreferred, secondary, secondaryPreferred or nearest";
    set.read_preference_mode = Some(value.parse().map_err(|_| expected)?);
    Ok(())
}

pub(super) fn read_preference_tags(set: &mut OptionSet, value: &str, _: &mut Warnings) -> Result<(), BadValue> {
    let mut tags = TagSet::new();
    for pair in value.split(',').filter(|_| !value.is_empty()) {
        match pair.split_once(':') {
            Some((key, tag)) if !key.trim().is_empty() => tags.insert(key.trim().to_owned(), tag.trim().to_owned()),
            _ => return Err("a list of tags of the form name:value,name:value".into()),
        };
    }
    set.read_preference_tags.get_or_insert_default().push(tags);
    Ok(())
}

pub(super) fn auth_mechanism(set: &mut OptionSet, value: &str, _: &mut Warnings) -> Result<(), BadValue> {
    set.auth_mechanism = Some(match value {
        "DEFAULT" => None,
        name => Some(name.parse::<AuthMechanism>().map_err(|error| BadValue::Refused(error.into()))?),
    });
    Ok(())
}

pub(super) fn auth_mechanism_properties(
    set: &mut OptionSet,
    value: &str,
    warnings: &mut Warnings,
) -> Result<(), BadValue> {
    let mut properties = MechanismProperties::default();
    for pair in value.split(',') {
        let Some((name, value)) = pair.split_once(':') else {
            let expected = "NAME:value, whose value has no comma";
            let reason = WarningReason::MalformedElement { expected };
            warnings.push(ConfigWarning::new("authMechanismProperties", reason));
            continue;
        };
        if !mechanism_property(&mut properties, name, value)? {
            let reason = WarningReason::UnknownElement(name.to_owned());
            warnings.push(ConfigWarning::new("authMechanismProperties", reason));
        }
    }
    set.auth_mechanism_properties = Some(properties);
    Ok(())
}

/// Sets one property; false if there is none of this name.
fn mechanism_property(properties: &mut MechanismProperties, name: &str, value: &str) -> Result<bool, BadValue> {
    let refused = |error: crate::auth::credential::InvalidCredential| BadValue::Refused(error.into());
    let text = || Some(value.to_owned());
    match name {
        "SERVICE_NAME" => properties.service_name = text(),
        "SERVICE_HOST" => properties.service_host = text(),
        "SERVICE_REALM" => properties.service_realm = text(),
        "CANONICALIZE_HOST_NAME" => properties.canonicalize_host_name = Some(value.parse().map_err(refused)?),
        "AWS_SESSION_TOKEN" => properties.aws_session_token = Some(value.into()),
        "ENVIRONMENT" => properties.environment = Some(value.parse().map_err(refused)?),
        "TOKEN_RESOURCE" => properties.token_resource = text(),
        _ => return Ok(false),
    }
    Ok(true)
}

pub(super) fn auth_source(set: &mut OptionSet, value: &str, _: &mut Warnings) -> Result<(), BadValue> {
    if value.is_empty() {
        return Err(BadValue::Refused(crate::auth::credential::InvalidCredential::EmptySource.into()));
    }
    set.auth_source = Some(value.to_owned());
    Ok(())
}

pub(super) fn proxy_port(set: &mut OptionSet, value: &str, _: &mut Warnings) -> Result<(), BadValue> {
    match digits(value).and_then(|number| u16::try_from(number).ok()) {
        Some(port @ 1..) => set.proxy_port = Some(port),
        _ => return Err("a port from 1 to 65535".into()),
    }
    Ok(())
}

/// An empty user name counts as none, as the SOCKS5 specification says.
pub(super) fn proxy_username(set: &mut OptionSet, value: &str, _: &mut Warnings) -> Result<(), BadValue> {
    set.proxy_username = (!value.is_empty()).then(|| value.to_owned());
    Ok(())
}

/// An empty password counts as none, as the SOCKS5 specification says.
pub(super) fn proxy_password(set: &mut OptionSet, value: &str, _: &mut Warnings) -> Result<(), BadValue> {
    set.proxy_password = (!value.is_empty()).then(|| value.into());
    Ok(())
}

pub(super) fn datetime_conversion(set: &mut OptionSet, value: &str, _: &mut Warnings) -> Result<(), BadValue> {
    set.datetime_conversion = Some(value.parse()?);
    Ok(())
}

pub(super) fn tz_aware(set: &mut OptionSet, value: &str, _: &mut Warnings) -> Result<(), BadValue> {
    set.time_zone = Some(plain_bool(value)?.then_some(UtcOffset::UTC));
    Ok(())
}

pub(super) fn utf8_policy(set: &mut OptionSet, value: &str, _: &mut Warnings) -> Result<(), BadValue> {
    if matches!(value, "backslashreplace" | "surrogateescape") {
        let reason = format!("\"{value}\" yields texts that Rust cannot hold: use strict, replace or ignore");
        return Err(BadValue::Refused(ConfigError::conflict(&["unicode_decode_error_handler"], reason)));
    }
    set.utf8_policy = Some(value.parse::<Utf8Policy>()?);
    Ok(())
}

pub(super) fn uuid_representation(set: &mut OptionSet, value: &str, _: &mut Warnings) -> Result<(), BadValue> {
    set.uuid_representation = Some(value.parse()?);
    Ok(())
}

pub(super) fn unchanged(value: &str) -> Result<Cow<'_, str>, BadValue> {
    Ok(value.into())
}

/// `ssl_cert_reqs` as a value of `tlsAllowInvalidCertificates`.
pub(super) fn cert_reqs(value: &str) -> Result<Cow<'_, str>, BadValue> {
    let name = value.to_ascii_lowercase();
    match name.strip_prefix("cert_").unwrap_or(&name) {
        "none" => Ok("true".into()),
        "required" => Ok("false".into()),
        "optional" => {
            let reason = "\"optional\" would accept a server without a certificate: use required or none";
            Err(BadValue::Refused(ConfigError::conflict(&["ssl_cert_reqs", "tlsAllowInvalidCertificates"], reason)))
        }
        _ => Err("CERT_NONE or CERT_REQUIRED".into()),
    }
}

/// The private key's own file, which was an option of its own once.
pub(super) fn ssl_keyfile(set: &mut OptionSet, value: &str, warnings: &mut Warnings) -> Result<(), BadValue> {
    set.tls_key_file = Some(text(value)?.into());
    let replacement = "tlsCertificateKeyFile";
    warnings.push(ConfigWarning::new("ssl_keyfile", WarningReason::Renamed { replacement }));
    Ok(())
}

/// `ssl_match_hostname` as a value of `tlsAllowInvalidHostnames`.
pub(super) fn inverted(value: &str) -> Result<Cow<'_, str>, BadValue> {
    match value {
        "true" | "1" | "yes" | "y" | "t" => Ok("false".into()),
        "false" | "0" | "-1" | "no" | "n" | "f" => Ok("true".into()),
        _ => Err("true or false".into()),
    }
}
