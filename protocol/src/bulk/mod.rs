//! Bulk writes: any number of writes, distributed over as few commands as the server's limits allow.
//!
//! Two machines do that, and both are [`Batches`]: [`CollectionBulk`] makes `insert`, `update` and `delete` commands of
//! one collection (CRUD specification), [`ClientBulk`] makes `bulkWrite` commands of any number of collections (bulk
//! write specification). Each encodes the writes one after the other, hands out a command whenever one is full, and
//! keeps the account of what the replies report.

mod batch;
mod client;
mod collection;
mod model;
mod op;
mod options;
mod result;
#[cfg(test)]
mod tests;

pub use self::{
    batch::{Batches, Content, Items, Positions, WriteBatch, WriteKind},
    client::ClientBulk,
    collection::CollectionBulk,
    model::{
        DeleteManyModel, DeleteOneModel, InsertOneModel, NamespacedWrite, ReplaceOneModel, UpdateManyModel,
        UpdateOneModel, WriteModel,
    },
    options::{BulkWriteOptions, ClientBulkWriteOptions},
    result::{
        BulkWriteResult, ClientBulkFailure, ClientBulkWriteResult, ClientDeleteResult, ClientInsertOneResult,
        ClientUpdateResult, VerboseResults,
    },
};
