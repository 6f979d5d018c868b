//! From bytes to chunks.

use bson::{Binary, RawBson, RawDocumentBuf, oid::ObjectId, raw::cstr, rawdoc, spec::BinarySubtype};

/// Bytes of chunks that are gathered for one insert, unless a single chunk has more.
const GROUP: usize = 4 * 1024 * 1024;

/// Makes chunks of the bytes of a file, and groups of the chunks.
#[derive(Debug)]
pub struct Splitter {
    files_id: RawBson,
    chunk_size: usize,
    /// The number of the next chunk.
    n: u64,
    length: u64,
    /// The bytes of the next chunk.
    partial: Vec<u8>,
    group: Vec<RawDocumentBuf>,
    grouped: usize,
}

impl Splitter {
    /// Of a file with this `_id`, in chunks of so many bytes, which are at least one.
    pub fn new(files_id: RawBson, chunk_size: u32) -> Self {
        let chunk_size = usize::try_from(chunk_size).unwrap_or(usize::MAX).max(1);
        Self { files_id, chunk_size, n: 0, length: 0, partial: Vec::new(), group: Vec::new(), grouped: 0 }
    }

    /// Bytes that were given so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether a group is complete, so that nothing is taken until it is.
    pub fn is_full(&self) -> bool {
        self.grouped >= GROUP
    }

    /// Whether there are chunks that are complete.
    pub fn has_chunks(&self) -> bool {
        !self.group.is_empty()
    }

    /// Takes bytes, and says how many: all of them unless the group is complete before.
    pub fn push(&mut self, bytes: &[u8], mut new_id: impl FnMut() -> ObjectId) -> usize {
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_full() {
            let room = self.chunk_size - self.partial.len();
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.partial.extend_from_slice(now);
            rest = later;
            if self.partial.len() == self.chunk_size {
                self.complete(new_id());
            }
        }
        let taken = bytes.len() - rest.len();
        self.length += taken as u64;
        taken
    }

    /// Takes the chunks that are complete.
    pub fn take_group(&mut self) -> Vec<RawDocumentBuf> {
        self.grouped = 0;
        std::mem::take(&mut self.group)
    }

    /// Takes the chunks that are left at the end of the file, the last of which may be shorter.
    pub fn take_rest(&mut self, new_id: impl FnOnce() -> ObjectId) -> Vec<RawDocumentBuf> {
        if !self.partial.is_empty() {
            self.complete(new_id());
        }
        self.take_group()
    }

    fn complete(&mut self, id: ObjectId) {
        let bytes = std::mem::take(&mut self.partial);
        self.grouped += bytes.len();
        let mut chunk = rawdoc! { "_id": id };
        chunk.append(cstr!("files_id"), &self.files_id);
        match i32::try_from(self.n) {
            Ok(n) => chunk.append(cstr!("n"), n),
            Err(_) => chunk.append(cstr!("n"), i64::try_from(self.n).unwrap_or(i64::MAX)),
        }
        chunk.append(cstr!("data"), Binary { subtype: BinarySubtype::Generic, bytes });
        self.group.push(chunk);
        self.n += 1;
    }
}
