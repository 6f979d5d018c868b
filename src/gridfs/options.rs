//! The options of buckets and uploads.

use std::time::Duration;

use bson::Document;
use mongo_actors_protocol::{
    concern::{ReadConcern, WriteConcern},
    selection::SelectionCriteria,
};

use crate::settings::CollectionOptions;

/// What a bucket is called, how it splits files, and what it does not take from its database.
///
/// ```
/// use mongo_actors::gridfs::GridFsBucketOptions;
///
/// let options = GridFsBucketOptions::new().bucket_name("photos").chunk_size_bytes(1_000_000);
/// assert!(options.write_concern.is_none());
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct GridFsBucketOptions {
    /// What its collections are called, before `.files` and `.chunks`. Default: `fs`.
    pub bucket_name: Option<String>,
    /// Bytes of a chunk of the files that are uploaded. Default: 255 KiB.
    pub chunk_size_bytes: Option<u32>,
    /// How many members must confirm writes. It must not be 0. Default: the database's.
    pub write_concern: Option<WriteConcern>,
    /// Which data reads may return. Default: the database's.
    pub read_concern: Option<ReadConcern>,
    /// Which servers reads go to. Default: the database's.
    pub selection_criteria: Option<SelectionCriteria>,
    /// Time for each operation as a whole, and for each stream (`timeoutMS`); zero is unlimited. Default: the
    /// database's.
    pub timeout: Option<Duration>,
}

impl GridFsBucketOptions {
    /// Options that say nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// What its collections are called, before `.files` and `.chunks`.
    #[must_use]
    pub fn bucket_name(mut self, name: impl Into<String>) -> Self {
        self.bucket_name = Some(name.into());
        self
    }

    /// Bytes of a chunk of the files that are uploaded.
    #[must_use]
    pub fn chunk_size_bytes(mut self, size: u32) -> Self {
        self.chunk_size_bytes = Some(size);
        self
    }

    /// How many members must confirm writes. It must not be 0.
    #[must_use]
    pub fn write_concern(mut self, concern: impl Into<WriteConcern>) -> Self {
        self.write_concern = Some(concern.into());
        self
    }

    /// Which data reads may return.
    #[must_use]
    pub fn read_concern(mut self, concern: impl Into<ReadConcern>) -> Self {
        self.read_concern = Some(concern.into());
        self
    }

    /// Which servers reads go to: a `ReadPreference`, or other criteria.
    #[must_use]
    pub fn selection_criteria(mut self, criteria: impl Into<SelectionCriteria>) -> Self {
        self.selection_criteria = Some(criteria.into());
        self
    }

    /// Time for each operation as a whole, and for each stream (`timeoutMS`); zero is unlimited.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The options of both collections. Values are not converted: the driver reads and writes them itself.
    pub(super) fn of_collections(&self) -> CollectionOptions {
        CollectionOptions {
            selection_criteria: self.selection_criteria.clone(),
            read_concern: self.read_concern.clone(),
            write_concern: self.write_concern.clone(),
            codec_options: Some(mongo_actors_protocol::options::CodecOptions::default()),
            timeout: self.timeout,
        }
    }
}

/// What an upload says of its file.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct GridFsUploadOptions {
    /// Bytes of a chunk. Default: the bucket's.
    pub chunk_size_bytes: Option<u32>,
    /// What the application says of the file. Default: nothing, and no such field.
    pub metadata: Option<Document>,
}
