//! Framing of compressed messages. The algorithms themselves are elsewhere.

use std::fmt;

use bytes::{Buf, Bytes};

use super::{Frame, HEADER_LEN, Header, OpCode, WireError};
use crate::options::Compressor;

/// A compression algorithm of the OP_COMPRESSED specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CompressorId {
    /// The message is not compressed at all; only used to test servers.
    Noop,
    /// Snappy.
    Snappy,
    /// zlib.
    Zlib,
    /// Zstandard.
    Zstd,
}

impl CompressorId {
    /// The id on the wire.
    pub const fn id(self) -> u8 {
        match self {
            Self::Noop => 0,
            Self::Snappy => 1,
            Self::Zlib => 2,
            Self::Zstd => 3,
        }
    }

    /// The name in handshakes and connection strings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Noop => "noop",
            Self::Snappy => "snappy",
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
        }
    }
}

impl From<Compressor> for CompressorId {
    fn from(compressor: Compressor) -> Self {
        match compressor {
            Compressor::Snappy => Self::Snappy,
            Compressor::Zlib { .. } => Self::Zlib,
            Compressor::Zstd { .. } => Self::Zstd,
        }
    }
}

impl TryFrom<u8> for CompressorId {
    type Error = WireError;

    fn try_from(id: u8) -> Result<Self, WireError> {
        match id {
            0 => Ok(Self::Noop),
            1 => Ok(Self::Snappy),
            2 => Ok(Self::Zlib),
            3 => Ok(Self::Zstd),
            id => Err(WireError::UnknownCompressor { id }),
        }
    }
}

impl fmt::Display for CompressorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether messages of the command `name` may be compressed: those that carry secrets may not.
pub fn may_compress(name: &str) -> bool {
    const NEVER: [&str; 11] = [
        "hello",
        "isMaster",
        "saslStart",
        "saslContinue",
        "getnonce",
        "authenticate",
        "createUser",
        "updateUser",
        "copydbSaslStart",
        "copydbgetnonce",
        "copydb",
    ];
    !NEVER.iter().any(|never| name.eq_ignore_ascii_case(never))
}

/// The payload of an OP_COMPRESSED message.
#[derive(Clone, Debug)]
pub struct CompressedMessage {
    header: Header,
    original: OpCode,
    /// The algorithm the sender used, whatever was negotiated.
    pub compressor: CompressorId,
    /// Bytes that decompression must yield. No more than the maximum message size leaves room for, so this much may
    /// be set aside.
    pub uncompressed_size: usize,
    /// The compressed bytes.
    pub data: Bytes,
}

impl CompressedMessage {
    /// Bytes between the message header and the compressed data.
    const FIXED: usize = 4 + 4 + 1;

    /// Reads what precedes the compressed bytes of `frame`.
    ///
    /// # Errors
    /// [`WireError::UnexpectedOpCode`] when the frame is not compressed, [`WireError::Truncated`],
    /// [`WireError::NestedCompression`], [`WireError::UnknownOpCode`], [`WireError::UnknownCompressor`], and
    /// [`WireError::UncompressedSizeOutOfRange`] when the message would exceed `max_message_size`.
    pub fn read(frame: Frame, max_message_size: usize) -> Result<Self, WireError> {
        let Frame { header, payload: mut data } = frame;
        if header.op_code != OpCode::Compressed {
            return Err(WireError::UnexpectedOpCode { op_code: header.op_code });
        }
        if data.len() < Self::FIXED {
            return Err(WireError::Truncated { field: "compression header" });
        }
        let original = match OpCode::try_from(data.get_i32_le())? {
            OpCode::Compressed => return Err(WireError::NestedCompression),
            original => original,
        };
        let size = data.get_i32_le();
        let max = max_message_size.saturating_sub(HEADER_LEN);
        let uncompressed_size = usize::try_from(size)
            .ok()
            .filter(|size| *size <= max)
            .ok_or(WireError::UncompressedSizeOutOfRange { size, max })?;
        let compressor = CompressorId::try_from(data.get_u8())?;
        Ok(Self { header, original, compressor, uncompressed_size, data })
    }

