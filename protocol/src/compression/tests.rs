#![cfg(all(feature = "snappy-compression", feature = "zlib-compression", feature = "zstd-compression"))]

use bytes::Bytes;

use super::*;
use crate::wire::{HEADER_LEN, Header, OpCode};

const MAX: usize = 48_000_000;

fn all() -> Vec<Compressor> {
    let mut all = vec![Compressor::Snappy];
    all.extend([None, Some(-1), Some(0), Some(1), Some(9)].map(|level| Compressor::Zlib { level }));
    all.extend([None, Some(1), Some(22)].map(|level| Compressor::Zstd { level }));
    all
}

fn message(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let message_length = i32::try_from(HEADER_LEN + payload.len()).unwrap();
    Header { message_length, request_id: 3, response_to: 4, op_code: OpCode::Msg }.write(&mut out);
    out.extend_from_slice(payload);
    out
}

/// An OP_COMPRESSED message with this content.
fn compressed(size: usize, id: CompressorId, data: &[u8]) -> CompressedMessage {
    let mut payload = OpCode::Msg.code().to_le_bytes().to_vec();
    payload.extend_from_slice(&i32::try_from(size).unwrap().to_le_bytes());
    payload.push(id.id());
    payload.extend_from_slice(data);
    let message_length = i32::try_from(HEADER_LEN + payload.len()).unwrap();
    let header = Header { message_length, request_id: 3, response_to: 4, op_code: OpCode::Compressed };
    CompressedMessage::read(Frame { header, payload: payload.into() }, MAX).unwrap()
}

fn pack(compressor: Compressor, plain: &[u8]) -> CompressedMessage {
    let mut out = Vec::new();
    MessageCompressor::new(compressor).unwrap().compress(plain, &mut out, MAX).unwrap();
    let header = Header::read(out.first_chunk().unwrap(), MAX).unwrap();
    assert_eq!(header.len(), out.len());
    CompressedMessage::read(Frame { header, payload: Bytes::from(out).slice(HEADER_LEN..) }, MAX).unwrap()
}

/// Text that compresses well, noise that does not, nothing, and sizes around a block.
fn payloads() -> Vec<Vec<u8>> {
    let noise = |length: usize| {
        let mut state = 0x2545_f491_u32;
        std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[0]
        })
        .take(length)
        .collect::<Vec<u8>>()
    };
    let text = b"the same words again ".repeat(20_000);
    vec![Vec::new(), vec![0], text, noise(1), noise(65_535), noise(65_537), vec![7; 1_000_000]]
}

#[test]
fn every_message_comes_back_from_every_algorithm_and_level() {
    for compressor in all() {
        let mut encoder = MessageCompressor::new(compressor).unwrap();
        let mut decoder = MessageDecompressor::default();
        for payload in payloads() {
            let plain = message(&payload);
            let mut out = b"left over".to_vec();
            encoder.compress(&plain, &mut out, MAX).unwrap();
            let header = Header::read(out.first_chunk().unwrap(), MAX).unwrap();
            let frame = Frame { header, payload: Bytes::from(out).slice(HEADER_LEN..) };
            let frame = decoder.decompress(CompressedMessage::read(frame, MAX).unwrap()).unwrap();
            assert_eq!((frame.header.request_id, frame.header.response_to), (3, 4));
            assert!(frame.payload == payload, "{compressor:?}, {} bytes", payload.len());
        }
    }
}

#[test]
fn levels_make_a_difference() {
    let plain = message(&payloads()[2]);
    let size = |compressor| pack(compressor, &plain).data.len();
    let zlib = |level| size(Compressor::Zlib { level: Some(level) });
    assert!(zlib(0) > plain.len() - HEADER_LEN && zlib(9) < plain.len() / 50);
    let default = size(Compressor::Zlib { level: None });
    assert_eq!((zlib(-1), zlib(6)), (default, default));
    let zstd = |level| size(Compressor::Zstd { level });
    assert_eq!(zstd(None), zstd(Some(3)));
    assert!(zstd(Some(19)) <= zstd(Some(1)));
}

#[test]
fn one_decompressor_takes_each_message_as_it_is_marked() {
    let plain = message(b"payload");
    let mut decoder = MessageDecompressor::default();
    for compressor in all().into_iter().chain(all().into_iter().rev()) {
        assert_eq!(decoder.decompress(pack(compressor, &plain)).unwrap().payload, b"payload"[..]);
    }
    let frame = decoder.decompress(compressed(7, CompressorId::Noop, b"payload")).unwrap();
    assert_eq!(frame.payload, b"payload"[..]);
}

#[test]
fn a_size_that_is_not_the_true_one_is_refused() {
    let plain = message(&[5; 1000]);
    for compressor in all() {
        let id = CompressorId::from(compressor);
        for size in [0, 1, 999, 1001, 2_000_000] {
            let packed = pack(compressor, &plain);
            let error = MessageDecompressor::default().decompress(compressed(size, id, &packed.data)).unwrap_err();
            assert!(
                matches!(error, WireError::DecompressionFailed { .. } | WireError::UncompressedSizeMismatch { .. }),
                "{compressor:?}: {error}"
            );
        }
    }
}

#[test]
fn a_decompressor_is_as_good_as_new_after_an_error() {
    for compressor in all() {
        let id = CompressorId::from(compressor);
        let mut decoder = MessageDecompressor::default();
        for junk in [&b""[..], b"x", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff", &[0x78, 0x9c, 1, 2, 3]] {
            assert!(decoder.decompress(compressed(7, id, junk)).is_err(), "{compressor:?} {junk:?}");
            let good = pack(compressor, &message(b"payload"));
            assert_eq!(decoder.decompress(good).unwrap().payload, b"payload"[..]);
        }
    }
}

#[test]
fn damaged_data_is_never_taken_for_a_longer_message() {
    let plain = message(&payloads()[2][..2000]);
    for compressor in all() {
        let packed = pack(compressor, &plain);
        let id = CompressorId::from(compressor);
        for at in 0..packed.data.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut data = packed.data.to_vec();
                data[at] ^= flip;
                if let Ok(frame) = MessageDecompressor::default().decompress(compressed(2000, id, &data)) {
                    assert_eq!(frame.payload.len(), 2000);
                }
            }
            let cut = &packed.data[..at];
            assert!(MessageDecompressor::default().decompress(compressed(2000, id, cut)).is_err(), "{compressor:?}");
        }
    }
}

#[test]
fn a_message_that_grows_beyond_the_limit_is_refused() {
    let plain = message(&payloads()[5]);
    for compressor in all() {
        let mut out = Vec::new();
        let result = MessageCompressor::new(compressor).unwrap().compress(&plain, &mut out, plain.len());
        assert!(matches!(result, Err(WireError::MessageTooLarge { .. })), "{compressor:?}: {result:?}");
    }
}
