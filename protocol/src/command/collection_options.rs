//! Options of a collection, as they are given when it is created and listed afterwards.

use std::time::Duration;

use bson::{Bson, Document, RawDocumentBuf, raw::CStr};
use serde::Deserialize;

use super::{
    Collation, EncodeError,
    collation::words,
    encode::{Element, append, whole_seconds},
    numbers::{some_seconds, some_u64},
};
use crate::concern::WriteConcern;

/// Options for creating a collection or view. An option that is none is not sent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreateCollectionOptions {
    /// Whether it is a ring of fixed size; needs `size`.
    pub capped: Option<bool>,
    /// Size of a capped collection in bytes.
    #[serde(deserialize_with = "some_u64")]
    pub size: Option<u64>,
    /// The most documents of a capped collection.
    #[serde(deserialize_with = "some_u64")]
    pub max: Option<u64>,
    /// Options of the storage engine.
    pub storage_engine: Option<Document>,
    /// What every document must satisfy.
    pub validator: Option<Document>,
    /// To which documents the validator applies. Default: [`ValidationLevel::Strict`].
    pub validation_level: Option<ValidationLevel>,
    /// What happens to documents that do not satisfy it. Default: [`ValidationAction::Error`].
    pub validation_action: Option<ValidationAction>,
    /// The collection or view that a view shows.
    pub view_on: Option<String>,
    /// The stages of a view.
    pub pipeline: Option<Vec<Document>>,
    /// Rules for comparing strings, used where an operation or index gives none.
    pub collation: Option<Collation>,
    /// How many members must confirm. Default: the database's, else the client's. Never listed.
    #[serde(skip)]
    pub write_concern: Option<WriteConcern>,
    /// Defaults for the collection's indexes.
    pub index_option_defaults: Option<IndexOptionDefaults>,
    /// Makes it a time series. Servers from 5.0.
    pub timeseries: Option<TimeseriesOptions>,
    /// How long documents of a time series or clustered collection stay. Whole seconds.
    #[serde(deserialize_with = "some_seconds")]
    pub expire_after_seconds: Option<Duration>,
    /// Whether change streams can show documents as they were before and after. Servers from 6.0.
    pub change_stream_pre_and_post_images: Option<ChangeStreamPreAndPostImages>,
    /// Stores the documents in the order of `_id`, without an index of their own. Servers from 5.3.
    #[serde(deserialize_with = "clustered")]
    pub clustered_index: Option<ClusteredIndex>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON. Servers from 4.4. Never listed.
    #[serde(skip)]
    pub comment: Option<Bson>,
    /// Which fields are encrypted, and how they can be queried.
    pub encrypted_fields: Option<Document>,
}

words! {
    /// To which documents a validator applies.
    ValidationLevel {
        /// To none.
        Off = "off",
        /// To all that are written: the default.
        Strict = "strict",
        /// To new ones, and to those that satisfied it before.
        Moderate = "moderate",
    }
}

words! {
    /// What happens to documents that do not satisfy a validator.
    ValidationAction {
        /// They are refused: the default.
        Error = "error",
        /// The server logs them.
        Warn = "warn",
        /// They are refused, and the server logs them. Servers from 8.1.
        ErrorAndLog = "errorAndLog",
    }
}

words! {
    /// How far apart the measurements of one source typically are.
    TimeseriesGranularity {
        /// Seconds: the default.
        Seconds = "seconds",
        /// Minutes.
        Minutes = "minutes",
        /// Hours.
        Hours = "hours",
    }
}

/// How a time series is stored. Servers from 5.0.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimeseriesOptions {
    /// The field that holds each document's time.
    pub time_field: String,
    /// The field that names each document's source.
    #[serde(default)]
    pub meta_field: Option<String>,
    /// How far apart measurements are. Not together with the two below.
    #[serde(default)]
    pub granularity: Option<TimeseriesGranularity>,
    /// The longest time that one bucket spans; the same as `bucket_rounding`. Whole seconds. Servers from 6.3.
    #[serde(default, rename = "bucketMaxSpanSeconds", deserialize_with = "some_seconds")]
    pub bucket_max_span: Option<Duration>,
    /// To which multiple the first time of a bucket is rounded down. Whole seconds. Servers from 6.3.
    #[serde(default, rename = "bucketRoundingSeconds", deserialize_with = "some_seconds")]
    pub bucket_rounding: Option<Duration>,
}

/// A clustered index. Servers from 5.3.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ClusteredIndex {
    /// `{ _id: 1 }`.
    pub key: Document,
    /// True.
    pub unique: bool,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// Version of the index format.
    #[serde(default)]
    pub v: Option<i32>,
}

impl Default for ClusteredIndex {
    /// The only form there is, without a name.
    fn default() -> Self {
        Self { key: bson::doc! { "_id": 1 }, unique: true, name: None, v: None }
    }
}

/// Defaults for the indexes of a collection.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IndexOptionDefaults {
    /// Options of the storage engine.
    pub storage_engine: Document,
}

/// Whether change streams can show documents as they were before and after a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ChangeStreamPreAndPostImages {
    /// Whether they can.
    pub enabled: bool,
}

/// Servers list a clustered collection of an internal kind as `true`.
fn clustered<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<ClusteredIndex>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Index(ClusteredIndex),
        Flag(bool),
    }
    Ok(match Form::deserialize(deserializer)? {
        Form::Index(index) => Some(index),
        Form::Flag(set) => set.then(ClusteredIndex::default),
    })
}

impl Element for TimeseriesOptions {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        let seconds = |time: Option<Duration>, name| time.map(|time| whole_seconds(time, name)).transpose();
        let mut raw = RawDocumentBuf::new();
        append!(&mut raw;
            "timeField": self.time_field,
            "metaField": self.meta_field,
            "granularity": self.granularity,
            "bucketMaxSpanSeconds": seconds(self.bucket_max_span, "bucketMaxSpanSeconds")?,
            "bucketRoundingSeconds": seconds(self.bucket_rounding, "bucketRoundingSeconds")?,
        );
        raw.append_to(key, body)
    }
}

impl Element for ClusteredIndex {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        let mut raw = RawDocumentBuf::new();
        append!(&mut raw; "key": self.key, "unique": self.unique, "name": self.name, "v": self.v);
        raw.append_to(key, body)
    }
}

impl Element for IndexOptionDefaults {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        let mut raw = RawDocumentBuf::new();
        append!(&mut raw; "storageEngine": self.storage_engine);
        raw.append_to(key, body)
    }
}

impl Element for ChangeStreamPreAndPostImages {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        let mut raw = RawDocumentBuf::new();
        append!(&mut raw; "enabled": self.enabled);
        raw.append_to(key, body)
    }
}

impl CreateCollectionOptions {
    pub(super) fn encode(&self, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        let expire = self.expire_after_seconds.map(|time| whole_seconds(time, "expireAfterSeconds")).transpose()?;
        append!(body;
            "capped": self.capped,
            "size": self.size,
            "max": self.max,
            "storageEngine": self.storage_engine,
            "validator": self.validator,
            "validationLevel": self.validation_level,
            "validationAction": self.validation_action,
            "viewOn": self.view_on,
            "pipeline": self.pipeline,
            "collation": self.collation,
            "indexOptionDefaults": self.index_option_defaults,
            "timeseries": self.timeseries,
            "expireAfterSeconds": expire,
            "changeStreamPreAndPostImages": self.change_stream_pre_and_post_images,
            "clusteredIndex": self.clustered_index,
            "encryptedFields": self.encrypted_fields,
            "comment": self.comment,
        );
        Ok(())
    }
}