    /// The message that was compressed, given the bytes that decompression yielded.
    ///
    /// # Errors
    /// [`WireError::UncompressedSizeMismatch`] when there are more or fewer of them than announced.
    pub fn into_frame(self, payload: impl Into<Bytes>) -> Result<Frame, WireError> {
        let payload = payload.into();
        if payload.len() != self.uncompressed_size {
            return Err(WireError::UncompressedSizeMismatch {
                expected: self.uncompressed_size,
                actual: payload.len(),
            });
        }
        // The sum is within the maximum message size, which is within an i32 for all that `read` accepts.
        let message_length = i32::try_from(HEADER_LEN + payload.len()).unwrap_or(i32::MAX);
        Ok(Frame { header: Header { message_length, op_code: self.original, ..self.header }, payload })
    }
}

/// An outgoing compressed message whose data is being appended.
///
/// ```
/// use bson::rawdoc;
/// use mongo_actors_protocol::wire::{CompressedFrame, CompressorId, MessageFlags, MessageParts};
///
/// let body = rawdoc! { "ping": 1, "$db": "admin" };
/// let parts = MessageParts { body: &body, tail: &[], sequences: &[], flags: MessageFlags::NONE, request_id: 1 };
/// let (mut message, mut out) = (Vec::new(), Vec::new());
/// parts.write_to(&mut message, 48_000_000)?;
/// let (frame, plain) = CompressedFrame::begin(&mut out, &message, CompressorId::Noop)?;
/// out.extend_from_slice(plain);
/// frame.finish(&mut out, 48_000_000)?;
/// assert_eq!(out.len(), message.len() + 9);
/// # Ok::<(), mongo_actors_protocol::wire::WireError>(())
/// ```
#[derive(Debug)]
#[must_use = "the message's length is only written by finish"]
pub struct CompressedFrame(());

impl CompressedFrame {
    /// Replaces what `out` holds by the headers of a compressed form of `message`, and returns the part of `message`
    /// that is to be compressed and appended.
    ///
    /// # Errors
    /// [`WireError`] when `message` does not begin with a header.
    pub fn begin<'m>(
        out: &mut Vec<u8>,
        message: &'m [u8],
        compressor: CompressorId,
    ) -> Result<(Self, &'m [u8]), WireError> {
        out.clear();
        let Some((header, plain)) = message.split_first_chunk() else {
            return Err(WireError::Truncated { field: "header" });
        };
        let header = Header::read(header, message.len())?;
        Header { op_code: OpCode::Compressed, ..header }.write(out);
        out.extend_from_slice(&header.op_code.code().to_le_bytes());
        // Fits: the header that was just read counts it in an i32.
        out.extend_from_slice(&(plain.len() as i32).to_le_bytes());
        out.push(compressor.id());
        Ok((Self(()), plain))
    }

    /// Writes the length of the message, which is now complete in `out`.
    ///
    /// # Errors
    /// [`WireError::MessageTooLarge`] when the compressed data is longer than `max_message_size` allows.
    pub fn finish(self, out: &mut [u8], max_message_size: usize) -> Result<(), WireError> {
        let max = max_message_size.min(i32::MAX as usize);
        match (i32::try_from(out.len()), out.first_chunk_mut()) {
            (Ok(length), Some(field)) if out_len_within(length, max) => *field = length.to_le_bytes(),
            _ => return Err(WireError::MessageTooLarge { length: out.len(), max }),
        }
        Ok(())
    }
}

