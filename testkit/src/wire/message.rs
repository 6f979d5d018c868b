//! Messages: what is in them, and how they are framed.

use std::io;

use bson::{Document, doc};
use tokio::io::{AsyncRead, AsyncReadExt};

pub(crate) const HEADER: usize = 16;
/// The longest message a server accepts.
pub(crate) const MAX_MESSAGE: usize = 48_000_000;
pub(crate) const OP_REPLY: i32 = 1;
/// The operation code of the oldest messages.
pub const OP_QUERY: i32 = 2004;
pub(crate) const OP_COMPRESSED: i32 = 2012;
pub(crate) const OP_MSG: i32 = 2013;
pub(crate) const CHECKSUM_PRESENT: u32 = 1;
/// The flag of a message after which more come, or none is wanted.
pub const MORE_TO_COME: u32 = 1 << 1;

/// The first sixteen bytes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Of the whole message, in bytes.
    pub length: i32,
    /// Its number.
    pub request_id: i32,
    /// The number of the message that it answers.
    pub response_to: i32,
    /// What kind of message it is.
    pub op_code: i32,
}

impl Header {
    /// Reads the header at the start of `bytes`; none when they are too few.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            length: int32(bytes, 0)?,
            request_id: int32(bytes, 4)?,
            response_to: int32(bytes, 8)?,
            op_code: int32(bytes, 12)?,
        })
    }

    /// Whether a MongoDB message can start like this.
    pub(crate) fn is_plausible(&self) -> bool {
        let length = usize::try_from(self.length).unwrap_or(0);
        (HEADER..=MAX_MESSAGE + 16 * 1024).contains(&length)
            && matches!(self.op_code, OP_REPLY | OP_COMPRESSED | OP_MSG | 2001..=2007)
    }
}

