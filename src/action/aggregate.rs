//! `aggregate`: the results of a pipeline.

use std::{marker::PhantomData, time::Duration};

use bson::Document;
use mongo_actors_protocol::command::{
    Aggregate as AggregateCommand, AggregateOptions, AggregateTarget, Command as _, CursorType, Namespace,
    is_writing_pipeline,
};

use super::{ActionFuture, Explain, awaitable, confirmed, setters::fluent};
use crate::{
    collection::Collection,
    cursor::{Core, Cursor, RawBatchCursor, SessionCursor, Terms},
    database::Database,
    error::Result,
    executor::{Call, Opening, Prepared},
    session::{ClientSession, ExplicitSession, ImplicitSession},
};

impl<T> Collection<T> {
    /// Runs the documents of the collection through the stages of `pipeline`. Awaiting it gives a [`Cursor`].
    ///
    /// Results are read as [`Document`]s unless [`with_type`](Aggregate::with_type) says otherwise. A pipeline that ends
    /// in `$out` or `$merge` writes them, and its cursor is empty.
    ///
    /// ```no_run
    /// # async fn example(orders: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::bson::doc;
    ///
    /// let pipeline = [
    ///     doc! { "$match": { "paid": true } },
    ///     doc! { "$group": { "_id": "$item", "sum": { "$sum": "$price" } } },
    /// ];
    /// let sums = orders.aggregate(pipeline).allow_disk_use(true).await?.to_vec().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of reaching a server and of its refusal; for pipelines that write also
    /// [`WriteConcern`](crate::error::ErrorKind::WriteConcern).
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn aggregate(&self, pipeline: impl IntoIterator<Item = Document>) -> Aggregate<'_> {
        Aggregate::new(self.handle().call(), Target::Collection(self.namespace()), pipeline)
    }
}

impl Database {
    /// Runs a pipeline that brings its own source, such as `$currentOp` or `$documents`. Awaiting it gives a
    /// [`Cursor`].
    ///
    /// ```no_run
    /// # async fn example(client: mongo_actors::Client) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::bson::doc;
    ///
    /// let operations = client.database("admin").aggregate([doc! { "$currentOp": {} }]).await?.to_vec().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Collection::aggregate`].
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn aggregate(&self, pipeline: impl IntoIterator<Item = Document>) -> Aggregate<'_> {
        Aggregate::new(self.call(), Target::Database(self.name()), pipeline)
    }
}

/// Runs a pipeline. Made by [`Collection::aggregate`] and [`Database::aggregate`]; awaiting it gives a [`Cursor`], or in
/// a session a [`SessionCursor`].
#[derive(Clone)]
#[must_use = "operations do nothing unless they are awaited"]
pub struct Aggregate<'a, T = Document, S = ImplicitSession> {
    call: Call<'a>,
    target: Target<'a>,
    pipeline: Vec<Document>,
    options: AggregateOptions,
    timeout: Option<Duration>,
    session: S,
    documents: PhantomData<fn() -> T>,
}

