//! `distinct`: the different values of one field.

use std::time::Duration;

use bson::{Bson, RawArray, RawDocument, RawDocumentBuf, raw::cstr};

use super::{Collation, Command, EncodeError, Hint, InvalidReply, Namespace, Properties, Request, encode::append};
use crate::{concern::ReadConcern, selection::SelectionCriteria};

/// Options of `distinct`. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct DistinctOptions {
    /// How long the server may work on this operation, in whole milliseconds. A client's or operation's timeout
    /// replaces it.
    pub max_time: Option<Duration>,
    /// Which server to ask. Default: the collection's, else the database's, else the client's read preference.
    pub selection_criteria: Option<SelectionCriteria>,
    /// Which data may be returned. Default: the collection's, else the database's, else the client's.
    pub read_concern: Option<ReadConcern>,
    /// Rules for comparing strings.
    pub collation: Option<Collation>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON from 4.4.
    pub comment: Option<Bson>,
    /// The index to use. Servers from 7.1.
    pub hint: Option<Hint>,
}

/// The `distinct` command.
#[derive(Clone, Copy, Debug)]
pub struct Distinct<'a> {
    /// The collection.
    pub namespace: &'a Namespace,
    /// The field, in dotted notation.
    pub key: &'a str,
    /// Which documents count.
    pub filter: &'a RawDocument,
    /// The options.
    pub options: &'a DistinctOptions,
}

impl Distinct<'_> {
    /// The values of a reply.
    ///
    /// # Errors
    /// [`InvalidReply`] when it has none.
    pub fn decode(reply: &RawDocument) -> Result<&RawArray, InvalidReply> {
        reply.get("values")?.and_then(|values| values.as_array()).ok_or(InvalidReply::missing("\"values\""))
    }
}

impl Command for Distinct<'_> {
    fn properties(&self) -> Properties {
        Properties::read(self.options.max_time)
    }

    fn request(&self) -> Result<Request, EncodeError> {
        self.namespace.validate()?;
        Hint::validate(self.options.hint.as_ref())?;
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("distinct"), &*self.namespace.coll);
        append!(&mut body;
            "key": *self.key,
            "query": self.filter,
            "collation": self.options.collation,
            "comment": self.options.comment,
            "hint": self.options.hint,
        );
        Ok(Request::new("distinct", self.namespace.db.clone(), body))
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    fn body(options: &DistinctOptions) -> RawDocumentBuf {
        let namespace = Namespace::new("db", "coll");
        Distinct { namespace: &namespace, key: "a.b", filter: &rawdoc! { "x": 1 }, options }.request().unwrap().body
    }

    #[test]
    fn options_are_sent_only_when_given() {
        let start = rawdoc! { "distinct": "coll", "key": "a.b", "query": { "x": 1 } };
        assert_eq!(body(&DistinctOptions::default()), start);
        let options = DistinctOptions {
            max_time: Some(Duration::from_secs(1)),
            collation: Some(Collation::new("en")),
            comment: Some(Bson::from("c")),
            hint: Some(Hint::from("i")),
            read_concern: Some(ReadConcern::majority()),
            selection_criteria: Some(SelectionCriteria::Writable),
        };
        let expected = rawdoc! {
            "distinct": "coll", "key": "a.b", "query": { "x": 1 }, "collation": { "locale": "en" }, "comment": "c",
            "hint": "i",
        };
        assert_eq!(body(&options), expected);
    }

    #[test]
    fn values_are_read_in_place() {
        let reply = rawdoc! { "values": [1, "a"], "ok": 1 };
        assert_eq!(Distinct::decode(&reply).unwrap().into_iter().count(), 2);
        assert!(Distinct::decode(&rawdoc! { "ok": 1 }).is_err());
    }
}
