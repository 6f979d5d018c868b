//! `find`: documents that match a filter, as a cursor, as raw batches, or the first of them.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use bson::RawDocumentBuf;
use mongo_actors_protocol::command::{
    Command as _, CursorReply, DistinctOptions, Find as FindCommand, FindOneOptions, FindOptions,
};
use serde::de::DeserializeOwned;

use super::{ActionFuture, Distinct, Explain, awaitable, setters::fluent};
use crate::{
    ClientSession, Filter,
    collection::{Collection, CollectionHandle},
    cursor::{Core, Cursor, FindOrigin, RawBatchCursor, SessionCursor},
    decode::decode,
    error::Result,
    executor::require,
    session::{ExplicitSession, ImplicitSession},
};

impl<T> Collection<T> {
    /// Finds the documents that match `filter`. Awaiting it sends the command and gives a [`Cursor`].
    ///
    /// ```no_run
    /// # async fn example(people: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::bson::doc;
    ///
    /// let mut adults = people.find(doc! { "age": { "$gte": 18 } }).sort(doc! { "name": 1 }).limit(10).await?;
    /// while let Some(person) = adults.next().await {
    ///     println!("{}", person?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) for options that cannot be, and those of reaching
    /// a server and of its refusal.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn find(&self, filter: impl Into<Filter>) -> Find<'_, T> {
        Find {
            collection: self.handle(),
            filter: filter.into().into_raw(),
            options: FindOptions::default(),
            timeout: None,
            session: ImplicitSession,
            documents: PhantomData,
        }
    }

    /// As [`find`](Self::find), in whole batches that are not copied.
    ///
    /// # Errors
    /// Those of [`find`](Self::find).
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn find_raw_batches(&self, filter: impl Into<Filter>) -> FindRawBatches<'_> {
        FindRawBatches {
            collection: self.handle(),
            filter: filter.into().into_raw(),
            options: FindOptions::default(),
            timeout: None,
        }
    }

    /// Finds the first document that matches `filter`; none when there is none.
    ///
    /// ```no_run
    /// # async fn example(people: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::{Filter, bson::doc};
    ///
    /// let oldest = people.find_one(doc! {}).sort(doc! { "age": -1 }).await?;
    /// let ada = people.find_one(Filter::id("ada")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`find`](Self::find), and [`Deserialization`](crate::error::ErrorKind::Deserialization) when the
    /// document does not fit `T`.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn find_one(&self, filter: impl Into<Filter>) -> FindOne<'_, T> {
        FindOne {
            collection: self.handle(),
            filter: filter.into().into_raw(),
            options: FindOneOptions::default(),
            timeout: None,
            session: None,
            documents: PhantomData,
        }
    }
}

/// Finds documents. Made by [`Collection::find`]; awaiting it gives a [`Cursor`], or in a session a [`SessionCursor`].
#[derive(Clone)]
#[must_use = "operations do nothing unless they are awaited"]
pub struct Find<'a, T, S = ImplicitSession> {
    collection: &'a Arc<CollectionHandle>,
    filter: Result<RawDocumentBuf>,
    options: FindOptions,
    timeout: Option<Duration>,
    session: S,
    documents: PhantomData<fn() -> T>,
}

fluent! { ['a, T, S] Find<'a, T, S>, FindOptions {
    allow_disk_use, allow_partial_results, batch_size, collation, comment, cursor_type, hint, let_vars, limit, max,
    max_await_time, max_scan, max_time, min, no_cursor_timeout, oplog_replay, projection, read_concern, return_key,
    selection_criteria, show_record_id, skip, snapshot, sort, timeout_mode,
} }

impl<'a, T> Find<'a, T> {
    /// The find that an earlier one was.
    pub(crate) fn again(origin: &'a FindOrigin) -> Self {
        Self {
            collection: &origin.collection,
            filter: origin.filter.clone(),
            options: origin.options.clone(),
            timeout: origin.timeout,
            session: ImplicitSession,
            documents: PhantomData,
        }
    }

    fn origin(self) -> FindOrigin {
        let Self { collection, filter, options, timeout, .. } = self;
        FindOrigin { collection: collection.clone(), filter, options, timeout }
    }

    /// Runs in a session, which is borrowed until the cursor is open. Awaiting it then gives a [`SessionCursor`].
    pub fn session(self, session: &'a mut ClientSession) -> Find<'a, T, ExplicitSession<'a>> {
        let Self { collection, filter, options, timeout, documents, .. } = self;
        Find { collection, filter, options, timeout, session: ExplicitSession(session), documents }
    }

    /// A cursor that sends the command when it is first read.
    ///
    /// ```no_run
    /// # async fn example(people: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// let mut cursor = people.find(mongo_actors::bson::doc! {}).lazy();
    /// assert_eq!(cursor.cursor_id(), None);
    /// let first = cursor.try_next().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn lazy(self) -> Cursor<T> {
        Cursor::unstarted(self.origin())
    }

    /// The different values that the field `key` has in the documents that match, with the same collation, comment,
    /// hint and limits of time.
    pub fn distinct(self, key: impl Into<String>) -> Distinct<'a> {
        let FindOptions { max_time, selection_criteria, read_concern, collation, comment, hint, .. } = self.options;
        let options = DistinctOptions { max_time, selection_criteria, read_concern, collation, comment, hint };
        Distinct::new(self.collection, key.into(), self.filter, options, self.timeout, None)
    }

    /// How the server would execute it.
    pub fn explain(self) -> Explain<'a> {
        let origin = self
            .filter
            .and_then(|filter| Ok(FindCommand::many(&self.collection.namespace, &filter, &self.options).request()?));
        Explain::new(self.collection.call(), origin, self.options.selection_criteria, self.timeout, None)
    }
}

