//! Cursors: results that come in batches.

mod accessors;
mod core;
mod origin;
mod raw;
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

use bson::Document;
use bytes::Bytes;
use futures_core::{Stream, stream::FusedStream};
use mongo_actors_protocol::command::Batch;
use serde::de::DeserializeOwned;

use self::accessors::{accessors, current_document};
pub(crate) use self::{
    core::{Core, Terms},
    origin::FindOrigin,
};
pub use self::{
    raw::{RawBatch, RawBatchCursor, RawDocuments},
    session::{SessionCursor, SessionCursorStream},
};
use crate::{
    action::Find,
    decode::decode,
    error::{Error, Result},
};

/// The results of a query or command, which the server hands out in batches. It is a [`Stream`].
///
/// A batch is asked for when one is needed and the last is used up: an idle cursor costs the server nothing but memory.
/// Dropping the cursor lets the driver close it on the server, in the background; a cursor that was read to its end is
/// closed there already.
///
/// Documents are read straight from the bytes that came from the socket. Four ways to get at them:
///
/// ```no_run
/// use futures_util::TryStreamExt;
/// use mongo_actors::{Collection, bson::doc};
///
/// # async fn example(orders: Collection) -> mongo_actors::error::Result<()> {
/// // One by one.
/// let mut cursor = orders.find(doc! {}).await?;
/// while let Some(order) = cursor.next().await {
///     println!("{}", order?);
/// }
/// // All at once: the next batch is on its way while one is being read.
/// let all = orders.find(doc! {}).await?.to_vec().await?;
/// // With the combinators of streams.
/// let two: Vec<_> = orders.find(doc! {}).await?.try_filter(|_| async { true }).try_collect().await?;
/// // Without copying.
/// let mut cursor = orders.find(doc! {}).await?;
/// while cursor.advance().await? {
///     let item = cursor.current().and_then(|order| order.get_str("item").ok());
///     println!("{item:?}");
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a cursor returns nothing unless it is read, and is closed when it is dropped"]
pub struct Cursor<T = Document> {
    core: Box<Core>,
    documents: PhantomData<fn() -> T>,
}

impl<T> Cursor<T> {
    pub(crate) fn unstarted(origin: FindOrigin) -> Self {
        let terms = origin.first_terms();
        let client = origin.collection.client().clone();
        let codec = origin.collection.settings().codec_options.clone();
        Self { core: Box::new(Core::unstarted(client, codec, origin, terms)), documents: PhantomData }
    }

    pub(crate) fn of(core: Core) -> Self {
        Self { core: Box::new(core), documents: PhantomData }
    }

    /// Sends the command that opens the cursor, if that was not done yet.
    ///
    /// # Errors
    /// Those of the command.
    ///
    /// # Cancel safety
    /// When the future is dropped, the cursor is as it was before.
    pub async fn start(&mut self) -> Result<()> {
        self.core.start().await
    }

    /// The same cursor, its documents read as `U`.
    pub fn with_type<U>(self) -> Cursor<U> {
        Cursor { core: self.core, documents: PhantomData }
    }

    /// The same cursor, handing out whole batches of raw documents.
    pub fn into_raw_batches(self) -> RawBatchCursor {
        RawBatchCursor::new(self.core)
    }

    /// Steps to the next document, which [`current`](Self::current) then gives. Waits for it if it has not arrived yet.
    /// False at the end.
    ///
    /// # Errors
    /// Those of asking for more documents. The cursor is at its end afterwards.
    ///
    /// # Cancel safety
    /// No document is lost when the future is dropped.
    pub async fn advance(&mut self) -> Result<bool> {
        poll_fn(|cx| self.core.poll_batch(cx, true)).await?;
        self.core.step()
    }

