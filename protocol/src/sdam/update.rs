//! How one server's new description changes the description of the topology.

use std::{collections::BTreeSet, sync::Arc};

use super::{ServerDescription, ServerType, TopologyDescription, TopologyType};
use crate::address::ServerAddress;

/// The wire version from which on the election id is compared before the set version (MongoDB 6.0).
const ELECTION_ID_FIRST_WIRE_VERSION: i32 = 17;

/// A topology description in the making.
pub(super) struct Update {
    pub(super) description: TopologyDescription,
    /// Former primaries that a newer one pushed aside.
    pub(super) superseded: Vec<ServerAddress>,
}

impl Update {
    pub(super) fn of(description: &TopologyDescription) -> Self {
        Self { description: description.clone(), superseded: Vec::new() }
    }

    /// Replaces the description of a server that is in the topology and takes what action follows.
    /// `single_seed` tells whether the client was given one seed only.
    pub(super) fn apply(&mut self, server: ServerDescription, single_seed: bool) {
        let server = Arc::new(self.verified(server));
        self.description.servers.insert(server.address.clone(), server.clone());
        match self.description.topology_type {
            TopologyType::Single | TopologyType::LoadBalanced => {}
            TopologyType::Unknown => self.apply_to_unknown(&server, single_seed),
            TopologyType::Sharded => self.apply_to_sharded(&server),
            TopologyType::ReplicaSetNoPrimary => self.apply_without_primary(&server),
            TopologyType::ReplicaSetWithPrimary => self.apply_with_primary(&server),
        }
        self.description.derive();
    }

    /// A server used directly must belong to the replica set that was asked for.
    fn verified(&self, server: ServerDescription) -> ServerDescription {
        let Some(expected) = &self.description.set_name else { return server };
        let wrong = self.description.topology_type == TopologyType::Single
            && server.is_known()
            && server.set_name.as_ref() != Some(expected);
        if !wrong {
            return server;
        }
        let error = match &server.set_name {
            Some(found) => format!("the server belongs to the replica set \"{found}\", not to \"{expected}\""),
            None => format!("the server does not belong to the replica set \"{expected}\""),
        };
        let unknown = ServerDescription::failed(server.address.clone(), error, None);
        ServerDescription { last_update_time: server.last_update_time, ..unknown }
    }

    fn apply_to_unknown(&mut self, server: &ServerDescription, single_seed: bool) {
        match server.server_type {
            ServerType::Standalone if single_seed => self.description.topology_type = TopologyType::Single,
            ServerType::Standalone => self.remove(&server.address),
            ServerType::Mongos => self.description.topology_type = TopologyType::Sharded,
            ServerType::RsPrimary => self.update_from_primary(server),
            ServerType::RsSecondary | ServerType::RsArbiter | ServerType::RsOther => {
                self.description.topology_type = TopologyType::ReplicaSetNoPrimary;
                self.update_without_primary(server);
            }
            ServerType::Unknown | ServerType::RsGhost | ServerType::LoadBalancer => {}
        }
    }

    fn apply_to_sharded(&mut self, server: &ServerDescription) {
        if !matches!(server.server_type, ServerType::Unknown | ServerType::Mongos) {
            self.remove(&server.address);
        }
    }

    fn apply_without_primary(&mut self, server: &ServerDescription) {
        match server.server_type {
            ServerType::Standalone | ServerType::Mongos => self.remove(&server.address),
            ServerType::RsPrimary => self.update_from_primary(server),
            ServerType::RsSecondary | ServerType::RsArbiter | ServerType::RsOther => {
                self.update_without_primary(server);
            }
            ServerType::Unknown | ServerType::RsGhost | ServerType::LoadBalancer => {}
        }
    }

    fn apply_with_primary(&mut self, server: &ServerDescription) {
        match server.server_type {
            ServerType::Standalone | ServerType::Mongos => {
                self.remove(&server.address);
                self.check_if_has_primary();
            }
            ServerType::RsPrimary => self.update_from_primary(server),
            ServerType::RsSecondary | ServerType::RsArbiter | ServerType::RsOther => {
                self.update_from_member(server);
            }
            ServerType::Unknown | ServerType::RsGhost | ServerType::LoadBalancer => self.check_if_has_primary(),
        }
    }

    fn update_without_primary(&mut self, server: &ServerDescription) {
        if !self.accepts_set_name_of(server) {
            self.remove(&server.address);
            return;
        }
        self.add_hosts_of(server);
        if is_known_by_another_name(server) {
            self.remove(&server.address);
        }
    }

