//! The writes that a bulk write is made of.

use bson::{Document, RawDocumentBuf};
use serde::Serialize;

use crate::command::{
    Collation, DeleteStatement, EncodeError, Hint, Namespace, NewContent, UpdateModifications, UpdateStatement,
};

/// Inserts a document. If it has no `_id`, it gets one, as its first field.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct InsertOneModel<T = Document> {
    /// The document.
    pub document: T,
}

/// Replaces the first document that matches.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReplaceOneModel<T = Document> {
    /// Which document.
    pub filter: Document,
    /// Its new content, except for its `_id`. The first field must not be an operator.
    pub replacement: T,
    /// Whether the replacement is inserted when none matches. Default: false.
    pub upsert: Option<bool>,
    /// Rules for comparing strings.
    pub collation: Option<Collation>,
    /// The index to use.
    pub hint: Option<Hint>,
    /// Which of several documents is the first: fields with 1 or -1. Servers from 8.0.
    pub sort: Option<Document>,
}

/// Updates the first document that matches.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct UpdateOneModel {
    /// Which document.
    pub filter: Document,
    /// Operators such as `$set`, or a pipeline that computes the new document.
    pub update: UpdateModifications,
    /// Whether a document is inserted when none matches. Default: false.
    pub upsert: Option<bool>,
    /// Filters that say which elements of an array `$[identifier]` means.
    pub array_filters: Option<Vec<Document>>,
    /// Rules for comparing strings.
    pub collation: Option<Collation>,
    /// The index to use.
    pub hint: Option<Hint>,
    /// Which of several documents is the first: fields with 1 or -1. Servers from 8.0.
    pub sort: Option<Document>,
}

/// Updates every document that matches. A command that has one is not repeated after a failure.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct UpdateManyModel {
    /// Which documents.
    pub filter: Document,
    /// Operators such as `$set`, or a pipeline that computes the new documents.
    pub update: UpdateModifications,
    /// Whether a document is inserted when none matches. Default: false.
    pub upsert: Option<bool>,
    /// Filters that say which elements of an array `$[identifier]` means.
    pub array_filters: Option<Vec<Document>>,
    /// Rules for comparing strings.
    pub collation: Option<Collation>,
    /// The index to use.
    pub hint: Option<Hint>,
}

/// Deletes the first document that matches.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeleteOneModel {
    /// Which document.
    pub filter: Document,
    /// Rules for comparing strings.
    pub collation: Option<Collation>,
    /// The index to use.
    pub hint: Option<Hint>,
}

/// Deletes every document that matches. A command that has one is not repeated after a failure.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeleteManyModel {
    /// Which documents.
    pub filter: Document,
    /// Rules for comparing strings.
    pub collation: Option<Collation>,
    /// The index to use.
    pub hint: Option<Hint>,
}

/// One write of a bulk write. `T` is the type of documents and replacements.
///
/// ```
/// use bson::doc;
/// use mongo_actors_protocol::bulk::{DeleteManyModel, InsertOneModel, UpdateOneModel, WriteModel};
///
/// let writes: Vec<WriteModel> = vec![
///     InsertOneModel::new(doc! { "_id": 1 }).into(),
///     UpdateOneModel::new(doc! { "_id": 2 }, doc! { "$inc": { "visits": 1 } }).upsert(true).into(),
///     DeleteManyModel::new(doc! { "visits": 0 }).into(),
/// ];
/// assert_eq!(writes.len(), 3);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum WriteModel<T = Document> {
    /// Inserts a document.
    InsertOne(InsertOneModel<T>),
    /// Replaces the first document that matches.
    ReplaceOne(ReplaceOneModel<T>),
    /// Updates the first document that matches.
    UpdateOne(UpdateOneModel),
    /// Updates every document that matches.
    UpdateMany(UpdateManyModel),
    /// Deletes the first document that matches.
    DeleteOne(DeleteOneModel),
    /// Deletes every document that matches.
    DeleteMany(DeleteManyModel),
}

/// A write and its collection: what a client's bulk write is made of. Made by `in_namespace` of any write model.
///
/// ```
/// use bson::doc;
/// use mongo_actors_protocol::{bulk::InsertOneModel, command::Namespace};
///
/// let write = InsertOneModel::new(doc! { "_id": 1 }).in_namespace(Namespace::new("shop", "orders"));
/// assert_eq!(write.namespace.to_string(), "shop.orders");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NamespacedWrite<T = Document> {
    /// The collection.
    pub namespace: Namespace,
    /// The write.
    pub model: WriteModel<T>,
}

impl<T> NamespacedWrite<T> {
    /// A write to the collection of this name.
    pub fn new(namespace: Namespace, model: impl Into<WriteModel<T>>) -> Self {
        Self { namespace, model: model.into() }
    }
}

impl<T> WriteModel<T> {
    /// The same write for the bulk write of a client.
    pub fn in_namespace(self, namespace: Namespace) -> NamespacedWrite<T> {
        NamespacedWrite { namespace, model: self }
    }
}

/// Conversion into a [`WriteModel`], and into its namespaced form.
macro_rules! write_model {
    ([$($generic:ident)?] $model:ty => $variant:ident) => {
        impl<T> From<$model> for WriteModel<T> {
            fn from(model: $model) -> Self {
                Self::$variant(model)
            }
        }

        impl$(<$generic>)? $model {
            write_model! { @namespaced $($generic)? }
        }
    };
    (@namespaced T) => {
        /// The same write for the bulk write of a client.
        pub fn in_namespace(self, namespace: Namespace) -> NamespacedWrite<T> {
            NamespacedWrite::new(namespace, self)
        }
    };
    (@namespaced) => {
        /// The same write for the bulk write of a client.
        pub fn in_namespace<T>(self, namespace: Namespace) -> NamespacedWrite<T> {
            NamespacedWrite::new(namespace, self)
        }
    };
}
write_model! { [T] InsertOneModel<T> => InsertOne }
write_model! { [T] ReplaceOneModel<T> => ReplaceOne }
write_model! { [] UpdateOneModel => UpdateOne }
write_model! { [] UpdateManyModel => UpdateMany }
write_model! { [] DeleteOneModel => DeleteOne }
write_model! { [] DeleteManyModel => DeleteMany }

