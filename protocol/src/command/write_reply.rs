//! Replies to writes: counts, upserted ids, and what went wrong with single statements.

use std::fmt;

use bson::{Bson, RawDocument, raw::RawBsonRef};

use super::{InvalidReply, reply::integer};
use crate::{
    error::{Labels, WriteConcernError, WriteError},
    wire::{Field, Fields, NotBson},
};

/// A document that an upsert inserted.
#[derive(Clone, Debug, PartialEq)]
pub struct Upserted {
    /// Position of the statement in its command, from 0.
    pub index: usize,
    /// The document's `_id`.
    pub id: Bson,
}

/// The reply to `insert`, `update` or `delete`.
///
/// ```
/// use bson::rawdoc;
/// use mongo_actors_protocol::command::WriteReply;
///
/// let reply = WriteReply::read(&rawdoc! { "n": 2, "nModified": 1, "ok": 1 }).unwrap();
/// assert_eq!((reply.n, reply.n_modified), (2, 1));
/// assert!(reply.failure().is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WriteReply {
    /// Documents inserted, matched (upserted ones included) or deleted.
    pub n: u64,
    /// Documents changed by `update`.
    pub n_modified: u64,
    /// Documents inserted by `update`.
    pub upserted: Vec<Upserted>,
    /// Statements that failed. An ordered command has one at most.
    pub write_errors: Vec<WriteError>,
    /// Why the write concern was not satisfied.
    pub write_concern_error: Option<WriteConcernError>,
    /// The error labels of the reply.
    pub labels: Labels,
}

/// Statements of a write that failed, and write concerns that were not satisfied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WriteFailure {
    /// Statements that failed, by their position in the caller's input.
    pub write_errors: Vec<WriteError>,
    /// Write concerns that were not satisfied: at most one per command that was sent.
    pub write_concern_errors: Vec<WriteConcernError>,
    /// The error labels of all replies.
    pub labels: Labels,
}

impl WriteFailure {
    fn is_empty(&self) -> bool {
        self.write_errors.is_empty() && self.write_concern_errors.is_empty()
    }
}

impl fmt::Display for WriteFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.write_errors.as_slice(), self.write_concern_errors.first()) {
            ([], Some(concern)) => concern.fmt(f),
            ([], None) => f.write_str("the write failed"),
            ([error], _) => error.fmt(f),
            ([error, rest @ ..], _) => write!(f, "{error}, and {} more failed", rest.len()),
        }
    }
}

impl std::error::Error for WriteFailure {}

/// What a write did, and what of it failed: the one does not exclude the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Written<R> {
    /// What was done.
    pub result: R,
    /// What failed; none when everything succeeded.
    pub failure: Option<WriteFailure>,
}

impl<R> Written<R> {
    /// The result, if nothing failed.
    ///
    /// # Errors
    /// The failure, with the partial result.
    pub fn into_result(self) -> Result<R, (R, WriteFailure)> {
        match self.failure {
            None => Ok(self.result),
            Some(failure) => Err((self.result, failure)),
        }
    }
}

impl WriteReply {
    /// Reads the reply of a write that the server executed, in whole or in part (`ok: 1`).
    ///
    /// # Errors
    /// [`InvalidReply`] when it is not BSON, or a write error is not a document.
    pub fn read(reply: &RawDocument) -> Result<Self, InvalidReply> {
        let mut read = Self::default();
        let mut labels = false;
        for field in Fields::of(reply) {
            let field = field?;
            match field.key {
                b"n" => read.n = field.scalar().map_or(0, unsigned),
                b"nModified" => read.n_modified = field.scalar().map_or(0, unsigned),
                b"upserted" => read.upserted = upserted(&field)?,
                b"writeErrors" => read.write_errors = write_errors(&field)?,
                b"writeConcernError" => read.write_concern_error = WriteConcernError::from_reply(reply),
                b"errorLabels" => labels = true,
                _ => {}
            }
        }
        if labels {
            read.labels = Labels::from_reply(reply);
        }
        Ok(read)
    }