    /// The next document as it came from the server; none at the end.
    pub(crate) fn poll_next_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        ready!(self.core.poll_batch(cx, true))?;
        Poll::Ready(self.core.next_document().transpose())
    }

    /// Closes the cursor on its server and waits for that. An error is left to the driver to deal with, in the
    /// background. Dropping the cursor does the same without waiting.
    ///
    /// # Cancel safety
    /// The cursor is closed when the future is dropped.
    pub async fn close(mut self) {
        self.core.close(None).await;
    }

    /// As [`close`](Self::close), which waits for at most `timeout`. Without, that of the operation which opened the
    /// cursor holds for the closing anew.
    ///
    /// # Cancel safety
    /// The cursor is closed when the future is dropped.
    pub async fn close_within(mut self, timeout: Duration) {
        self.core.close(Some(timeout)).await;
    }

    /// Closes the cursor on its server, and goes back to before it was opened: it can be read again from the
    /// beginning.
    ///
    /// # Errors
    /// [`InvalidOperation`](crate::error::ErrorKind::InvalidOperation) unless it is the cursor of a find.
    ///
    /// # Cancel safety
    /// When the future is dropped, the cursor is at its end.
    pub async fn rewind(&mut self) -> Result<()> {
        self.core.rewind().await
    }

    /// The find that this is the cursor of, with the same options, not sent yet; none for cursors of other commands.
    pub fn clone_unstarted(&self) -> Option<Find<'_, T>> {
        self.core.origin().map(Find::again)
    }
}

accessors! { [T] Cursor<T> }
current_document! { Cursor }

impl<T: DeserializeOwned> Cursor<T> {
    /// The next document. Waits for it if it has not arrived yet. None at the end; for a tailable cursor that does not
    /// await data also when there is nothing now, while [`is_alive`](Self::is_alive) says that there may be later.
    ///
    /// # Errors
    /// Those of asking for more documents, after which the cursor is at its end; and
    /// [`Deserialization`](crate::error::ErrorKind::Deserialization) for a document that does not fit `T`, after which
    /// the next call goes on with the document behind it.
    ///
    /// # Cancel safety
    /// No document is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<T>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// As [`next`](Self::next), the error first.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    ///
    /// # Cancel safety
    /// No document is lost when the future is dropped.
    pub async fn try_next(&mut self) -> Result<Option<T>> {
        self.next().await.transpose()
    }

    /// The next document, if it has arrived or the server has one at hand: asks it once at most. None when nothing
    /// came; whether something may come later is told by [`is_alive`](Self::is_alive).
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    ///
    /// # Cancel safety
    /// No document is lost when the future is dropped.
    pub async fn try_next_nonblocking(&mut self) -> Result<Option<T>> {
        poll_fn(|cx| self.core.poll_batch(cx, false)).await?;
        self.core.decode_next().transpose()
    }

    /// All documents from here on. While the documents of one batch are being read, the next is on its way.
    ///
    /// # Errors
    /// Those of [`next`](Self::next); what was read until then is lost.
    ///
    /// # Cancel safety
    /// Documents that were read until then are lost when the future is dropped.
    pub async fn to_vec(&mut self) -> Result<Vec<T>> {
        let mut all = Vec::new();
        loop {
            let batch = self.core.take_batch();
            // Only to get it going: what it brings is looked at after this batch.
            let ahead = poll_fn(|cx| Poll::Ready(self.core.poll_batch(cx, true))).await;
            self.decode_all(batch, &mut all)?;
            let more = match ahead {
                Poll::Ready(more) => more?,
                Poll::Pending => poll_fn(|cx| self.core.poll_batch(cx, true)).await?,
            };
            if !more {
                return Ok(all);
            }
        }
    }

    /// The next `count` documents, or as many as there are.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) when `count` is 0, and those of
    /// [`next`](Self::next); what was read until then is lost.
    ///
    /// # Cancel safety
    /// Documents that were read until then are lost when the future is dropped.
    pub async fn next_many(&mut self, count: usize) -> Result<Vec<T>> {
        if count == 0 {
            return Err(Error::invalid_argument("count", "it must be at least 1"));
        }
        let mut some = Vec::new();
        while some.len() < count
            && let Some(document) = self.try_next().await?
        {
            some.push(document);
        }
        Ok(some)
    }

    fn decode_all(&self, mut batch: Batch, all: &mut Vec<T>) -> Result<()> {
        while let Some(document) = batch.next_document() {
            all.push(decode(document?.as_bytes(), self.core.codec())?);
        }
        Ok(())
    }
}

impl<T: DeserializeOwned> Stream for Cursor<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        match ready!(self.core.poll_batch(cx, true)) {
            Ok(_) => Poll::Ready(self.core.decode_next()),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }
}

impl<T: DeserializeOwned> FusedStream for Cursor<T> {
    fn is_terminated(&self) -> bool {
        !self.is_alive()
    }
}

impl<T> fmt::Debug for Cursor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}
