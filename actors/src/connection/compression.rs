//! Compressing what a connection sends, and decompressing what it gets.
//!
//! What is large is worked on by a thread where nobody waits for it: zlib takes seconds for the largest messages.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use mongo_actors_protocol::{
    compression::{MessageCompressor, MessageDecompressor},
    options::Compressor,
    wire::{CompressedMessage, Frame, MessageParts, WireError},
};
use tokio::task::JoinHandle;

use super::link::LinkFault;

/// Bytes above which a message is not compressed or decompressed on the arbiter.
const LARGE: usize = 256 * 1024;

/// Compresses one message after the other.
pub(super) struct Packer {
    compressor: MessageCompressor,
    /// The message before compression; its memory is used again.
    plain: Vec<u8>,
    packed: Packed,
}

enum Packed {
    Here(Vec<u8>),
    Underway(JoinHandle<Vec<u8>>),
}

impl Packer {
    /// None when this build lacks the algorithm.
    pub(super) fn new(compressor: Compressor) -> Option<Self> {
        let compressor = MessageCompressor::new(compressor)?;
        Some(Self { compressor, plain: Vec::new(), packed: Packed::Here(Vec::new()) })
    }

    /// Begins to compress a message, in place of the one before.
    ///
    /// # Errors
    /// [`WireError::MessageTooLarge`]: for servers the size before compression counts.
    pub(super) fn pack(&mut self, message: &MessageParts<'_>, max_message_size: usize) -> Result<(), WireError> {
        if message.total_len() <= LARGE {
            message.write_to(&mut self.plain, max_message_size)?;
            let mut out = match std::mem::replace(&mut self.packed, Packed::Here(Vec::new())) {
                Packed::Here(buffer) => buffer,
                Packed::Underway(_) => Vec::new(),
            };
            compress(&mut self.compressor, &self.plain, &mut out, max_message_size);
            self.packed = Packed::Here(out);
            return Ok(());
        }
        let mut plain = Vec::with_capacity(message.total_len());
        message.write_to(&mut plain, max_message_size)?;
        let Some(mut compressor) = MessageCompressor::new(self.compressor.compressor()) else {
            self.packed = Packed::Here(plain);
            return Ok(());
        };
        self.packed = Packed::Underway(tokio::task::spawn_blocking(move || {
            let mut out = Vec::new();
            compress(&mut compressor, &plain, &mut out, max_message_size);
            out
        }));
        Ok(())
    }

    /// The compressed message.
    pub(super) fn poll_packed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        if let Packed::Underway(work) = &mut self.packed {
            let packed = ready!(Pin::new(work).poll(cx)).map_err(io::Error::other)?;
            self.packed = Packed::Here(packed);
        }
        match &self.packed {
            Packed::Here(packed) => Poll::Ready(Ok(packed)),
            Packed::Underway(_) => Poll::Pending,
        }
    }

    /// Gives the memory of a large message back.
    pub(super) fn sent(&mut self) {
        if let Packed::Here(packed) = &mut self.packed
            && packed.capacity() > LARGE
        {
            *packed = Vec::new();
        }
    }
}

/// Fills `out` with the compressed message, or with the message itself when compression makes it too large.
fn compress(compressor: &mut MessageCompressor, plain: &[u8], out: &mut Vec<u8>, max_message_size: usize) {
    if let Err(error) = compressor.compress(plain, out, max_message_size) {
        tracing::debug!(target: "mongo_actors::connection", %error, "a message is sent uncompressed");
        out.clear();
        out.extend_from_slice(plain);
    }
}

/// Decompresses one message after the other.
#[derive(Default)]
pub(super) struct Unpacker {
    decompressor: MessageDecompressor,
    underway: Option<JoinHandle<Result<Frame, WireError>>>,
}

impl Unpacker {
    /// The message that `frame` holds; none when it is so large that [`poll_unpacked`](Self::poll_unpacked) will have
    /// it later.
    pub(super) fn unpack(&mut self, frame: Frame, max_message_size: usize) -> Result<Option<Frame>, WireError> {
        let message = CompressedMessage::read(frame, max_message_size)?;
        if message.uncompressed_size.max(message.data.len()) <= LARGE {
            return self.decompressor.decompress(message).map(Some);
        }
        let work = move || MessageDecompressor::default().decompress(message);
        self.underway = Some(tokio::task::spawn_blocking(work));
        Ok(None)
    }

    /// The message that is being decompressed; none when there is none.
    pub(super) fn poll_unpacked(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>, LinkFault>> {
        let Some(work) = &mut self.underway else { return Poll::Ready(Ok(None)) };
        let unpacked = ready!(Pin::new(work).poll(cx));
        self.underway = None;
        let frame = unpacked.map_err(|error| LinkFault::Network(io::Error::other(error)))?;
        Poll::Ready(frame.map(Some).map_err(LinkFault::Wire))
    }
}
