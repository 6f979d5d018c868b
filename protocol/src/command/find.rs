//! `find`: documents of one collection that match a filter.

use std::time::Duration;

use bson::{Bson, Document, RawDocument, RawDocumentBuf, raw::cstr};

use super::{
    Collation, Command, EncodeError, Hint, Namespace, Properties, Request,
    encode::{append, not_empty, roomy_document},
};
use crate::{concern::ReadConcern, selection::SelectionCriteria};

/// How a cursor behaves at the end of its results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CursorType {
    /// It is closed there. The default.
    #[default]
    NonTailable,
    /// It stays open, and can be asked again: capped collections only.
    Tailable,
    /// As [`CursorType::Tailable`], and the server waits a moment for new documents before it answers with none.
    TailableAwait,
    /// The server sends batch after batch without being asked, on a connection that the cursor owns until it has ended.
    /// It cannot have a limit. One that is dropped before its end closes the connection. Routers can do it from 7.1 on.
    Exhaust,
}

/// What a timeout (`timeoutMS`) of an operation that opens a cursor means for the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimeoutMode {
    /// It is the time for the operation and everything that is read from the cursor. The default, except for tailable
    /// cursors.
    CursorLifetime,
    /// It is the time for the operation, and again for each time that the cursor is asked for a document.
    Iteration,
}

/// Options of `find`. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct FindOptions {
    /// Whether the server may write temporary files while it sorts. Servers from 4.4.
    pub allow_disk_use: Option<bool>,
    /// Whether a sharded cluster answers with what it has when some shards are down. Default: false.
    pub allow_partial_results: Option<bool>,
    /// Documents per batch. Default, also for 0: 101 in the first batch, later ones limited by size only.
    pub batch_size: Option<u32>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON from 4.4, before that a string.
    pub comment: Option<Bson>,
    /// What the operation's timeout means for the cursor. Not sent.
    pub timeout_mode: Option<TimeoutMode>,
    /// What happens at the end of the results. Default: [`CursorType::NonTailable`].
    pub cursor_type: Option<CursorType>,
    /// The index to use. Needed with `min` and `max`.
    pub hint: Option<Hint>,
    /// The most documents to return; 0 means all. A negative number asks for so many in a single batch.
    pub limit: Option<i64>,
    /// Upper bound of the hinted index's keys, exclusive.
    pub max: Option<Document>,
    /// How long the server waits for new documents in a `getMore` of a [`CursorType::TailableAwait`] cursor, in
    /// whole milliseconds; ignored for other cursors.
    pub max_await_time: Option<Duration>,
    /// The most documents or keys to look at. Only servers before 4.2 know it.
    pub max_scan: Option<u64>,
    /// How long the server may work on this operation, in whole milliseconds. A client's or operation's timeout
    /// replaces it.
    pub max_time: Option<Duration>,
    /// Lower bound of the hinted index's keys, inclusive.
    pub min: Option<Document>,
    /// Whether the server keeps the cursor when it is idle for ten minutes. Its session still expires after thirty.
    pub no_cursor_timeout: Option<bool>,
    /// For queries of the oplog. Servers from 4.4 ignore it.
    pub oplog_replay: Option<bool>,
    /// Fields to include (1) or leave out (0).
    pub projection: Option<Document>,
    /// Which data may be returned. Default: the collection's, else the database's, else the client's.
    pub read_concern: Option<ReadConcern>,
    /// Whether to return index keys instead of documents.
    pub return_key: Option<bool>,
    /// Which server to ask. Default: the collection's, else the database's, else the client's read preference.
    pub selection_criteria: Option<SelectionCriteria>,
    /// Whether to add each document's record id as `$recordId`.
    pub show_record_id: Option<bool>,
    /// Documents to leave out at the beginning.
    pub skip: Option<u64>,
    /// Only servers before 4.0 know it.
    pub snapshot: Option<bool>,
    /// Order of the results: fields with 1 or -1.
    pub sort: Option<Document>,
    /// Rules for comparing strings.
    pub collation: Option<Collation>,
    /// Variables for aggregation expressions in the filter (`$$name`). Servers from 5.0.
    pub let_vars: Option<Document>,
}

