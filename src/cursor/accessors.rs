//! What can be asked of every kind of cursor.

use serde::Deserialize;

use super::core::Core;
use crate::{
    decode::borrow,
    error::{Error, Result},
};

/// Implements it for a cursor with the field `core`.
macro_rules! accessors {
    ([$($generics:tt)*] $cursor:ty) => {
        impl<$($generics)*> $cursor {
            /// Whether a document has arrived that was not handed out yet.
            pub fn has_next(&self) -> bool {
                self.core.has_next()
            }

            /// Whether there may be more documents. It may be true and nothing may come.
            pub fn is_alive(&self) -> bool {
                self.core.is_alive()
            }

            /// The server's number for the cursor: none before it was opened, 0 after it was closed there.
            pub fn cursor_id(&self) -> Option<i64> {
                self.core.id()
            }

            /// The server that it is on; none before it was opened, and when there was nothing to open it for.
            pub fn address(&self) -> Option<&mongo_actors_protocol::address::ServerAddress> {
                self.core.server()
            }

            /// The collection that it is of, as the server names it once it was opened.
            pub fn namespace(&self) -> Option<&mongo_actors_protocol::command::Namespace> {
                self.core.namespace()
            }

            /// How many documents were handed out so far.
            pub fn retrieved(&self) -> u64 {
                self.core.retrieved()
            }

            /// How many documents later batches shall have; 0 leaves it to the server.
            pub fn set_batch_size(&mut self, batch_size: u32) {
                self.core.terms.batch_size = Some(batch_size);
            }
        }
    };
}
pub(super) use accessors;

/// Implements the document at hand for a cursor of `T` with the field `core` and the method `advance`.
macro_rules! current_document {
    ($cursor:ident) => {
        impl<T> $cursor<T> {
            /// The document that the last [`advance`](Self::advance) stepped to; none before the first and after the
            /// end.
            pub fn current(&self) -> Option<&bson::RawDocument> {
                self.core.current().and_then(|document| bson::RawDocument::from_bytes(document).ok())
            }

            /// The current document as `T`, which may borrow from it.
            ///
            /// # Errors
            /// [`InvalidOperation`](crate::error::ErrorKind::InvalidOperation) when there is no current document,
            /// [`Deserialization`](crate::error::ErrorKind::Deserialization) when it does not fit `T`.
            pub fn deserialize_current<'a>(&'a self) -> crate::error::Result<T>
            where
                T: serde::Deserialize<'a>,
            {
                crate::cursor::accessors::deserialize_current(&self.core)
            }
        }
    };
}
pub(super) use current_document;

pub(super) fn deserialize_current<'a, T: Deserialize<'a>>(core: &'a Core) -> Result<T> {
    let document = core.current().ok_or_else(|| {
        Error::invalid_operation("the cursor has no current document: call advance first, and see that it is true")
    })?;
    borrow(document, core.codec())
}
