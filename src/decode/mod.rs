//! From the server's bytes to the application's types.

mod purge;

use bson::Utf8Lossy;
use bytes::Bytes;
use mongo_actors_protocol::options::{CodecOptions, Utf8Policy};
use serde::{Deserialize, de::DeserializeOwned};

use self::purge::purged;
use crate::error::{Error, Result};

/// Reads a document, straight from the bytes that came from the socket.
pub(crate) fn decode<T: DeserializeOwned>(document: &[u8], codec: &CodecOptions) -> Result<T> {
    match borrow(document, codec) {
        Err(error) if codec.utf8_policy == Utf8Policy::Ignore => match purged(document) {
            Some(clean) if clean != document => borrow(&clean, codec),
            _ => Err(error),
        },
        decoded => decoded,
    }
}

/// The same for values that may borrow from the document, which is to be [`readable`].
pub(crate) fn borrow<'de, T: Deserialize<'de>>(document: &'de [u8], codec: &CodecOptions) -> Result<T> {
    let decoded = match codec.utf8_policy {
        Utf8Policy::Replace => bson::deserialize_from_slice(document).map(|Utf8Lossy(value)| value),
        _ => bson::deserialize_from_slice(document),
    };
    decoded.map_err(Error::deserialization)
}

/// The document without what is to be left out of it.
pub(crate) fn readable(document: Bytes, codec: &CodecOptions) -> Bytes {
    match codec.utf8_policy {
        Utf8Policy::Ignore => purged(&document).map_or(document, Bytes::from),
        _ => document,
    }
}

#[cfg(test)]
mod tests {
    use bson::{Document, doc, rawdoc};

    use super::*;
    use crate::error::ErrorKind;

    #[derive(Deserialize)]
    struct Borrowed<'a> {
        a: &'a str,
    }

    #[test]
    fn faulty_strings_are_an_error_unless_they_may_be_replaced_or_dropped() {
        let mut bytes = rawdoc! { "a": "xyz" }.into_bytes();
        let at = bytes.iter().position(|byte| *byte == b'y').unwrap();
        bytes[at] = 0xff;
        let strict = decode::<Document>(&bytes, &CodecOptions::default()).unwrap_err();
        assert!(matches!(strict.kind(), ErrorKind::Deserialization { .. }));
        let mut lossy = CodecOptions::default();
        lossy.utf8_policy = Utf8Policy::Replace;
        assert_eq!(decode::<Document>(&bytes, &lossy).unwrap(), doc! { "a": "x\u{fffd}z" });
        lossy.utf8_policy = Utf8Policy::Ignore;
        assert_eq!(decode::<Document>(&bytes, &lossy).unwrap(), doc! { "a": "xz" });
        let clean = readable(bytes.into(), &lossy);
        assert_eq!(borrow::<Borrowed<'_>>(&clean, &lossy).unwrap().a, "xz");
    }
}
