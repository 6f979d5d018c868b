//! `findAndModify`: one document is changed, and returned as it was or as it is now.

use std::time::Duration;

use bson::{
    Bson, Document, RawDocument, RawDocumentBuf,
    raw::{RawBsonRef, cstr},
};

use super::{
    Collation, Command, EncodeError, Hint, InvalidReply, Namespace, NewContent, Properties, Request,
    UpdateModifications, WriteReply, Written,
    encode::{append, not_empty, roomy_document},
};
use crate::{concern::WriteConcern, retry::Operation};

/// Which state of the document is returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReturnDocument {
    /// As it was before. The default.
    #[default]
    Before,
    /// As it is now.
    After,
}

impl ReturnDocument {
    /// Whether the document is returned as it is now.
    pub fn is_after(self) -> bool {
        self == Self::After
    }
}

/// Declares the options that the three forms share, and the further ones of each.
macro_rules! options {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default)]
        pub struct $name {
            $($(#[$doc])* pub $field: Option<$type>,)*
            /// How long the server may work on this operation, in whole milliseconds. A client's or operation's
            /// timeout replaces it.
            pub max_time: Option<Duration>,
            /// Fields of the returned document to include (1) or leave out (0).
            pub projection: Option<Document>,
            /// Which of several documents is the one: fields with 1 or -1.
            pub sort: Option<Document>,
            /// How many members must confirm the write. Default: the collection's, else the database's, else the
            /// client's.
            pub write_concern: Option<WriteConcern>,
            /// Rules for comparing strings.
            pub collation: Option<Collation>,
            /// The index to use. Servers from 4.4.
            pub hint: Option<Hint>,
            /// Variables for expressions of filter and pipeline (`$$name`). Servers from 5.0.
            pub let_vars: Option<Document>,
            /// Attached to the command in profiler, logs and `currentOp`. Any BSON. Servers from 4.4.
            pub comment: Option<Bson>,
        }

        impl $name {
            fn shared(&self) -> Shared<'_> {
                Shared {
                    max_time: self.max_time,
                    projection: self.projection.as_ref(),
                    sort: self.sort.as_ref(),
                    collation: self.collation.as_ref(),
                    hint: self.hint.as_ref(),
                    let_vars: self.let_vars.as_ref(),
                    comment: self.comment.as_ref(),
                }
            }
        }
    };
}

options! {
    /// Options for finding a document and deleting it. An option that is none is not sent.
    FindOneAndDeleteOptions {}
}

options! {
    /// Options for finding a document and replacing it. An option that is none is not sent.
    FindOneAndReplaceOptions {
        /// Whether the collection's validator is skipped.
        bypass_document_validation: bool,
        /// Which state of the document is returned. Default: [`ReturnDocument::Before`].
        return_document: ReturnDocument,
        /// Whether the replacement is inserted when no document matches. Default: false.
        upsert: bool,
    }
}

options! {
    /// Options for finding a document and updating it. An option that is none is not sent.
    FindOneAndUpdateOptions {
        /// Filters that say which elements of an array `$[identifier]` means.
        array_filters: Vec<Document>,
        /// Whether the collection's validator is skipped.
        bypass_document_validation: bool,
        /// Which state of the document is returned. Default: [`ReturnDocument::Before`].
        return_document: ReturnDocument,
        /// Whether a document is inserted when none matches. Default: false.
        upsert: bool,
    }
}

#[derive(Clone, Copy, Debug)]
struct Shared<'a> {
    max_time: Option<Duration>,
    projection: Option<&'a Document>,
    sort: Option<&'a Document>,
    collation: Option<&'a Collation>,
    hint: Option<&'a Hint>,
    let_vars: Option<&'a Document>,
    comment: Option<&'a Bson>,
}

#[derive(Clone, Copy, Debug)]
enum Change<'a> {
    Remove,
    Write {
        content: NewContent<'a>,
        after: Option<bool>,
        upsert: Option<bool>,
        bypass_document_validation: Option<bool>,
        array_filters: Option<&'a [Document]>,
    },
}

/// The `findAndModify` command.
///
/// ```
/// use bson::rawdoc;
/// use mongo_actors_protocol::command::{Command, FindAndModify, Namespace};
///
/// let (namespace, filter) = (Namespace::new("shop", "jobs"), rawdoc! { "state": "ready" });
/// let request = FindAndModify::delete(&namespace, &filter, &Default::default()).request().unwrap();
/// let body = rawdoc! { "findAndModify": "jobs", "query": { "state": "ready" }, "remove": true };
/// assert_eq!(request.body, body);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FindAndModify<'a> {
    namespace: &'a Namespace,
    filter: &'a RawDocument,
    change: Change<'a>,
    shared: Shared<'a>,
}

