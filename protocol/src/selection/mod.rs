//! Server selection: which server an operation goes to (server selection and max staleness specifications).
//!
//! [`select_server`] does the whole of it, for one look at the topology; waiting for a better topology is up
//! to its caller. The stages it consists of can be used alone.

mod criteria;
mod error;
mod staleness;
mod suitable;
#[cfg(test)]
mod tests;
mod wire;

use std::{sync::Arc, time::Duration};

use rand::{Rng, RngCore};

pub use self::{
    criteria::{SelectionCriteria, ServerSelector},
    error::SelectionError,
    suitable::suitable_servers,
    wire::wire_read_preference,
};
use crate::{
    address::ServerAddress,
    read_preference::ReadPreference,
    sdam::{ServerDescription, ServerType, TopologyDescription, TopologyType},
};

/// What a server is selected from, and by.
#[derive(Clone, Copy, Debug)]
pub struct SelectionContext<'a> {
    /// What is known about the deployment.
    pub description: &'a TopologyDescription,
    /// What the operation demands.
    pub criteria: &'a SelectionCriteria,
    /// The application's own say, if it wants one.
    pub selector: Option<&'a ServerSelector>,
    /// Servers on which the operation failed already: used only when there is no other.
    pub deprioritized: &'a [ServerAddress],
    /// How much slower than the fastest suitable server a server may be.
    pub local_threshold: Duration,
}

impl<'a> SelectionContext<'a> {
    /// A context without selector and deprioritised servers, with the latency window of the description.
    pub fn new(description: &'a TopologyDescription, criteria: &'a SelectionCriteria) -> Self {
        let local_threshold = description.local_threshold;
        Self { description, criteria, selector: None, deprioritized: &[], local_threshold }
    }
}

/// Selects a server: suitable, in the latency window, and of two of those taken at random the one with fewer
/// operations in flight. `None` tells to wait for the topology to change.
///
/// Selecting a primary (or the server of a single or load-balanced topology) allocates nothing.
///
/// # Errors
/// [`SelectionError`] when waiting will not help: a server that this driver cannot work with, a read preference
/// that asks for less staleness than can be known, or a selector that panicked.
///
/// ```
/// use mongo_actors_protocol::{
///     sdam::{ServerDescription, ServerType, TopologyDescription, TopologyType},
///     selection::{SelectionContext, SelectionCriteria, select_server},
/// };
///
/// let mut server = ServerDescription::unknown("localhost".parse().unwrap());
/// server.server_type = ServerType::Standalone;
/// server.max_wire_version = 21;
/// let description = TopologyDescription::new(TopologyType::Single, [server]);
/// let context = SelectionContext::new(&description, &SelectionCriteria::Writable);
/// let selected = select_server(&context, &|_| 0, &mut rand::rng()).unwrap();
/// assert_eq!(selected.unwrap().address.to_string(), "localhost:27017");
/// ```
pub fn select_server<'a>(
    context: &SelectionContext<'a>,
    in_flight: &dyn Fn(&ServerAddress) -> usize,
    rng: &mut dyn RngCore,
) -> Result<Option<&'a Arc<ServerDescription>>, SelectionError> {
    if let Some(reason) = &context.description.compatibility_error {
        return Err(SelectionError::Incompatible { reason: reason.clone() });
    }
    if let Some(only) = only_candidate(context) {
        return Ok(only);
    }
    let mut servers = suitable_servers(context)?;
    if let Some(selector) = context.selector {
        servers = selector.apply(servers)?;
    }
    in_latency_window(&mut servers, context.local_threshold);
    Ok(less_busy_of_two(&servers, in_flight, rng))
}

/// Keeps the servers whose average round-trip time exceeds the shortest by no more than `local_threshold`.
/// Servers that were never measured count as slower than all others.
pub fn in_latency_window(servers: &mut Vec<&Arc<ServerDescription>>, local_threshold: Duration) {
    let Some(fastest) = servers.iter().filter_map(|server| server.round_trip_time).min() else { return };
    let limit = fastest.saturating_add(local_threshold);
    servers.retain(|server| server.round_trip_time.is_some_and(|time| time <= limit));
}

fn less_busy_of_two<'a>(
    servers: &[&'a Arc<ServerDescription>],
    in_flight: &dyn Fn(&ServerAddress) -> usize,
    rng: &mut dyn RngCore,
) -> Option<&'a Arc<ServerDescription>> {
    let count = servers.len();
    if count < 2 {
        return servers.first().copied();
    }
    let first = rng.random_range(0..count);
    let second = (first + rng.random_range(1..count)) % count;
    let (first, second) = (servers[first], servers[second]);
    Some(if in_flight(&second.address) < in_flight(&first.address) { second } else { first })
}

/// The answer where there is at most one candidate, so that neither latency nor load nor (unless it is a primary)
/// the application's selector matters. None where there may be several.
fn only_candidate<'a>(context: &SelectionContext<'a>) -> Option<Option<&'a Arc<ServerDescription>>> {
    let description = context.description;
    match (description.topology_type, context.criteria) {
        (_, SelectionCriteria::Address(address)) => {
            Some(description.server(address).filter(|server| server.is_known()))
        }
        (TopologyType::Unknown, _) => Some(None),
        (TopologyType::Single | TopologyType::LoadBalanced, _) => Some(description.known_servers().next()),
        (TopologyType::ReplicaSetNoPrimary | TopologyType::ReplicaSetWithPrimary, criteria)
            if context.selector.is_none() && criteria.demands_primary(description) =>
        {
            Some(description.of_type(ServerType::RsPrimary).next())
        }
        _ => None,
    }
}

impl TopologyDescription {
    /// Whether a server is there that may answer a read with this preference.
    pub fn has_readable_server(&self, preference: &ReadPreference) -> bool {
        let criteria = SelectionCriteria::ReadPreference(preference.clone());
        suitable_servers(&SelectionContext::new(self, &criteria)).is_ok_and(|servers| !servers.is_empty())
    }

    /// The servers that an operation with these criteria may go to, latency aside.
    ///
    /// # Errors
    /// [`SelectionError`] when the criteria ask for less staleness than can be known.
    pub fn suitable_servers(
        &self,
        criteria: &SelectionCriteria,
    ) -> Result<Vec<Arc<ServerDescription>>, SelectionError> {
        let servers = suitable_servers(&SelectionContext::new(self, criteria))?;
        Ok(servers.into_iter().cloned().collect())
    }
}
