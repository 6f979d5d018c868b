//! Compressed messages.

use std::io;

use mongo_actors_protocol::{
    compression::MessageDecompressor,
    wire::{CompressedMessage, MessageReader},
};

use super::message::{HEADER, Header, MAX_MESSAGE, OP_COMPRESSED, header_into, set_length};

/// The message that `frame` holds, and the id of the algorithm; `frame` itself when it is not compressed.
pub(crate) fn uncompressed(frame: Vec<u8>) -> io::Result<(Option<u8>, Vec<u8>)> {
    let Some(header) = Header::read(&frame).filter(|header| header.op_code == OP_COMPRESSED) else {
        return Ok((None, frame));
    };
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut reader = MessageReader::new(MAX_MESSAGE);
    reader.unfilled().extend_from_slice(&frame);
    let frame = reader.next_frame().map_err(invalid)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let message = CompressedMessage::read(frame, MAX_MESSAGE).map_err(invalid)?;
    let compressor = message.compressor.id();
    let frame = MessageDecompressor::default().decompress(message).map_err(invalid)?;
    let mut out = Vec::with_capacity(HEADER + frame.payload.len());
    header_into(&mut out, header.request_id, header.response_to, frame.header.op_code.code());
    out.extend_from_slice(&frame.payload);
    set_length(&mut out);
    Ok((Some(compressor), out))
}

/// The fields of an OP_COMPRESSED message, right or wrong.
pub(crate) struct Compressed<'a> {
    pub(crate) original_op_code: i32,
    pub(crate) uncompressed_size: i32,
    pub(crate) compressor: u8,
    pub(crate) data: &'a [u8],
}

impl Compressed<'_> {
    pub(crate) fn encode(&self, request_id: i32, response_to: i32) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER + 9 + self.data.len());
        header_into(&mut out, request_id, response_to, OP_COMPRESSED);
        out.extend_from_slice(&self.original_op_code.to_le_bytes());
        out.extend_from_slice(&self.uncompressed_size.to_le_bytes());
        out.push(self.compressor);
        out.extend_from_slice(self.data);
        set_length(&mut out);
        out
    }
}
