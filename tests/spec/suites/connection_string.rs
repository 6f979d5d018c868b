//! Connection strings: what they are made of, and what the client's options then are.
//!
//! `valid` and `warning` are checked of the whole way from text to options; `hosts` and `auth` of the text's parts.

use libtest_mimic::Failed;
use mongo_actors_protocol::{
    options::{ClientOptions, ConfigError},
    uri::{ConnectionString, HostKind},
};
use serde_json::Value;

use super::{Case, uri_options};
use crate::discovery::SpecFile;

pub(crate) fn cases(file: &SpecFile) -> Vec<Case> {
    uri_cases(file, run)
}

/// One case per element of `tests`.
pub(super) fn uri_cases(file: &SpecFile, run: fn(&Value) -> Result<(), Failed>) -> Vec<Case> {
    let Some(tests) = file.json["tests"].as_array() else { return super::unclaimed(file) };
    let case = |test: &Value| {
        let description = test["description"].as_str().unwrap_or("case without a description").to_owned();
        let test = test.clone();
        Case::new(file, &description, move || run(&test))
    };
    tests.iter().map(case).collect()
}

/// Runs a case of the connection string format, which the URI options share.
pub(super) fn run(test: &Value) -> Result<(), Failed> {
    let uri = text(test, "uri")?;
    let valid = test["valid"].as_bool().ok_or("the case does not say whether the URI is valid")?;
    let options = match (parse(uri), valid) {
        (Ok(options), true) => options,
        (Err(_), false) => return Ok(()),
        (Ok(_), false) => return Err("the URI was accepted".into()),
        (Err(error), true) => return Err(format!("the URI was refused: {error}").into()),
    };
    let parts = ConnectionString::parse(uri)?;
    check_warnings(test, &options)?;
    check_hosts(&test["hosts"], &parts)?;
    check_auth(&test["auth"], &parts)?;
    uri_options::check(test, &options)
}

pub(super) fn text<'a>(test: &'a Value, key: &str) -> Result<&'a str, Failed> {
    test[key].as_str().ok_or_else(|| format!("the case lacks {key}").into())
}

/// The options of a connection string. One that is complete but for a password, which may come from code, gets one.
fn parse(uri: &str) -> Result<ClientOptions, ConfigError> {
    match ClientOptions::parse(uri) {
        Err(error) if error.options() == ["password"] && lacks_password(uri)? => {
            ClientOptions::builder().uri(uri).password("given in code").build()
        }
        result => result,
    }
}

fn lacks_password(uri: &str) -> Result<bool, ConfigError> {
    Ok(ConnectionString::parse(uri)?.password.is_none())
}

fn check_warnings(test: &Value, options: &ClientOptions) -> Result<(), Failed> {
    match test["warning"].as_bool() {
        Some(true) if options.warnings().is_empty() => Err("no warning was given".into()),
        Some(false) if !options.warnings().is_empty() => {
            Err(format!("unexpected warnings: {:?}", options.warnings()).into())
        }
        _ => Ok(()),
    }
}

fn check_hosts(expected: &Value, parts: &ConnectionString) -> Result<(), Failed> {
    let Some(expected) = expected.as_array() else { return Ok(()) };
    if expected.len() != parts.hosts.len() {
        return Err(format!("expected {} hosts, got {:?}", expected.len(), parts.hosts).into());
    }
    for (expected, actual) in expected.iter().zip(&parts.hosts) {
        let kind = match actual.kind {
            HostKind::Name => "hostname",
            HostKind::Ipv4 => "ipv4",
            HostKind::IpLiteral => "ip_literal",
            HostKind::Unix => "unix",
        };
        let port = actual.port.map(u64::from);
        let agrees = optional(&expected["type"], kind)
            && expected["host"] == actual.host.as_str()
            && (expected["port"].is_null() || expected["port"].as_u64() == port);
        if !agrees {
            return Err(format!("expected host {expected}, got {actual:?}").into());
        }
    }
    Ok(())
}

fn optional(expected: &Value, actual: &str) -> bool {
    expected.is_null() || expected == actual
}

fn check_auth(expected: &Value, parts: &ConnectionString) -> Result<(), Failed> {
    if expected.is_null() {
        return Ok(());
    }
    let password = parts.password.as_ref().map(|password| password.expose().to_owned());
    for (key, actual) in [("username", parts.username.clone()), ("password", password), ("db", parts.namespace())] {
        // A null here says that the part is absent: every case spells out all three.
        if expected[key].as_str() != actual.as_deref() {
            return Err(format!("expected {key} {}, got {actual:?}", expected[key]).into());
        }
    }
    Ok(())
}