/// Fluent setters for options that several models share.
macro_rules! setters {
    ($($option:ident),*) => { $(setters! { @ $option })* };
    (@ upsert) => {
        /// Whether a document is inserted when none matches. Default: false.
        #[must_use]
        pub fn upsert(mut self, upsert: bool) -> Self {
            self.upsert = Some(upsert);
            self
        }
    };
    (@ array_filters) => {
        /// Filters that say which elements of an array `$[identifier]` means.
        #[must_use]
        pub fn array_filters(mut self, filters: impl IntoIterator<Item = Document>) -> Self {
            self.array_filters = Some(filters.into_iter().collect());
            self
        }
    };
    (@ collation) => {
        /// Rules for comparing strings.
        #[must_use]
        pub fn collation(mut self, collation: Collation) -> Self {
            self.collation = Some(collation);
            self
        }
    };
    (@ hint) => {
        /// The index to use: its name, or its keys.
        #[must_use]
        pub fn hint(mut self, hint: impl Into<Hint>) -> Self {
            self.hint = Some(hint.into());
            self
        }
    };
    (@ sort) => {
        /// Which of several documents is the first: fields with 1 or -1. Servers from 8.0.
        #[must_use]
        pub fn sort(mut self, sort: Document) -> Self {
            self.sort = Some(sort);
            self
        }
    };
}

impl<T> InsertOneModel<T> {
    /// Inserts this document.
    pub fn new(document: T) -> Self {
        Self { document }
    }
}

impl<T> ReplaceOneModel<T> {
    /// Replaces the first document that matches by another.
    pub fn new(filter: Document, replacement: T) -> Self {
        Self { filter, replacement, upsert: None, collation: None, hint: None, sort: None }
    }

    setters! { upsert, collation, hint, sort }
}

impl UpdateOneModel {
    /// Updates the first document that matches.
    pub fn new(filter: Document, update: impl Into<UpdateModifications>) -> Self {
        let (upsert, array_filters, collation, hint, sort) = (None, None, None, None, None);
        Self { filter, update: update.into(), upsert, array_filters, collation, hint, sort }
    }

    setters! { upsert, array_filters, collation, hint, sort }
}

impl UpdateManyModel {
    /// Updates every document that matches.
    pub fn new(filter: Document, update: impl Into<UpdateModifications>) -> Self {
        Self { filter, update: update.into(), upsert: None, array_filters: None, collation: None, hint: None }
    }

    setters! { upsert, array_filters, collation, hint }
}

impl DeleteOneModel {
    /// Deletes the first document that matches.
    pub fn new(filter: Document) -> Self {
        Self { filter, collation: None, hint: None }
    }

    setters! { collation, hint }
}

impl DeleteManyModel {
    /// Deletes every document that matches.
    pub fn new(filter: Document) -> Self {
        Self { filter, collation: None, hint: None }
    }

    setters! { collation, hint }
}

/// A write as the commands know it.
pub(super) enum Statement<'a, T> {
    Insert(&'a T),
    Update(UpdateStatement<'a>),
    Delete(DeleteStatement<'a>),
}

impl<T: Serialize> WriteModel<T> {
    /// Calls `encode` with the statement that this write is.
    pub(super) fn with_statement<R>(
        &self,
        encode: impl FnOnce(Statement<'_, T>) -> Result<R, EncodeError>,
    ) -> Result<R, EncodeError> {
        match self {
            Self::InsertOne(model) => encode(Statement::Insert(&model.document)),
            Self::ReplaceOne(model) => {
                let replacement = bson::serialize_to_raw_document_buf(&model.replacement)?;
                encode(Statement::Update(UpdateStatement {
                    filter: &RawDocumentBuf::try_from(&model.filter)?,
                    content: NewContent::Replacement(&replacement),
                    multi: false,
                    upsert: model.upsert,
                    array_filters: None,
                    collation: model.collation.as_ref(),
                    hint: model.hint.as_ref(),
                    sort: model.sort.as_ref(),
                }))
            }
            Self::UpdateOne(model) => encode(Statement::Update(UpdateStatement {
                filter: &RawDocumentBuf::try_from(&model.filter)?,
                content: NewContent::Modifications(&model.update),
                multi: false,
                upsert: model.upsert,
                array_filters: model.array_filters.as_deref(),
                collation: model.collation.as_ref(),
                hint: model.hint.as_ref(),
                sort: model.sort.as_ref(),
            })),
            Self::UpdateMany(model) => encode(Statement::Update(UpdateStatement {
                filter: &RawDocumentBuf::try_from(&model.filter)?,
                content: NewContent::Modifications(&model.update),
                multi: true,
                upsert: model.upsert,
                array_filters: model.array_filters.as_deref(),
                collation: model.collation.as_ref(),
                hint: model.hint.as_ref(),
                sort: None,
            })),
            Self::DeleteOne(DeleteOneModel { filter, collation, hint })
            | Self::DeleteMany(DeleteManyModel { filter, collation, hint }) => {
                encode(Statement::Delete(DeleteStatement {
                    filter: &RawDocumentBuf::try_from(filter)?,
                    multi: matches!(self, Self::DeleteMany(_)),
                    collation: collation.as_ref(),
                    hint: hint.as_ref(),
                }))
            }
        }
    }
}
