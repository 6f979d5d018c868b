//! The algorithms that messages may be compressed with; [`wire`](crate::wire) has their framing.
//!
//! Each is behind a feature named after it. Follows the OP_COMPRESSED specification.

#[cfg(feature = "snappy-compression")]
mod snappy;
#[cfg(feature = "zlib-compression")]
mod zlib;
#[cfg(feature = "zstd-compression")]
mod zstd;

use std::fmt;

use crate::{
    options::Compressor,
    wire::{CompressedFrame, CompressedMessage, CompressorId, Frame, WireError},
};

/// One direction of one algorithm, with whatever it keeps from message to message.
trait Encode: Send {
    /// Appends the compressed form of `plain` to `out`.
    fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), String>;
}

/// The other direction.
trait Decode: Send {
    /// What `data` was made from. Never makes much more of it than `size` bytes, which the caller has bounded.
    fn decode(&mut self, data: &[u8], size: usize) -> Result<Vec<u8>, String>;
}

/// Compresses messages with one algorithm.
///
/// ```
/// use bson::rawdoc;
/// use mongo_actors_protocol::{
///     compression::{MessageCompressor, MessageDecompressor},
///     options::Compressor,
///     wire::{CompressedMessage, MessageFlags, MessageParts, MessageReader, ReplyMessage},
/// };
///
/// let body = rawdoc! { "text": "again ".repeat(1000), "$db": "admin" };
/// let parts = MessageParts { body: &body, tail: &[], sequences: &[], flags: MessageFlags::NONE, request_id: 1 };
/// let (mut plain, mut packed) = (Vec::new(), Vec::new());
/// parts.write_to(&mut plain, 48_000_000)?;
/// let mut compressor = MessageCompressor::new(Compressor::Snappy).expect("built with Snappy");
/// compressor.compress(&plain, &mut packed, 48_000_000)?;
/// assert!(packed.len() < plain.len() / 5);
///
/// let mut reader = MessageReader::new(48_000_000);
/// reader.unfilled().extend_from_slice(&packed);
/// let frame = reader.next_frame()?.unwrap();
/// let frame = MessageDecompressor::default().decompress(CompressedMessage::read(frame, 48_000_000)?)?;
/// assert_eq!(ReplyMessage::try_from(frame)?.body.as_document(), &*body);
/// # Ok::<(), mongo_actors_protocol::wire::WireError>(())
/// ```
pub struct MessageCompressor {
    compressor: Compressor,
    encoder: Box<dyn Encode>,
}

impl MessageCompressor {
    /// None when this build lacks the algorithm.
    pub fn new(compressor: Compressor) -> Option<Self> {
        Some(Self { compressor, encoder: encoder(compressor)? })
    }

    /// The algorithm and its level.
    pub fn compressor(&self) -> Compressor {
        self.compressor
    }

    /// Replaces what `out` holds by the compressed form of `message`, headers included.
    ///
    /// # Errors
    /// [`WireError::MessageTooLarge`] when it would exceed `max_message_size` bytes, and
    /// [`WireError::CompressionFailed`]. The message can then be sent as it is.
    pub fn compress(&mut self, message: &[u8], out: &mut Vec<u8>, max_message_size: usize) -> Result<(), WireError> {
        let id = self.compressor.into();
        let (frame, plain) = CompressedFrame::begin(out, message, id)?;
        let failed = |reason| WireError::CompressionFailed { compressor: id, reason };
        self.encoder.encode(plain, out).map_err(failed)?;
        frame.finish(out, max_message_size)
    }
}

impl fmt::Debug for MessageCompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MessageCompressor").field(&self.compressor).finish()
    }
}

/// Decompresses messages, whichever algorithm each was compressed with.
#[derive(Default)]
pub struct MessageDecompressor {
    /// Of the last message: a server rarely uses more than one algorithm on a connection.
    decoder: Option<(CompressorId, Box<dyn Decode>)>,
}

impl MessageDecompressor {
    /// The message that `message` holds.
    ///
    /// # Errors
    /// [`WireError::CompressorUnavailable`] when this build lacks the algorithm, [`WireError::DecompressionFailed`] for
    /// data that is not of the algorithm, and [`WireError::UncompressedSizeMismatch`] when there is more or less of it
    /// than announced.
    pub fn decompress(&mut self, message: CompressedMessage) -> Result<Frame, WireError> {
        let compressor = message.compressor;
        if compressor == CompressorId::Noop {
            let data = message.data.clone();
            return message.into_frame(data);
        }
        let decoder = match &mut self.decoder {
            Some((id, decoder)) if *id == compressor => decoder,
            other => {
                let decoder = decoder(compressor).ok_or(WireError::CompressorUnavailable { compressor })?;
                &mut other.insert((compressor, decoder)).1
            }
        };
        let failed = |reason| WireError::DecompressionFailed { compressor, reason };
        let payload = decoder.decode(&message.data, message.uncompressed_size).map_err(failed)?;
        message.into_frame(payload)
    }
}

impl fmt::Debug for MessageDecompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.decoder.as_ref().map(|(id, _)| id);
        f.debug_struct("MessageDecompressor").field("last", &last).finish_non_exhaustive()
    }
}

/// Whether this build can compress and decompress with `compressor`.
pub fn is_available(compressor: Compressor) -> bool {
    match compressor {
        Compressor::Snappy => cfg!(feature = "snappy-compression"),
        Compressor::Zlib { .. } => cfg!(feature = "zlib-compression"),
        Compressor::Zstd { .. } => cfg!(feature = "zstd-compression"),
    }
}

fn encoder(compressor: Compressor) -> Option<Box<dyn Encode>> {
    match compressor {
        #[cfg(feature = "snappy-compression")]
        Compressor::Snappy => Some(Box::new(snappy::encoder())),
        #[cfg(feature = "zlib-compression")]
        Compressor::Zlib { level } => Some(Box::new(zlib::encoder(level))),
        #[cfg(feature = "zstd-compression")]
        Compressor::Zstd { level } => Some(Box::new(zstd::encoder(level)?)),
        #[cfg(not(all(feature = "snappy-compression", feature = "zlib-compression", feature = "zstd-compression")))]
        _ => None,
    }
}

fn decoder(compressor: CompressorId) -> Option<Box<dyn Decode>> {
    match compressor {
        #[cfg(feature = "snappy-compression")]
        CompressorId::Snappy => Some(Box::new(snappy::decoder())),
        #[cfg(feature = "zlib-compression")]
        CompressorId::Zlib => Some(Box::new(zlib::decoder())),
        #[cfg(feature = "zstd-compression")]
        CompressorId::Zstd => Some(Box::new(zstd::decoder()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
