//! `count`: an estimate from the collection's metadata; and the exact count, which is a pipeline.

use std::time::Duration;

use bson::{Bson, Document, RawDocument, RawDocumentBuf, doc, raw::cstr};

use super::{
    Aggregate, AggregateOptions, AggregateTarget, Collation, Command, CursorReply, EncodeError, Hint, InvalidReply,
    Namespace, Properties, Request, encode::append, reply::integer,
};
use crate::{concern::ReadConcern, selection::SelectionCriteria};

/// Options of the estimated count. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct EstimatedDocumentCountOptions {
    /// How long the server may work on this operation, in whole milliseconds. A client's or operation's timeout
    /// replaces it.
    pub max_time: Option<Duration>,
    /// Which server to ask. Default: the collection's, else the database's, else the client's read preference.
    pub selection_criteria: Option<SelectionCriteria>,
    /// Which data may be returned. Default: the collection's, else the database's, else the client's.
    pub read_concern: Option<ReadConcern>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON from 4.4.14, a string from 4.4.
    pub comment: Option<Bson>,
}

/// The `count` command without a query: how many documents the metadata of a collection says there are.
///
/// Fast, and wrong after an unclean shutdown or while chunks migrate in a sharded cluster. Servers 5.0.0 to 5.0.8 lack
/// `count` in version 1 of the Stable API: with `strict`, use 5.0.9 or later.
#[derive(Clone, Copy, Debug)]
pub struct EstimatedDocumentCount<'a> {
    /// The collection.
    pub namespace: &'a Namespace,
    /// The options.
    pub options: &'a EstimatedDocumentCountOptions,
}

impl EstimatedDocumentCount<'_> {
    /// The count. A collection that does not exist has no documents.
    ///
    /// # Errors
    /// [`InvalidReply`] when the reply has no count.
    pub fn decode(reply: &RawDocument) -> Result<u64, InvalidReply> {
        count(reply)
    }
}

impl Command for EstimatedDocumentCount<'_> {
    fn properties(&self) -> Properties {
        Properties { missing_namespace_is_success: true, ..Properties::read(self.options.max_time) }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        self.namespace.validate()?;
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("count"), &*self.namespace.coll);
        append!(&mut body; "comment": self.options.comment);
        Ok(Request::new("count", self.namespace.db.clone(), body))
    }
}

/// Options of the exact count. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct CountOptions {
    /// Rules for comparing strings.
    pub collation: Option<Collation>,
    /// The index to use.
    pub hint: Option<Hint>,
    /// The most documents to count; 0 means all.
    pub limit: Option<u64>,
    /// How long the server may work on this operation, in whole milliseconds. A client's or operation's timeout
    /// replaces it.
    pub max_time: Option<Duration>,
    /// Documents to leave out before counting.
    pub skip: Option<u64>,
    /// Which server to ask. Default: the collection's, else the database's, else the client's read preference.
    pub selection_criteria: Option<SelectionCriteria>,
    /// Which data may be returned. Default: the collection's, else the database's, else the client's.
    pub read_concern: Option<ReadConcern>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON from 4.4.
    pub comment: Option<Bson>,
}

/// How many documents match a filter: an `aggregate` that groups them.
///
/// The filter stands in a `$match` stage, so `$where`, `$near` and `$nearSphere` cannot be used.
#[derive(Clone, Debug)]
pub struct CountDocuments<'a> {
    namespace: &'a Namespace,
    pipeline: Vec<Document>,
    options: AggregateOptions,
}

impl<'a> CountDocuments<'a> {
    /// Counts the documents that match `filter`.
    pub fn new(namespace: &'a Namespace, filter: Document, options: CountOptions) -> Self {
        let mut pipeline = vec![doc! { "$match": filter }];
        for (stage, number) in [("$skip", options.skip), ("$limit", options.limit)] {
            if let Some(number) = number.filter(|number| *number != 0) {
                pipeline.push(doc! { stage: i64::try_from(number).unwrap_or(i64::MAX) });
            }
        }
        pipeline.push(doc! { "$group": { "_id": 1, "n": { "$sum": 1 } } });
        let options = AggregateOptions {
            collation: options.collation,
            hint: options.hint,
            max_time: options.max_time,
            selection_criteria: options.selection_criteria,
            read_concern: options.read_concern,
            comment: options.comment,
            ..AggregateOptions::default()
        };
        Self { namespace, pipeline, options }
    }

