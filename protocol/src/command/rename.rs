//! `renameCollection`.

use bson::{Bson, RawDocumentBuf};

use super::{Command, EncodeError, Namespace, Properties, ReadConcernUse, Request, encode::append};
use crate::{concern::WriteConcern, retry::Operation};

/// Options for renaming a collection. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct RenameCollectionOptions {
    /// Whether a collection that has the new name is dropped. Default: false, then it is an error.
    pub drop_target: Option<bool>,
    /// How many members must confirm. Default: the collection's, else the database's, else the client's.
    pub write_concern: Option<WriteConcern>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON. Servers from 4.4.
    pub comment: Option<Bson>,
}

/// The `renameCollection` command, which runs on `admin`.
#[derive(Clone, Copy, Debug)]
pub struct RenameCollection<'a> {
    /// The collection.
    pub from: &'a Namespace,
    /// Its new name.
    pub to: &'a Namespace,
    /// The options.
    pub options: &'a RenameCollectionOptions,
}

impl Command for RenameCollection<'_> {
    fn properties(&self) -> Properties {
        Properties { read_concern: ReadConcernUse::None, ..Properties::write(Operation::PLAIN_WRITE) }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        self.from.validate()?;
        self.to.validate()?;
        let mut body = RawDocumentBuf::new();
        append!(&mut body;
            "renameCollection": self.from.to_string(),
            "to": self.to.to_string(),
            "dropTarget": self.options.drop_target,
            "comment": self.options.comment,
        );
        Ok(Request::new("renameCollection", "admin".into(), body))
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn both_full_names_are_sent_to_admin() {
        let (from, to) = (Namespace::new("db", "a"), Namespace::new("db", "b.c"));
        let plain = RenameCollectionOptions::default();
        let request = RenameCollection { from: &from, to: &to, options: &plain }.request().unwrap();
        assert_eq!(&*request.database, "admin");
        assert_eq!(request.body, rawdoc! { "renameCollection": "db.a", "to": "db.b.c" });
        let options = RenameCollectionOptions {
            drop_target: Some(true),
            write_concern: Some(WriteConcern::majority()),
            comment: Some(Bson::from("c")),
        };
        let request = RenameCollection { from: &from, to: &to, options: &options }.request().unwrap();
        let expected = rawdoc! { "renameCollection": "db.a", "to": "db.b.c", "dropTarget": true, "comment": "c" };
        assert_eq!(request.body, expected);
        for bad in ["", "a..b", ".a", "a$b"] {
            let to = Namespace::new("db", bad);
            let refused = RenameCollection { from: &from, to: &to, options: &options }.request();
            assert!(matches!(refused, Err(EncodeError::InvalidName(_))), "{bad}");
        }
    }
}
