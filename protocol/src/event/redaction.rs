//! What monitoring must not show.
//!
//! Follows the security section of the command logging and monitoring specification.

use std::sync::Arc;

use bson::{
    RawArrayBuf, RawDocument, RawDocumentBuf,
    raw::{CStr, cstr},
};

use crate::error::CommandError;

/// Commands whose documents and replies hold secrets.
const SENSITIVE: [&str; 9] = [
    "authenticate",
    "saslStart",
    "saslContinue",
    "getnonce",
    "createUser",
    "updateUser",
    "copydbgetnonce",
    "copydbsaslstart",
    "copydb",
];

/// Whether the command `name` with the document `body` must be published, and its reply, without content.
///
/// Names are compared ignoring ASCII case. A hello is sensitive when it carries speculative authentication.
///
/// ```
/// use bson::rawdoc;
/// use mongo_actors_protocol::event::redaction::is_sensitive;
///
/// assert!(is_sensitive("saslStart", &rawdoc! { "saslStart": 1 }));
/// assert!(is_sensitive("hello", &rawdoc! { "hello": 1, "speculativeAuthenticate": {} }));
/// assert!(!is_sensitive("hello", &rawdoc! { "hello": 1 }));
/// ```
pub fn is_sensitive(name: &str, body: &RawDocument) -> bool {
    if is_hello(name) {
        return !matches!(body.get("speculativeAuthenticate"), Ok(None));
    }
    SENSITIVE.iter().any(|sensitive| name.eq_ignore_ascii_case(sensitive))
}

/// Whether `name` is hello, or its legacy form in either spelling.
pub fn is_hello(name: &str) -> bool {
    name.eq_ignore_ascii_case("hello") || name.eq_ignore_ascii_case("isMaster")
}

/// The error with nothing left but its code, the code's name and its labels.
pub fn redacted_error(error: &CommandError) -> CommandError {
    let mut redacted = CommandError::new(error.code, error.code_name.clone(), "");
    redacted.labels = error.labels.clone();
    let mut response = RawDocumentBuf::new();
    if error.has_code() {
        response.append(cstr!("code"), error.code);
    }
    append_unless_empty(&mut response, cstr!("codeName"), &error.code_name);
    let labels: RawArrayBuf = error.labels.iter().collect();
    if !labels.is_empty() {
        response.append(cstr!("errorLabels"), labels);
    }
    redacted.response = Arc::new(response);
    redacted
}

fn append_unless_empty(document: &mut RawDocumentBuf, key: &CStr, text: &str) {
    if !text.is_empty() {
        document.append(key, text);
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn the_commands_of_the_specification_are_sensitive() {
        for name in SENSITIVE.into_iter().chain(["SASLSTART", "copydbSaslStart"]) {
            assert!(is_sensitive(name, &rawdoc! {}), "{name}");
        }
        for name in ["find", "insert", "ping", "createRole", ""] {
            assert!(!is_sensitive(name, &rawdoc! { "speculativeAuthenticate": 1 }), "{name}");
        }
    }

    #[test]
    fn a_hello_is_sensitive_when_it_authenticates() {
        for name in ["hello", "isMaster", "ismaster"] {
            assert!(is_sensitive(name, &rawdoc! { "x": 1, "speculativeAuthenticate": { "saslStart": 1 } }));
            assert!(!is_sensitive(name, &rawdoc! { "x": 1 }));
        }
        // What cannot be read is not shown either.
        let broken = RawDocumentBuf::from_bytes(vec![6, 0, 0, 0, 1, 0]).unwrap();
        assert!(is_sensitive("hello", &broken));
    }

    #[test]
    fn an_error_keeps_code_name_and_labels() {
        let reply = rawdoc! {
            "ok": 0, "errmsg": "secret", "code": 18, "codeName": "AuthenticationFailed", "errorLabels": ["L"],
            "extra": "secret",
        };
        let redacted = redacted_error(&CommandError::from_reply(&reply).unwrap());
        assert!(!format!("{redacted:?} {redacted}").contains("secret"));
        assert_eq!((redacted.code, redacted.code_name.as_str()), (18, "AuthenticationFailed"));
        let expected = rawdoc! { "code": 18, "codeName": "AuthenticationFailed", "errorLabels": ["L"] };
        assert_eq!(*redacted.response, expected);
        assert!(redacted_error(&CommandError::new(0, "", "secret")).response.is_empty());
    }
}
