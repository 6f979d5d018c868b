//! `listDatabases`.

use bson::{Bson, Document, RawDocument, RawDocumentBuf, raw::RawBsonRef, raw::cstr};
use serde::{Deserialize, Serialize};

use super::{Command, EncodeError, InvalidReply, Properties, Request, encode::append, numbers::deserialize_u64};

/// Options for listing databases. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct ListDatabasesOptions {
    /// Which databases, by a query over what is listed of each.
    pub filter: Option<Document>,
    /// Whether a user without the right to list databases gets those that he may use; the server decides by default.
    pub authorized_databases: Option<bool>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON. Servers from 4.4.
    pub comment: Option<Bson>,
}

/// The `listDatabases` command.
#[derive(Clone, Copy, Debug)]
pub struct ListDatabases<'a> {
    /// Whether only names are wanted, which takes no locks.
    pub name_only: bool,
    /// The options.
    pub options: &'a ListDatabasesOptions,
}

/// What is listed of a database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DatabaseSpecification {
    /// Its name.
    pub name: String,
    /// Bytes its files take.
    #[serde(default, deserialize_with = "deserialize_u64")]
    pub size_on_disk: u64,
    /// Whether it has no data.
    #[serde(default)]
    pub empty: bool,
    /// Bytes per shard; none unless the deployment is sharded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<Document>,
}

impl ListDatabases<'_> {
    /// The databases of a reply.
    ///
    /// # Errors
    /// [`InvalidReply`] when it has none, or one cannot be read.
    pub fn decode(reply: &RawDocument) -> Result<Vec<DatabaseSpecification>, InvalidReply> {
        let read = |database: Result<&RawDocument, InvalidReply>| {
            bson::deserialize_from_slice(database?.as_bytes()).map_err(InvalidReply::from)
        };
        databases(reply)?.map(read).collect()
    }

    /// The names in a reply.
    ///
    /// # Errors
    /// [`InvalidReply`] when it has no databases, or one has no name.
    pub fn decode_names(reply: &RawDocument) -> Result<Vec<String>, InvalidReply> {
        let name = |database: Result<&RawDocument, InvalidReply>| match database?.get_str("name") {
            Ok(name) => Ok(name.to_owned()),
            Err(_) => Err(InvalidReply::missing("the name of a database")),
        };
        databases(reply)?.map(name).collect()
    }
}

type Databases<'a> = Box<dyn Iterator<Item = Result<&'a RawDocument, InvalidReply>> + 'a>;

fn databases(reply: &RawDocument) -> Result<Databases<'_>, InvalidReply> {
    let databases = reply.get("databases")?.and_then(RawBsonRef::as_array);
    let databases = databases.ok_or(InvalidReply::missing("\"databases\""))?;
    Ok(Box::new(
        databases
            .into_iter()
            .map(|database| database?.as_document().ok_or(InvalidReply::missing("a document in \"databases\""))),
    ))
}

impl Command for ListDatabases<'_> {
    fn properties(&self) -> Properties {
        Properties::enumeration()
    }

    fn request(&self) -> Result<Request, EncodeError> {
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("listDatabases"), 1);
        append!(&mut body;
            "filter": self.options.filter,
            "nameOnly": self.name_only.then_some(true),
            "authorizedDatabases": self.options.authorized_databases,
            "comment": self.options.comment,
        );
        Ok(Request::new("listDatabases", "admin".into(), body))
    }
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;

    #[test]
    fn options_are_sent_only_when_given() {
        let plain = ListDatabasesOptions::default();
        let request = ListDatabases { name_only: false, options: &plain }.request().unwrap();
        assert_eq!((&*request.database, request.body), ("admin", rawdoc! { "listDatabases": 1 }));
        let options = ListDatabasesOptions {
            filter: Some(doc! { "name": "a" }),
            authorized_databases: Some(false),
            comment: Some(Bson::from("c")),
        };
        let expected = rawdoc! {
            "listDatabases": 1, "filter": { "name": "a" }, "nameOnly": true, "authorizedDatabases": false, "comment": "c",
        };
        assert_eq!(ListDatabases { name_only: true, options: &options }.request().unwrap().body, expected);
    }

    #[test]
    fn databases_are_read_in_full_or_by_name() {
        let reply = rawdoc! {
            "databases": [
                { "name": "a", "sizeOnDisk": 4096.0, "empty": false },
                { "name": "b", "sizeOnDisk": 0_i64, "empty": true, "shards": { "s": 1 } },
            ],
            "totalSize": 4096, "ok": 1,
        };
        let read = ListDatabases::decode(&reply).unwrap();
        assert_eq!((read[0].name.as_str(), read[0].size_on_disk, read[0].empty), ("a", 4096, false));
        assert_eq!((read[1].empty, read[1].shards.clone()), (true, Some(doc! { "s": 1 })));
        assert_eq!(ListDatabases::decode_names(&reply).unwrap(), ["a", "b"]);
        let names = rawdoc! { "databases": [{ "name": "a" }], "ok": 1 };
        assert_eq!(ListDatabases::decode(&names).unwrap()[0].size_on_disk, 0);
        for bad in [rawdoc! { "ok": 1 }, rawdoc! { "databases": [1] }, rawdoc! { "databases": [{ "x": 1 }] }] {
            assert!(ListDatabases::decode(&bad).is_err() && ListDatabases::decode_names(&bad).is_err());
        }
    }
}
