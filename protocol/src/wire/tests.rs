//! The reader against streams in pieces, and against hostile bytes.

use bson::{RawDocument, RawDocumentBuf, doc, rawdoc};
use bytes::Bytes;
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};

use super::*;
use crate::{
    auth::sasl::SaslReply,
    command::Envelope,
    event::{LogDocument, redaction::is_sensitive},
    handshake::HandshakeReply,
};

const MAX: usize = 1 << 16;

/// A message made of raw sections.
fn message(flags: u32, sections: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let message_length = i32::try_from(HEADER_LEN + 4 + sections.len()).unwrap();
    Header { message_length, request_id: 11, response_to: 7, op_code: OpCode::Msg }.write(&mut out);
    out.extend_from_slice(&flags.to_le_bytes());
    out.extend_from_slice(sections);
    out
}

fn body(document: &RawDocument) -> Vec<u8> {
    [&[0], document.as_bytes()].concat()
}

fn sequence(identifier: &[u8], documents: &[u8]) -> Vec<u8> {
    let length = i32::try_from(4 + identifier.len() + 1 + documents.len()).unwrap();
    [&[1], &length.to_le_bytes()[..], identifier, &[0], documents].concat()
}

fn feed(reader: &mut MessageReader, bytes: &[u8]) {
    reader.unfilled().extend_from_slice(bytes);
}

fn read_one(bytes: &[u8]) -> Result<Option<ReplyMessage>, WireError> {
    let mut reader = MessageReader::new(MAX);
    feed(&mut reader, bytes);
    reader.next()
}

fn fault(bytes: &[u8]) -> WireError {
    read_one(bytes).unwrap_err()
}

#[test]
fn a_stream_may_be_cut_at_every_byte() {
    let documents = [rawdoc! { "ok": 1 }, rawdoc! { "ok": 1, "cursor": { "id": 5_i64 } }];
    let stream = [message(0, &body(&documents[0])), message(2, &body(&documents[1]))].concat();
    for first in 0..=stream.len() {
        for second in [first, (first + stream.len()) / 2] {
            let mut reader = MessageReader::new(MAX);
            let mut replies = Vec::new();
            for piece in [&stream[..first], &stream[first..second], &stream[second..]] {
                feed(&mut reader, piece);
                while let Some(reply) = reader.next().unwrap() {
                    replies.push(reply);
                }
            }
            assert!(!reader.is_mid_message());
            let bodies: Vec<_> = replies.iter().map(|reply| reply.body.as_document().to_owned()).collect();
            assert_eq!(bodies, documents, "cut at {first} and {second}");
            assert_eq!(replies.iter().map(ReplyMessage::more_to_come).collect::<Vec<_>>(), [false, true]);
        }
    }
}

#[test]
fn a_stream_may_come_byte_by_byte() {
    let document = rawdoc! { "ok": 1, "text": "x".repeat(40_000) };
    let stream = message(0, &body(&document));
    let mut reader = MessageReader::new(MAX);
    for (position, byte) in stream.iter().enumerate() {
        feed(&mut reader, &[*byte]);
        let reply = reader.next().unwrap();
        assert_eq!(reply.is_some(), position + 1 == stream.len());
    }
}

#[test]
fn a_faulty_header_is_refused_as_soon_as_it_is_there() {
    let mut reader = MessageReader::new(MAX);
    for length in [i32::MAX, -1, 15, 0] {
        let mut bytes = message(0, &body(&rawdoc! {}));
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        let mut reader = MessageReader::new(MAX);
        feed(&mut reader, &bytes[..15]);
        assert!(reader.next().unwrap().is_none());
        feed(&mut reader, &bytes[15..16]);
        assert_eq!(reader.next().unwrap_err(), WireError::LengthOutOfRange { length, min: 16, max: MAX });
        assert!(reader.unfilled().capacity() <= 16 * 1024);
    }
    let mut bytes = message(0, &[]);
    bytes[12..16].copy_from_slice(&2004_i32.to_le_bytes());
    feed(&mut reader, &bytes[..16]);
    assert_eq!(reader.next().unwrap_err(), WireError::UnexpectedOpCode { op_code: OpCode::Query });
    assert!(reader.is_mid_message());
}

