//! Incoming messages.

use std::fmt;

use bson::RawDocument;
use bytes::{Buf, Bytes};

use super::{
    Frame, Header, MAX_NESTING, MessageFlags, OpCode, WireError,
    message::append_array,
    nesting, split_document,
    tail::{close_document, elements},
};

/// A reply of a server, or any other message that holds one document.
#[derive(Clone, Debug)]
pub struct ReplyMessage {
    /// The sender's number for this message.
    pub request_id: i32,
    /// The number of the request that it answers.
    pub response_to: i32,
    /// Flag bits; none for a legacy reply.
    pub flags: MessageFlags,
    /// The document, with document sequences folded in as arrays.
    pub body: ReplyBody,
}

impl ReplyMessage {
    /// Checks that this message answers the request `expected`.
    ///
    /// A reply that follows one with [`more_to_come`](Self::more_to_come) answers that reply: expect its `request_id`.
    ///
    /// # Errors
    /// [`WireError::ResponseToMismatch`].
    pub fn check_response_to(&self, expected: i32) -> Result<(), WireError> {
        if self.response_to == expected {
            return Ok(());
        }
        Err(WireError::ResponseToMismatch { expected, received: self.response_to })
    }

    /// Checks that this is the only reply to a request that allowed no more than one.
    ///
    /// # Errors
    /// [`WireError::UnrequestedReplies`].
    pub fn check_is_last(&self) -> Result<(), WireError> {
        if self.more_to_come() { Err(WireError::UnrequestedReplies) } else { Ok(()) }
    }

    /// Whether the server will send another reply without being asked.
    pub fn more_to_come(&self) -> bool {
        self.flags.more_to_come()
    }
}

impl TryFrom<Frame> for ReplyMessage {
    type Error = WireError;

    /// Takes the document out of a message, without copying it.
    ///
    /// # Errors
    /// [`WireError`], one for each way in which the message can be malformed; a compressed message must be
    /// decompressed first.
    fn try_from(frame: Frame) -> Result<Self, WireError> {
        let Frame { header, payload } = frame;
        match header.op_code {
            OpCode::Msg => read_msg(header, payload),
            OpCode::Reply => read_legacy(header, payload),
            op_code => Err(WireError::UnexpectedOpCode { op_code }),
        }
    }
}

fn read_msg(header: Header, mut payload: Bytes) -> Result<ReplyMessage, WireError> {
    let bits = payload.try_get_u32_le().map_err(|_| WireError::Truncated { field: "flags" })?;
    let flags = MessageFlags::from_wire(bits)?;
    if flags.checksum_present() {
        let length = payload.len().checked_sub(4).ok_or(WireError::ChecksumPresentButShort)?;
        payload.truncate(length);
    }
    let sections = Sections::read(payload)?;
    let body = sections.fold()?;
    Ok(ReplyMessage { request_id: header.request_id, response_to: header.response_to, flags, body })
}

/// `OP_REPLY`: flags, cursor id, start and count precede the documents, of which a command's reply has one.
fn read_legacy(header: Header, mut payload: Bytes) -> Result<ReplyMessage, WireError> {
    const FIXED: usize = 4 + 8 + 4 + 4;
    if payload.len() < FIXED {
        return Err(WireError::Truncated { field: "reply header" });
    }
    payload.advance(FIXED);
    let body = take_document(&mut payload)?;
    if !payload.is_empty() {
        return Err(WireError::DuplicateBody);
    }
    Ok(ReplyMessage {
        request_id: header.request_id,
        response_to: header.response_to,
        flags: MessageFlags::NONE,
        body: ReplyBody::checked(body)?,
    })
}

/// The sections of an OP_MSG message.
struct Sections {
    body: Bytes,
    sequences: Vec<Sequence>,
}

struct Sequence {
    identifier: Bytes,
    documents: Bytes,
}

impl Sections {
    fn read(mut payload: Bytes) -> Result<Self, WireError> {
        let mut body = None;
        let mut sequences: Vec<Sequence> = Vec::new();
        while let Ok(kind) = payload.try_get_u8() {
            match kind {
                0 if body.is_some() => return Err(WireError::DuplicateBody),
                0 => body = Some(take_document(&mut payload)?),
                1 => {
                    let sequence = take_sequence(&mut payload)?;
                    if sequences.iter().any(|known| known.identifier == sequence.identifier) {
                        return Err(WireError::DuplicateSequence);
                    }
                    if sequences.len() == MAX_SEQUENCES {
                        return Err(WireError::TooManySequences { max: MAX_SEQUENCES });
                    }
                    sequences.push(sequence);
                }
                kind => return Err(WireError::UnknownSectionKind { kind }),
            }
        }
        Ok(Self { body: body.ok_or(WireError::MissingBody)?, sequences })
    }

