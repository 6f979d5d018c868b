//! The `aggregate` that opens a change stream, at first and anew.

use std::sync::Arc;

use bson::{Document, RawArrayBuf, RawDocumentBuf, Timestamp, raw::cstr};

use super::{ChangeStreamOptions, ResumeToken};
use crate::command::{Command, Element, EncodeError, Namespace, Properties, Request, append, validate_database_name};

/// What is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// All databases but `admin`, `config` and `local`. Servers from 4.0.
    Cluster,
    /// All collections of a database. Servers from 4.0.
    Database(Arc<str>),
    /// One collection.
    Collection(Namespace),
}

/// Where a stream begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Start {
    /// Where the options say, all of them: a contradiction is for the server to refuse.
    #[default]
    AsGiven,
    /// `resumeAfter`.
    ResumeAfter(ResumeToken),
    /// `startAfter`.
    StartAfter(ResumeToken),
    /// `startAtOperationTime`.
    AtOperationTime(Timestamp),
}

/// The command that opens a change stream. Its reply is a [`CursorReply`](crate::command::CursorReply).
///
/// ```
/// use bson::rawdoc;
/// use mongo_actors_protocol::{
///     change_stream::{ChangeStreamOptions, Start, Watch, Watched},
///     command::Command,
/// };
///
/// let options = ChangeStreamOptions::default();
/// let watch = Watch { watched: &Watched::Cluster, pipeline: &[], options: &options, start: &Start::AsGiven };
/// let stage = rawdoc! { "$changeStream": { "allChangesForCluster": true } };
/// let body = rawdoc! { "aggregate": 1, "pipeline": [stage], "cursor": {} };
/// assert_eq!(watch.request().unwrap().body, body);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Watch<'a> {
    /// What is watched.
    pub watched: &'a Watched,
    /// The stages that follow `$changeStream`.
    pub pipeline: &'a [Document],
    /// The options.
    pub options: &'a ChangeStreamOptions,
    /// Where it begins.
    pub start: &'a Start,
}

impl Watch<'_> {
    fn stage(&self) -> Result<RawDocumentBuf, EncodeError> {
        let options = self.options;
        let mut stage = RawDocumentBuf::new();
        append!(&mut stage;
            "fullDocument": options.full_document,
            "fullDocumentBeforeChange": options.full_document_before_change,
            "showExpandedEvents": options.show_expanded_events,
            "allChangesForCluster": (*self.watched == Watched::Cluster).then_some(true),
        );
        match self.start {
            Start::AsGiven => {
                append!(&mut stage;
                    "resumeAfter": options.resume_after,
                    "startAfter": options.start_after,
                    "startAtOperationTime": options.start_at_operation_time,
                );
            }
            Start::ResumeAfter(token) => token.append_to(cstr!("resumeAfter"), &mut stage)?,
            Start::StartAfter(token) => token.append_to(cstr!("startAfter"), &mut stage)?,
            Start::AtOperationTime(time) => time.append_to(cstr!("startAtOperationTime"), &mut stage)?,
        }
        let mut whole = RawDocumentBuf::new();
        whole.append(cstr!("$changeStream"), stage);
        Ok(whole)
    }

    fn cursor(&self) -> Result<RawDocumentBuf, EncodeError> {
        let mut cursor = RawDocumentBuf::new();
        append!(&mut cursor; "batchSize": self.options.batch_size);
        Ok(cursor)
    }
}

impl Command for Watch<'_> {
    fn properties(&self) -> Properties {
        Properties::read(None)
    }

    fn request(&self) -> Result<Request, EncodeError> {
        let mut body = RawDocumentBuf::new();
        let database = match self.watched {
            Watched::Collection(namespace) => {
                namespace.validate()?;
                body.append(cstr!("aggregate"), &*namespace.coll);
                namespace.db.clone()
            }
            Watched::Database(name) => {
                validate_database_name(name)?;
                body.append(cstr!("aggregate"), 1);
                name.clone()
            }
            Watched::Cluster => {
                body.append(cstr!("aggregate"), 1);
                "admin".into()
            }
        };
        let mut pipeline = RawArrayBuf::new();
        pipeline.push(self.stage()?);
        for stage in self.pipeline {
            pipeline.push(RawDocumentBuf::try_from(stage)?);
        }
        append!(&mut body;
            "pipeline": pipeline,
            "cursor": self.cursor()?,
            "collation": self.options.collation,
            "comment": self.options.comment,
        );
        Ok(Request::new("aggregate", database, body))
    }
}

impl Element for ResumeToken {
    fn append_to(&self, key: &bson::raw::CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        body.append(key, self.as_raw());
        Ok(())
    }
}

impl Element for Timestamp {
    fn append_to(&self, key: &bson::raw::CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        body.append(key, *self);
        Ok(())
    }
}