/// Options of a `find` for one document: [`FindOptions`] without those of a cursor.
#[derive(Clone, Debug, Default)]
pub struct FindOneOptions {
    /// Whether the server may write temporary files while it sorts. Servers from 4.4.
    pub allow_disk_use: Option<bool>,
    /// Whether a sharded cluster answers with what it has when some shards are down. Default: false.
    pub allow_partial_results: Option<bool>,
    /// Rules for comparing strings.
    pub collation: Option<Collation>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON from 4.4, before that a string.
    pub comment: Option<Bson>,
    /// The index to use. Needed with `min` and `max`.
    pub hint: Option<Hint>,
    /// Upper bound of the hinted index's keys, exclusive.
    pub max: Option<Document>,
    /// The most documents or keys to look at. Only servers before 4.2 know it.
    pub max_scan: Option<u64>,
    /// How long the server may work on this operation, in whole milliseconds. A client's or operation's timeout
    /// replaces it.
    pub max_time: Option<Duration>,
    /// Lower bound of the hinted index's keys, inclusive.
    pub min: Option<Document>,
    /// Fields to include (1) or leave out (0).
    pub projection: Option<Document>,
    /// Which data may be returned. Default: the collection's, else the database's, else the client's.
    pub read_concern: Option<ReadConcern>,
    /// Whether to return index keys instead of a document.
    pub return_key: Option<bool>,
    /// Which server to ask. Default: the collection's, else the database's, else the client's read preference.
    pub selection_criteria: Option<SelectionCriteria>,
    /// Whether to add the document's record id as `$recordId`.
    pub show_record_id: Option<bool>,
    /// Documents to leave out at the beginning.
    pub skip: Option<u64>,
    /// Which document is the first: fields with 1 or -1.
    pub sort: Option<Document>,
    /// Variables for aggregation expressions in the filter (`$$name`). Servers from 5.0.
    pub let_vars: Option<Document>,
}

impl From<FindOneOptions> for FindOptions {
    fn from(options: FindOneOptions) -> Self {
        Self {
            allow_disk_use: options.allow_disk_use,
            allow_partial_results: options.allow_partial_results,
            collation: options.collation,
            comment: options.comment,
            hint: options.hint,
            max: options.max,
            max_scan: options.max_scan,
            max_time: options.max_time,
            min: options.min,
            projection: options.projection,
            read_concern: options.read_concern,
            return_key: options.return_key,
            selection_criteria: options.selection_criteria,
            show_record_id: options.show_record_id,
            skip: options.skip,
            sort: options.sort,
            let_vars: options.let_vars,
            ..Self::default()
        }
    }
}

/// The `find` command. Its reply is a [`CursorReply`](super::CursorReply).
///
/// ```
/// use bson::{doc, rawdoc};
/// use mongo_actors_protocol::command::{Command, Find, FindOptions, Namespace};
///
/// let options = FindOptions { sort: Some(doc! { "age": 1 }), ..FindOptions::default() };
/// let find = Find::many(&Namespace::new("shop", "people"), &rawdoc! { "name": "Ada" }, &options).request().unwrap();
/// assert_eq!(find.body, rawdoc! { "find": "people", "filter": { "name": "Ada" }, "sort": { "age": 1 } });
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Find<'a> {
    namespace: &'a Namespace,
    filter: &'a RawDocument,
    form: Form<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Form<'a> {
    One(&'a FindOneOptions),
    Many(&'a FindOptions),
}

/// `limit`, `batchSize` and `singleBatch` as the command has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Paging {
    limit: Option<i64>,
    batch_size: Option<i64>,
    single_batch: Option<bool>,
}

impl Paging {
    /// The one document of `findOne`: no batch size, so that the server closes the cursor at once.
    const ONE: Self = Self { limit: Some(1), batch_size: None, single_batch: Some(true) };

    /// Maps a user's limit, which may be negative, and batch size as the find specification has it.
    fn new(limit: Option<i64>, batch_size: Option<u32>) -> Result<Self, EncodeError> {
        let limit = limit.unwrap_or(0);
        let size = limit.checked_abs().ok_or(EncodeError::argument("limit", "it is out of range"))?;
        let single_batch = limit < 0;
        let batch_size = match i64::from(batch_size.unwrap_or(0)) {
            _ if single_batch => size,
            // A batch that ends exactly at the limit would leave the cursor open on the server.
            batch_size if batch_size == size => batch_size.saturating_add(i64::from(size != 0)),
            batch_size => batch_size,
        };
        Ok(Self {
            limit: Some(size).filter(|size| *size != 0),
            batch_size: Some(batch_size).filter(|size| *size != 0),
            single_batch: Some(true).filter(|_| single_batch),
        })
    }
}

impl<'a> Find<'a> {
    /// Finds every document that matches `filter`.
    pub fn many(namespace: &'a Namespace, filter: &'a RawDocument, options: &'a FindOptions) -> Self {
        Self { namespace, filter, form: Form::Many(options) }
    }

    /// Finds the first document that matches `filter`; no cursor stays open on the server.
    pub fn one(namespace: &'a Namespace, filter: &'a RawDocument, options: &'a FindOneOptions) -> Self {
        Self { namespace, filter, form: Form::One(options) }
    }

    fn start(&self) -> RawDocumentBuf {
        let mut body = roomy_document(self.filter.as_bytes().len());
        body.append(cstr!("find"), &*self.namespace.coll);
        body.append(cstr!("filter"), self.filter);
        body
    }
}

