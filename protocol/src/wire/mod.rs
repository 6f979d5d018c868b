//! The wire protocol: framing of messages in both directions, without any I/O.
//!
//! A request is written from its parts ([`MessageParts`]) with one copy of the command document and none of its
//! document sequences. Replies are cut out of the bytes that came from the socket ([`MessageReader`]) and stay slices
//! of them ([`ReplyBody`]). Follows the OP_MSG and OP_COMPRESSED specifications.
//!
//! Whatever a peer sends is judged before memory is set aside for it, and each fault is a [`WireError`] of its own.

mod compressed;
mod error;
mod fields;
mod header;
mod message;
mod nesting;
mod reader;
mod reply;
mod sequence;
mod tail;

pub use compressed::{CompressedFrame, CompressedMessage, CompressorId, may_compress};
pub use error::WireError;
pub(crate) use fields::{Field, Fields, NotBson};
pub use header::{Header, MessageFlags, OpCode};
pub use message::MessageParts;
pub use nesting::MAX_NESTING;
pub use reader::{Frame, MessageReader};
pub use reply::{InvalidBody, ReplyBody, ReplyMessage};
use sequence::split_document;
pub use sequence::{DocumentSequence, Documents, InvalidSequence};
pub use tail::TailWriter;

/// Bytes of a message header.
pub const HEADER_LEN: usize = 16;
/// The largest message, in bytes, that servers accept and send unless their hello reply says otherwise.
pub const DEFAULT_MAX_MESSAGE_SIZE: usize = 48_000_000;
/// The largest document, in bytes, that servers store unless their hello reply says otherwise.
pub const DEFAULT_MAX_BSON_OBJECT_SIZE: usize = 16 * 1024 * 1024;
/// The most write statements in one command unless the server's hello reply says otherwise.
pub const DEFAULT_MAX_WRITE_BATCH_SIZE: usize = 100_000;
/// Bytes that a command document may be larger than the largest stored document, for what surrounds it.
pub const COMMAND_OVERHEAD: usize = 16 * 1024;

#[cfg(test)]
mod tests;
