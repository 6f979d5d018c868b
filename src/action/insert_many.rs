//! `insert` of any number of documents: one batch is encoded while the one before is on its way.

use std::{
    borrow::Borrow, collections::VecDeque, marker::PhantomData, pin::pin, sync::Arc, task::Poll, time::Duration,
};

use bson::oid::ObjectId;
use futures_util::poll;
use mongo_actors_engine::Limits;
use mongo_actors_protocol::{
    command::{
        InsertBatch, InsertMany as InsertManyCommand, InsertManyOptions, InsertManyProgress, InsertManyResult,
        WriteFailure, WriteReply, Written,
    },
    retry::{Budget, Outcome},
};
use serde::Serialize;

use super::{ActionFuture, insert_one::write_limits, setters::fluent};
use crate::{
    ClientSession,
    collection::{Collection, CollectionHandle},
    error::{Error, ErrorKind, InsertManyError, Result},
    executor::{Call, Ended, Executed, Prepared},
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
        let Self { collection, mut input, options, timeout, session, .. } = self;
        ActionFuture::new(async move {
            let call =
                collection.call().write_concern(options.write_concern.as_ref()).timeout(timeout).session(session);
            let mut run = Run::new(call, collection, &options)?;
            run.all::<T, I>(&mut input).await
        })
    }
}

/// Documents are encoded in portions of so many bytes, between which others have their turn on the thread.
const PORTION: usize = 256 * 1024;

/// An insert on its way.
struct Run<'c> {
    call: Call<'c>,
    budget: Budget,
    limits: Limits,
    encoder: InsertManyCommand,
    progress: InsertManyProgress,
    /// Commands that were split for a smaller server, and those behind them.
    waiting: VecDeque<InsertBatch>,
    /// The same for all commands.
    operation_id: Option<i64>,
    /// The command whose reply first reported a failure.
    failed: Option<Executed>,
}

impl<'c> Run<'c> {
    fn new(call: Call<'c>, collection: &CollectionHandle, options: &InsertManyOptions) -> Result<Self> {
        let limits = call.client().engine().limits();
        Ok(Self {
            budget: call.budget(),
            call,
            limits,
            encoder: InsertManyCommand::new(&collection.namespace, options, write_limits(limits))?,
            progress: InsertManyProgress::new(options.ordered.unwrap_or(true)),
            waiting: VecDeque::new(),
            operation_id: None,
            failed: None,
        })
    }

    async fn all<T, I>(&mut self, input: &mut I) -> Result<InsertManyResult>
    where
        T: Serialize,
        I: Iterator<Item: Borrow<T>> + Send,
    {
        let mut next = self.fill::<T, I>(input).await?;
        if next.is_none() {
            return Err(Error::invalid_argument("documents", "there must be at least one"));
        }
        while let Some(batch) = next {
            let (first, count) = (batch.first, batch.len());
            let prepared = match self.prepare(batch) {
                Ok(prepared) => prepared,
                Err(error) => return Err(self.interrupted(error)),
            };
            let mut sent = pin!(self.call.client().run(prepared, None, None));
            let early = poll!(sent.as_mut());
            let following = self.fill::<T, I>(input).await;
            let ended = match early {
                Poll::Ready(ended) => ended,
                Poll::Pending => sent.await,
            };
            let go_on = match ended {
                Ok(Ended::Done(executed)) => self.account(first, count, executed),
                Ok(Ended::TooLarge { prepared, limits }) => self.split(*prepared, first, limits).map(|()| true),
                Err(error) => Err(error),
            };
            match go_on {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return Err(self.interrupted(error)),
            }
            next = match following {
                Ok(following) => self.behind_waiting(following),
                Err(error) => return Err(self.interrupted(error)),
            };
        }
        self.finish()
    }

