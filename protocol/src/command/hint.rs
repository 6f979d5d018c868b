//! The index an operation shall use.

use bson::{Document, RawDocumentBuf, raw::CStr};
use serde::{Deserialize, Serialize};

use super::{EncodeError, encode::Element};

/// The index that an operation shall use.
///
/// ```
/// use bson::doc;
/// use mongo_actors_protocol::command::Hint;
///
/// let by_name = Hint::from("age_1");
/// let by_keys = Hint::from(doc! { "age": 1 });
/// assert_ne!(by_name, by_keys);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Hint {
    /// The index with exactly these keys.
    Keys(Document),
    /// The index of this name.
    Name(String),
}

impl Hint {
    pub(crate) fn validate(hint: Option<&Self>) -> Result<(), EncodeError> {
        match hint {
            Some(Self::Keys(keys)) if keys.is_empty() => {
                Err(EncodeError::argument("hint", "an index has at least one key"))
            }
            Some(Self::Name(name)) if name.is_empty() => {
                Err(EncodeError::argument("hint", "the name of an index is not empty"))
            }
            _ => Ok(()),
        }
    }
}

impl Element for Hint {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        match self {
            Self::Keys(keys) => keys.append_to(key, body),
            Self::Name(name) => name.append_to(key, body),
        }
    }
}

impl From<Document> for Hint {
    fn from(keys: Document) -> Self {
        Self::Keys(keys)
    }
}

impl From<&str> for Hint {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for Hint {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}
