//! A bulk write to any number of collections, by `bulkWrite` commands.

use std::collections::{BTreeMap, VecDeque};

use bson::{RawDocument, RawDocumentBuf, oid::ObjectId, raw::cstr, rawdoc};
use serde::Serialize;

use super::{
    Batches, ClientBulkFailure, ClientBulkWriteOptions, ClientBulkWriteResult, ClientDeleteResult,
    ClientInsertOneResult, ClientUpdateResult, Content, Items, NamespacedWrite, VerboseResults, WriteBatch, WriteKind,
    batch::{at, require_all},
    op,
};
use crate::{
    command::{DocumentSequence, EncodeError, InvalidReply, Namespace, Properties, Request, WriteLimits, encode},
    error::{Labels, WriteConcernError, WriteError, integer, is_ok},
    retry::Operation,
};

/// Identifiers of the two document sequences.
pub(super) const OPS: &str = "ops";
const NS_INFO: &str = "nsInfo";

/// Bytes that the specification keeps free for everything but the command's own fields and sequences.
const MESSAGE_OVERHEAD: usize = 1000;

/// Writes on their way into their collections.
///
/// ```
/// use bson::{doc, oid::ObjectId};
/// use mongo_actors_protocol::{
///     bulk::{Batches, ClientBulk, DeleteOneModel, InsertOneModel},
///     command::Namespace,
/// };
///
/// let mut bulk = ClientBulk::new(&Default::default(), Default::default()).unwrap();
/// let id = || ObjectId::from_bytes([1; 12]);
/// bulk.push(&InsertOneModel::new(doc! { "x": 1 }).in_namespace(Namespace::new("a", "b")), id).unwrap();
/// let write = DeleteOneModel::new(doc! { "x": 2 }).in_namespace::<bson::Document>(Namespace::new("a", "c"));
/// bulk.push(&write, id).unwrap();
/// let batch = bulk.rest().unwrap();
/// assert_eq!((batch.len(), batch.request.sequences[1].count), (2, 2));
/// ```
#[derive(Debug)]
pub struct ClientBulk {
    body: RawDocumentBuf,
    ordered: bool,
    limits: WriteLimits,
    draft: Draft,
    full: VecDeque<WriteBatch>,
    total: usize,
    account: Account,
}

impl ClientBulk {
    /// The lowest wire version of a server that knows the command (8.0).
    pub const WIRE_VERSION: i32 = 25;

    /// No writes yet.
    ///
    /// # Errors
    /// [`EncodeError`] when an option cannot be written as BSON.
    pub fn new(options: &ClientBulkWriteOptions, limits: WriteLimits) -> Result<Self, EncodeError> {
        let (ordered, verbose) = (options.ordered.unwrap_or(true), options.verbose_results.unwrap_or(false));
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("bulkWrite"), 1);
        encode::append!(&mut body;
            "errorsOnly": !verbose,
            "ordered": ordered,
            "bypassDocumentValidation": options.bypass_document_validation,
            "comment": options.comment.as_ref(),
            "let": options.let_vars.as_ref(),
        );
        let common = Properties::write(Operation::WRITE)
            .requires(true, "bulkWrite", Self::WIRE_VERSION)
            .requires_unacknowledged(verbose, "verboseResults", None)
            .requires_unacknowledged(options.bypass_document_validation.is_some(), "bypassDocumentValidation", None);
        Ok(Self {
            ordered,
            limits,
            draft: Draft::new(limits, body.as_bytes().len(), common, verbose),
            body,
            full: VecDeque::new(),
            total: 0,
            account: Account::new(ordered, verbose),
        })
    }

    /// Encodes one more write. `new_id` is asked when a document to insert has no `_id`, which becomes its first
    /// field.
    ///
    /// # Errors
    /// [`EncodeError`], with the write's position, when it cannot be written as BSON, is too large, or has a name or an
    /// argument that is not allowed. Those before it can still be executed.
    pub fn push<T: Serialize>(
        &mut self,
        write: &NamespacedWrite<T>,
        new_id: impl FnOnce() -> ObjectId,
    ) -> Result<(), EncodeError> {
        let (position, start) = (self.total, self.draft.ops.documents.len());
        let mut properties = Properties::write(Operation::WRITE);
        let ops = &mut self.draft.ops.documents;
        let encoded = op::append(ops, &write.model, self.limits, &mut properties, new_id);
        let entered = encoded.and_then(|kind| {
            let full = self.draft.enter(start, &write.namespace, position, kind, properties)?;
            self.full.extend(full.map(|draft| draft.into_batch(&self.body)));
            Ok(())
        });
        if let Err(error) = entered {
            self.draft.ops.documents.truncate(start);
            return Err(at(error, position));
        }
        self.total += 1;
        Ok(())
    }

    /// What was done, and what failed. There is no result unless at least one write is known to have succeeded.
    pub fn finish(self, acknowledged: bool) -> (Option<ClientBulkWriteResult>, ClientBulkFailure) {
        let Account { result, failure, succeeded, .. } = self.account;
        let result = match acknowledged {
            true => ClientBulkWriteResult { acknowledged, ..result },
            false => ClientBulkWriteResult::default(),
        };
        (succeeded.then_some(result), failure)
    }
}

