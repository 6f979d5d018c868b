//! Replies that lack what their command promises.

use crate::wire::NotBson;

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
        Self::Malformed { reason: error.to_string() }
    }
}

impl From<NotBson> for InvalidReply {
    fn from(error: NotBson) -> Self {
        Self::Malformed { reason: error.to_string() }
    }
}
