//! `listCollections`.

use bson::{Binary, Bson, Document, RawDocument, RawDocumentBuf, raw::cstr};
use serde::Deserialize;

use super::{
    Command, CreateCollectionOptions, EncodeError, IndexModel, InvalidReply, Properties, Request, encode::append,
    list_indexes::cursor, validate_database_name,
};

/// Options for listing collections. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct ListCollectionsOptions {
    /// Which collections, by a query over what is listed of each.
    pub filter: Option<Document>,
    /// Documents per batch.
    pub batch_size: Option<u32>,
    /// Whether a user without the right to list collections gets those that he may use. Only with names alone.
    pub authorized_collections: Option<bool>,
    /// Attached to the command in profiler, logs and `currentOp`; its `getMore`s inherit it. Any BSON. Servers from
    /// 4.4.
    pub comment: Option<Bson>,
    /// What the operation's timeout means for the cursor. Not sent.
    pub timeout_mode: Option<super::TimeoutMode>,
}

/// The `listCollections` command. Its reply is a [`CursorReply`](super::CursorReply) of [`CollectionSpecification`]s.
#[derive(Clone, Copy, Debug)]
pub struct ListCollections<'a> {
    /// Name of the database.
    pub database: &'a str,
    /// Whether only names (and kinds) are wanted, which takes no locks.
    pub name_only: bool,
    /// The options.
    pub options: &'a ListCollectionsOptions,
}

impl<'a> ListCollections<'a> {
    /// Lists what there is to know about each collection.
    pub fn full(database: &'a str, options: &'a ListCollectionsOptions) -> Self {
        Self { database, name_only: false, options }
    }

    /// Lists names; in full if the filter looks at anything else, because the server filters what is left.
    pub fn names(database: &'a str, options: &'a ListCollectionsOptions) -> Self {
        let name_only = options.filter.as_ref().is_none_or(|filter| filter.keys().all(|key| key == "name"));
        Self { database, name_only, options }
    }

    /// The name in one element of the listing.
    ///
    /// # Errors
    /// [`InvalidReply`] when there is none.
    pub fn name(element: &RawDocument) -> Result<&str, InvalidReply> {
        element.get_str("name").map_err(|_| InvalidReply::missing("the name of a collection"))
    }
}

impl Command for ListCollections<'_> {
    fn properties(&self) -> Properties {
        Properties::enumeration()
    }

    fn request(&self) -> Result<Request, EncodeError> {
        validate_database_name(self.database)?;
        let options = self.options;
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("listCollections"), 1);
        append!(&mut body;
            "cursor": cursor(options.batch_size),
            "filter": options.filter,
            "nameOnly": self.name_only.then_some(true),
            "authorizedCollections": options.authorized_collections,
            "comment": options.comment,
        );
        Ok(Request::new("listCollections", self.database.into(), body))
    }
}

/// What is listed of a collection.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CollectionSpecification {
    /// Its name.
    pub name: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub collection_type: CollectionType,
    /// The options it was created with. Those this driver does not know are left out.
    #[serde(default)]
    pub options: CreateCollectionOptions,
    /// Further facts.
    #[serde(default)]
    pub info: CollectionSpecificationInfo,
    /// The index of `_id`; none for views, time series and clustered collections. Servers from 4.4 leave its `ns` out.
    #[serde(default)]
    pub id_index: Option<IndexModel>,
}

/// Facts about a collection beside its options.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct CollectionSpecificationInfo {
    /// Whether it cannot be written to.
    pub read_only: bool,
    /// Its identity, which survives renaming; none for views.
    pub uuid: Option<Binary>,
}

/// Kind of a collection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum CollectionType {
    /// An ordinary collection.
    Collection,
    /// A view.
    View,
    /// A time series.
    Timeseries,
    /// Any other kind.
    #[serde(untagged)]
    Other(String),
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;
    use crate::command::Criteria;
    use crate::retry::Operation;

    #[test]
    fn options_are_sent_only_when_given() {
        let plain = ListCollectionsOptions::default();
        let request = ListCollections::full("db", &plain).request().unwrap();
        assert_eq!(request.body, rawdoc! { "listCollections": 1, "cursor": {} });
        let options = ListCollectionsOptions {
            timeout_mode: None,
            filter: Some(doc! { "name": "a" }),
            batch_size: Some(2),
            authorized_collections: Some(true),
            comment: Some(Bson::from("c")),
        };
        let list = ListCollections::names("db", &options);
        let expected = rawdoc! {
            "listCollections": 1, "cursor": { "batchSize": 2_i64 }, "filter": { "name": "a" }, "nameOnly": true,
            "authorizedCollections": true, "comment": "c",
        };
        assert_eq!(list.request().unwrap().body, expected);
        let properties = list.properties();
        assert_eq!((properties.criteria, properties.retry), (Criteria::Primary, Operation::READ));
    }

    #[test]
    fn names_alone_are_asked_for_when_the_filter_allows_it() {
        assert!(ListCollections::names("db", &ListCollectionsOptions::default()).name_only);
        let filter = Some(doc! { "options.capped": true, "name": "a" });
        assert!(!ListCollections::names("db", &ListCollectionsOptions { filter, ..Default::default() }).name_only);
    }

    #[test]
    fn specifications_are_read() {
        let listed = rawdoc! {
            "name": "a", "type": "collection", "options": { "capped": true, "size": 4096 },
            "info": { "readOnly": false, "uuid": Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![1; 16] } },
            "idIndex": { "v": 2, "key": { "_id": 1 }, "name": "_id_" },
        };
        let read: CollectionSpecification = bson::deserialize_from_slice(listed.as_bytes()).unwrap();
        assert_eq!((read.name.as_str(), &read.collection_type), ("a", &CollectionType::Collection));
        assert_eq!((read.options.capped, read.options.size), (Some(true), Some(4096)));
        assert!(read.info.uuid.is_some());
        assert_eq!(read.id_index.unwrap().name(), "_id_");
        for (kind, expected) in [
            ("view", CollectionType::View),
            ("timeseries", CollectionType::Timeseries),
            ("new", CollectionType::Other("new".into())),
        ] {
            let listed = rawdoc! { "name": "v", "type": kind };
            let read: CollectionSpecification = bson::deserialize_from_slice(listed.as_bytes()).unwrap();
            assert_eq!(read.collection_type, expected);
        }
        assert_eq!(ListCollections::name(&listed).unwrap(), "a");
        assert!(ListCollections::name(&rawdoc! {}).is_err());
    }
}