impl Batches for ClientBulk {
    const RESULTS_BY_CURSOR: bool = true;

    fn next_full(&mut self) -> Option<WriteBatch> {
        self.full.pop_front()
    }

    fn rest(&mut self) -> Option<WriteBatch> {
        if !self.draft.is_empty() {
            let draft = self.draft.take();
            self.full.push_back(draft.into_batch(&self.body));
        }
        self.full.pop_front()
    }

    fn total(&self) -> usize {
        self.total
    }

    fn buffered(&self) -> usize {
        self.draft.ops.documents.len()
    }

    fn set_limits(&mut self, limits: WriteLimits) {
        if !self.draft.is_empty() {
            let draft = self.draft.take();
            self.full.push_back(draft.into_batch(&self.body));
        }
        self.limits = limits;
        self.draft.set_limits(limits, self.body.as_bytes().len());
    }

    fn is_ordered(&self) -> bool {
        self.ordered
    }

    fn record(&mut self, items: Items, reply: Option<&RawDocument>) -> Result<(), InvalidReply> {
        if let Some(reply) = reply {
            self.account.record(items, reply);
        }
        Ok(())
    }

    fn record_result(&mut self, result: &RawDocument) -> Result<(), InvalidReply> {
        self.account.record_result(result)
    }

    fn has_failed(&self) -> bool {
        !self.account.failure.is_empty()
    }

    fn may_go_on(&self) -> bool {
        !self.ordered || self.account.failure.write_errors.is_empty()
    }
}

/// A command that is being filled.
#[derive(Debug)]
struct Draft {
    limits: WriteLimits,
    /// Bytes that both sequences together may have.
    budget: usize,
    ops: DocumentSequence,
    ns_info: DocumentSequence,
    namespaces: BTreeMap<Namespace, i32>,
    /// The namespace of the last write and its index, which most often is that of the next one too.
    last: Option<(Namespace, i32)>,
    items: Items,
    /// What every command asks for.
    common: Properties,
    properties: Properties,
}

impl Draft {
    fn new(limits: WriteLimits, body_len: usize, common: Properties, named: bool) -> Self {
        let content = if named { Content::Mixed(Vec::new()) } else { Content::Unnamed };
        Self {
            limits,
            budget: limits.max_message_size_bytes.saturating_sub(MESSAGE_OVERHEAD + body_len),
            ops: DocumentSequence::new(OPS),
            ns_info: DocumentSequence::new(NS_INFO),
            namespaces: BTreeMap::new(),
            last: None,
            items: Items { content, ..Items::default() },
            properties: common.clone(),
            common,
        }
    }

    fn set_limits(&mut self, limits: WriteLimits, body_len: usize) {
        self.limits = limits;
        self.budget = limits.max_message_size_bytes.saturating_sub(MESSAGE_OVERHEAD + body_len);
    }

    fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// What was filled so far; an empty draft stays.
    fn take(&mut self) -> Self {
        let content = match self.items.content {
            Content::Mixed(_) => Content::Mixed(Vec::new()),
            _ => Content::Unnamed,
        };
        let empty = Self {
            limits: self.limits,
            budget: self.budget,
            ops: DocumentSequence::new(OPS),
            ns_info: DocumentSequence::new(NS_INFO),
            namespaces: BTreeMap::new(),
            last: None,
            items: Items { content, ..Items::default() },
            common: self.common.clone(),
            properties: self.common.clone(),
        };
        std::mem::replace(self, empty)
    }

    /// Counts the element that was appended to `ops` at `start`. If it does not fit any more it becomes the first of a
    /// new draft, and the full one is returned.
    fn enter(
        &mut self,
        start: usize,
        namespace: &Namespace,
        position: usize,
        kind: WriteKind,
        properties: Properties,
    ) -> Result<Option<Self>, EncodeError> {
        let known = self.index_of(namespace);
        if known.is_none() {
            namespace.validate()?;
        }
        let entry = ns_entry_len(namespace);
        let alone = self.ops.documents.len() - start + entry;
        if alone > self.budget {
            return Err(EncodeError::DocumentTooLarge { index: position, size: alone, limit: self.budget });
        }
        let added = if known.is_some() { 0 } else { entry };
        let too_many = self.ops.count >= self.limits.max_write_batch_size.max(1);
        let too_large = self.ops.documents.len() + self.ns_info.documents.len() + added > self.budget;
        let full = (!self.is_empty() && (too_many || too_large)).then(|| {
            let moved = self.ops.documents.split_off(start);
            let full = self.take();
            self.ops.documents = moved;
            full
        });
        let start = if full.is_some() { 0 } else { start };
        let index = known.filter(|_| full.is_none()).unwrap_or_else(|| self.add_namespace(namespace));
        if let Some(op) = self.ops.documents.get_mut(start..) {
            op::set_namespace(op, index);
        }
        self.ops.count += 1;
        self.items.positions.push(position);
        if let Content::Mixed(kinds) = &mut self.items.content {
            kinds.push(kind);
        }
        require_all(&mut self.properties, properties);
        Ok(full)
    }

    fn index_of(&mut self, namespace: &Namespace) -> Option<i32> {
        match &self.last {
            Some((last, index)) if last == namespace => Some(*index),
            _ => {
                let index = *self.namespaces.get(namespace)?;
                self.last = Some((namespace.clone(), index));
                Some(index)
            }
        }
    }

    fn add_namespace(&mut self, namespace: &Namespace) -> i32 {
        let index = i32::try_from(self.ns_info.count).unwrap_or(i32::MAX);
        self.ns_info.push(&rawdoc! { "ns": namespace.to_string() });
        self.namespaces.insert(namespace.clone(), index);
        self.last = Some((namespace.clone(), index));
        index
    }

    fn into_batch(self, body: &RawDocumentBuf) -> WriteBatch {
        let request =
            Request::new("bulkWrite", "admin".into(), body.clone()).with_sequence(self.ops).with_sequence(self.ns_info);
        WriteBatch { request, properties: self.properties, limits: self.limits, items: self.items }
    }
}

/// Bytes of an element of `nsInfo`.
fn ns_entry_len(namespace: &Namespace) -> usize {
    const AROUND: usize = 4 + 1 + 3 + 4 + 1 + 1;
    AROUND + namespace.db.len() + 1 + namespace.coll.len()
}

