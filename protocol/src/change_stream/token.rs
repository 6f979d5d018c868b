//! Where a change stream stands.

use std::fmt;

use bson::{Bson, RawBson, RawBsonRef, RawDocument, RawDocumentBuf};
use serde::{Deserialize, Serialize};

/// A place in a deployment's history of changes, from which a change stream can go on.
///
/// Its content is the server's business. It is stored and read back with serde, as BSON, JSON or anything else:
///
/// ```
/// use bson::rawdoc;
/// use mongo_actors_protocol::change_stream::ResumeToken;
///
/// let token = ResumeToken::from(rawdoc! { "_data": "8264" });
/// let stored = bson::serialize_to_bson(&token).unwrap();
/// assert_eq!(bson::deserialize_from_bson::<ResumeToken>(stored).unwrap(), token);
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResumeToken(RawBson);

impl ResumeToken {
    /// The token of an event: its `_id`; none when it has none.
    pub fn of_event(event: &RawDocument) -> Option<Self> {
        match event.get("_id") {
            Ok(Some(RawBsonRef::Null) | None) | Err(_) => None,
            Ok(Some(id)) => Some(Self(id.into())),
        }
    }

    pub(crate) fn as_raw(&self) -> &RawBson {
        &self.0
    }
}

impl From<RawDocumentBuf> for ResumeToken {
    fn from(document: RawDocumentBuf) -> Self {
        Self(RawBson::Document(document))
    }
}

impl From<&RawDocument> for ResumeToken {
    fn from(document: &RawDocument) -> Self {
        document.to_owned().into()
    }
}

/// So that a token can be looked at, or be stored by other means than serde.
impl TryFrom<ResumeToken> for Bson {
    type Error = bson::error::Error;

    fn try_from(token: ResumeToken) -> Result<Self, Self::Error> {
        Bson::try_from(token.0)
    }
}

impl fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResumeToken").field(&self.0).finish()
    }
}
