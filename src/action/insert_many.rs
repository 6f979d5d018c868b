//! `insert` of any number of documents.

use std::{borrow::Borrow, marker::PhantomData, sync::Arc, time::Duration};

use mongo_actors_protocol::{
    bulk::{Batches as _, BulkWriteOptions, BulkWriteResult, CollectionBulk},
    command::{InsertManyOptions, InsertManyResult, WriteFailure, Written},
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
    error::{Error, ErrorKind, InsertManyError, Partial, Result},
};

impl<T> Collection<T> {
    /// Inserts documents, in as many commands as the server's limits demand. Those without an `_id` get one, as their
    /// first field.
    ///
    /// Documents are encoded when their command is due, while the command before is on its way, so that an iterator of
    /// any length needs memory for two commands only. A document that cannot be encoded is an error when it is reached:
    /// those of earlier commands are inserted then.
    ///
    /// ```no_run
    /// # async fn example(people: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::bson::doc;
    ///
    /// let documents = (0..250_000).map(|number| doc! { "number": number });
    /// match people.insert_many(documents).ordered(false).await {
    ///     Ok(result) => println!("{} inserted", result.inserted_ids.len()),
    ///     Err(error) => match error.partial_insert() {
    ///         Some(partial) => println!("{} inserted, {} refused", partial.inserted_ids.len(), partial.write_errors.len()),
    ///         None => return Err(error),
    ///     },
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InsertMany`](crate::error::ErrorKind::InsertMany) when the server refuses documents or the write concern is
    /// not satisfied; [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) for no documents;
    /// [`InvalidDocument`](crate::error::ErrorKind::InvalidDocument) and
    /// [`DocumentTooLarge`](crate::error::ErrorKind::DocumentTooLarge); and those of reaching a server and of its
    /// refusal. What was inserted before is told by [`Error::partial_insert`](crate::error::Error::partial_insert).
    ///
    /// # Cancel safety
    /// Any number of the documents may be inserted when the future is dropped; see [`action`](crate::action).
    pub fn insert_many<I>(&self, documents: I) -> InsertMany<'_, T, I::IntoIter>
    where
        I: IntoIterator,
        I::Item: Borrow<T>,
    {
        InsertMany {
            collection: self.handle(),
            input: documents.into_iter(),
            options: InsertManyOptions::default(),
            timeout: None,
            session: None,
            documents: PhantomData,
        }
    }
}

/// Inserts documents. Made by [`Collection::insert_many`]; awaiting it gives their `_id`s.
#[must_use = "operations do nothing unless they are awaited"]
pub struct InsertMany<'a, T, I> {
    collection: &'a Arc<CollectionHandle>,
    input: I,
    options: InsertManyOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
    documents: PhantomData<fn() -> T>,
}

fluent! { ['a, T, I] InsertMany<'a, T, I>, InsertManyOptions {
    session,
    bypass_document_validation, comment, ordered, write_concern,
} }

impl<'a, T, I> IntoFuture for InsertMany<'a, T, I>
where
    T: Serialize + 'a,
    I: Iterator<Item: Borrow<T>> + Send + 'a,
{
    type Output = Result<InsertManyResult>;
    type IntoFuture = ActionFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { collection, input, options, timeout, session, .. } = self;
        ActionFuture::new(async move {
            let call =
                collection.call().write_concern(options.write_concern.as_ref()).timeout(timeout).session(session);
            let InsertManyOptions { bypass_document_validation, ordered, comment, .. } = options;
            let options =
                BulkWriteOptions { ordered, bypass_document_validation, comment, ..BulkWriteOptions::default() };
            let machine = CollectionBulk::new(&collection.namespace, &options, known_limits(&call))?;
            let new_id = || collection.client().engine().entropy().object_id();
            let push = |machine: &mut CollectionBulk, document: I::Item| machine.push_insert(document.borrow(), new_id);
            finish(batches::run(call, machine, input, push).await, call.is_acknowledged())
        })
    }
}

fn finish(finished: Finished<CollectionBulk>, acknowledged: bool) -> Result<InsertManyResult> {
    let Finished { machine, failed, interruption } = finished;
    let empty = machine.is_empty();
    let Written { result, failure } = machine.finish(acknowledged);
    if let Some(error) = interruption {
        let partial = partial(result, failure.unwrap_or_default());
        let untouched = partial == InsertManyError::default();
        let outcome = if untouched { error.outcome() } else { error.outcome().fold(Outcome::Applied) };
        return Err(error.with_outcome(outcome).with_partial(Partial::InsertMany(partial)));
    }
    if empty {
        return Err(Error::invalid_argument("documents", "there must be at least one"));
    }
    let Some(failure) = failure else { return Ok(InsertManyResult::new(result.inserted_ids, acknowledged)) };
    let labels = failure.labels.clone();
    let partial = partial(result, failure);
    let changed = !partial.inserted_ids.is_empty() || !partial.write_concern_errors.is_empty();
    let outcome = if changed { Outcome::Applied } else { Outcome::Rejected };
    let error = Error::new(ErrorKind::InsertMany(partial)).with_labels(&labels).with_outcome(outcome);
    Err(batches::explain(error, failed))
}

fn partial(result: BulkWriteResult, failure: WriteFailure) -> InsertManyError {
    InsertManyError {
        write_errors: failure.write_errors,
        write_concern_errors: failure.write_concern_errors,
        inserted_ids: result.inserted_ids,
    }
}