    fn update_from_member(&mut self, server: &ServerDescription) {
        if !self.accepts_set_name_of(server) || is_known_by_another_name(server) {
            self.remove(&server.address);
        }
        self.check_if_has_primary();
    }

    fn update_from_primary(&mut self, server: &ServerDescription) {
        if !self.accepts_set_name_of(server) {
            self.remove(&server.address);
            self.check_if_has_primary();
            return;
        }
        if self.is_stale(server) {
            self.mark_stale(server);
            self.check_if_has_primary();
            return;
        }
        self.supersede_primaries_other_than(&server.address);
        self.add_hosts_of(server);
        let members: BTreeSet<&ServerAddress> = server.all_hosts().collect();
        self.description.servers.retain(|address, _| members.contains(address));
        self.check_if_has_primary();
    }

    /// Takes over the set name if none is known yet.
    fn accepts_set_name_of(&mut self, server: &ServerDescription) -> bool {
        if self.description.set_name.is_none() {
            self.description.set_name.clone_from(&server.set_name);
        }
        self.description.set_name == server.set_name
    }

    /// Compares the primary with the newest seen so far, and remembers it if it is not older.
    fn is_stale(&mut self, primary: &ServerDescription) -> bool {
        if primary.max_wire_version >= ELECTION_ID_FIRST_WIRE_VERSION {
            self.is_stale_by_election_id(primary)
        } else {
            self.is_stale_by_set_version(primary)
        }
    }

    fn is_stale_by_election_id(&mut self, primary: &ServerDescription) -> bool {
        let newest = (self.description.max_election_id, self.description.max_set_version);
        if primary.election_tuple() < newest {
            return true;
        }
        (self.description.max_election_id, self.description.max_set_version) = primary.election_tuple();
        false
    }

    fn is_stale_by_set_version(&mut self, primary: &ServerDescription) -> bool {
        let known = &mut self.description;
        if let (Some(version), Some(id)) = (primary.set_version, primary.election_id) {
            let newest = known.max_set_version.zip(known.max_election_id);
            if newest.is_some_and(|newest| newest > (version, id)) {
                return true;
            }
            known.max_election_id = Some(id);
        }
        known.max_set_version = known.max_set_version.max(primary.set_version);
        false
    }

    fn mark_stale(&mut self, primary: &ServerDescription) {
        let tuple = |id: Option<_>, version: Option<i64>| {
            let id = id.map_or_else(|| "null".to_owned(), |id: bson::oid::ObjectId| id.to_hex());
            let version = version.map_or_else(|| "null".to_owned(), |version| version.to_string());
            format!("(electionId {id}, setVersion {version})")
        };
        let error = format!(
            "primary marked stale due to electionId/setVersion mismatch, {} is stale compared to {}",
            tuple(primary.election_id, primary.set_version),
            tuple(self.description.max_election_id, self.description.max_set_version),
        );
        self.forget(primary, error);
    }

    fn supersede_primaries_other_than(&mut self, address: &ServerAddress) {
        let others = self.description.of_type(ServerType::RsPrimary).filter(|server| server.address != *address);
        for old in others.cloned().collect::<Vec<_>>() {
            self.forget(&old, "primary marked stale due to discovery of newer primary".to_owned());
            self.superseded.push(old.address.clone());
        }
    }

    fn forget(&mut self, server: &ServerDescription, error: String) {
        let unknown = ServerDescription::failed(server.address.clone(), error, None);
        let unknown = ServerDescription { last_update_time: server.last_update_time, ..unknown };
        self.description.servers.insert(server.address.clone(), Arc::new(unknown));
    }

    fn add_hosts_of(&mut self, server: &ServerDescription) {
        for host in server.all_hosts() {
            self.add(host);
        }
    }

    pub(super) fn add(&mut self, address: &ServerAddress) {
        if !self.description.servers.contains_key(address) {
            let unknown = Arc::new(ServerDescription::unknown(address.clone()));
            self.description.servers.insert(address.clone(), unknown);
        }
    }

    pub(super) fn remove(&mut self, address: &ServerAddress) {
        self.description.servers.remove(address);
    }

    fn check_if_has_primary(&mut self) {
        let has_primary = self.description.of_type(ServerType::RsPrimary).next().is_some();
        self.description.topology_type =
            if has_primary { TopologyType::ReplicaSetWithPrimary } else { TopologyType::ReplicaSetNoPrimary };
    }
}

/// Whether the replica set knows the server by another address than the one it was reached at.
fn is_known_by_another_name(server: &ServerDescription) -> bool {
    server.me.as_ref().is_some_and(|me| *me != server.address)
}
