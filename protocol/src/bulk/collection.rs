//! A bulk write to one collection, by `insert`, `update` and `delete` commands.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use bson::{RawDocument, RawDocumentBuf, oid::ObjectId};
use serde::Serialize;

use super::{
    Batches, BulkWriteOptions, BulkWriteResult, Content, Items, WriteBatch, WriteModel,
    batch::{at, require_all, statement_size},
    model::Statement,
};
use crate::{
    command::{
        DocumentSequence, EncodeError, InvalidReply, Namespace, Properties, Request, Splitter, WriteFailure,
        WriteLimits, WriteReply, Written, delete, insert, update,
    },
    error::WriteError,
    retry::Operation,
};

/// Writes on their way into a collection.
///
/// An ordered bulk write makes a command of each run of writes of the same kind, an unordered one gathers all of a
/// kind. Each command owns its documents; nothing is copied when it is handed out. As the first command can be sent
/// while the next is being filled, a write that cannot be encoded may be met when others are executed already.
///
/// ```
/// use bson::{doc, oid::ObjectId};
/// use mongo_actors_protocol::{
///     bulk::{Batches, CollectionBulk, InsertOneModel, WriteModel},
///     command::{Namespace, WriteLimits},
/// };
///
/// let limits = WriteLimits { max_write_batch_size: 2, ..WriteLimits::default() };
/// let mut bulk = CollectionBulk::new(&Namespace::new("a", "b"), &Default::default(), limits).unwrap();
/// let mut sizes = Vec::new();
/// for x in 0..5 {
///     let write: WriteModel = InsertOneModel::new(doc! { "_id": x }).into();
///     bulk.push(&write, || ObjectId::from_bytes([1; 12])).unwrap();
///     sizes.extend(bulk.next_full().map(|batch| batch.len()));
/// }
/// sizes.extend(bulk.rest().map(|batch| batch.len()));
/// assert_eq!(sizes, [2, 2, 1]);
/// ```
#[derive(Debug)]
pub struct CollectionBulk {
    database: Arc<str>,
    ordered: bool,
    limits: WriteLimits,
    lanes: [Lane; 3],
    full: VecDeque<WriteBatch>,
    total: usize,
    result: BulkWriteResult,
    failure: WriteFailure,
}

/// The command of one kind that is being filled.
#[derive(Debug)]
struct Lane {
    command: &'static str,
    sequence: &'static str,
    body: RawDocumentBuf,
    splitter: Splitter,
    items: Items,
    /// What every command of this kind asks for.
    common: Properties,
    properties: Properties,
}

const INSERT: usize = 0;
const UPDATE: usize = 1;
const DELETE: usize = 2;

impl CollectionBulk {
    /// No writes yet.
    ///
    /// # Errors
    /// [`EncodeError`] when the name is invalid, or an option cannot be written as BSON.
    pub fn new(namespace: &Namespace, options: &BulkWriteOptions, limits: WriteLimits) -> Result<Self, EncodeError> {
        let ordered = options.ordered.unwrap_or(true);
        let (bypass, comment) = (options.bypass_document_validation, options.comment.as_ref());
        let let_vars = options.let_vars.as_ref();
        let bypassing = |bypass: Option<bool>| {
            let properties = Properties::write(Operation::WRITE);
            properties.requires_unacknowledged(bypass.is_some(), "bypassDocumentValidation", None)
        };
        let lane = |command, sequence, body: RawDocumentBuf, content, common: Properties| Lane {
            command,
            sequence,
            splitter: Splitter::new(limits, sequence, body.as_bytes().len()),
            body,
            items: Items { content, ..Items::default() },
            properties: common.clone(),
            common,
        };
        let insert = insert::body(namespace, ordered, bypass, comment)?;
        let update = update::body(namespace, ordered, bypass, let_vars, comment)?;
        let delete = delete::body(namespace, ordered, let_vars, comment)?;
        Ok(Self {
            database: namespace.db.clone(),
            ordered,
            limits,
            lanes: [
                lane("insert", "documents", insert, Content::Inserts(Vec::new()), bypassing(bypass)),
                lane("update", "updates", update, Content::Updates, bypassing(bypass)),
                lane("delete", "deletes", delete, Content::Deletes, bypassing(None)),
            ],
            full: VecDeque::new(),
            total: 0,
            result: BulkWriteResult::default(),
            failure: WriteFailure::default(),
        })
    }

