//! Replies that lack what their command promises.

use std::fmt::Display;

use crate::wire::NotBson;

/// The most characters of what a decoder says: it may quote what the server sent, which has any length.
const MAX_REASON_LEN: usize = 300;

/// A successful reply that lacks what its command promises.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidReply {
    /// A field is missing or of an unusable type.
    #[error("the reply of the server lacks {field}")]
    Missing {
        /// What was looked for.
        field: &'static str,
    },
    /// The bytes are not BSON, or not what they should decode to.
    #[error("the reply of the server cannot be decoded: {reason}")]
    Malformed {
        /// What the decoder says.
        reason: String,
    },
}

impl InvalidReply {
    pub(crate) const fn missing(field: &'static str) -> Self {
        Self::Missing { field }
    }
}

impl From<bson::error::Error> for InvalidReply {
    fn from(error: bson::error::Error) -> Self {
        Self::Malformed { reason: brief(&error) }
    }
}

impl From<NotBson> for InvalidReply {
    fn from(error: NotBson) -> Self {
        Self::Malformed { reason: error.to_string() }
    }
}

/// What a decoder says of a document of the server's, cut where it gets too long for a message.
///
/// ```
/// use mongo_actors_protocol::command::brief;
///
/// assert_eq!(brief(&"short"), "short");
/// assert_eq!(brief(&"ä".repeat(1000)).chars().count(), 301);
/// ```
pub fn brief(reason: &impl Display) -> String {
    let mut text = reason.to_string();
    if let Some((end, _)) = text.char_indices().nth(MAX_REASON_LEN) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use bson::RawDocumentBuf;

    use super::*;
    use crate::command::reply::ReplyError;

    #[test]
    fn what_a_server_sends_makes_no_message_long() {
        let key = "k".repeat(100_000);
        let error = || RawDocumentBuf::new().get_i32(&key).unwrap_err();
        assert!(error().to_string().len() > key.len());
        for text in [InvalidReply::from(error()).to_string(), ReplyError::from(error()).to_string()] {
            assert!(text.contains("kkk") && text.len() < 1000, "{} bytes", text.len());
        }
    }
}
