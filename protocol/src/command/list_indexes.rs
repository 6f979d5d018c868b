//! `listIndexes`.

use std::time::Duration;

use bson::{Bson, RawDocumentBuf, raw::cstr};

use super::{Command, EncodeError, Namespace, Properties, Request, encode::append};

/// Options for listing indexes. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct ListIndexesOptions {
    /// How long the server may work on this operation, in whole milliseconds. A client's or operation's timeout
    /// replaces it.
    pub max_time: Option<Duration>,
    /// Documents per batch.
    pub batch_size: Option<u32>,
    /// Attached to the command, and to each `getMore` of its cursor, in profiler, logs and `currentOp`. Any BSON.
    /// Servers from 4.4.
    pub comment: Option<Bson>,
    /// What the operation's timeout means for the cursor. Not sent.
    pub timeout_mode: Option<super::TimeoutMode>,
}

/// The `listIndexes` command. Its reply is a [`CursorReply`](super::CursorReply) of [`IndexModel`](super::IndexModel)s;
/// a collection that does not exist has none. Servers from 4.4 leave the `ns` field out.
#[derive(Clone, Copy, Debug)]
pub struct ListIndexes<'a> {
    /// The collection.
    pub namespace: &'a Namespace,
    /// The options.
    pub options: &'a ListIndexesOptions,
}

impl Command for ListIndexes<'_> {
    fn properties(&self) -> Properties {
        Properties { max_time: self.options.max_time, missing_namespace_is_success: true, ..Properties::enumeration() }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        self.namespace.validate()?;
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("listIndexes"), &*self.namespace.coll);
        append!(&mut body; "cursor": cursor(self.options.batch_size), "comment": self.options.comment);
        Ok(Request::new("listIndexes", self.namespace.db.clone(), body))
    }
}

/// The `cursor` argument of an enumeration.
pub(super) fn cursor(batch_size: Option<u32>) -> RawDocumentBuf {
    let mut cursor = RawDocumentBuf::new();
    if let Some(size) = batch_size {
        cursor.append(cstr!("batchSize"), i64::from(size));
    }
    cursor
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;
    use crate::command::{Criteria, ReadConcernUse};
    use crate::retry::Operation;

    #[test]
    fn options_are_sent_only_when_given() {
        let namespace = Namespace::new("db", "coll");
        let plain = ListIndexesOptions::default();
        let list = ListIndexes { namespace: &namespace, options: &plain };
        assert_eq!(list.request().unwrap().body, rawdoc! { "listIndexes": "coll", "cursor": {} });
        let options = ListIndexesOptions {
            timeout_mode: None,
            max_time: Some(Duration::from_secs(1)),
            batch_size: Some(2),
            comment: Some(Bson::from("c")),
        };
        let list = ListIndexes { namespace: &namespace, options: &options };
        let expected = rawdoc! { "listIndexes": "coll", "cursor": { "batchSize": 2_i64 }, "comment": "c" };
        assert_eq!(list.request().unwrap().body, expected);
        let properties = list.properties();
        assert_eq!((properties.criteria, properties.retry), (Criteria::Primary, Operation::READ));
        assert_eq!((properties.read_concern, properties.max_time), (ReadConcernUse::None, options.max_time));
        assert!(properties.missing_namespace_is_success);
    }
}
