//! A server's answer to `hello` or legacy hello.

use std::{collections::BTreeMap, sync::Arc};

use bson::{DateTime, RawArray, RawBsonRef, RawDocument, RawDocumentBuf, oid::ObjectId};

use super::{ServerType, TopologyVersion};
use crate::{
    address::ServerAddress,
    error::{CommandError, integral},
};

/// Why a reply to `hello` tells nothing about the server.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HelloError {
    /// The server refused the command (`ok` is not 1).
    #[error("the server refused hello: {0}")]
    Refused(Box<CommandError>),
    /// The reply is not well-formed BSON.
    #[error("the reply to hello is not valid BSON: {0}")]
    InvalidBson(String),
    /// A field has a type or value that no server sends.
    #[error("the field \"{field}\" of the reply to hello is not {expected}")]
    InvalidField {
        /// The name of the field.
        field: String,
        /// What it should have been.
        expected: &'static str,
    },
}

/// The typed content of a successful reply to `hello`. Absent fields are `None`, `false`, empty or 0.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct HelloReply {
    /// The server understands `hello`, not only its legacy form.
    pub hello_ok: bool,
    /// `isWritablePrimary`, or `ismaster` of a legacy reply.
    pub is_writable_primary: bool,
    /// The server is a secondary.
    pub secondary: bool,
    /// The server is an arbiter.
    pub arbiter_only: bool,
    /// The server is hidden from clients.
    pub hidden: bool,
    /// The server cannot become primary.
    pub passive: bool,
    /// The server is a replica set member without a configuration.
    pub is_replica_set: bool,
    /// `isdbgrid` for a router.
    pub message: Option<String>,
    /// Name of the replica set.
    pub set_name: Option<String>,
    /// Version of the replica set's configuration.
    pub set_version: Option<i64>,
    /// Identifies the election that made this server primary.
    pub election_id: Option<ObjectId>,
    /// The address under which the replica set knows this server.
    pub me: Option<ServerAddress>,
    /// The member that this server takes for the primary.
    pub primary: Option<ServerAddress>,
    /// Members that can become primary.
    pub hosts: Vec<ServerAddress>,
    /// Members that cannot.
    pub passives: Vec<ServerAddress>,
    /// Members without data.
    pub arbiters: Vec<ServerAddress>,
    /// The tags of the member.
    pub tags: BTreeMap<String, String>,
    /// Oldest wire version that the server speaks.
    pub min_wire_version: i32,
    /// Newest wire version that the server speaks.
    pub max_wire_version: i32,
    /// Greatest size of a document, in bytes.
    pub max_bson_object_size: Option<i32>,
    /// Greatest size of a message, in bytes.
    pub max_message_size_bytes: Option<i32>,
    /// Greatest number of statements in one write command.
    pub max_write_batch_size: Option<i32>,
    /// How long the server keeps an unused session, in minutes.
    pub logical_session_timeout_minutes: Option<i64>,
    /// When the server last saw a write, by the primary's clock.
    pub last_write_date: Option<DateTime>,
    /// Orders this reply among what the server process says.
    pub topology_version: Option<TopologyVersion>,
    /// The service behind a load balancer.
    pub service_id: Option<ObjectId>,
    /// The server's number for the connection.
    pub connection_id: Option<i64>,
    /// The compressors that the server accepts, of those the client offered.
    pub compression: Vec<String>,
    /// The SCRAM mechanisms of the user that was asked for.
    pub sasl_supported_mechs: Option<Vec<String>>,
    /// The answer to the speculative first step of authentication.
    pub speculative_authenticate: Option<RawDocumentBuf>,
    /// The cluster time at the end of the reply.
    pub cluster_time: Option<RawDocumentBuf>,
    /// The server is a `mongocryptd`.
    pub is_cryptd: bool,
    /// The server refuses writes.
    pub read_only: bool,
}

/// The most members that are believed of a replica set, which has 50 at most: each gets a monitor and a pool.
const MAX_MEMBERS: usize = 1000;

impl HelloReply {
    /// Reads a reply. Unknown fields are ignored.
    ///
    /// # Errors
    /// [`HelloError`] when the server refused the command, or when a field is not what a server sends.
    pub fn from_document(document: &RawDocument) -> Result<Self, HelloError> {
        if let Some(error) = CommandError::from_reply(document) {
            return Err(HelloError::Refused(Box::new(error)));
        }
        let mut reply = Self::default();
        let (mut writable, mut legacy) = (None, None);
        for element in document.iter() {
            let (key, value) = element.map_err(|error| HelloError::InvalidBson(error.to_string()))?;
            let field = Field { key: key.as_str(), value };
            if matches!(field.value, RawBsonRef::Null) {
                continue;
            }
            match field.key {
                "isWritablePrimary" => writable = Some(field.boolean()?),
                "ismaster" => legacy = Some(field.boolean()?),
                _ => reply.read(&field)?,
            }
        }
        reply.is_writable_primary = writable.or(legacy).unwrap_or(false);
        Ok(reply)
    }