    /// The count: 0 when nothing matches.
    ///
    /// # Errors
    /// [`InvalidReply`] when the reply is not that of the pipeline.
    pub fn decode(reply: &RawDocument) -> Result<u64, InvalidReply> {
        CursorReply::read(reply)?.first()?.map_or(Ok(0), count)
    }

    fn aggregate(&self) -> Aggregate<'_> {
        let target = AggregateTarget::Collection(self.namespace);
        Aggregate { target, pipeline: &self.pipeline, options: &self.options }
    }
}

impl Command for CountDocuments<'_> {
    fn properties(&self) -> Properties {
        self.aggregate().properties()
    }

    fn request(&self) -> Result<Request, EncodeError> {
        self.aggregate().request()
    }
}

/// The field `n` of a reply or result.
pub(crate) fn count(document: &RawDocument) -> Result<u64, InvalidReply> {
    let number = document.get("n")?.and_then(integer);
    number.and_then(|number| u64::try_from(number).ok()).ok_or(InvalidReply::missing("the count \"n\""))
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;
    use crate::command::Criteria;
    use crate::retry::Operation;

    #[test]
    fn an_estimate_is_a_count_without_a_query() {
        let namespace = Namespace::new("db", "coll");
        let mut options = EstimatedDocumentCountOptions::default();
        let body = |options: &_| EstimatedDocumentCount { namespace: &namespace, options }.request().unwrap().body;
        assert_eq!(body(&options), rawdoc! { "count": "coll" });
        options.comment = Some(Bson::from("c"));
        options.max_time = Some(Duration::from_secs(1));
        assert_eq!(body(&options), rawdoc! { "count": "coll", "comment": "c" });
        let properties = EstimatedDocumentCount { namespace: &namespace, options: &options }.properties();
        assert!(properties.missing_namespace_is_success);
        assert_eq!(properties.max_time, options.max_time);
    }

    #[test]
    fn an_exact_count_is_a_pipeline() {
        let namespace = Namespace::new("db", "coll");
        let plain = CountDocuments::new(&namespace, doc! { "x": 1 }, CountOptions::default());
        let expected = rawdoc! {
            "aggregate": "coll", "pipeline": [{ "$match": { "x": 1 } }, { "$group": { "_id": 1, "n": { "$sum": 1 } } }],
            "cursor": {},
        };
        assert_eq!(plain.request().unwrap().body, expected);
        let options = CountOptions {
            collation: Some(Collation::new("en")),
            hint: Some(Hint::from("x_1")),
            limit: Some(10),
            max_time: Some(Duration::from_secs(1)),
            skip: Some(5),
            comment: Some(Bson::Null),
            read_concern: Some(ReadConcern::majority()),
            selection_criteria: Some(SelectionCriteria::Writable),
        };
        let full = CountDocuments::new(&namespace, doc! {}, options);
        let expected = rawdoc! {
            "aggregate": "coll",
            "pipeline": [
                { "$match": {} }, { "$skip": 5_i64 }, { "$limit": 10_i64 },
                { "$group": { "_id": 1, "n": { "$sum": 1 } } },
            ],
            "cursor": {}, "collation": { "locale": "en" }, "comment": null, "hint": "x_1",
        };
        assert_eq!(full.request().unwrap().body, expected);
        let properties = full.properties();
        assert_eq!((properties.retry, properties.criteria), (Operation::READ, Criteria::ReadPreference));
        assert_eq!(properties.max_time, Some(Duration::from_secs(1)));
    }

    #[test]
    fn counts_are_read_whatever_their_type() {
        for reply in [rawdoc! { "n": 3 }, rawdoc! { "n": 3_i64 }, rawdoc! { "n": 3.0 }] {
            assert_eq!(EstimatedDocumentCount::decode(&reply).unwrap(), 3);
        }
        assert!(EstimatedDocumentCount::decode(&rawdoc! { "n": -1 }).is_err());
        assert!(EstimatedDocumentCount::decode(&rawdoc! {}).is_err());
        let reply = rawdoc! { "cursor": { "id": 0_i64, "ns": "a.b", "firstBatch": [{ "_id": 1, "n": 7 }] } };
        assert_eq!(CountDocuments::decode(&reply).unwrap(), 7);
        let nothing = rawdoc! { "cursor": { "id": 0_i64, "ns": "a.b", "firstBatch": [] } };
        assert_eq!(CountDocuments::decode(&nothing).unwrap(), 0);
    }
}
