//! What is known about one server.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bson::{DateTime, oid::ObjectId};

use super::{HelloReply, ServerType, TopologyVersion};
use crate::address::ServerAddress;

/// The size limit of documents until a server tells its own, in bytes.
pub const DEFAULT_MAX_BSON_OBJECT_SIZE: i32 = 16 * 1024 * 1024;
/// The size limit of messages until a server tells its own, in bytes.
pub const DEFAULT_MAX_MESSAGE_SIZE_BYTES: i32 = 48_000_000;
/// The statement limit of a write command until a server tells its own.
pub const DEFAULT_MAX_WRITE_BATCH_SIZE: i32 = 100_000;
/// The wire version from which on servers can repeat writes, and know sessions (MongoDB 3.6).
const RETRYABLE_OPERATIONS_WIRE_VERSION: i32 = 6;

/// The measured duration of calls of `hello` to one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoundTripTime {
    /// Exponentially weighted average.
    pub average: Duration,
    /// Shortest of the last ten; zero until there are two.
    pub minimum: Duration,
}

/// A client's view of one server, from the latest reply to `hello` or the latest failure.
///
/// Two descriptions are equal when the server discovery specification calls them so: what is measured
/// (times, dates, cluster time) does not count.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerDescription {
    /// Where the client connects to.
    pub address: ServerAddress,
    /// What kind of server it is.
    pub server_type: ServerType,
    /// What went wrong last; none for a server that answers.
    pub error: Option<Arc<str>>,
    /// Members that can become primary, in this server's view.
    pub hosts: Vec<ServerAddress>,
    /// Members that cannot.
    pub passives: Vec<ServerAddress>,
    /// Members without data.
    pub arbiters: Vec<ServerAddress>,
    /// The tags of the member.
    pub tags: BTreeMap<String, String>,
    /// Name of the replica set.
    pub set_name: Option<String>,
    /// Version of the replica set's configuration.
    pub set_version: Option<i64>,
    /// Identifies the election that made this server primary.
    pub election_id: Option<ObjectId>,
    /// The member that this server takes for the primary.
    pub primary: Option<ServerAddress>,
    /// The address under which the replica set knows this server.
    pub me: Option<ServerAddress>,
    /// Oldest wire version that the server speaks.
    pub min_wire_version: i32,
    /// Newest wire version that the server speaks.
    pub max_wire_version: i32,
    /// Greatest size of a document, in bytes. Default [`DEFAULT_MAX_BSON_OBJECT_SIZE`].
    pub max_bson_object_size: i32,
    /// Greatest size of a message, in bytes. Default [`DEFAULT_MAX_MESSAGE_SIZE_BYTES`].
    pub max_message_size_bytes: i32,
    /// Greatest number of statements in one write command. Default [`DEFAULT_MAX_WRITE_BATCH_SIZE`].
    pub max_write_batch_size: i32,
    /// How long the server keeps an unused session, in minutes; none when it has no sessions.
    pub logical_session_timeout_minutes: Option<i64>,
    /// When the server last saw a write, by the primary's clock.
    pub last_write_date: Option<DateTime>,
    /// When the server was last checked; none when it never was.
    pub last_update_time: Option<Instant>,
    /// Average duration of a call of `hello`; none while the server is unknown.
    pub round_trip_time: Option<Duration>,
    /// Shortest such duration of the last ten; zero until there are two.
    pub min_round_trip_time: Duration,
    /// Orders what the server process says about itself.
    pub topology_version: Option<TopologyVersion>,
    /// The server understands `hello`, not only its legacy form.
    pub hello_ok: bool,
    /// The server is a `mongocryptd`.
    pub is_cryptd: bool,
}

impl ServerDescription {
    /// A server that has not been checked.
    pub fn unknown(address: ServerAddress) -> Self {
        Self {
            address,
            server_type: ServerType::Unknown,
            error: None,
            hosts: Vec::new(),
            passives: Vec::new(),
            arbiters: Vec::new(),
            tags: BTreeMap::new(),
            set_name: None,
            set_version: None,
            election_id: None,
            primary: None,
            me: None,
            min_wire_version: 0,
            max_wire_version: 0,
            max_bson_object_size: DEFAULT_MAX_BSON_OBJECT_SIZE,
            max_message_size_bytes: DEFAULT_MAX_MESSAGE_SIZE_BYTES,
            max_write_batch_size: DEFAULT_MAX_WRITE_BATCH_SIZE,
            logical_session_timeout_minutes: None,
            last_write_date: None,
            last_update_time: None,
            round_trip_time: None,
            min_round_trip_time: Duration::ZERO,
            topology_version: None,
            hello_ok: false,
            is_cryptd: false,
        }
    }

    /// A server that is unknown because something failed. `topology_version` is the one that the failure carried.
    pub fn failed(
        address: ServerAddress,
        error: impl Into<Arc<str>>,
        topology_version: Option<TopologyVersion>,
    ) -> Self {
        Self { error: Some(error.into()), topology_version, ..Self::unknown(address) }
    }

