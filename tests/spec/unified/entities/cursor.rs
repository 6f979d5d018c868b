//! Cursors and change streams.

use std::{sync::Arc, time::Duration};

use bson::{Bson, Document};
use mongo_actors::{
    Cursor, Result, SessionCursor,
    change_stream::{ChangeStream, SessionChangeStream},
};
use tokio::sync::Mutex;

use super::SessionEntity;
use crate::unified::failure::{Attempt, failure};

/// A cursor or a change stream, until it is closed.
pub(crate) struct CursorEntity(Mutex<Option<Opened>>);

enum Opened {
    Plain(Cursor<Document>),
    InSession(SessionCursor<Document>, Arc<SessionEntity>),
    Changes(ChangeStream<Document>),
    ChangesInSession(SessionChangeStream<Document>, Arc<SessionEntity>),
}

impl Opened {
    async fn try_next(&mut self) -> Result<Option<Document>> {
        match self {
            Self::Plain(cursor) => cursor.try_next().await,
            Self::InSession(cursor, owner) => cursor.try_next(&mut *owner.lock().await).await,
            Self::Changes(changes) => changes.try_next().await,
            Self::ChangesInSession(changes, owner) => changes.try_next(&mut *owner.lock().await).await,
        }
    }

    async fn try_next_nonblocking(&mut self) -> Result<Option<Document>> {
        match self {
            Self::Plain(cursor) => cursor.try_next_nonblocking().await,
            Self::InSession(cursor, owner) => cursor.try_next_nonblocking(&mut *owner.lock().await).await,
            Self::Changes(changes) => changes.next_if_any().await,
            Self::ChangesInSession(changes, owner) => changes.next_if_any(&mut *owner.lock().await).await,
        }
    }

    fn is_alive(&self) -> bool {
        match self {
            Self::Plain(cursor) => cursor.is_alive(),
            Self::InSession(cursor, _) => cursor.is_alive(),
            Self::Changes(changes) => changes.is_alive(),
            Self::ChangesInSession(changes, _) => changes.is_alive(),
        }
    }

    async fn close(self, within: Option<Duration>) {
        match (self, within) {
            (Self::Plain(cursor), None) => cursor.close().await,
            (Self::Plain(cursor), Some(limit)) => cursor.close_within(limit).await,
            (Self::InSession(cursor, owner), None) => cursor.close(&mut *owner.lock().await).await,
            (Self::InSession(cursor, owner), Some(limit)) => {
                cursor.close_within(&mut *owner.lock().await, limit).await;
            }
            (Self::Changes(changes), None) => changes.close().await,
            (Self::Changes(changes), Some(limit)) => changes.close_within(limit).await,
            (Self::ChangesInSession(changes, _), None) => changes.close().await,
            (Self::ChangesInSession(changes, _), Some(limit)) => changes.close_within(limit).await,
        }
    }
}

impl CursorEntity {
    pub(crate) fn new(cursor: Cursor<Document>) -> Self {
        Self(Mutex::new(Some(Opened::Plain(cursor))))
    }

    /// A cursor that is read with the session of `owner`.
    pub(crate) fn in_session(cursor: SessionCursor<Document>, owner: &Arc<SessionEntity>) -> Self {
        Self(Mutex::new(Some(Opened::InSession(cursor, owner.clone()))))
    }

    pub(crate) fn of_changes(changes: ChangeStream<Document>) -> Self {
        Self(Mutex::new(Some(Opened::Changes(changes))))
    }

    /// A change stream that is read with the session of `owner`.
    pub(crate) fn of_session_changes(changes: SessionChangeStream<Document>, owner: &Arc<SessionEntity>) -> Self {
        Self(Mutex::new(Some(Opened::ChangesInSession(changes, owner.clone()))))
    }

    /// The next document, whatever it takes.
    pub(crate) async fn iterate_until_document_or_error(&self) -> Attempt<Bson> {
        let mut cursor = self.0.lock().await;
        let cursor = cursor.as_mut().ok_or_else(|| failure!("the cursor is closed"))?;
        loop {
            match cursor.try_next().await? {
                Some(document) => return Ok(document.into()),
                None if !cursor.is_alive() => return Err(failure!("the cursor has no more documents").into()),
                None => {}
            }
        }
    }

    /// A document of this batch, or of the next one, if there is any.
    pub(crate) async fn iterate_once(&self) -> Attempt<Option<Bson>> {
        let mut cursor = self.0.lock().await;
        let cursor = cursor.as_mut().ok_or_else(|| failure!("the cursor is closed"))?;
        Ok(cursor.try_next_nonblocking().await?.map(Into::into))
    }

    pub(crate) async fn close(&self, within: Option<Duration>) {
        if let Some(cursor) = self.0.lock().await.take() {
            cursor.close(within).await;
        }
    }
}
