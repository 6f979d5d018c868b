//! How much one write command may carry.

use super::{DocumentSequence, EncodeError};

/// The limits a server states in its `hello` reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteLimits {
    /// `maxBsonObjectSize`: bytes of one document.
    pub max_bson_object_size: usize,
    /// `maxMessageSizeBytes`: bytes of one message.
    pub max_message_size_bytes: usize,
    /// `maxWriteBatchSize`: statements of one command.
    pub max_write_batch_size: usize,
}

impl Default for WriteLimits {
    /// What every supported server allows: 16 MiB, 48 000 000 bytes, 100 000 statements.
    fn default() -> Self {
        Self {
            max_bson_object_size: 16 * 1024 * 1024,
            max_message_size_bytes: 48_000_000,
            max_write_batch_size: 100_000,
        }
    }
}

impl WriteLimits {
    /// Bytes kept free for what the connection appends to a body, such as session, cluster time and concerns.
    pub const RESERVE: usize = 2048;
    /// Bytes of a message's header, its flags, and the kind of the section that holds the body.
    const MESSAGE: usize = 16 + 4 + 1;

    /// Bytes that documents of a sequence may take beside a body of `body_len` bytes.
    pub fn documents(&self, body_len: usize, sequence: &DocumentSequence) -> usize {
        let taken = Self::MESSAGE + body_len + sequence.header_len() + Self::RESERVE;
        self.max_message_size_bytes.saturating_sub(taken)
    }
}

/// Distributes documents over as few sequences as the limits allow, without changing their order.
///
/// Documents are written straight into [`Splitter::buffer`] and then counted; one that does not fit any more is moved
/// to the next sequence.
#[derive(Debug)]
pub struct Splitter {
    limits: WriteLimits,
    budget: usize,
    full: Vec<DocumentSequence>,
    current: DocumentSequence,
    total: usize,
}

impl Splitter {
    /// Starts with an empty sequence for the command argument `identifier`, beside a body of `body_len` bytes.
    pub fn new(limits: WriteLimits, identifier: &'static str, body_len: usize) -> Self {
        let current = DocumentSequence::new(identifier);
        Self { limits, budget: limits.documents(body_len, &current), full: Vec::new(), current, total: 0 }
    }

    /// Makes room for documents of `bytes` bytes, as far as one message can hold them.
    pub fn reserve(&mut self, bytes: usize) {
        self.current.documents.reserve(bytes.min(self.budget));
    }

    /// Where the next document is to be appended.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.current.documents
    }

    /// How many bytes the sequence that is being filled has.
    pub fn buffered(&self) -> usize {
        self.current.documents.len()
    }

    /// Counts the document that was appended at `start`. `size` is what counts against the limit of one document.
    ///
    /// # Errors
    /// [`EncodeError::DocumentTooLarge`], with the document's position in the input.
    pub fn close_document(&mut self, start: usize, size: usize) -> Result<(), EncodeError> {
        let limit = self.limits.max_bson_object_size;
        let bytes = self.current.documents.len().saturating_sub(start);
        if size > limit || bytes > self.budget {
            let (size, limit) = if size > limit { (size, limit) } else { (bytes, self.budget) };
            return Err(EncodeError::DocumentTooLarge { index: self.total, size, limit });
        }
        let too_many = self.current.count >= self.limits.max_write_batch_size.max(1);
        if self.current.count > 0 && (too_many || self.current.documents.len() > self.budget) {
            let documents = self.current.documents.split_off(start);
            let next = DocumentSequence { documents, ..DocumentSequence::new(self.current.identifier) };
            self.full.push(std::mem::replace(&mut self.current, next));
        }
        self.current.count += 1;
        self.total += 1;
        Ok(())
    }

    /// How many documents were counted.
    pub fn total(&self) -> usize {
        self.total
    }

    /// A sequence that no further document fits into, if there is one; the oldest first.
    pub fn take_full(&mut self) -> Option<DocumentSequence> {
        (!self.full.is_empty()).then(|| self.full.remove(0))
    }

    /// The sequence that is being filled, unless it is empty.
    pub fn take_current(&mut self) -> Option<DocumentSequence> {
        let next = DocumentSequence::new(self.current.identifier);
        (!self.current.is_empty()).then(|| std::mem::replace(&mut self.current, next))
    }

    /// The sequences, none of them empty.
    pub fn finish(mut self) -> Vec<DocumentSequence> {
        if !self.current.is_empty() {
            self.full.push(self.current);
        }
        self.full
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    const DOCUMENT: usize = 14;

    fn limits() -> WriteLimits {
        WriteLimits { max_bson_object_size: DOCUMENT, max_message_size_bytes: 100_000, max_write_batch_size: 3 }
    }

    fn split(limits: WriteLimits, count: usize) -> Result<Vec<usize>, EncodeError> {
        let mut splitter = Splitter::new(limits, "documents", 50);
        for id in 0..count {
            let start = splitter.buffer().len();
            let document = rawdoc! { "_id": i32::try_from(id).unwrap() };
            assert_eq!(document.as_bytes().len(), DOCUMENT);
            splitter.buffer().extend_from_slice(document.as_bytes());
            splitter.close_document(start, DOCUMENT)?;
        }
        let sequences = splitter.finish();
        let ids = sequences.iter().flat_map(|sequence| sequence.iter()).map(|doc| doc.unwrap().get_i32("_id").unwrap());
        assert!(ids.eq(0..i32::try_from(count).unwrap()), "a document was lost or moved");
        assert!(sequences.iter().all(|sequence| sequence.iter().count() == sequence.count));
        Ok(sequences.iter().map(|sequence| sequence.count).collect())
    }

    /// Limits under which exactly `bytes` bytes of documents fit into a message.
    fn bytes(bytes: usize) -> WriteLimits {
        let header = DocumentSequence::new("documents").header_len();
        let max_message_size_bytes = WriteLimits::MESSAGE + 50 + header + WriteLimits::RESERVE + bytes;
        WriteLimits { max_message_size_bytes, max_write_batch_size: 100, ..limits() }
    }

    #[test]
    fn a_batch_is_split_by_count() {
        assert_eq!(split(limits(), 0).unwrap(), [0_usize; 0]);
        assert_eq!(split(limits(), 3).unwrap(), [3]);
        assert_eq!(split(limits(), 4).unwrap(), [3, 1]);
        assert_eq!(split(limits(), 9).unwrap(), [3, 3, 3]);
    }

    #[test]
    fn a_batch_is_split_by_bytes_exactly_at_the_limit() {
        assert_eq!(split(bytes(2 * DOCUMENT), 2).unwrap(), [2]);
        assert_eq!(split(bytes(2 * DOCUMENT), 5).unwrap(), [2, 2, 1]);
        assert_eq!(split(bytes(2 * DOCUMENT - 1), 2).unwrap(), [1, 1]);
        assert_eq!(split(bytes(DOCUMENT), 2).unwrap(), [1, 1]);
        let too_large = split(bytes(DOCUMENT - 1), 1);
        assert!(matches!(too_large, Err(EncodeError::DocumentTooLarge { index: 0, size: DOCUMENT, limit: 13 })));
    }

    #[test]
    fn one_document_may_be_as_large_as_the_limit() {
        assert!(split(limits(), 2).is_ok());
        let smaller = WriteLimits { max_bson_object_size: DOCUMENT - 1, ..limits() };
        let refused = split(smaller, 2);
        assert!(matches!(refused, Err(EncodeError::DocumentTooLarge { index: 0, size: DOCUMENT, limit: 13 })));
    }
}
