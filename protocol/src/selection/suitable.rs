//! Which servers are suitable for an operation, latency and load aside.

use std::sync::Arc;

use super::{
    SelectionContext, SelectionCriteria, SelectionError,
    staleness::{self, Reference},
};
use crate::{
    read_preference::{ReadPreference, TagSet},
    sdam::{ServerDescription, ServerType, TopologyDescription, TopologyType},
};

type Servers<'a> = Vec<&'a Arc<ServerDescription>>;

/// The servers that are suitable for the operation. Deprioritised ones only if there is no other.
/// Neither compatibility nor the application's selector is looked at.
///
/// # Errors
/// [`SelectionError::MaxStalenessTooSmall`] in a replica set.
pub fn suitable_servers<'a>(context: &SelectionContext<'a>) -> Result<Vec<&'a Arc<ServerDescription>>, SelectionError> {
    let description = context.description;
    let preference = context.criteria.read_preference(description);
    let limit = preference.and_then(ReadPreference::max_staleness);
    if let Some(limit) = limit.filter(|_| description.topology_type.is_replica_set()) {
        staleness::validate(limit, description)?;
    }
    let all = description.servers.values();
    let preferred: Servers<'a> =
        all.clone().filter(|server| !context.deprioritized.contains(&server.address)).collect();
    let suitable = suitable_of(preferred, context);
    if suitable.is_empty() && !context.deprioritized.is_empty() {
        return Ok(suitable_of(all.collect(), context));
    }
    Ok(suitable)
}

fn suitable_of<'a>(mut servers: Servers<'a>, context: &SelectionContext<'a>) -> Servers<'a> {
    let description = context.description;
    if let SelectionCriteria::Address(address) = context.criteria {
        servers.retain(|server| server.address == *address && server.is_known());
        return servers;
    }
    match description.topology_type {
        TopologyType::Unknown => servers.clear(),
        TopologyType::Single | TopologyType::LoadBalanced => servers.retain(|server| server.is_known()),
        TopologyType::Sharded => keep(&mut servers, &[ServerType::Mongos]),
        TopologyType::ReplicaSetNoPrimary | TopologyType::ReplicaSetWithPrimary => {
            let preference = context.criteria.read_preference(description).unwrap_or(&ReadPreference::Primary);
            return readable_members(servers, description, preference);
        }
    }
    servers
}

fn readable_members<'a>(
    servers: Servers<'a>,
    description: &TopologyDescription,
    preference: &ReadPreference,
) -> Servers<'a> {
    let of_types = |types: &[ServerType]| {
        let mut candidates = servers.clone();
        keep(&mut candidates, types);
        candidates
    };
    let eligible = |types: &[ServerType]| eligible(of_types(types), description, preference);
    let (primary, secondary) = (&[ServerType::RsPrimary], &[ServerType::RsSecondary]);
    let or_else = |first: Servers<'a>, second: &dyn Fn() -> Servers<'a>| match first.is_empty() {
        true => second(),
        false => first,
    };
    match preference {
        ReadPreference::Primary => of_types(primary),
        ReadPreference::Secondary { .. } => eligible(secondary),
        ReadPreference::PrimaryPreferred { .. } => or_else(of_types(primary), &|| eligible(secondary)),
        ReadPreference::SecondaryPreferred { .. } => or_else(eligible(secondary), &|| of_types(primary)),
        ReadPreference::Nearest { .. } => eligible(&[ServerType::RsPrimary, ServerType::RsSecondary]),
    }
}

fn keep(servers: &mut Servers<'_>, types: &[ServerType]) {
    servers.retain(|server| types.contains(&server.server_type));
}

/// Applies first the staleness limit, then the tag sets.
fn eligible<'a>(
    mut candidates: Servers<'a>,
    description: &TopologyDescription,
    preference: &ReadPreference,
) -> Servers<'a> {
    if let Some(limit) = preference.max_staleness() {
        let reference = Reference::of(description);
        candidates.retain(|server| reference.allows(server, limit, description.heartbeat_frequency));
    }
    let tag_sets = preference.tag_sets();
    if tag_sets.is_empty() {
        return candidates;
    }
    let first_match = tag_sets.iter().find(|tags| candidates.iter().any(|server| has_tags(server, tags)));
    candidates.retain(|server| first_match.is_some_and(|tags| has_tags(server, tags)));
    candidates
}

fn has_tags(server: &ServerDescription, tags: &TagSet) -> bool {
    tags.iter().all(|(key, value)| server.tags.get(key) == Some(value))
}
