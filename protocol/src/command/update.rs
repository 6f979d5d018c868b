//! `update`: changes to documents that exist, or their replacement.

use bson::{Bson, Document, RawDocument, RawDocumentBuf, raw::cstr};

use super::{
    Collation, Command, DocumentSequence, EncodeError, Hint, InvalidReply, Namespace, NewContent, Properties, Request,
    UpdateModifications, UpdateResult, WriteReply, Written,
    encode::{append, not_empty, roomy_document},
};
use crate::{concern::WriteConcern, retry::Operation};

/// Options for updating one document or many. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct UpdateOptions {
    /// Filters that say which elements of an array `$[identifier]` means.
    pub array_filters: Option<Vec<Document>>,
    /// Whether the collection's validator is skipped.
    pub bypass_document_validation: Option<bool>,
    /// Whether a document is inserted when none matches. Default: false.
    pub upsert: Option<bool>,
    /// Rules for comparing strings.
    pub collation: Option<Collation>,
    /// The index to use.
    pub hint: Option<Hint>,
    /// How many members must confirm the write. Default: the collection's, else the database's, else the client's.
    pub write_concern: Option<WriteConcern>,
    /// Variables for expressions of filter and pipeline (`$$name`). Servers from 5.0.
    pub let_vars: Option<Document>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON. Servers from 4.4.
    pub comment: Option<Bson>,
    /// Which of several documents is the one to update: fields with 1 or -1. Servers from 8.0; they refuse it when many
    /// documents are updated.
    pub sort: Option<Document>,
}

/// Options for replacing one document. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct ReplaceOptions {
    /// Whether the collection's validator is skipped.
    pub bypass_document_validation: Option<bool>,
    /// Whether the replacement is inserted when no document matches. Default: false.
    pub upsert: Option<bool>,
    /// Rules for comparing strings.
    pub collation: Option<Collation>,
    /// The index to use.
    pub hint: Option<Hint>,
    /// How many members must confirm the write. Default: the collection's, else the database's, else the client's.
    pub write_concern: Option<WriteConcern>,
    /// Variables for expressions of the filter (`$$name`). Servers from 5.0.
    pub let_vars: Option<Document>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON. Servers from 4.4.
    pub comment: Option<Bson>,
    /// Which of several documents is the one to replace: fields with 1 or -1. Servers from 8.0.
    pub sort: Option<Document>,
}

/// One statement of an `update` command.
#[derive(Clone, Copy, Debug)]
pub struct UpdateStatement<'a> {
    /// Which documents.
    pub filter: &'a RawDocument,
    /// What becomes of them.
    pub content: NewContent<'a>,
    /// Whether every document that matches is updated, not only the first.
    pub multi: bool,
    /// Whether to insert when none matches.
    pub upsert: Option<bool>,
    /// Filters for `$[identifier]`.
    pub array_filters: Option<&'a [Document]>,
    /// Rules for comparing strings.
    pub collation: Option<&'a Collation>,
    /// The index to use.
    pub hint: Option<&'a Hint>,
    /// Which document is the first.
    pub sort: Option<&'a Document>,
}

impl UpdateStatement<'_> {
    /// Encodes the statement as an element of the `updates` sequence.
    ///
    /// # Errors
    /// [`EncodeError`] for an argument that the operation does not allow.
    pub fn encode(&self) -> Result<RawDocumentBuf, EncodeError> {
        self.validate()?;
        let mut statement = roomy_document(self.filter.as_bytes().len());
        append!(&mut statement;
            "q": self.filter,
            "u": self.content,
            "multi": self.multi.then_some(true),
            "upsert": self.upsert,
            "collation": self.collation,
            "arrayFilters": self.array_filters,
            "hint": self.hint,
            "sort": self.sort,
        );
        Ok(statement)
    }

    pub(crate) fn validate(&self) -> Result<(), EncodeError> {
        self.content.validate()?;
        Hint::validate(self.hint)?;
        not_empty(self.sort, "sort")
    }

    /// Adds what the statement asks of the server.
    pub fn require(&self, properties: Properties) -> Properties {
        properties
            .requires_unacknowledged(self.collation.is_some(), "collation", None)
            .requires_unacknowledged(self.array_filters.is_some(), "arrayFilters", None)
            .requires_unacknowledged(self.hint.is_some(), "hint", Some(8))
            .requires_unacknowledged(self.sort.is_some(), "sort", Some(25))
    }
}

/// The `update` command with one statement.
///
/// ```
/// use bson::{doc, rawdoc};
/// use mongo_actors_protocol::command::{Command, Namespace, Update};
///
/// let namespace = Namespace::new("shop", "people");
/// let (filter, update) = (rawdoc! { "_id": 1 }, doc! { "$inc": { "visits": 1 } }.into());
/// let request = Update::one(&namespace, &filter, &update, &Default::default()).request().unwrap();
/// assert_eq!(request.body, rawdoc! { "update": "people", "ordered": true });
/// assert_eq!(request.sequences[0].identifier, "updates");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    namespace: &'a Namespace,
    statement: UpdateStatement<'a>,
    bypass_document_validation: Option<bool>,
    let_vars: Option<&'a Document>,
    comment: Option<&'a Bson>,
}

