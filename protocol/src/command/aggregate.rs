//! `aggregate`: results of a pipeline.

use std::time::Duration;

use bson::{Bson, Document, RawDocumentBuf, raw::cstr};

use super::{
    Collation, Command, Criteria, EncodeError, Hint, Namespace, Properties, ReadConcernUse, Request, encode::append,
    validate_database_name,
};
use crate::{
    concern::{ReadConcern, WriteConcern},
    retry::Operation,
    selection::SelectionCriteria,
};

/// Options of `aggregate`. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct AggregateOptions {
    /// Whether stages may write temporary files.
    pub allow_disk_use: Option<bool>,
    /// Documents per batch. Not sent with the first command of a pipeline that ends in `$out` or `$merge`.
    pub batch_size: Option<u32>,
    /// Whether `$out` and `$merge` skip the collection's validator. Only true is sent.
    pub bypass_document_validation: Option<bool>,
    /// Rules for comparing strings.
    pub collation: Option<Collation>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON from 4.4, before that a string.
    pub comment: Option<Bson>,
    /// What the operation's timeout means for the cursor. Not sent.
    pub timeout_mode: Option<super::TimeoutMode>,
    /// The index to use, except in `$lookup` and `$graphLookup`.
    pub hint: Option<Hint>,
    /// How long the server waits for new documents in a `getMore` of a tailable cursor that awaits data, as that of a
    /// change stream, in whole milliseconds.
    pub max_await_time: Option<Duration>,
    /// How long the server may work on this operation, in whole milliseconds. A client's or operation's timeout
    /// replaces it.
    pub max_time: Option<Duration>,
    /// Which data may be returned. Default: the collection's, else the database's, else the client's.
    pub read_concern: Option<ReadConcern>,
    /// Which server to ask. Default: the collection's, else the database's, else the client's read preference.
    pub selection_criteria: Option<SelectionCriteria>,
    /// How many members must confirm the write. Default: the collection's, else the database's, else the client's.
    pub write_concern: Option<WriteConcern>,
    /// Variables for expressions of the pipeline (`$$name`). Servers from 5.0.
    pub let_vars: Option<Document>,
}

/// What a pipeline runs on.
#[derive(Clone, Copy, Debug)]
pub enum AggregateTarget<'a> {
    /// The documents of a collection.
    Collection(&'a Namespace),
    /// A source stage of its own, such as `$currentOp`; `admin` for those that concern the whole deployment.
    Database(&'a str),
}

/// The `aggregate` command. Its reply is a [`CursorReply`](super::CursorReply).
///
/// ```
/// use bson::{doc, rawdoc};
/// use mongo_actors_protocol::command::{Aggregate, AggregateTarget, Command};
///
/// let pipeline = [doc! { "$currentOp": {} }];
/// let operation = Aggregate {
///     target: AggregateTarget::Database("admin"),
///     pipeline: &pipeline,
///     options: &Default::default(),
/// };
/// let body = rawdoc! { "aggregate": 1, "pipeline": [{ "$currentOp": {} }], "cursor": {} };
/// assert_eq!(operation.request().unwrap().body, body);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Aggregate<'a> {
    /// What the pipeline runs on.
    pub target: AggregateTarget<'a>,
    /// The stages.
    pub pipeline: &'a [Document],
    /// The options.
    pub options: &'a AggregateOptions,
}

/// Whether a pipeline writes its results: its last stage is `$out` or `$merge`.
pub fn is_writing_pipeline(pipeline: &[Document]) -> bool {
    let last = pipeline.last().and_then(|stage| stage.keys().next());
    last.is_some_and(|stage| stage == "$out" || stage == "$merge")
}

impl Aggregate<'_> {
    fn cursor(&self) -> RawDocumentBuf {
        let mut cursor = RawDocumentBuf::new();
        match self.options.batch_size {
            // An empty first batch would keep the pipeline from running.
            Some(size) if !is_writing_pipeline(self.pipeline) => cursor.append(cstr!("batchSize"), i64::from(size)),
            _ => {}
        }
        cursor
    }
}

