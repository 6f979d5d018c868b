//! What operations return.

pub use mongo_actors_protocol::command::{
    BuildInfo, CollectionSpecification, CollectionSpecificationInfo, CollectionType, DatabaseSpecification,
    DeleteResult, InsertManyResult, InsertOneResult, UpdateResult,
};
