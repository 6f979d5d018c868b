//! Credentials that connection strings give.

use libtest_mimic::Failed;
use mongo_actors_protocol::{auth::credential::Credential, options::ClientOptions};
use serde_json::Value;

use super::{Case, connection_string, uri_options};
use crate::discovery::SpecFile;

pub(crate) fn cases(file: &SpecFile) -> Vec<Case> {
    connection_string::uri_cases(file, run)
}

fn run(test: &Value) -> Result<(), Failed> {
    let uri = connection_string::text(test, "uri")?;
    let valid = test["valid"].as_bool().ok_or("the case does not say whether the URI is valid")?;
    let options = match (ClientOptions::parse(uri), valid) {
        (Ok(options), true) => options,
        (Err(_), false) => return Ok(()),
        (Ok(_), false) => return Err("the URI was accepted".into()),
        (Err(error), true) => return Err(format!("the URI was refused: {error}").into()),
    };
    match (test.get("credential"), &options.credential) {
        (None, _) | (Some(Value::Null), None) => Ok(()),
        (Some(Value::Null), Some(credential)) => Err(format!("unexpected {credential:?}").into()),
        (Some(expected), None) => Err(format!("expected the credential {expected}, got none").into()),
        (Some(expected), Some(credential)) => check(expected, credential),
    }
}

/// A key that is absent says nothing; a null says that the value is absent.
fn check(expected: &Value, credential: &Credential) -> Result<(), Failed> {
    let password = credential.password.as_ref().map(|password| password.expose());
    let mechanism = credential.mechanism.map(|mechanism| mechanism.as_str());
    let texts = [
        ("username", credential.username.as_deref()),
        ("password", password),
        ("source", Some(credential.effective_source())),
        ("mechanism", mechanism),
    ];
    for (key, actual) in texts {
        if expected.get(key).is_some_and(|expected| expected.as_str() != actual) {
            return Err(format!("expected {key} {}, got {actual:?}", expected[key]).into());
        }
    }
    let actual = uri_options::mechanism_properties(&credential.mechanism_properties);
    let agrees = match expected.get("mechanism_properties") {
        None => true,
        Some(Value::Object(expected)) => expected.iter().all(|(name, value)| actual.get(name) == Some(value)),
        Some(_) => actual.is_empty(),
    };
    match agrees {
        true => Ok(()),
        false => Err(format!("expected properties {}, got {actual:?}", expected["mechanism_properties"]).into()),
    }
}