impl<'a> Update<'a> {
    /// Updates the first document that matches.
    pub fn one(
        namespace: &'a Namespace,
        filter: &'a RawDocument,
        update: &'a UpdateModifications,
        options: &'a UpdateOptions,
    ) -> Self {
        Self {
            namespace,
            statement: UpdateStatement {
                filter,
                content: NewContent::Modifications(update),
                multi: false,
                upsert: options.upsert,
                array_filters: options.array_filters.as_deref(),
                collation: options.collation.as_ref(),
                hint: options.hint.as_ref(),
                sort: options.sort.as_ref(),
            },
            bypass_document_validation: options.bypass_document_validation,
            let_vars: options.let_vars.as_ref(),
            comment: options.comment.as_ref(),
        }
    }

    /// Updates every document that matches.
    pub fn many(
        namespace: &'a Namespace,
        filter: &'a RawDocument,
        update: &'a UpdateModifications,
        options: &'a UpdateOptions,
    ) -> Self {
        let one = Self::one(namespace, filter, update, options);
        Self { statement: UpdateStatement { multi: true, ..one.statement }, ..one }
    }

    /// Replaces the first document that matches.
    pub fn replace(
        namespace: &'a Namespace,
        filter: &'a RawDocument,
        replacement: &'a RawDocument,
        options: &'a ReplaceOptions,
    ) -> Self {
        Self {
            namespace,
            statement: UpdateStatement {
                filter,
                content: NewContent::Replacement(replacement),
                multi: false,
                upsert: options.upsert,
                array_filters: None,
                collation: options.collation.as_ref(),
                hint: options.hint.as_ref(),
                sort: options.sort.as_ref(),
            },
            bypass_document_validation: options.bypass_document_validation,
            let_vars: options.let_vars.as_ref(),
            comment: options.comment.as_ref(),
        }
    }

    /// What the reply says.
    ///
    /// # Errors
    /// [`InvalidReply`] when it is not that of a write.
    pub fn decode(reply: &RawDocument) -> Result<Written<UpdateResult>, InvalidReply> {
        let mut reply = WriteReply::read(reply)?;
        let upserted = std::mem::take(&mut reply.upserted);
        let result = UpdateResult {
            matched_count: reply.n.saturating_sub(upserted.len() as u64),
            modified_count: reply.n_modified,
            upserted_id: upserted.into_iter().next().map(|upserted| upserted.id),
            acknowledged: true,
        };
        Ok(Written { result, failure: reply.failure() })
    }
}

/// The body of an `update` command without its statements.
pub(crate) fn body(
    namespace: &Namespace,
    ordered: bool,
    bypass_document_validation: Option<bool>,
    let_vars: Option<&Document>,
    comment: Option<&Bson>,
) -> Result<RawDocumentBuf, EncodeError> {
    namespace.validate()?;
    let mut body = roomy_document(0);
    body.append(cstr!("update"), &*namespace.coll);
    append!(&mut body;
        "ordered": ordered,
        "bypassDocumentValidation": bypass_document_validation,
        "let": let_vars,
        "comment": comment,
    );
    Ok(body)
}

/// A sequence of one statement, which is moved into it.
pub(super) fn single(identifier: &'static str, statement: RawDocumentBuf) -> DocumentSequence {
    DocumentSequence { identifier, documents: statement.into_bytes(), count: 1 }
}