    fn read(&mut self, field: &Field<'_>) -> Result<(), HelloError> {
        match field.key {
            "helloOk" => self.hello_ok = field.boolean()?,
            "secondary" => self.secondary = field.boolean()?,
            "arbiterOnly" => self.arbiter_only = field.boolean()?,
            "hidden" => self.hidden = field.boolean()?,
            "passive" => self.passive = field.boolean()?,
            "isreplicaset" => self.is_replica_set = field.boolean()?,
            "iscryptd" => self.is_cryptd = field.boolean()?,
            "readOnly" => self.read_only = field.boolean()?,
            "msg" => self.message = field.text().ok(),
            "setName" => self.set_name = Some(field.text()?),
            "setVersion" => self.set_version = Some(field.long()?),
            "electionId" => self.election_id = Some(field.object_id()?),
            // The placeholder that a member without a primary sends is an empty text.
            "me" => self.me = field.optional_address()?,
            "primary" => self.primary = field.optional_address()?,
            "hosts" => self.hosts = field.addresses()?,
            "passives" => self.passives = field.addresses()?,
            "arbiters" => self.arbiters = field.addresses()?,
            "tags" => self.tags = field.tags()?,
            "minWireVersion" => self.min_wire_version = field.int()?,
            "maxWireVersion" => self.max_wire_version = field.int()?,
            "maxBsonObjectSize" => self.max_bson_object_size = Some(field.int()?),
            "maxMessageSizeBytes" => self.max_message_size_bytes = Some(field.int()?),
            "maxWriteBatchSize" => self.max_write_batch_size = Some(field.int()?),
            "logicalSessionTimeoutMinutes" => self.logical_session_timeout_minutes = Some(field.long()?),
            "lastWrite" => self.last_write_date = field.document()?.get_datetime("lastWriteDate").ok(),
            "topologyVersion" => self.topology_version = TopologyVersion::from_document(field.document()?),
            "serviceId" => self.service_id = Some(field.object_id()?),
            "connectionId" => self.connection_id = Some(field.long()?),
            "compression" => self.compression = field.texts()?,
            "saslSupportedMechs" => self.sasl_supported_mechs = Some(field.texts()?),
            "speculativeAuthenticate" => self.speculative_authenticate = Some(field.document()?.to_owned()),
            "$clusterTime" => self.cluster_time = Some(field.document()?.to_owned()),
            _ => {}
        }
        Ok(())
    }

    /// What kind of server answers so.
    pub fn server_type(&self) -> ServerType {
        if self.is_replica_set {
            ServerType::RsGhost
        } else if self.message.as_deref() == Some("isdbgrid") {
            ServerType::Mongos
        } else if self.set_name.is_none() {
            ServerType::Standalone
        } else if self.hidden {
            ServerType::RsOther
        } else if self.is_writable_primary {
            ServerType::RsPrimary
        } else if self.secondary {
            ServerType::RsSecondary
        } else if self.arbiter_only {
            ServerType::RsArbiter
        } else {
            ServerType::RsOther
        }
    }
}

/// The text by which a failed check is remembered.
impl From<HelloError> for Arc<str> {
    fn from(error: HelloError) -> Self {
        error.to_string().into()
    }
}

struct Field<'a> {
    key: &'a str,
    value: RawBsonRef<'a>,
}

impl<'a> Field<'a> {
    fn invalid(&self, expected: &'static str) -> HelloError {
        HelloError::InvalidField { field: self.key.to_owned(), expected }
    }

    fn boolean(&self) -> Result<bool, HelloError> {
        match self.value {
            RawBsonRef::Boolean(value) => Ok(value),
            value => integral(value).map(|value| value != 0).ok_or_else(|| self.invalid("a boolean")),
        }
    }

    fn long(&self) -> Result<i64, HelloError> {
        integral(self.value).ok_or_else(|| self.invalid("a whole number"))
    }

    fn int(&self) -> Result<i32, HelloError> {
        self.long()?.try_into().map_err(|_| self.invalid("a 32-bit number"))
    }

    fn text(&self) -> Result<String, HelloError> {
        self.value.as_str().map(str::to_owned).ok_or_else(|| self.invalid("a text"))
    }

    fn object_id(&self) -> Result<ObjectId, HelloError> {
        self.value.as_object_id().ok_or_else(|| self.invalid("an ObjectId"))
    }

    fn document(&self) -> Result<&'a RawDocument, HelloError> {
        self.value.as_document().ok_or_else(|| self.invalid("a document"))
    }

    fn array(&self) -> Result<&'a RawArray, HelloError> {
        self.value.as_array().ok_or_else(|| self.invalid("an array"))
    }

    fn texts(&self) -> Result<Vec<String>, HelloError> {
        let texts = self.array()?.into_iter();
        texts
            .map(|text| text.ok().and_then(|text| text.as_str().map(str::to_owned)))
            .map(|text| text.ok_or_else(|| self.invalid("an array of texts")))
            .collect()
    }

    fn optional_address(&self) -> Result<Option<ServerAddress>, HelloError> {
        match self.text()?.as_str() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| self.invalid("a server address")),
        }
    }

    fn addresses(&self) -> Result<Vec<ServerAddress>, HelloError> {
        let texts = self.texts()?;
        if texts.len() > MAX_MEMBERS {
            return Err(self.invalid("an array of at most 1000 members"));
        }
        texts.iter().map(|text| text.parse().map_err(|_| self.invalid("an array of server addresses"))).collect()
    }

    fn tags(&self) -> Result<BTreeMap<String, String>, HelloError> {
        let mut tags = BTreeMap::new();
        for element in self.document()?.iter() {
            let (key, value) = element.map_err(|error| HelloError::InvalidBson(error.to_string()))?;
            let value = value.as_str().ok_or_else(|| self.invalid("a document of texts"))?;
            tags.insert(key.as_str().to_owned(), value.to_owned());
        }
        Ok(tags)
    }
}
