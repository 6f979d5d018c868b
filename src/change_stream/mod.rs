//! Change streams: what happens in a collection, a database or a whole deployment, as it happens.
//!
//! A stream is opened by [`Collection::watch`](crate::Collection::watch), [`Database::watch`](crate::Database::watch)
//! or [`Client::watch`](crate::Client::watch). Prefer them to an aggregation with a `$changeStream` stage of your own:
//! only they can resume.
//!
//! # Resuming
//!
//! A [`ChangeStream`] survives elections, lost connections, cursors that were killed and its own actor's crash: it opens
//! a new cursor behind the event that it handed out last, so that none is lost and none repeated. It does so once per
//! failure; when that fails too, the error is reported. After an error that passes (a timeout, no server in reach) the
//! stream is still [alive](ChangeStream::is_alive), and the next call goes on where it stands; after any other it has
//! ended.
//!
//! To go on after the application itself was restarted, store [`resume_token`](ChangeStream::resume_token) with what
//! was made of the events, and pass it to [`start_after`](crate::action::Watch::start_after). To store each token, also
//! those of the time in which nothing happens, iterate with [`next_if_any`](ChangeStream::next_if_any):
//!
//! ```no_run
//! use mongo_actors::{Collection, bson::Document, change_stream::ResumeToken};
//!
//! # async fn process(event: mongo_actors::change_stream::event::ChangeStreamEvent<Document>) {}
//! # async fn store(token: Option<ResumeToken>) {}
//! # async fn example(orders: Collection, last: Option<ResumeToken>) -> mongo_actors::error::Result<()> {
//! let mut changes = match last {
//!     Some(token) => orders.watch().start_after(token).await?,
//!     None => orders.watch().await?,
//! };
//! while changes.is_alive() {
//!     if let Some(event) = changes.next_if_any().await? {
//!         process(event).await;
//!     }
//!     store(changes.resume_token()).await;
//! }
//! # Ok(())
//! # }
//! ```

mod convert;
mod deliver;
pub mod event;
mod session;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    future::poll_fn,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::{Stream, stream::FusedStream};
use mongo_actors_engine::{ChangeStreamHandle, FetchedBatch, SharedSession, clock};
pub use mongo_actors_protocol::change_stream::ResumeToken;
use mongo_actors_protocol::{options::CodecOptions, retry::Budget};
use serde::de::DeserializeOwned;

use self::event::ChangeStreamEvent;
pub use self::{
    deliver::{Change, ChangeDelivery},
    session::SessionChangeStream,
};
use crate::{
    decode::decode_event,
    error::{Error, ErrorKind, Result},
};

/// The changes of what is watched. It is a [`Stream`] of `T`, which is a [`ChangeStreamEvent`] unless
/// [`with_type`](Self::with_type) says otherwise.
///
/// Changes are asked for when they are wanted, and at most one batch waits to be handed out: a reader that is slow costs
/// memory neither here nor on the server. Dropping the stream lets the driver close its cursor, in the background.
///
/// With a [`timeout`](crate::action::Watch::timeout), opening the stream and each call that waits for a change has that
/// time. After a timeout the stream can be read again: it resumes. If it times out before anything was received, the
/// server may be too slow to go through its history in that time: open another stream with more.
///
/// ```no_run
/// use mongo_actors::{Collection, change_stream::event::OperationType};
///
/// # async fn example(orders: Collection) -> mongo_actors::error::Result<()> {
/// let mut changes = orders.watch().await?;
/// while let Some(event) = changes.next().await {
///     let event = event?;
///     if event.operation_type == OperationType::Insert {
///         println!("{:?}", event.full_document);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a change stream returns nothing unless it is read, and is closed when it is dropped"]
pub struct ChangeStream<T = ChangeStreamEvent<bson::Document>> {
    inner: Box<Inner>,
    events: PhantomData<fn() -> T>,
}

struct Inner {
    handle: ChangeStreamHandle,
    codec: CodecOptions,
    timeout: Option<Duration>,
    /// The call going on.
    call: Call,
}

/// A call that waits for what comes next.
#[derive(Default)]
struct Call {
    /// The time that it has.
    budget: Option<Budget>,
    /// Whether it has opened a cursor.
    has_opened: bool,
}

/// What a call waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// A change.
    Change,
    /// An answer of the server, changes or not.
    Answer,
}

impl<T> ChangeStream<T> {
    /// Opens it.
    pub(crate) async fn open(
        handle: ChangeStreamHandle,
        codec: CodecOptions,
        timeout: Option<Duration>,
        budget: Budget,
    ) -> Result<Self> {
        let mut inner = Box::new(Inner { handle, codec, timeout, call: Call::default() });
        inner.check_session()?;
        poll_fn(|cx| inner.handle.poll_fetch(budget, cx)).await?;
        Ok(Self { inner, events: PhantomData })
    }

    /// The same stream, its events read as `U`: for pipelines that change their shape.
    pub fn with_type<U>(self) -> ChangeStream<U> {
        ChangeStream { inner: self.inner, events: PhantomData }
    }

