//! Proxies that make a replica set look like a sharded cluster.

use std::net::SocketAddr;

use bson::oid::ObjectId;
use mongo_actors_protocol::address::ServerAddress;

use super::{Proxy, accept::Upstream, disguise::Disguise};
use crate::{
    deployment::{ReplicaSet, compose_uri},
    error::{Error, Result},
    wire::client::Credentials,
};

/// A proxy that looks like a mongos and leads to the primary of a replica set.
///
/// It answers `hello` as a mongos does, and adds a recovery token to replies in transactions. Everything else is the
/// primary's own answer, so it is no test of a real router: there are no shards, a secondary read preference reads
/// from the primary, and after an election the old primary's connections end with an error at their next command or
/// `hello`, while new ones lead to the new primary.
///
/// ```no_run
/// # async fn example() -> mongo_actors_testkit::Result<()> {
/// use mongo_actors_testkit::{MongosProxy, ReplicaSet};
///
/// let set = ReplicaSet::start(1).await?;
/// let first = MongosProxy::start(&set).await?;
/// let second = MongosProxy::start(&set).await?;
/// let uri = MongosProxy::uri_of(&[&first, &second], &[("retryWrites", "true")]);
/// first.proxy().cut().await;
/// # let _ = uri;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct MongosProxy {
    proxy: Proxy,
    credentials: Option<Credentials>,
}

impl MongosProxy {
    /// Starts one in front of `set`.
    ///
    /// # Errors
    /// [`Error::System`] when the loopback interface has no free port.
    pub async fn start(set: &ReplicaSet) -> Result<Self> {
        let upstream = Upstream::PrimaryOf(set.members().to_vec());
        let proxy = Proxy::start_with(upstream, vec![Disguise::Mongos]).await.map_err(Error::system("a proxy"))?;
        Ok(Self { proxy, credentials: set.credentials().cloned() })
    }

    /// Starts one in front of a single server, which asks for no credentials.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn before(server: SocketAddr) -> Result<Self> {
        let proxy = Proxy::start_with(Upstream::Fixed(server), vec![Disguise::Mongos]).await;
        Ok(Self { proxy: proxy.map_err(Error::system("a proxy"))?, credentials: None })
    }

    /// The proxy, for its address and faults.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Where it listens.
    pub fn address(&self) -> ServerAddress {
        self.proxy.address()
    }

    /// A connection string for this one, with credentials if there are any.
    pub fn uri(&self) -> String {
        Self::uri_of(&[self], &[])
    }

    /// A connection string for several in front of one set, with further options.
    pub fn uri_of(routers: &[&Self], options: &[(&str, &str)]) -> String {
        let hosts: Vec<_> = routers.iter().map(|router| router.address().to_string()).collect();
        let credentials = routers.first().and_then(|router| router.credentials.as_ref());
        compose_uri(&hosts, credentials, None, options)
    }
}

/// A proxy that looks like a load balancer in front of several mongoses, all of which lead to the primary of a
/// replica set.
///
/// Connections are given to the services in turn; each tells its own `serviceId` to clients whose `hello` says
/// `loadBalanced: true`. Else it is as [`MongosProxy`]; in particular a cursor or transaction on one service can be
/// continued on another, which real ones refuse.
#[derive(Clone, Debug)]
pub struct LoadBalancerProxy {
    proxy: Proxy,
    service_ids: Vec<ObjectId>,
    credentials: Option<Credentials>,
}

impl LoadBalancerProxy {
    /// Starts one with `services` services (at least one) in front of `set`.
    ///
    /// # Errors
    /// [`Error::System`] when the loopback interface has no free port.
    pub async fn start(set: &ReplicaSet, services: usize) -> Result<Self> {
        let service_ids: Vec<_> = (0..services.max(1)).map(|_| ObjectId::new()).collect();
        let disguises = service_ids.iter().copied().map(Disguise::LoadBalanced).collect();
        let upstream = Upstream::PrimaryOf(set.members().to_vec());
        let proxy = Proxy::start_with(upstream, disguises).await.map_err(Error::system("a proxy"))?;
        Ok(Self { proxy, service_ids, credentials: set.credentials().cloned() })
    }

    /// The proxy, for its address and faults.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Where it listens.
    pub fn address(&self) -> ServerAddress {
        self.proxy.address()
    }

    /// The ids of the services; the first connection leads to the first of them.
    pub fn service_ids(&self) -> &[ObjectId] {
        &self.service_ids
    }

    /// A connection string with `loadBalanced=true`, with credentials if there are any.
    pub fn uri(&self) -> String {
        self.uri_with(&[])
    }

    /// The connection string with further options.
    pub fn uri_with(&self, options: &[(&str, &str)]) -> String {
        let mut all = vec![("loadBalanced", "true")];
        all.extend_from_slice(options);
        compose_uri(&[self.address().to_string()], self.credentials.as_ref(), None, &all)
    }
}
