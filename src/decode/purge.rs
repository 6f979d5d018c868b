//! Leaves bytes out of a document that are no UTF-8 where text has to be.

/// Documents nest no deeper than servers allow, with room to spare.
const DEEPEST: usize = 256;

/// The document without the bytes of its texts and names that are not UTF-8; none when it is not BSON at all.
pub(super) fn purged(document: &[u8]) -> Option<Vec<u8>> {
    let mut clean = Vec::with_capacity(document.len());
    Purge { rest: document, clean: &mut clean }.document(0)?;
    Some(clean)
}

struct Purge<'a> {
    rest: &'a [u8],
    clean: &'a mut Vec<u8>,
}

impl<'a> Purge<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn copy(&mut self, count: usize) -> Option<()> {
        let bytes = self.take(count)?;
        self.clean.extend_from_slice(bytes);
        Some(())
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(i32::from_le_bytes(*self.take(4)?.first_chunk()?)).ok()
    }

    /// Writes what `inner` writes behind its length, which counts itself if `whole`.
    fn measured(&mut self, whole: bool, inner: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        let at = self.clean.len();
        self.clean.extend_from_slice(&[0; 4]);
        inner(self)?;
        let from = if whole { at } else { at + 4 };
        let length = i32::try_from(self.clean.len() - from).ok()?;
        self.clean[at..at + 4].copy_from_slice(&length.to_le_bytes());
        Some(())
    }

    fn text(&mut self, bytes: &[u8]) {
        bytes.utf8_chunks().for_each(|chunk| self.clean.extend_from_slice(chunk.valid().as_bytes()));
        self.clean.push(0);
    }

    /// A text that ends with its first NUL.
    fn name(&mut self) -> Option<()> {
        let length = self.rest.iter().position(|byte| *byte == 0)?;
        let (text, _nul) = self.take(length + 1)?.split_at(length);
        self.text(text);
        Some(())
    }

    /// A text with its length before it.
    fn string(&mut self) -> Option<()> {
        let length = self.length()?;
        let (nul, text) = self.take(length)?.split_last()?;
        (*nul == 0).then_some(())?;
        self.measured(false, |purge| {
            purge.text(text);
            Some(())
        })
    }

    fn document(&mut self, depth: usize) -> Option<()> {
        (depth < DEEPEST).then_some(())?;
        self.length()?;
        self.measured(true, |purge| {
            loop {
                let kind = purge.take(1)?[0];
                purge.clean.push(kind);
                if kind == 0 {
                    return Some(());
                }
                purge.name()?;
                purge.value(kind, depth)?;
            }
        })
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            0x02 | 0x0d | 0x0e => self.string(),
            0x03 | 0x04 => self.document(depth + 1),
            0x05 => {
                let length = usize::try_from(i32::from_le_bytes(*self.rest.first_chunk()?)).ok()?;
                self.copy(4 + 1 + length)
            }
            0x06 | 0x0a | 0x7f | 0xff => Some(()),
            0x08 => self.copy(1),
            0x10 => self.copy(4),
            0x01 | 0x09 | 0x11 | 0x12 => self.copy(8),
            0x07 => self.copy(12),
            0x13 => self.copy(16),
            0x0b => {
                self.name()?;
                self.name()
            }
            0x0c => {
                self.string()?;
                self.copy(12)
            }
            0x0f => {
                self.length()?;
                self.measured(true, |purge| {
                    purge.string()?;
                    purge.document(depth + 1)
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use bson::{Bson, Document, JavaScriptCodeWithScope, Regex, Timestamp, doc, oid::ObjectId, spec::BinarySubtype};

    use super::*;

    fn everything() -> Document {
        doc! {
            "double": 1.5, "text": "xyz", "inner": { "a": ["b", { "c": "d" }] }, "id": ObjectId::from_bytes([1; 12]),
            "binary": bson::Binary { subtype: BinarySubtype::Generic, bytes: vec![0xff, 0, 1] },
            "yes": true, "at": bson::DateTime::from_millis(5), "nothing": null, "int": 1_i32, "long": 2_i64,
            "stamp": Timestamp { time: 1, increment: 2 }, "min": Bson::MinKey, "max": Bson::MaxKey,
            "code": Bson::JavaScriptCode("x()".into()), "symbol": Bson::Symbol("s".into()),
            "scope": JavaScriptCodeWithScope { code: "y()".into(), scope: doc! { "z": "w" } },
            "regex": Regex { pattern: "p".try_into().unwrap(), options: "i".try_into().unwrap() },
            "decimal": "1.5".parse::<bson::Decimal128>().unwrap(), "undefined": Bson::Undefined, "empty": {},
        }
    }

    #[test]
    fn a_sound_document_stays_as_it_is() {
        let bytes = bson::serialize_to_vec(&everything()).unwrap();
        assert_eq!(purged(&bytes).unwrap(), bytes);
    }

    #[test]
    fn faulty_bytes_are_left_out_at_every_depth() {
        let mut bytes = bson::serialize_to_vec(&doc! { "a": "xyz", "b": { "cd": ["pq"] }, "n": 7 }).unwrap();
        for faulty in [b'y', b'd', b'q'] {
            let at = bytes.iter().position(|byte| *byte == faulty).unwrap();
            bytes[at] = 0xff;
        }
        let clean: Document = bson::deserialize_from_slice(&purged(&bytes).unwrap()).unwrap();
        assert_eq!(clean, doc! { "a": "xz", "b": { "c": ["p"] }, "n": 7 });
    }

    #[test]
    fn what_is_not_bson_is_refused_and_never_panics() {
        let bytes = bson::serialize_to_vec(&everything()).unwrap();
        for end in 0..bytes.len() {
            assert!(purged(&bytes[..end]).is_none());
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut broken = bytes.clone();
                broken[at] = value;
                let _ = purged(&broken);
            }
        }
    }
}