pub(crate) fn int32(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// A message whose document has been read.
#[derive(Clone, Debug)]
pub struct Message {
    /// What is in front of it.
    pub header: Header,
    /// The flags of an OP_MSG; 0 for the legacy messages.
    pub flags: u32,
    /// The command or the reply; document sequences appear as arrays under their names.
    pub body: Document,
}

impl Message {
    /// Reads a whole OP_MSG, OP_QUERY or OP_REPLY.
    pub fn parse(frame: &[u8]) -> io::Result<Self> {
        let header = Header::read(frame).ok_or_else(|| invalid("a message shorter than its header"))?;
        match header.op_code {
            OP_MSG => Self::parse_op_msg(header, frame),
            OP_QUERY => {
                let name = frame.get(20..).and_then(|rest| rest.iter().position(|byte| *byte == 0));
                let name = name.ok_or_else(|| invalid("a query without a namespace"))?;
                let body = read_document(frame.get(20 + name + 1 + 8..).unwrap_or_default())?;
                let body = match body.get_document("$query") {
                    Ok(query) => query.clone(),
                    Err(_) => body,
                };
                Ok(Self { header, flags: 0, body })
            }
            OP_REPLY => {
                let body = read_document(frame.get(36..).unwrap_or_default())?;
                Ok(Self { header, flags: 0, body })
            }
            other => Err(invalid(format!("a message with the operation code {other}"))),
        }
    }

    fn parse_op_msg(header: Header, frame: &[u8]) -> io::Result<Self> {
        let flags = int32(frame, HEADER).ok_or_else(|| invalid("a message without flags"))?.cast_unsigned();
        let end = if flags & CHECKSUM_PRESENT != 0 { frame.len().saturating_sub(4) } else { frame.len() };
        let mut rest = frame.get(HEADER + 4..end).unwrap_or_default();
        let mut body = Document::new();
        let mut sequences = Document::new();
        while let Some((kind, section)) = rest.split_first() {
            let length = int32(section, 0).and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
            let content = section.get(..length).ok_or_else(|| invalid("a section longer than its message"))?;
            match kind {
                0 => body = read_document(content)?,
                1 => read_sequence(content, &mut sequences)?,
                other => return Err(invalid(format!("a section of kind {other}"))),
            }
            rest = &section[length..];
            if length < 4 {
                return Err(invalid("a section without content"));
            }
        }
        body.extend(sequences);
        Ok(Self { header, flags, body })
    }

    /// The name of the command.
    pub fn command_name(&self) -> &str {
        self.body.keys().next().map_or("", String::as_str)
    }
}

fn read_sequence(content: &[u8], into: &mut Document) -> io::Result<()> {
    let name_end = content.iter().skip(4).position(|byte| *byte == 0).ok_or_else(|| invalid("a nameless sequence"))?;
    let name = String::from_utf8_lossy(&content[4..4 + name_end]).into_owned();
    let mut rest = &content[4 + name_end + 1..];
    let mut documents = Vec::new();
    while !rest.is_empty() {
        let document = Document::from_reader(&mut rest).map_err(io::Error::other)?;
        documents.push(document);
    }
    into.insert(name, documents);
    Ok(())
}

fn read_document(mut bytes: &[u8]) -> io::Result<Document> {
    Document::from_reader(&mut bytes).map_err(|error| invalid(error.to_string()))
}

pub(crate) fn invalid(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}

pub(super) fn header_into(out: &mut Vec<u8>, request_id: i32, response_to: i32, op_code: i32) {
    out.extend_from_slice(&[0; 4]);
    for number in [request_id, response_to, op_code] {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

pub(super) fn set_length(message: &mut [u8]) {
    let length = i32::try_from(message.len()).unwrap_or(i32::MAX);
    message[..4].copy_from_slice(&length.to_le_bytes());
}

/// An OP_MSG with one document.
pub fn op_msg(request_id: i32, response_to: i32, flags: u32, body: &Document) -> io::Result<Vec<u8>> {
    let mut message = Vec::with_capacity(256);
    header_into(&mut message, request_id, response_to, OP_MSG);
    message.extend_from_slice(&flags.to_le_bytes());
    message.push(0);
    body.to_writer(&mut message).map_err(io::Error::other)?;
    set_length(&mut message);
    Ok(message)
}

/// A legacy OP_REPLY with one document, as answers the OP_QUERY of a first `isMaster`.
pub fn op_reply(request_id: i32, response_to: i32, body: &Document) -> io::Result<Vec<u8>> {
    let mut message = Vec::with_capacity(256);
    header_into(&mut message, request_id, response_to, OP_REPLY);
    message.extend_from_slice(&8_i32.to_le_bytes());
    message.extend_from_slice(&[0; 12]);
    message.extend_from_slice(&1_i32.to_le_bytes());
    body.to_writer(&mut message).map_err(io::Error::other)?;
    set_length(&mut message);
    Ok(message)
}

/// The error reply a server sends.
pub(crate) fn error_document(code: i32, code_name: &str, message: &str) -> Document {
    doc! { "ok": 0.0, "errmsg": message, "code": code, "codeName": code_name }
}

/// Reads one message; none when the peer closed between two messages.
pub async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut frame = vec![0; HEADER];
    let first = stream.read(&mut frame).await?;
    if first == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut frame[first..]).await?;
    let header = Header::read(&frame).filter(Header::is_plausible).ok_or_else(|| invalid("no MongoDB message"))?;
    frame.resize(usize::try_from(header.length).map_err(io::Error::other)?, 0);
    stream.read_exact(&mut frame[HEADER..]).await?;
    Ok(Some(frame))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_the_round_trip() {
        let frame = op_msg(7, 3, MORE_TO_COME, &doc! { "ping": 1, "$db": "admin" }).unwrap();
        let message = Message::parse(&frame).unwrap();
        assert_eq!(message.header.request_id, 7);
        assert_eq!(message.header.response_to, 3);
        assert_eq!(message.flags, MORE_TO_COME);
        assert_eq!(message.command_name(), "ping");
    }

    #[test]
    fn a_document_sequence_is_folded_into_the_command() {
        let mut frame = op_msg(1, 0, 0, &doc! { "insert": "c" }).unwrap();
        let mut section = b"\0\0\0\0documents\0".to_vec();
        for id in [1, 2] {
            section.extend(doc! { "_id": id }.to_vec().unwrap());
        }
        let length = i32::try_from(section.len()).unwrap();
        section[..4].copy_from_slice(&length.to_le_bytes());
        frame.push(1);
        frame.extend(section);
        let message = Message::parse(&frame).unwrap();
        assert_eq!(message.body, doc! { "insert": "c", "documents": [{ "_id": 1 }, { "_id": 2 }] });
    }

    #[test]
    fn damaged_messages_are_errors() {
        let frame = op_msg(1, 0, 0, &doc! { "ping": 1 }).unwrap();
        for end in 0..frame.len() - 1 {
            if end == 20 {
                continue; // header and flags alone are a message without sections
            }
            assert!(Message::parse(&frame[..end]).is_err(), "accepted the first {end} bytes");
        }
    }
}
