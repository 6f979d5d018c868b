//! Replies that open or continue a cursor.

use std::fmt;

use bson::{RawDocument, raw::RawBsonRef};
use bytes::Bytes;

use super::{InvalidReply, Namespace, reply::integer};
use crate::wire::{Field, Fields, ReplyBody};

/// The cursor of a reply, read in place.
///
/// ```
/// use bson::rawdoc;
/// use mongo_actors_protocol::command::CursorReply;
///
/// let reply = rawdoc! { "cursor": { "id": 7_i64, "ns": "a.b", "firstBatch": [{ "x": 1 }] }, "ok": 1 };
/// let cursor = CursorReply::read(&reply).unwrap();
/// assert_eq!((cursor.id, cursor.namespace), (7, "a.b"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CursorReply<'a> {
    /// The server's number for the cursor; 0 when it is exhausted and closed.
    pub id: i64,
    /// Full name of the collection that `getMore` and `killCursors` must name. May differ from the one first asked.
    pub namespace: &'a str,
    /// `firstBatch` or `nextBatch`: the documents are the values, the keys mean nothing.
    pub batch: &'a RawDocument,
    /// Where a change stream can resume when the batch is used up.
    pub post_batch_resume_token: Option<&'a RawDocument>,
    /// Whether shards that are down are missing from the results (`allowPartialResults`).
    pub partial_results_returned: bool,
}

impl<'a> CursorReply<'a> {
    /// Reads the `cursor` of a successful reply.
    ///
    /// # Errors
    /// [`InvalidReply`] when there is none, or it lacks its id or batch.
    pub fn read(reply: &'a RawDocument) -> Result<Self, InvalidReply> {
        let cursor = field(reply, b"cursor")?.map(|field| field.document()).transpose()?.flatten();
        let cursor = cursor.ok_or(InvalidReply::missing("cursor"))?;
        let (mut id, mut batch) = (None, None);
        let (mut namespace, mut post_batch_resume_token, mut partial_results_returned) = ("", None, false);
        for field in Fields::of(cursor) {
            let field = field?;
            match field.key {
                b"id" => id = field.scalar().and_then(integer),
                b"ns" => namespace = field.str().unwrap_or_default(),
                b"firstBatch" | b"nextBatch" => batch = field.array()?,
                b"postBatchResumeToken" => post_batch_resume_token = field.document()?,
                b"partialResultsReturned" => {
                    partial_results_returned = field.scalar() == Some(RawBsonRef::Boolean(true))
                }
                _ => {}
            }
        }
        let id = id.ok_or(InvalidReply::missing("cursor.id"))?;
        let batch = batch.ok_or(InvalidReply::missing("cursor.firstBatch or cursor.nextBatch"))?;
        Ok(Self { id, namespace, batch, post_batch_resume_token, partial_results_returned })
    }

    /// The first document of the batch; none when it is empty.
    ///
    /// # Errors
    /// [`InvalidReply`] when it is not a document.
    pub fn first(&self) -> Result<Option<&'a RawDocument>, InvalidReply> {
        let Some(first) = Fields::of(self.batch).next().transpose()? else { return Ok(None) };
        first.document()?.map(Some).ok_or(InvalidReply::missing("a document in the batch"))
    }

    /// The batch as documents that are handed out one by one, sharing the memory of `body`, which this was read from.
    ///
    /// # Errors
    /// [`InvalidReply`] when this was read from another body.
    pub fn documents(&self, body: &ReplyBody) -> Result<Batch, InvalidReply> {
        Batch::new(body.slice_of(self.batch).ok_or(InvalidReply::missing("the batch"))?)
    }

    /// The namespace in its two parts, for the next `getMore`.
    ///
    /// # Errors
    /// [`InvalidReply`] when the server gave none.
    pub fn namespace(&self) -> Result<Namespace, InvalidReply> {
        self.namespace.parse().map_err(|_| InvalidReply::missing("cursor.ns"))
    }
}

/// The field of that name.
fn field<'a>(document: &'a RawDocument, key: &[u8]) -> Result<Option<Field<'a>>, InvalidReply> {
    let found = Fields::of(document).find(|field| field.as_ref().map_or(true, |field| field.key == key));
    Ok(found.transpose()?)
}

/// The documents of one batch, handed out one after the other without copying.
///
/// It holds the reply's bytes alive. Elements are looked at when they are reached, so that a damaged one costs only
/// those behind it.
///
/// ```
/// use bson::rawdoc;
/// use bytes::Bytes;
/// use mongo_actors_protocol::command::Batch;
///
/// let array = rawdoc! { "0": { "x": 1 }, "1": { "x": 2 } };
/// let mut batch = Batch::new(Bytes::from(array.into_bytes())).unwrap();
/// assert_eq!(batch.next_document().unwrap().unwrap().get_i32("x").unwrap(), 1);
/// assert_eq!(batch.remaining(), 1);
/// ```
#[derive(Clone)]
pub struct Batch {
    array: Bytes,
    /// Where the next element begins.
    position: usize,
}

