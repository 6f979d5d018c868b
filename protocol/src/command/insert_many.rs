//! `insert` of any number of documents, in as many commands as the server's limits demand.

use std::{borrow::Borrow, collections::BTreeMap, sync::Arc};

use bson::{Bson, RawDocumentBuf, oid::ObjectId};
use serde::Serialize;

use super::{
    DocumentSequence, EncodeError, InsertManyOptions, InsertManyResult, Namespace, Properties, Request, Retryability,
    WriteFailure, WriteLimits, WriteReply, Written,
    insert::{body, push_document, split_again},
    limits::Splitter,
};

/// Documents on their way into a collection: an iterator over the commands that insert them.
///
/// All documents are encoded before the first command is handed out, so that one that cannot be inserted at all is
/// known before anything is sent. Each command owns its documents; nothing is copied when it is handed out.
///
/// ```
/// use bson::{doc, oid::ObjectId};
/// use mongo_actors_protocol::command::{InsertMany, Namespace, WriteLimits};
///
/// let documents: Vec<_> = (0..5).map(|x| doc! { "_id": x }).collect();
/// let limits = WriteLimits { max_write_batch_size: 2, ..WriteLimits::default() };
/// let new_id = || ObjectId::from_bytes([1; 12]);
/// let insert =
///     InsertMany::encode::<bson::Document>(&Namespace::new("a", "b"), &documents, &Default::default(), limits, new_id).unwrap();
/// assert_eq!(insert.map(|batch| batch.len()).collect::<Vec<_>>(), [2, 2, 1]);
/// ```
#[derive(Clone, Debug)]
pub struct InsertMany {
    database: Arc<str>,
    body: RawDocumentBuf,
    sequences: std::vec::IntoIter<DocumentSequence>,
    next: usize,
    ids: Vec<Bson>,
    ordered: bool,
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
        Properties::write(Retryability::Write)
    }

    /// Encodes every document once. `new_id` is asked for each that has no `_id`, which becomes its first field.
    ///
    /// # Errors
    /// [`EncodeError`] when there are no documents, the name is invalid, or a document (named by its position) cannot
    /// be written as BSON or is too large.
    pub fn encode<T: Serialize>(
        namespace: &Namespace,
        documents: impl IntoIterator<Item = impl Borrow<T>>,
        options: &InsertManyOptions,
        limits: WriteLimits,
        mut new_id: impl FnMut() -> ObjectId,
    ) -> Result<Self, EncodeError> {
        let ordered = options.ordered.unwrap_or(true);
        let body = body(namespace, ordered, options.bypass_document_validation, options.comment.as_ref())?;
        let mut splitter = Splitter::new(limits, "documents", body.as_bytes().len());
        let documents = documents.into_iter();
        let mut ids = Vec::with_capacity(documents.size_hint().0);
        for document in documents {
            ids.push(push_document(&mut splitter, document.borrow(), &mut new_id)?);
        }
        if ids.is_empty() {
            return Err(EncodeError::argument("documents", "there must be at least one"));
        }
        let sequences = splitter.finish().into_iter();
        Ok(Self { database: namespace.db.clone(), body, sequences, next: 0, ids, ordered })
    }

    /// The `_id` of every document, in the order of the input.
    pub fn ids(&self) -> &[Bson] {
        &self.ids
    }

    /// What keeps account of the replies.
    pub fn progress(&self) -> InsertManyProgress {
        InsertManyProgress {
            ids: self.ids.clone(),
            ordered: self.ordered,
            inserted: BTreeMap::new(),
            failure: WriteFailure::default(),
        }
    }
}

impl Iterator for InsertMany {
    type Item = InsertBatch;

    fn next(&mut self) -> Option<InsertBatch> {
        let sequence = self.sequences.next()?;
        let first = self.next;
        self.next += sequence.count;
        let request = Request::new("insert", self.database.clone(), self.body.clone()).with_sequence(sequence);
        Some(InsertBatch { request, first })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.sequences.size_hint()
    }
}