/// Refuses what both forms of `find` refuse.
fn validate(sort: Option<&Document>, hint: Option<&Hint>, bounds: [Option<&Document>; 2]) -> Result<(), EncodeError> {
    not_empty(sort, "sort")?;
    Hint::validate(hint)?;
    if hint.is_none() && bounds.iter().any(Option::is_some) {
        return Err(EncodeError::argument("hint", "\"min\" and \"max\" need the index they bound as a hint"));
    }
    Ok(())
}

impl FindOptions {
    fn encode(&self, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        validate(self.sort.as_ref(), self.hint.as_ref(), [self.min.as_ref(), self.max.as_ref()])?;
        let paging = Paging::new(self.limit, self.batch_size)?;
        let cursor_type = self.cursor_type.unwrap_or_default();
        if cursor_type == CursorType::Exhaust && paging.limit.is_some() {
            return Err(EncodeError::argument("limit", "an exhaust cursor cannot have a limit"));
        }
        let awaits = cursor_type == CursorType::TailableAwait;
        let tailable = awaits || cursor_type == CursorType::Tailable;
        append!(body;
            "sort": self.sort,
            "projection": self.projection,
            "hint": self.hint,
            "skip": self.skip,
            "limit": paging.limit,
            "batchSize": paging.batch_size,
            "singleBatch": paging.single_batch,
            "comment": self.comment,
            "max": self.max,
            "min": self.min,
            "maxScan": self.max_scan,
            "returnKey": self.return_key,
            "showRecordId": self.show_record_id,
            "snapshot": self.snapshot,
            "tailable": tailable.then_some(true),
            "awaitData": awaits.then_some(true),
            "oplogReplay": self.oplog_replay,
            "noCursorTimeout": self.no_cursor_timeout,
            "allowPartialResults": self.allow_partial_results,
            "collation": self.collation,
            "allowDiskUse": self.allow_disk_use,
            "let": self.let_vars,
        );
        Ok(())
    }
}

impl FindOneOptions {
    fn encode(&self, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        validate(self.sort.as_ref(), self.hint.as_ref(), [self.min.as_ref(), self.max.as_ref()])?;
        append!(body;
            "sort": self.sort,
            "projection": self.projection,
            "hint": self.hint,
            "skip": self.skip,
            "limit": Paging::ONE.limit,
            "singleBatch": Paging::ONE.single_batch,
            "comment": self.comment,
            "max": self.max,
            "min": self.min,
            "maxScan": self.max_scan,
            "returnKey": self.return_key,
            "showRecordId": self.show_record_id,
            "allowPartialResults": self.allow_partial_results,
            "collation": self.collation,
            "allowDiskUse": self.allow_disk_use,
            "let": self.let_vars,
        );
        Ok(())
    }
}