/// An empty BSON array.
const EMPTY: &[u8] = &[5, 0, 0, 0, 0];
/// Where the first element of an array begins.
const FIRST: usize = 4;
/// The type of an element that is a document.
const DOCUMENT: u8 = 0x03;

impl Batch {
    /// The documents of `array`, which is a whole BSON array.
    ///
    /// # Errors
    /// [`InvalidReply`] when its length or its end is wrong.
    pub fn new(array: Bytes) -> Result<Self, InvalidReply> {
        RawDocument::from_bytes(&array)?;
        Ok(Self { array, position: FIRST })
    }

    /// A batch without documents.
    pub const fn empty() -> Self {
        Self { array: Bytes::from_static(EMPTY), position: FIRST }
    }

    /// Whether no document is left.
    pub fn is_empty(&self) -> bool {
        self.position + 1 >= self.array.len()
    }

    /// How many documents are left. Takes time in proportion to their number.
    pub fn remaining(&self) -> usize {
        self.iter().map_while(Result::ok).count()
    }

    /// The next document; none at the end. After an error the batch is at its end.
    ///
    /// # Errors
    /// [`InvalidReply`] when the next element is not a document.
    pub fn next_document(&mut self) -> Option<Result<&RawDocument, InvalidReply>> {
        match self.advance()? {
            Ok((start, end)) => Some(RawDocument::from_bytes(&self.array[start..end]).map_err(InvalidReply::from)),
            Err(error) => Some(Err(error)),
        }
    }

    /// The bytes of the next document, which share the reply's memory; none at the end.
    ///
    /// # Errors
    /// As for [`Batch::next_document`].
    pub fn next_bytes(&mut self) -> Option<Result<Bytes, InvalidReply>> {
        Some(self.advance()?.map(|(start, end)| self.array.slice(start..end)))
    }

    /// The documents that are left, which stay where they are.
    pub fn iter(&self) -> BatchDocuments<'_> {
        BatchDocuments { batch: self, position: self.position }
    }

    /// Steps over one element and says where its document is.
    fn advance(&mut self) -> Option<Result<(usize, usize), InvalidReply>> {
        let mut position = self.position;
        let range = self.step(&mut position);
        self.position = position;
        range
    }

    fn step(&self, position: &mut usize) -> Option<Result<(usize, usize), InvalidReply>> {
        if *position + 1 >= self.array.len() {
            return None;
        }
        let range = self.element(*position);
        *position = range.map_or(self.array.len(), |(_, end)| end);
        Some(range.ok_or(InvalidReply::missing("a document in the batch")))
    }

    fn element(&self, position: usize) -> Option<(usize, usize)> {
        let (kind, rest) = self.array.get(position..)?.split_first()?;
        let key = rest.iter().position(|byte| *byte == 0)?;
        let start = position + 1 + key + 1;
        let length = i32::from_le_bytes(*self.array.get(start..)?.first_chunk()?);
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        // The array's own last byte is not part of any element.
        (*kind == DOCUMENT && length >= 5 && end < self.array.len()).then_some((start, end))
    }
}

/// Iterates over the documents of a [`Batch`] without taking them.
#[derive(Clone, Debug)]
pub struct BatchDocuments<'a> {
    batch: &'a Batch,
    position: usize,
}

impl<'a> Iterator for BatchDocuments<'a> {
    type Item = Result<&'a RawDocument, InvalidReply>;

    fn next(&mut self) -> Option<Self::Item> {
        let range = self.batch.step(&mut self.position)?;
        Some(range.and_then(|(start, end)| Ok(RawDocument::from_bytes(&self.batch.array[start..end])?)))
    }
}

impl<'a> IntoIterator for &'a Batch {
    type Item = Result<&'a RawDocument, InvalidReply>;
    type IntoIter = BatchDocuments<'a>;

    fn into_iter(self) -> BatchDocuments<'a> {
        self.iter()
    }
}

