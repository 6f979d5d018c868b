//! Why a document cannot be converted.

use std::{error::Error, sync::Arc};

/// Why a document cannot be written or read as the codec options say.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConversionError {
    /// The document is not BSON.
    #[error("the document is not valid BSON")]
    Malformed,
    /// A conversion of the application refuses a value.
    #[error("the value of \"{path}\" cannot be converted: {source}")]
    Refused {
        /// Where the value is: names of fields and positions in arrays, with dots between them.
        path: String,
        /// What the conversion says.
        source: Arc<dyn Error + Send + Sync>,
    },
}

impl ConversionError {
    /// The same error, seen from the document that has the place of error under `name`.
    pub(super) fn within(self, name: &[u8]) -> Self {
        let name = String::from_utf8_lossy(name);
        match self {
            Self::Refused { path, source } if path.is_empty() => Self::Refused { path: name.into_owned(), source },
            Self::Refused { path, source } => Self::Refused { path: format!("{name}.{path}"), source },
            Self::Malformed => Self::Malformed,
        }
    }
}
