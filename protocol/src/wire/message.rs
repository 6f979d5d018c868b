//! Outgoing messages.

use std::io::{IoSlice, Write};

use bson::{RawDocument, RawDocumentBuf, spec::ElementType};

use super::{
    DocumentSequence, Documents, HEADER_LEN, Header, InvalidSequence, MessageFlags, OpCode, WireError,
    tail::{close_document, elements},
};

/// The parts that an OP_MSG message is written from.
///
/// The message holds one document, which consists of the elements of `body` followed by those of `tail`, and one
/// section per document sequence. Only the small things are copied: [`write_head`](Self::write_head) fills a buffer
/// that the connection reuses, and [`unwritten`](Self::unwritten) lays it out together with the sequences' own
/// bytes for a vectored write.
///
/// ```
/// use bson::rawdoc;
/// use mongo_actors_protocol::wire::{DEFAULT_MAX_MESSAGE_SIZE, MessageFlags, MessageParts};
///
/// let body = rawdoc! { "ping": 1, "$db": "admin" };
/// let parts = MessageParts { body: &body, tail: &[], sequences: &[], flags: MessageFlags::NONE, request_id: 1 };
/// let mut message = Vec::new();
/// parts.write_to(&mut message, DEFAULT_MAX_MESSAGE_SIZE).unwrap();
/// assert_eq!(message.len(), parts.total_len());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct MessageParts<'a> {
    /// The command document as the operation encoded it.
    pub body: &'a RawDocument,
    /// Further elements of the command document; see [`TailWriter`](super::TailWriter).
    pub tail: &'a [u8],
    /// Array arguments of the command that travel as sections of their own.
    pub sequences: &'a [DocumentSequence],
    /// Flag bits. [`MessageFlags::CHECKSUM_PRESENT`] is never sent, whatever is given here.
    pub flags: MessageFlags,
    /// The number that the reply will refer to.
    pub request_id: i32,
}

/// Bytes before the first element: header, flags, kind of the first section, length of its document.
const BEFORE_ELEMENTS: usize = HEADER_LEN + 4 + 1 + 4;

impl<'a> MessageParts<'a> {
    /// Bytes of the whole message.
    pub fn total_len(&self) -> usize {
        self.sequences.iter().fold(self.document_end(), |sum, sequence| sum + sequence.wire_len())
    }

    /// Fills `head` with all of the message but the sequences' documents, replacing what it holds.
    ///
    /// The sequences' headers stand one after the other behind the command document;
    /// [`unwritten`](Self::unwritten) puts each before its documents.
    ///
    /// # Errors
    /// [`WireError::MessageTooLarge`] when the whole message is larger than `max_message_size`, the
    /// `maxMessageSizeBytes` of the server. `head` is then empty.
    pub fn write_head(&self, head: &mut Vec<u8>, max_message_size: usize) -> Result<(), WireError> {
        self.write_document(head, max_message_size)?;
        for sequence in self.sequences {
            write_sequence_header(head, sequence);
        }
        Ok(())
    }

    /// Fills `out` with the whole message, replacing what it holds: one copy of everything, for messages so small
    /// that a vectored write does not pay, and for compression.
    ///
    /// # Errors
    /// [`WireError::MessageTooLarge`], as [`write_head`](Self::write_head).
    pub fn write_to(&self, out: &mut Vec<u8>, max_message_size: usize) -> Result<(), WireError> {
        self.write_document(out, max_message_size)?;
        for sequence in self.sequences {
            write_sequence_header(out, sequence);
            out.extend_from_slice(&sequence.documents);
        }
        Ok(())
    }