#[derive(Clone, Copy)]
enum Target<'a> {
    Collection(&'a Namespace),
    Database(&'a str),
}

fluent! { ['a, T, S] Aggregate<'a, T, S>, AggregateOptions {
    allow_disk_use, batch_size, bypass_document_validation, collation, comment, hint, let_vars, max_await_time,
    max_time, read_concern, selection_criteria, timeout_mode, write_concern,
} }

impl<'a> Aggregate<'a> {
    fn new(call: Call<'a>, target: Target<'a>, pipeline: impl IntoIterator<Item = Document>) -> Self {
        let (pipeline, options) = (pipeline.into_iter().collect(), AggregateOptions::default());
        Self { call, target, pipeline, options, timeout: None, session: ImplicitSession, documents: PhantomData }
    }
}

impl<'a, T> Aggregate<'a, T> {
    /// Runs in a session, which is borrowed until the cursor is open. Awaiting it then gives a [`SessionCursor`].
    pub fn session(self, session: &'a mut ClientSession) -> Aggregate<'a, T, ExplicitSession<'a>> {
        let Self { call, target, pipeline, options, timeout, documents, .. } = self;
        Aggregate { call, target, pipeline, options, timeout, session: ExplicitSession(session), documents }
    }

    /// Its results in whole batches that are not copied.
    ///
    /// # Errors
    /// As [`Collection::aggregate`].
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub async fn raw_batches(self) -> Result<RawBatchCursor>
    where
        T: 'a,
    {
        Ok(self.await?.into_raw_batches())
    }

    /// How the server would execute it.
    pub fn explain(self) -> Explain<'a> {
        let request = self.command().request().map_err(Into::into);
        Explain::new(self.call, request, self.options.selection_criteria, self.timeout, None)
    }
}

impl<'a, T, S> Aggregate<'a, T, S> {
    /// The same with its results read as `U`.
    pub fn with_type<U>(self) -> Aggregate<'a, U, S> {
        let Self { call, target, pipeline, options, timeout, session, .. } = self;
        Aggregate { call, target, pipeline, options, timeout, session, documents: PhantomData }
    }

    fn command(&self) -> AggregateCommand<'_> {
        let target = match self.target {
            Target::Collection(namespace) => AggregateTarget::Collection(namespace),
            Target::Database(name) => AggregateTarget::Database(name),
        };
        AggregateCommand { target, pipeline: &self.pipeline, options: &self.options }
    }

    fn prepare(&self, session: Option<&ClientSession>) -> Result<Prepared> {
        let options = &self.options;
        self.call
            .in_session(session)
            .selection_criteria(options.selection_criteria.as_ref())
            .read_concern(options.read_concern.as_ref())
            .write_concern(options.write_concern.as_ref())
            .timeout(self.timeout)
            .prepare(&self.command())?
            .opening(Opening {
                mode: options.timeout_mode,
                cursor_type: self.cursor_type(),
                max_await_time: options.max_await_time,
                writes: is_writing_pipeline(&self.pipeline),
            })
    }

    /// The server keeps the cursor of a change stream open, and has it wait for changes.
    fn cursor_type(&self) -> CursorType {
        let first = self.pipeline.first().and_then(|stage| stage.keys().next());
        if first.is_some_and(|stage| stage == "$changeStream") {
            CursorType::TailableAwait
        } else {
            CursorType::NonTailable
        }
    }
}

async fn open(
    call: Call<'_>,
    options: AggregateOptions,
    cursor_type: CursorType,
    prepared: Result<Prepared>,
) -> Result<Core> {
    let prepared = prepared?;
    let AggregateOptions { batch_size, comment, max_await_time, .. } = options;
    let max_time = max_await_time.filter(|_| cursor_type == CursorType::TailableAwait);
    let terms = Terms { batch_size, comment, max_time, cursor_type, ..Terms::of(&prepared) };
    let executed = call.client().execute(prepared).await?;
    if let Err(error) = confirmed(executed.body.as_ref()) {
        return Err(executed.explain(error));
    }
    Core::opened(call.client(), &call.settings().codec_options, terms, executed)
}

awaitable! { ['a, T: 'a] Aggregate<'a, T> => Cursor<T> {
    fn into_future(self) -> Self::IntoFuture {
        let (prepared, cursor_type) = (self.prepare(None), self.cursor_type());
        let Self { call, options, .. } = self;
        ActionFuture::new(async move { Ok(Cursor::of(open(call, options, cursor_type, prepared).await?)) })
    }
} }

awaitable! { ['a, T: 'a] Aggregate<'a, T, ExplicitSession<'a>> => SessionCursor<T> {
    fn into_future(self) -> Self::IntoFuture {
        let (prepared, cursor_type) = (self.prepare(Some(self.session.0)), self.cursor_type());
        let Self { call, options, .. } = self;
        ActionFuture::new(async move { Ok(SessionCursor::of(open(call, options, cursor_type, prepared).await?)) })
    }
} }
