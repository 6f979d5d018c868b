//! From the server's bytes to the application's types.

use bson::Utf8Lossy;
use mongo_actors_protocol::options::{CodecOptions, Utf8Policy};
use serde::Deserialize;

use crate::error::{Error, Result};

/// Reads a document, straight from the bytes that came from the socket.
pub(crate) fn decode<'de, T: Deserialize<'de>>(document: &'de [u8], codec: &CodecOptions) -> Result<T> {
    let decoded = match codec.utf8_policy {
        Utf8Policy::Strict => bson::deserialize_from_slice(document),
        _ => bson::deserialize_from_slice(document).map(|Utf8Lossy(value)| value),
    };
    decoded.map_err(Error::deserialization)
}

#[cfg(test)]
mod tests {
    use bson::{Document, doc, rawdoc};

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn faulty_strings_are_an_error_unless_they_may_be_replaced() {
        let mut bytes = rawdoc! { "a": "xyz" }.into_bytes();
        let at = bytes.iter().position(|byte| *byte == b'y').unwrap();
        bytes[at] = 0xff;
        let strict = decode::<Document>(&bytes, &CodecOptions::default()).unwrap_err();
        assert!(matches!(strict.kind(), ErrorKind::Deserialization { .. }));
        let mut lossy = CodecOptions::default();
        lossy.utf8_policy = Utf8Policy::Replace;
        assert_eq!(decode::<Document>(&bytes, &lossy).unwrap(), doc! { "a": "x\u{fffd}z" });
    }
}