/// Shows the size alone: batches hold the user's data.
impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Batch({} of {} bytes left)",
            self.array.len() - self.position.min(self.array.len()),
            self.array.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, rawdoc};

    use super::*;

    #[test]
    fn a_first_batch_is_read_with_everything_beside_it() {
        let reply = rawdoc! {
            "cursor": {
                "firstBatch": [{ "x": 1 }, { "x": 2 }], "postBatchResumeToken": { "t": 1 },
                "partialResultsReturned": true, "id": 5, "ns": "db.a.b",
            },
            "ok": 1.0,
        };
        let cursor = CursorReply::read(&reply).unwrap();
        assert_eq!((cursor.id, cursor.namespace().unwrap()), (5, Namespace::new("db", "a.b")));
        assert!(cursor.partial_results_returned);
        assert_eq!(cursor.post_batch_resume_token.unwrap(), &*rawdoc! { "t": 1 });
        assert_eq!(cursor.first().unwrap().unwrap(), &*rawdoc! { "x": 1 });
    }

    #[test]
    fn a_next_batch_may_be_empty() {
        let reply = rawdoc! { "cursor": { "id": 0_i64, "ns": "a.b", "nextBatch": [] }, "ok": 1.0 };
        let cursor = CursorReply::read(&reply).unwrap();
        assert_eq!(cursor.id, 0);
        assert!(cursor.first().unwrap().is_none());
        assert!(cursor.post_batch_resume_token.is_none() && !cursor.partial_results_returned);
    }

    #[test]
    fn replies_without_a_cursor_are_errors() {
        for reply in [
            rawdoc! { "ok": 1 },
            rawdoc! { "cursor": 1, "ok": 1 },
            rawdoc! { "cursor": { "ns": "a.b", "firstBatch": [] }, "ok": 1 },
            rawdoc! { "cursor": { "ns": "a.b", "id": 1 }, "ok": 1 },
            rawdoc! { "cursor": { "ns": "a.b", "id": "1", "firstBatch": [] }, "ok": 1 },
        ] {
            assert!(CursorReply::read(&reply).is_err(), "{reply:?}");
        }
        let reply = rawdoc! { "cursor": { "id": 1, "firstBatch": [1] }, "ok": 1 };
        let cursor = CursorReply::read(&reply).unwrap();
        assert!(cursor.first().is_err() && cursor.namespace().is_err());
    }

    #[test]
    fn a_batch_hands_out_its_documents_in_order() {
        let documents: Vec<_> = (0..12).map(|x| rawdoc! { "x": x }).collect();
        let array: bson::RawArrayBuf = documents.iter().cloned().collect();
        let bytes = Bytes::copy_from_slice(array.as_bytes());
        let mut batch = Batch::new(bytes.clone()).unwrap();
        assert_eq!(batch.remaining(), 12);
        assert!(batch.iter().map(Result::unwrap).eq(documents.iter().map(|document| &**document)));
        assert_eq!(batch.next_document().unwrap().unwrap(), &*documents[0]);
        for document in &documents[1..] {
            let slice = batch.next_bytes().unwrap().unwrap();
            assert_eq!(&slice[..], document.as_bytes());
            assert!(bytes.as_ptr_range().contains(&slice.as_ptr()), "the slice was copied");
        }
        assert!(batch.is_empty() && batch.next_document().is_none() && batch.next_bytes().is_none());
        assert!(Batch::empty().is_empty() && Batch::empty().remaining() == 0);
    }

    #[test]
    fn a_batch_shares_the_memory_of_its_reply() {
        let reply = rawdoc! { "cursor": { "id": 0_i64, "ns": "a.b", "firstBatch": [{ "x": 1 }, { "x": 2 }] }, "ok": 1 };
        let body = ReplyBody::try_from(Bytes::from(reply.into_bytes())).unwrap();
        let cursor = CursorReply::read(body.as_document()).unwrap();
        let mut batch = cursor.documents(&body).unwrap();
        assert_eq!(batch.remaining(), 2);
        let first = batch.next_bytes().unwrap().unwrap();
        assert!(body.clone().into_bytes().as_ptr_range().contains(&first.as_ptr()), "the document was copied");
        assert!(cursor.documents(&ReplyBody::empty()).is_err());
        assert!(!format!("{batch:?}").contains('x'));
    }

    #[test]
    fn a_damaged_element_ends_the_batch_with_one_error() {
        let whole = rawdoc! { "0": { "x": 1 }, "1": { "x": 2 } }.into_bytes();
        for (position, value) in [(4, 0x10), (7, 4), (7, 0xff), (10, 0xff), (10, 0x7f)] {
            let mut bytes = whole.clone();
            bytes[position] = value;
            let mut batch = Batch::new(Bytes::from(bytes)).unwrap();
            assert!(batch.next_document().unwrap().is_err(), "{position} {value}");
            assert!(batch.next_document().is_none());
        }
        for position in 4..whole.len() - 1 {
            for value in 0..=255 {
                let mut bytes = whole.clone();
                bytes[position] = value;
                let mut batch = Batch::new(Bytes::from(bytes)).unwrap();
                while let Some(document) = batch.next_document() {
                    let _ = document.map(|document| document.iter().count());
                }
            }
        }
        assert!(Batch::new(Bytes::from_static(&[1, 2])).is_err());
        assert!(RawDocumentBuf::from_bytes(EMPTY.to_vec()).unwrap().is_empty());
    }
}