impl Command for Update<'_> {
    fn properties(&self) -> Properties {
        let retry = if self.statement.multi { Operation::PLAIN_WRITE } else { Operation::WRITE };
        self.statement.require(Properties::write(retry))
    }

    fn request(&self) -> Result<Request, EncodeError> {
        let body = body(self.namespace, true, self.bypass_document_validation, self.let_vars, self.comment)?;
        let statement = self.statement.encode()?;
        Ok(Request::new("update", self.namespace.db.clone(), body).with_sequence(single("updates", statement)))
    }
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;
    use crate::command::Unsupported;

    fn namespace() -> Namespace {
        Namespace::new("db", "coll")
    }

    fn statement(request: &Request) -> RawDocumentBuf {
        let [sequence] = request.sequences.as_slice() else { panic!("not one sequence") };
        assert_eq!((sequence.identifier, sequence.count), ("updates", 1));
        RawDocumentBuf::from_bytes(sequence.documents.clone()).unwrap()
    }

    fn every_option() -> UpdateOptions {
        UpdateOptions {
            array_filters: Some(vec![doc! { "e.x": 1 }]),
            bypass_document_validation: Some(true),
            upsert: Some(true),
            collation: Some(Collation::new("en")),
            hint: Some(Hint::from("a_1")),
            let_vars: Some(doc! { "v": 1 }),
            comment: Some(Bson::from("c")),
            sort: Some(doc! { "a": 1 }),
            write_concern: Some(WriteConcern::majority()),
        }
    }

    #[test]
    fn options_are_sent_only_when_given() {
        let (namespace, filter) = (namespace(), rawdoc! { "x": 1 });
        let update = UpdateModifications::from(doc! { "$set": { "y": 1 } });
        let plain = UpdateOptions::default();
        let request = Update::one(&namespace, &filter, &update, &plain).request().unwrap();
        assert_eq!((&*request.name, &*request.database), ("update", "db"));
        assert_eq!(request.body, rawdoc! { "update": "coll", "ordered": true });
        assert_eq!(statement(&request), rawdoc! { "q": { "x": 1 }, "u": { "$set": { "y": 1 } } });

        let options = every_option();
        let request = Update::many(&namespace, &filter, &update, &options).request().unwrap();
        let body = rawdoc! {
            "update": "coll", "ordered": true, "bypassDocumentValidation": true, "let": { "v": 1 }, "comment": "c",
        };
        assert_eq!(request.body, body);
        let expected = rawdoc! {
            "q": { "x": 1 }, "u": { "$set": { "y": 1 } }, "multi": true, "upsert": true,
            "collation": { "locale": "en" }, "arrayFilters": [{ "e.x": 1 }], "hint": "a_1", "sort": { "a": 1 },
        };
        assert_eq!(statement(&request), expected);
    }

    #[test]
    fn a_replacement_has_the_same_form() {
        let (namespace, filter, replacement) = (namespace(), rawdoc! {}, rawdoc! { "y": 1 });
        let options = ReplaceOptions {
            bypass_document_validation: Some(false),
            upsert: Some(false),
            collation: Some(Collation::new("en")),
            hint: Some(Hint::from(doc! { "a": 1 })),
            let_vars: Some(doc! { "v": 1 }),
            comment: Some(Bson::from("c")),
            sort: Some(doc! { "a": 1 }),
            write_concern: None,
        };
        let request = Update::replace(&namespace, &filter, &replacement, &options).request().unwrap();
        let body = rawdoc! {
            "update": "coll", "ordered": true, "bypassDocumentValidation": false, "let": { "v": 1 }, "comment": "c",
        };
        assert_eq!(request.body, body);
        let expected = rawdoc! {
            "q": {}, "u": { "y": 1 }, "upsert": false, "collation": { "locale": "en" }, "hint": { "a": 1 },
            "sort": { "a": 1 },
        };
        assert_eq!(statement(&request), expected);
        let operators = rawdoc! { "$set": { "y": 1 } };
        assert!(Update::replace(&namespace, &filter, &operators, &options).request().is_err());
    }

    #[test]
    fn only_updates_of_one_document_are_retryable() {
        let (namespace, filter) = (namespace(), rawdoc! {});
        let update = UpdateModifications::from(vec![doc! { "$set": { "y": 1 } }]);
        let options = UpdateOptions::default();
        let one = Update::one(&namespace, &filter, &update, &options);
        assert_eq!(one.properties(), Properties::write(Operation::WRITE));
        assert_eq!(statement(&one.request().unwrap()), rawdoc! { "q": {}, "u": [{ "$set": { "y": 1 } }] });
        let many = Update::many(&namespace, &filter, &update, &options);
        assert_eq!(many.properties().retry, Operation::PLAIN_WRITE);
    }

    #[test]
    fn unacknowledged_updates_refuse_what_would_fail_unseen() {
        let (namespace, filter) = (namespace(), rawdoc! {});
        let update = UpdateModifications::from(doc! { "$set": { "y": 1 } });
        let check = |options: UpdateOptions, version, acknowledged| {
            Update::one(&namespace, &filter, &update, &options).properties().check(version, acknowledged)
        };
        let hint = UpdateOptions { hint: Some(Hint::from("a")), ..Default::default() };
        assert!(check(hint.clone(), 7, true).is_ok() && check(hint.clone(), 8, false).is_ok());
        assert_eq!(check(hint, 7, false), Err(Unsupported::Server { option: "hint", needed: 8, found: 7 }));
        let sort = UpdateOptions { sort: Some(doc! { "a": 1 }), ..Default::default() };
        assert!(check(sort.clone(), 24, false).is_err() && check(sort, 25, false).is_ok());
        for options in [
            UpdateOptions { collation: Some(Collation::new("en")), ..Default::default() },
            UpdateOptions { array_filters: Some(Vec::new()), ..Default::default() },
        ] {
            assert!(check(options.clone(), 8, true).is_ok());
            assert!(matches!(check(options, 99, false), Err(Unsupported::Unacknowledged { .. })));
        }
    }

    #[test]
    fn an_upserted_document_did_not_match() {
        let reply = rawdoc! { "n": 1, "nModified": 0, "upserted": [{ "index": 0, "_id": 7 }], "ok": 1 };
        let result = Update::decode(&reply).unwrap().into_result().unwrap();
        assert_eq!((result.matched_count, result.modified_count), (0, 0));
        assert_eq!((result.upserted_id, result.acknowledged), (Some(Bson::Int32(7)), true));
        let reply = rawdoc! { "n": 3, "nModified": 2, "writeConcernError": { "code": 64 }, "ok": 1 };
        let (result, failure) = Update::decode(&reply).unwrap().into_result().unwrap_err();
        assert_eq!((result.matched_count, result.modified_count), (3, 2));
        assert_eq!(failure.write_concern_errors[0].code, 64);
    }
}
