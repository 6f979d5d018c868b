//! `createIndexes`.

use std::time::Duration;

use bson::{Bson, RawArrayBuf, RawDocumentBuf, raw::CStr, raw::cstr};

use super::{
    Command, EncodeError, IndexModel, Namespace, Properties, Request,
    encode::{Element, append},
};
use crate::{concern::WriteConcern, retry::Operation};

/// How many data-bearing members must finish an index build before it is used.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CommitQuorum {
    /// So many.
    Nodes(u32),
    /// All that vote: the server's default.
    VotingMembers,
    /// Most of those that vote.
    Majority,
    /// What the set's configuration defines under this name.
    Custom(String),
}

impl Element for CommitQuorum {
    fn append_to(&self, key: &CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        match self {
            Self::Nodes(count) => count.append_to(key, body),
            Self::VotingMembers => "votingMembers".append_to(key, body),
            Self::Majority => "majority".append_to(key, body),
            Self::Custom(name) => name.append_to(key, body),
        }
    }
}

/// Options for creating indexes. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct CreateIndexOptions {
    /// How many members must finish the build first. Servers from 4.4; refused for older ones.
    pub commit_quorum: Option<CommitQuorum>,
    /// How long the server may work on this operation, in whole milliseconds. A client's or operation's timeout
    /// replaces it.
    pub max_time: Option<Duration>,
    /// How many members must confirm the write. Default: the collection's, else the database's, else the client's.
    pub write_concern: Option<WriteConcern>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON. Servers from 4.4.
    pub comment: Option<Bson>,
}

/// The `createIndexes` command.
#[derive(Clone, Copy, Debug)]
pub struct CreateIndexes<'a> {
    /// The collection, which is created if it does not exist.
    pub namespace: &'a Namespace,
    /// The indexes: at least one.
    pub models: &'a [IndexModel],
    /// The options.
    pub options: &'a CreateIndexOptions,
}

impl CreateIndexes<'_> {
    /// The names of the indexes, given or generated, which are what the operation returns.
    pub fn names(&self) -> Vec<String> {
        self.models.iter().map(IndexModel::name).collect()
    }
}

impl Command for CreateIndexes<'_> {
    fn properties(&self) -> Properties {
        let properties = Properties { max_time: self.options.max_time, ..Properties::write(Operation::PLAIN_WRITE) };
        properties.requires(self.options.commit_quorum.is_some(), "commitQuorum", 9)
    }

    fn request(&self) -> Result<Request, EncodeError> {
        self.namespace.validate()?;
        if self.models.is_empty() {
            return Err(EncodeError::argument("indexes", "there must be at least one"));
        }
        let mut indexes = RawArrayBuf::new();
        for model in self.models {
            indexes.push(model.to_raw()?);
        }
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("createIndexes"), &*self.namespace.coll);
        append!(&mut body;
            "indexes": indexes,
            "commitQuorum": self.options.commit_quorum,
            "comment": self.options.comment,
        );
        Ok(Request::new("createIndexes", self.namespace.db.clone(), body))
    }
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;
    use crate::command::{IndexOptions, ReadConcernUse, Unsupported};

    #[test]
    fn options_are_sent_only_when_given() {
        let namespace = Namespace::new("db", "coll");
        let named = IndexOptions { name: Some("y".into()), unique: Some(true), ..Default::default() };
        let models = [IndexModel::new(doc! { "x": 1 }), IndexModel::new(doc! { "y": -1 }).with_options(named)];
        let plain = CreateIndexOptions::default();
        let create = CreateIndexes { namespace: &namespace, models: &models, options: &plain };
        let expected = rawdoc! {
            "createIndexes": "coll",
            "indexes": [{ "key": { "x": 1 }, "name": "x_1" }, { "key": { "y": -1 }, "name": "y", "unique": true }],
        };
        assert_eq!(create.request().unwrap().body, expected);
        assert_eq!(create.names(), ["x_1", "y"]);
        assert!(create.properties().requirements.is_empty());
        assert_eq!(create.properties().read_concern, ReadConcernUse::CausalOnly);
        for (quorum, value) in [
            (CommitQuorum::Nodes(2), Bson::Int32(2)),
            (CommitQuorum::VotingMembers, Bson::from("votingMembers")),
            (CommitQuorum::Majority, Bson::from("majority")),
            (CommitQuorum::Custom("x".into()), Bson::from("x")),
        ] {
            let options = CreateIndexOptions {
                commit_quorum: Some(quorum),
                max_time: Some(Duration::from_secs(1)),
                comment: Some(Bson::from("c")),
                write_concern: Some(WriteConcern::majority()),
            };
            let create = CreateIndexes { namespace: &namespace, models: &models[..1], options: &options };
            let body = bson::Document::try_from(create.request().unwrap().body).unwrap();
            let expected = doc! {
                "createIndexes": "coll", "indexes": [{ "key": { "x": 1 }, "name": "x_1" }],
                "commitQuorum": value, "comment": "c",
            };
            assert_eq!(body, expected);
            let refused = Unsupported::Server { option: "commitQuorum", needed: 9, found: 8 };
            assert_eq!(create.properties().check(8, true), Err(refused));
            assert_eq!(create.properties().max_time, options.max_time);
        }
        let empty = CreateIndexes { namespace: &namespace, models: &[], options: &plain };
        assert!(empty.request().is_err());
    }
}
