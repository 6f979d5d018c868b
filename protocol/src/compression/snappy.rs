//! Snappy: the raw format, without frames.

use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::{Decode, Encode};

pub(super) fn encoder() -> impl Encode + 'static {
    Encoder::new()
}

pub(super) fn decoder() -> impl Decode + 'static {
    Decoder::new()
}

impl Encode for Encoder {
    fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let start = out.len();
        out.resize(start + max_compress_len(plain.len()), 0);
        let length = self.compress(plain, &mut out[start..]).map_err(|error| error.to_string())?;
        out.truncate(start + length);
        Ok(())
    }
}

impl Decode for Decoder {
    fn decode(&mut self, data: &[u8], size: usize) -> Result<Vec<u8>, String> {
        // The data says its size once more, and the decoder believes it.
        let announced = decompress_len(data).map_err(|error| error.to_string())?;
        if announced != size {
            return Err(format!("its own header announces {announced} bytes, not {size}"));
        }
        let mut out = vec![0; size];
        let length = self.decompress(data, &mut out).map_err(|error| error.to_string())?;
        out.truncate(length);
        Ok(out)
    }
}
