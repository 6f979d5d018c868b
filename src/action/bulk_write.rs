//! Bulk writes to one collection.

use std::{sync::Arc, time::Duration};

use bson::Bson;
use mongo_actors_protocol::{
    bulk::{Batches as _, BulkWriteOptions, BulkWriteResult, CollectionBulk, WriteModel},
    command::Written,
    options::CodecOptions,
    retry::Outcome,
};
use serde::Serialize;

use super::{
    ActionFuture,
    batches::{self, Finished, known_limits},
    setters::fluent,
};
use crate::{
    ClientSession,
    collection::{Collection, CollectionHandle},
    decode::value,
    error::{BulkWriteError, Error, ErrorKind, Partial, Result},
};

impl<T> Collection<T> {
    /// Executes any number of inserts, updates, replacements and deletes, in as few commands as the server's limits
    /// allow.
    ///
    /// In order, each run of writes of one kind becomes a command; the first write that fails ends it. Unordered, all
    /// writes of a kind are gathered, and all are tried. As for [`insert_many`](Self::insert_many), writes are encoded
    /// when their command is due, so that an iterator of any length needs little memory.
    ///
    /// A command without [`UpdateManyModel`](crate::options::UpdateManyModel) and
    /// [`DeleteManyModel`](crate::options::DeleteManyModel) is repeated after a failure, if the server may not have
    /// executed it.
    ///
    /// Ordered and without acknowledgement (`w: 0`), all commands but the last are acknowledged, because they would
    /// have no order otherwise.
    ///
    /// ```no_run
    /// # async fn example(people: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::{
    ///     bson::doc,
    ///     options::{DeleteOneModel, InsertOneModel, UpdateOneModel, WriteModel},
    /// };
    ///
    /// let writes: [WriteModel; 3] = [
    ///     InsertOneModel::new(doc! { "_id": "Ada" }).into(),
    ///     UpdateOneModel::new(doc! { "_id": "Bob" }, doc! { "$inc": { "visits": 1 } }).upsert(true).into(),
    ///     DeleteOneModel::new(doc! { "_id": "Eve" }).into(),
    /// ];
    /// match people.bulk_write(writes).ordered(false).await {
    ///     Ok(result) => println!("{} inserted, {} matched", result.inserted_count, result.matched_count),
    ///     Err(error) => match error.partial_bulk_write() {
    ///         Some(partial) => println!("{} failed", partial.write_errors.len()),
    ///         None => return Err(error),
    ///     },
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`BulkWrite`](crate::error::ErrorKind::BulkWrite) when the server refuses writes or the write concern is not
    /// satisfied; [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) for no writes, or for one with an
    /// argument that is not allowed; [`InvalidDocument`](crate::error::ErrorKind::InvalidDocument) and
    /// [`DocumentTooLarge`](crate::error::ErrorKind::DocumentTooLarge); and those of reaching a server and of its
    /// refusal. What was done before is told by
    /// [`Error::partial_bulk_write`](crate::error::Error::partial_bulk_write).
    ///
    /// # Cancel safety
    /// Any number of the writes may be executed when the future is dropped; see [`action`](crate::action).
    pub fn bulk_write<I>(&self, writes: I) -> BulkWrite<'_, I::IntoIter>
    where
        I: IntoIterator,
    {
        let options = BulkWriteOptions::default();
        BulkWrite { collection: self.handle(), writes: writes.into_iter(), options, timeout: None, session: None }
    }
}

/// Executes any number of writes. Made by [`Collection::bulk_write`]; awaiting it gives the counts.
#[must_use = "operations do nothing unless they are awaited"]
pub struct BulkWrite<'a, I> {
    collection: &'a Arc<CollectionHandle>,
    writes: I,
    options: BulkWriteOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

fluent! { ['a, I] BulkWrite<'a, I>, BulkWriteOptions {
    session,
    bypass_document_validation, comment, let_vars, ordered, write_concern,
} }

impl<'a, I, T> IntoFuture for BulkWrite<'a, I>
where
    T: Serialize + 'a,
    I: Iterator<Item = WriteModel<T>> + Send + 'a,
{
    type Output = Result<BulkWriteResult>;
    type IntoFuture = ActionFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { collection, writes, options, timeout, session } = self;
        ActionFuture::new(async move {
            let call =
                collection.call().write_concern(options.write_concern.as_ref()).timeout(timeout).session(session);
            let machine = CollectionBulk::new(&collection.namespace, &options, known_limits(&call))?;
            let new_id = || collection.client().engine().entropy().object_id();
            let push = |machine: &mut CollectionBulk, write: I::Item| machine.push(&write, new_id);
            let finished = batches::run(call, machine, writes, push).await;
            finish(finished, call.is_acknowledged(), &collection.settings().codec_options)
        })
    }
}

fn finish(finished: Finished<CollectionBulk>, acknowledged: bool, codec: &CodecOptions) -> Result<BulkWriteResult> {
    let Finished { machine, failed, interruption } = finished;
    let empty = machine.is_empty();
    let Written { mut result, failure } = machine.finish(acknowledged);
    for id in result.upserted_ids.values_mut() {
        *id = value(std::mem::replace(id, Bson::Null), codec)?;
    }
    if let Some(error) = interruption {
        let partial = BulkWriteError::new(result, failure.unwrap_or_default());
        let outcome = if partial.is_empty() { error.outcome() } else { error.outcome().fold(Outcome::Applied) };
        return Err(error.with_outcome(outcome).with_partial(Partial::BulkWrite(partial)));
    }
    if empty {
        return Err(Error::invalid_argument("writes", "there must be at least one"));
    }
    let Some(failure) = failure else { return Ok(result) };
    let applied = result.is_change() || !failure.write_concern_errors.is_empty();
    let outcome = if applied { Outcome::Applied } else { Outcome::Rejected };
    let labels = failure.labels.clone();
    let kind = ErrorKind::BulkWrite(BulkWriteError::new(result, failure));
    Err(batches::explain(Error::new(kind).with_labels(&labels).with_outcome(outcome), failed))
}
