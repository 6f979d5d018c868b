//! What a scripted server can answer.

use std::time::Duration;

use bson::{Document, doc};

use crate::wire::message::error_document;

/// An answer to a command, proper or not.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reply {
    /// A proper reply.
    Document(Document),
    /// A reply that refers to a request that was never sent.
    WrongResponseTo(Document),
    /// A reply whose header claims this length in bytes, whatever its true one.
    Length {
        /// The reply.
        document: Document,
        /// The length in the header; the true one is kept when this is 0.
        length: i32,
    },
    /// The first bytes of a reply, then the end of the connection.
    Truncated {
        /// The reply.
        document: Document,
        /// How many bytes of its message are sent.
        bytes: usize,
    },
    /// These bytes instead of a message.
    Raw(Vec<u8>),
    /// An OP_COMPRESSED message of these fields, which need not belong together.
    Compressed {
        /// The operation code of the message inside; 2013 for an ordinary reply.
        original_op_code: i32,
        /// How long the message inside claims to be, without its header.
        uncompressed_size: i32,
        /// The id of the algorithm.
        compressor: u8,
        /// What stands for the compressed bytes.
        data: Vec<u8>,
    },
    /// The end of the connection, in order.
    Close,
    /// The end of the connection by a TCP reset.
    Reset,
    /// Nothing, while the connection stays open.
    Never,
    /// Several replies to one command, each but the last with the flag `moreToCome`.
    Stream(Vec<Document>),
    /// The same reply with the flag `moreToCome` again and again, this far apart, until the connection ends.
    Endless {
        /// The reply.
        document: Document,
        /// The time between two.
        every: Duration,
    },
    /// Another reply, later.
    Delayed(Duration, Box<Reply>),
    /// Another reply, then the end of the connection.
    ThenClose(Box<Reply>),
}

impl Reply {
    /// A proper reply.
    pub fn document(document: Document) -> Self {
        Self::Document(document)
    }

    /// `ok: 1` and nothing else.
    pub fn ok() -> Self {
        Self::Document(doc! { "ok": 1.0 })
    }

    /// An error reply.
    pub fn error(code: i32, code_name: &str, message: &str) -> Self {
        Self::Document(error_document(code, code_name, message))
    }

    /// A cursor with one batch and no more to come. `namespace` is database and collection with a dot between.
    pub fn cursor(namespace: &str, documents: impl IntoIterator<Item = Document>) -> Self {
        let batch: Vec<_> = documents.into_iter().collect();
        Self::Document(doc! { "cursor": { "firstBatch": batch, "id": 0_i64, "ns": namespace }, "ok": 1.0 })
    }

    /// This reply, later.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self::Delayed(delay, Box::new(self))
    }

    /// This reply, then the end of the connection.
    #[must_use]
    pub fn then_close(self) -> Self {
        Self::ThenClose(Box::new(self))
    }
}
