//! `expectedLogMessagesForClient`, and what files say of tracing spans.

use serde::Deserialize;

use super::{NonEmpty, Object};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ExpectedLogMessagesForClient {
    pub(crate) client: String,
    pub(crate) messages: Vec<ExpectedLogMessage>,
    #[serde(default)]
    pub(crate) ignore_messages: Vec<ExpectedLogMessage>,
    #[serde(default)]
    pub(crate) ignore_extra_messages: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ExpectedLogMessage {
    pub(crate) level: Severity,
    pub(crate) component: Component,
    pub(crate) data: Object,
    pub(crate) failure_is_redacted: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Component {
    Command,
    Topology,
    ServerSelection,
    Connection,
}

/// How severe a message is, the most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    Emergency,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ExpectedTracingMessagesForClient {
    client: String,
    ignore_extra_spans: Option<bool>,
    spans: NonEmpty<Span>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Span {
    name: String,
    attributes: Object,
    nested: Option<NonEmpty<Span>>,
}
