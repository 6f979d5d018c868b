//! What operations are given and return, what they fail with, and what a client tells of itself.
//!
//! # Write models and indexes
//!
//! | PyMongo | here | remark |
//! |---|---|---|
//! | `InsertOne`, `ReplaceOne`, `UpdateOne`, `UpdateMany`, `DeleteOne`, `DeleteMany` | [`InsertOneModel`], [`ReplaceOneModel`], [`UpdateOneModel`], [`UpdateManyModel`], [`DeleteOneModel`], [`DeleteManyModel`] | |
//! | `namespace=` | [`WriteModel::in_namespace`] | |
//! | `IndexModel(keys, **options)` | [`IndexModel`] | each option is a method, others go by [`extra`](IndexModel::extra) |
//! | `SearchIndexModel` | [`SearchIndexModel::search`], [`SearchIndexModel::vector`] | |
//!
//! # Results
//!
//! | PyMongo | here | remark |
//! |---|---|---|
//! | `acknowledged`; reading anything else of an unacknowledged result is an error | the field `acknowledged`; counts are 0 then | a number that is there does no harm, and a `Result` at each count would |
//! | `InsertOneResult`, `InsertManyResult` | [`InsertOneResult`], [`InsertManyResult`] | ids by the position in the input |
//! | `UpdateResult`, `DeleteResult` | [`UpdateResult`], [`DeleteResult`] | `did_upsert` is `upserted_id.is_some()`; there is no `raw_result`: a [listener](CommandListener) sees replies |
//! | `BulkWriteResult` | [`BulkWriteResult`] | with the ids of inserts |
//! | `ClientBulkWriteResult` | [`ClientBulkWriteResult`] | the maps are none unless [verbose](crate::action::ClientBulkWrite::verbose_results) |
//!
//! # Errors
//!
//! | PyMongo | here |
//! |---|---|
//! | `PyMongoError` | [`Error`] |
//! | `has_error_label`, `timeout` | [`Error::has_label`], [`Error::is_timeout`] |
//! | `OperationFailure.code`, `.details` | [`Error::code`], [`Error::code_name`], [`Error::server_response`] |
//! | `ConnectionFailure`, `AutoReconnect`, `OperationFailure`, `ConfigurationError` as base classes | [`Error::is_connection_failure`], [`Error::is_auto_reconnect`], [`Error::is_operation_failure`], [`Error::is_configuration`] |
//! | `ProtocolError` | [`ErrorKind::Protocol`], [`ErrorKind::InvalidReply`] |
//! | `AutoReconnect` itself | [`ErrorKind::AutoReconnect`], [`ErrorKind::ConnectionPoolCleared`], [`ErrorKind::Abandoned`] |
//! | `ConnectionFailure` itself | [`ErrorKind::ConnectionFailure`] |
//! | `WaitQueueTimeoutError` | [`ErrorKind::WaitQueueTimeout`] |
//! | `NetworkTimeout` | [`ErrorKind::NetworkTimeout`] |
//! | `NotPrimaryError` | [`ErrorKind::NotPrimary`] |
//! | `ServerSelectionTimeoutError` | [`ErrorKind::ServerSelectionTimeout`] |
//! | `ConfigurationError`, `InvalidURI` | [`ErrorKind::Configuration`], [`ErrorKind::InvalidUri`], [`ErrorKind::Dns`], [`ErrorKind::IncompatibleServer`] |
//! | `OperationFailure` itself | [`ErrorKind::Command`], [`ErrorKind::Authentication`] |
//! | `CursorNotFound`, `ExecutionTimeout` | [`ErrorKind::CursorNotFound`], [`ErrorKind::ExecutionTimeout`]; the timeout of the operation is [`ErrorKind::OperationTimeout`] |
//! | `WriteConcernError`, `WTimeoutError` | [`ErrorKind::WriteConcern`], [`ErrorKind::WriteConcernTimeout`] |
//! | `WriteError`, `DuplicateKeyError` | [`ErrorKind::Write`], [`ErrorKind::DuplicateKey`], [`Error::is_duplicate_key`] |
//! | `BulkWriteError` | [`ErrorKind::BulkWrite`], of `insert_many` [`ErrorKind::InsertMany`]; [`Error::partial_bulk_write`], [`Error::partial_insert`] |
//! | `ClientBulkWriteException` | [`ErrorKind::ClientBulkWrite`], [`Error::partial_client_bulk_write`] |
//! | `InvalidOperation` | [`ErrorKind::InvalidOperation`]; of arguments [`ErrorKind::InvalidArgument`], as are `TypeError` and `ValueError` |
//! | `InvalidName`, `CollectionInvalid` | [`ErrorKind::InvalidName`], [`ErrorKind::CollectionInvalid`] |
//! | `InvalidDocument`, `DocumentTooLarge` | [`ErrorKind::InvalidDocument`], [`ErrorKind::DocumentTooLarge`]; of what is read [`ErrorKind::Deserialization`] |
//! | `GridFSError` | [`ErrorKind::GridFs`] |
//! | `EncryptionError`, `EncryptedCollectionError` | missing with what they are about |
//!
//! # Events
//!
//! | PyMongo | here | remark |
//! |---|---|---|
//! | `CommandListener`, `ConnectionPoolListener`, `ServerHeartbeatListener`, `ServerListener`, `TopologyListener` | [`CommandListener`], [`PoolListener`], [`HeartbeatListener`], [`ServerListener`], [`TopologyListener`] | whoever listens to several implements several, and is given to the builder for each |
//! | `monitoring.register` | [`monitoring`](crate::monitoring) | |
//! | a listener runs where the event arises | it runs on a task of its own, or inline where it asks for that: [`Delivery`] | a listener that panics harms nobody |
//! | `logging` | `tracing`, with the targets `mongo_actors::command`, `connection`, `server_selection`, `topology` and `client` | |
//!
//! # Descriptions
//!
//! | PyMongo | here | remark |
//! |---|---|---|
//! | `TopologyDescription` | [`TopologyDescription`] | `readable_servers`, `has_readable_server`, `has_writable_server` have the same names; `candidate_servers` is `known_servers` after the selector |
//! | `ServerDescription` | [`ServerDescription`] | equality ignores times, too |
//! | `ReadPreference` and its classes | [`ReadPreference`] | primary cannot have options |
//! | `ReadConcern`, `WriteConcern` | [`ReadConcern`], [`WriteConcern`] | |
//! | `Collation`, `ServerApi` | [`Collation`], [`ServerApi`] | |

#[cfg(doc)]
use crate::{error::*, event::*, options::*, results::*, topology::*};