    /// Encodes one more write. `new_id` is asked when a document to insert has no `_id`, which becomes its first
    /// field.
    ///
    /// # Errors
    /// [`EncodeError`], with the write's position, when it cannot be written as BSON, is too large, or has an argument
    /// that is not allowed. Those before it can still be executed.
    pub fn push<T: Serialize>(
        &mut self,
        write: &WriteModel<T>,
        new_id: impl FnOnce() -> ObjectId,
    ) -> Result<(), EncodeError> {
        let position = self.total;
        let encoded = write.with_statement(|statement| match statement {
            Statement::Insert(document) => self.push_insert(document, new_id),
            Statement::Update(statement) => {
                let properties = statement.require(Properties::write(Operation::WRITE));
                self.push_statement(UPDATE, statement.multi, properties, &statement.encode()?)
            }
            Statement::Delete(statement) => {
                let properties = statement.require(Properties::write(Operation::WRITE));
                self.push_statement(DELETE, statement.multi, properties, &statement.encode()?)
            }
        });
        encoded.map_err(|error| at(error, position))
    }

    /// Encodes a document to be inserted, as [`push`](Self::push) does.
    ///
    /// # Errors
    /// As for [`push`](Self::push).
    pub fn push_insert<T: Serialize + ?Sized>(
        &mut self,
        document: &T,
        new_id: impl FnOnce() -> ObjectId,
    ) -> Result<(), EncodeError> {
        let position = self.total;
        let splitter = &mut self.lanes[INSERT].splitter;
        let id = insert::push_document(splitter, document, new_id).map_err(|error| at(error, position))?;
        self.enter(INSERT, None);
        if let Content::Inserts(ids) = &mut self.lanes[INSERT].items.content {
            ids.push(id);
        }
        Ok(())
    }

    fn push_statement(
        &mut self,
        lane: usize,
        multi: bool,
        mut properties: Properties,
        statement: &RawDocument,
    ) -> Result<(), EncodeError> {
        if multi {
            properties.retry = Operation::PLAIN_WRITE;
        }
        let splitter = &mut self.lanes[lane].splitter;
        let (start, bytes) = (splitter.buffer().len(), statement.as_bytes());
        splitter.buffer().extend_from_slice(bytes);
        if let Err(error) = splitter.close_document(start, statement_size(bytes.len(), self.limits)) {
            splitter.buffer().truncate(start);
            return Err(error);
        }
        self.enter(lane, Some(properties));
        Ok(())
    }

    /// Books a write that the splitter of its lane has accepted.
    fn enter(&mut self, lane: usize, properties: Option<Properties>) {
        if self.ordered {
            // At most one of the others has any: that of the run which ends here.
            (0..self.lanes.len()).filter(|other| *other != lane).for_each(|other| self.flush(other));
        }
        while let Some(sequence) = self.lanes[lane].splitter.take_full() {
            self.hand_out(lane, sequence);
        }
        let lane = &mut self.lanes[lane];
        lane.items.positions.push(self.total);
        if let Some(properties) = properties {
            require_all(&mut lane.properties, properties);
        }
        self.total += 1;
    }

    fn flush(&mut self, lane: usize) {
        if let Some(sequence) = self.lanes[lane].splitter.take_current() {
            self.hand_out(lane, sequence);
        }
    }

    fn hand_out(&mut self, lane: usize, sequence: DocumentSequence) {
        let (database, limits) = (self.database.clone(), self.limits);
        let lane = &mut self.lanes[lane];
        let items = lane.items.take(sequence.count);
        let properties = std::mem::replace(&mut lane.properties, lane.common.clone());
        let request = Request::new(lane.command, database, lane.body.clone()).with_sequence(sequence);
        self.full.push_back(WriteBatch { request, properties, limits, items });
    }

