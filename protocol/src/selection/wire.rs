//! How the read preference is passed on to the server.

use std::borrow::Cow;

use crate::{
    read_preference::ReadPreference,
    sdam::{ServerType, TopologyType},
};

/// What to send as `$readPreference` with a read, if anything.
///
/// A standalone is never sent one. Other servers are sent every mode but primary; a replica set member that is
/// used directly is sent primaryPreferred instead of primary, so that it answers whatever it is.
///
/// ```
/// use mongo_actors_protocol::{
///     read_preference::ReadPreference,
///     sdam::{ServerType, TopologyType},
///     selection::wire_read_preference,
/// };
///
/// let primary = ReadPreference::Primary;
/// assert_eq!(wire_read_preference(TopologyType::Sharded, ServerType::Mongos, &primary), None);
/// let direct = wire_read_preference(TopologyType::Single, ServerType::RsSecondary, &primary);
/// assert_eq!(*direct.unwrap(), ReadPreference::primary_preferred());
/// ```
pub fn wire_read_preference(
    topology_type: TopologyType,
    server_type: ServerType,
    preference: &ReadPreference,
) -> Option<Cow<'_, ReadPreference>> {
    let is_router = matches!(server_type, ServerType::Mongos | ServerType::LoadBalancer);
    match (server_type, preference) {
        (ServerType::Standalone, _) => None,
        (_, ReadPreference::Primary) if topology_type == TopologyType::Single && !is_router => {
            Some(Cow::Owned(ReadPreference::primary_preferred()))
        }
        (_, ReadPreference::Primary) => None,
        (_, preference) => Some(Cow::Borrowed(preference)),
    }
}
