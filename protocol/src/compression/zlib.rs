//! zlib.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{Decode, Encode};

/// Compression starts with room for this part of the message, and takes more when it must.
const EXPECTED_RATIO: usize = 2;
const LEAST_ROOM: usize = 128;

pub(super) fn encoder(level: Option<i32>) -> impl Encode + 'static {
    // -1 is the library's default as well.
    let level = level.and_then(|level| u32::try_from(level).ok()).map_or_else(Compression::default, Compression::new);
    Compress::new(level, true)
}

pub(super) fn decoder() -> impl Decode + 'static {
    Decompress::new(true)
}

impl Encode for Compress {
    fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        self.reset();
        out.reserve(plain.len() / EXPECTED_RATIO + LEAST_ROOM);
        loop {
            // Within the slice: it counts what it was given of it.
            let rest = &plain[self.total_in() as usize..];
            match self.compress_vec(rest, out, FlushCompress::Finish).map_err(|error| error.to_string())? {
                Status::StreamEnd => return Ok(()),
                Status::Ok | Status::BufError => out.reserve(rest.len() / EXPECTED_RATIO + LEAST_ROOM),
            }
        }
    }
}

impl Decode for Decompress {
    fn decode(&mut self, data: &[u8], size: usize) -> Result<Vec<u8>, String> {
        self.reset(true);
        // With one byte too many, the end of the stream fits and an excess shows.
        let mut out = Vec::with_capacity(size + 1);
        match self.decompress_vec(data, &mut out, FlushDecompress::Finish).map_err(|error| error.to_string())? {
            Status::StreamEnd if self.total_in() == data.len() as u64 => Ok(out),
            Status::StreamEnd => Err("something follows the end of its stream".into()),
            Status::Ok | Status::BufError if out.len() > size => Err(format!("it holds more than {size} bytes")),
            Status::Ok | Status::BufError => Err("its stream has no end".into()),
        }
    }
}
