//! `insert` of any number of documents, in as many commands as the server's limits demand.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bson::{Bson, RawDocumentBuf, oid::ObjectId};
use serde::Serialize;

use super::{
    DocumentSequence, EncodeError, InsertManyOptions, InsertManyResult, Namespace, Properties, Request, WriteFailure,
    WriteLimits, WriteReply, Written,
    insert::{body, push_document, split_again},
    limits::Splitter,
};
use crate::retry::Operation;

/// Documents on their way into a collection: encodes them one after the other, and hands out a command whenever one is
/// full.
///
/// Each command owns its documents; nothing is copied when it is handed out. As the first command can be sent while the
/// next is being filled, a document that cannot be encoded may be met when others are inserted already.
///
/// ```
/// use bson::{doc, oid::ObjectId};
/// use mongo_actors_protocol::command::{InsertMany, Namespace, WriteLimits};
///
/// let limits = WriteLimits { max_write_batch_size: 2, ..WriteLimits::default() };
/// let mut insert = InsertMany::new(&Namespace::new("a", "b"), &Default::default(), limits).unwrap();
/// let mut sizes = Vec::new();
/// for x in 0..5 {
///     let id = insert.push(&doc! { "_id": x }, || ObjectId::from_bytes([1; 12])).unwrap();
///     assert_eq!(id, x.into());
///     sizes.extend(insert.next_full().map(|batch| batch.len()));
/// }
/// sizes.extend(insert.rest().map(|batch| batch.len()));
/// assert_eq!(sizes, [2, 2, 1]);
/// ```
#[derive(Debug)]
pub struct InsertMany {
    database: Arc<str>,
    body: RawDocumentBuf,
    splitter: Splitter,
    /// How many documents were handed out.
    taken: usize,
}

/// One of the commands of an [`InsertMany`].
#[derive(Clone, Debug)]
pub struct InsertBatch {
    /// The encoded command.
    pub request: Request,
    /// Position of its first document in the caller's input.
    pub first: usize,
}

impl InsertMany {
    /// How each of the commands is executed.
    pub fn properties() -> Properties {
        Properties::write(Operation::WRITE)
    }

    /// No documents yet.
    ///
    /// # Errors
    /// [`EncodeError`] when the name is invalid.
    pub fn new(namespace: &Namespace, options: &InsertManyOptions, limits: WriteLimits) -> Result<Self, EncodeError> {
        let ordered = options.ordered.unwrap_or(true);
        let body = body(namespace, ordered, options.bypass_document_validation, options.comment.as_ref())?;
        let splitter = Splitter::new(limits, "documents", body.as_bytes().len());
        Ok(Self { database: namespace.db.clone(), body, splitter, taken: 0 })
    }

    /// Encodes one more document and returns its `_id`. `new_id` is asked when it has none, which becomes its first
    /// field.
    ///
    /// # Errors
    /// [`EncodeError`], with the document's position, when it cannot be written as BSON or is too large. Those before
    /// it can still be inserted.
    pub fn push<T: Serialize + ?Sized>(
        &mut self,
        document: &T,
        new_id: impl FnOnce() -> ObjectId,
    ) -> Result<Bson, EncodeError> {
        push_document(&mut self.splitter, document, new_id)
    }

    /// How many documents were encoded.
    pub fn total(&self) -> usize {
        self.splitter.total()
    }

    /// Bytes of the documents that were encoded and not handed out in a full command.
    pub fn buffered(&self) -> usize {
        self.splitter.buffered()
    }

    /// From now on, the limits of a server that takes less.
    pub fn set_limits(&mut self, limits: WriteLimits) {
        self.splitter.set_limits(limits, self.body.as_bytes().len());
    }

    /// A command that no further document fits into, if there is one.
    pub fn next_full(&mut self) -> Option<InsertBatch> {
        self.splitter.take_full().map(|sequence| self.batch(sequence))
    }

    /// What is left after the last document: none when everything was handed out. To be called until it returns none.
    pub fn rest(&mut self) -> Option<InsertBatch> {
        self.splitter.take_full().or_else(|| self.splitter.take_current()).map(|sequence| self.batch(sequence))
    }

    fn batch(&mut self, sequence: DocumentSequence) -> InsertBatch {
        let first = self.taken;
        self.taken += sequence.count;
        let request = Request::new("insert", self.database.clone(), self.body.clone()).with_sequence(sequence);
        InsertBatch { request, first }
    }
}

impl InsertBatch {
    /// How many documents it inserts.
    pub fn len(&self) -> usize {
        self.request.sequences.iter().map(|sequence| sequence.count).sum()
    }