impl<'a> FindAndModify<'a> {
    /// Deletes the document and returns it.
    pub fn delete(namespace: &'a Namespace, filter: &'a RawDocument, options: &'a FindOneAndDeleteOptions) -> Self {
        Self { namespace, filter, change: Change::Remove, shared: options.shared() }
    }

    /// Replaces the document.
    pub fn replace(
        namespace: &'a Namespace,
        filter: &'a RawDocument,
        replacement: &'a RawDocument,
        options: &'a FindOneAndReplaceOptions,
    ) -> Self {
        let change = Change::Write {
            content: NewContent::Replacement(replacement),
            after: options.return_document.map(ReturnDocument::is_after),
            upsert: options.upsert,
            bypass_document_validation: options.bypass_document_validation,
            array_filters: None,
        };
        Self { namespace, filter, change, shared: options.shared() }
    }

    /// Updates the document.
    pub fn update(
        namespace: &'a Namespace,
        filter: &'a RawDocument,
        update: &'a UpdateModifications,
        options: &'a FindOneAndUpdateOptions,
    ) -> Self {
        let change = Change::Write {
            content: NewContent::Modifications(update),
            after: options.return_document.map(ReturnDocument::is_after),
            upsert: options.upsert,
            bypass_document_validation: options.bypass_document_validation,
            array_filters: options.array_filters.as_deref(),
        };
        Self { namespace, filter, change, shared: options.shared() }
    }

    /// The document that the reply holds, if any, and a write concern that was not satisfied.
    ///
    /// # Errors
    /// [`InvalidReply`] when `value` is neither a document nor null.
    pub fn decode(reply: &RawDocument) -> Result<Written<Option<&RawDocument>>, InvalidReply> {
        let result = match reply.get("value")? {
            Some(RawBsonRef::Document(document)) => Some(document),
            Some(RawBsonRef::Null) | None => None,
            Some(_) => return Err(InvalidReply::missing("a document or null as \"value\"")),
        };
        Ok(Written { result, failure: WriteReply::read(reply)?.failure() })
    }

    fn array_filters(&self) -> Option<&'a [Document]> {
        match self.change {
            Change::Remove => None,
            Change::Write { array_filters, .. } => array_filters,
        }
    }

    fn append_change(&self, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        match self.change {
            Change::Remove => body.append(cstr!("remove"), true),
            Change::Write { content, after, upsert, bypass_document_validation, array_filters } => {
                content.validate()?;
                append!(body;
                    "update": content,
                    "new": after,
                    "upsert": upsert,
                    "bypassDocumentValidation": bypass_document_validation,
                    "arrayFilters": array_filters,
                );
            }
        }
        Ok(())
    }
}

