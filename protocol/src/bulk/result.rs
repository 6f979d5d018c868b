//! What bulk writes report.

use std::collections::BTreeMap;

use bson::Bson;
use serde::Serialize;

use crate::{
    command::results::by_position,
    error::{Labels, WriteConcernError, WriteError},
};

/// Result of a bulk write to one collection. The counts are 0 when it was not acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BulkWriteResult {
    /// Documents that were inserted, not counting those of upserts.
    pub inserted_count: u64,
    /// Documents that the filters of updates and replacements matched.
    pub matched_count: u64,
    /// Documents that updates and replacements changed.
    pub modified_count: u64,
    /// Documents that were deleted.
    pub deleted_count: u64,
    /// Documents that upserts inserted.
    pub upserted_count: u64,
    /// The `_id` of each document that is known to be inserted, by the position of its model in the input. When the
    /// writes were not acknowledged, those of all that were sent.
    #[serde(serialize_with = "by_position")]
    pub inserted_ids: BTreeMap<usize, Bson>,
    /// The `_id` of each document that an upsert inserted, by the position of its model in the input.
    #[serde(serialize_with = "by_position")]
    pub upserted_ids: BTreeMap<usize, Bson>,
    /// Whether the server confirmed the writes.
    #[serde(skip)]
    pub acknowledged: bool,
}

impl BulkWriteResult {
    /// Whether anything is known to have changed.
    pub fn is_change(&self) -> bool {
        self.inserted_count + self.modified_count + self.deleted_count + self.upserted_count > 0
    }
}

/// Result of a client's bulk write. The counts are 0 when it was not acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ClientBulkWriteResult {
    /// Documents that were inserted, not counting those of upserts.
    pub inserted_count: u64,
    /// Documents that upserts inserted.
    pub upserted_count: u64,
    /// Documents that the filters of updates and replacements matched.
    pub matched_count: u64,
    /// Documents that updates and replacements changed.
    pub modified_count: u64,
    /// Documents that were deleted.
    pub deleted_count: u64,
    /// What became of each single write; only when it was asked for.
    #[serde(flatten)]
    pub verbose_results: Option<VerboseResults>,
    /// Whether the server confirmed the writes.
    #[serde(skip)]
    pub acknowledged: bool,
}

impl ClientBulkWriteResult {
    /// Whether anything is known to have changed.
    pub fn is_change(&self) -> bool {
        self.inserted_count + self.modified_count + self.deleted_count + self.upserted_count > 0
    }
}

/// What became of each write that succeeded, by the position of its model in the input.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct VerboseResults {
    /// The inserts.
    #[serde(serialize_with = "by_position")]
    pub insert_results: BTreeMap<usize, ClientInsertOneResult>,
    /// The updates and replacements.
    #[serde(serialize_with = "by_position")]
    pub update_results: BTreeMap<usize, ClientUpdateResult>,
    /// The deletes.
    #[serde(serialize_with = "by_position")]
    pub delete_results: BTreeMap<usize, ClientDeleteResult>,
}

/// One insert of a client's bulk write.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ClientInsertOneResult {
    /// The document's `_id`, given or generated.
    pub inserted_id: Bson,
}

/// One update or replacement of a client's bulk write.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ClientUpdateResult {
    /// Documents that matched the filter; 1 after an upsert.
    pub matched_count: u64,
    /// Documents that the update changed.
    pub modified_count: u64,
    /// The `_id` of the document that an upsert inserted; none when nothing was upserted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upserted_id: Option<Bson>,
}

/// One delete of a client's bulk write.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ClientDeleteResult {
    /// Documents that were deleted.
    pub deleted_count: u64,
}

/// What failed of a client's bulk write.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientBulkFailure {
    /// The writes that failed, by their position in the input. An ordered bulk write has one at most.
    pub write_errors: BTreeMap<usize, WriteError>,
    /// Write concerns that were not satisfied: at most one per command that was sent.
    pub write_concern_errors: Vec<WriteConcernError>,
    /// The error labels of all replies.
    pub labels: Labels,
}

impl ClientBulkFailure {
    /// Whether nothing failed.
    pub fn is_empty(&self) -> bool {
        self.write_errors.is_empty() && self.write_concern_errors.is_empty()
    }
}
