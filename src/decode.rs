//! From the server's bytes to the application's types.

use std::borrow::Cow;

use bson::{Bson, Utf8Lossy};
use bytes::Bytes;
use mongo_actors_protocol::{
    codec::{ConversionError, purged},
    command::UpdateResult,
    options::{CodecOptions, Utf8Policy},
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::error::{Error, Result};

/// Reads a document, straight from the bytes that came from the socket unless options have them converted.
pub(crate) fn decode<T: DeserializeOwned>(document: &[u8], codec: &CodecOptions) -> Result<T> {
    decode_converted(codec.read(document), codec)
}

/// Reads an event of a change stream.
pub(crate) fn decode_event<T: DeserializeOwned>(event: &[u8], codec: &CodecOptions) -> Result<T> {
    decode_converted(codec.read_event(event), codec)
}

fn decode_converted<T: DeserializeOwned>(
    document: Result<Cow<'_, [u8]>, ConversionError>,
    codec: &CodecOptions,
) -> Result<T> {
    let document = &*document.map_err(Error::unreadable)?;
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

/// The document as it is to be read: converted, and without what is to be left out of it.
pub(crate) fn readable(document: Bytes, codec: &CodecOptions) -> Result<Bytes> {
    let converted = match codec.read(&document).map_err(Error::unreadable)? {
        Cow::Owned(converted) => Bytes::from(converted),
        Cow::Borrowed(_) => document,
    };
    Ok(match codec.utf8_policy {
        Utf8Policy::Ignore => purged(&converted).map_or(converted, Bytes::from),
        _ => converted,
    })
}

/// A value that the server has told beside documents.
pub(crate) fn value(value: Bson, codec: &CodecOptions) -> Result<Bson> {
    codec.read_value(value).map_err(Error::unreadable)
}

/// The result of an update, with the `_id` in the application's form.
pub(crate) fn updated(mut result: UpdateResult, codec: &CodecOptions) -> Result<UpdateResult> {
    result.upserted_id = result.upserted_id.map(|id| value(id, codec)).transpose()?;
    Ok(result)
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
        let clean = readable(bytes.into(), &lossy).unwrap();
        assert_eq!(borrow::<Borrowed<'_>>(&clean, &lossy).unwrap().a, "xz");
    }

    #[test]
    fn what_a_server_sends_makes_no_message_long() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Empty {}

        let mut document = Document::new();
        document.insert("k".repeat(100_000), 1);
        let bytes = bson::serialize_to_vec(&document).unwrap();
        let error = decode::<Empty>(&bytes, &CodecOptions::default()).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.len() > 100_000, "the source has it all: {} bytes", source.len());
        assert!(error.to_string().len() < 1000, "{} bytes", error.to_string().len());
    }
}
