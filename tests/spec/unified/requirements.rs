//! Where a test can run.

use bson::{Bson, Document, doc};
use mongo_actors_testkit::Mongod;

use super::{
    deployments::{Group, PLACES, Place, runtime},
    matching::equal,
    schema::{Filled, NonEmpty, RunOnRequirement, Serverless, TopologyName, Version},
};

/// The version as which the newer server answers.
const SECANTUS: Version = Version([8, 2, 11]);

/// What is known of the servers before they are started.
pub(super) struct Catalogue {
    version: Version,
    parameters: Document,
}

type Requirements = Option<NonEmpty<Filled<RunOnRequirement>>>;

impl Catalogue {
    /// Asks the `mongod` that deployments will be made of for its version.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn read() -> Result<Self, String> {
        let mongod = runtime().block_on(Mongod::find()).map_err(|error| error.to_string())?;
        let version = mongod.version();
        Ok(Self {
            version: Version([version.major, version.minor, version.patch]),
            // As the test kit starts its servers.
            parameters: doc! {
                "enableTestCommands": true,
                "requireApiVersion": false,
                "authenticationMechanisms": ["MONGODB-X509", "SCRAM-SHA-1", "SCRAM-SHA-256"],
            },
        })
    }

    /// The places where a test can run that must satisfy one requirement of each list.
    pub(super) fn places(&self, lists: [&Requirements; 2]) -> Vec<Place> {
        let suits = |place: &Place| lists.iter().all(|list| self.satisfies(*place, list));
        let suitable: Vec<_> = PLACES.iter().copied().filter(suits).collect();
        // Those with authentication are for tests that ask for it, and the newer server for tests that need one.
        let is_usual = |place: &Place| matches!(place.group, Group::Standalone | Group::ReplicaSet);
        let usual: Vec<_> = suitable.iter().copied().filter(is_usual).collect();
        if usual.is_empty() { suitable } else { usual }
    }

    fn satisfies(&self, place: Place, list: &Requirements) -> bool {
        list.as_ref().is_none_or(|list| list.iter().any(|one| self.satisfies_one(place, one)))
    }

    fn satisfies_one(&self, place: Place, requirement: &RunOnRequirement) -> bool {
        let RunOnRequirement {
            min_server_version,
            max_server_version,
            topologies,
            serverless,
            server_parameters,
            auth,
            auth_mechanism,
            csfle,
        } = requirement;
        let version = if place.group == Group::Secantus { SECANTUS } else { self.version };
        min_server_version.is_none_or(|least| version >= least)
            && max_server_version.is_none_or(|most| version <= most)
            && topologies.as_ref().is_none_or(|names| names.iter().any(|name| is_topology(place.topology, *name)))
            && *serverless != Some(Serverless::Require)
            && server_parameters.as_ref().is_none_or(|wanted| self.has_parameters(wanted))
            && auth.is_none_or(|wanted| wanted == place.group.has_auth())
            && auth_mechanism.as_deref().is_none_or(|mechanism| self.has_mechanism(mechanism))
            && csfle.as_ref().is_none_or(|csfle| !csfle.is_wanted())
    }

    fn has_parameters(&self, wanted: &Document) -> bool {
        wanted.iter().all(|(name, value)| self.parameters.get(name).is_some_and(|actual| equal(value, actual)))
    }

    fn has_mechanism(&self, mechanism: &str) -> bool {
        let is_it = |known: &Bson| known.as_str().is_some_and(|known| known.eq_ignore_ascii_case(mechanism));
        self.parameters.get_array("authenticationMechanisms").is_ok_and(|known| known.iter().any(is_it))
    }
}

fn is_topology(topology: TopologyName, name: TopologyName) -> bool {
    topology == name || (topology == TopologyName::Sharded && name == TopologyName::ShardedReplicaSet)
}

/// Says in a few words what `lists` ask for that no place has.
pub(super) fn describe(lists: [&Requirements; 2]) -> String {
    let describe_list = |list: &&Requirements| {
        list.as_ref().map(|list| list.iter().map(|one| describe_one(one)).collect::<Vec<_>>().join(" or "))
    };
    lists.iter().filter_map(describe_list).collect::<Vec<_>>().join(", and ")
}

fn describe_one(requirement: &RunOnRequirement) -> String {
    let mut wishes = Vec::new();
    match (requirement.min_server_version, requirement.max_server_version) {
        (Some(least), Some(most)) => wishes.push(format!("server {least} to {most}")),
        (Some(least), None) => wishes.push(format!("server {least}+")),
        (None, Some(most)) => wishes.push(format!("server {most} or older")),
        (None, None) => {}
    }
    if let Some(topologies) = &requirement.topologies {
        wishes.push(topologies.iter().map(|name| topology_name(*name)).collect::<Vec<_>>().join("|"));
    }
    if requirement.csfle.as_ref().is_some_and(|csfle| csfle.is_wanted()) {
        wishes.push("client-side encryption".to_owned());
    }
    if requirement.serverless == Some(Serverless::Require) {
        wishes.push("serverless".to_owned());
    }
    match requirement.auth {
        Some(true) => wishes.push("auth".to_owned()),
        Some(false) => wishes.push("no auth".to_owned()),
        None => {}
    }
    wishes.extend(requirement.auth_mechanism.clone());
    wishes.extend(requirement.server_parameters.as_ref().map(|parameters| parameters.0.to_string()));
    wishes.join(" ")
}

/// The topology's name in the files.
pub(super) fn topology_name(name: TopologyName) -> &'static str {
    match name {
        TopologyName::Single => "single",
        TopologyName::ReplicaSet => "replicaset",
        TopologyName::Sharded | TopologyName::ShardedReplicaSet => "sharded",
        TopologyName::LoadBalanced => "load-balanced",
    }
}