    /// One document that holds the body's elements and each sequence as an array.
    fn fold(self) -> Result<ReplyBody, WireError> {
        let body = ReplyBody::checked(self.body)?;
        if self.sequences.is_empty() {
            return Ok(body);
        }
        let mut out = vec![0; 4];
        out.extend_from_slice(elements(body.as_document()));
        for sequence in &self.sequences {
            let identifier =
                std::str::from_utf8(&sequence.identifier).map_err(|_| WireError::InvalidSequenceIdentifier)?;
            append_array(&mut out, identifier, &sequence.documents).map_err(|_| WireError::InvalidSequence)?;
        }
        out.push(0);
        close_document(&mut out, 0);
        ReplyBody::checked(out.into())
    }
}

/// Names are few in any command, and each new one is compared with those before it.
const MAX_SEQUENCES: usize = 16;

fn take_document(payload: &mut Bytes) -> Result<Bytes, WireError> {
    if payload.is_empty() {
        return Err(WireError::MissingBody);
    }
    match split_document(payload) {
        Some((document, _)) => Ok(payload.split_to(document.len())),
        None => Err(match payload.first_chunk() {
            Some(length) => {
                WireError::SectionLengthOutOfRange { length: i32::from_le_bytes(*length), available: payload.len() }
            }
            None => WireError::Truncated { field: "document length" },
        }),
    }
}

fn take_sequence(payload: &mut Bytes) -> Result<Sequence, WireError> {
    let available = payload.len();
    let length = payload.clone().try_get_i32_le().map_err(|_| WireError::Truncated { field: "sequence length" })?;
    let size = usize::try_from(length)
        .ok()
        .filter(|size| (4..=available).contains(size))
        .ok_or(WireError::SectionLengthOutOfRange { length, available })?;
    let mut section = payload.split_to(size);
    section.advance(4);
    let end = section.iter().position(|byte| *byte == 0).ok_or(WireError::InvalidSequenceIdentifier)?;
    let identifier = section.split_to(end);
    section.advance(1);
    Ok(Sequence { identifier, documents: section })
}

/// A reply document that is a slice of the bytes that came from the socket: cheap to clone, never copied.
///
/// It is known to be framed as a document and to be nested at most [`MAX_NESTING`] levels deep; its elements are
/// examined when they are read.
#[derive(Clone, PartialEq, Eq)]
pub struct ReplyBody(Bytes);

/// Bytes that cannot be the body of a reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct InvalidBody(#[from] WireError);

impl ReplyBody {
    fn checked(bytes: Bytes) -> Result<Self, WireError> {
        let invalid = |reason| WireError::InvalidDocument { reason };
        if bytes.last() != Some(&0) {
            return Err(invalid("it does not end in a zero byte"));
        }
        RawDocument::from_bytes(&bytes).map_err(|_| invalid("its length is not that of its bytes"))?;
        if !nesting::fits(&bytes, MAX_NESTING) {
            return Err(WireError::NestedTooDeep { max: MAX_NESTING });
        }
        Ok(Self(bytes))
    }

    /// A body without elements.
    pub const fn empty() -> Self {
        Self(Bytes::from_static(&[5, 0, 0, 0, 0]))
    }

    /// The body `{ok: 1}`, which stands for the answer to a message that wants none.
    pub const fn ok() -> Self {
        Self(Bytes::from_static(b"\x0d\0\0\0\x10ok\0\x01\0\0\0\0"))
    }

    /// The document.
    pub fn as_document(&self) -> &RawDocument {
        RawDocument::from_bytes(&self.0).expect("the framing was checked when the body was made")
    }

    /// The document's bytes.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The bytes of a document inside this body, without copying them; none when `part` is not inside.
    pub fn slice_of(&self, part: &RawDocument) -> Option<Bytes> {
        let whole = self.0.as_ptr_range();
        let part = part.as_bytes();
        let range = part.as_ptr_range();
        (whole.start <= range.start && range.end <= whole.end).then(|| self.0.slice_ref(part))
    }
}

impl TryFrom<Bytes> for ReplyBody {
    type Error = InvalidBody;

    fn try_from(bytes: Bytes) -> Result<Self, InvalidBody> {
        Ok(Self::checked(bytes)?)
    }
}

impl AsRef<RawDocument> for ReplyBody {
    fn as_ref(&self) -> &RawDocument {
        self.as_document()
    }
}

/// Shows the size alone: replies hold the user's data.
impl fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplyBody({} bytes)", self.0.len())
    }
}
