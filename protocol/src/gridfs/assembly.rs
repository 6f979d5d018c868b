//! From chunks to bytes.

use std::ops::Range;

use bson::{RawBsonRef, RawDocument};

use super::{Corruption, FilesCollectionDocument};

/// Sees that the chunks of a file come one after the other, and that they are whole.
#[derive(Clone, Debug)]
pub struct Assembly {
    length: u64,
    chunk_size: u64,
    next: u64,
}

impl Assembly {
    /// Of a file, from its chunk `first` on.
    pub fn new(file: &FilesCollectionDocument, first: u64) -> Self {
        Self { length: file.length, chunk_size: file.whole_chunk(), next: first }
    }

    /// The number of the chunk that must come next.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Whether all chunks have come.
    pub fn is_complete(&self) -> bool {
        self.next >= self.length.div_ceil(self.chunk_size)
    }

    /// Where the bytes of the next chunk lie within its document `chunk`.
    ///
    /// # Errors
    /// [`Corruption`] when it is not the next chunk, or not all of it; also for a chunk that is not empty when all have
    /// come.
    pub fn accept(&mut self, chunk: &RawDocument) -> Result<Range<usize>, Corruption> {
        let (number, bytes) = self.read(chunk)?;
        let actual = bytes.len() as u64;
        if self.is_complete() {
            return if actual == 0 { Ok(0..0) } else { Err(Corruption::Extra { n: number }) };
        }
        let n = self.next;
        if number != n {
            return Err(Corruption::Missing { n });
        }
        let expected = (self.length - n * self.chunk_size).min(self.chunk_size);
        if actual != expected {
            return Err(Corruption::WrongSize { n, expected, actual });
        }
        self.next += 1;
        let start = bytes.as_ptr() as usize - chunk.as_bytes().as_ptr() as usize;
        Ok(start..start + bytes.len())
    }

    /// The chunks have come to an end.
    ///
    /// # Errors
    /// [`Corruption::Missing`] unless all have come.
    pub fn finish(&self) -> Result<(), Corruption> {
        if self.is_complete() { Ok(()) } else { Err(Corruption::Missing { n: self.next }) }
    }

    fn read<'c>(&self, chunk: &'c RawDocument) -> Result<(u64, &'c [u8]), Corruption> {
        let unreadable = |reason: String| Corruption::Unreadable { n: self.next, reason };
        let field = |name| match chunk.get(name) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(unreadable(format!("it has no field {name:?}"))),
            Err(error) => Err(unreadable(error.to_string())),
        };
        let number = match field("n")? {
            RawBsonRef::Int32(number) => u64::try_from(number).ok(),
            RawBsonRef::Int64(number) => u64::try_from(number).ok(),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and in range")]
            RawBsonRef::Double(number) if (0.0..1e15).contains(&number) && number.fract() == 0.0 => Some(number as u64),
            _ => None,
        };
        let number = number.ok_or_else(|| unreadable("its \"n\" is no number of a chunk".into()))?;
        match field("data")? {
            RawBsonRef::Binary(data) => Ok((number, data.bytes)),
            _ => Err(unreadable("its \"data\" is not binary".into())),
        }
    }
}