impl ExactSizeIterator for InsertMany {}

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
#[derive(Clone, Debug)]
pub struct InsertManyProgress {
    ids: Vec<Bson>,
    ordered: bool,
    inserted: BTreeMap<usize, Bson>,
    failure: WriteFailure,
}

impl InsertManyProgress {
    /// Takes account of the reply to the command with `count` documents from position `first` on.
    ///
    /// Returns whether the next command shall be sent: not after an error of an ordered insert.
    pub fn record(&mut self, first: usize, count: usize, reply: WriteReply) -> bool {
        let failed: Vec<usize> = reply.write_errors.iter().map(|error| error.index).collect();
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
    use bson::{Document, doc, rawdoc};

    use super::*;

    fn limits(max_write_batch_size: usize) -> WriteLimits {
        WriteLimits { max_write_batch_size, ..WriteLimits::default() }
    }

    fn insert(count: i32, options: &InsertManyOptions, limits: WriteLimits) -> Result<InsertMany, EncodeError> {
        let documents: Vec<_> = (0..count).map(|x| doc! { "_id": x }).collect();
        let id = || ObjectId::from_bytes([7; 12]);
        InsertMany::encode::<Document>(&Namespace::new("db", "coll"), &documents, options, limits, id)
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
        let insert = insert(3, &options, limits(2)).unwrap();
        assert_eq!(insert.len(), 2);
        let expected = rawdoc! { "insert": "coll", "ordered": false, "bypassDocumentValidation": true, "comment": 1 };
        let batches: Vec<_> = insert.collect();
        assert!(batches.iter().all(|batch| batch.request.body == expected && &*batch.request.database == "db"));
        assert_eq!(batches.iter().map(|batch| (batch.first, batch.len())).collect::<Vec<_>>(), [(0, 2), (2, 1)]);
        assert_eq!(batches[1].request.sequences[0].iter().next().unwrap().unwrap(), &*rawdoc! { "_id": 2 });
    }

    #[test]
    fn there_must_be_a_document_and_each_must_fit() {
        let options = InsertManyOptions::default();
        assert!(matches!(insert(0, &options, limits(2)), Err(EncodeError::InvalidArgument { .. })));
        let documents = [doc! { "_id": 1 }, doc! { "_id": 2, "text": "x".repeat(100) }];
        let small = WriteLimits { max_bson_object_size: 50, ..limits(1) };
        let namespace = Namespace::new("db", "coll");
        let refused =
            InsertMany::encode::<Document>(&namespace, &documents, &options, small, || ObjectId::from_bytes([0; 12]));
        let size = bson::serialize_to_vec(&documents[1]).unwrap().len();
        let Err(EncodeError::DocumentTooLarge { index: 1, size: found, limit: 50 }) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(found, size);
    }

    #[test]
    fn a_batch_is_split_again_for_a_smaller_server() {
        let batch = insert(5, &InsertManyOptions::default(), limits(10)).unwrap().next().unwrap();
        let parts = InsertBatch { first: 10, ..batch }.split(limits(2)).unwrap();
        assert_eq!(parts.iter().map(|part| (part.first, part.len())).collect::<Vec<_>>(), [(10, 2), (12, 2), (14, 1)]);
        let smaller = WriteLimits { max_bson_object_size: 5, ..limits(2) };
        assert!(matches!(parts[1].split(smaller), Err(EncodeError::DocumentTooLarge { index: 12, .. })));
    }

    #[test]
    fn an_ordered_insert_stops_at_its_first_error() {
        let insert = insert(5, &InsertManyOptions::default(), limits(2)).unwrap();
        let mut progress = insert.progress();
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
        let mut progress = insert(4, &options, limits(2)).unwrap().progress();
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
        let mut progress = insert(2, &InsertManyOptions::default(), limits(2)).unwrap().progress();
        progress.record_unacknowledged(0, 2);
        let result = progress.finish(false).into_result().unwrap();
        assert_eq!((result.inserted_ids.len(), result.acknowledged), (2, false));
    }
}
