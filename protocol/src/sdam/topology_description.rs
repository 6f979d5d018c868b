//! What is known about the whole deployment.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use bson::oid::ObjectId;

use super::{ServerDescription, ServerType, TopologyType};
use crate::address::ServerAddress;

/// The oldest wire version that this driver speaks (MongoDB 4.2).
pub const MIN_WIRE_VERSION: i32 = 8;
/// The newest wire version that this driver speaks (MongoDB 9.0).
pub const MAX_WIRE_VERSION: i32 = 29;
const MIN_SERVER_VERSION: &str = "4.2";

/// A client's view of the whole deployment. It never changes; a newer one takes its place.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TopologyDescription {
    /// What kind of deployment it is.
    pub topology_type: TopologyType,
    /// Name of the replica set, as configured or as found.
    pub set_name: Option<String>,
    /// The set version of the newest primary seen.
    pub max_set_version: Option<i64>,
    /// The election id of the newest primary seen.
    pub max_election_id: Option<ObjectId>,
    /// Every server, by its address.
    pub servers: BTreeMap<ServerAddress, Arc<ServerDescription>>,
    /// Why this driver cannot work with one of the servers; none when it can work with all.
    pub compatibility_error: Option<Arc<str>>,
    /// The shortest session timeout of the data-bearing servers, in minutes; none when one of them has no sessions.
    pub logical_session_timeout_minutes: Option<i64>,
    /// The interval between checks of one server.
    pub heartbeat_frequency: Duration,
    /// The width of the latency window.
    pub local_threshold: Duration,
    /// How many hosts of an SRV record are used at most; 0 for all of them.
    pub srv_max_hosts: u32,
}

