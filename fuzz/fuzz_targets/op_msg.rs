//! A stream of messages from a server, in pieces of the size that the first byte says.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mongo_actors_protocol::wire::{MessageFlags, MessageParts, MessageReader, ReplyBody, ReplyMessage};

const MAX: usize = 1 << 20;

fn messages(stream: &[u8], piece: usize) -> Vec<Result<ReplyMessage, String>> {
    let mut reader = MessageReader::new(MAX);
    let mut messages = Vec::new();
    for piece in stream.chunks(piece) {
        reader.unfilled().extend_from_slice(piece);
        loop {
            match reader.next() {
                Ok(Some(message)) => messages.push(Ok(message)),
                Ok(None) => break,
                Err(error) => {
                    messages.push(Err(error.to_string()));
                    return messages;
                }
            }
        }
        let room = reader.unfilled().capacity();
        assert!(room <= 2 * MAX, "{room} bytes are set aside");
    }
    messages
}

/// What was read can be sent, and is then read as the same again.
fn round_trip(body: &ReplyBody) {
    let document = body.as_document().to_owned();
    let parts = MessageParts { body: &document, tail: &[], sequences: &[], flags: MessageFlags::NONE, request_id: 7 };
    let mut out = Vec::new();
    parts.write_to(&mut out, 2 * MAX).expect("it was shorter than that");
    let mut reader = MessageReader::new(2 * MAX);
    reader.unfilled().extend_from_slice(&out);
    let again = reader.next().expect("our own message").expect("a whole message");
    assert_eq!((again.request_id, &again.body), (7, body));
    assert!(!reader.is_mid_message());
}

fuzz_target!(|data: &[u8]| {
    let Some((size, stream)) = data.split_first() else { return };
    let whole = messages(stream, stream.len().max(1));
    let pieces = messages(stream, usize::from(*size).max(1));
    assert_eq!(whole.len(), pieces.len());
    for (whole, pieces) in whole.iter().zip(&pieces) {
        match (whole, pieces) {
            (Ok(whole), Ok(pieces)) => {
                assert_eq!(whole.body, pieces.body);
                round_trip(&whole.body);
                // Whatever passed may be walked through, though its elements may be malformed.
                for element in whole.body.as_document() {
                    let Ok((_, value)) = element else { break };
                    let _ = bson::Bson::try_from(value);
                }
            }
            (whole, pieces) => assert_eq!(whole.as_ref().err(), pieces.as_ref().err()),
        }
    }
});
