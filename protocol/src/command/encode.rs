//! Appending options to a command document.

use std::time::Duration;

use bson::{Bson, Document, RawArrayBuf, RawBson, RawDocument, RawDocumentBuf, raw::CStr};

use super::InvalidName;
use crate::codec::ConversionError;

/// Why an operation cannot become a command. Nothing was sent.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A database or collection name that no server accepts.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    /// An argument or option that the operation does not allow.
    #[error("invalid argument \"{argument}\": {reason}")]
    InvalidArgument {
        /// The argument or option, by its name in the command.
        argument: &'static str,
        /// What is wrong with it, and what to pass instead.
        reason: &'static str,
    },
    /// A write of a bulk write has an argument or option that it does not allow.
    #[error("invalid argument \"{argument}\" of write {index}: {reason}")]
    InvalidModel {
        /// The write's position in the caller's input, from 0.
        index: usize,
        /// The argument or option, by its name in the command.
        argument: &'static str,
        /// What is wrong with it, and what to pass instead.
        reason: &'static str,
    },
    /// A document of a batch is larger than the server takes.
    #[error("document {index} has {size} bytes, and the server accepts at most {limit}")]
    DocumentTooLarge {
        /// Position in the caller's input, from 0.
        index: usize,
        /// Its encoded size in bytes.
        size: usize,
        /// The server's `maxBsonObjectSize` in bytes.
        limit: usize,
    },
    /// A value of the batch at this position cannot be written as a BSON document.
    #[error("document {index} cannot be encoded as BSON: {source}")]
    InvalidDocument {
        /// Position in the caller's input, from 0.
        index: usize,
        /// What the encoder says.
        source: bson::error::Error,
    },
    /// A document cannot be converted as the codec options say.
    #[error("{source}")]
    Conversion {
        /// Position of the document in the caller's input, from 0; none when there is only one.
        index: Option<usize>,
        /// Why.
        source: ConversionError,
    },
    /// A value cannot be written as BSON, for example because a key contains a NUL.
    #[error("a value cannot be encoded as BSON: {0}")]
    Bson(#[from] bson::error::Error),
}

impl From<ConversionError> for EncodeError {
    fn from(source: ConversionError) -> Self {
        Self::Conversion { index: None, source }
    }
}

impl EncodeError {
    pub(crate) const fn argument(argument: &'static str, reason: &'static str) -> Self {
        Self::InvalidArgument { argument, reason }
    }
}

/// Bytes of an ordinary command, apart from the documents in it.
const ORDINARY: usize = 120;

/// An empty document with room for an ordinary command and for documents of `more` bytes: without it, a command is
/// moved to a larger place several times while it is encoded.
pub(crate) fn roomy_document(more: usize) -> RawDocumentBuf {
    const EMPTY: [u8; 5] = [5, 0, 0, 0, 0];
    let mut bytes = Vec::with_capacity(ORDINARY + more);
    bytes.extend_from_slice(&EMPTY);
    RawDocumentBuf::from_bytes(bytes).expect("an empty document is well formed")
}

/// A value that can become an element of a command document.
pub(crate) trait Element {
    /// Appends the value under `key`, or nothing when it is absent.
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError>;
}

/// Appends each value that is present under its key, in order.
macro_rules! append {
    ($body:expr; $($key:literal: $value:expr),* $(,)?) => {
        $($crate::command::Element::append_to(&$value, bson::raw::cstr!($key), $body)?;)*
    };
}
pub(crate) use append;

impl<T: Element> Element for Option<T> {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        self.as_ref().map_or(Ok(()), |value| value.append_to(key, body))
    }
}

impl<T: Element + ?Sized> Element for &T {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        (**self).append_to(key, body)
    }
}

/// Values that the BSON crate writes itself, without a way to fail.
macro_rules! plain_elements {
    ($($type:ty),*) => {
        $(impl Element for $type {
            fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
                body.append(key, *self);
                Ok(())
            }
        })*
    };
}
plain_elements!(bool, i32, i64, f64);

impl Element for str {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        body.append(key, self);
        Ok(())
    }
}

impl Element for String {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        self.as_str().append_to(key, body)
    }
}

impl Element for RawDocument {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        body.append(key, self);
        Ok(())
    }
}

impl Element for RawDocumentBuf {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        body.append(key, self);
        Ok(())
    }
}

impl Element for RawArrayBuf {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        body.append(key, self);
        Ok(())
    }
}

