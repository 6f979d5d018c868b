//! What can be wrong with files.

use std::fmt;

use bson::Bson;
use thiserror::Error;

use super::Revision;

/// A file that cannot be stored, found or read.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum GridFsError {
    /// There is no such file.
    #[error("there is no file {0}")]
    NoFile(Wanted),
    /// There is a file of this `_id`, or there are chunks of one.
    #[error(
        "there is a file with the _id {id} already, or there are chunks of one: give another id, or delete it first"
    )]
    FileExists {
        /// The `_id`.
        id: Bson,
    },
    /// What is stored of the file is not the whole file.
    #[error("the file with the _id {id} is corrupt: {corruption}")]
    Corrupt {
        /// The file's `_id`.
        id: Bson,
        /// What is wrong with it.
        corruption: Corruption,
    },
    /// The application's source of bytes failed. Nothing is left of the upload.
    #[error("the source of the file failed: {reason}")]
    Source {
        /// What it says.
        reason: String,
    },
    /// The application's destination of bytes failed.
    #[error("the destination of the file failed: {reason}")]
    Destination {
        /// What it says.
        reason: String,
    },
}

/// What was looked for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Wanted {
    /// A file by its `_id`.
    Id(Bson),
    /// Any file of a name.
    Name(String),
    /// A revision of the files of a name, of which there are others.
    Revision(String, Revision),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "with the _id {id}"),
            Self::Name(name) => write!(f, "named {name:?}"),
            Self::Revision(name, revision) => {
                write!(f, "named {name:?} with the revision {revision}, although there are others of this name")
            }
        }
    }
}

/// How a file can be broken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Corruption {
    /// A chunk is not there.
    #[error("chunk {n} is missing")]
    Missing {
        /// Its number, from 0.
        n: u64,
    },
    /// A chunk is shorter or longer than it must be.
    #[error("chunk {n} has {actual} bytes instead of {expected}")]
    WrongSize {
        /// Its number, from 0.
        n: u64,
        /// The bytes it must have.
        expected: u64,
        /// The bytes it has.
        actual: u64,
    },
    /// There is a chunk behind the end of the file, and it is not empty.
    #[error("chunk {n} lies behind its end")]
    Extra {
        /// Its number, from 0.
        n: u64,
    },
    /// A document that is no chunk at all.
    #[error("chunk {n} cannot be read: {reason}")]
    Unreadable {
        /// The number it should have, from 0.
        n: u64,
        /// What is wrong with it.
        reason: String,
    },
}
