//! Errors that a server reports, and how the specifications classify them.

mod codes;
pub mod labels;
#[cfg(test)]
mod tests;
mod write;

use std::{fmt, sync::Arc, time::Duration};

use bson::{Bson, RawBsonRef, RawDocument, RawDocumentBuf};

pub use self::{
    labels::Labels,
    write::{WriteConcernError, WriteError},
};
use crate::sdam::TopologyVersion;

/// An error reply of a server (`ok: 0`), or the one-line form of a write concern error.
///
/// The `is_*` methods classify it by code, as the server discovery and the retry specifications demand.
/// The text of the message counts only when the reply has no code.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CommandError {
    /// The error code; 0 when the server sent none.
    pub code: i32,
    /// The name of the code; empty when the server sent none.
    pub code_name: String,
    /// The server's message (`errmsg`).
    pub message: String,
    /// The error labels of the reply, and those the driver added.
    pub labels: Labels,
    /// The server's topology version, with which state changes are ordered.
    pub topology_version: Option<TopologyVersion>,
    /// How long an overloaded server asks its clients to wait before the first repetition (`baseBackoffMS`).
    pub base_backoff: Option<Duration>,
    /// The whole reply.
    pub response: Arc<RawDocumentBuf>,
}

impl CommandError {
    /// An error with this code, name and message, an empty response, and nothing else.
    pub fn new(code: i32, code_name: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            code_name: code_name.into(),
            message: message.into(),
            labels: Labels::new(),
            topology_version: None,
            base_backoff: None,
            response: Arc::new(RawDocumentBuf::new()),
        }
    }

    /// The error of a reply that is not `ok: 1`; none when the reply reports success.
    ///
    /// Elements of an unexpected type are read as absent.
    ///
    /// ```
    /// use bson::rawdoc;
    /// use mongo_actors_protocol::error::CommandError;
    ///
    /// let reply = rawdoc! { "ok": 0, "code": 10107, "errmsg": "not primary" };
    /// assert!(CommandError::from_reply(&reply).unwrap().is_not_primary());
    /// assert_eq!(CommandError::from_reply(&rawdoc! { "ok": 1 }), None);
    /// ```
    pub fn from_reply(reply: &RawDocument) -> Option<Self> {
        if is_ok(reply) {
            return None;
        }
        Some(Self::read(reply, reply))
    }

    /// The write concern error of a reply, in the form that the server discovery rules look at; none when it has none.
    pub fn from_write_concern_error(reply: &RawDocument) -> Option<Self> {
        let error = reply.get_document("writeConcernError").ok()?;
        Some(Self::read(error, reply))
    }

    fn read(error: &RawDocument, reply: &RawDocument) -> Self {
        let text = |key| error.get_str(key).map(str::to_owned).unwrap_or_default();
        Self {
            code: integer(error, "code").and_then(|code| i32::try_from(code).ok()).unwrap_or(0),
            code_name: text("codeName"),
            message: text("errmsg"),
            labels: Labels::from_reply(reply),
            topology_version: reply.get_document("topologyVersion").ok().and_then(TopologyVersion::from_document),
            base_backoff: backoff(reply),
            response: Arc::new(reply.to_owned()),
        }
    }

    /// Whether the reply carried an error code.
    pub fn has_code(&self) -> bool {
        self.code != 0
    }

    /// Whether the server refuses because it is not a writable primary.
    pub fn is_not_primary(&self) -> bool {
        codes::is_not_primary(self.code, &self.message)
    }

    /// Whether the server is temporarily unusable ("node is recovering"), shutting down included.
    pub fn is_node_recovering(&self) -> bool {
        codes::is_node_recovering(self.code, &self.message)
    }

    /// Whether the server is shutting down.
    pub fn is_node_shutting_down(&self) -> bool {
        codes::SHUTTING_DOWN.contains(&self.code)
    }

    /// Whether the error tells that the server's role changed, so that its description is out of date.
    pub fn is_state_change(&self) -> bool {
        self.is_not_primary() || self.is_node_recovering()
    }

    /// Whether the retryable writes specification lists the code.
    pub fn is_retryable_write_code(&self) -> bool {
        codes::RETRYABLE_WRITE.contains(&self.code)
    }

    /// Whether the retryable reads specification lists the code.
    pub fn is_retryable_read_code(&self) -> bool {
        self.is_retryable_write_code() || self.code == codes::READ_CONCERN_MAJORITY_NOT_AVAILABLE_YET
    }

    /// Whether the change streams specification lists the code for servers that send no label.
    pub fn is_resumable_code(&self) -> bool {
        codes::RESUMABLE.contains(&self.code)
    }

    /// Whether the server does not know the cursor (any more).
    pub fn is_cursor_not_found(&self) -> bool {
        self.code == codes::CURSOR_NOT_FOUND
    }

    /// Whether `maxTimeMS` expired on the server.
    pub fn is_max_time_expired(&self) -> bool {
        self.code == codes::MAX_TIME_MS_EXPIRED
    }

    /// Whether the connection must authenticate again before the command can be repeated.
    pub fn is_reauthentication_required(&self) -> bool {
        self.code == codes::REAUTHENTICATION_REQUIRED
    }

    /// Whether the server refused the credentials.
    pub fn is_authentication_failed(&self) -> bool {
        self.code == codes::AUTHENTICATION_FAILED
    }

    /// Whether the server refused because the user lacks a privilege.
    pub fn is_unauthorized(&self) -> bool {
        self.code == codes::UNAUTHORIZED
    }

    /// Whether the server does not know the command.
    pub fn is_command_not_found(&self) -> bool {
        self.code == codes::COMMAND_NOT_FOUND || (!self.has_code() && self.message.contains("no such command"))
    }

    /// Whether the server has no such collection or view.
    pub fn is_namespace_not_found(&self) -> bool {
        self.code == codes::NAMESPACE_NOT_FOUND || (!self.has_code() && self.message.contains("ns not found"))
    }

    /// Whether a unique index refused a document.
    pub fn is_duplicate_key(&self) -> bool {
        codes::DUPLICATE_KEY.contains(&self.code)
    }

    /// Whether the deployment cannot run retryable writes at all (its storage engine or topology lacks transaction numbers).
    pub fn is_transaction_numbers_unsupported(&self) -> bool {
        self.code == codes::ILLEGAL_OPERATION && self.message.starts_with("Transaction numbers")
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = if self.message.is_empty() { "the server gave no message" } else { &self.message };
        match (self.code, self.code_name.as_str()) {
            (0, "") => f.write_str(message),
            (0, name) => write!(f, "{message} ({name})"),
            (code, "") => write!(f, "{message} (code {code})"),
            (code, name) => write!(f, "{message} ({name}, code {code})"),
        }
    }
}

