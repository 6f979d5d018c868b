//! The files of the format, read strictly: what the format does not know is an error.
//!
//! Follows the published JSON schema. Each structure is named as in the specification.

mod common;
mod encryption;
mod entity;
mod event;
mod file;
mod log;
mod operation;
mod requirement;

pub(super) use self::{
    common::{Filled, Json, NonEmpty, Object},
    entity::{
        BucketEntity, ClientEntity, CollectionEntity, CollectionOrDatabaseOptions, DatabaseEntity, Entity,
        ServerApiOptions, SessionEntity, ThreadEntity,
    },
    event::{
        CmapEvent, CommandEvent, ExpectedDescription, ExpectedEvent, ExpectedEvents, ExpectedEventsForClient, SdamEvent,
    },
    file::{CollectionData, Test, TestFile},
    log::{Component, ExpectedLogMessage, ExpectedLogMessagesForClient, Severity},
    operation::{Expectation, ExpectedError, Operation},
    requirement::{Csfle, RunOnRequirement, Serverless, TopologyName, Version},
};