#[test]
fn each_fault_has_a_name() {
    let document = rawdoc! { "ok": 1 };
    let one = body(&document);
    assert_eq!(fault(&message(4, &one)), WireError::UnknownRequiredFlags { flags: 4 });
    assert_eq!(fault(&message(0, &[])), WireError::MissingBody);
    assert_eq!(fault(&message(0, &sequence(b"a", &[]))), WireError::MissingBody);
    assert_eq!(fault(&message(0, &[one.clone(), one.clone()].concat())), WireError::DuplicateBody);
    assert_eq!(fault(&message(0, &[2])), WireError::UnknownSectionKind { kind: 2 });
    assert_eq!(fault(&message(0, &[0])), WireError::MissingBody);
    assert_eq!(fault(&message(0, &[0, 5, 0])), WireError::Truncated { field: "document length" });
    assert_eq!(fault(&message(1, &[])), WireError::ChecksumPresentButShort);
    for length in [4, 6, -5, i32::MAX] {
        let section = [&[0], &i32::to_le_bytes(length)[..], &[0]].concat();
        assert_eq!(fault(&message(0, &section)), WireError::SectionLengthOutOfRange { length, available: 5 });
        let section = [&[1], &i32::to_le_bytes(length)[..], &[0]].concat();
        let expected = match length {
            4 => WireError::InvalidSequenceIdentifier,
            length => WireError::SectionLengthOutOfRange { length, available: 5 },
        };
        assert_eq!(fault(&message(0, &section)), expected);
    }
    assert_eq!(fault(&message(0, &[1, 5])), WireError::Truncated { field: "sequence length" });
    let twice = [one.clone(), sequence(b"a", &[]), sequence(b"a", &[])].concat();
    assert_eq!(fault(&message(0, &twice)), WireError::DuplicateSequence);
    let many: Vec<u8> = (b'a'..=b'z').flat_map(|name| sequence(&[name], &[])).collect();
    assert_eq!(fault(&message(0, &many)), WireError::TooManySequences { max: 16 });
    assert_eq!(
        fault(&message(0, &[one.clone(), sequence(b"\xff", &[])].concat())),
        WireError::InvalidSequenceIdentifier
    );
    assert_eq!(fault(&message(0, &[one, sequence(b"a", &[1])].concat())), WireError::InvalidSequence);
    let open = message(0, &[0, 5, 0, 0, 0, 1]);
    assert!(matches!(fault(&open), WireError::InvalidDocument { .. }));
    let mut short = message(0, &[]);
    short.truncate(18);
    short[..4].copy_from_slice(&18_i32.to_le_bytes());
    assert_eq!(fault(&short), WireError::Truncated { field: "flags" });
}

#[test]
fn a_reply_nested_beyond_reason_is_refused() {
    let mut document = RawDocumentBuf::new();
    for _ in 0..9_000 {
        let mut outer = RawDocumentBuf::new();
        outer.append(bson::raw::cstr!(""), document);
        document = outer;
    }
    assert_eq!(fault(&message(0, &body(&document))), WireError::NestedTooDeep { max: MAX_NESTING });
}

#[test]
fn a_checksum_is_left_out() {
    let document = rawdoc! { "ok": 1 };
    let reply = read_one(&message(1, &[&body(&document)[..], &[1, 2, 3, 4]].concat())).unwrap().unwrap();
    assert_eq!(reply.body.as_document(), &*document);
    assert!(reply.flags.checksum_present());
}

#[test]
fn sequences_in_a_reply_become_arrays() {
    let documents = [rawdoc! { "a": 1 }.into_bytes(), rawdoc! { "b": 2 }.into_bytes()].concat();
    let sections = [sequence(b"list", &documents), body(&rawdoc! { "ok": 1 }), sequence(b"empty", &[])].concat();
    let reply = read_one(&message(0, &sections)).unwrap().unwrap();
    let read: bson::Document = reply.body.as_document().try_into().unwrap();
    assert_eq!(read, doc! { "ok": 1, "list": [{ "a": 1 }, { "b": 2 }], "empty": [] });
}