    /// Whether it inserts nothing, which never happens.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same documents in commands for a server with smaller limits.
    ///
    /// # Errors
    /// [`EncodeError::DocumentTooLarge`] for a document that this server does not take.
    pub fn split(&self, limits: WriteLimits) -> Result<Vec<Self>, EncodeError> {
        let mut batches = Vec::new();
        let mut first = self.first;
        for sequence in &self.request.sequences {
            for part in split_again(limits, self.request.body.as_bytes().len(), sequence, first)? {
                let count = part.count;
                let request = Request { sequences: vec![part], ..self.request_without_documents() };
                batches.push(Self { request, first });
                first += count;
            }
        }
        Ok(batches)
    }

    fn request_without_documents(&self) -> Request {
        let Request { name, database, body, .. } = &self.request;
        Request { name: name.clone(), database: database.clone(), body: body.clone(), sequences: Vec::new() }
    }
}

/// Account of what an [`InsertMany`] has achieved so far.
#[derive(Clone, Debug, Default)]
pub struct InsertManyProgress {
    ids: Vec<Bson>,
    ordered: bool,
    inserted: BTreeMap<usize, Bson>,
    failure: WriteFailure,
}

impl InsertManyProgress {
    /// Nothing yet, of an insert that stops at its first error or does not.
    pub fn new(ordered: bool) -> Self {
        Self { ordered, ..Self::default() }
    }

    /// Takes note of the `_id` of the next document of the input.
    pub fn encoded(&mut self, id: Bson) {
        self.ids.push(id);
    }

    /// Takes account of the reply to the command with `count` documents from position `first` on.
    ///
    /// Returns whether the next command shall be sent: not after an error of an ordered insert.
    pub fn record(&mut self, first: usize, count: usize, reply: WriteReply) -> bool {
        let failed: BTreeSet<usize> = reply.write_errors.iter().map(|error| error.index).collect();
        let tried = match failed.first() {
            Some(index) if self.ordered => *index,
            _ => count,
        };
        let inserted = (0..tried.min(count)).filter(|index| self.ordered || !failed.contains(index));
        for index in inserted {
            let index = first + index;
            if let Some(id) = self.ids.get(index) {
                self.inserted.insert(index, id.clone());
            }
        }
        reply.add_to(&mut self.failure, first);
        failed.is_empty() || !self.ordered
    }

    /// Takes account of a command that was sent with w=0.
    pub fn record_unacknowledged(&mut self, first: usize, count: usize) {
        self.record(first, count, WriteReply::default());
    }

    /// What was inserted, and what failed.
    pub fn finish(self, acknowledged: bool) -> Written<InsertManyResult> {
        let failed = !self.failure.write_errors.is_empty() || !self.failure.write_concern_errors.is_empty();
        let result = InsertManyResult::new(self.inserted, acknowledged);
        Written { result, failure: failed.then_some(self.failure) }
    }
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;

    fn limits(max_write_batch_size: usize) -> WriteLimits {
        WriteLimits { max_write_batch_size, ..WriteLimits::default() }
    }

    fn id() -> ObjectId {
        ObjectId::from_bytes([7; 12])
    }

    fn start(options: &InsertManyOptions, limits: WriteLimits) -> InsertMany {
        InsertMany::new(&Namespace::new("db", "coll"), options, limits).unwrap()
    }

    fn insert(count: i32, options: &InsertManyOptions, limits: WriteLimits) -> (Vec<InsertBatch>, InsertManyProgress) {
        let mut insert = start(options, limits);
        let mut progress = InsertManyProgress::new(options.ordered.unwrap_or(true));
        let mut batches = Vec::new();
        for x in 0..count {
            progress.encoded(insert.push(&doc! { "_id": x }, id).unwrap());
            batches.extend(insert.next_full());
        }
        batches.extend(std::iter::from_fn(|| insert.rest()));
        (batches, progress)
    }

    fn reply(reply: &bson::RawDocument) -> WriteReply {
        WriteReply::read(reply).unwrap()
    }

    #[test]
    fn options_are_sent_with_every_command() {
        let options = InsertManyOptions {
            bypass_document_validation: Some(true),
            ordered: Some(false),
            comment: Some(Bson::Int32(1)),
            write_concern: None,
        };
        let (batches, _) = insert(3, &options, limits(2));
        assert_eq!(batches.len(), 2);
        let expected = rawdoc! { "insert": "coll", "ordered": false, "bypassDocumentValidation": true, "comment": 1 };
        assert!(batches.iter().all(|batch| batch.request.body == expected && &*batch.request.database == "db"));
        assert_eq!(batches.iter().map(|batch| (batch.first, batch.len())).collect::<Vec<_>>(), [(0, 2), (2, 1)]);
        assert_eq!(batches[1].request.sequences[0].iter().next().unwrap().unwrap(), &*rawdoc! { "_id": 2 });
    }