fn out_len_within(length: i32, max: usize) -> bool {
    usize::try_from(length).is_ok_and(|length| length <= max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let message_length = i32::try_from(HEADER_LEN + payload.len()).unwrap();
        Header { message_length, request_id: 3, response_to: 4, op_code: OpCode::Msg }.write(&mut out);
        out.extend_from_slice(payload);
        out
    }

    fn frame(original: i32, size: i32, id: u8, data: &[u8]) -> Frame {
        let mut payload = Vec::new();
        payload.extend_from_slice(&original.to_le_bytes());
        payload.extend_from_slice(&size.to_le_bytes());
        payload.push(id);
        payload.extend_from_slice(data);
        let message_length = i32::try_from(HEADER_LEN + payload.len()).unwrap();
        let header = Header { message_length, request_id: 3, response_to: 4, op_code: OpCode::Compressed };
        Frame { header, payload: payload.into() }
    }

    #[test]
    fn a_message_survives_compression() {
        let plain = message(b"payload");
        let mut out = Vec::new();
        let (frame, data) = CompressedFrame::begin(&mut out, &plain, CompressorId::Zstd).unwrap();
        out.extend(data.iter().rev());
        frame.finish(&mut out, 1000).unwrap();

        let header = Header::read(out.first_chunk().unwrap(), out.len()).unwrap();
        assert_eq!((header.len(), header.op_code), (out.len(), OpCode::Compressed));
        let payload = Bytes::copy_from_slice(&out[HEADER_LEN..]);
        let read = CompressedMessage::read(Frame { header, payload }, 1000).unwrap();
        assert_eq!((read.compressor, read.uncompressed_size), (CompressorId::Zstd, 7));
        let data: Vec<u8> = read.data.iter().rev().copied().collect();
        let frame = read.into_frame(data).unwrap();
        assert_eq!(frame.payload, b"payload"[..]);
        assert_eq!(frame.header, Header::read(plain.first_chunk().unwrap(), 1000).unwrap());
    }

    #[test]
    fn each_fault_has_a_name() {
        let read = |frame| CompressedMessage::read(frame, 116).map(|_| ()).unwrap_err();
        assert_eq!(read(frame(2012, 5, 1, b"x")), WireError::NestedCompression);
        assert_eq!(read(frame(77, 5, 1, b"x")), WireError::UnknownOpCode { op_code: 77 });
        assert_eq!(read(frame(2013, 5, 9, b"x")), WireError::UnknownCompressor { id: 9 });
        for size in [-1, 101, i32::MAX, i32::MIN] {
            assert_eq!(read(frame(2013, size, 1, b"x")), WireError::UncompressedSizeOutOfRange { size, max: 100 });
        }
        let mut short = frame(2013, 5, 1, b"");
        short.payload.truncate(8);
        assert_eq!(read(short), WireError::Truncated { field: "compression header" });
        let wrong = CompressedMessage::read(frame(2013, 5, 0, b"1234"), 116).unwrap();
        let data = wrong.data.clone();
        let error = wrong.into_frame(data).unwrap_err();
        assert_eq!(error, WireError::UncompressedSizeMismatch { expected: 5, actual: 4 });
    }

    #[test]
    fn an_incompressible_message_may_become_too_large() {
        let plain = message(b"payload");
        let mut out = Vec::new();
        let (frame, data) = CompressedFrame::begin(&mut out, &plain, CompressorId::Noop).unwrap();
        out.extend_from_slice(data);
        let length = out.len();
        assert_eq!(frame.finish(&mut out, 31), Err(WireError::MessageTooLarge { length, max: 31 }));
    }

    #[test]
    fn ids_and_names_agree_with_the_options() {
        for name in ["snappy", "zlib", "zstd"] {
            let id = CompressorId::from(Compressor::from_name(name).unwrap());
            assert_eq!((id.name(), CompressorId::try_from(id.id())), (name, Ok(id)));
        }
    }

    #[test]
    fn secrets_are_never_compressed() {
        for name in ["hello", "ismaster", "isMaster", "saslStart", "saslContinue", "authenticate", "createUser"] {
            assert!(!may_compress(name), "{name}");
        }
        assert!(may_compress("find") && may_compress("ping"));
    }
}
