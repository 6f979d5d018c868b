//! Compressed messages: hostile ones, and that ours come back. Not ours to fuzz are the algorithms themselves.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mongo_actors_protocol::{
    compression::{MessageCompressor, MessageDecompressor},
    options::Compressor,
    wire::{CompressedMessage, Frame, Header, MessageReader, OpCode, ReplyMessage, HEADER_LEN},
};

const MAX: usize = 1 << 20;

fn frame(message: &[u8]) -> Option<Frame> {
    let mut reader = MessageReader::new(MAX);
    reader.unfilled().extend_from_slice(message);
    reader.next_frame().ok().flatten()
}

fuzz_target!(|data: &[u8]| {
    // The payload of a compressed message.
    let mut message = Vec::new();
    let length = (HEADER_LEN + data.len()) as i32;
    Header { message_length: length, request_id: 1, response_to: 2, op_code: OpCode::Compressed }.write(&mut message);
    message.extend_from_slice(data);
    if let Some(compressed) = frame(&message).and_then(|frame| CompressedMessage::read(frame, MAX).ok()) {
        let size = compressed.uncompressed_size;
        assert!(size <= MAX);
        if let Ok(frame) = MessageDecompressor::default().decompress(compressed) {
            assert_eq!(frame.payload.len(), size);
            let _ = ReplyMessage::try_from(frame);
        }
    }

    // The payload of a message of ours.
    let mut plain = Vec::new();
    Header { message_length: length, request_id: 1, response_to: 2, op_code: OpCode::Msg }.write(&mut plain);
    plain.extend_from_slice(data);
    let compressor = match data.first().copied().unwrap_or(0) % 3 {
        0 => Compressor::Snappy,
        1 => Compressor::Zlib { level: Some(i32::from(data.len() as u8 % 10)) },
        _ => Compressor::Zstd { level: Some(1) },
    };
    let mut packed = Vec::new();
    let mut encoder = MessageCompressor::new(compressor).expect("all algorithms are built in");
    encoder.compress(&plain, &mut packed, MAX).expect("the message is small");
    let compressed = CompressedMessage::read(frame(&packed).expect("a whole message"), MAX).expect("our own message");
    let back = MessageDecompressor::default().decompress(compressed).expect("our own message");
    assert_eq!(back.payload, data);
});
