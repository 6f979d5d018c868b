//! A stream of messages from a server, in pieces of the size that the first byte says.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mongo_actors_protocol::wire::{MessageReader, ReplyMessage};

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

fuzz_target!(|data: &[u8]| {
    let Some((size, stream)) = data.split_first() else { return };
    let whole = messages(stream, stream.len().max(1));
    let pieces = messages(stream, usize::from(*size).max(1));
    assert_eq!(whole.len(), pieces.len());
    for (whole, pieces) in whole.iter().zip(&pieces) {
        match (whole, pieces) {
            (Ok(whole), Ok(pieces)) => {
                assert_eq!(whole.body, pieces.body);
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
