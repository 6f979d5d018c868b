//! `drop` and `dropDatabase`.

use bson::{Bson, Document, RawDocumentBuf, raw::cstr};

use super::{Command, EncodeError, Namespace, Properties, Request, encode::append, validate_database_name};
use crate::{concern::WriteConcern, retry::Operation};

/// Options for dropping a collection. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct DropCollectionOptions {
    /// How many members must confirm. Default: the collection's, else the database's, else the client's.
    pub write_concern: Option<WriteConcern>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON. Servers from 4.4.
    pub comment: Option<Bson>,
    /// Which fields are encrypted: the collections that hold their metadata are dropped first. Never sent.
    pub encrypted_fields: Option<Document>,
}

/// Options for dropping a database. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct DropDatabaseOptions {
    /// How many members must confirm. Default: the database's, else the client's.
    pub write_concern: Option<WriteConcern>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON. Servers from 4.4.
    pub comment: Option<Bson>,
}

/// The `drop` command. Dropping a collection that does not exist succeeds.
#[derive(Clone, Copy, Debug)]
pub struct DropCollection<'a> {
    /// The collection or view.
    pub namespace: &'a Namespace,
    /// The options.
    pub options: &'a DropCollectionOptions,
}

impl Command for DropCollection<'_> {
    fn properties(&self) -> Properties {
        Properties { missing_namespace_is_success: true, ..Properties::write(Operation::PLAIN_WRITE) }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        self.namespace.validate()?;
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("drop"), &*self.namespace.coll);
        append!(&mut body; "comment": self.options.comment);
        Ok(Request::new("drop", self.namespace.db.clone(), body))
    }
}

/// The `dropDatabase` command. Dropping a database that does not exist succeeds.
#[derive(Clone, Copy, Debug)]
pub struct DropDatabase<'a> {
    /// Name of the database.
    pub database: &'a str,
    /// The options.
    pub options: &'a DropDatabaseOptions,
}

impl Command for DropDatabase<'_> {
    fn properties(&self) -> Properties {
        Properties { missing_namespace_is_success: true, ..Properties::write(Operation::PLAIN_WRITE) }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        validate_database_name(self.database)?;
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("dropDatabase"), 1);
        append!(&mut body; "comment": self.options.comment);
        Ok(Request::new("dropDatabase", self.database.into(), body))
    }
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;

    #[test]
    fn a_collection_is_dropped_by_name() {
        let namespace = Namespace::new("db", "coll");
        let mut options = DropCollectionOptions { encrypted_fields: Some(doc! {}), ..Default::default() };
        let body = |options: &_| DropCollection { namespace: &namespace, options }.request().unwrap().body;
        assert_eq!(body(&options), rawdoc! { "drop": "coll" });
        options.comment = Some(Bson::from("c"));
        assert_eq!(body(&options), rawdoc! { "drop": "coll", "comment": "c" });
        let properties = DropCollection { namespace: &namespace, options: &options }.properties();
        assert!(properties.missing_namespace_is_success && properties.write_concern);
        assert_eq!(properties.retry, Operation::PLAIN_WRITE);
    }

    #[test]
    fn a_database_is_dropped_on_itself() {
        let options = DropDatabaseOptions { comment: Some(Bson::Int32(1)), ..Default::default() };
        let request = DropDatabase { database: "db", options: &options }.request().unwrap();
        assert_eq!(&*request.database, "db");
        assert_eq!(request.body, rawdoc! { "dropDatabase": 1, "comment": 1 });
        assert!(DropDatabase { database: "a.b", options: &options }.request().is_err());
    }
}
