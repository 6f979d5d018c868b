//! When two clients are equal.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use mongo_actors_protocol::{address::ServerAddress, options::ClientOptions};

use super::Client;

/// What tells which deployment a client is for. Credentials and all other options do not count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    seeds: Vec<ServerAddress>,
    replica_set: Option<String>,
    srv: Option<(String, String)>,
}

impl Identity {
    pub(super) fn of(options: &ClientOptions) -> Self {
        let mut seeds = options.hosts.clone();
        seeds.sort();
        seeds.dedup();
        let srv = options.srv.as_ref().map(|srv| (srv.host.clone(), srv.service_name.clone()));
        Self { seeds, replica_set: options.replica_set.clone(), srv }
    }
}

impl Client {
    /// Whether both are clones of one client.
    pub fn ptr_eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        self.0.identity == other.0.identity
    }
}

impl Eq for Client {}

impl Hash for Client {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.identity.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(uri: &str) -> Identity {
        Identity::of(&ClientOptions::parse(uri).unwrap())
    }

    #[test]
    fn the_same_deployment_however_it_is_written() {
        let one = identity("mongodb://a,B:27018/?replicaSet=rs&maxPoolSize=3");
        assert_eq!(one, identity("mongodb://alice:secret@b:27018,A:27017/shop?replicaSet=rs"));
        for other in ["mongodb://a,b:27018", "mongodb://a/?replicaSet=rs", "mongodb://a,b:27019/?replicaSet=rs"] {
            assert_ne!(one, identity(other), "{other}");
        }
        let srv = identity("mongodb+srv://cluster.example.com");
        assert_ne!(srv, identity("mongodb+srv://cluster.example.com/?srvServiceName=other"));
        assert_eq!(srv, identity("mongodb+srv://Cluster.example.com/?tls=true"));
    }
}
