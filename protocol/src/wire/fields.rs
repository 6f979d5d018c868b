//! Documents read by their lengths, for replies that are read on every operation.
//!
//! Nothing is looked at that nobody asks for: keys are compared as bytes, and a value is decoded when its field is
//! the one that was sought.

use std::borrow::Cow;

use bson::{RawDocument, Timestamp, raw::RawBsonRef};

/// Bytes that are not BSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an element or its value does not fit into its document")]
pub(crate) struct NotBson;

/// The elements of a document, in their order. After an error there are no more.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn of(document: &'a RawDocument) -> Self {
        let bytes = document.as_bytes();
        Self { rest: bytes.get(LENGTH..bytes.len() - 1).unwrap_or_default() }
    }

    /// What `document` begins with, whose length and end nobody has checked. Its last byte, which belongs to no element
    /// of a sound document, counts as an error.
    pub(super) fn unchecked(document: &'a [u8]) -> Self {
        Self { rest: document.get(LENGTH..).unwrap_or_default() }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, NotBson>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.rest);
        let Some((field, after)) = Field::split_off(rest) else { return Some(Err(NotBson)) };
        self.rest = after;
        Some(Ok(field))
    }
}

/// One element of a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    kind: u8,
    pub(crate) key: &'a [u8],
    value: &'a [u8],
}

impl<'a> Field<'a> {
    /// The first element of `bytes`, and what follows it.
    #[inline]
    fn split_off(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&kind, after_kind) = bytes.split_first()?;
        let (key, value) = cstring(after_kind)?;
        let (value, after) = value.split_at_checked(value_len(kind, value)?)?;
        Some((Self { kind, key, value }, after))
    }

    /// The document or the array that this is, whose bytes nobody has checked.
    pub(super) fn nested(&self) -> Option<&'a [u8]> {
        match self.kind {
            DOCUMENT | ARRAY => Some(self.value),
            // Its own length, a string with its length, the scope.
            CODE_WITH_SCOPE => self.value.get(LENGTH + LENGTH + length_at(self.value, LENGTH)?..),
            _ => None,
        }
    }

    /// The document; none when this is something else.
    pub(crate) fn document(&self) -> Result<Option<&'a RawDocument>, NotBson> {
        self.framed(DOCUMENT)
    }

    /// The array, as the document that its bytes are; none when this is something else.
    pub(crate) fn array(&self) -> Result<Option<&'a RawDocument>, NotBson> {
        self.framed(ARRAY)
    }

    fn framed(&self, kind: u8) -> Result<Option<&'a RawDocument>, NotBson> {
        if self.kind != kind {
            return Ok(None);
        }
        RawDocument::from_bytes(self.value).map(Some).map_err(|_| NotBson)
    }

    /// The number or the boolean; none when this is something else.
    pub(crate) fn scalar(&self) -> Option<RawBsonRef<'a>> {
        match (self.kind, self.value) {
            (DOUBLE, value) => Some(RawBsonRef::Double(f64::from_le_bytes(*value.first_chunk()?))),
            (INT32, value) => Some(RawBsonRef::Int32(i32::from_le_bytes(*value.first_chunk()?))),
            (INT64, value) => Some(RawBsonRef::Int64(i64::from_le_bytes(*value.first_chunk()?))),
            (BOOLEAN, [value]) => Some(RawBsonRef::Boolean(*value != 0)),
            _ => None,
        }
    }

    /// The timestamp; none when this is something else.
    pub(crate) fn timestamp(&self) -> Option<Timestamp> {
        let value = u64::from_le_bytes(*self.value.first_chunk().filter(|_| self.kind == TIMESTAMP)?);
        Some(Timestamp { time: (value >> 32) as u32, increment: value as u32 })
    }

    /// The string; none when this is something else, or not UTF-8.
    pub(crate) fn str(&self) -> Option<&'a str> {
        std::str::from_utf8(self.text()?).ok()
    }

    /// The string, with invalid UTF-8 replaced: servers cut long messages in the middle of a character.
    pub(crate) fn lossy(&self) -> Option<Cow<'a, str>> {
        self.text().map(String::from_utf8_lossy)
    }

    fn text(&self) -> Option<&'a [u8]> {
        let (end, text) = self.value.get(LENGTH..)?.split_last()?;
        (self.kind == STRING && *end == 0).then_some(text)
    }
}

/// Bytes of a length.
const LENGTH: usize = 4;

const DOUBLE: u8 = 0x01;
const STRING: u8 = 0x02;
const DOCUMENT: u8 = 0x03;
const ARRAY: u8 = 0x04;
const BOOLEAN: u8 = 0x08;
const CODE_WITH_SCOPE: u8 = 0x0f;
const INT32: u8 = 0x10;
const TIMESTAMP: u8 = 0x11;
const INT64: u8 = 0x12;

