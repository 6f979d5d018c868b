//! `delete`: removal of documents.

use bson::{Bson, Document, RawDocument, RawDocumentBuf, raw::cstr};

use super::{
    Collation, Command, DeleteResult, EncodeError, Hint, InvalidReply, Namespace, Properties, Request, WriteReply,
    Written,
    encode::{append, roomy_document},
    update::single,
};
use crate::{concern::WriteConcern, retry::Operation};

/// Options for deleting one document or many. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Rules for comparing strings.
    pub collation: Option<Collation>,
    /// How many members must confirm the write. Default: the collection's, else the database's, else the client's.
    pub write_concern: Option<WriteConcern>,
    /// The index to use. Servers from 4.4.
    pub hint: Option<Hint>,
    /// Variables for expressions of the filter (`$$name`). Servers from 5.0.
    pub let_vars: Option<Document>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON. Servers from 4.4.
    pub comment: Option<Bson>,
}

/// One statement of a `delete` command.
#[derive(Clone, Copy, Debug)]
pub struct DeleteStatement<'a> {
    /// Which documents.
    pub filter: &'a RawDocument,
    /// Whether every document that matches is deleted, not only the first.
    pub multi: bool,
    /// Rules for comparing strings.
    pub collation: Option<&'a Collation>,
    /// The index to use.
    pub hint: Option<&'a Hint>,
}

impl DeleteStatement<'_> {
    /// Encodes the statement as an element of the `deletes` sequence.
    ///
    /// # Errors
    /// [`EncodeError`] for an argument that the operation does not allow.
    pub fn encode(&self) -> Result<RawDocumentBuf, EncodeError> {
        Hint::validate(self.hint)?;
        let mut statement = roomy_document(self.filter.as_bytes().len());
        append!(&mut statement;
            "q": self.filter,
            "limit": i32::from(!self.multi),
            "collation": self.collation,
            "hint": self.hint,
        );
        Ok(statement)
    }

    /// Adds what the statement asks of the server.
    pub fn require(&self, properties: Properties) -> Properties {
        properties.requires_unacknowledged(self.collation.is_some(), "collation", None).requires_unacknowledged(
            self.hint.is_some(),
            "hint",
            Some(9),
        )
    }
}

/// The `delete` command with one statement.
#[derive(Clone, Copy, Debug)]
pub struct Delete<'a> {
    namespace: &'a Namespace,
    statement: DeleteStatement<'a>,
    options: &'a DeleteOptions,
}

impl<'a> Delete<'a> {
    /// Deletes the first document that matches.
    pub fn one(namespace: &'a Namespace, filter: &'a RawDocument, options: &'a DeleteOptions) -> Self {
        Self::new(namespace, filter, false, options)
    }

    /// Deletes every document that matches.
    pub fn many(namespace: &'a Namespace, filter: &'a RawDocument, options: &'a DeleteOptions) -> Self {
        Self::new(namespace, filter, true, options)
    }

    fn new(namespace: &'a Namespace, filter: &'a RawDocument, multi: bool, options: &'a DeleteOptions) -> Self {
        let (collation, hint) = (options.collation.as_ref(), options.hint.as_ref());
        Self { namespace, statement: DeleteStatement { filter, multi, collation, hint }, options }
    }

    /// What the reply says.
    ///
    /// # Errors
    /// [`InvalidReply`] when it is not that of a write.
    pub fn decode(reply: &RawDocument) -> Result<Written<DeleteResult>, InvalidReply> {
        let reply = WriteReply::read(reply)?;
        let result = DeleteResult { deleted_count: reply.n, acknowledged: true };
        Ok(Written { result, failure: reply.failure() })
    }
}

/// The body of a `delete` command without its statements.
pub(crate) fn body(
    namespace: &Namespace,
    ordered: bool,
    let_vars: Option<&Document>,
    comment: Option<&Bson>,
) -> Result<RawDocumentBuf, EncodeError> {
    namespace.validate()?;
    let mut body = roomy_document(0);
    body.append(cstr!("delete"), &*namespace.coll);
    append!(&mut body; "ordered": ordered, "let": let_vars, "comment": comment);
    Ok(body)
}

impl Command for Delete<'_> {
    fn properties(&self) -> Properties {
        let retry = if self.statement.multi { Operation::PLAIN_WRITE } else { Operation::WRITE };
        self.statement.require(Properties::write(retry))
    }

    fn request(&self) -> Result<Request, EncodeError> {
        let body = body(self.namespace, true, self.options.let_vars.as_ref(), self.options.comment.as_ref())?;
        let statement = self.statement.encode()?;
        Ok(Request::new("delete", self.namespace.db.clone(), body).with_sequence(single("deletes", statement)))
    }
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;
    use crate::command::Unsupported;

    fn statement(request: &Request) -> RawDocumentBuf {
        let [sequence] = request.sequences.as_slice() else { panic!("not one sequence") };
        assert_eq!((sequence.identifier, sequence.count), ("deletes", 1));
        RawDocumentBuf::from_bytes(sequence.documents.clone()).unwrap()
    }

    #[test]
    fn options_are_sent_only_when_given() {
        let (namespace, filter) = (Namespace::new("db", "coll"), rawdoc! { "x": 1 });
        let plain = DeleteOptions::default();
        let one = Delete::one(&namespace, &filter, &plain);
        let request = one.request().unwrap();
        assert_eq!(request.body, rawdoc! { "delete": "coll", "ordered": true });
        assert_eq!(statement(&request), rawdoc! { "q": { "x": 1 }, "limit": 1 });
        assert_eq!(one.properties(), Properties::write(Operation::WRITE));
        let options = DeleteOptions {
            collation: Some(Collation::new("en")),
            hint: Some(Hint::from("x_1")),
            let_vars: Some(doc! { "v": 1 }),
            comment: Some(Bson::from("c")),
            write_concern: Some(WriteConcern::majority()),
        };
        let many = Delete::many(&namespace, &filter, &options);
        let request = many.request().unwrap();
        assert_eq!(request.body, rawdoc! { "delete": "coll", "ordered": true, "let": { "v": 1 }, "comment": "c" });
        let expected = rawdoc! { "q": { "x": 1 }, "limit": 0, "collation": { "locale": "en" }, "hint": "x_1" };
        assert_eq!(statement(&request), expected);
        assert_eq!(many.properties().retry, Operation::PLAIN_WRITE);
    }

    #[test]
    fn an_unacknowledged_hint_needs_a_server_that_honours_it() {
        let (namespace, filter) = (Namespace::new("db", "coll"), rawdoc! {});
        let options = DeleteOptions { hint: Some(Hint::from("x_1")), ..Default::default() };
        let properties = Delete::one(&namespace, &filter, &options).properties();
        assert!(properties.check(8, true).is_ok() && properties.check(9, false).is_ok());
        let refused = Unsupported::Server { option: "hint", needed: 9, found: 8 };
        assert_eq!(properties.check(8, false), Err(refused));
    }

    #[test]
    fn the_count_is_read() {
        let result = Delete::decode(&rawdoc! { "n": 2, "ok": 1 }).unwrap().into_result().unwrap();
        assert_eq!((result.deleted_count, result.acknowledged), (2, true));
        let reply = rawdoc! { "n": 1, "writeErrors": [{ "index": 0, "code": 5 }], "ok": 1 };
        let (result, failure) = Delete::decode(&reply).unwrap().into_result().unwrap_err();
        assert_eq!((result.deleted_count, failure.write_errors[0].code), (1, 5));
    }
}
