//! Search indexes: `createSearchIndexes`, `updateSearchIndex`, `dropSearchIndex`, and the stage that lists them.
//!
//! The server hands these to a process beside it and answers before they are done. None takes a read or write concern.

use bson::{Bson, Document, RawArrayBuf, RawDocument, RawDocumentBuf, doc, raw::CStr, raw::cstr};

use super::{
    Aggregate, AggregateOptions, AggregateTarget, Command, Criteria, EncodeError, InvalidReply, Namespace, Properties,
    ReadConcernUse, Request,
    collation::append_extra,
    encode::{Element, append},
};
use crate::retry::Operation;

/// Kind of a search index.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SearchIndexType {
    /// Full text: the server's default.
    Search,
    /// Vectors.
    VectorSearch,
    /// Any other kind.
    Other(String),
}

impl Element for SearchIndexType {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        match self {
            Self::Search => "search".append_to(key, body),
            Self::VectorSearch => "vectorSearch".append_to(key, body),
            Self::Other(kind) => kind.append_to(key, body),
        }
    }
}

/// A search index to create.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchIndexModel {
    /// What is indexed, and how; its form depends on the kind.
    pub definition: Document,
    /// Name of the index. The server's default is `default`.
    pub name: Option<String>,
    /// Kind of the index. The server's default is `search`.
    pub index_type: Option<SearchIndexType>,
    /// Further fields, sent as they are.
    pub extra: Document,
}

impl SearchIndexModel {
    /// A full-text index.
    pub fn search(definition: Document) -> Self {
        Self { definition, index_type: Some(SearchIndexType::Search), ..Self::default() }
    }

    /// A vector index.
    pub fn vector(definition: Document) -> Self {
        Self { definition, index_type: Some(SearchIndexType::VectorSearch), ..Self::default() }
    }

    fn to_raw(&self) -> Result<RawDocumentBuf, EncodeError> {
        let mut raw = RawDocumentBuf::new();
        append!(&mut raw; "definition": self.definition, "name": self.name, "type": self.index_type);
        append_extra(&mut raw, &self.extra)?;
        Ok(raw)
    }
}

/// The `createSearchIndexes` command.
#[derive(Clone, Copy, Debug)]
pub struct CreateSearchIndexes<'a> {
    /// The collection.
    pub namespace: &'a Namespace,
    /// The indexes.
    pub models: &'a [SearchIndexModel],
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON.
    pub comment: Option<&'a Bson>,
}

impl CreateSearchIndexes<'_> {
    /// The names of the indexes that are being created.
    ///
    /// # Errors
    /// [`InvalidReply`] when the reply has none.
    pub fn decode(reply: &RawDocument) -> Result<Vec<String>, InvalidReply> {
        let created = reply.get("indexesCreated")?.and_then(|created| created.as_array());
        let created = created.ok_or(InvalidReply::missing("\"indexesCreated\""))?;
        let name = |index: Result<bson::RawBsonRef<'_>, bson::error::Error>| {
            let name = index?.as_document().and_then(|index| index.get_str("name").ok());
            name.map(str::to_owned).ok_or(InvalidReply::missing("the name of a search index"))
        };
        created.into_iter().map(name).collect()
    }
}

impl Command for CreateSearchIndexes<'_> {
    fn properties(&self) -> Properties {
        Properties::plain(Operation::PLAIN_WRITE)
    }

    fn request(&self) -> Result<Request, EncodeError> {
        let mut indexes = RawArrayBuf::new();
        for model in self.models {
            indexes.push(model.to_raw()?);
        }
        let mut body = start(self.namespace, cstr!("createSearchIndexes"))?;
        body.append(cstr!("indexes"), indexes);
        append!(&mut body; "comment": self.comment);
        Ok(Request::new("createSearchIndexes", self.namespace.db.clone(), body))
    }
}

/// The `updateSearchIndex` command.
#[derive(Clone, Copy, Debug)]
pub struct UpdateSearchIndex<'a> {
    /// The collection.
    pub namespace: &'a Namespace,
    /// Name of the index.
    pub name: &'a str,
    /// Its new definition.
    pub definition: &'a Document,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON.
    pub comment: Option<&'a Bson>,
}

impl Command for UpdateSearchIndex<'_> {
    fn properties(&self) -> Properties {
        Properties::plain(Operation::PLAIN_WRITE)
    }

    fn request(&self) -> Result<Request, EncodeError> {
        let mut body = start(self.namespace, cstr!("updateSearchIndex"))?;
        append!(&mut body; "name": *self.name, "definition": self.definition, "comment": self.comment);
        Ok(Request::new("updateSearchIndex", self.namespace.db.clone(), body))
    }
}

/// The `dropSearchIndex` command. A collection that does not exist has none to drop.
#[derive(Clone, Copy, Debug)]
pub struct DropSearchIndex<'a> {
    /// The collection.
    pub namespace: &'a Namespace,
    /// Name of the index.
    pub name: &'a str,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON.
    pub comment: Option<&'a Bson>,
}

impl Command for DropSearchIndex<'_> {
    fn properties(&self) -> Properties {
        Properties { missing_namespace_is_success: true, ..Properties::plain(Operation::PLAIN_WRITE) }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        let mut body = start(self.namespace, cstr!("dropSearchIndex"))?;
        append!(&mut body; "name": *self.name, "comment": self.comment);
        Ok(Request::new("dropSearchIndex", self.namespace.db.clone(), body))
    }
}

