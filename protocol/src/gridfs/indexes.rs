//! The indexes that a bucket needs.

use bson::{Bson, Document};

/// The index of the files, by which they are found by name.
pub const FILE_KEYS: [(&str, i32); 2] = [("filename", 1), ("uploadDate", 1)];

/// The unique index of the chunks, by which a file is read.
pub const CHUNK_KEYS: [(&str, i32); 2] = [("files_id", 1), ("n", 1)];

/// Whether an index with the keys `existing` is the one with the keys `wanted`. Numbers are equal whatever their types.
pub fn has_keys(existing: &Document, wanted: &[(&str, i32)]) -> bool {
    existing.len() == wanted.len()
        && existing.iter().zip(wanted).all(|((name, direction), (wanted_name, wanted_direction))| {
            name == wanted_name && number(direction) == Some(f64::from(*wanted_direction))
        })
}

fn number(value: &Bson) -> Option<f64> {
    match value {
        Bson::Int32(number) => Some(f64::from(*number)),
        // Directions are small.
        Bson::Int64(number) => i32::try_from(*number).ok().map(f64::from),
        Bson::Double(number) => Some(*number),
        _ => None,
    }
}
