//! What an operation demands of its server.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::SelectionError;
use crate::{
    address::ServerAddress,
    read_preference::ReadPreference,
    sdam::{ServerDescription, TopologyDescription},
};

/// The wire version from which on secondaries run aggregations that write (MongoDB 5.0).
const WRITING_SECONDARIES_WIRE_VERSION: i32 = 13;

/// What an operation demands of the server it is sent to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SelectionCriteria {
    /// A server that may answer reads with this preference.
    ReadPreference(ReadPreference),
    /// A server that accepts writes.
    Writable,
    /// As for a read with this preference, but the operation is an aggregation that writes its result: unless all
    /// known servers are of version 5.0 or newer, it goes to the primary.
    WritingAggregate(ReadPreference),
    /// This very server, as long as it is known: where a cursor or a transaction lives.
    Address(ServerAddress),
}

impl SelectionCriteria {
    /// The read preference that is in force with this topology; none where it does not matter.
    pub fn read_preference(&self, description: &TopologyDescription) -> Option<&ReadPreference> {
        let old_servers =
            || description.common_wire_version().is_some_and(|version| version < WRITING_SECONDARIES_WIRE_VERSION);
        match self {
            Self::ReadPreference(preference) => Some(preference),
            Self::WritingAggregate(_) if old_servers() => Some(&ReadPreference::Primary),
            Self::WritingAggregate(preference) => Some(preference),
            Self::Writable | Self::Address(_) => None,
        }
    }

    /// Whether only a primary of a replica set will do.
    pub(super) fn demands_primary(&self, description: &TopologyDescription) -> bool {
        match self {
            Self::Writable => true,
            Self::Address(_) => false,
            criteria => criteria.read_preference(description).is_some_and(ReadPreference::is_primary),
        }
    }
}

impl From<ReadPreference> for SelectionCriteria {
    fn from(preference: ReadPreference) -> Self {
        Self::ReadPreference(preference)
    }
}

impl fmt::Display for SelectionCriteria {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadPreference(preference) => write_preference(f, preference),
            Self::Writable => f.write_str("a writable server"),
            Self::WritingAggregate(preference) => {
                write_preference(f, preference)?;
                f.write_str(" for an aggregation that writes")
            }
            Self::Address(address) => write!(f, "the server {address}"),
        }
    }
}

fn write_preference(f: &mut fmt::Formatter<'_>, preference: &ReadPreference) -> fmt::Result {
    write!(f, "a server for read preference {}", preference.mode())?;
    if let Some(limit) = preference.max_staleness() {
        write!(f, ", at most {} s stale", limit.as_secs())?;
    }
    if !preference.tag_sets().is_empty() {
        write!(f, ", with the tags of one of {:?}", preference.tag_sets())?;
    }
    if let Some(hedge) = preference.hedge() {
        write!(f, ", hedging {}", if hedge.enabled { "on" } else { "off" })?;
    }
    Ok(())
}

type Choose = dyn Fn(&[Arc<ServerDescription>]) -> Vec<Arc<ServerDescription>> + Send + Sync;

/// An application's own say in server selection: which of the suitable servers to use.
///
/// It is called after the read preference was applied and before latency is looked at, wherever there may be
/// several servers; not for single and load-balanced topologies, nor when one certain server is needed. An empty
/// answer means to wait for other servers. It must be quick: all operations wait for it. A panic in it is an
/// error of the operation.
///
/// ```
/// use mongo_actors_protocol::selection::ServerSelector;
///
/// let near = ServerSelector::new(|servers| {
///     servers.iter().filter(|server| server.address.port() == Some(27017)).cloned().collect()
/// });
/// ```
#[derive(Clone)]
pub struct ServerSelector(Arc<Choose>);

impl ServerSelector {
    /// A selector that calls `choose`.
    pub fn new(
        choose: impl Fn(&[Arc<ServerDescription>]) -> Vec<Arc<ServerDescription>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(choose))
    }

    /// Those of `servers` that the application chooses, each of them once. It is not asked about no servers.
    pub(super) fn apply<'a>(
        &self,
        servers: Vec<&'a Arc<ServerDescription>>,
    ) -> Result<Vec<&'a Arc<ServerDescription>>, SelectionError> {
        if servers.is_empty() {
            return Ok(servers);
        }
        let offered: Vec<_> = servers.iter().map(|server| Arc::clone(server)).collect();
        let chosen = catch_unwind(AssertUnwindSafe(|| (self.0)(&offered)));
        let chosen = chosen.map_err(|_| SelectionError::SelectorPanicked)?;
        let is_chosen = |server: &Arc<ServerDescription>| chosen.iter().any(|own| own.address == server.address);
        Ok(servers.into_iter().filter(|server| is_chosen(server)).collect())
    }
}

impl PartialEq for ServerSelector {
    /// Two selectors are equal when they are the same one.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for ServerSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerSelector(custom)")
    }
}
