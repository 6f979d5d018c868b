//! What kind of server, and what kind of deployment.

use std::fmt;

use bson::{RawDocument, RawDocumentBuf, oid::ObjectId, rawdoc};

use crate::error::integer;

/// What kind of server answered, as far as is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerType {
    /// A single `mongod` outside any replica set.
    Standalone,
    /// A router of a sharded cluster.
    Mongos,
    /// The primary of a replica set.
    RsPrimary,
    /// A secondary of a replica set.
    RsSecondary,
    /// A member that votes and holds no data.
    RsArbiter,
    /// A member that can serve nobody: hidden, starting up or recovering.
    RsOther,
    /// A server started as a replica set member that has no configuration (yet, or any more).
    RsGhost,
    /// A load balancer, which is never asked what it is.
    LoadBalancer,
    /// Not checked yet, or not reachable.
    #[default]
    Unknown,
}

impl ServerType {
    /// The name that the specifications use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standalone => "Standalone",
            Self::Mongos => "Mongos",
            Self::RsPrimary => "RSPrimary",
            Self::RsSecondary => "RSSecondary",
            Self::RsArbiter => "RSArbiter",
            Self::RsOther => "RSOther",
            Self::RsGhost => "RSGhost",
            Self::LoadBalancer => "LoadBalancer",
            Self::Unknown => "Unknown",
        }
    }

    /// Whether applications can read data from such a server.
    pub fn is_data_bearing(self) -> bool {
        matches!(self, Self::Standalone | Self::Mongos | Self::RsPrimary | Self::RsSecondary | Self::LoadBalancer)
    }

    /// Whether such a server accepts writes.
    pub fn is_writable(self) -> bool {
        matches!(self, Self::Standalone | Self::Mongos | Self::RsPrimary | Self::LoadBalancer)
    }

    /// Whether the server answered as a member of a replica set.
    pub fn is_replica_set_member(self) -> bool {
        matches!(self, Self::RsPrimary | Self::RsSecondary | Self::RsArbiter | Self::RsOther | Self::RsGhost)
    }
}

impl fmt::Display for ServerType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What kind of deployment the client talks to, as far as is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TopologyType {
    /// One server, used whatever it is: a standalone, or a direct connection.
    Single,
    /// A replica set whose primary is not known.
    ReplicaSetNoPrimary,
    /// A replica set with a known primary.
    ReplicaSetWithPrimary,
    /// A sharded cluster, reached through one or more routers.
    Sharded,
    /// Services behind a load balancer.
    LoadBalanced,
    /// Nothing has answered yet.
    #[default]
    Unknown,
}

impl TopologyType {
    /// The name that the specifications use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "Single",
            Self::ReplicaSetNoPrimary => "ReplicaSetNoPrimary",
            Self::ReplicaSetWithPrimary => "ReplicaSetWithPrimary",
            Self::Sharded => "Sharded",
            Self::LoadBalanced => "LoadBalanced",
            Self::Unknown => "Unknown",
        }
    }

    /// Whether the deployment is a replica set, with or without a known primary.
    pub fn is_replica_set(self) -> bool {
        matches!(self, Self::ReplicaSetNoPrimary | Self::ReplicaSetWithPrimary)
    }
}

impl fmt::Display for TopologyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Orders what one server process says about its own state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TopologyVersion {
    /// Chosen by the server process at its start.
    pub process_id: ObjectId,
    /// Counts the state changes of that process.
    pub counter: i64,
}

impl TopologyVersion {
    /// Reads the value of a `topologyVersion` element; none unless both fields are there.
    pub fn from_document(document: &RawDocument) -> Option<Self> {
        let process_id = document.get_object_id("processId").ok()?;
        Some(Self { process_id, counter: integer(document, "counter")? })
    }

    /// The form that an awaitable `hello` sends back to the server.
    pub fn to_document(self) -> RawDocumentBuf {
        rawdoc! { "processId": self.process_id, "counter": self.counter }
    }

    /// Whether `current` is strictly newer than `other`, so that a reply with `other` is out of date.
    pub fn is_newer(current: Option<&Self>, other: Option<&Self>) -> bool {
        Self::comparable(current, other).is_some_and(|(current, other)| current > other)
    }

    /// Whether `current` is at least as new as `other`, so that an error with `other` tells nothing new.
    pub fn is_at_least(current: Option<&Self>, other: Option<&Self>) -> bool {
        Self::comparable(current, other).is_some_and(|(current, other)| current >= other)
    }

    /// The counters, if both are known and of one process. Otherwise whatever comes later is taken to be newer.
    fn comparable(current: Option<&Self>, other: Option<&Self>) -> Option<(i64, i64)> {
        let (current, other) = (current?, other?);
        (current.process_id == other.process_id).then_some((current.counter, other.counter))
    }
}
