//! Whole batches, as they came from the server.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bson::RawDocument;
use bytes::Bytes;
use futures_core::Stream;
use mongo_actors_protocol::command::{Batch, BatchDocuments};

use super::{accessors::accessors, core::Core};
use crate::error::{Error, Result};

/// A cursor that hands out whole batches. It is a [`Stream`]; empty batches are left out.
///
/// ```no_run
/// # async fn example(orders: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
/// use mongo_actors::bson::doc;
///
/// let mut batches = orders.find_raw_batches(doc! {}).batch_size(1000).await?;
/// while let Some(batch) = batches.next().await {
///     for order in &batch? {
///         println!("{:?}", order?.get_str("item"));
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a cursor returns nothing unless it is read, and is closed when it is dropped"]
pub struct RawBatchCursor {
    core: Box<Core>,
}

/// The documents of one batch. They share the memory of the server's reply: nothing is copied, neither here nor when
/// it is cloned.
#[derive(Clone)]
pub struct RawBatch(Batch);

impl RawBatchCursor {
    pub(super) fn new(core: Box<Core>) -> Self {
        Self { core }
    }

    /// The next batch. Waits for it if it has not arrived yet. None at the end.
    ///
    /// # Errors
    /// Those of asking for more documents. The cursor is at its end afterwards.
    ///
    /// # Cancel safety
    /// No batch is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<RawBatch>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// As [`next`](Self::next), the error first.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    ///
    /// # Cancel safety
    /// No batch is lost when the future is dropped.
    pub async fn try_next(&mut self) -> Result<Option<RawBatch>> {
        self.next().await.transpose()
    }

    /// Closes the cursor on its server and waits for that; see [`Cursor::close`](super::Cursor::close).
    ///
    /// # Cancel safety
    /// The cursor is closed when the future is dropped.
    pub async fn close(mut self) {
        self.core.close(None).await;
    }

    /// As [`close`](Self::close), which waits for at most `timeout`; see
    /// [`Cursor::close_within`](super::Cursor::close_within).
    ///
    /// # Cancel safety
    /// The cursor is closed when the future is dropped.
    pub async fn close_within(mut self, timeout: Duration) {
        self.core.close(Some(timeout)).await;
    }
}

accessors! { [] RawBatchCursor }

impl Stream for RawBatchCursor {
    type Item = Result<RawBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<RawBatch>>> {
        match ready!(self.core.poll_batch(cx, true)) {
            Ok(true) => Poll::Ready(Some(Ok(RawBatch(self.core.take_batch())))),
            Ok(false) => Poll::Ready(None),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }
}

impl fmt::Debug for RawBatchCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}

impl RawBatch {
    pub(super) fn new(batch: Batch) -> Self {
        Self(batch)
    }

    /// The documents, in order.
    pub fn iter(&self) -> RawDocuments<'_> {
        RawDocuments(self.0.iter())
    }

    /// How many documents there are. Takes time in proportion to their number.
    pub fn count(&self) -> usize {
        self.0.remaining()
    }

    /// The documents as slices that keep the batch's memory alive.
    ///
    /// # Errors
    /// [`InvalidReply`](crate::error::ErrorKind::InvalidReply) for an element that is not a document; those behind it
    /// are lost.
    pub fn into_documents(mut self) -> impl Iterator<Item = Result<Bytes>> {
        std::iter::from_fn(move || self.0.next_bytes()).map(|document| document.map_err(Error::from))
    }
}

/// Iterates over the documents of a [`RawBatch`].
#[derive(Clone, Debug)]
pub struct RawDocuments<'a>(BatchDocuments<'a>);

impl<'a> Iterator for RawDocuments<'a> {
    type Item = Result<&'a RawDocument>;

    /// The next document.
    ///
    /// [`InvalidReply`](crate::error::ErrorKind::InvalidReply) for an element that is not a document; those behind it
    /// are lost.
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|document| document.map_err(Error::from))
    }
}

impl<'a> IntoIterator for &'a RawBatch {
    type Item = Result<&'a RawDocument>;
    type IntoIter = RawDocuments<'a>;

    fn into_iter(self) -> RawDocuments<'a> {
        self.iter()
    }
}

impl fmt::Debug for RawBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
