//! Change streams of a session.

use std::{fmt, time::Duration};

use bson::Document;
use serde::de::DeserializeOwned;

use super::{ChangeStream, ResumeToken, event::ChangeStreamEvent};
use crate::{
    error::{Error, Result},
    session::ClientSession,
};

/// A change stream in a session. It is read with the session at hand, which is free for other operations in between, but
/// for transactions: a change stream takes no part in them.
///
/// In a session that is causally consistent the stream tells of nothing that happened before what the session has seen.
///
/// ```no_run
/// # async fn example(orders: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
/// use mongo_actors::bson::doc;
///
/// let mut session = orders.client().start_session().await?;
/// let mut changes = orders.watch().session(&mut session).await?;
/// while let Some(event) = changes.next(&mut session).await.transpose()? {
///     let order = event.full_document.unwrap_or_default();
///     orders.update_one(order, doc! { "$set": { "seen": true } }).session(&mut session).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a change stream returns nothing unless it is read, and is closed when it is dropped"]
pub struct SessionChangeStream<T = ChangeStreamEvent<Document>>(ChangeStream<T>);

impl<T> SessionChangeStream<T> {
    pub(crate) fn of(stream: ChangeStream<T>) -> Self {
        Self(stream)
    }

    /// The same stream, its events read as `U`.
    pub fn with_type<U>(self) -> SessionChangeStream<U> {
        SessionChangeStream(self.0.with_type())
    }

    /// See [`ChangeStream::resume_token`].
    pub fn resume_token(&self) -> Option<ResumeToken> {
        self.0.resume_token()
    }

    /// See [`ChangeStream::is_alive`].
    pub fn is_alive(&self) -> bool {
        self.0.is_alive()
    }

    /// Closes the stream on its server and waits for that. Dropping it does the same in the background.
    ///
    /// # Cancel safety
    /// It is closed when the future is dropped.
    pub async fn close(self) {
        self.0.close().await;
    }

    /// As [`close`](Self::close), which waits for at most `timeout`.
    ///
    /// # Cancel safety
    /// It is closed when the future is dropped.
    pub async fn close_within(self, timeout: Duration) {
        self.0.close_within(timeout).await;
    }

    fn check(&self, session: &ClientSession) -> Result<()> {
        match self.0.session().is_some_and(|own| own.mark().is_of(session.shared())) {
            true => Ok(()),
            false => Err(Error::invalid_argument(
                "session",
                "the change stream was opened in another session: pass that one",
            )),
        }
    }
}

impl<T: DeserializeOwned> SessionChangeStream<T> {
    /// The next event. Waits for it if it has not happened yet. None once the stream has ended.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) for another session than the stream's,
    /// [`InvalidOperation`](crate::error::ErrorKind::InvalidOperation) while the session is in a transaction, and those
    /// of [`ChangeStream::next`].
    ///
    /// # Cancel safety
    /// No event is lost when the future is dropped. The request for more goes on; the session's next operation waits for
    /// it.
    pub async fn next(&mut self, session: &mut ClientSession) -> Option<Result<T>> {
        match self.check(session) {
            Ok(()) => self.0.next().await,
            Err(error) => Some(Err(error)),
        }
    }

    /// As [`next`](Self::next), the error first.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    ///
    /// # Cancel safety
    /// As [`next`](Self::next).
    pub async fn try_next(&mut self, session: &mut ClientSession) -> Result<Option<T>> {
        self.next(session).await.transpose()
    }

    /// The next event, if there is one within the time that the server waits for it; see
    /// [`ChangeStream::next_if_any`].
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    ///
    /// # Cancel safety
    /// As [`next`](Self::next).
    pub async fn next_if_any(&mut self, session: &mut ClientSession) -> Result<Option<T>> {
        self.check(session)?;
        self.0.next_if_any().await
    }
}

impl<T> fmt::Debug for SessionChangeStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
