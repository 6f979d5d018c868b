//! The payload of a kind-1 section.

use bson::RawDocument;

/// A run of documents that travels beside the command document, for one of its array arguments.
///
/// The OP_MSG specification calls this payload type 1: `documents` of `insert`, `updates` of `update`, `deletes` of
/// `delete`, `ops` and `nsInfo` of `bulkWrite`. The documents stand one after the other without array keys, so that
/// they are encoded once and never copied again before they are written.
///
/// ```
/// use bson::rawdoc;
/// use mongo_actors_protocol::wire::DocumentSequence;
///
/// let mut documents = DocumentSequence::new("documents");
/// documents.push(&rawdoc! { "_id": 1 });
/// documents.push(&rawdoc! { "_id": 2 });
/// assert_eq!(documents.count, 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentSequence {
    /// The command argument that the documents belong to.
    pub identifier: &'static str,
    /// Encoded documents, one after the other.
    pub documents: Vec<u8>,
    /// How many documents there are.
    pub count: usize,
}

impl DocumentSequence {
    /// Bytes of a section around its documents, apart from the identifier: kind, size, and the identifier's end.
    const OVERHEAD: usize = 1 + 4 + 1;

    /// An empty sequence for the command argument `identifier`.
    pub const fn new(identifier: &'static str) -> Self {
        Self { identifier, documents: Vec::new(), count: 0 }
    }

    /// An empty sequence with room for `bytes` bytes of documents.
    pub fn with_capacity(identifier: &'static str, bytes: usize) -> Self {
        Self { identifier, documents: Vec::with_capacity(bytes), count: 0 }
    }

    /// Appends one document.
    pub fn push(&mut self, document: &RawDocument) {
        self.documents.extend_from_slice(document.as_bytes());
        self.count += 1;
    }

    /// Whether it holds no document.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The bytes that an otherwise empty section with this identifier takes on the wire.
    pub const fn header_len(&self) -> usize {
        Self::OVERHEAD + self.identifier.len()
    }

    /// The bytes that this section takes on the wire.
    pub fn wire_len(&self) -> usize {
        self.header_len() + self.documents.len()
    }

    /// The documents in order. Ends early, after an error, at bytes that are not a document.
    pub fn iter(&self) -> Documents<'_> {
        Documents::new(&self.documents)
    }
}

/// Iterator over encoded documents that stand one after the other.
#[derive(Clone, Debug)]
pub struct Documents<'a> {
    rest: &'a [u8],
}

/// Bytes in a document sequence that are not a whole document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a document sequence holds bytes that are not a document")]
pub struct InvalidSequence;

impl<'a> Documents<'a> {
    /// Iterates over the documents that `bytes` consists of.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Documents<'a> {
    type Item = Result<&'a RawDocument, InvalidSequence>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let document = split_document(self.rest).and_then(|(document, rest)| {
            let document = RawDocument::from_bytes(document).ok()?;
            self.rest = rest;
            Some(document)
        });
        Some(document.ok_or_else(|| {
            self.rest = &[];
            InvalidSequence
        }))
    }
}

/// Splits the document that `bytes` begins with from what follows it, judging by its length alone.
pub(super) fn split_document(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = bytes.first_chunk().map(|length| i32::from_le_bytes(*length))?;
    let length = usize::try_from(length).ok().filter(|length| *length >= 5)?;
    bytes.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn documents_come_back_in_order() {
        let mut sequence = DocumentSequence::new("documents");
        assert!(sequence.is_empty());
        let documents = [rawdoc! { "_id": 1 }, rawdoc! {}, rawdoc! { "a": "b" }];
        for document in &documents {
            sequence.push(document);
        }
        let read: Vec<_> = sequence.iter().map(|document| document.unwrap().to_owned()).collect();
        assert_eq!(read, documents);
        assert_eq!(sequence.wire_len(), 1 + 4 + 10 + sequence.documents.len());
    }

    #[test]
    fn bytes_that_are_no_document_end_the_iteration_with_one_error() {
        for bytes in [&[5, 0, 0][..], &[4, 0, 0, 0, 0], &[6, 0, 0, 0, 0], &[255, 255, 255, 255, 0], &[5, 0, 0, 0, 1]] {
            let read: Vec<_> = Documents::new(bytes).collect();
            assert_eq!(read, [Err(InvalidSequence)], "{bytes:?}");
        }
    }
}