    /// The next command: the documents that fit into it are encoded now.
    async fn fill<T, I>(&mut self, input: &mut I) -> Result<Option<InsertBatch>>
    where
        T: Serialize,
        I: Iterator<Item: Borrow<T>> + Send,
    {
        if let Some(batch) = self.waiting.pop_front() {
            return Ok(Some(batch));
        }
        let mut portion = 0;
        while self.push_next::<T, I>(input)? {
            if let Some(batch) = self.encoder.next_full() {
                return Ok(Some(batch));
            }
            let buffered = self.encoder.buffered();
            if buffered >= portion + PORTION {
                portion = buffered;
                tokio::task::yield_now().await;
            }
        }
        Ok(self.encoder.rest())
    }

    fn push_next<T: Serialize, I: Iterator<Item: Borrow<T>>>(&mut self, input: &mut I) -> Result<bool> {
        let Some(document) = input.next() else { return Ok(false) };
        let id = self.encoder.push(document.borrow(), ObjectId::new)?;
        self.progress.encoded(id);
        Ok(true)
    }

    fn prepare(&mut self, batch: InsertBatch) -> Result<Prepared> {
        let properties = InsertManyCommand::properties();
        let mut prepared = self.call.prepare_within(batch.request, properties, self.budget)?;
        prepared.operation.limits = Some(self.limits);
        prepared.operation.operation_id = *self.operation_id.get_or_insert(prepared.operation.operation_id);
        Ok(prepared)
    }

    /// Takes account of a reply. False when no more shall be sent.
    fn account(&mut self, first: usize, count: usize, executed: Executed) -> Result<bool> {
        let Some(body) = &executed.body else {
            self.progress.record_unacknowledged(first, count);
            return Ok(true);
        };
        let reply = match WriteReply::read(body.as_document()) {
            Ok(reply) => reply,
            Err(error) => return Err(executed.explain(error.into())),
        };
        if !reply.write_errors.is_empty() || reply.write_concern_error.is_some() {
            self.failed.get_or_insert(executed);
        }
        Ok(self.progress.record(first, count, reply))
    }

    /// The server takes less than the one that the command was encoded for.
    fn split(&mut self, prepared: Prepared, first: usize, limits: Limits) -> Result<()> {
        self.limits = limits;
        self.encoder.set_limits(write_limits(limits));
        let whole = InsertBatch { request: prepared.operation.request, first };
        let parts = whole.split(write_limits(limits))?;
        parts.into_iter().rev().for_each(|part| self.waiting.push_front(part));
        Ok(())
    }

    /// What to send next, given the command that was encoded last.
    fn behind_waiting(&mut self, following: Option<InsertBatch>) -> Option<InsertBatch> {
        let Some(following) = following else { return self.waiting.pop_front() };
        let place = self.waiting.partition_point(|waiting| waiting.first < following.first);
        self.waiting.insert(place, following);
        self.waiting.pop_front()
    }

    fn finish(&mut self) -> Result<InsertManyResult> {
        let progress = std::mem::take(&mut self.progress);
        let (result, failure) = match progress.finish(self.call.is_acknowledged()).into_result() {
            Ok(result) => return Ok(result),
            Err(failed) => failed,
        };
        let labels = failure.labels.clone();
        let partial = partial(result, failure);
        let changed = !partial.inserted_ids.is_empty() || !partial.write_concern_errors.is_empty();
        let outcome = if changed { Outcome::Applied } else { Outcome::Rejected };
        let error = Error::new(ErrorKind::InsertMany(partial)).with_labels(&labels).with_outcome(outcome);
        Err(match self.failed.take() {
            Some(executed) => executed.explain(error),
            None => error,
        })
    }

    /// An error that ended the insert before all documents were tried.
    fn interrupted(&mut self, error: Error) -> Error {
        let progress = std::mem::take(&mut self.progress);
        let Written { result, failure } = progress.finish(self.call.is_acknowledged());
        let partial = partial(result, failure.unwrap_or_default());
        if partial == InsertManyError::default() {
            return error;
        }
        let outcome = error.outcome().fold(Outcome::Applied);
        error.with_outcome(outcome).with_partial_insert(partial)
    }
}

fn partial(result: InsertManyResult, failure: WriteFailure) -> InsertManyError {
    InsertManyError {
        write_errors: failure.write_errors,
        write_concern_errors: failure.write_concern_errors,
        inserted_ids: result.inserted_ids,
    }
}
