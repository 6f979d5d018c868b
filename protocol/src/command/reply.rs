//! What every reply may carry, whatever its command.

use std::{borrow::Cow, time::Duration};

use bson::{RawDocument, Timestamp, raw::RawBsonRef};

use super::brief;
use crate::{
    error::CommandError,
    wire::{Field, Fields, NotBson},
};

/// A reply that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The bytes are not BSON.
    #[error("the reply of the server is not valid BSON: {reason}")]
    Malformed {
        /// What the decoder says.
        reason: String,
    },
    /// There is no `ok`, so that success and failure cannot be told apart.
    #[error("the reply of the server has no \"ok\" field")]
    MissingOk,
    /// `ok` is neither a number nor a boolean.
    #[error("the \"ok\" field of the server's reply is neither a number nor a boolean")]
    InvalidOk,
}

impl From<bson::error::Error> for ReplyError {
    fn from(error: bson::error::Error) -> Self {
        Self::Malformed { reason: brief(&error) }
    }
}

impl From<NotBson> for ReplyError {
    fn from(error: NotBson) -> Self {
        Self::Malformed { reason: error.to_string() }
    }
}

/// The fields of a reply that the driver itself acts on, read in one pass over its top level.
///
/// Servers and proxies differ in the numeric types they use, so numbers are taken from any of them, and an optional
/// field of an unexpected type counts as absent. Reading the reply of a successful command allocates nothing.
///
/// ```
/// use bson::rawdoc;
/// use mongo_actors_protocol::command::Envelope;
///
/// let reply = rawdoc! { "cursor": { "firstBatch": [], "id": 7_i64, "ns": "a.b" }, "ok": 1.0 };
/// let envelope = Envelope::read(&reply).unwrap();
/// assert!(envelope.ok);
/// assert_eq!(envelope.cursor_id, 7);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Envelope<'a> {
    /// Whether the command succeeded. Write errors and write concern errors do not change it.
    pub ok: bool,
    /// The error code; none when the server gave none.
    pub code: Option<i32>,
    /// The error's symbolic name.
    pub code_name: Option<&'a str>,
    /// The error's text, with invalid UTF-8 replaced.
    pub errmsg: Option<Cow<'a, str>>,
    /// `errorLabels`, whose values are the labels; see [`Envelope::labels`].
    pub error_labels: Option<&'a RawDocument>,
    /// `writeConcernError`.
    pub write_concern_error: Option<&'a RawDocument>,
    /// Whether `writeErrors` has at least one element.
    pub has_write_errors: bool,
    /// `$clusterTime`.
    pub cluster_time: Option<&'a RawDocument>,
    /// `operationTime`.
    pub operation_time: Option<Timestamp>,
    /// `atClusterTime` of the reply or of its cursor: the time a snapshot session reads at.
    pub at_cluster_time: Option<Timestamp>,
    /// `topologyVersion`.
    pub topology_version: Option<&'a RawDocument>,
    /// `recoveryToken`.
    pub recovery_token: Option<&'a RawDocument>,
    /// `cursor.id`; 0 when there is no cursor or it is exhausted.
    pub cursor_id: i64,
    /// `baseBackoffMS` when positive: replaces the base of the retry delay.
    pub base_backoff: Option<Duration>,
}

impl<'a> Envelope<'a> {
    /// Reads the envelope of `reply`.
    ///
    /// # Errors
    /// [`ReplyError`] when the top level is not BSON, or `ok` is missing or of an unusable type.
    pub fn read(reply: &'a RawDocument) -> Result<Self, ReplyError> {
        let mut envelope = Self::default();
        let mut ok = None;
        for field in Fields::of(reply) {
            let field = field?;
            match field.key {
                b"ok" => ok = Some(field.scalar().and_then(truth).ok_or(ReplyError::InvalidOk)?),
                // The way failures were reported before there were command replies.
                b"$err" => {
                    ok = Some(false);
                    envelope.errmsg = field.lossy();
                }
                _ => envelope.take(&field)?,
            }
        }
        envelope.ok = ok.ok_or(ReplyError::MissingOk)?;
        Ok(envelope)
    }

    /// The error labels. Elements that are not strings are left out.
    pub fn labels(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.error_labels.into_iter().flat_map(Fields::of).map_while(Result::ok).filter_map(|label| label.str())
    }

    /// Whether the server attached `label`.
    pub fn has_label(&self, label: &str) -> bool {
        self.labels().any(|found| found == label)
    }

    /// Whether the command succeeded in full: `ok`, without write errors and without a write concern error.
    pub fn is_complete_success(&self) -> bool {
        self.ok && !self.has_write_errors && self.write_concern_error.is_none()
    }

