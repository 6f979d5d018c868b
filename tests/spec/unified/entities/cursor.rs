//! Cursors.

use bson::{Bson, Document};
use mongo_actors::Cursor;
use tokio::sync::Mutex;

use crate::unified::failure::{Attempt, failure};

/// A cursor, until it is closed.
pub(crate) struct CursorEntity(Mutex<Option<Cursor<Document>>>);

impl CursorEntity {
    pub(crate) fn new(cursor: Cursor<Document>) -> Self {
        Self(Mutex::new(Some(cursor)))
    }

    /// The next document, whatever it takes.
    pub(crate) async fn iterate_until_document_or_error(&self) -> Attempt<Bson> {
        let mut cursor = self.0.lock().await;
        let cursor = cursor.as_mut().ok_or_else(|| failure!("the cursor is closed"))?;
        let document = loop {
            match cursor.try_next().await? {
                Some(document) => break document,
                None if !cursor.is_alive() => return Err(failure!("the cursor has no more documents").into()),
                None => {}
            }
        };
        Ok(document.into())
    }

    /// A document of this batch, or of the next one, if there is any.
    pub(crate) async fn iterate_once(&self) -> Attempt<Option<Bson>> {
        let mut cursor = self.0.lock().await;
        let cursor = cursor.as_mut().ok_or_else(|| failure!("the cursor is closed"))?;
        Ok(cursor.try_next_nonblocking().await?.map(Into::into))
    }

    pub(crate) async fn close(&self) {
        if let Some(cursor) = self.0.lock().await.take() {
            cursor.close().await;
        }
    }
}