/// The same writes in commands for a server with smaller limits.
pub(super) fn split(
    batch: &WriteBatch,
    ops: &DocumentSequence,
    ns_info: &DocumentSequence,
    limits: WriteLimits,
) -> Result<Vec<WriteBatch>, EncodeError> {
    let named = matches!(batch.items.content, Content::Mixed(_));
    let body = &batch.request.body;
    let mut draft = Draft::new(limits, body.as_bytes().len(), batch.properties.clone(), named);
    let namespaces: Vec<Namespace> =
        ns_info.iter().filter_map(|entry| entry.ok()?.get_str("ns").ok()?.parse().ok()).collect();
    let mut batches = Vec::new();
    for (index, op) in ops.iter().enumerate() {
        let Ok(op) = op else { break };
        let position = batch.items.positions.get(index);
        let size = op.get_document("document").map_or(0, |document| document.as_bytes().len());
        if size > limits.max_bson_object_size {
            let limit = limits.max_bson_object_size;
            return Err(EncodeError::DocumentTooLarge { index: position, size, limit });
        }
        let namespace = op::namespace_of(op.as_bytes()).and_then(|index| namespaces.get(usize::try_from(index).ok()?));
        let Some(namespace) = namespace else { break };
        let kind = match &batch.items.content {
            Content::Mixed(kinds) => kinds.get(index).cloned().unwrap_or(WriteKind::Update),
            _ => WriteKind::Update,
        };
        let start = draft.ops.documents.len();
        draft.ops.documents.extend_from_slice(op.as_bytes());
        let full = draft.enter(start, namespace, position, kind, Properties::write(Operation::WRITE))?;
        batches.extend(full.map(|draft| draft.into_batch(body)));
    }
    batches.push(draft.into_batch(body));
    Ok(batches)
}

/// What the replies have reported so far.
#[derive(Debug)]
struct Account {
    ordered: bool,
    result: ClientBulkWriteResult,
    failure: ClientBulkFailure,
    /// Whether any write is known to have succeeded.
    succeeded: bool,
    /// The writes of the command whose results are being read.
    items: Items,
}

impl Account {
    fn new(ordered: bool, verbose: bool) -> Self {
        let verbose_results = verbose.then(VerboseResults::default);
        let result = ClientBulkWriteResult { verbose_results, ..ClientBulkWriteResult::default() };
        Self { ordered, result, failure: ClientBulkFailure::default(), succeeded: false, items: Items::default() }
    }

    fn record(&mut self, items: Items, reply: &RawDocument) {
        let count = |key| integer(reply, key).and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
        let result = &mut self.result;
        result.inserted_count += count("nInserted");
        result.upserted_count += count("nUpserted");
        result.matched_count += count("nMatched");
        result.modified_count += count("nModified");
        result.deleted_count += count("nDeleted");
        let errors = count("nErrors");
        // Where an ordered command stopped is told by its one error alone.
        self.succeeded |= errors == 0 || (!self.ordered && errors < items.positions.len() as u64);
        self.failure.write_concern_errors.extend(WriteConcernError::from_reply(reply));
        self.failure.labels.extend_from(&Labels::from_reply(reply));
        self.items = items;
    }

    fn record_result(&mut self, document: &RawDocument) -> Result<(), InvalidReply> {
        let number = |key| integer(document, key).and_then(|number| u64::try_from(number).ok());
        let index = number("idx").and_then(|index| usize::try_from(index).ok());
        let index = index.ok_or(InvalidReply::missing("\"idx\" in a result of \"bulkWrite\""))?;
        let position = self.items.positions.get(index);
        if !is_ok(document) {
            self.succeeded |= self.ordered && index > 0;
            let error = WriteError { index: position, ..WriteError::from_document(document) };
            self.failure.write_errors.insert(position, error);
            return Ok(());
        }
        self.succeeded = true;
        let Some(verbose) = &mut self.result.verbose_results else { return Ok(()) };
        let Content::Mixed(kinds) = &mut self.items.content else { return Ok(()) };
        let n = number("n").unwrap_or(0);
        match kinds.get_mut(index) {
            Some(WriteKind::Insert(id)) => {
                let inserted_id = std::mem::replace(id, bson::Bson::Null);
                verbose.insert_results.insert(position, ClientInsertOneResult { inserted_id });
            }
            Some(WriteKind::Update) => {
                let upserted = document.get_document("upserted").ok();
                let upserted_id = match upserted.map(|upserted| upserted.get("_id")).transpose()?.flatten() {
                    Some(id) => Some(id.try_into()?),
                    None => None,
                };
                let modified_count = number("nModified").unwrap_or(0);
                let result = ClientUpdateResult { matched_count: n, modified_count, upserted_id };
                verbose.update_results.insert(position, result);
            }
            Some(WriteKind::Delete) => {
                verbose.delete_results.insert(position, ClientDeleteResult { deleted_count: n });
            }
            None => {}
        }
        Ok(())
    }
}
