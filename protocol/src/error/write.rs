//! What a reply to a write reports about single statements and about its write concern.

use std::fmt;

use bson::{Document, RawDocument};
use serde::{Deserialize, Serialize};

use super::{Labels, codes, details, integer};

/// The write was executed, but its write concern was not (known to be) satisfied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WriteConcernError {
    /// The error code; 0 when the server sent none.
    #[serde(default)]
    pub code: i32,
    /// The name of the code; empty when the server sent none.
    #[serde(default, rename = "codeName")]
    pub code_name: String,
    /// The server's message.
    #[serde(default, rename = "errmsg")]
    pub message: String,
    /// What the server says beyond that (`errInfo`).
    #[serde(default, rename = "errInfo", skip_serializing_if = "Option::is_none")]
    pub details: Option<Document>,
    /// The error labels of the reply.
    #[serde(skip)]
    pub labels: Labels,
}

impl WriteConcernError {
    /// An error with this code, name and message, and nothing else.
    pub fn new(code: i32, code_name: impl Into<String>, message: impl Into<String>) -> Self {
        let (code_name, message) = (code_name.into(), message.into());
        Self { code, code_name, message, details: None, labels: Labels::new() }
    }

    /// Reads the value of a `writeConcernError` element. The labels stand in the reply around it and are not read.
    pub fn from_document(error: &RawDocument) -> Self {
        let text = |key| error.get_str(key).map(str::to_owned).unwrap_or_default();
        Self {
            code: code_of(error),
            code_name: text("codeName"),
            message: text("errmsg"),
            details: details(error),
            labels: Labels::new(),
        }
    }

    /// The write concern error of a reply with the reply's labels; none when it has none.
    pub fn from_reply(reply: &RawDocument) -> Option<Self> {
        let error = reply.get_document("writeConcernError").ok()?;
        Some(Self { labels: Labels::from_reply(reply), ..Self::from_document(error) })
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

    /// Whether the error tells that the server's role changed.
    pub fn is_state_change(&self) -> bool {
        self.is_not_primary() || self.is_node_recovering()
    }

    /// Whether the retryable writes specification lists the code.
    pub fn is_retryable_write_code(&self) -> bool {
        codes::RETRYABLE_WRITE.contains(&self.code)
    }

    /// Whether the write concern's own time limit, or the operation's, expired.
    pub fn is_timeout(&self) -> bool {
        let marked = self.details.as_ref().is_some_and(|details| details.get_bool("wtimeout").unwrap_or(false));
        marked || self.code == codes::MAX_TIME_MS_EXPIRED
    }
}

impl fmt::Display for WriteConcernError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the write concern was not satisfied: {} (code {})", self.message, self.code)
    }
}

impl std::error::Error for WriteConcernError {}

/// One statement of a write command failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WriteError {
    /// Position of the statement in the command, from 0.
    #[serde(default)]
    pub index: usize,
    /// The error code; 0 when the server sent none.
    #[serde(default)]
    pub code: i32,
    /// The name of the code; empty when the server sent none, as most do.
    #[serde(default, rename = "codeName")]
    pub code_name: String,
    /// The server's message.
    #[serde(default, rename = "errmsg")]
    pub message: String,
    /// What the server says beyond that (`errInfo`), such as why a document failed validation.
    #[serde(default, rename = "errInfo", skip_serializing_if = "Option::is_none")]
    pub details: Option<Document>,
}

impl WriteError {
    /// An error with this position, code and message, and nothing else.
    pub fn new(index: usize, code: i32, message: impl Into<String>) -> Self {
        Self { index, code, code_name: String::new(), message: message.into(), details: None }
    }

    /// Reads one element of a `writeErrors` array.
    pub fn from_document(error: &RawDocument) -> Self {
        let text = |key| error.get_str(key).map(str::to_owned).unwrap_or_default();
        Self {
            index: integer(error, "index").and_then(|index| usize::try_from(index).ok()).unwrap_or(0),
            code: code_of(error),
            code_name: text("codeName"),
            message: text("errmsg"),
            details: details(error),
        }
    }

    /// Whether a unique index refused the document.
    pub fn is_duplicate_key(&self) -> bool {
        codes::DUPLICATE_KEY.contains(&self.code)
    }

    /// Whether `maxTimeMS` expired on the server.
    pub fn is_max_time_expired(&self) -> bool {
        self.code == codes::MAX_TIME_MS_EXPIRED
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statement {} failed: {} (code {})", self.index, self.message, self.code)
    }
}

impl std::error::Error for WriteError {}

fn code_of(error: &RawDocument) -> i32 {
    integer(error, "code").and_then(|code| i32::try_from(code).ok()).unwrap_or(0)
}