awaitable! { ['a, T: 'a] Find<'a, T> => Cursor<T> {
    fn into_future(self) -> Self::IntoFuture {
        let mut cursor = self.lazy();
        ActionFuture::new(async move {
            cursor.start().await?;
            Ok(cursor)
        })
    }
} }

awaitable! { ['a, T: 'a] Find<'a, T, ExplicitSession<'a>> => SessionCursor<T> {
    fn into_future(self) -> Self::IntoFuture {
        let Self { collection, filter, options, timeout, session: ExplicitSession(session), .. } = self;
        let origin = FindOrigin { collection: collection.clone(), filter, options, timeout };
        ActionFuture::new(async move {
            let prepared = origin.prepare(Some(session))?;
            let terms = origin.terms(&prepared);
            let executed = session.client().execute(prepared).await?;
            let codec = &collection.settings().codec_options;
            Ok(SessionCursor::of(Core::opened(session.client(), codec, terms, executed)?))
        })
    }
} }

/// Finds documents in raw batches. Made by [`Collection::find_raw_batches`]; awaiting it gives a [`RawBatchCursor`].
#[derive(Clone)]
#[must_use = "operations do nothing unless they are awaited"]
pub struct FindRawBatches<'a> {
    collection: &'a Arc<CollectionHandle>,
    filter: Result<RawDocumentBuf>,
    options: FindOptions,
    timeout: Option<Duration>,
}

fluent! { ['a] FindRawBatches<'a>, FindOptions {
    allow_disk_use, allow_partial_results, batch_size, collation, comment, cursor_type, hint, let_vars, limit, max,
    max_await_time, max_scan, max_time, min, no_cursor_timeout, oplog_replay, projection, read_concern, return_key,
    selection_criteria, show_record_id, skip, snapshot, sort, timeout_mode,
} }

awaitable! { ['a] FindRawBatches<'a> => RawBatchCursor {
    fn into_future(self) -> Self::IntoFuture {
        let Self { collection, filter, options, timeout } = self;
        let origin = FindOrigin { collection: collection.clone(), filter, options, timeout };
        let mut cursor = Cursor::<RawDocumentBuf>::unstarted(origin);
        ActionFuture::new(async move {
            cursor.start().await?;
            Ok(cursor.into_raw_batches())
        })
    }
} }

/// Finds one document. Made by [`Collection::find_one`]; awaiting it gives the document, if there is one.
#[must_use = "operations do nothing unless they are awaited"]
pub struct FindOne<'a, T> {
    collection: &'a Arc<CollectionHandle>,
    filter: Result<RawDocumentBuf>,
    options: FindOneOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
    documents: PhantomData<fn() -> T>,
}

fluent! { ['a, T] FindOne<'a, T>, FindOneOptions {
    session,
    allow_disk_use, allow_partial_results, collation, comment, hint, let_vars, max, max_scan, max_time, min, projection,
    read_concern, return_key, selection_criteria, show_record_id, skip, sort,
} }

awaitable! { ['a, T: DeserializeOwned + 'a] FindOne<'a, T> => Option<T> {
    fn into_future(self) -> Self::IntoFuture {
        let handle = &**self.collection;
        let options = &self.options;
        let prepared = self.filter.and_then(|filter| {
            let call = handle.call()
                .selection_criteria(options.selection_criteria.as_ref())
                .read_concern(options.read_concern.as_ref())
                .timeout(self.timeout).session(self.session);
            call.prepare(&FindCommand::one(&handle.namespace, &filter, options))
        });
        ActionFuture::of(handle.client(), prepared, |body| {
            let first = CursorReply::read(require(body)?)?.first()?;
            first.map(|document| decode(document.as_bytes(), &handle.settings().codec_options)).transpose()
        })
    }
} }