    /// Lays out what is left of the message after its first `written` bytes, for a vectored write.
    ///
    /// `head` is what [`write_head`](Self::write_head) made. Fills `slices` from its start and returns how many it
    /// used: 0 when everything is written. When `slices` is too short for all that is left, it holds the beginning
    /// of it. Without sequences one slice is enough, with `n` sequences `2 * n`.
    pub fn unwritten<'s>(&self, head: &'s [u8], written: usize, slices: &mut [IoSlice<'s>]) -> usize
    where
        'a: 's,
    {
        let mut used = 0;
        let mut skip = written;
        for piece in self.pieces(head) {
            let Some(piece) = piece.get(skip..) else {
                skip -= piece.len();
                continue;
            };
            skip = 0;
            if piece.is_empty() {
                continue;
            }
            let Some(slice) = slices.get_mut(used) else { break };
            *slice = IoSlice::new(piece);
            used += 1;
        }
        used
    }

    /// The command as one document, with each sequence as the array that it stands for: what monitoring publishes.
    ///
    /// # Errors
    /// [`InvalidSequence`] when a sequence holds anything but documents.
    pub fn to_command_document(&self) -> Result<RawDocumentBuf, InvalidSequence> {
        let mut out = vec![0; 4];
        out.extend_from_slice(elements(self.body));
        out.extend_from_slice(self.tail);
        for sequence in self.sequences {
            append_array(&mut out, sequence.identifier, &sequence.documents)?;
        }
        out.push(0);
        close_document(&mut out, 0);
        RawDocumentBuf::from_bytes(out).map_err(|_| InvalidSequence)
    }

    /// Position of the first byte behind the command document.
    fn document_end(&self) -> usize {
        BEFORE_ELEMENTS + elements(self.body).len() + self.tail.len() + 1
    }

    fn write_document(&self, out: &mut Vec<u8>, max_message_size: usize) -> Result<(), WireError> {
        out.clear();
        let length = self.total_len();
        let max = max_message_size.min(i32::MAX as usize);
        let message_length = match i32::try_from(length) {
            Ok(message_length) if length <= max => message_length,
            _ => return Err(WireError::MessageTooLarge { length, max }),
        };
        Header { message_length, request_id: self.request_id, response_to: 0, op_code: OpCode::Msg }.write(out);
        let flags = self.flags.bits() & !MessageFlags::CHECKSUM_PRESENT.bits();
        out.extend_from_slice(&flags.to_le_bytes());
        out.push(0);
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(elements(self.body));
        out.extend_from_slice(self.tail);
        out.push(0);
        close_document(out, start);
        Ok(())
    }

    /// The message's bytes in order, in pieces that lie together in memory.
    fn pieces<'s>(&self, head: &'s [u8]) -> impl Iterator<Item = &'s [u8]>
    where
        'a: 's,
    {
        let (document, mut headers) = head.split_at_checked(self.document_end()).unwrap_or((head, &[]));
        let sequences = self.sequences;
        let first = match sequences.first() {
            // The document and the first sequence's header are neighbours.
            Some(first) => head.get(..document.len() + first.header_len()).unwrap_or(head),
            None => document,
        };
        std::iter::once(first).chain(sequences.iter().enumerate().flat_map(move |(index, sequence)| {
            let (header, rest) = headers.split_at_checked(sequence.header_len()).unwrap_or((headers, &[]));
            headers = rest;
            [if index == 0 { &[] } else { header }, sequence.documents.as_slice()]
        }))
    }
}

fn write_sequence_header(out: &mut Vec<u8>, sequence: &DocumentSequence) {
    out.push(1);
    // The size counts itself, but not the kind byte before it; that it fits was checked with the whole message.
    out.extend_from_slice(&((sequence.wire_len() - 1) as i32).to_le_bytes());
    out.extend_from_slice(sequence.identifier.as_bytes());
    out.push(0);
}

/// Appends an array element that holds `documents`, which stand one after the other.
pub(super) fn append_array(out: &mut Vec<u8>, key: &str, documents: &[u8]) -> Result<(), InvalidSequence> {
    out.push(ElementType::Array as u8);
    out.extend_from_slice(key.as_bytes());
    out.push(0);
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    for (index, document) in Documents::new(documents).enumerate() {
        out.push(ElementType::EmbeddedDocument as u8);
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{index}\0");
        out.extend_from_slice(document?.as_bytes());
    }
    out.push(0);
    close_document(out, start);
    Ok(())
}

#[cfg(test)]
mod tests {
    use bson::{doc, raw::cstr, rawdoc};

    use super::{super::TailWriter, *};

    const MAX: usize = 1 << 20;

    fn sequence(identifier: &'static str, count: i32) -> DocumentSequence {
        let mut sequence = DocumentSequence::new(identifier);
        for id in 0..count {
            sequence.push(&rawdoc! { "_id": id });
        }
        sequence
    }

    fn tail() -> Vec<u8> {
        let mut tail = Vec::new();
        TailWriter::new(&mut tail).string(cstr!("$db"), "shop");
        tail
    }