    /// The error that `reply`, from which this was read, reports; none when it reports success.
    ///
    /// Write errors and write concern errors are not looked at.
    pub fn error(&self, reply: &RawDocument) -> Option<CommandError> {
        let mut error = CommandError::from_reply(reply).filter(|_| !self.ok)?;
        if let Some(message) = &self.errmsg {
            error.message = message.clone().into_owned();
        }
        Some(error)
    }

    fn take(&mut self, field: &Field<'a>) -> Result<(), ReplyError> {
        match field.key {
            b"cursor" => self.read_cursor(field)?,
            b"operationTime" => self.operation_time = field.timestamp(),
            b"$clusterTime" => self.cluster_time = field.document()?,
            b"topologyVersion" => self.topology_version = field.document()?,
            b"recoveryToken" => self.recovery_token = field.document()?,
            b"atClusterTime" => self.at_cluster_time = field.timestamp(),
            b"code" => self.code = field.scalar().and_then(integer).and_then(|code| i32::try_from(code).ok()),
            b"codeName" => self.code_name = field.str(),
            b"errmsg" => self.errmsg = field.lossy(),
            b"errorLabels" => self.error_labels = field.array()?,
            b"writeConcernError" => self.write_concern_error = field.document()?,
            b"writeErrors" => self.has_write_errors = field.array()?.is_some_and(|list| !list.is_empty()),
            b"baseBackoffMS" => self.base_backoff = backoff(field),
            _ => {}
        }
        Ok(())
    }

