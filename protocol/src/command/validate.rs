//! `validate`: checks the structures of a collection.

use bson::{Bson, RawDocument, RawDocumentBuf, raw::RawBsonRef, raw::cstr};

use super::{Command, Criteria, EncodeError, InvalidReply, Namespace, Properties, Request, encode::append};
use crate::retry::Operation;

/// Options for validating a collection. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct ValidateCollectionOptions {
    /// Whether to read the documents too. Only servers before 4.4 know it. Default: false.
    pub scan_data: Option<bool>,
    /// Whether to check more, which takes longer. Default: false.
    pub full: Option<bool>,
    /// Whether to work without blocking others. Servers from 4.4; not together with `full`.
    pub background: Option<bool>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON. Servers from 4.4.
    pub comment: Option<Bson>,
}

/// The `validate` command.
#[derive(Clone, Copy, Debug)]
pub struct ValidateCollection<'a> {
    /// The collection.
    pub namespace: &'a Namespace,
    /// The options.
    pub options: &'a ValidateCollectionOptions,
}

impl ValidateCollection<'_> {
    /// Whether the collection is valid, on every shard that holds a part of it.
    ///
    /// # Errors
    /// [`InvalidReply`] when the reply does not say.
    pub fn decode(reply: &RawDocument) -> Result<bool, InvalidReply> {
        if let Some(valid) = verdict(reply)? {
            return Ok(valid);
        }
        let shards = reply.get("raw")?.and_then(RawBsonRef::as_document);
        let mut all = true;
        for shard in shards.ok_or(InvalidReply::missing("\"valid\""))? {
            let shard = shard?.1.as_document().ok_or(InvalidReply::missing("a document in \"raw\""))?;
            all &= verdict(shard)?.ok_or(InvalidReply::missing("\"valid\""))?;
        }
        Ok(all)
    }
}

/// What one server says; older ones say it in a text.
fn verdict(reply: &RawDocument) -> Result<Option<bool>, InvalidReply> {
    if let Some(valid) = reply.get("valid")?.and_then(RawBsonRef::as_bool) {
        return Ok(Some(valid));
    }
    let text = reply.get("result")?.and_then(RawBsonRef::as_str);
    Ok(text.map(|text| !text.contains("exception") && !text.contains("corrupt")))
}

impl Command for ValidateCollection<'_> {
    fn properties(&self) -> Properties {
        Properties { criteria: Criteria::Primary, ..Properties::plain(Operation::PLAIN_READ) }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        self.namespace.validate()?;
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("validate"), &*self.namespace.coll);
        append!(&mut body;
            "scandata": self.options.scan_data,
            "full": self.options.full,
            "background": self.options.background,
            "comment": self.options.comment,
        );
        Ok(Request::new("validate", self.namespace.db.clone(), body))
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn options_are_sent_only_when_given() {
        let namespace = Namespace::new("db", "coll");
        let body = |options: &_| ValidateCollection { namespace: &namespace, options }.request().unwrap().body;
        assert_eq!(body(&ValidateCollectionOptions::default()), rawdoc! { "validate": "coll" });
        let options = ValidateCollectionOptions {
            scan_data: Some(true),
            full: Some(true),
            background: Some(false),
            comment: Some(Bson::from("c")),
        };
        let expected =
            rawdoc! { "validate": "coll", "scandata": true, "full": true, "background": false, "comment": "c" };
        assert_eq!(body(&options), expected);
    }

    #[test]
    fn every_shard_must_be_valid() {
        for (reply, valid) in [
            (rawdoc! { "valid": true }, true),
            (rawdoc! { "valid": false }, false),
            (rawdoc! { "result": "fine" }, true),
            (rawdoc! { "result": "exception: x" }, false),
            (rawdoc! { "raw": { "s0": { "valid": true }, "s1": { "valid": true } } }, true),
            (rawdoc! { "raw": { "s0": { "valid": true }, "s1": { "result": "corrupt" } } }, false),
        ] {
            assert_eq!(ValidateCollection::decode(&reply).unwrap(), valid, "{reply:?}");
        }
        for bad in [rawdoc! {}, rawdoc! { "raw": { "s0": 1 } }, rawdoc! { "raw": { "s0": {} } }] {
            assert!(ValidateCollection::decode(&bad).is_err());
        }
    }
}
