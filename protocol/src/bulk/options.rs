//! Options of bulk writes.

use bson::{Bson, Document};

use crate::concern::WriteConcern;

/// Options for a bulk write to one collection. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct BulkWriteOptions {
    /// Whether to execute the writes in their order and to stop at the first that fails. Default: true.
    pub ordered: Option<bool>,
    /// Whether the collection's validator is skipped. Refused without acknowledgement.
    pub bypass_document_validation: Option<bool>,
    /// Attached to each command in profiler, logs and `currentOp`. Any BSON. Servers from 4.4.
    pub comment: Option<Bson>,
    /// Variables for expressions of filters and pipelines (`$$name`). Servers from 5.0. Inserts do without.
    pub let_vars: Option<Document>,
    /// How many members must confirm the writes. Default: the collection's, else the database's, else the client's.
    pub write_concern: Option<WriteConcern>,
}

/// Options for a bulk write to any number of collections. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct ClientBulkWriteOptions {
    /// Whether to execute the writes in their order and to stop at the first that fails. Default: true, which needs an
    /// acknowledged write concern.
    pub ordered: Option<bool>,
    /// Whether the validators of the collections are skipped. Refused without acknowledgement.
    pub bypass_document_validation: Option<bool>,
    /// Attached to each command in profiler, logs and `currentOp`. Any BSON.
    pub comment: Option<Bson>,
    /// Variables for expressions of filters and pipelines (`$$name`).
    pub let_vars: Option<Document>,
    /// How many members must confirm the writes. Default: the client's.
    pub write_concern: Option<WriteConcern>,
    /// Whether the result tells of every single write. Default: false, only of their numbers.
    pub verbose_results: Option<bool>,
}
