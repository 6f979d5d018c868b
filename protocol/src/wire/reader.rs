//! Cutting messages out of a stream of bytes.

use bytes::{Buf, Bytes, BytesMut};

use super::{HEADER_LEN, Header, OpCode, ReplyMessage, WireError};

/// Bytes that are set aside for reading when the size of the next message is not known.
const CHUNK: usize = 16 * 1024;
/// With less room than this, a new chunk is worth its cost.
const LEAST_ROOM: usize = 2 * 1024;
/// A message larger than this takes its memory with it.
const LARGEST_KEPT: usize = 1024 * 1024;

/// One whole message: its header, and all that follows it.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The message's header.
    pub header: Header,
    /// The bytes behind the header.
    pub payload: Bytes,
}

/// Cuts a stream of bytes into messages, whatever pieces it arrives in.
///
/// Memory: one chunk of 16 KiB while idle, at most 1 MiB after large messages, and while a message arrives its
/// announced length, which is checked against the maximum first. Messages are slices of the bytes that were read and
/// are never copied, but for the beginning of one that does not fit where it began.
///
/// ```
/// use bson::rawdoc;
/// use mongo_actors_protocol::wire::{DEFAULT_MAX_MESSAGE_SIZE, MessageFlags, MessageParts, MessageReader};
///
/// let body = rawdoc! { "ok": 1 };
/// let parts = MessageParts { body: &body, tail: &[], sequences: &[], flags: MessageFlags::NONE, request_id: 1 };
/// let mut bytes = Vec::new();
/// parts.write_to(&mut bytes, DEFAULT_MAX_MESSAGE_SIZE).unwrap();
///
/// let mut reader = MessageReader::new(DEFAULT_MAX_MESSAGE_SIZE);
/// let (first, second) = bytes.split_at(20);
/// reader.unfilled().extend_from_slice(first);
/// assert!(reader.next().unwrap().is_none());
/// reader.unfilled().extend_from_slice(second);
/// assert_eq!(reader.next().unwrap().unwrap().body.as_document(), &*body);
/// ```
#[derive(Debug)]
pub struct MessageReader {
    buffer: BytesMut,
    /// Header of the message that the buffer begins with, once it is there.
    header: Option<Header>,
    max_message_size: usize,
}

impl MessageReader {
    /// A reader that refuses messages longer than `max_message_size` bytes. Sets nothing aside yet.
    pub fn new(max_message_size: usize) -> Self {
        Self { buffer: BytesMut::new(), header: None, max_message_size }
    }

    /// Changes the longest accepted message, from the next header on.
    pub fn set_max_message_size(&mut self, max_message_size: usize) {
        self.max_message_size = max_message_size;
    }

    /// Where to put what the socket has: append to it (`read_buf`), and take nothing out.
    ///
    /// There is room for the rest of the current message when its header is known, and some room otherwise. Call
    /// [`next`](Self::next) until it returns nothing before calling this again.
    pub fn unfilled(&mut self) -> &mut BytesMut {
        let room = self.buffer.capacity() - self.buffer.len();
        let (least, wanted) = match &self.header {
            Some(header) => {
                let missing = header.len().saturating_sub(self.buffer.len());
                (missing.max(1), missing.max(1))
            }
            None => (LEAST_ROOM, CHUNK - HEADER_LEN),
        };
        if room < least && !self.buffer.try_reclaim(wanted) {
            let mut fresh = BytesMut::with_capacity((self.buffer.len() + wanted).max(CHUNK));
            fresh.extend_from_slice(&self.buffer);
            self.buffer = fresh;
        }
        &mut self.buffer
    }

    /// Whether the bytes so far end inside a message: an end of the stream here loses part of one.
    pub fn is_mid_message(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next whole reply, or none before more bytes are there.
    ///
    /// # Errors
    /// [`WireError`] for a message that violates the protocol, as early as its bytes tell, and for a compressed one:
    /// use [`next_frame`](Self::next_frame) when compression was negotiated. The stream cannot be read any further
    /// after an error.
    #[expect(clippy::should_implement_trait, reason = "none means not yet, not never")]
    pub fn next(&mut self) -> Result<Option<ReplyMessage>, WireError> {
        self.next_frame()?.map(ReplyMessage::try_from).transpose()
    }

    /// The next whole message of any kind, or none before more bytes are there.
    ///
    /// # Errors
    /// [`WireError`] for an impossible length or an unknown operation code, as soon as the header is there.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, WireError> {
        let Some(header) = self.peek_header()? else { return Ok(None) };
        let length = header.len();
        if self.buffer.len() < length {
            return Ok(None);
        }
        self.header = None;
        let mut payload = self.buffer.split_to(length).freeze();
        payload.advance(HEADER_LEN);
        if length > LARGEST_KEPT {
            // What is left shares the memory of the large message; move it, so that the memory goes with the message.
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        Ok(Some(Frame { header, payload }))
    }

    fn peek_header(&mut self) -> Result<Option<Header>, WireError> {
        if self.header.is_none() {
            let Some(bytes) = self.buffer.first_chunk() else { return Ok(None) };
            let header = Header::read(bytes, self.max_message_size)?;
            if header.op_code == OpCode::Query {
                return Err(WireError::UnexpectedOpCode { op_code: header.op_code });
            }
            self.header = Some(header);
        }
        Ok(self.header)
    }
}
