//! What operations return.

pub use mongo_actors_protocol::{
    bulk::{
        BulkWriteResult, ClientBulkWriteResult, ClientDeleteResult, ClientInsertOneResult, ClientUpdateResult,
        VerboseResults,
    },
    command::{
        BuildInfo, CollectionSpecification, CollectionSpecificationInfo, CollectionType, DatabaseSpecification,
        DeleteResult, InsertManyResult, InsertOneResult, UpdateResult,
    },
};