impl TopologyDescription {
    /// A description of this type that has these servers, all of them unknown.
    pub(crate) fn of_unknown<'a>(
        topology_type: TopologyType,
        servers: impl IntoIterator<Item = &'a ServerAddress>,
    ) -> Self {
        let unknown =
            |address: &ServerAddress| (address.clone(), Arc::new(ServerDescription::unknown(address.clone())));
        Self {
            topology_type,
            set_name: None,
            max_set_version: None,
            max_election_id: None,
            servers: servers.into_iter().map(unknown).collect(),
            compatibility_error: None,
            logical_session_timeout_minutes: None,
            heartbeat_frequency: Duration::from_secs(10),
            local_threshold: Duration::from_millis(15),
            srv_max_hosts: 0,
        }
    }

    /// A description of this type with these servers and otherwise default values, to try out server
    /// selection with. What follows from the servers (compatibility, session timeout) is computed.
    pub fn new(topology_type: TopologyType, servers: impl IntoIterator<Item = ServerDescription>) -> Self {
        let mut description = Self::of_unknown(topology_type, []);
        description.servers = servers.into_iter().map(|server| (server.address.clone(), Arc::new(server))).collect();
        description.derive();
        description
    }

    /// The server at `address`.
    pub fn server(&self, address: &ServerAddress) -> Option<&Arc<ServerDescription>> {
        self.servers.get(address)
    }

    /// Servers whose type is known.
    pub fn known_servers(&self) -> impl Iterator<Item = &Arc<ServerDescription>> {
        self.servers.values().filter(|server| server.is_known())
    }

    /// Servers that hold data for applications.
    pub fn readable_servers(&self) -> impl Iterator<Item = &Arc<ServerDescription>> {
        self.servers.values().filter(|server| server.is_readable())
    }

    /// The primary of a replica set, if it is known.
    pub fn primary(&self) -> Option<&Arc<ServerDescription>> {
        if self.topology_type != TopologyType::ReplicaSetWithPrimary {
            return None;
        }
        self.of_type(ServerType::RsPrimary).next()
    }

    /// Addresses of the known secondaries of a replica set; empty for other deployments.
    pub fn secondaries(&self) -> BTreeSet<ServerAddress> {
        self.members(ServerType::RsSecondary)
    }

    /// Addresses of the known arbiters of a replica set; empty for other deployments.
    pub fn arbiters(&self) -> BTreeSet<ServerAddress> {
        self.members(ServerType::RsArbiter)
    }

    /// Addresses of the servers whose type is known.
    pub fn nodes(&self) -> BTreeSet<ServerAddress> {
        self.known_servers().map(|server| server.address.clone()).collect()
    }

    /// The newest wire version that all known servers speak; none when no server is known.
    pub fn common_wire_version(&self) -> Option<i32> {
        self.known_servers().map(|server| server.max_wire_version).min()
    }

    /// Whether this driver can work with every known server.
    pub fn is_compatible(&self) -> bool {
        self.compatibility_error.is_none()
    }

    /// Whether operations may use sessions: all data-bearing servers have them, or there is a load balancer.
    pub fn supports_sessions(&self) -> bool {
        self.topology_type == TopologyType::LoadBalanced || self.logical_session_timeout_minutes.is_some()
    }

    /// Whether a server is there that accepts writes.
    pub fn has_writable_server(&self) -> bool {
        match self.topology_type {
            TopologyType::Unknown | TopologyType::ReplicaSetNoPrimary => false,
            TopologyType::ReplicaSetWithPrimary => self.primary().is_some(),
            TopologyType::Single | TopologyType::Sharded => self.known_servers().next().is_some(),
            TopologyType::LoadBalanced => true,
        }
    }

    pub(crate) fn of_type(&self, server_type: ServerType) -> impl Iterator<Item = &Arc<ServerDescription>> {
        self.servers.values().filter(move |server| server.server_type == server_type)
    }

    fn members(&self, server_type: ServerType) -> BTreeSet<ServerAddress> {
        let members = self.topology_type.is_replica_set().then(|| self.of_type(server_type));
        members.into_iter().flatten().map(|server| server.address.clone()).collect()
    }

    /// Computes what follows from the servers.
    pub(crate) fn derive(&mut self) {
        self.logical_session_timeout_minutes = self.least_session_timeout();
        self.compatibility_error = match self.topology_type {
            TopologyType::LoadBalanced => None,
            _ => self.servers.values().find_map(|server| incompatibility(server)).map(Into::into),
        };
    }

    fn least_session_timeout(&self) -> Option<i64> {
        let mut timeouts = self.servers.values().filter(|server| server.is_data_bearing());
        let first = timeouts.next()?.logical_session_timeout_minutes?;
        timeouts.try_fold(first, |least, server| Some(least.min(server.logical_session_timeout_minutes?)))
    }
}

fn incompatibility(server: &ServerDescription) -> Option<String> {
    if !server.is_known() {
        return None;
    }
    let (address, min, max) = (&server.address, server.min_wire_version, server.max_wire_version);
    if min > MAX_WIRE_VERSION {
        return Some(format!(
            "Server at {address} requires wire version {min}, but this version of mongo-actors only supports up to \
             {MAX_WIRE_VERSION}."
        ));
    }
    (max < MIN_WIRE_VERSION).then(|| {
        format!(
            "Server at {address} reports wire version {max}, but this version of mongo-actors requires at least \
             {MIN_WIRE_VERSION} (MongoDB {MIN_SERVER_VERSION})."
        )
    })
}

impl PartialEq for TopologyDescription {
    /// Compares what is found, not what is configured; servers by their own equality.
    fn eq(&self, other: &Self) -> bool {
        self.topology_type == other.topology_type
            && self.set_name == other.set_name
            && self.max_set_version == other.max_set_version
            && self.max_election_id == other.max_election_id
            && self.compatibility_error == other.compatibility_error
            && self.logical_session_timeout_minutes == other.logical_session_timeout_minutes
            && self.servers == other.servers
    }
}

impl fmt::Display for TopologyDescription {
    /// One line: type, set name, and every server.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.topology_type)?;
        if let Some(name) = &self.set_name {
            write!(f, " \"{name}\"")?;
        }
        if self.servers.is_empty() {
            return f.write_str(" without any server");
        }
        f.write_str(" [")?;
        for (index, server) in self.servers.values().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{server}")?;
        }
        f.write_str("]")
    }
}