#[test]
fn a_legacy_reply_is_understood() {
    let document = rawdoc! { "ismaster": true, "ok": 1 };
    let legacy = |documents: &[u8]| {
        let mut out = Vec::new();
        let message_length = i32::try_from(HEADER_LEN + 20 + documents.len()).unwrap();
        Header { message_length, request_id: 1, response_to: 2, op_code: OpCode::Reply }.write(&mut out);
        out.extend_from_slice(&[8; 20]);
        out.extend_from_slice(documents);
        out
    };
    let reply = read_one(&legacy(document.as_bytes())).unwrap().unwrap();
    assert_eq!(reply.body.as_document(), &*document);
    assert_eq!(fault(&legacy(&[])), WireError::MissingBody);
    assert_eq!(fault(&legacy(&[document.as_bytes(), &[0]].concat())), WireError::DuplicateBody);
    let mut short = legacy(&[]);
    short.truncate(30);
    short[..4].copy_from_slice(&30_i32.to_le_bytes());
    assert_eq!(fault(&short), WireError::Truncated { field: "reply header" });
}

#[test]
fn a_reply_must_answer_the_request() {
    let reply = read_one(&message(0, &body(&rawdoc! { "ok": 1 }))).unwrap().unwrap();
    assert_eq!(reply.check_response_to(7), Ok(()));
    assert_eq!(reply.check_response_to(8), Err(WireError::ResponseToMismatch { expected: 8, received: 7 }));
}

#[test]
fn parts_of_a_body_share_its_memory() {
    let reply = read_one(&message(0, &body(&rawdoc! { "cursor": { "firstBatch": [{ "x": 1 }] }, "ok": 1 })));
    let body = reply.unwrap().unwrap().body;
    let batch = body.as_document().get_document("cursor").unwrap().get_array("firstBatch").unwrap();
    let first = batch.get_document(0).unwrap();
    let slice = body.slice_of(first).unwrap();
    assert_eq!(slice.as_ptr(), first.as_bytes().as_ptr());
    assert_eq!(&slice[..], rawdoc! { "x": 1 }.as_bytes());
    assert_eq!(body.slice_of(&rawdoc! { "x": 1 }), None);
    assert_eq!(format!("{body:?}"), format!("ReplyBody({} bytes)", body.clone().into_bytes().len()));
}

#[test]
fn replies_that_were_dropped_leave_their_memory_to_the_next() {
    let stream = message(0, &body(&rawdoc! { "ok": 1, "text": "x".repeat(1000) }));
    let mut reader = MessageReader::new(MAX);
    let mut addresses = std::collections::BTreeSet::new();
    for _ in 0..1000 {
        feed(&mut reader, &stream);
        addresses.insert(reader.next().unwrap().unwrap().body.as_document().as_bytes().as_ptr() as usize);
    }
    // All of them lie in one chunk.
    let (first, last) = (addresses.first().unwrap(), addresses.last().unwrap());
    assert!(last - first < 16 * 1024, "{} bytes apart", last - first);
}

#[test]
fn a_large_message_takes_its_memory_with_it() {
    let large = message(0, &body(&rawdoc! { "ok": 1, "text": "x".repeat(3 << 20) }));
    let small = message(0, &body(&rawdoc! { "ok": 1 }));
    let mut reader = MessageReader::new(DEFAULT_MAX_MESSAGE_SIZE);
    feed(&mut reader, &large[..1000]);
    assert!(reader.next().unwrap().is_none());
    // All that is missing fits without another move.
    assert!(reader.unfilled().capacity() >= large.len());
    feed(&mut reader, &large[1000..]);
    feed(&mut reader, &small[..20]);
    let reply = reader.next().unwrap().unwrap();
    drop(reply);
    feed(&mut reader, &small[20..]);
    assert!(reader.next().unwrap().is_some());
    let room = reader.unfilled().capacity();
    assert!(room <= 1 << 20, "{room} bytes kept");
}

