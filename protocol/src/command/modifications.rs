//! What an update changes.

use bson::{Document, RawDocument, RawDocumentBuf, raw::CStr};
use serde::{Deserialize, Serialize};

use super::{
    EncodeError,
    encode::{Element, first_key},
};

/// What an update changes: operators, or a pipeline.
///
/// ```
/// use bson::doc;
/// use mongo_actors_protocol::command::UpdateModifications;
///
/// let operators = UpdateModifications::from(doc! { "$inc": { "visits": 1 } });
/// let pipeline = UpdateModifications::from(vec![doc! { "$set": { "total": { "$add": ["$a", "$b"] } } }]);
/// assert_ne!(operators, pipeline);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum UpdateModifications {
    /// A document of update operators, such as `$set`.
    Document(Document),
    /// Stages that compute the new document.
    Pipeline(Vec<Document>),
}

impl UpdateModifications {
    /// Checks that it changes something, by operators.
    ///
    /// # Errors
    /// [`EncodeError::InvalidArgument`] when it is empty, or its first field is not an operator.
    pub fn validate(&self) -> Result<(), EncodeError> {
        let refuse = |reason| Err(EncodeError::argument("update", reason));
        match self {
            Self::Pipeline(stages) if stages.is_empty() => refuse("the pipeline must have at least one stage"),
            Self::Pipeline(_) => Ok(()),
            Self::Document(document) => match document.keys().next() {
                None => refuse("it must have at least one operator, such as \"$set\""),
                Some(first) if !first.starts_with('$') => refuse(
                    "its first field must be an operator, such as \"$set\"; use a replacement for whole documents",
                ),
                Some(_) => Ok(()),
            },
        }
    }
}

/// Checks that a replacement is a whole document.
///
/// # Errors
/// [`EncodeError::InvalidArgument`] when its first field is an operator.
pub fn validate_replacement(replacement: &RawDocument) -> Result<(), EncodeError> {
    if first_key(replacement).is_some_and(|key| key.starts_with('$')) {
        return Err(EncodeError::argument(
            "replacement",
            "its first field must not be an operator; use an update for that",
        ));
    }
    Ok(())
}

impl Element for UpdateModifications {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        match self {
            Self::Document(document) => document.append_to(key, body),
            Self::Pipeline(stages) => stages.append_to(key, body),
        }
    }
}

impl From<Document> for UpdateModifications {
    fn from(operators: Document) -> Self {
        Self::Document(operators)
    }
}

impl From<Vec<Document>> for UpdateModifications {
    fn from(pipeline: Vec<Document>) -> Self {
        Self::Pipeline(pipeline)
    }
}

/// The new content of a document: changes to it, or all of it.
#[derive(Clone, Copy, Debug)]
pub enum NewContent<'a> {
    /// Changes.
    Modifications(&'a UpdateModifications),
    /// A whole document, except for its `_id`.
    Replacement(&'a RawDocument),
}

impl NewContent<'_> {
    pub(crate) fn validate(self) -> Result<(), EncodeError> {
        match self {
            Self::Modifications(modifications) => modifications.validate(),
            Self::Replacement(replacement) => validate_replacement(replacement),
        }
    }
}

impl Element for NewContent<'_> {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        match self {
            Self::Modifications(modifications) => modifications.append_to(key, body),
            Self::Replacement(replacement) => replacement.append_to(key, body),
        }
    }
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;

    #[test]
    fn updates_begin_with_an_operator_and_replacements_do_not() {
        for good in [doc! { "$set": { "x": 1 } }, doc! { "$set": {}, "x": 1 }] {
            assert!(UpdateModifications::from(good).validate().is_ok());
        }
        for bad in [doc! {}, doc! { "x": 1 }, doc! { "x": 1, "$set": {} }] {
            assert!(UpdateModifications::from(bad).validate().is_err());
        }
        assert!(UpdateModifications::from(vec![doc! { "$set": {} }]).validate().is_ok());
        assert!(UpdateModifications::from(Vec::new()).validate().is_err());
        for good in [rawdoc! {}, rawdoc! { "x": 1 }, rawdoc! { "x": 1, "$set": {} }] {
            assert!(validate_replacement(&good).is_ok());
        }
        assert!(validate_replacement(&rawdoc! { "$set": {} }).is_err());
    }
}