impl Command for FindAndModify<'_> {
    fn properties(&self) -> Properties {
        let properties = Properties { max_time: self.shared.max_time, ..Properties::write(Operation::WRITE) };
        properties
            .requires_unacknowledged(self.shared.collation.is_some(), "collation", None)
            .requires_unacknowledged(self.array_filters().is_some(), "arrayFilters", None)
            .requires_unacknowledged(self.shared.hint.is_some(), "hint", Some(9))
    }

    fn request(&self) -> Result<Request, EncodeError> {
        self.namespace.validate()?;
        let shared = self.shared;
        not_empty(shared.sort, "sort")?;
        Hint::validate(shared.hint)?;
        let mut body = roomy_document(self.filter.as_bytes().len());
        body.append(cstr!("findAndModify"), &*self.namespace.coll);
        body.append(cstr!("query"), self.filter);
        self.append_change(&mut body)?;
        append!(&mut body;
            "sort": shared.sort,
            "fields": shared.projection,
            "collation": shared.collation,
            "hint": shared.hint,
            "let": shared.let_vars,
            "comment": shared.comment,
        );
        Ok(Request::new("findAndModify", self.namespace.db.clone(), body))
    }
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;

    fn update(options: &FindOneAndUpdateOptions) -> Result<RawDocumentBuf, EncodeError> {
        let (namespace, filter) = (Namespace::new("db", "coll"), rawdoc! { "x": 1 });
        let update = UpdateModifications::from(doc! { "$inc": { "x": 1 } });
        Ok(FindAndModify::update(&namespace, &filter, &update, options).request()?.body)
    }

    #[test]
    fn every_option_of_an_update_is_sent() {
        let start = rawdoc! { "findAndModify": "coll", "query": { "x": 1 }, "update": { "$inc": { "x": 1 } } };
        assert_eq!(update(&FindOneAndUpdateOptions::default()).unwrap(), start);
        let options = FindOneAndUpdateOptions {
            array_filters: Some(vec![doc! { "e": 1 }]),
            bypass_document_validation: Some(true),
            return_document: Some(ReturnDocument::After),
            upsert: Some(true),
            max_time: Some(Duration::from_secs(1)),
            projection: Some(doc! { "x": 1 }),
            sort: Some(doc! { "x": -1 }),
            write_concern: Some(WriteConcern::majority()),
            collation: Some(Collation::new("en")),
            hint: Some(Hint::from("x_1")),
            let_vars: Some(doc! { "v": 1 }),
            comment: Some(Bson::from("c")),
        };
        let expected = rawdoc! {
            "findAndModify": "coll", "query": { "x": 1 }, "update": { "$inc": { "x": 1 } }, "new": true,
            "upsert": true, "bypassDocumentValidation": true, "arrayFilters": [{ "e": 1 }], "sort": { "x": -1 },
            "fields": { "x": 1 }, "collation": { "locale": "en" }, "hint": "x_1", "let": { "v": 1 }, "comment": "c",
        };
        assert_eq!(update(&options).unwrap(), expected);
    }

    #[test]
    fn every_option_of_a_delete_is_sent() {
        let (namespace, filter) = (Namespace::new("db", "coll"), rawdoc! {});
        let options = FindOneAndDeleteOptions {
            max_time: Some(Duration::from_secs(1)),
            projection: Some(doc! { "x": 1 }),
            sort: Some(doc! { "x": -1 }),
            write_concern: None,
            collation: Some(Collation::new("en")),
            hint: Some(Hint::from("x_1")),
            let_vars: Some(doc! { "v": 1 }),
            comment: Some(Bson::from("c")),
        };
        let delete = FindAndModify::delete(&namespace, &filter, &options);
        let expected = rawdoc! {
            "findAndModify": "coll", "query": {}, "remove": true, "sort": { "x": -1 }, "fields": { "x": 1 },
            "collation": { "locale": "en" }, "hint": "x_1", "let": { "v": 1 }, "comment": "c",
        };
        assert_eq!(delete.request().unwrap().body, expected);
        let properties = delete.properties();
        assert_eq!((properties.retry, properties.max_time), (Operation::WRITE, options.max_time));
        assert!(properties.write_concern);
        assert_eq!(properties.required_wire_version(false), Some((9, "hint")));
        assert_eq!(properties.required_wire_version(true), None);
    }

    #[test]
    fn a_replacement_must_be_one() {
        let (namespace, filter) = (Namespace::new("db", "coll"), rawdoc! {});
        let options = FindOneAndReplaceOptions {
            bypass_document_validation: Some(false),
            return_document: Some(ReturnDocument::Before),
            upsert: Some(false),
            ..Default::default()
        };
        let replacement = rawdoc! { "y": 1 };
        let request = FindAndModify::replace(&namespace, &filter, &replacement, &options).request().unwrap();
        let expected = rawdoc! {
            "findAndModify": "coll", "query": {}, "update": { "y": 1 }, "new": false, "upsert": false,
            "bypassDocumentValidation": false,
        };
        assert_eq!(request.body, expected);
        let operators = rawdoc! { "$set": { "y": 1 } };
        assert!(FindAndModify::replace(&namespace, &filter, &operators, &options).request().is_err());
        let empty_sort = FindOneAndUpdateOptions { sort: Some(doc! {}), ..Default::default() };
        assert!(update(&empty_sort).is_err());
    }

    #[test]
    fn a_reply_holds_a_document_or_nothing() {
        let reply = rawdoc! { "value": { "x": 1 }, "lastErrorObject": { "n": 1 }, "ok": 1 };
        let written = FindAndModify::decode(&reply).unwrap();
        assert_eq!(written.into_result().unwrap().unwrap(), &*rawdoc! { "x": 1 });
        for reply in [rawdoc! { "value": null, "ok": 1 }, rawdoc! { "ok": 1 }] {
            assert!(FindAndModify::decode(&reply).unwrap().into_result().unwrap().is_none());
        }
        assert!(FindAndModify::decode(&rawdoc! { "value": 1, "ok": 1 }).is_err());
        let reply = rawdoc! { "value": { "x": 1 }, "writeConcernError": { "code": 64 }, "ok": 1 };
        let (value, failure) = FindAndModify::decode(&reply).unwrap().into_result().unwrap_err();
        assert!(value.is_some() && failure.write_concern_errors.len() == 1);
    }
}
