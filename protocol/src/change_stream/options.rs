//! Options of `watch`.

use std::time::Duration;

use bson::{Bson, Timestamp};

use super::ResumeToken;
use crate::{
    command::{Collation, Element, EncodeError},
    concern::ReadConcern,
    selection::SelectionCriteria,
};

/// Options of change streams. An option that is none is not sent.
///
/// The places to start from exclude each other: the server refuses a stream with two of them.
#[derive(Clone, Debug, Default)]
pub struct ChangeStreamOptions {
    /// Whether updates come with the whole document. Default: only with what changed.
    pub full_document: Option<FullDocumentType>,
    /// Whether events come with the document as it was before. Default: they do not. Servers from 6.0.
    pub full_document_before_change: Option<FullDocumentBeforeChangeType>,
    /// Start behind this event. The server refuses that of an `invalidate`.
    pub resume_after: Option<ResumeToken>,
    /// Start behind this event, which may be an `invalidate`: for a collection that was dropped and made again, or
    /// renamed.
    pub start_after: Option<ResumeToken>,
    /// Start with changes at or after this time. Every reply of a server has such a time.
    pub start_at_operation_time: Option<Timestamp>,
    /// Whether there are also events of `create`, `createIndexes`, `dropIndexes`, `modify`, `shardCollection`,
    /// `reshardCollection` and `refineCollectionShardKey`. Servers from 6.0.
    pub show_expanded_events: Option<bool>,
    /// How long the server waits for changes before it answers with none, in whole milliseconds. Default: one second.
    pub max_await_time: Option<Duration>,
    /// Events per batch. Default: left to the server.
    pub batch_size: Option<u32>,
    /// Rules for comparing strings in the pipeline.
    pub collation: Option<Collation>,
    /// Attached to the commands in profiler, logs and `currentOp`. Any BSON from 4.4, before that a string.
    pub comment: Option<Bson>,
    /// Which data may be returned: `majority`, or nothing, is what servers accept. Default: the collection's, else the
    /// database's, else the client's.
    pub read_concern: Option<ReadConcern>,
    /// Which server to watch, at first and after each resumption. Default: the collection's, else the database's, else
    /// the client's read preference.
    pub selection_criteria: Option<SelectionCriteria>,
}

impl ChangeStreamOptions {
    /// Whether the caller says where to start.
    pub(super) fn has_start(&self) -> bool {
        self.resume_after.is_some() || self.start_after.is_some() || self.start_at_operation_time.is_some()
    }
}

/// Whether updates come with the whole document (`fullDocument`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FullDocumentType {
    /// As it is when the event is read, some time after the update; null when it is gone by then.
    UpdateLookup,
    /// As it was right after the update, if the server has kept that.
    WhenAvailable,
    /// As it was right after the update; an error if the server has not kept that.
    Required,
    /// What a newer server knows.
    Other(String),
}

/// Whether events come with the document as it was before (`fullDocumentBeforeChange`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FullDocumentBeforeChangeType {
    /// If the server has kept it.
    WhenAvailable,
    /// An error if the server has not kept it.
    Required,
    /// Never.
    Off,
    /// What a newer server knows.
    Other(String),
}

impl FullDocumentType {
    fn as_str(&self) -> &str {
        match self {
            Self::UpdateLookup => "updateLookup",
            Self::WhenAvailable => "whenAvailable",
            Self::Required => "required",
            Self::Other(name) => name,
        }
    }
}

impl FullDocumentBeforeChangeType {
    fn as_str(&self) -> &str {
        match self {
            Self::WhenAvailable => "whenAvailable",
            Self::Required => "required",
            Self::Off => "off",
            Self::Other(name) => name,
        }
    }
}

macro_rules! named_element {
    ($($type:ty),*) => {
        $(impl Element for $type {
            fn append_to(&self, key: &bson::raw::CStr, body: &mut bson::RawDocumentBuf) -> Result<(), EncodeError> {
                self.as_str().append_to(key, body)
            }
        })*
    };
}
named_element!(FullDocumentType, FullDocumentBeforeChangeType);
