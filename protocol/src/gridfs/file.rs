//! The document that stands for a file.

use bson::{Bson, DateTime, Document};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// What is known of a file without reading it.
///
/// Reads every numeric type of `length` and `chunkSize`, and files that older programs have stored: those without a
/// name, and those with fields that are not used any more, which are among [`extra`](Self::extra).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FilesCollectionDocument {
    /// Its `_id`, of any type.
    pub id: Bson,
    /// Its size in bytes.
    pub length: u64,
    /// Bytes of each chunk but the last one, which may be shorter.
    pub chunk_size: u32,
    /// When its upload was finished.
    pub upload_date: Option<DateTime>,
    /// Its name, which other files may have as well.
    pub filename: Option<String>,
    /// What the application says of it.
    pub metadata: Option<Document>,
    /// All other fields: `md5`, `contentType` and `aliases`, which are deprecated, and those that applications have added.
    pub extra: Document,
}

/// A document of the files collection that stands for no file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a document of the files collection is not valid: its field {field:?} {reason}")]
pub struct InvalidFile {
    field: &'static str,
    reason: &'static str,
}

impl FilesCollectionDocument {
    /// A file that is being uploaded.
    pub fn new(id: Bson, filename: String, chunk_size: u32, metadata: Option<Document>) -> Self {
        let (length, upload_date, extra) = (0, None, Document::new());
        Self { id, length, chunk_size, upload_date, filename: Some(filename), metadata, extra }
    }

    /// How many chunks it has.
    pub fn chunks(&self) -> u64 {
        self.length.div_ceil(self.whole_chunk())
    }

    /// How many bytes its chunk `n` has.
    pub fn chunk_length(&self, n: u64) -> u64 {
        let size = self.whole_chunk();
        self.length.saturating_sub(n.saturating_mul(size)).min(size)
    }

    /// Bytes of a chunk that is not the last, which are at least one whatever [`chunk_size`](Self::chunk_size) was set to.
    pub(super) fn whole_chunk(&self) -> u64 {
        u64::from(self.chunk_size).max(1)
    }

    /// The document that is stored.
    pub fn to_document(&self) -> Document {
        let mut document = Document::new();
        document.insert("_id", self.id.clone());
        document.insert("length", i64::try_from(self.length).unwrap_or(i64::MAX));
        match i32::try_from(self.chunk_size) {
            Ok(size) => document.insert("chunkSize", size),
            Err(_) => document.insert("chunkSize", i64::from(self.chunk_size)),
        };
        if let Some(date) = self.upload_date {
            document.insert("uploadDate", date);
        }
        if let Some(filename) = &self.filename {
            document.insert("filename", filename);
        }
        if let Some(metadata) = &self.metadata {
            document.insert("metadata", metadata);
        }
        document.extend(self.extra.clone());
        document
    }

    /// Reads a stored document.
    ///
    /// # Errors
    /// [`InvalidFile`] without an `_id`, a length or a chunk size, or when one of them cannot be.
    pub fn from_document(mut document: Document) -> Result<Self, InvalidFile> {
        let invalid = |field, reason| InvalidFile { field, reason };
        let id = document.remove("_id").ok_or(invalid("_id", "is missing"))?;
        let length = document.remove("length").ok_or(invalid("length", "is missing"))?;
        let length = integer(&length).ok_or(invalid("length", "is no whole number from 0"))?;
        let chunk_size = document.remove("chunkSize").ok_or(invalid("chunkSize", "is missing"))?;
        let chunk_size = integer(&chunk_size).and_then(|size| u32::try_from(size).ok()).filter(|size| *size > 0);
        let chunk_size = chunk_size.ok_or(invalid("chunkSize", "is no size of a chunk"))?;
        let upload_date = take(&mut document, "uploadDate", |value| value.as_datetime().copied());
        let filename = take(&mut document, "filename", |value| value.as_str().map(str::to_owned));
        let metadata = take(&mut document, "metadata", |value| value.as_document().cloned());
        Ok(Self { id, length, chunk_size, upload_date, filename, metadata, extra: document })
    }
}

/// Takes a field if it is of the expected type; one of another type stays, as a null name of a legacy file does.
fn take<T>(document: &mut Document, field: &str, read: impl FnOnce(&Bson) -> Option<T>) -> Option<T> {
    let value = document.get(field).and_then(read)?;
    document.remove(field);
    Some(value)
}

fn integer(value: &Bson) -> Option<u64> {
    /// Up to here every whole number is one of f64's.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Bson::Int32(number) => u64::try_from(*number).ok(),
        Bson::Int64(number) => u64::try_from(*number).ok(),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and in range")]
        Bson::Double(number) if (0.0..=EXACT).contains(number) && number.fract() == 0.0 => Some(*number as u64),
        Bson::Decimal128(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for FilesCollectionDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_document(Document::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Serialize for FilesCollectionDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_document().serialize(serializer)
    }
}