impl Element for Document {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        body.append(key, RawDocumentBuf::try_from(self)?);
        Ok(())
    }
}

impl Element for Bson {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        body.append(key, RawBson::try_from(self.clone())?);
        Ok(())
    }
}

/// A number of documents or bytes. Small ones become 32-bit integers, as users write them.
impl Element for u32 {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        match i32::try_from(*self) {
            Ok(small) => body.append(key, small),
            Err(_) => body.append(key, i64::from(*self)),
        }
        Ok(())
    }
}

impl Element for u64 {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        match i64::try_from(*self) {
            Ok(number) => number.append_to(key, body),
            Err(_) => Err(EncodeError::argument("number", "a number must fit into a signed 64-bit integer")),
        }
    }
}

impl Element for [Document] {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        let mut array = RawArrayBuf::new();
        for document in self {
            array.push(RawDocumentBuf::try_from(document)?);
        }
        array.append_to(key, body)
    }
}

impl Element for Vec<Document> {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        self.as_slice().append_to(key, body)
    }
}

/// Appends values that write themselves as one BSON value.
macro_rules! element_as {
    ($type:ty, $convert:expr) => {
        impl $crate::command::encode::Element for $type {
            fn append_to(
                &self,
                key: &bson::raw::CStr,
                body: &mut bson::RawDocumentBuf,
            ) -> Result<(), $crate::command::EncodeError> {
                let convert: fn(&$type) -> _ = $convert;
                $crate::command::encode::Element::append_to(&convert(self), key, body)
            }
        }
    };
}
pub(crate) use element_as;

/// A whole number of seconds, for options that are named `...Seconds`.
pub(crate) fn whole_seconds(duration: Duration, argument: &'static str) -> Result<i64, EncodeError> {
    if duration.subsec_nanos() != 0 {
        return Err(EncodeError::argument(argument, "it must be a whole number of seconds"));
    }
    i64::try_from(duration.as_secs()).map_err(|_| EncodeError::argument(argument, "it is too long"))
}

/// Refuses a document that must say something.
pub(crate) fn not_empty(document: Option<&Document>, argument: &'static str) -> Result<(), EncodeError> {
    match document {
        Some(document) if document.is_empty() => {
            Err(EncodeError::argument(argument, "it must have at least one field; leave the option out instead"))
        }
        _ => Ok(()),
    }
}

/// The first key of a document; none when it is empty or not BSON.
pub(crate) fn first_key(document: &RawDocument) -> Option<&str> {
    document.iter_elements().next()?.ok().map(|element| element.key().as_str())
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;

    fn encode() -> Result<RawDocumentBuf, EncodeError> {
        let mut body = RawDocumentBuf::new();
        append!(&mut body;
            "absent": None::<bool>,
            "small": 7_u32,
            "large": u32::MAX,
            "text": "x",
            "documents": vec![doc! { "a": 1 }, doc! {}],
            "any": Bson::Array(vec![Bson::Null]),
        );
        Ok(body)
    }

    #[test]
    fn only_present_values_are_appended_in_their_order() {
        let expected = rawdoc! {
            "small": 7, "large": 4_294_967_295_i64, "text": "x", "documents": [{ "a": 1 }, {}], "any": [null],
        };
        assert_eq!(encode().unwrap(), expected);
    }

    #[test]
    fn an_ordinary_command_stays_where_it_was_begun() -> Result<(), EncodeError> {
        let filter = rawdoc! { "name": "x".repeat(500) };
        let mut body = roomy_document(filter.as_bytes().len());
        let place = body.as_bytes().as_ptr();
        assert_eq!(body, rawdoc! {});
        append!(&mut body; "find": "an ordinary collection", "filter": filter, "limit": 1_i64, "singleBatch": true);
        assert_eq!(body.as_bytes().as_ptr(), place);
        Ok(())
    }

    #[test]
    fn what_bson_cannot_hold_is_an_error() {
        let mut body = RawDocumentBuf::new();
        assert!(matches!(doc! { "a\0b": 1 }.append_to(bson::raw::cstr!("x"), &mut body), Err(EncodeError::Bson(_))));
        assert!(u64::MAX.append_to(bson::raw::cstr!("x"), &mut body).is_err());
        assert!(whole_seconds(Duration::from_millis(1500), "x").is_err());
        assert_eq!(whole_seconds(Duration::from_secs(60), "x").unwrap(), 60);
    }
}
