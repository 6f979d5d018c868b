//! The commands that carry SASL conversations.
//!
//! Follows the authentication specification. Each function returns a command document without `$db`, which is the
//! credential's source.

use bson::{RawDocument, RawDocumentBuf, rawdoc, spec::BinarySubtype};

use crate::command::{ReplyError, reply::integer, reply::truth};

/// The command that begins a conversation with `mechanism`.
///
/// `options` are further fields, such as [`scram::start_options`](super::scram::start_options).
pub fn sasl_start(mechanism: &str, payload: &[u8], options: Option<&RawDocument>) -> RawDocumentBuf {
    let mut command = rawdoc! {
        "saslStart": 1,
        "mechanism": mechanism,
        "payload": binary(payload),
        "autoAuthorize": 1,
    };
    if let Some(options) = options {
        command.append(bson::raw::cstr!("options"), options);
    }
    command
}

/// The form of `sasl_start` that travels in the first hello as `speculativeAuthenticate`: it names its database.
#[must_use]
pub fn speculative(mut sasl_start: RawDocumentBuf, source: &str) -> RawDocumentBuf {
    sasl_start.append(bson::raw::cstr!("db"), source);
    sasl_start
}

/// The command that continues a conversation.
pub fn sasl_continue(conversation_id: i32, payload: &[u8]) -> RawDocumentBuf {
    rawdoc! { "saslContinue": 1, "conversationId": conversation_id, "payload": binary(payload) }
}

fn binary(payload: &[u8]) -> bson::Binary {
    bson::Binary { subtype: BinarySubtype::Generic, bytes: payload.to_vec() }
}

/// What a server answers to `saslStart` and `saslContinue`, and to `speculativeAuthenticate` inside a hello reply.
///
/// Its `ok` is not looked at: read the [`Envelope`](crate::command::Envelope) first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaslReply<'a> {
    /// Names the conversation in the next `saslContinue`.
    pub conversation_id: i32,
    /// Whether the server regards the conversation as over.
    pub done: bool,
    /// The mechanism's message.
    pub payload: &'a [u8],
}

/// A reply that is not one of a SASL conversation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SaslReplyError {
    /// The reply is not BSON.
    #[error(transparent)]
    Reply(#[from] ReplyError),
    /// A field is missing or of another type than the specification says.
    #[error("the server's reply to an authentication command has no valid \"{field}\"")]
    InvalidField {
        /// The field's name.
        field: &'static str,
    },
}

impl<'a> SaslReply<'a> {
    /// Reads `reply`.
    ///
    /// # Errors
    /// [`SaslReplyError`] when a field is missing or unusable.
    pub fn read(reply: &'a RawDocument) -> Result<Self, SaslReplyError> {
        let (mut conversation_id, mut done, mut payload) = (None, None, None);
        for element in reply.iter_elements() {
            let element = element.map_err(ReplyError::from)?;
            match element.key().as_str() {
                "conversationId" => {
                    let value = element.value().map_err(ReplyError::from)?;
                    conversation_id = integer(value).and_then(|id| i32::try_from(id).ok());
                }
                "done" => done = truth(element.value().map_err(ReplyError::from)?),
                "payload" => {
                    let value = element.value().map_err(ReplyError::from)?;
                    payload = value.as_binary().map(|binary| binary.bytes);
                }
                _ => {}
            }
        }
        let invalid = |field| SaslReplyError::InvalidField { field };
        Ok(Self {
            conversation_id: conversation_id.ok_or(invalid("conversationId"))?,
            done: done.ok_or(invalid("done"))?,
            payload: payload.ok_or(invalid("payload"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::{super::scram::start_options, *};

    #[test]
    fn commands_are_those_of_the_specification() {
        let bytes = |bytes: &[u8]| bson::Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() };
        let start = sasl_start("SCRAM-SHA-256", b"first", Some(&start_options()));
        let document: bson::Document = start.clone().try_into().unwrap();
        let mut expected = doc! {
            "saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": bytes(b"first"), "autoAuthorize": 1,
            "options": { "skipEmptyExchange": true },
        };
        assert_eq!(document, expected);
        expected.insert("db", "admin");
        assert_eq!(bson::Document::try_from(speculative(start, "admin")).unwrap(), expected);
        let document: bson::Document = sasl_continue(3, b"next").try_into().unwrap();
        assert_eq!(document, doc! { "saslContinue": 1, "conversationId": 3, "payload": bytes(b"next") });
        let plain: bson::Document = sasl_start("PLAIN", b"", None).try_into().unwrap();
        assert!(!plain.contains_key("options"));
    }

    #[test]
    fn a_reply_needs_its_three_fields() {
        let reply = rawdoc! { "conversationId": 1, "done": false, "payload": binary(b"x"), "ok": 1.0 };
        let expected = SaslReply { conversation_id: 1, done: false, payload: b"x" };
        assert_eq!(SaslReply::read(&reply), Ok(expected));
        for (reply, field) in [
            (rawdoc! { "done": false, "payload": binary(b"x") }, "conversationId"),
            (rawdoc! { "conversationId": 1_i64 << 40, "done": false, "payload": binary(b"x") }, "conversationId"),
            (rawdoc! { "conversationId": 1, "payload": binary(b"x") }, "done"),
            (rawdoc! { "conversationId": 1, "done": true, "payload": "eA==" }, "payload"),
        ] {
            assert_eq!(SaslReply::read(&reply), Err(SaslReplyError::InvalidField { field }));
        }
    }
}