    fn session(&self) -> Option<&SharedSession> {
        self.inner.handle.session()
    }

    /// The place behind the last event that was returned, or behind what the server has looked at since: what to store
    /// in order to go on from here. None while the server has told no place.
    pub fn resume_token(&self) -> Option<ResumeToken> {
        self.inner.handle.resume_token().cloned()
    }

    /// Whether there may be more events. False once it was invalidated, or ended with an error.
    pub fn is_alive(&self) -> bool {
        self.inner.handle.delivery().is_alive()
    }

    /// Closes the stream on its server and waits for that, for two seconds at most, or for the stream's timeout if it has
    /// one. Dropping it does the same in the background.
    ///
    /// # Cancel safety
    /// It is closed when the future is dropped.
    pub async fn close(self) {
        self.inner.handle.close(None).await;
    }

    /// As [`close`](Self::close), which waits for at most `timeout`.
    ///
    /// # Cancel safety
    /// It is closed when the future is dropped.
    pub async fn close_within(self, timeout: Duration) {
        self.inner.handle.close(Some(timeout)).await;
    }
}

impl<T: DeserializeOwned> ChangeStream<T> {
    /// The next event. Waits for it if it has not happened yet. None once the stream has ended: after an `invalidate`,
    /// or an error from which it cannot go on.
    ///
    /// # Errors
    /// Those of reaching a server and of its refusal, after the stream has tried to resume;
    /// [`MissingResumeToken`](ErrorKind::MissingResumeToken) when the pipeline removes the events' `_id`, after which the
    /// stream has ended; and [`Deserialization`](ErrorKind::Deserialization) for an event that does not fit `T`, after
    /// which the next call goes on behind it. [`is_alive`](Self::is_alive) tells whether there is a next call.
    ///
    /// # Cancel safety
    /// No event is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<T>> {
        self.inner.call = Call::default();
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// As [`next`](Self::next), the error first.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    ///
    /// # Cancel safety
    /// No event is lost when the future is dropped.
    pub async fn try_next(&mut self) -> Result<Option<T>> {
        self.next().await.transpose()
    }

    /// The next event, if there is one within the time that the server waits for it
    /// ([`max_await_time`](crate::action::Watch::max_await_time)): asks it once, and once more if it had to resume. None
    /// when nothing came; the [`resume_token`](Self::resume_token) may have advanced all the same.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    ///
    /// # Cancel safety
    /// No event is lost when the future is dropped.
    pub async fn next_if_any(&mut self) -> Result<Option<T>> {
        self.inner.call = Call::default();
        let event = poll_fn(|cx| self.inner.poll_event(Patience::Answer, cx)).await?;
        event.map(|event| decode_event(&event, &self.inner.codec)).transpose()
    }
}

impl Inner {
    /// Whether the session that the stream runs in, if any, can be used for it now.
    fn check_session(&self) -> Result<()> {
        let Some(session) = self.handle.session() else { return Ok(()) };
        if session.has_ended() {
            return Err(Error::invalid_operation("the session that the change stream runs in has ended: open another"));
        }
        if session.in_transaction() {
            return Err(in_transaction());
        }
        Ok(session.begin_operation()?)
    }

    fn poll_event(&mut self, patience: Patience, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        let event = ready!(self.poll_undated(patience, cx));
        self.call = Call::default();
        Poll::Ready(event)
    }

    fn poll_undated(&mut self, patience: Patience, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        let mut answered = false;
        loop {
            if let Some(event) = self.handle.next_event() {
                return Poll::Ready(event.map(Some).map_err(Error::from));
            }
            if !self.handle.delivery().is_alive() || (answered && patience == Patience::Answer) {
                return Poll::Ready(Ok(None));
            }
            let timeout = self.timeout;
            let budget = *self.call.budget.get_or_insert_with(|| {
                Budget::beginning_at(clock::now(), timeout).within(crate::timeout::current().unwrap_or_default())
            });
            self.check_session()?;
            if budget.deadline().is_some_and(|deadline| deadline <= clock::now()) && answered {
                return Poll::Ready(Err(Error::new(ErrorKind::OperationTimeout)));
            }
            let batch = ready!(self.handle.poll_fetch(budget, cx))?;
            // A new cursor is asked once, too.
            answered = batch == FetchedBatch::Next || self.call.has_opened;
            self.call.has_opened = true;
        }
    }
}

/// Change streams take no part in transactions.
pub(crate) fn in_transaction() -> Error {
    Error::invalid_operation("a change stream cannot be used in a transaction: commit or abort that before")
}

impl<T: DeserializeOwned> Stream for ChangeStream<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let event = ready!(self.inner.poll_event(Patience::Change, cx)).transpose();
        Poll::Ready(event.map(|event| event.and_then(|event| decode_event(&event, &self.inner.codec))))
    }
}

impl<T: DeserializeOwned> FusedStream for ChangeStream<T> {
    fn is_terminated(&self) -> bool {
        !self.is_alive()
    }
}

impl<T> fmt::Debug for ChangeStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.handle.fmt(f)
    }
}
