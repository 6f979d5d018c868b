//! The files of the format, read strictly: what the format does not know is an error.
//!
//! Follows the published JSON schema. Each structure is named as in the specification.

#![allow(dead_code, reason = "every field is read to check the file, also what the runner has no use for")]

mod argument;
mod common;
mod encryption;
mod entity;
mod event;
mod file;
mod log;
mod operation;
mod requirement;

pub(super) use self::{
    argument::from_argument,
    common::{Filled, Json, NonEmpty, Object},
    entity::{
        BucketEntity, ClientEntity, CollectionEntity, CollectionOrDatabaseOptions, DatabaseEntity, Entity,
        ObservedLogMessages, ServerApiOptions, SessionEntity,
    },
    event::{
        CmapEvent, CommandEvent, ExpectedDescription, ExpectedEvent, ExpectedEvents, ExpectedEventsForClient, SdamEvent,
    },
    file::{CollectionData, Test, TestFile},
    log::{Component, ExpectedLogMessage, ExpectedLogMessagesForClient, Severity},
    operation::{Expectation, ExpectedError, Operation},
    requirement::{RunOnRequirement, Serverless, TopologyName, Version},
};
