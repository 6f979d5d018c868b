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

pub(crate) mod encode;
mod invalid_reply;
mod limits;
mod numbers;
mod properties;
pub(crate) mod results;
mod write_reply;

mod collation;
mod collection_options;
mod hint;
mod index_model;
mod keys;
mod modifications;
mod namespace;

mod aggregate;
mod build_info;
mod coll_mod;
mod count;
mod create;
mod create_indexes;
mod cursor_reply;
pub(crate) mod delete;
mod distinct;
mod drop;
mod drop_indexes;
mod end_sessions;
mod end_transaction;
mod explain;
mod find;
mod find_and_modify;
mod get_more;
pub(crate) mod insert;
mod kill_cursors;
mod list_collections;
mod list_databases;
mod list_indexes;
mod rename;
mod run_command;
mod search_index;
pub(crate) mod update;
mod validate;

pub mod reply;
pub mod request;

pub(crate) use self::encode::{Element, append};
pub use self::{
    aggregate::{Aggregate, AggregateOptions, AggregateTarget, is_writing_pipeline},
    build_info::{BuildInfo, GetBuildInfo, Ping},
    coll_mod::{ModifyCollection, ModifyCollectionOptions},
    collation::{Collation, CollationAlternate, CollationCaseFirst, CollationMaxVariable, CollationStrength},
    collection_options::{
        ChangeStreamPreAndPostImages, ClusteredIndex, CreateCollectionOptions, IndexOptionDefaults,
        TimeseriesGranularity, TimeseriesOptions, ValidationAction, ValidationLevel,
    },
    count::{CountDocuments, CountOptions, EstimatedDocumentCount, EstimatedDocumentCountOptions},
    create::CreateCollection,
    create_indexes::{CommitQuorum, CreateIndexOptions, CreateIndexes},
    cursor_reply::{Batch, BatchDocuments, CursorReply},
    delete::{Delete, DeleteOptions, DeleteStatement},
    distinct::{Distinct, DistinctOptions},
    drop::{DropCollection, DropCollectionOptions, DropDatabase, DropDatabaseOptions},
    drop_indexes::{DropIndexOptions, DropIndexes, IndexSelection},
    encode::EncodeError,
    end_sessions::EndSessions,
    end_transaction::{AbortTransaction, CommitTransaction},
    explain::{Explain, ExplainOptions, ExplainVerbosity},
    find::{CursorType, Find, FindOneOptions, FindOptions, TimeoutMode},
    find_and_modify::{
        FindAndModify, FindOneAndDeleteOptions, FindOneAndReplaceOptions, FindOneAndUpdateOptions, ReturnDocument,
    },
    get_more::GetMore,
    hint::Hint,
    index_model::{IndexModel, IndexOptions, IndexVersion, Sphere2DIndexVersion, TextIndexVersion},
    insert::{InsertManyOptions, InsertOne, InsertOneOptions},
    invalid_reply::{InvalidReply, brief},
    keys::{Keys, Projection},
    kill_cursors::KillCursors,
    limits::{Splitter, WriteLimits},
    list_collections::{
        CollectionSpecification, CollectionSpecificationInfo, CollectionType, ListCollections, ListCollectionsOptions,
    },
    list_databases::{DatabaseSpecification, ListDatabases, ListDatabasesOptions},
    list_indexes::{ListIndexes, ListIndexesOptions},
    modifications::{NewContent, UpdateModifications, validate_replacement},
    namespace::{InvalidName, Namespace, validate_collection_name, validate_database_name},
    properties::{Command, Criteria, Properties, ReadConcernUse, Requirement, Unsupported},
    rename::{RenameCollection, RenameCollectionOptions},
    results::{DeleteResult, InsertManyResult, InsertOneResult, UpdateResult},
    run_command::{RunCommand, RunCommandOptions, RunCursorCommandOptions},
    search_index::{
        CreateSearchIndexes, DropSearchIndex, ListSearchIndexes, SearchIndexModel, SearchIndexType, UpdateSearchIndex,
    },
    update::{ReplaceOptions, Update, UpdateOptions, UpdateStatement},
    validate::{ValidateCollection, ValidateCollectionOptions},
    write_reply::{Upserted, WriteFailure, WriteReply, Written},
};
pub use reply::{Envelope, ReplyError};

pub use request::{DocumentSequence, Request};