impl Command for Find<'_> {
    fn properties(&self) -> Properties {
        match self.form {
            Form::One(options) => Properties::read(options.max_time),
            Form::Many(options) => {
                let exhaust = options.cursor_type == Some(CursorType::Exhaust);
                Properties { exhaust, ..Properties::read(options.max_time) }
            }
        }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        self.namespace.validate()?;
        let mut body = self.start();
        match self.form {
            Form::One(options) => options.encode(&mut body)?,
            Form::Many(options) => options.encode(&mut body)?,
        }
        Ok(Request::new("find", self.namespace.db.clone(), body))
    }
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;
    use crate::command::properties::{Criteria, ReadConcernUse};
    use crate::retry::Operation;

    fn namespace() -> Namespace {
        Namespace::new("db", "coll")
    }

    fn many(options: &FindOptions) -> Result<RawDocumentBuf, EncodeError> {
        Ok(Find::many(&namespace(), &rawdoc! { "x": 1 }, options).request()?.body)
    }

    #[test]
    fn without_options_only_the_filter_is_sent() {
        let find = Find::many(&namespace(), &rawdoc! {}, &FindOptions::default()).request().unwrap();
        assert_eq!((&*find.name, &*find.database), ("find", "db"));
        assert_eq!(find.body, rawdoc! { "find": "coll", "filter": {} });
    }

    #[test]
    fn every_option_is_sent() {
        let options = FindOptions {
            timeout_mode: None,
            allow_disk_use: Some(true),
            allow_partial_results: Some(true),
            batch_size: Some(5),
            comment: Some(Bson::Int32(1)),
            cursor_type: Some(CursorType::TailableAwait),
            hint: Some(Hint::from(doc! { "a": 1 })),
            limit: Some(10),
            max: Some(doc! { "a": 9 }),
            max_await_time: Some(Duration::from_millis(7)),
            max_scan: Some(1000),
            max_time: Some(Duration::from_millis(8)),
            min: Some(doc! { "a": 1 }),
            no_cursor_timeout: Some(true),
            oplog_replay: Some(true),
            projection: Some(doc! { "a": 1 }),
            return_key: Some(true),
            show_record_id: Some(false),
            skip: Some(3),
            snapshot: Some(false),
            sort: Some(doc! { "a": -1 }),
            collation: Some(Collation::new("en")),
            let_vars: Some(doc! { "v": 1 }),
            read_concern: Some(ReadConcern::majority()),
            selection_criteria: Some(SelectionCriteria::Writable),
        };
        let expected = rawdoc! {
            "find": "coll", "filter": { "x": 1 }, "sort": { "a": -1 }, "projection": { "a": 1 }, "hint": { "a": 1 },
            "skip": 3_i64, "limit": 10_i64, "batchSize": 5_i64, "comment": 1, "max": { "a": 9 }, "min": { "a": 1 },
            "maxScan": 1000_i64, "returnKey": true, "showRecordId": false, "snapshot": false, "tailable": true,
            "awaitData": true, "oplogReplay": true, "noCursorTimeout": true, "allowPartialResults": true,
            "collation": { "locale": "en" }, "allowDiskUse": true, "let": { "v": 1 },
        };
        assert_eq!(many(&options).unwrap(), expected);
        let properties = Find::many(&namespace(), &rawdoc! {}, &options).properties();
        assert_eq!(properties.max_time, Some(Duration::from_millis(8)));
        assert_eq!((properties.retry, properties.criteria), (Operation::READ, Criteria::ReadPreference));
        assert_eq!((properties.read_concern, properties.write_concern), (ReadConcernUse::Full, false));
    }

    #[test]
    fn one_document_comes_in_a_single_batch() {
        let options = FindOneOptions { sort: Some(doc! { "a": 1 }), skip: Some(1), ..Default::default() };
        let find = Find::one(&namespace(), &rawdoc! { "_id": 1 }, &options).request().unwrap();
        let expected = rawdoc! {
            "find": "coll", "filter": { "_id": 1 }, "sort": { "a": 1 }, "skip": 1_i64, "limit": 1_i64,
            "singleBatch": true,
        };
        assert_eq!(find.body, expected);
    }

    #[test]
    fn limits_and_batch_sizes_follow_the_specification() {
        let paging = |limit, batch_size| Paging::new(limit, batch_size).unwrap();
        assert_eq!(paging(None, None), Paging::default());
        assert_eq!(paging(Some(0), Some(0)), Paging::default());
        assert_eq!(paging(Some(-4), None), Paging { limit: Some(4), batch_size: Some(4), single_batch: Some(true) });
        assert_eq!(paging(Some(-4), Some(2)), Paging { limit: Some(4), batch_size: Some(4), single_batch: Some(true) });
        assert_eq!(paging(Some(4), Some(4)), Paging { limit: Some(4), batch_size: Some(5), single_batch: None });
        assert_eq!(paging(Some(4), Some(2)), Paging { limit: Some(4), batch_size: Some(2), single_batch: None });
        assert_eq!(paging(None, Some(1)), Paging { limit: None, batch_size: Some(1), single_batch: None });
        assert!(Paging::new(Some(i64::MIN), None).is_err());
    }

    #[test]
    fn cursor_types_become_flags() {
        let body = |cursor_type| many(&FindOptions { cursor_type: Some(cursor_type), ..Default::default() }).unwrap();
        assert_eq!(body(CursorType::NonTailable), rawdoc! { "find": "coll", "filter": { "x": 1 } });
        assert_eq!(body(CursorType::Tailable), rawdoc! { "find": "coll", "filter": { "x": 1 }, "tailable": true });
        assert_eq!(body(CursorType::Exhaust), rawdoc! { "find": "coll", "filter": { "x": 1 } });
        let exhaust = FindOptions { cursor_type: Some(CursorType::Exhaust), ..Default::default() };
        assert!(Find::many(&namespace(), &rawdoc! {}, &exhaust).properties().exhaust);
        assert!(many(&FindOptions { limit: Some(2), ..exhaust }).is_err());
    }

    #[test]
    fn contradictions_are_refused_before_anything_is_sent() {
        let bounds = FindOptions { min: Some(doc! { "a": 1 }), ..Default::default() };
        assert!(matches!(many(&bounds), Err(EncodeError::InvalidArgument { argument: "hint", .. })));
        assert!(many(&FindOptions { sort: Some(doc! {}), ..Default::default() }).is_err());
        assert!(many(&FindOptions { hint: Some(Hint::Keys(doc! {})), ..Default::default() }).is_err());
        let bad_name = Namespace::new("db", "a$b");
        let refused = Find::many(&bad_name, &rawdoc! {}, &FindOptions::default()).request();
        assert!(matches!(refused, Err(EncodeError::InvalidName(_))));
    }
}
