//! `dropIndexes`.

use std::time::Duration;

use bson::{Bson, Document, RawDocumentBuf, raw::cstr};

use super::{Command, EncodeError, Namespace, Properties, Request, encode::append, index_model::generated_name};
use crate::{concern::WriteConcern, retry::Operation};

/// Options for dropping indexes. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct DropIndexOptions {
    /// How long the server may work on this operation, in whole milliseconds. A client's or operation's timeout
    /// replaces it.
    pub max_time: Option<Duration>,
    /// How many members must confirm the write. Default: the collection's, else the database's, else the client's.
    pub write_concern: Option<WriteConcern>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON. Servers from 4.4.
    pub comment: Option<Bson>,
}

/// Which indexes to drop.
#[derive(Clone, Copy, Debug)]
pub enum IndexSelection<'a> {
    /// The one of this name; `*` is refused.
    Name(&'a str),
    /// The one whose name was generated from these keys.
    Keys(&'a Document),
    /// All but the one of `_id`.
    All,
}

/// The `dropIndexes` command. A collection that does not exist has none to drop.
#[derive(Clone, Copy, Debug)]
pub struct DropIndexes<'a> {
    /// The collection.
    pub namespace: &'a Namespace,
    /// Which indexes.
    pub selection: IndexSelection<'a>,
    /// The options.
    pub options: &'a DropIndexOptions,
}

impl Command for DropIndexes<'_> {
    fn properties(&self) -> Properties {
        Properties {
            max_time: self.options.max_time,
            missing_namespace_is_success: true,
            ..Properties::write(Operation::PLAIN_WRITE)
        }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        self.namespace.validate()?;
        let index = match self.selection {
            IndexSelection::Name("*") => {
                return Err(EncodeError::argument("index", "\"*\" would drop every index; drop all of them instead"));
            }
            IndexSelection::Name("") => return Err(EncodeError::argument("index", "the name is empty")),
            IndexSelection::Keys(keys) if keys.is_empty() => {
                return Err(EncodeError::argument("index", "an index has at least one key"));
            }
            IndexSelection::Name(name) => name.to_owned(),
            IndexSelection::Keys(keys) => generated_name(keys),
            IndexSelection::All => "*".to_owned(),
        };
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("dropIndexes"), &*self.namespace.coll);
        append!(&mut body; "index": index, "comment": self.options.comment);
        Ok(Request::new("dropIndexes", self.namespace.db.clone(), body))
    }
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;

    #[test]
    fn indexes_are_named_by_name_keys_or_all_at_once() {
        let namespace = Namespace::new("db", "coll");
        let (keys, no_keys) = (doc! { "x": 1 }, doc! {});
        let mut options = DropIndexOptions::default();
        let body = |selection, options: &_| {
            Ok::<_, EncodeError>(DropIndexes { namespace: &namespace, selection, options }.request()?.body)
        };
        let expected = rawdoc! { "dropIndexes": "coll", "index": "x_1" };
        assert_eq!(body(IndexSelection::Name("x_1"), &options).unwrap(), expected);
        assert_eq!(body(IndexSelection::Keys(&keys), &options).unwrap(), expected);
        options.comment = Some(Bson::Int32(1));
        let expected = rawdoc! { "dropIndexes": "coll", "index": "*", "comment": 1 };
        assert_eq!(body(IndexSelection::All, &options).unwrap(), expected);
        for refused in [IndexSelection::Name("*"), IndexSelection::Name(""), IndexSelection::Keys(&no_keys)] {
            assert!(body(refused, &options).is_err());
        }
        let drop = DropIndexes { namespace: &namespace, selection: IndexSelection::All, options: &options };
        assert!(drop.properties().missing_namespace_is_success && drop.properties().write_concern);
    }
}