    /// The load balancer at `address`, about which nothing else is ever known.
    pub fn load_balancer(address: ServerAddress) -> Self {
        Self { server_type: ServerType::LoadBalancer, ..Self::unknown(address) }
    }

    /// What a reply to `hello` that arrived at `now` tells.
    pub fn from_hello(address: ServerAddress, reply: &HelloReply, now: Instant, rtt: RoundTripTime) -> Self {
        Self {
            server_type: reply.server_type(),
            hosts: reply.hosts.clone(),
            passives: reply.passives.clone(),
            arbiters: reply.arbiters.clone(),
            tags: reply.tags.clone(),
            set_name: reply.set_name.clone(),
            set_version: reply.set_version,
            election_id: reply.election_id,
            primary: reply.primary.clone(),
            me: reply.me.clone(),
            min_wire_version: reply.min_wire_version,
            max_wire_version: reply.max_wire_version,
            max_bson_object_size: reply.max_bson_object_size.unwrap_or(DEFAULT_MAX_BSON_OBJECT_SIZE),
            max_message_size_bytes: reply.max_message_size_bytes.unwrap_or(DEFAULT_MAX_MESSAGE_SIZE_BYTES),
            max_write_batch_size: reply.max_write_batch_size.unwrap_or(DEFAULT_MAX_WRITE_BATCH_SIZE),
            logical_session_timeout_minutes: reply.logical_session_timeout_minutes,
            last_write_date: reply.last_write_date,
            last_update_time: Some(now),
            round_trip_time: Some(rtt.average),
            min_round_trip_time: rtt.minimum,
            topology_version: reply.topology_version,
            hello_ok: reply.hello_ok,
            is_cryptd: reply.is_cryptd,
            ..Self::unknown(address)
        }
    }

    /// Whether the server has answered, so that its type is known.
    pub fn is_known(&self) -> bool {
        self.server_type != ServerType::Unknown
    }

    /// Whether applications can read data from it.
    pub fn is_data_bearing(&self) -> bool {
        self.server_type.is_data_bearing()
    }

    /// Whether applications can read data from it (another name of [`is_data_bearing`](Self::is_data_bearing)).
    pub fn is_readable(&self) -> bool {
        self.is_data_bearing()
    }

    /// Whether it accepts writes.
    pub fn is_writable(&self) -> bool {
        self.server_type.is_writable()
    }

    /// Whether it is a router of a sharded cluster.
    pub fn is_mongos(&self) -> bool {
        self.server_type == ServerType::Mongos
    }

    /// Whether writes may be repeated there: it has sessions, and is no standalone.
    pub fn supports_retryable_writes(&self) -> bool {
        match self.server_type {
            ServerType::LoadBalancer => true,
            ServerType::Mongos | ServerType::RsPrimary => self.logical_session_timeout_minutes.is_some(),
            _ => false,
        }
    }

    /// Whether reads may be repeated there.
    pub fn supports_retryable_reads(&self) -> bool {
        self.server_type == ServerType::LoadBalancer || self.max_wire_version >= RETRYABLE_OPERATIONS_WIRE_VERSION
    }

    /// The pair by which stale primaries are told: election id and set version.
    pub fn election_tuple(&self) -> (Option<ObjectId>, Option<i64>) {
        (self.election_id, self.set_version)
    }

    /// Hosts, passives and arbiters in one.
    pub fn all_hosts(&self) -> impl Iterator<Item = &ServerAddress> {
        self.hosts.iter().chain(&self.passives).chain(&self.arbiters)
    }
}

impl PartialEq for ServerDescription {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
            && self.server_type == other.server_type
            && self.error == other.error
            && (self.min_wire_version, self.max_wire_version) == (other.min_wire_version, other.max_wire_version)
            && self.me == other.me
            && self.primary == other.primary
            && same_members(&self.hosts, &other.hosts)
            && same_members(&self.passives, &other.passives)
            && same_members(&self.arbiters, &other.arbiters)
            && self.tags == other.tags
            && self.set_name == other.set_name
            && self.election_tuple() == other.election_tuple()
            && self.logical_session_timeout_minutes == other.logical_session_timeout_minutes
            && self.topology_version == other.topology_version
            && self.is_cryptd == other.is_cryptd
    }
}

/// Host lists are sets. Nearly always they come in the same order.
fn same_members(one: &[ServerAddress], other: &[ServerAddress]) -> bool {
    one == other || (one.iter().all(|host| other.contains(host)) && other.iter().all(|host| one.contains(host)))
}

impl fmt::Display for ServerDescription {
    /// One line: address, type, and what matters of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.address, self.server_type)?;
        if let Some(time) = self.round_trip_time {
            write!(f, ", {:.1} ms away", time.as_secs_f64() * 1e3)?;
        }
        if !self.tags.is_empty() {
            let tags: Vec<String> = self.tags.iter().map(|(key, value)| format!("{key}:{value}")).collect();
            write!(f, ", tags {}", tags.join(","))?;
        }
        match &self.error {
            Some(error) => write!(f, " ({error})"),
            None => Ok(()),
        }
    }
}