    fn read_cursor(&mut self, cursor: &Field<'a>) -> Result<(), ReplyError> {
        for field in cursor.document()?.into_iter().flat_map(Fields::of) {
            let field = field?;
            match field.key {
                b"id" => self.cursor_id = field.scalar().and_then(integer).unwrap_or(0),
                b"atClusterTime" => self.at_cluster_time = field.timestamp(),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A number of milliseconds, when it is positive.
fn backoff(field: &Field<'_>) -> Option<Duration> {
    let millis = u64::try_from(field.scalar().and_then(integer)?).ok()?;
    (millis > 0).then(|| Duration::from_millis(millis))
}

/// A number of any type as an integer, if it is one.
pub(crate) fn integer(value: RawBsonRef<'_>) -> Option<i64> {
    match value {
        RawBsonRef::Int32(number) => Some(number.into()),
        RawBsonRef::Int64(number) => Some(number),
        // The bounds are exact in a double, and exclude what a cast would saturate.
        RawBsonRef::Double(number)
            if number.fract() == 0.0
                && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) =>
        {
            Some(number as i64)
        }
        _ => None,
    }
}

/// Whether a value means yes; none when it has no such meaning.
pub(crate) fn truth(value: RawBsonRef<'_>) -> Option<bool> {
    match value {
        RawBsonRef::Double(number) => Some(number != 0.0),
        RawBsonRef::Int32(number) => Some(number != 0),
        RawBsonRef::Int64(number) => Some(number != 0),
        RawBsonRef::Boolean(value) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, rawdoc};

    use super::*;

    #[test]
    fn a_success_carries_the_news_of_the_deployment() {
        let reply = rawdoc! {
            "cursor": { "firstBatch": [{ "x": 1 }], "id": 42_i64, "ns": "a.b", "atClusterTime": Timestamp { time: 3, increment: 1 } },
            "ok": 1.0,
            "$clusterTime": { "clusterTime": Timestamp { time: 9, increment: 1 } },
            "operationTime": Timestamp { time: 8, increment: 2 },
            "topologyVersion": { "counter": 1_i64 },
            "recoveryToken": { "r": 1 },
        };
        let envelope = Envelope::read(&reply).unwrap();
        assert!(envelope.ok && envelope.is_complete_success());
        assert_eq!(envelope.cursor_id, 42);
        assert_eq!(envelope.at_cluster_time, Some(Timestamp { time: 3, increment: 1 }));
        assert_eq!(envelope.operation_time, Some(Timestamp { time: 8, increment: 2 }));
        assert!(envelope.cluster_time.unwrap().get_timestamp("clusterTime").is_ok());
        assert_eq!(envelope.topology_version.unwrap().get_i64("counter").unwrap(), 1);
        assert_eq!(envelope.recovery_token.unwrap().get_i32("r").unwrap(), 1);
    }

    #[test]
    fn a_failure_carries_code_text_and_labels() {
        let reply = rawdoc! {
            "ok": 0, "code": 189, "codeName": "PrimarySteppedDown", "errmsg": "no", "baseBackoffMS": 50,
            "errorLabels": ["RetryableWriteError", 3, "SystemOverloadedError"],
        };
        let envelope = Envelope::read(&reply).unwrap();
        assert!(!envelope.ok);
        assert_eq!((envelope.code, envelope.code_name), (Some(189), Some("PrimarySteppedDown")));
        assert_eq!(envelope.errmsg.as_deref(), Some("no"));
        assert_eq!(envelope.labels().collect::<Vec<_>>(), ["RetryableWriteError", "SystemOverloadedError"]);
        assert!(envelope.has_label("SystemOverloadedError") && !envelope.has_label("RetryableError"));
        assert_eq!(envelope.base_backoff, Some(Duration::from_millis(50)));
    }

    #[test]
    fn ok_may_be_any_number_or_a_boolean() {
        for (reply, ok) in [
            (rawdoc! { "ok": 1 }, true),
            (rawdoc! { "ok": 1_i64 }, true),
            (rawdoc! { "ok": true }, true),
            (rawdoc! { "ok": 0.0 }, false),
            (rawdoc! { "ok": 0_i64 }, false),
            (rawdoc! { "ok": false }, false),
            (rawdoc! { "$err": "bad" }, false),
        ] {
            assert_eq!(Envelope::read(&reply).unwrap().ok, ok, "{reply:?}");
        }
        assert_eq!(Envelope::read(&rawdoc! {}).unwrap_err(), ReplyError::MissingOk);
        assert_eq!(Envelope::read(&rawdoc! { "ok": "1" }).unwrap_err(), ReplyError::InvalidOk);
    }

    #[test]
    fn optional_fields_of_other_types_count_as_absent() {
        let reply = rawdoc! {
            "ok": 1, "code": "x", "errorLabels": "x", "writeErrors": 1, "writeConcernError": [], "cursor": 1,
            "$clusterTime": 1, "operationTime": 1, "baseBackoffMS": -3, "codeName": 1, "errmsg": 1,
        };
        let envelope = Envelope::read(&reply).unwrap();
        assert!(envelope.is_complete_success());
        assert!(envelope.code.is_none() && envelope.labels().next().is_none() && envelope.base_backoff.is_none());
        assert_eq!(Envelope::read(&rawdoc! { "ok": 1, "code": 1e300 }).unwrap().code, None);
        assert_eq!(Envelope::read(&rawdoc! { "ok": 1, "code": 11_000.0 }).unwrap().code, Some(11_000));
        assert_eq!(Envelope::read(&rawdoc! { "ok": 1, "cursor": { "id": 5 } }).unwrap().cursor_id, 5);
    }

    #[test]
    fn write_errors_and_write_concern_errors_are_noticed() {
        let reply = rawdoc! { "ok": 1, "n": 0, "writeErrors": [{ "index": 0, "code": 11000 }] };
        let envelope = Envelope::read(&reply).unwrap();
        assert!(envelope.ok && envelope.has_write_errors && !envelope.is_complete_success());
        let reply = rawdoc! { "ok": 1, "writeErrors": [], "writeConcernError": { "code": 64 } };
        let envelope = Envelope::read(&reply).unwrap();
        assert!(!envelope.has_write_errors && !envelope.is_complete_success());
    }

    #[test]
    fn an_error_text_cut_inside_a_character_is_still_read() {
        let mut bytes = rawdoc! { "ok": 0, "errmsg": "caf\u{e9}" }.into_bytes();
        let position = bytes.windows(2).position(|pair| pair == [0xc3, 0xa9]).unwrap();
        bytes[position + 1] = b'!';
        let reply = RawDocumentBuf::from_bytes(bytes).unwrap();
        let envelope = Envelope::read(&reply).unwrap();
        assert_eq!(envelope.errmsg.as_deref(), Some("caf\u{fffd}!"));
        assert_eq!(envelope.error(&reply).unwrap().message, "caf\u{fffd}!");
        let legacy = rawdoc! { "$err": "not master", "code": 10107 };
        let error = Envelope::read(&legacy).unwrap().error(&legacy).unwrap();
        assert_eq!((error.code, error.message.as_str()), (10107, "not master"));
        let success = rawdoc! { "ok": 1, "errmsg": "ignored" };
        assert_eq!(Envelope::read(&success).unwrap().error(&success), None);
    }

    #[test]
    fn every_damaged_byte_is_an_error_or_a_reading_but_never_a_panic() {
        let whole = rawdoc! {
            "cursor": { "firstBatch": [{ "x": 1 }], "id": 42_i64 }, "errmsg": "x", "errorLabels": ["a"],
            "code": 1, "writeErrors": [{ "code": 1 }], "$clusterTime": { "a": 1 }, "ok": 1.0,
        }
        .into_bytes();
        for position in 4..whole.len() - 1 {
            for value in [0, 1, 2, 3, 4, 5, 0x0b, 0x0c, 0x0f, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[position] = value;
                let reply = RawDocumentBuf::from_bytes(bytes).unwrap();
                if let Ok(envelope) = Envelope::read(&reply) {
                    let _ = envelope.labels().count();
                }
            }
        }
    }
}
