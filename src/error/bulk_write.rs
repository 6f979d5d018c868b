//! Bulk writes that failed in part.

use std::{collections::BTreeMap, fmt};

use mongo_actors_protocol::{
    bulk::{BulkWriteResult, ClientBulkFailure, ClientBulkWriteResult},
    command::WriteFailure,
    error::{WriteConcernError, WriteError},
};

use super::{ErrorKind, InsertManyError};

/// What failed of a bulk write to a collection, and what was done nevertheless.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct BulkWriteError {
    /// The writes that failed, by their position in the input. An ordered bulk write stops at the first.
    pub write_errors: Vec<WriteError>,
    /// Write concerns that were not satisfied: at most one per command that was sent.
    pub write_concern_errors: Vec<WriteConcernError>,
    /// What is known to be done.
    pub partial_result: BulkWriteResult,
}

/// What failed of a client's bulk write, and what was done nevertheless.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ClientBulkWriteError {
    /// The writes that failed, by their position in the input. An ordered bulk write stops at the first.
    pub write_errors: BTreeMap<usize, WriteError>,
    /// Write concerns that were not satisfied: at most one per command that was sent.
    pub write_concern_errors: Vec<WriteConcernError>,
    /// What is known to be done; none unless at least one write is known to have succeeded.
    pub partial_result: Option<ClientBulkWriteResult>,
}

/// What an operation of several commands achieved before something else ended it.
#[derive(Clone, Debug)]
pub(crate) enum Partial {
    InsertMany(InsertManyError),
    BulkWrite(BulkWriteError),
    ClientBulkWrite(ClientBulkWriteError),
}

impl Partial {
    /// Whether nothing is known to be done, nor refused.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::InsertMany(partial) => *partial == InsertManyError::default(),
            Self::BulkWrite(partial) => partial.is_empty(),
            Self::ClientBulkWrite(partial) => *partial == ClientBulkWriteError::default(),
        }
    }

    /// What the error of such an operation tells.
    pub(super) fn of(kind: ErrorKind) -> Option<Self> {
        match kind {
            ErrorKind::InsertMany(partial) => Some(Self::InsertMany(partial)),
            ErrorKind::BulkWrite(partial) => Some(Self::BulkWrite(partial)),
            ErrorKind::ClientBulkWrite(partial) => Some(Self::ClientBulkWrite(partial)),
            _ => None,
        }
    }
}

impl BulkWriteError {
    pub(crate) fn new(partial_result: BulkWriteResult, failure: WriteFailure) -> Self {
        let WriteFailure { write_errors, write_concern_errors, .. } = failure;
        Self { write_errors, write_concern_errors, partial_result }
    }

    /// Whether nothing is known to be done, nor refused.
    pub(crate) fn is_empty(&self) -> bool {
        let done = &self.partial_result;
        let touched = done.is_change() || done.matched_count > 0;
        !touched && self.write_errors.is_empty() && self.write_concern_errors.is_empty()
    }

    pub(super) fn errors(&self) -> Errors<'_> {
        Errors { writes: self.write_errors.iter().collect(), concerns: &self.write_concern_errors }
    }
}

impl ClientBulkWriteError {
    pub(crate) fn new(partial_result: Option<ClientBulkWriteResult>, failure: ClientBulkFailure) -> Self {
        let ClientBulkFailure { write_errors, write_concern_errors, .. } = failure;
        Self { write_errors, write_concern_errors, partial_result }
    }

    pub(super) fn errors(&self) -> Errors<'_> {
        Errors { writes: self.write_errors.values().collect(), concerns: &self.write_concern_errors }
    }
}

/// The errors of any of them.
pub(super) struct Errors<'a> {
    writes: Vec<&'a WriteError>,
    concerns: &'a [WriteConcernError],
}

impl<'a> Errors<'a> {
    pub(super) fn code(&self) -> Option<(i32, &'a str)> {
        let write = self.writes.first().map(|error| (error.code, error.code_name.as_str()));
        let concern = || self.concerns.first().map(|error| (error.code, error.code_name.as_str()));
        write.or_else(concern)
    }

    pub(super) fn is_timeout(&self) -> bool {
        self.concerns.last().is_some_and(WriteConcernError::is_timeout)
            || self.writes.last().is_some_and(|error| error.is_max_time_expired())
    }

    pub(super) fn is_duplicate_key(&self) -> bool {
        self.writes.iter().any(|error| error.is_duplicate_key())
    }
}

impl fmt::Display for Errors<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.writes.as_slice(), self.concerns.first()) {
            ([], None) => f.write_str("the rest of the bulk write failed"),
            ([], Some(concern)) => write!(f, "the writes were executed, but {concern}"),
            ([first, rest @ ..], _) => {
                write!(f, "write {} was refused: {} (code {})", first.index, first.message, first.code)?;
                if rest.is_empty() { Ok(()) } else { write!(f, ", and {} more were refused", rest.len()) }
            }
        }
    }
}

impl fmt::Display for BulkWriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BulkWriteResult { inserted_count, upserted_count, modified_count, deleted_count, .. } = self.partial_result;
        write!(f, "{}; ", self.errors())?;
        write_counts(f, inserted_count + upserted_count, modified_count, deleted_count)
    }
}

impl fmt::Display for ClientBulkWriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; ", self.errors())?;
        match &self.partial_result {
            Some(done) => {
                write_counts(f, done.inserted_count + done.upserted_count, done.modified_count, done.deleted_count)
            }
            None => f.write_str("no write is known to have succeeded"),
        }
    }
}

fn write_counts(f: &mut fmt::Formatter<'_>, inserted: u64, modified: u64, deleted: u64) -> fmt::Result {
    write!(f, "{inserted} documents were inserted, {modified} modified, {deleted} deleted")
}

impl fmt::Display for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InsertMany(partial) => write!(f, "{} documents were inserted before", partial.inserted_ids.len()),
            Self::BulkWrite(partial) => {
                let done = &partial.partial_result;
                f.write_str("before, ")?;
                write_counts(f, done.inserted_count + done.upserted_count, done.modified_count, done.deleted_count)
            }
            Self::ClientBulkWrite(ClientBulkWriteError { partial_result: Some(done), .. }) => {
                f.write_str("before, ")?;
                write_counts(f, done.inserted_count + done.upserted_count, done.modified_count, done.deleted_count)
            }
            Self::ClientBulkWrite(_) => f.write_str("no write is known to have succeeded before"),
        }
    }
}

impl std::error::Error for BulkWriteError {}

impl std::error::Error for ClientBulkWriteError {}
