//! What writes report.

use std::collections::BTreeMap;

use bson::Bson;
use serde::{Serialize, Serializer};

/// Result of inserting one document.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InsertOneResult {
    /// The document's `_id`, given or generated.
    pub inserted_id: Bson,
    /// Whether the server confirmed the write.
    #[serde(skip)]
    pub acknowledged: bool,
}

/// Result of inserting several documents.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InsertManyResult {
    /// The `_id` of each document that was inserted, by its position in the input. When the write was not
    /// acknowledged, those of all that were sent.
    #[serde(serialize_with = "by_position")]
    pub inserted_ids: BTreeMap<usize, Bson>,
    /// Whether the server confirmed the write.
    #[serde(skip)]
    pub acknowledged: bool,
}

/// Result of an update or a replacement. The counts are 0 when the write was not acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UpdateResult {
    /// Documents that matched the filter; 0 after an upsert.
    pub matched_count: u64,
    /// Documents that the update changed.
    pub modified_count: u64,
    /// The `_id` of the document that an upsert inserted.
    pub upserted_id: Option<Bson>,
    /// Whether the server confirmed the write.
    #[serde(skip)]
    pub acknowledged: bool,
}

/// Result of a delete. The count is 0 when the write was not acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DeleteResult {
    /// Documents that were deleted.
    pub deleted_count: u64,
    /// Whether the server confirmed the write.
    #[serde(skip)]
    pub acknowledged: bool,
}

/// Positions in the input as keys of a document.
pub(crate) fn by_position<V: Serialize, S: Serializer>(
    map: &BTreeMap<usize, V>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(position, value)| (position.to_string(), value)))
}

impl InsertOneResult {
    /// The result of a write that the server confirmed, or did not.
    pub fn new(inserted_id: Bson, acknowledged: bool) -> Self {
        Self { inserted_id, acknowledged }
    }
}

impl InsertManyResult {
    /// The result of a write that the server confirmed, or did not.
    pub fn new(inserted_ids: BTreeMap<usize, Bson>, acknowledged: bool) -> Self {
        Self { inserted_ids, acknowledged }
    }
}

impl UpdateResult {
    /// The result of a write with w=0.
    pub fn unacknowledged() -> Self {
        Self::default()
    }
}

impl DeleteResult {
    /// The result of a write with w=0.
    pub fn unacknowledged() -> Self {
        Self::default()
    }
}
