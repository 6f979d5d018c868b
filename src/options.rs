//! Options of the client, of handles and of operations.
//!
//! An option that is none leaves it to what the operation inherits, or to the server.

pub use mongo_actors_protocol::{
    auth::{
        credential::{AuthMechanism, Credential, MechanismProperties},
        secret::Secret,
    },
    bulk::{
        BulkWriteOptions, ClientBulkWriteOptions, DeleteManyModel, DeleteOneModel, InsertOneModel, NamespacedWrite,
        ReplaceOneModel, UpdateManyModel, UpdateOneModel, WriteModel,
    },
    change_stream::{ChangeStreamOptions, FullDocumentBeforeChangeType, FullDocumentType},
    command::{
        AggregateOptions, ChangeStreamPreAndPostImages, ClusteredIndex, Collation, CollationAlternate,
        CollationCaseFirst, CollationMaxVariable, CollationStrength, CommitQuorum, CountOptions,
        CreateCollectionOptions, CreateIndexOptions, CursorType, DeleteOptions, DistinctOptions, DropCollectionOptions,
        DropDatabaseOptions, DropIndexOptions, EstimatedDocumentCountOptions, ExplainOptions, ExplainVerbosity,
        FindOneAndDeleteOptions, FindOneAndReplaceOptions, FindOneAndUpdateOptions, FindOneOptions, FindOptions, Hint,
        IndexModel, IndexOptionDefaults, IndexOptions, IndexVersion, InsertManyOptions, InsertOneOptions, Keys,
        ListCollectionsOptions, ListDatabasesOptions, ListIndexesOptions, ModifyCollectionOptions, Projection,
        RenameCollectionOptions, ReplaceOptions, ReturnDocument, RunCommandOptions, RunCursorCommandOptions,
        SearchIndexModel, SearchIndexType, Sphere2DIndexVersion, TextIndexVersion, TimeoutMode, TimeseriesGranularity,
        TimeseriesOptions, UpdateModifications, UpdateOptions, ValidateCollectionOptions, ValidationAction,
        ValidationLevel,
    },
    concern::{Acknowledgment, ReadConcern, ReadConcernLevel, WriteConcern},
    options::{
        ClientOptions, ClientOptionsBuilder, CodecOptions, Compressor, DatetimeConversion, DriverInfo, HostEntry,
        ResolverConfig, ServerApi, ServerApiVersion, ServerMonitoringMode, Socks5Proxy, TlsOptions, TypeRegistry,
        UtcOffset, Utf8Policy, UuidRepresentation,
    },
    read_preference::{HedgedReadOptions, ReadPreference, ReadPreferenceMode, ReadPreferenceOptions, TagSet},
    selection::{SelectionCriteria, ServerSelector},
    session::{ClusterTime, SessionOptions},
    transaction::TransactionOptions,
};

pub use crate::settings::{CollectionOptions, DatabaseOptions};
