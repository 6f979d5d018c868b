//! Each way in which bytes can violate the wire protocol.

use super::{CompressorId, OpCode};

/// A message that cannot be read, or must not be written. The connection it concerns must be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The header announces an impossible message length.
    #[error("the server announced a message of {length} bytes, which is outside {min}..={max}")]
    LengthOutOfRange {
        /// What the header says.
        length: i32,
        /// The shortest possible message of this kind.
        min: usize,
        /// The longest message this connection accepts.
        max: usize,
    },
    /// The operation code is not one of the protocol.
    #[error("the server sent a message with the unknown operation code {op_code}")]
    UnknownOpCode {
        /// What the header says.
        op_code: i32,
    },
    /// The operation code is known, but does not belong here.
    #[error("the server sent a message of the kind {op_code:?}, which is no reply")]
    UnexpectedOpCode {
        /// What the header says.
        op_code: OpCode,
    },
    /// Flag bits are set that a receiver must understand, and we do not.
    #[error("the message has the unknown required flag bits {flags:#06x}")]
    UnknownRequiredFlags {
        /// The bits that are not understood.
        flags: u32,
    },
    /// The message claims to end in a checksum and is too short to hold one.
    #[error("the message claims to carry a checksum, but is too short to hold one")]
    ChecksumPresentButShort,
    /// The message ends inside a fixed field.
    #[error("the message ends inside its {field}")]
    Truncated {
        /// Which field.
        field: &'static str,
    },
    /// A section is of a kind that the protocol does not define.
    #[error("the message has a section of the unknown kind {kind}")]
    UnknownSectionKind {
        /// The kind byte.
        kind: u8,
    },
    /// The length of a section does not fit the message.
    #[error("the message has a section of {length} bytes where {available} are left")]
    SectionLengthOutOfRange {
        /// What the section says.
        length: i32,
        /// The bytes from the section's start to the message's end.
        available: usize,
    },
    /// The name of a document sequence is not a zero-terminated UTF-8 text.
    #[error("the name of a document sequence is not valid")]
    InvalidSequenceIdentifier,
    /// Two document sequences have one name.
    #[error("the message has two document sequences with one name")]
    DuplicateSequence,
    /// There are more document sequences than any command has arguments for.
    #[error("the message has more than {max} document sequences")]
    TooManySequences {
        /// The most that are accepted.
        max: usize,
    },
    /// A document sequence holds bytes that are not whole documents.
    #[error("a document sequence of the message holds bytes that are not documents")]
    InvalidSequence,
    /// There is no command or reply document.
    #[error("the message has no document")]
    MissingBody,
    /// There is more than one command or reply document.
    #[error("the message has more than one document where exactly one is allowed")]
    DuplicateBody,
    /// The body is not a document.
    #[error("the message's document is not valid BSON: {reason}")]
    InvalidDocument {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Documents are nested so deeply that decoding them would exhaust the stack.
    #[error("the message's document is nested more than {max} levels deep")]
    NestedTooDeep {
        /// The deepest accepted level.
        max: usize,
    },
    /// A reply answers another request than the one that is outstanding.
    #[error("the server answered request {received} where the answer to request {expected} was due")]
    ResponseToMismatch {
        /// The request that waits for its answer.
        expected: i32,
        /// The request that the reply names.
        received: i32,
    },
    /// A reply announces further ones, which nobody has asked for.
    #[error("the server announced replies that nobody has asked for (moreToCome)")]
    UnrequestedReplies,
    /// An outgoing message is larger than the server accepts.
    #[error("the message takes {length} bytes, but the server accepts at most {max}")]
    MessageTooLarge {
        /// Its length.
        length: usize,
        /// `maxMessageSizeBytes` of the server.
        max: usize,
    },
    /// A compressor id that the protocol does not define.
    #[error("the message is compressed with the unknown algorithm {id}")]
    UnknownCompressor {
        /// The id byte.
        id: u8,
    },
    /// A compressed message announces an impossible size.
    #[error("a compressed message announces {size} bytes, which is outside 0..={max}")]
    UncompressedSizeOutOfRange {
        /// What it says.
        size: i32,
        /// The most this connection accepts.
        max: usize,
    },
    /// A compressed message has another size than it announced.
    #[error("a compressed message announced {expected} bytes and holds {actual}")]
    UncompressedSizeMismatch {
        /// What it announced.
        expected: usize,
        /// What it holds.
        actual: usize,
    },
    /// A compressed message holds a compressed message.
    #[error("a compressed message holds another compressed message")]
    NestedCompression,
    /// The algorithm cannot compress a message.
    #[error("a message cannot be compressed with {compressor}: {reason}")]
    CompressionFailed {
        /// The algorithm.
        compressor: CompressorId,
        /// What its library says.
        reason: String,
    },
    /// The algorithm's decoder refuses the data.
    #[error("the data of a {compressor} message cannot be decompressed: {reason}")]
    DecompressionFailed {
        /// The algorithm.
        compressor: CompressorId,
        /// What its decoder says.
        reason: String,
    },
    /// The algorithm is not part of this build.
    #[error("the server compressed a message with {compressor}, which this build cannot decompress")]
    CompressorUnavailable {
        /// The algorithm.
        compressor: CompressorId,
    },
}
