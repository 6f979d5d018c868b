//! Read and write concerns: those of connection strings, and the documents sent to servers.

use std::time::Duration;

use bson::{Bson, Document};
use libtest_mimic::Failed;
use mongo_actors_protocol::{
    concern::{Acknowledgment, ReadConcern, WriteConcern},
    options::ClientOptions,
};
use serde_json::Value;

use super::{Case, connection_string};
use crate::discovery::SpecFile;

pub(crate) fn cases(file: &SpecFile) -> Vec<Case> {
    match file.name.contains("/connection-string/") {
        true => connection_string::uri_cases(file, run_uri),
        false => connection_string::uri_cases(file, run_document),
    }
}

fn run_uri(test: &Value) -> Result<(), Failed> {
    let uri = connection_string::text(test, "uri")?;
    let valid = test["valid"].as_bool().ok_or("the case does not say whether the URI is valid")?;
    let parsed = ClientOptions::parse(uri);
    if !valid {
        return refused(test, &parsed.map_err(Failed::from));
    }
    let options = parsed?;
    if let (Some(expected), warnings) = (test["warning"].as_bool(), options.warnings())
        && expected == warnings.is_empty()
    {
        return Err(format!("warning: expected {expected}, got {warnings:?}").into());
    }
    if !test["readConcern"].is_null() {
        same("read concern", &read_concern(&test["readConcern"])?, &options.read_concern)?;
    }
    if !test["writeConcern"].is_null() {
        same("write concern", &write_concern(&test["writeConcern"])?, &options.write_concern)?;
    }
    Ok(())
}

/// A URI that is not valid is refused. Where the case leaves open how (`warning: null`), the offending option may also
/// be dropped with a warning, as the URI options specification demands of a negative `wTimeoutMS`.
fn refused(test: &Value, parsed: &Result<ClientOptions, Failed>) -> Result<(), Failed> {
    let Ok(options) = parsed else { return Ok(()) };
    let dropped = options.write_concern.is_server_default() && options.read_concern.is_server_default();
    match test["warning"].is_null() && dropped && !options.warnings().is_empty() {
        true => Ok(()),
        false => Err("the URI was accepted".into()),
    }
}

fn run_document(test: &Value) -> Result<(), Failed> {
    let valid = test["valid"].as_bool().ok_or("the case does not say whether the concern is valid")?;
    if test.get("readConcern").is_some() {
        let concern = read_concern(&test["readConcern"])?;
        check(test, "isServerDefault", concern.is_server_default())?;
        return check_document(&test["readConcernDocument"], &concern.to_document());
    }
    let concern = write_concern(&test["writeConcern"]).and_then(|concern| {
        concern.validate()?;
        Ok(concern)
    });
    match (concern, valid) {
        (Err(_), false) => Ok(()),
        (Ok(_), false) => Err("the write concern was accepted".into()),
        (Err(error), true) => Err(error),
        (Ok(concern), true) => {
            check(test, "isServerDefault", concern.is_server_default())?;
            check(test, "isAcknowledged", concern.is_acknowledged())?;
            check_document(&test["writeConcernDocument"], &concern.to_document())
        }
    }
}

fn check(test: &Value, key: &str, actual: bool) -> Result<(), Failed> {
    match test[key].as_bool() {
        Some(expected) if expected != actual => Err(format!("{key}: expected {expected}, got {actual}").into()),
        _ => Ok(()),
    }
}

fn check_document(expected: &Value, actual: &Document) -> Result<(), Failed> {
    if expected.is_null() {
        return Ok(());
    }
    same("document", expected, &Bson::Document(actual.clone()).into_relaxed_extjson())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, actual: &T) -> Result<(), Failed> {
    if expected == actual { Ok(()) } else { Err(format!("{what}: expected {expected:?}, got {actual:?}").into()) }
}

fn read_concern(description: &Value) -> Result<ReadConcern, Failed> {
    let fields = description.as_object().ok_or("the read concern is not a document")?;
    let mut concern = ReadConcern::default();
    for (key, value) in fields {
        match (key.as_str(), value.as_str()) {
            ("level", Some(level)) => concern = ReadConcern::custom(level),
            _ => return Err(format!("unknown part of a read concern: {key}").into()),
        }
    }
    Ok(concern)
}

fn write_concern(description: &Value) -> Result<WriteConcern, Failed> {
    let fields = description.as_object().ok_or("the write concern is not a document")?;
    let mut concern = WriteConcern::default();
    for (key, value) in fields {
        match (key.to_ascii_lowercase().as_str(), value) {
            ("w", Value::String(name)) => concern.w = Some(Acknowledgment::from(name.as_str())),
            ("w", value) => concern.w = Some(Acknowledgment::Nodes(number(value)?.try_into()?)),
            ("wtimeoutms", value) => concern.w_timeout = Some(Duration::from_millis(number(value)?)),
            ("journal", Value::Bool(journal)) => concern.journal = Some(*journal),
            ("fsync", Value::Bool(fsync)) => concern.fsync = Some(*fsync),
            _ => return Err(format!("unknown part of a write concern: {key}").into()),
        }
    }
    Ok(concern)
}

fn number(value: &Value) -> Result<u64, Failed> {
    value.as_u64().ok_or_else(|| format!("{value} is not a natural number").into())
}