    /// What failed; none when every statement and the write concern succeeded.
    pub fn failure(self) -> Option<WriteFailure> {
        let mut failure = WriteFailure::default();
        self.add_to(&mut failure, 0);
        Some(failure).filter(|failure| !failure.is_empty())
    }

    /// Adds what failed to `failure`. The first statement of this command has position `first` in the caller's input.
    pub fn add_to(self, failure: &mut WriteFailure, first: usize) {
        let shifted = self.write_errors.into_iter().map(|mut error| {
            error.index += first;
            error
        });
        failure.write_errors.extend(shifted);
        failure.write_concern_errors.extend(self.write_concern_error);
        failure.labels.extend_from(&self.labels);
    }
}

fn unsigned(value: RawBsonRef<'_>) -> u64 {
    integer(value).and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}

fn write_errors(field: &Field<'_>) -> Result<Vec<WriteError>, InvalidReply> {
    documents(field, "a document in \"writeErrors\"")?.map(|error| error.map(WriteError::from_document)).collect()
}

fn upserted(field: &Field<'_>) -> Result<Vec<Upserted>, InvalidReply> {
    let read = |element: Result<&RawDocument, InvalidReply>| {
        let element = element?;
        let id = element.get("_id")?.ok_or(InvalidReply::missing("\"_id\" in \"upserted\""))?;
        let index = element.get("index")?.map_or(0, unsigned);
        Ok(Upserted { index: usize::try_from(index).unwrap_or(usize::MAX), id: id.try_into()? })
    };
    documents(field, "a document in \"upserted\"")?.map(read).collect()
}

/// The documents of an array; `missing` says what another element is not. None when the field is no array.
fn documents<'a>(
    field: &Field<'a>,
    missing: &'static str,
) -> Result<impl Iterator<Item = Result<&'a RawDocument, InvalidReply>>, InvalidReply> {
    let read = move |element: Result<Field<'a>, NotBson>| element?.document()?.ok_or(InvalidReply::missing(missing));
    Ok(field.array()?.into_iter().flat_map(Fields::of).map(read))
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn counts_ids_and_errors_are_read() {
        let reply = rawdoc! {
            "n": 3_i64, "nModified": 1.0, "upserted": [{ "index": 2, "_id": "a" }],
            "writeErrors": [{ "index": 1, "code": 11000, "errmsg": "dup", "errInfo": { "x": 1 } }],
            "writeConcernError": { "code": 64, "errmsg": "late" }, "errorLabels": ["RetryableWriteError"], "ok": 1,
        };
        let read = WriteReply::read(&reply).unwrap();
        assert_eq!((read.n, read.n_modified), (3, 1));
        assert_eq!(read.upserted, [Upserted { index: 2, id: Bson::from("a") }]);
        let failure = read.failure().unwrap();
        assert_eq!((failure.write_errors[0].index, failure.write_errors[0].code), (1, 11000));
        assert!(failure.write_errors[0].details.is_some());
        assert_eq!(failure.write_concern_errors[0].code, 64);
        assert!(failure.labels.contains("RetryableWriteError"));
        assert!(failure.to_string().contains("dup"));
    }

    #[test]
    fn errors_of_a_later_command_keep_their_place_in_the_input() {
        let reply = rawdoc! { "n": 0, "writeErrors": [{ "index": 1, "code": 1 }], "ok": 1 };
        let mut failure = WriteFailure::default();
        WriteReply::read(&reply).unwrap().add_to(&mut failure, 1000);
        WriteReply::read(&rawdoc! { "n": 1, "ok": 1 }).unwrap().add_to(&mut failure, 2000);
        assert_eq!(failure.write_errors.len(), 1);
        assert_eq!(failure.write_errors[0].index, 1001);
    }

    #[test]
    fn broken_replies_are_errors() {
        assert!(WriteReply::read(&rawdoc! { "writeErrors": [1] }).is_err());
        assert!(WriteReply::read(&rawdoc! { "upserted": [{ "index": 1 }] }).is_err());
        assert!(WriteReply::read(&rawdoc! { "upserted": [1] }).is_err());
        assert_eq!(WriteReply::read(&rawdoc! { "ok": 1 }).unwrap(), WriteReply::default());
    }
}
