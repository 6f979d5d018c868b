//! Events of change streams.

use bson::{DateTime, Document, Timestamp, Uuid};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ResumeToken;

/// A change. `T` is the type of the collection's documents.
///
/// Which fields there are depends on [`operation_type`](Self::operation_type) and on the options of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ChangeStreamEvent<T> {
    /// Where the stream can go on behind this event.
    #[serde(rename = "_id")]
    pub id: ResumeToken,
    /// What was done. Of an event that was split, only one fragment has it; the others have an empty
    /// [`Other`](OperationType::Other).
    #[serde(default)]
    pub operation_type: OperationType,
    /// Where it was done; none for `invalidate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ns: Option<ChangeNamespace>,
    /// What was created; only of `create`. Servers from 8.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ns_type: Option<ChangeNamespaceType>,
    /// The new name; only of `rename`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<ChangeNamespace>,
    /// Details of an expanded event: indexes, shard keys, options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_description: Option<Document>,
    /// The `_id` of the document, and its shard key if it has one; of `insert`, `update`, `replace` and `delete`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_key: Option<Document>,
    /// What was changed; only of `update`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_description: Option<UpdateDescription>,
    /// When it was done, by the deployment's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_time: Option<Timestamp>,
    /// When it was done, by the clock of the server that did it. Servers from 6.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_time: Option<DateTime>,
    /// The new document, of `insert` and `replace`; of `update` only when the stream asks for it and it is there.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub full_document: Option<T>,
    /// The document as it was before, when the stream asks for it and it is there. Servers from 6.0.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub full_document_before_change: Option<T>,
    /// The collection's own id, with expanded events. Servers from 6.0.
    #[serde(rename = "collectionUUID", default, skip_serializing_if = "Option::is_none")]
    pub collection_uuid: Option<Uuid>,
    /// The session of the transaction that it was part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lsid: Option<Document>,
    /// The number of the transaction that it was part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txn_number: Option<i64>,
    /// Which part of a large event this is, with a `$changeStreamSplitLargeEvent` stage. Servers from 6.0.9 and 7.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_event: Option<SplitEvent>,
}

/// Without this, serde would ask that `T` has a default.
fn none<T>() -> Option<T> {
    None
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OperationType {
    /// A document was inserted.
    Insert,
    /// A document was changed.
    Update,
    /// A document was replaced.
    Replace,
    /// A document was deleted.
    Delete,
    /// A collection was dropped.
    Drop,
    /// A database was dropped.
    DropDatabase,
    /// A collection was renamed.
    Rename,
    /// What is watched is gone: the stream ends with this event.
    Invalidate,
    /// A collection or view was created; an expanded event.
    Create,
    /// Indexes were created; an expanded event.
    CreateIndexes,
    /// Indexes were dropped; an expanded event.
    DropIndexes,
    /// A collection's options were changed; an expanded event.
    Modify,
    /// A collection was sharded; an expanded event.
    ShardCollection,
    /// A collection was given another shard key; an expanded event. Servers from 6.1.
    ReshardCollection,
    /// A collection's shard key was made longer; an expanded event. Servers from 6.1.
    RefineCollectionShardKey,
    /// What a newer server knows, by its name.
    Other(String),
}

const NAMES: &[(&str, OperationType)] = &[
    ("insert", OperationType::Insert),
    ("update", OperationType::Update),
    ("replace", OperationType::Replace),
    ("delete", OperationType::Delete),
    ("drop", OperationType::Drop),
    ("dropDatabase", OperationType::DropDatabase),
    ("rename", OperationType::Rename),
    ("invalidate", OperationType::Invalidate),
    ("create", OperationType::Create),
    ("createIndexes", OperationType::CreateIndexes),
    ("dropIndexes", OperationType::DropIndexes),
    ("modify", OperationType::Modify),
    ("shardCollection", OperationType::ShardCollection),
    ("reshardCollection", OperationType::ReshardCollection),
    ("refineCollectionShardKey", OperationType::RefineCollectionShardKey),
];

impl OperationType {
    /// Its name, as the server has it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(name) => name,
            known => NAMES.iter().find(|(_, kind)| kind == known).map_or("", |(name, _)| name),
        }
    }
}

impl Default for OperationType {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl From<&str> for OperationType {
    fn from(name: &str) -> Self {
        let known = NAMES.iter().find(|(known, _)| *known == name);
        known.map_or_else(|| Self::Other(name.to_owned()), |(_, kind)| kind.clone())
    }
}

impl Serialize for OperationType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for OperationType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(&*std::borrow::Cow::<'de, str>::deserialize(deserializer)?))
    }
}

/// Where a change was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChangeNamespace {
    /// The database.
    pub db: String,
    /// The collection; none when the whole database was dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coll: Option<String>,
}

/// What was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ChangeNamespaceType {
    /// A collection.
    Collection,
    /// A time series.
    Timeseries,
    /// A view.
    View,
    /// What a newer server knows, by its name.
    #[serde(untagged)]
    Other(String),
}

/// What an update changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct UpdateDescription {
    /// Names of fields, with dots for those inside of others, and their new values.
    pub updated_fields: Document,
    /// Names of fields that were removed.
    pub removed_fields: Vec<String>,
    /// Arrays that were made shorter. The server may report that as an updated field as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated_arrays: Option<Vec<TruncatedArray>>,
    /// For each name that can be read in more than one way its parts, where numbers are positions in arrays; with
    /// expanded events. Servers from 6.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disambiguated_paths: Option<Document>,
}

/// An array that was made shorter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TruncatedArray {
    /// Its name.
    pub field: String,
    /// How many elements are left.
    pub new_size: i32,
}

/// Which part of a large event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SplitEvent {
    /// Its number, from 1.
    pub fragment: i32,
    /// How many parts there are.
    pub of: i32,
}
