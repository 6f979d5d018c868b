//! How pretended servers introduce themselves.

use bson::{DateTime, Document, doc};

/// What a pretended server says it is when a driver says hello.
///
/// All speak wire versions 0 to 17, as MongoDB 6.0 does, and know sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// A server on its own.
    #[default]
    Standalone,
    /// The only member, and so the primary, of a replica set of this name.
    Primary(String),
    /// A router of a sharded cluster.
    Mongos,
}

impl Role {
    /// The reply to `hello`, and to `isMaster` alike.
    pub(crate) fn hello(&self, own_address: &str) -> Document {
        let mut reply = doc! {
            "helloOk": true,
            "isWritablePrimary": true,
            "ismaster": true,
            "maxBsonObjectSize": 16 * 1024 * 1024,
            "maxMessageSizeBytes": 48_000_000,
            "maxWriteBatchSize": 100_000,
            "localTime": DateTime::now(),
            "logicalSessionTimeoutMinutes": 30,
            "connectionId": 1,
            "minWireVersion": 0,
            "maxWireVersion": 17,
            "readOnly": false,
        };
        match self {
            Self::Standalone => {}
            Self::Mongos => drop(reply.insert("msg", "isdbgrid")),
            Self::Primary(name) => reply.extend(doc! {
                "setName": name,
                "setVersion": 1,
                "hosts": [own_address],
                "primary": own_address,
                "me": own_address,
                "secondary": false,
            }),
        }
        reply.insert("ok", 1.0);
        reply
    }
}
