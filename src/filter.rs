//! Documents that an operation is given.

use bson::{Bson, Document, RawDocument, RawDocumentBuf, oid::ObjectId, rawdoc};

use crate::error::{Error, Result};

/// Which documents an operation is about: a query.
///
/// Made from a [`Document`] or a raw document, which are used as they are, or from an [`ObjectId`], which stands for
/// the one document that has it as its `_id`.
///
/// ```
/// use mongo_actors::{
///     Filter,
///     bson::{doc, oid::ObjectId, rawdoc},
/// };
///
/// let id = ObjectId::new();
/// assert_eq!(Filter::from(id), Filter::from(doc! { "_id": id }));
/// assert_eq!(Filter::id("Ada"), Filter::from(rawdoc! { "_id": "Ada" }));
/// ```
#[derive(Clone, Debug)]
pub struct Filter(Encoded);

/// A command that a user wrote.
///
/// Made from a [`Document`] or a raw document, whose first key is the command's name, or from the name alone for a
/// command without arguments.
///
/// ```
/// use mongo_actors::{CommandDocument, bson::doc};
///
/// assert_eq!(CommandDocument::from("ping"), CommandDocument::from(doc! { "ping": 1 }));
/// ```
#[derive(Clone, Debug)]
pub struct CommandDocument(Encoded);

/// A document as it is sent, or why it cannot be: that is an error of the operation.
type Encoded = Result<RawDocumentBuf>;

impl Filter {
    /// The one document with this `_id`.
    pub fn id(id: impl Into<Bson>) -> Self {
        let mut filter = Document::new();
        filter.insert("_id", id.into());
        Self::from(filter)
    }

    pub(crate) fn into_raw(self) -> Result<RawDocumentBuf> {
        self.0
    }
}

impl CommandDocument {
    pub(crate) fn into_raw(self) -> Result<RawDocumentBuf> {
        self.0
    }
}

/// Conversions that both have.
macro_rules! from_documents {
    ($($name:ident),*) => {
        $(
            impl From<Document> for $name {
                fn from(document: Document) -> Self {
                    Self::from(&document)
                }
            }

            impl From<&Document> for $name {
                fn from(document: &Document) -> Self {
                    Self(RawDocumentBuf::try_from(document).map_err(Error::invalid_document))
                }
            }

            impl From<RawDocumentBuf> for $name {
                fn from(document: RawDocumentBuf) -> Self {
                    Self(Ok(document))
                }
            }

            impl From<&RawDocument> for $name {
                fn from(document: &RawDocument) -> Self {
                    Self(Ok(document.to_owned()))
                }
            }

            impl PartialEq for $name {
                /// Compares what is sent; what cannot be sent is equal to nothing.
                fn eq(&self, other: &Self) -> bool {
                    matches!((&self.0, &other.0), (Ok(one), Ok(other)) if one == other)
                }
            }
        )*
    };
}
from_documents!(Filter, CommandDocument);

impl From<ObjectId> for Filter {
    fn from(id: ObjectId) -> Self {
        Self(Ok(rawdoc! { "_id": id }))
    }
}

impl From<&str> for CommandDocument {
    fn from(name: &str) -> Self {
        let mut command = Document::new();
        command.insert(name, 1);
        Self::from(command)
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_filter_that_cannot_be_encoded_is_an_error_of_the_operation() {
        let error = Filter::from(doc! { "a\0b": 1 }).into_raw().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidDocument { index: None, .. }));
        assert!(CommandDocument::from("a\0b").into_raw().is_err());
    }

    #[test]
    fn all_forms_of_a_filter_are_the_same() {
        let raw = rawdoc! { "x": 1 };
        let filters = [doc! { "x": 1 }.into(), (&doc! { "x": 1 }).into(), Filter::from(&*raw), raw.into()];
        assert!(filters.iter().all(|filter| *filter == filters[0]));
        assert_ne!(Filter::id(1), Filter::id(2));
    }
}