/// A message with every kind of section and element, to be mutated.
fn seed_message() -> Vec<u8> {
    let document = rawdoc! {
        "cursor": { "firstBatch": [{ "x": [1, [2, { "y": null }]] }], "id": 42_i64 },
        "errmsg": "text", "code": 11, "errorLabels": ["A", "B"], "t": bson::Timestamp { time: 1, increment: 2 },
        "re": bson::Regex { pattern: bson::raw::cstr!("a").into(), options: bson::raw::cstr!("i").into() },
        "bin": bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1, 2, 3] }, "ok": 1.0,
    };
    let documents = [rawdoc! { "a": 1 }.into_bytes(), rawdoc! {}.into_bytes()].concat();
    message(0, &[body(&document), sequence(b"list", &documents)].concat())
}

/// Whatever the bytes, reading ends in replies or in an error; replies can be examined.
fn survive(bytes: &[u8], pieces: usize) {
    let mut reader = MessageReader::new(MAX);
    for piece in bytes.chunks(bytes.len().div_ceil(pieces).max(1)) {
        feed(&mut reader, piece);
        loop {
            match reader.next_frame() {
                Ok(Some(frame)) => examine(frame),
                Ok(None) => break,
                Err(_) => return,
            }
        }
        assert!(reader.unfilled().capacity() <= 2 * MAX);
    }
}

fn examine(frame: Frame) {
    let _ = CompressedMessage::read(frame.clone(), MAX).and_then(|message| {
        let data = message.data.clone();
        message.into_frame(data)
    });
    let Ok(reply) = ReplyMessage::try_from(frame) else { return };
    let document = reply.body.as_document();
    if let Ok(envelope) = Envelope::read(document) {
        let _ = (envelope.labels().count(), envelope.error(document));
    }
    let _ = (HandshakeReply::read(document, false), SaslReply::read(document), is_sensitive("hello", document));
    let shown = LogDocument::new(document, 100).to_string();
    assert!(shown.len() <= 100 + "<invalid>".len());
    let _ = bson::Document::try_from(document);
    let _ = bson::deserialize_from_slice::<bson::Document>(document.as_bytes());
}

#[test]
fn random_bytes_never_panic() {
    let mut rng = StdRng::seed_from_u64(1);
    for _ in 0..3000 {
        let mut bytes = vec![0; rng.random_range(0..300)];
        rng.fill_bytes(&mut bytes);
        survive(&bytes, 1);
        // With a plausible header the payload is reached.
        let flags = rng.random_range(0..4);
        survive(&message(flags, &bytes), rng.random_range(1..5));
    }
}

#[test]
fn mutated_messages_never_panic() {
    let mut rng = StdRng::seed_from_u64(2);
    let seed = seed_message();
    for _ in 0..20_000 {
        let mut bytes = seed.clone();
        for _ in 0..rng.random_range(1..6) {
            // Mostly behind the header, so that the message is not refused at once.
            let start = if rng.random_bool(0.9) { 16 } else { 0 };
            let position = rng.random_range(start..bytes.len());
            match rng.random_range(0..5) {
                0 => bytes[position] = rng.random(),
                1 => bytes[position] ^= 1 << rng.random_range(0..8),
                2 => bytes[position] = [0, 1, 4, 5, 0x7f, 0x80, 0xff][rng.random_range(0..7)],
                3 => drop(bytes.drain(position..(position + 3).min(bytes.len()))),
                _ => bytes.insert(position, rng.random()),
            }
        }
        if rng.random_bool(0.8) && bytes.len() >= 16 {
            let length = i32::try_from(bytes.len()).unwrap();
            bytes[..4].copy_from_slice(&length.to_le_bytes());
        }
        survive(&bytes, rng.random_range(1..4));
    }
}

#[test]
fn a_body_can_be_made_from_bytes() {
    let bytes = Bytes::from(rawdoc! { "ok": 1 }.into_bytes());
    assert_eq!(ReplyBody::try_from(bytes.clone()).unwrap().into_bytes(), bytes);
    assert!(ReplyBody::try_from(Bytes::from_static(&[5, 0, 0, 0])).is_err());
    assert!(ReplyBody::try_from(Bytes::new()).is_err());
}
