//! Inserts of several documents that failed in part.

use std::{collections::BTreeMap, fmt};

use bson::Bson;
use mongo_actors_protocol::error::{WriteConcernError, WriteError};

/// What failed of an insert of several documents, and what was inserted nevertheless.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct InsertManyError {
    /// The documents that failed, by their position in the input. An ordered insert stops at the first.
    pub write_errors: Vec<WriteError>,
    /// Write concerns that were not satisfied: at most one per command that was sent.
    pub write_concern_errors: Vec<WriteConcernError>,
    /// The `_id` of each document that is known to be inserted, by its position in the input.
    pub inserted_ids: BTreeMap<usize, Bson>,
}

impl InsertManyError {
    pub(super) fn code(&self) -> Option<(i32, &str)> {
        let write = self.write_errors.first().map(|error| (error.code, error.code_name.as_str()));
        let concern = || self.write_concern_errors.first().map(|error| (error.code, error.code_name.as_str()));
        write.or_else(concern)
    }

    pub(super) fn is_timeout(&self) -> bool {
        self.write_concern_errors.last().is_some_and(WriteConcernError::is_timeout)
            || self.write_errors.last().is_some_and(WriteError::is_max_time_expired)
    }
}

impl fmt::Display for InsertManyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inserted = self.inserted_ids.len();
        match (self.write_errors.as_slice(), self.write_concern_errors.first()) {
            ([], None) => write!(f, "{inserted} documents were inserted before the rest failed"),
            ([], Some(concern)) => write!(f, "{inserted} documents were inserted, but {concern}"),
            ([first, rest @ ..], _) => {
                write!(f, "document {} was refused: {} (code {})", first.index, first.message, first.code)?;
                if !rest.is_empty() {
                    write!(f, ", and {} more were refused", rest.len())?;
                }
                write!(f, "; {inserted} documents were inserted")
            }
        }
    }
}

impl std::error::Error for InsertManyError {}