/// How many bytes the value of type `kind` has that `bytes` begin with.
#[inline]
fn value_len(kind: u8, bytes: &[u8]) -> Option<usize> {
    Some(match kind {
        0x06 | 0x0a | 0x7f | 0xff => 0,
        BOOLEAN => 1,
        INT32 => 4,
        DOUBLE | TIMESTAMP | INT64 | 0x09 => 8,
        0x07 => 12,
        0x13 => 16,
        DOCUMENT | ARRAY | CODE_WITH_SCOPE => length_at(bytes, 0)?,
        STRING | 0x0d | 0x0e => LENGTH + length_at(bytes, 0)?,
        0x05 => LENGTH + 1 + length_at(bytes, 0)?,
        0x0c => LENGTH + length_at(bytes, 0)? + 12,
        0x0b => bytes.len() - cstring(cstring(bytes)?.1)?.1.len(),
        _ => return None,
    })
}

/// What precedes the first zero byte, and what follows it.
#[inline]
fn cstring(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// The length that stands at `position`.
#[inline]
fn length_at(bytes: &[u8], position: usize) -> Option<usize> {
    let length = bytes.get(position..)?.first_chunk()?;
    usize::try_from(i32::from_le_bytes(*length)).ok()
}

#[cfg(test)]
mod tests {
    use bson::{Bson, DateTime, Decimal128, RawDocumentBuf, Regex, doc, oid::ObjectId, rawdoc};

    use super::*;

    /// One element of each type there is.
    fn everything() -> RawDocumentBuf {
        let document = doc! {
            "double": 1.5, "string": "text", "document": { "x": 1 }, "array": [1, 2], "null": Bson::Null,
            "binary": Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1, 2, 3] }),
            "undefined": Bson::Undefined, "id": ObjectId::from_bytes([7; 12]), "yes": true, "no": false,
            "date": DateTime::from_millis(5), "regex": Regex { pattern: bson::raw::cstr!("a").into(), options: bson::raw::cstr!("i").into() },
            "code": Bson::JavaScriptCode("f".into()), "symbol": Bson::Symbol("s".into()),
            "scoped": Bson::JavaScriptCodeWithScope(bson::JavaScriptCodeWithScope { code: "f".into(), scope: doc! { "x": 1 } }),
            "int32": 32, "timestamp": Timestamp { time: 3, increment: 4 }, "int64": 64_i64,
            "decimal": Bson::Decimal128(Decimal128::from_bytes([1; 16])), "min": Bson::MinKey, "max": Bson::MaxKey,
        };
        RawDocumentBuf::try_from(&document).unwrap()
    }

    #[test]
    fn every_type_is_stepped_over_as_bson_itself_does() {
        let document = everything();
        let ours = Fields::of(&document).map(|field| field.unwrap());
        let theirs = document.iter_elements().map(|element| element.unwrap());
        assert_eq!(document.iter_elements().count(), 21);
        for (field, element) in ours.zip(theirs) {
            assert_eq!(field.key, element.key().as_str().as_bytes());
            assert_eq!(field.kind, element.element_type() as u8, "{}", element.key().as_str());
            assert_eq!(field.value.len(), element.size(), "{}", element.key().as_str());
        }
        assert_eq!(Fields::of(&document).count(), 21);
    }

    #[test]
    fn a_value_is_had_as_its_own_type_and_as_no_other() {
        let document = everything();
        for field in Fields::of(&document) {
            let field = field.unwrap();
            let key = std::str::from_utf8(field.key).unwrap();
            let expected = document.get(key).unwrap().unwrap();
            let scalar = matches!(key, "double" | "int32" | "int64" | "yes" | "no").then_some(expected);
            assert_eq!(field.scalar(), scalar, "{key}");
            assert_eq!(field.timestamp(), expected.as_timestamp(), "{key}");
            assert_eq!(field.str(), expected.as_str(), "{key}");
            assert_eq!(field.lossy().as_deref(), expected.as_str(), "{key}");
            assert_eq!(field.document().unwrap(), expected.as_document(), "{key}");
            let array = field.array().unwrap().map(RawDocument::as_bytes);
            assert_eq!(array, expected.as_array().map(|array| array.as_bytes()), "{key}");
        }
    }

    #[test]
    fn a_damaged_byte_is_an_error_or_another_reading() {
        let whole = everything().into_bytes();
        for position in LENGTH..whole.len() - 1 {
            for value in 0..=255 {
                let mut bytes = whole.clone();
                bytes[position] = value;
                let document = RawDocumentBuf::from_bytes(bytes).unwrap();
                for field in Fields::of(&document).map_while(Result::ok) {
                    let _ = (
                        field.scalar(),
                        field.timestamp(),
                        field.lossy(),
                        field.document(),
                        field.array(),
                        field.nested(),
                    );
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_ends_the_document_with_one_error() {
        let mut bytes = rawdoc! { "a": 1, "b": "text" }.into_bytes();
        let length = bytes.len() - 1 - "text".len() - 1 - LENGTH;
        bytes[length] = 7;
        let document = RawDocumentBuf::from_bytes(bytes).unwrap();
        let mut fields = Fields::of(&document);
        assert!(fields.next().unwrap().is_ok());
        assert_eq!(fields.next().unwrap().unwrap_err(), NotBson);
        assert!(fields.next().is_none());
        assert!(Fields::unchecked(&[]).next().is_none());
        assert!(Fields::unchecked(&[5, 0, 0, 0, 0]).all(|field| field.is_err()));
    }
}
