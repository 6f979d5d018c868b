//! What an actor is, and where in its client's tree it stands.

use std::{fmt, sync::Arc};

use serde::Serialize;

/// The kinds of actors of a client's tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub enum Role {
    /// The root of the tree.
    Supervisor,
    /// Holds the topology description and routes tickets.
    Topology,
    /// Checks one server.
    ServerMonitor,
    /// Looks SRV records up again.
    SrvPoller,
    /// Pools the connections to one server.
    ConnectionPool,
    /// One socket.
    Connection,
    /// Holds server sessions that nobody uses.
    SessionPool,
    /// Pays what is owed to servers after a handle was dropped.
    Reaper,
    /// Fetches the events of one change stream.
    ChangeStream,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Supervisor => "supervisor",
            Self::Topology => "topology",
            Self::ServerMonitor => "server-monitor",
            Self::SrvPoller => "srv-poller",
            Self::ConnectionPool => "connection-pool",
            Self::Connection => "connection",
            Self::SessionPool => "session-pool",
            Self::Reaper => "reaper",
            Self::ChangeStream => "change-stream",
        })
    }
}

/// The place of an actor in its client's tree, such as
/// `supervisor/topology/connection-pool[db0:27017]/connection[3]`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ActorPath(Arc<str>);

impl ActorPath {
    /// The root of every tree.
    pub(crate) fn root() -> Self {
        Self(Role::Supervisor.to_string().into())
    }

    /// The only child with this role below this place.
    pub(crate) fn child(&self, role: Role) -> Self {
        Self(format!("{self}/{role}").into())
    }

    /// The child with this role that is told apart by `name`.
    pub(crate) fn named_child(&self, role: Role, name: impl fmt::Display) -> Self {
        Self(format!("{self}/{role}[{name}]").into())
    }
}

impl fmt::Display for ActorPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ActorPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