impl Command for Aggregate<'_> {
    fn properties(&self) -> Properties {
        let read = Properties::read(self.options.max_time);
        if !is_writing_pipeline(self.pipeline) {
            return read;
        }
        Properties {
            retry: Operation::PLAIN_WRITE,
            read_concern: ReadConcernUse::Full,
            write_concern: true,
            criteria: Criteria::WritingAggregate,
            ..read
        }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        let options = self.options;
        Hint::validate(options.hint.as_ref())?;
        let mut body = RawDocumentBuf::new();
        let database = match self.target {
            AggregateTarget::Collection(namespace) => {
                namespace.validate()?;
                body.append(cstr!("aggregate"), &*namespace.coll);
                namespace.db.clone()
            }
            AggregateTarget::Database(name) => {
                validate_database_name(name)?;
                body.append(cstr!("aggregate"), 1);
                name.into()
            }
        };
        append!(&mut body;
            "pipeline": *self.pipeline,
            "cursor": self.cursor(),
            "allowDiskUse": options.allow_disk_use,
            "bypassDocumentValidation": options.bypass_document_validation.filter(|bypass| *bypass),
            "collation": options.collation,
            "comment": options.comment,
            "hint": options.hint,
            "let": options.let_vars,
        );
        Ok(Request::new("aggregate", database, body))
    }
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;

    fn aggregate(pipeline: &[Document], options: &AggregateOptions) -> RawDocumentBuf {
        let namespace = Namespace::new("db", "coll");
        let target = AggregateTarget::Collection(&namespace);
        Aggregate { target, pipeline, options }.request().unwrap().body
    }

    fn every_option() -> AggregateOptions {
        AggregateOptions {
            timeout_mode: None,
            allow_disk_use: Some(false),
            batch_size: Some(0),
            bypass_document_validation: Some(true),
            collation: Some(Collation::new("en")),
            comment: Some(Bson::from("c")),
            hint: Some(Hint::from("a_1")),
            max_await_time: Some(Duration::from_secs(2)),
            max_time: Some(Duration::from_secs(1)),
            let_vars: Some(doc! { "v": 1 }),
            read_concern: Some(ReadConcern::majority()),
            selection_criteria: Some(SelectionCriteria::Writable),
            write_concern: Some(WriteConcern::majority()),
        }
    }

    #[test]
    fn options_are_sent_only_when_given() {
        let body = aggregate(&[], &AggregateOptions::default());
        assert_eq!(body, rawdoc! { "aggregate": "coll", "pipeline": [], "cursor": {} });
        let expected = rawdoc! {
            "aggregate": "coll", "pipeline": [{ "$match": {} }], "cursor": { "batchSize": 0_i64 },
            "allowDiskUse": false, "bypassDocumentValidation": true, "collation": { "locale": "en" },
            "comment": "c", "hint": "a_1", "let": { "v": 1 },
        };
        assert_eq!(aggregate(&[doc! { "$match": {} }], &every_option()), expected);
        let options = AggregateOptions { bypass_document_validation: Some(false), ..Default::default() };
        assert!(aggregate(&[], &options).get("bypassDocumentValidation").unwrap().is_none());
    }

    #[test]
    fn a_pipeline_that_writes_is_another_kind_of_operation() {
        let options = every_option();
        let target = AggregateTarget::Database("db");
        for stage in [doc! { "$out": "x" }, doc! { "$merge": { "into": "x" } }] {
            let pipeline = [doc! { "$match": {} }, stage];
            let operation = Aggregate { target, pipeline: &pipeline, options: &options };
            let body = operation.request().unwrap().body;
            assert!(body.get_document("cursor").unwrap().is_empty());
            let properties = operation.properties();
            assert_eq!(properties.criteria, Criteria::WritingAggregate);
            assert_eq!(properties.retry, Operation::PLAIN_WRITE);
            assert!(properties.write_concern);
            assert_eq!(properties.read_concern, ReadConcernUse::Full);
        }
        let pipeline = [doc! { "$out": "x" }, doc! { "$match": {} }];
        let properties = Aggregate { target, pipeline: &pipeline, options: &options }.properties();
        assert_eq!((properties.criteria, properties.retry), (Criteria::ReadPreference, Operation::READ));
        assert!(!properties.write_concern);
    }

    #[test]
    fn names_are_checked() {
        let options = AggregateOptions::default();
        let bad = Aggregate { target: AggregateTarget::Database("a.b"), pipeline: &[], options: &options };
        assert!(matches!(bad.request(), Err(EncodeError::InvalidName(_))));
    }
}
