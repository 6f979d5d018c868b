//! Elements that join a command document late.

use bson::{
    RawDocument, Timestamp,
    oid::ObjectId,
    raw::{CStr, RawArray},
    spec::{BinarySubtype, ElementType},
};

/// Appends BSON elements to a buffer that stands behind the elements of a command document.
///
/// What only the connection knows (`$db`, `lsid`, `txnNumber`, `$clusterTime`, ...) is written here, so that the
/// command document itself is neither rebuilt nor copied twice. The buffer is the `tail` of
/// [`MessageParts`](super::MessageParts).
///
/// ```
/// use bson::raw::cstr;
/// use mongo_actors_protocol::wire::TailWriter;
///
/// let mut tail = Vec::new();
/// TailWriter::new(&mut tail).string(cstr!("$db"), "shop").int64(cstr!("txnNumber"), 4);
/// assert_eq!(tail.len(), 1 + 4 + 4 + 5 + 1 + 10 + 8);
/// ```
#[derive(Debug)]
pub struct TailWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> TailWriter<'a> {
    /// Appends to `out`, which keeps what it holds.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Appends a string.
    pub fn string(&mut self, key: &CStr, value: &str) -> &mut Self {
        self.key(ElementType::String, key);
        // A text beyond 2 GiB cannot be in a message: its length is refused when the message is written.
        self.out.extend_from_slice(&(value.len() as i32).wrapping_add(1).to_le_bytes());
        self.out.extend_from_slice(value.as_bytes());
        self.out.push(0);
        self
    }

    /// Appends a 32-bit integer.
    pub fn int32(&mut self, key: &CStr, value: i32) -> &mut Self {
        self.element(ElementType::Int32, key, &value.to_le_bytes())
    }

    /// Appends a 64-bit integer.
    pub fn int64(&mut self, key: &CStr, value: i64) -> &mut Self {
        self.element(ElementType::Int64, key, &value.to_le_bytes())
    }

    /// Appends a double.
    pub fn double(&mut self, key: &CStr, value: f64) -> &mut Self {
        self.element(ElementType::Double, key, &value.to_le_bytes())
    }

    /// Appends a boolean.
    pub fn bool(&mut self, key: &CStr, value: bool) -> &mut Self {
        self.element(ElementType::Boolean, key, &[value.into()])
    }

    /// Appends a document.
    pub fn document(&mut self, key: &CStr, value: &RawDocument) -> &mut Self {
        self.element(ElementType::EmbeddedDocument, key, value.as_bytes())
    }

    /// Appends an array.
    pub fn array(&mut self, key: &CStr, value: &RawArray) -> &mut Self {
        self.element(ElementType::Array, key, value.as_bytes())
    }

    /// Appends binary data. Subtype 2 is not for new data and gets no inner length.
    pub fn binary(&mut self, key: &CStr, subtype: BinarySubtype, value: &[u8]) -> &mut Self {
        self.key(ElementType::Binary, key);
        self.out.extend_from_slice(&(value.len() as i32).to_le_bytes());
        self.out.push(subtype.into());
        self.out.extend_from_slice(value);
        self
    }

    /// Appends a timestamp.
    pub fn timestamp(&mut self, key: &CStr, value: Timestamp) -> &mut Self {
        self.key(ElementType::Timestamp, key);
        self.out.extend_from_slice(&value.increment.to_le_bytes());
        self.out.extend_from_slice(&value.time.to_le_bytes());
        self
    }

    /// Appends an object id.
    pub fn object_id(&mut self, key: &CStr, value: ObjectId) -> &mut Self {
        self.element(ElementType::ObjectId, key, &value.bytes())
    }

    /// Appends a document whose elements `fill` writes.
    pub fn nested(&mut self, key: &CStr, fill: impl FnOnce(&mut TailWriter<'_>)) -> &mut Self {
        self.key(ElementType::EmbeddedDocument, key);
        let start = self.out.len();
        self.out.extend_from_slice(&[0; 4]);
        fill(&mut TailWriter { out: self.out });
        self.out.push(0);
        close_document(self.out, start);
        self
    }

    /// Appends all elements of `document`, unchanged.
    pub fn elements_of(&mut self, document: &RawDocument) -> &mut Self {
        self.out.extend_from_slice(elements(document));
        self
    }

    fn element(&mut self, kind: ElementType, key: &CStr, value: &[u8]) -> &mut Self {
        self.key(kind, key);
        self.out.extend_from_slice(value);
        self
    }

    fn key(&mut self, kind: ElementType, key: &CStr) {
        self.out.push(kind as u8);
        self.out.extend_from_slice(key.as_str().as_bytes());
        self.out.push(0);
    }
}

/// The elements of a document, without its length and its end.
pub(super) fn elements(document: &RawDocument) -> &[u8] {
    let bytes = document.as_bytes();
    bytes.get(4..bytes.len().saturating_sub(1)).unwrap_or_default()
}

/// Writes the length of the document that begins at `start` and ends with the buffer.
pub(super) fn close_document(out: &mut [u8], start: usize) {
    let length = ((out.len() - start) as i32).to_le_bytes();
    if let Some(field) = out.get_mut(start..start + 4) {
        field.copy_from_slice(&length);
    }
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, doc, raw::cstr, rawdoc};

    use super::*;

    #[test]
    fn the_elements_are_those_a_document_would_hold() {
        let id = ObjectId::from_bytes([7; 12]);
        let nested = rawdoc! { "x": [1, 2] };
        let mut bytes = vec![0; 4];
        TailWriter::new(&mut bytes)
            .string(cstr!("s"), "caf\u{e9}")
            .int32(cstr!("i"), -1)
            .int64(cstr!("l"), i64::MIN)
            .double(cstr!("d"), 0.5)
            .bool(cstr!("b"), true)
            .document(cstr!("o"), &nested)
            .array(cstr!("a"), nested.get_array("x").unwrap())
            .binary(cstr!("u"), BinarySubtype::Uuid, &[9; 16])
            .timestamp(cstr!("t"), Timestamp { time: 5, increment: 6 })
            .object_id(cstr!("id"), id)
            .nested(cstr!("n"), |inner| {
                inner.int32(cstr!("deep"), 1);
            })
            .elements_of(&rawdoc! { "last": 1 });
        bytes.push(0);
        close_document(&mut bytes, 0);
        let read: bson::Document = RawDocumentBuf::from_bytes(bytes).unwrap().try_into().unwrap();
        let binary = bson::Binary { subtype: BinarySubtype::Uuid, bytes: vec![9; 16] };
        let expected = doc! {
            "s": "caf\u{e9}", "i": -1, "l": i64::MIN, "d": 0.5, "b": true, "o": { "x": [1, 2] }, "a": [1, 2],
            "u": binary, "t": Timestamp { time: 5, increment: 6 }, "id": id, "n": { "deep": 1 }, "last": 1,
        };
        assert_eq!(read, expected);
    }
}