    /// What was done, and what failed.
    pub fn finish(self, acknowledged: bool) -> Written<BulkWriteResult> {
        let failed = self.has_failed();
        let mut result = BulkWriteResult { acknowledged, ..self.result };
        if !acknowledged {
            let inserted_ids = result.inserted_ids;
            result = BulkWriteResult { inserted_ids, ..BulkWriteResult::default() };
        }
        Written { result, failure: failed.then_some(self.failure) }
    }
}

impl Batches for CollectionBulk {
    const RESULTS_BY_CURSOR: bool = false;

    fn next_full(&mut self) -> Option<WriteBatch> {
        self.full.pop_front()
    }

    fn rest(&mut self) -> Option<WriteBatch> {
        (0..self.lanes.len()).for_each(|lane| self.flush(lane));
        self.full.pop_front()
    }

    fn total(&self) -> usize {
        self.total
    }

    fn buffered(&self) -> usize {
        self.lanes.iter().map(|lane| lane.splitter.buffered()).sum()
    }

    fn set_limits(&mut self, limits: WriteLimits) {
        (0..self.lanes.len()).for_each(|lane| self.flush(lane));
        self.limits = limits;
        for lane in &mut self.lanes {
            lane.splitter = Splitter::new(limits, lane.sequence, lane.body.as_bytes().len());
        }
    }

    fn is_ordered(&self) -> bool {
        self.ordered
    }

    fn record(&mut self, items: Items, reply: Option<&RawDocument>) -> Result<(), InvalidReply> {
        let Items { positions, content } = items;
        let Some(reply) = reply else {
            if let Content::Inserts(ids) = content {
                self.result.inserted_ids.extend(ids.into_iter().enumerate().map(|(at, id)| (positions.get(at), id)));
            }
            return Ok(());
        };
        let reply = WriteReply::read(reply)?;
        let result = &mut self.result;
        match content {
            Content::Inserts(ids) => {
                result.inserted_count += reply.n;
                let inserted = inserted(&reply.write_errors, self.ordered);
                let inserted = ids.into_iter().enumerate().filter(|(at, _)| inserted(*at));
                result.inserted_ids.extend(inserted.map(|(at, id)| (positions.get(at), id)));
            }
            Content::Deletes => result.deleted_count += reply.n,
            _ => {
                let upserted = reply.upserted.len() as u64;
                result.matched_count += reply.n.saturating_sub(upserted);
                result.modified_count += reply.n_modified;
                result.upserted_count += upserted;
                let ids = reply.upserted.into_iter().map(|upserted| (positions.get(upserted.index), upserted.id));
                result.upserted_ids.extend(ids);
            }
        }
        let placed =
            reply.write_errors.into_iter().map(|error| WriteError { index: positions.get(error.index), ..error });
        self.failure.write_errors.extend(placed);
        self.failure.write_concern_errors.extend(reply.write_concern_error);
        self.failure.labels.extend_from(&reply.labels);
        Ok(())
    }

    fn record_result(&mut self, _: &RawDocument) -> Result<(), InvalidReply> {
        Ok(())
    }

    fn has_failed(&self) -> bool {
        !self.failure.write_errors.is_empty() || !self.failure.write_concern_errors.is_empty()
    }

    fn may_go_on(&self) -> bool {
        !self.ordered || self.failure.write_errors.is_empty()
    }
}

/// Tells of each document of a command whether it was inserted.
fn inserted(errors: &[WriteError], ordered: bool) -> impl Fn(usize) -> bool {
    let failed: BTreeSet<usize> = errors.iter().map(|error| error.index).collect();
    let tried = failed.first().copied().filter(|_| ordered).unwrap_or(usize::MAX);
    move |index| index < tried && !failed.contains(&index)
}
