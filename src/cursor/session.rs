//! Cursors of a session.

use std::{
    fmt,
    future::poll_fn,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bson::Document;
use futures_core::Stream;
use serde::de::DeserializeOwned;

use super::{
    RawBatch,
    accessors::{accessors, current_document},
    core::Core,
};
use crate::{
    error::{Error, Result},
    session::ClientSession,
};

/// The results of a query or command in a session. It is read with the session at hand, which is free for other
/// operations in between.
///
/// ```no_run
/// # async fn example(client: mongo_actors::Client, orders: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
/// use mongo_actors::bson::doc;
///
/// let mut session = client.start_session().await?;
/// let mut open = orders.find(doc! { "open": true }).session(&mut session).await?;
/// while let Some(order) = open.next(&mut session).await.transpose()? {
///     orders.update_one(order, doc! { "$set": { "open": false } }).session(&mut session).await?;
/// }
/// # Ok(())
/// # }
/// ```
///
/// Dropping the cursor lets the driver close it on the server, in the background.
#[must_use = "a cursor returns nothing unless it is read, and is closed when it is dropped"]
pub struct SessionCursor<T = Document> {
    core: Box<Core>,
    documents: PhantomData<fn() -> T>,
}

impl<T> SessionCursor<T> {
    pub(crate) fn of(core: Core) -> Self {
        Self { core: Box::new(core), documents: PhantomData }
    }

    /// The same cursor, its documents read as `U`.
    pub fn with_type<U>(self) -> SessionCursor<U> {
        SessionCursor { core: self.core, documents: PhantomData }
    }

    /// Steps to the next document, which [`current`](Self::current) then gives. Waits for it if it has not arrived yet.
    /// False at the end.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) for another session than the cursor's, and those
    /// of asking for more documents. After the latter the cursor is at its end.
    ///
    /// # Cancel safety
    /// No document is lost when the future is dropped. The request for more goes on; the session's next operation
    /// waits for it.
    pub async fn advance(&mut self, session: &mut ClientSession) -> Result<bool> {
        self.core.check_session(session)?;
        poll_fn(|cx| self.core.poll_batch(cx, true)).await?;
        self.core.step()
    }

    /// The next batch of documents, which are not copied. Waits for it if it has not arrived yet. None at the end.
    ///
    /// # Errors
    /// Those of [`advance`](Self::advance).
    ///
    /// # Cancel safety
    /// As [`advance`](Self::advance).
    pub async fn next_raw_batch(&mut self, session: &mut ClientSession) -> Result<Option<RawBatch>> {
        self.core.check_session(session)?;
        let more = poll_fn(|cx| self.core.poll_batch(cx, true)).await?;
        Ok(more.then(|| RawBatch::new(self.core.take_batch())))
    }

    /// Closes the cursor on its server and waits for that. An error is left to the driver to deal with, in the
    /// background. Dropping the cursor does the same without waiting.
    ///
    /// # Cancel safety
    /// The cursor is closed when the future is dropped.
    pub async fn close(mut self, session: &mut ClientSession) {
        self.close_by(session, None).await;
    }

    /// As [`close`](Self::close), which waits for at most `timeout`. Without, that of the operation which opened the
    /// cursor holds for the closing anew.
    ///
    /// # Cancel safety
    /// The cursor is closed when the future is dropped.
    pub async fn close_within(mut self, session: &mut ClientSession, timeout: Duration) {
        self.close_by(session, Some(timeout)).await;
    }

    async fn close_by(&mut self, session: &ClientSession, within: Option<Duration>) {
        if self.core.check_session(session).is_ok() {
            self.core.close(within).await;
        }
    }
}

accessors! { [T] SessionCursor<T> }
current_document! { SessionCursor }

impl<T: DeserializeOwned> SessionCursor<T> {
    /// The next document. Waits for it if it has not arrived yet. None at the end.
    ///
    /// # Errors
    /// Those of [`advance`](Self::advance), and [`Deserialization`](crate::error::ErrorKind::Deserialization) for a
    /// document that does not fit `T`, after which the next call goes on with the document behind it.
    ///
    /// # Cancel safety
    /// As [`advance`](Self::advance).
    pub async fn next(&mut self, session: &mut ClientSession) -> Option<Result<T>> {
        let mut stream = self.stream(session);
        poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await
    }

    /// As [`next`](Self::next), the error first.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    ///
    /// # Cancel safety
    /// As [`advance`](Self::advance).
    pub async fn try_next(&mut self, session: &mut ClientSession) -> Result<Option<T>> {
        self.next(session).await.transpose()
    }

    /// The next document, if it has arrived or the server has one at hand: asks it once at most. None when nothing
    /// came; whether something may come later is told by [`is_alive`](Self::is_alive).
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    ///
    /// # Cancel safety
    /// As [`advance`](Self::advance).
    pub async fn try_next_nonblocking(&mut self, session: &mut ClientSession) -> Result<Option<T>> {
        self.core.check_session(session)?;
        poll_fn(|cx| self.core.poll_batch(cx, false)).await?;
        self.core.decode_next().transpose()
    }

    /// All documents from here on.
    ///
    /// # Errors
    /// Those of [`next`](Self::next); what was read until then is lost.
    ///
    /// # Cancel safety
    /// Documents that were read until then are lost when the future is dropped.
    pub async fn to_vec(&mut self, session: &mut ClientSession) -> Result<Vec<T>> {
        let mut all = Vec::new();
        while let Some(document) = self.try_next(session).await? {
            all.push(document);
        }
        Ok(all)
    }

    /// The next `count` documents, or as many as there are.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) when `count` is 0, and those of
    /// [`next`](Self::next); what was read until then is lost.
    ///
    /// # Cancel safety
    /// Documents that were read until then are lost when the future is dropped.
    pub async fn next_many(&mut self, session: &mut ClientSession, count: usize) -> Result<Vec<T>> {
        if count == 0 {
            return Err(Error::invalid_argument("count", "it must be at least 1"));
        }
        let mut some = Vec::new();
        while some.len() < count
            && let Some(document) = self.try_next(session).await?
        {
            some.push(document);
        }
        Ok(some)
    }

    /// A [`Stream`] of the documents from here on, which borrows cursor and session. The cursor goes on behind what was
    /// taken from the stream.
    pub fn stream<'a>(&'a mut self, session: &'a mut ClientSession) -> SessionCursorStream<'a, T> {
        SessionCursorStream { cursor: self, session }
    }
}

/// The documents of a [`SessionCursor`] as a [`Stream`]. Made by [`SessionCursor::stream`].
#[must_use = "a stream returns nothing unless it is read"]
pub struct SessionCursorStream<'a, T = Document> {
    cursor: &'a mut SessionCursor<T>,
    session: &'a mut ClientSession,
}

impl<T: DeserializeOwned> Stream for SessionCursorStream<'_, T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let Self { cursor, session } = self.get_mut();
        if let Err(error) = cursor.core.check_session(session) {
            return Poll::Ready(Some(Err(error)));
        }
        match ready!(cursor.core.poll_batch(cx, true)) {
            Ok(_) => Poll::Ready(cursor.core.decode_next()),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }
}

impl<T> fmt::Debug for SessionCursor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}

impl<T> fmt::Debug for SessionCursorStream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cursor.fmt(f)
    }
}