impl std::error::Error for CommandError {}

/// Whether a reply says `ok: 1`, in whichever numeric type (or as a boolean).
pub(crate) fn is_ok(reply: &RawDocument) -> bool {
    match reply.get("ok") {
        Ok(Some(RawBsonRef::Double(ok))) => ok == 1.0,
        Ok(Some(RawBsonRef::Int32(ok))) => ok == 1,
        Ok(Some(RawBsonRef::Int64(ok))) => ok == 1,
        Ok(Some(RawBsonRef::Boolean(ok))) => ok,
        _ => false,
    }
}

/// The element `key` as an integer, whichever numeric type the server chose; none when absent or no whole number.
pub(crate) fn integer(document: &RawDocument, key: &str) -> Option<i64> {
    match document.get(key) {
        Ok(Some(value)) => integral(value),
        _ => None,
    }
}

/// A numeric value as an integer; none when it is no whole number within range.
pub(crate) fn integral(value: RawBsonRef<'_>) -> Option<i64> {
    match value {
        RawBsonRef::Int32(value) => Some(value.into()),
        RawBsonRef::Int64(value) => Some(value),
        RawBsonRef::Double(value) if value.fract() == 0.0 && value.abs() < 9.0e15 => Some(value as i64),
        _ => None,
    }
}

fn backoff(reply: &RawDocument) -> Option<Duration> {
    let milliseconds = integer(reply, "baseBackoffMS")?;
    u64::try_from(milliseconds).ok().map(Duration::from_millis)
}

fn details(error: &RawDocument) -> Option<bson::Document> {
    match Bson::try_from(RawBsonRef::Document(error.get_document("errInfo").ok()?)) {
        Ok(Bson::Document(details)) => Some(details),
        _ => None,
    }
}
