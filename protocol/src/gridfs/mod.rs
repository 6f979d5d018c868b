//! GridFS: files that are kept as documents, in chunks. What files and chunks look like, and how the one becomes the
//! other, without asking any server.
//!
//! Specification: `gridfs/gridfs-spec.md`.

mod assembly;
mod error;
mod file;
mod indexes;
mod revision;
mod splitter;
#[cfg(test)]
mod tests;

pub use self::{
    assembly::Assembly,
    error::{Corruption, GridFsError, Wanted},
    file::{FilesCollectionDocument, InvalidFile},
    indexes::{CHUNK_KEYS, FILE_KEYS, has_keys},
    revision::Revision,
    splitter::Splitter,
};

/// How a bucket's collections are prefixed unless it is told otherwise.
pub const DEFAULT_BUCKET_NAME: &str = "fs";

/// Bytes of a chunk unless it is told otherwise: 255 KiB, so that its document stays below a power of two.
pub const DEFAULT_CHUNK_SIZE: u32 = 255 * 1024;
