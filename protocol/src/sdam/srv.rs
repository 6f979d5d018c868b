//! Which hosts of an SRV record to use.

use std::collections::BTreeSet;

use rand::{RngCore, seq::SliceRandom};

use super::TopologyDescription;
use crate::address::ServerAddress;

/// The hosts of a new answer that the topology should consist of: all of them, or if there are more than
/// `max_hosts` those it has already, filled up with random others. A `max_hosts` of 0 means no limit.
pub(super) fn chosen_hosts(
    description: &TopologyDescription,
    hosts: &[ServerAddress],
    max_hosts: u32,
    rng: &mut dyn RngCore,
) -> BTreeSet<ServerAddress> {
    let found: BTreeSet<ServerAddress> = hosts.iter().cloned().collect();
    let limit = usize::try_from(max_hosts).unwrap_or(usize::MAX);
    if limit == 0 || limit >= found.len() {
        return found;
    }
    let (kept, mut others): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|address| description.servers.contains_key(address));
    others.shuffle(rng);
    kept.into_iter().chain(others).take(limit).collect()
}
