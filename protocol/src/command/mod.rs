//! Commands: how each is encoded, and what its reply says.
//!
//! One file per command holds both directions. An operation is a struct that borrows its arguments and implements
//! [`Command`]: [`Command::request`] encodes it once, [`Command::properties`] says how it is executed. Its reply is
//! decoded by an associated function `decode`, or by one of the readers that several commands share:
//! [`CursorReply`] and [`WriteReply`].
//!
//! In every option struct, an option that is none is not sent, so that the server's default applies. `Duration`s are
//! sent in the unit of the command, which each option names. `read_concern`, `write_concern`, `selection_criteria` and
//! `max_time` are no part of a body: whoever executes the operation resolves them, and the connection appends them.

mod encode;
mod invalid_reply;
mod limits;
mod numbers;
mod properties;
mod results;
mod write_reply;

mod collation;
mod hint;
mod modifications;
mod namespace;

mod aggregate;
mod count;
mod cursor_reply;
mod delete;
mod distinct;
mod find;
mod find_and_modify;
mod get_more;
mod insert;
mod insert_many;
mod kill_cursors;
mod update;

pub mod reply;
pub mod request;

pub use self::{
    aggregate::{Aggregate, AggregateOptions, AggregateTarget, is_writing_pipeline},
    collation::{Collation, CollationAlternate, CollationCaseFirst, CollationMaxVariable, CollationStrength},
    count::{CountDocuments, CountOptions, EstimatedDocumentCount, EstimatedDocumentCountOptions},
    cursor_reply::{Batch, CursorReply},
    delete::{Delete, DeleteOptions, DeleteStatement},
    distinct::{Distinct, DistinctOptions},
    encode::EncodeError,
    find::{CursorType, Find, FindOneOptions, FindOptions},
    find_and_modify::{
        FindAndModify, FindOneAndDeleteOptions, FindOneAndReplaceOptions, FindOneAndUpdateOptions, ReturnDocument,
    },
    get_more::GetMore,
    hint::Hint,
    insert::{InsertManyOptions, InsertOne, InsertOneOptions},
    insert_many::{InsertBatch, InsertMany, InsertManyProgress},
    invalid_reply::InvalidReply,
    kill_cursors::KillCursors,
    limits::{Splitter, WriteLimits},
    modifications::{NewContent, UpdateModifications, validate_replacement},
    namespace::{InvalidName, Namespace, validate_collection_name, validate_database_name},
    properties::{Command, Criteria, Properties, ReadConcernUse, Requirement, Retryability, Unsupported},
    results::{DeleteResult, InsertManyResult, InsertOneResult, UpdateResult},
    update::{ReplaceOptions, Update, UpdateOptions, UpdateStatement},
    write_reply::{Upserted, WriteFailure, WriteReply, Written},
};
pub use reply::{Envelope, ReplyError};
pub use request::{DocumentSequence, Request};
