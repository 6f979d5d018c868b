//! The writes that a bulk write is made of.

use bson::{Document, RawDocumentBuf};
use serde::Serialize;

use crate::command::{
    Collation, DeleteStatement, EncodeError, Hint, Namespace, NewContent, UpdateModifications, UpdateStatement,
};

/// Options that several models share: documentation and setter of each. All are none by default.
macro_rules! option {
    (doc upsert) => {
        "Whether the document is inserted when none matches. Default: false."
    };
    (doc array_filters) => {
        "Filters that say which elements of an array `$[identifier]` means."
    };
    (doc collation) => {
        "Rules for comparing strings."
    };
    (doc hint) => {
        "The index to use: its name, or its keys."
    };
    (doc sort) => {
        "Which of several documents is the first: fields with 1 or -1. Servers from 8.0."
    };
    (setter array_filters: $type:ty) => {
        #[doc = option!(doc array_filters)]
        #[must_use]
        pub fn array_filters(mut self, filters: impl IntoIterator<Item = Document>) -> Self {
            self.array_filters = Some(filters.into_iter().collect());
            self
        }
    };
    (setter hint: $type:ty) => {
        #[doc = option!(doc hint)]
        #[must_use]
        pub fn hint(mut self, hint: impl Into<Hint>) -> Self {
            self.hint = Some(hint.into());
            self
        }
    };
    (setter $option:ident: $type:ty) => {
        #[doc = option!(doc $option)]
        #[must_use]
        pub fn $option(mut self, $option: $type) -> Self {
            self.$option = Some($option);
            self
        }
    };
}

/// Declares a model: what every such write has, and its options.
macro_rules! model {
    (
        $(#[$meta:meta])*
        $name:ident [$($generics:tt)*] [$($generic:ident)?] {
            $($(#[$part_meta:meta])* $part:ident: $part_type:ty,)*
            $(; $($option:ident: $type:ty),*)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name $($generics)* {
            $($(#[$part_meta])* pub $part: $part_type,)*
            $($(#[doc = option!(doc $option)] pub $option: Option<$type>,)*)?
        }

        impl$(<$generic>)? $name$(<$generic>)? {
            /// Without options.
            fn plain($($part: $part_type),*) -> Self {
                Self { $($part,)* $($($option: None,)*)? }
            }

            $($(option! { setter $option: $type })*)?
        }
    };
}

model! {
    /// Inserts a document. If it has no `_id`, it gets one, as its first field.
    InsertOneModel [<T = Document>] [T] {
        /// The document.
        document: T,
    }
}

model! {
    /// Replaces the first document that matches.
    ReplaceOneModel [<T = Document>] [T] {
        /// Which document.
        filter: Document,
        /// Its new content, except for its `_id`. The first field must not be an operator.
        replacement: T,
        ; upsert: bool, collation: Collation, hint: Hint, sort: Document
    }
}

model! {
    /// Updates the first document that matches.
    UpdateOneModel [] [] {
        /// Which document.
        filter: Document,
        /// Operators such as `$set`, or a pipeline that computes the new document.
        update: UpdateModifications,
        ; upsert: bool, array_filters: Vec<Document>, collation: Collation, hint: Hint, sort: Document
    }
}

model! {
    /// Updates every document that matches. A command that has one is not repeated after a failure.
    UpdateManyModel [] [] {
        /// Which documents.
        filter: Document,
        /// Operators such as `$set`, or a pipeline that computes the new documents.
        update: UpdateModifications,
        ; upsert: bool, array_filters: Vec<Document>, collation: Collation, hint: Hint
    }
}

model! {
    /// Deletes the first document that matches.
    DeleteOneModel [] [] {
        /// Which document.
        filter: Document,
        ; collation: Collation, hint: Hint
    }
}

model! {
    /// Deletes every document that matches. A command that has one is not repeated after a failure.
    DeleteManyModel [] [] {
        /// Which documents.
        filter: Document,
        ; collation: Collation, hint: Hint
    }
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

impl<T> InsertOneModel<T> {
    /// Inserts this document.
    pub fn new(document: T) -> Self {
        Self::plain(document)
    }
}

impl<T> ReplaceOneModel<T> {
    /// Replaces the first document that matches by another.
    pub fn new(filter: Document, replacement: T) -> Self {
        Self::plain(filter, replacement)
    }
}

impl UpdateOneModel {
    /// Updates the first document that matches.
    pub fn new(filter: Document, update: impl Into<UpdateModifications>) -> Self {
        Self::plain(filter, update.into())
    }
}

impl UpdateManyModel {
    /// Updates every document that matches.
    pub fn new(filter: Document, update: impl Into<UpdateModifications>) -> Self {
        Self::plain(filter, update.into())
    }
}

impl DeleteOneModel {
    /// Deletes the first document that matches.
    pub fn new(filter: Document) -> Self {
        Self::plain(filter)
    }
}

impl DeleteManyModel {
    /// Deletes every document that matches.
    pub fn new(filter: Document) -> Self {
        Self::plain(filter)
    }
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
        let raw = |filter: &Document| RawDocumentBuf::try_from(filter);
        match self {
            Self::InsertOne(model) => encode(Statement::Insert(&model.document)),
            Self::ReplaceOne(ReplaceOneModel { filter, replacement, upsert, collation, hint, sort }) => {
                let replacement = bson::serialize_to_raw_document_buf(replacement)?;
                encode(Statement::Update(UpdateStatement {
                    filter: &raw(filter)?,
                    content: NewContent::Replacement(&replacement),
                    multi: false,
                    upsert: *upsert,
                    array_filters: None,
                    collation: collation.as_ref(),
                    hint: hint.as_ref(),
                    sort: sort.as_ref(),
                }))
            }
            Self::UpdateOne(UpdateOneModel { filter, update, upsert, array_filters, collation, hint, .. })
            | Self::UpdateMany(UpdateManyModel { filter, update, upsert, array_filters, collation, hint }) => {
                let sort = if let Self::UpdateOne(model) = self { model.sort.as_ref() } else { None };
                encode(Statement::Update(UpdateStatement {
                    filter: &raw(filter)?,
                    content: NewContent::Modifications(update),
                    multi: matches!(self, Self::UpdateMany(_)),
                    upsert: *upsert,
                    array_filters: array_filters.as_deref(),
                    collation: collation.as_ref(),
                    hint: hint.as_ref(),
                    sort,
                }))
            }
            Self::DeleteOne(DeleteOneModel { filter, collation, hint })
            | Self::DeleteMany(DeleteManyModel { filter, collation, hint }) => {
                encode(Statement::Delete(DeleteStatement {
                    filter: &raw(filter)?,
                    multi: matches!(self, Self::DeleteMany(_)),
                    collation: collation.as_ref(),
                    hint: hint.as_ref(),
                }))
            }
        }
    }
}
