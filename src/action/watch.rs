//! `watch`: change streams.

use std::{marker::PhantomData, time::Duration};

use bson::Document;
use mongo_actors_engine::ChangeStreamPlan;
use mongo_actors_protocol::{
    change_stream::{ChangeStreamOptions, Start, Watch as WatchCommand, Watched},
    command::EncodeError,
    retry::Budget,
};

use super::{ActionFuture, awaitable, setters::fluent};
use crate::{
    change_stream::{ChangeStream, SessionChangeStream, event::ChangeStreamEvent, in_transaction},
    client::Client,
    collection::Collection,
    database::Database,
    error::{Error, Result},
    executor::Call,
    session::{ClientSession, ExplicitSession, ImplicitSession},
};

impl Client {
    /// Watches all databases but `admin`, `config` and `local`. Awaiting it gives a [`ChangeStream`].
    ///
    /// Needs a replica set or a sharded cluster with servers from 4.0.
    ///
    /// # Errors
    /// As [`Collection::watch`].
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn watch(&self) -> Watch<'_> {
        Watch::new(self.call(), Watched::Cluster)
    }
}

impl Database {
    /// Watches all collections of the database. Awaiting it gives a [`ChangeStream`].
    ///
    /// Needs a replica set or a sharded cluster with servers from 4.0.
    ///
    /// # Errors
    /// As [`Collection::watch`].
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn watch(&self) -> Watch<'_> {
        Watch::new(self.call(), Watched::Database(self.shared_name()))
    }
}

impl<T> Collection<T> {
    /// Watches the collection. Awaiting it opens a [`ChangeStream`], so that errors appear here.
    ///
    /// Needs a replica set or a sharded cluster. Prefer this to an aggregation with a `$changeStream` stage of your own,
    /// which cannot be resumed. Servers accept only the read concern `majority`, or none.
    ///
    /// ```no_run
    /// use mongo_actors::{
    ///     Collection,
    ///     bson::doc,
    ///     options::{FullDocumentBeforeChangeType, FullDocumentType},
    /// };
    ///
    /// # async fn example(orders: Collection) -> mongo_actors::error::Result<()> {
    /// let mut paid = orders
    ///     .watch()
    ///     .pipeline([doc! { "$match": { "fullDocument.paid": true } }])
    ///     .full_document(FullDocumentType::UpdateLookup)
    ///     .await?;
    /// if let Some(event) = paid.next().await {
    ///     println!("{:?}", event?.full_document);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) for options that cannot be, and those of reaching
    /// a server and of its refusal: it refuses two places to start from, tokens it does not know any more, and stages
    /// that a change stream cannot have.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn watch(&self) -> Watch<'_, T> {
        Watch::new(self.handle().call(), Watched::Collection(self.namespace().clone()))
    }
}

/// Opens a change stream. Made by [`Client::watch`], [`Database::watch`] and [`Collection::watch`]; awaiting it gives a
/// [`ChangeStream`].
#[derive(Clone)]
#[must_use = "operations do nothing unless they are awaited"]
pub struct Watch<'a, T = Document, S = ImplicitSession> {
    call: Call<'a>,
    watched: Watched,
    pipeline: Vec<Document>,
    options: ChangeStreamOptions,
    timeout: Option<Duration>,
    session: S,
    documents: PhantomData<fn() -> T>,
}

fluent! { ['a, T, S] Watch<'a, T, S>, ChangeStreamOptions {
    batch_size, collation, comment, full_document, full_document_before_change, max_await_time, read_concern,
    resume_after, selection_criteria, show_expanded_events, start_after, start_at_operation_time,
} }

impl<'a, T> Watch<'a, T> {
    fn new(call: Call<'a>, watched: Watched) -> Self {
        let (pipeline, options) = (Vec::new(), ChangeStreamOptions::default());
        Self { call, watched, pipeline, options, timeout: None, session: ImplicitSession, documents: PhantomData }
    }

    /// Runs in a session, which is borrowed until the stream is open. Awaiting it then gives a [`SessionChangeStream`].
    pub fn session(self, session: &'a mut ClientSession) -> Watch<'a, T, ExplicitSession<'a>> {
        let Self { call, watched, pipeline, options, timeout, documents, .. } = self;
        Watch { call, watched, pipeline, options, timeout, session: ExplicitSession(session), documents }
    }
}

impl<'a, T, S> Watch<'a, T, S> {
    /// Stages that the events pass through, such as `$match` and `$project`. They must leave `_id` as it is.
    pub fn pipeline(mut self, stages: impl IntoIterator<Item = Document>) -> Self {
        self.pipeline = stages.into_iter().collect();
        self
    }

    fn plan(&self, session: Option<&ClientSession>) -> Result<(ChangeStreamPlan, Option<Duration>, Budget)> {
        let Self { pipeline, options, watched, .. } = self;
        let call = self
            .call
            .selection_criteria(options.selection_criteria.as_ref())
            .read_concern(options.read_concern.as_ref())
            .timeout(self.timeout)
            .in_session(session);
        if call.is_in_transaction() {
            return Err(in_transaction());
        }
        let timeout = call.effective_timeout();
        if let (Some(wait), Some(timeout)) = (options.max_await_time, timeout)
            && !timeout.is_zero()
            && wait >= timeout
        {
            return Err(Error::invalid_argument("maxAwaitTimeMS", "it must be less than the timeout (timeoutMS)"));
        }
        let pipeline = call.settings().codec_options.write_pipeline(pipeline.clone()).map_err(EncodeError::from)?;
        let command = WatchCommand { watched, pipeline: &pipeline, options, start: &Start::AsGiven };
        let prepared = call.verbatim().prepare(&command)?;
        let plan = ChangeStreamPlan {
            watched: watched.clone(),
            pipeline,
            options: options.clone(),
            session: prepared.session().cloned(),
            operation: prepared.operation,
            retry: prepared.retry,
            retry_options: *call.client().retry_options(),
            timeout,
        };
        Ok((plan, timeout, prepared.budget))
    }
}

awaitable! { ['a, T: 'a] Watch<'a, T> => ChangeStream<ChangeStreamEvent<T>> {
    fn into_future(self) -> Self::IntoFuture {
        let planned = self.plan(None);
        ActionFuture::new(async move { open(self.call, planned?).await })
    }
} }

awaitable! { ['a, T: 'a] Watch<'a, T, ExplicitSession<'a>> => SessionChangeStream<ChangeStreamEvent<T>> {
    fn into_future(self) -> Self::IntoFuture {
        let planned = self.plan(Some(self.session.0));
        ActionFuture::new(async move { Ok(SessionChangeStream::of(open(self.call, planned?).await?)) })
    }
} }

async fn open<T>(
    call: Call<'_>,
    (plan, timeout, budget): (ChangeStreamPlan, Option<Duration>, Budget),
) -> Result<ChangeStream<T>> {
    let handle = call.client().engine().watch(plan);
    ChangeStream::open(handle, call.settings().codec_options.clone(), timeout, budget).await
}
