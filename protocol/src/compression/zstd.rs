//! Zstandard.

use ::zstd::{
    bulk::{Compressor, Decompressor},
    zstd_safe::compress_bound,
};

use super::{Decode, Encode};

/// None when the library cannot get its memory.
pub(super) fn encoder(level: Option<i32>) -> Option<impl Encode + 'static> {
    Compressor::new(level.unwrap_or(::zstd::DEFAULT_COMPRESSION_LEVEL)).ok()
}

/// None when the library cannot get its memory.
pub(super) fn decoder() -> Option<impl Decode + 'static> {
    Decompressor::new().ok()
}

impl Encode for Compressor<'_> {
    fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let start = out.len();
        out.resize(start + compress_bound(plain.len()), 0);
        let length = self.compress_to_buffer(plain, &mut out[start..]).map_err(|error| error.to_string())?;
        out.truncate(start + length);
        Ok(())
    }
}

impl Decode for Decompressor<'_> {
    fn decode(&mut self, data: &[u8], size: usize) -> Result<Vec<u8>, String> {
        // Not more than there is room for is ever written.
        let mut out = Vec::with_capacity(size);
        self.decompress_to_buffer(data, &mut out).map_err(|error| error.to_string())?;
        Ok(out)
    }
}