    #[test]
    fn a_document_that_does_not_fit_leaves_the_others_alone() {
        let small = WriteLimits { max_bson_object_size: 50, ..limits(10) };
        let mut insert = start(&InsertManyOptions::default(), small);
        insert.push(&doc! { "_id": 1 }, id).unwrap();
        let large = doc! { "_id": 2, "text": "x".repeat(100) };
        let size = bson::serialize_to_vec(&large).unwrap().len();
        let refused = insert.push(&large, id).unwrap_err();
        let EncodeError::DocumentTooLarge { index: 1, size: found, limit: 50 } = refused else { panic!("{refused:?}") };
        assert_eq!(found, size);
        assert!(matches!(insert.push(&1, id), Err(EncodeError::InvalidDocument { index: 1, .. })));
        insert.push(&doc! { "_id": 3 }, id).unwrap();
        let batch = insert.rest().unwrap();
        let sent: Vec<_> =
            batch.request.sequences[0].iter().map(|document| document.unwrap().get_i32("_id").unwrap()).collect();
        assert_eq!((sent, batch.len(), insert.total()), (vec![1, 3], 2, 2));
        assert!(insert.rest().is_none());
    }

    #[test]
    fn smaller_limits_hold_for_what_follows() {
        let mut insert = start(&InsertManyOptions::default(), limits(10));
        insert.push(&doc! { "_id": 1 }, id).unwrap();
        insert.set_limits(limits(1));
        insert.push(&doc! { "_id": 2 }, id).unwrap();
        assert_eq!(insert.next_full().map(|batch| (batch.first, batch.len())), Some((0, 1)));
        assert_eq!(insert.rest().map(|batch| (batch.first, batch.len())), Some((1, 1)));
    }

    #[test]
    fn a_batch_is_split_again_for_a_smaller_server() {
        let batch = insert(5, &InsertManyOptions::default(), limits(10)).0.remove(0);
        let parts = InsertBatch { first: 10, ..batch }.split(limits(2)).unwrap();
        assert_eq!(parts.iter().map(|part| (part.first, part.len())).collect::<Vec<_>>(), [(10, 2), (12, 2), (14, 1)]);
        let smaller = WriteLimits { max_bson_object_size: 5, ..limits(2) };
        assert!(matches!(parts[1].split(smaller), Err(EncodeError::DocumentTooLarge { index: 12, .. })));
    }

    #[test]
    fn an_ordered_insert_stops_at_its_first_error() {
        let (_, mut progress) = insert(5, &InsertManyOptions::default(), limits(2));
        assert!(progress.record(0, 2, reply(&rawdoc! { "n": 2, "ok": 1 })));
        let failed = rawdoc! { "n": 1, "writeErrors": [{ "index": 1, "code": 11000 }], "ok": 1 };
        assert!(!progress.record(2, 2, reply(&failed)));
        let (result, failure) = progress.finish(true).into_result().unwrap_err();
        assert_eq!(result.inserted_ids.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(failure.write_errors[0].index, 3);
    }

    #[test]
    fn an_unordered_insert_goes_on() {
        let options = InsertManyOptions { ordered: Some(false), ..Default::default() };
        let (_, mut progress) = insert(4, &options, limits(2));
        let failed = rawdoc! {
            "n": 1, "writeErrors": [{ "index": 0, "code": 11000 }], "writeConcernError": { "code": 64 }, "ok": 1,
        };
        assert!(progress.record(0, 2, reply(&failed)));
        assert!(progress.record(2, 2, reply(&failed)));
        let (result, failure) = progress.finish(true).into_result().unwrap_err();
        assert_eq!(result.inserted_ids, BTreeMap::from([(1, Bson::Int32(1)), (3, Bson::Int32(3))]));
        assert_eq!(failure.write_errors.iter().map(|error| error.index).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(failure.write_concern_errors.len(), 2);
    }

    #[test]
    fn unacknowledged_inserts_report_every_id() {
        let (_, mut progress) = insert(2, &InsertManyOptions::default(), limits(2));
        progress.record_unacknowledged(0, 2);
        let result = progress.finish(false).into_result().unwrap();
        assert_eq!((result.inserted_ids.len(), result.acknowledged), (2, false));
    }
}