fn start(namespace: &Namespace, name: &CStr) -> Result<RawDocumentBuf, EncodeError> {
    namespace.validate()?;
    let mut body = RawDocumentBuf::new();
    body.append(name, &*namespace.coll);
    Ok(body)
}

/// Lists search indexes: an `aggregate` with `$listSearchIndexes`, on the primary. Its reply is a
/// [`CursorReply`](super::CursorReply).
#[derive(Clone, Debug)]
pub struct ListSearchIndexes<'a> {
    namespace: &'a Namespace,
    pipeline: [Document; 1],
    options: &'a AggregateOptions,
}

impl<'a> ListSearchIndexes<'a> {
    /// Lists the index of this name, or all of them.
    pub fn new(namespace: &'a Namespace, name: Option<&str>, options: &'a AggregateOptions) -> Self {
        let argument = name.map_or_else(Document::new, |name| doc! { "name": name });
        Self { namespace, pipeline: [doc! { "$listSearchIndexes": argument }], options }
    }

    fn aggregate(&self) -> Aggregate<'_> {
        let target = AggregateTarget::Collection(self.namespace);
        Aggregate { target, pipeline: &self.pipeline, options: self.options }
    }
}

impl Command for ListSearchIndexes<'_> {
    fn properties(&self) -> Properties {
        Properties { read_concern: ReadConcernUse::None, criteria: Criteria::Primary, ..self.aggregate().properties() }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        self.aggregate().request()
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn models_are_sent_in_their_wire_form() {
        let namespace = Namespace::new("db", "coll");
        let definition = doc! { "mappings": { "dynamic": true } };
        let models = [
            SearchIndexModel { definition: definition.clone(), ..Default::default() },
            SearchIndexModel { name: Some("n".into()), ..SearchIndexModel::search(definition.clone()) },
            SearchIndexModel { extra: doc! { "x": 1 }, ..SearchIndexModel::vector(doc! {}) },
            SearchIndexModel { index_type: Some(SearchIndexType::Other("o".into())), ..Default::default() },
        ];
        let create = CreateSearchIndexes { namespace: &namespace, models: &models, comment: None };
        let expected = rawdoc! {
            "createSearchIndexes": "coll",
            "indexes": [
                { "definition": { "mappings": { "dynamic": true } } },
                { "definition": { "mappings": { "dynamic": true } }, "name": "n", "type": "search" },
                { "definition": {}, "type": "vectorSearch", "x": 1 },
                { "definition": {}, "type": "o" },
            ],
        };
        assert_eq!(create.request().unwrap().body, expected);
        assert_eq!(create.properties(), Properties::plain(Operation::PLAIN_WRITE));
        let none = CreateSearchIndexes { namespace: &namespace, models: &[], comment: Some(&"c".into()) };
        assert_eq!(
            none.request().unwrap().body,
            rawdoc! { "createSearchIndexes": "coll", "indexes": [], "comment": "c" }
        );
        let update = UpdateSearchIndex {
            namespace: &namespace,
            name: "n",
            definition: &doc! { "a": 1 },
            comment: Some(&1.into()),
        };
        let expected = rawdoc! { "updateSearchIndex": "coll", "name": "n", "definition": { "a": 1 }, "comment": 1 };
        assert_eq!(update.request().unwrap().body, expected);
        let drop = DropSearchIndex { namespace: &namespace, name: "n", comment: None };
        assert_eq!(drop.request().unwrap().body, rawdoc! { "dropSearchIndex": "coll", "name": "n" });
        assert!(drop.properties().missing_namespace_is_success);
    }

    #[test]
    fn listing_is_a_pipeline_on_the_primary() {
        let (namespace, options) = (Namespace::new("db", "coll"), AggregateOptions::default());
        let list = ListSearchIndexes::new(&namespace, Some("n"), &options);
        let expected =
            rawdoc! { "aggregate": "coll", "pipeline": [{ "$listSearchIndexes": { "name": "n" } }], "cursor": {} };
        assert_eq!(list.request().unwrap().body, expected);
        let properties = list.properties();
        assert_eq!((properties.criteria, properties.retry), (Criteria::Primary, Operation::READ));
        assert_eq!(properties.read_concern, ReadConcernUse::None);
        let all = ListSearchIndexes::new(&namespace, None, &options).request().unwrap().body;
        assert_eq!(all, rawdoc! { "aggregate": "coll", "pipeline": [{ "$listSearchIndexes": {} }], "cursor": {} });
    }

    #[test]
    fn the_names_of_new_indexes_are_read() {
        let reply = rawdoc! { "indexesCreated": [{ "id": "1", "name": "a" }, { "id": "2", "name": "b" }], "ok": 1 };
        assert_eq!(CreateSearchIndexes::decode(&reply).unwrap(), ["a", "b"]);
        assert!(CreateSearchIndexes::decode(&rawdoc! { "ok": 1 }).is_err());
        assert!(CreateSearchIndexes::decode(&rawdoc! { "indexesCreated": [{ "id": "1" }] }).is_err());
    }
}