    #[test]
    fn a_plain_command_is_laid_out_as_specified() {
        let body = rawdoc! { "ping": 1 };
        let tail = tail();
        let parts =
            MessageParts { body: &body, tail: &tail, sequences: &[], flags: MessageFlags::MORE_TO_COME, request_id: 9 };
        let mut out = vec![1, 2, 3];
        parts.write_to(&mut out, MAX).unwrap();
        let mut expected = Vec::new();
        let length = i32::try_from(out.len()).unwrap();
        for number in [length, 9, 0, 2013, 2] {
            expected.extend_from_slice(&number.to_le_bytes());
        }
        expected.push(0);
        expected.extend_from_slice(rawdoc! { "ping": 1, "$db": "shop" }.as_bytes());
        assert_eq!(out, expected);
        let mut head = Vec::new();
        parts.write_head(&mut head, MAX).unwrap();
        assert_eq!(head, expected);
    }

    #[test]
    fn the_slices_are_the_message_from_whatever_byte_on() {
        let body = rawdoc! { "bulkWrite": 1 };
        let tail = tail();
        for sequences in
            [vec![], vec![sequence("ops", 3)], vec![sequence("ops", 2), sequence("e", 0), sequence("n", 1)]]
        {
            let parts = MessageParts {
                body: &body,
                tail: &tail,
                sequences: &sequences,
                flags: MessageFlags::NONE,
                request_id: 1,
            };
            let (mut whole, mut head) = (Vec::new(), Vec::new());
            parts.write_to(&mut whole, MAX).unwrap();
            parts.write_head(&mut head, MAX).unwrap();
            assert_eq!(whole.len(), parts.total_len());
            for written in 0..=whole.len() {
                let mut slices = [IoSlice::new(&[]); 8];
                let used = parts.unwritten(&head, written, &mut slices);
                let rest: Vec<u8> = slices[..used].iter().flat_map(|slice| slice.iter().copied()).collect();
                assert_eq!(rest, whole[written..], "after {written} bytes");
                assert!(slices[..used].iter().all(|slice| !slice.is_empty()));
            }
        }
    }

    #[test]
    fn too_few_slices_hold_the_beginning_of_what_is_left() {
        let body = rawdoc! { "bulkWrite": 1 };
        let sequences = [sequence("ops", 2), sequence("nsInfo", 1)];
        let parts =
            MessageParts { body: &body, tail: &[], sequences: &sequences, flags: MessageFlags::NONE, request_id: 1 };
        let (mut whole, mut head) = (Vec::new(), Vec::new());
        parts.write_to(&mut whole, MAX).unwrap();
        parts.write_head(&mut head, MAX).unwrap();
        let mut written = Vec::new();
        loop {
            let mut slices = [IoSlice::new(&[])];
            if parts.unwritten(&head, written.len(), &mut slices) == 0 {
                break;
            }
            written.extend_from_slice(&slices[0]);
        }
        assert_eq!(written, whole);
    }

    #[test]
    fn a_message_larger_than_the_server_accepts_is_refused() {
        let body = rawdoc! { "insert": "c" };
        let sequences = [sequence("documents", 100)];
        let parts =
            MessageParts { body: &body, tail: &[], sequences: &sequences, flags: MessageFlags::NONE, request_id: 1 };
        let length = parts.total_len();
        let mut head = Vec::new();
        assert!(parts.write_head(&mut head, length).is_ok());
        let error = parts.write_head(&mut head, length - 1).unwrap_err();
        assert_eq!(error, WireError::MessageTooLarge { length, max: length - 1 });
        assert!(head.is_empty());
    }

    #[test]
    fn monitoring_sees_sequences_as_arrays() {
        let body = rawdoc! { "insert": "c" };
        let tail = tail();
        let sequences = [sequence("documents", 12)];
        let parts =
            MessageParts { body: &body, tail: &tail, sequences: &sequences, flags: MessageFlags::NONE, request_id: 1 };
        let document: bson::Document = parts.to_command_document().unwrap().try_into().unwrap();
        let ids: Vec<_> = (0..12).map(|id| doc! { "_id": id }).collect();
        assert_eq!(document, doc! { "insert": "c", "$db": "shop", "documents": ids });
        let broken = [DocumentSequence { identifier: "documents", documents: vec![1, 2], count: 1 }];
        assert_eq!(MessageParts { sequences: &broken, ..parts }.to_command_document(), Err(InvalidSequence));
    }
}
