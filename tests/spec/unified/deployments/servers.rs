//! Starting servers, and the addresses under which they are reached.

use std::time::Duration;

use bson::{Document, doc};
use mongo_actors_testkit::{LoadBalancerProxy, MongosProxy, ReplicaSet, ReplicaSetBuilder, Secantus, Standalone};

use crate::unified::{
    failure::{Failure, Outcome, failure},
    schema::TopologyName,
};

/// That of servers as they come.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Servers that are started together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Group {
    /// One server.
    Standalone,
    /// One server with authentication.
    SecureStandalone,
    /// Three members, also reached through what looks like two routers and like two load balancers.
    ReplicaSet,
    /// One member with authentication, reached in the same ways. More would authenticate to each other, and meet the
    /// fail points of tests.
    SecureReplicaSet,
    /// A server that answers as a newer one, and says that it is a replica set. It is also reached directly, and through
    /// what looks like two routers.
    Secantus,
}

impl Group {
    pub(crate) fn has_auth(self) -> bool {
        matches!(self, Self::SecureStandalone | Self::SecureReplicaSet)
    }
}

/// The servers of a group, running.
pub(super) enum Servers {
    Standalone(Box<Standalone>),
    ReplicaSet(Box<Fronted>),
    Secantus(Box<FrontedSecantus>),
}

/// A newer server and what stands in front of it.
pub(super) struct FrontedSecantus {
    server: Secantus,
    routers: [MongosProxy; 2],
}

/// A replica set and what stands in front of it.
pub(super) struct Fronted {
    set: ReplicaSet,
    routers: [MongosProxy; 2],
    /// In front of several servers, and of one.
    balancers: [LoadBalancerProxy; 2],
}

fn broken(error: mongo_actors_testkit::Error) -> Failure {
    failure!("the servers of the test: {error}")
}

/// No test kills a member, so majorities need not wait for disks; nor is a member to be elected because another is slow,
/// which takes its fail points out of a test.
fn quick_and_steady(builder: ReplicaSetBuilder) -> ReplicaSetBuilder {
    builder.journals_majority(false).election_timeout(ELECTION_TIMEOUT).setting("heartbeatIntervalMillis", 2_000)
}

impl Servers {
    pub(super) async fn start(group: Group) -> Outcome<Self> {
        match group {
            Group::Standalone => Standalone::start().await.map(Box::new).map(Self::Standalone).map_err(broken),
            Group::ReplicaSet => Self::fronted(quick_and_steady(ReplicaSet::builder(3))).await,
            Group::SecureStandalone => {
                let server = Standalone::builder().auth("user", "secret").start().await;
                server.map(Box::new).map(Self::Standalone).map_err(broken)
            }
            Group::Secantus => Self::fronted_secantus().await,
            Group::SecureReplicaSet => {
                Self::fronted(quick_and_steady(ReplicaSet::builder(1)).auth("user", "secret")).await
            }
        }
    }

    async fn fronted(builder: ReplicaSetBuilder) -> Outcome<Self> {
        let start = async {
            let set = builder.start().await?;
            let routers = [MongosProxy::start(&set).await?, MongosProxy::start(&set).await?];
            let balancers = [LoadBalancerProxy::start(&set, 2).await?, LoadBalancerProxy::start(&set, 1).await?];
            Ok(Fronted { set, routers, balancers })
        };
        start.await.map(Box::new).map(Self::ReplicaSet).map_err(broken)
    }

    async fn fronted_secantus() -> Outcome<Self> {
        let start = async {
            let server = Secantus::start().await?;
            let address = server.socket_address();
            let routers = [MongosProxy::before(address).await?, MongosProxy::before(address).await?];
            Ok(FrontedSecantus { server, routers })
        };
        start.await.map(Box::new).map(Self::Secantus).map_err(broken)
    }

    /// The connection string of the servers as they are, for the runner's own use.
    pub(super) fn plain_uri(&self) -> String {
        match self {
            Self::Standalone(server) => server.uri(),
            Self::ReplicaSet(fronted) => fronted.set.uri(),
            Self::Secantus(fronted) => fronted.server.uri_with(&[("replicaSet", "secantus")]),
        }
    }

    /// The connection string for a test that wants `topology`, and perhaps one router or several.
    pub(super) fn uri(&self, topology: TopologyName, several_routers: Option<bool>) -> String {
        match (self, topology) {
            (Self::Standalone(_), _) | (_, TopologyName::ReplicaSet) => self.plain_uri(),
            (Self::ReplicaSet(fronted), TopologyName::Single) => fronted.set.uri(),
            (Self::Secantus(fronted), TopologyName::Single) => fronted.server.uri_with(&[("directConnection", "true")]),
            (Self::ReplicaSet(fronted), TopologyName::LoadBalanced) => {
                let [of_several, of_one] = &fronted.balancers;
                if several_routers == Some(false) { of_one.uri() } else { of_several.uri() }
            }
            (Self::ReplicaSet(fronted), _) => uri_of_routers(&fronted.routers, several_routers),
            (Self::Secantus(fronted), _) => uri_of_routers(&fronted.routers, several_routers),
        }
    }

    /// Waits until all members are there again and one is primary.
    pub(super) async fn heal(&self) -> Outcome {
        match self {
            Self::Standalone(_) | Self::Secantus(_) => Ok(()),
            Self::ReplicaSet(fronted) => fronted.set.wait_until_healthy().await.map(drop).map_err(broken),
        }
    }

    /// Turns a fail point off on every server.
    pub(super) async fn disable_fail_point(&self, name: &str) -> Outcome {
        let off = || doc! { "configureFailPoint": name, "mode": "off" };
        match self {
            Self::Standalone(server) => server.member().admin(off()).await.map(drop).map_err(broken),
            Self::Secantus(fronted) => fronted.server.run_command("admin", off()).await.map(drop).map_err(broken),
            Self::ReplicaSet(fronted) => {
                for member in fronted.set.members() {
                    member.admin(off()).await.map_err(broken)?;
                }
                Ok(())
            }
        }
    }

    /// Runs a command on the server that takes writes.
    pub(super) async fn admin(&self, command: Document) -> Outcome<Document> {
        match self {
            Self::Standalone(server) => server.member().admin(command).await.map_err(broken),
            Self::Secantus(fronted) => fronted.server.run_command("admin", command).await.map_err(broken),
            Self::ReplicaSet(fronted) => {
                let primary = fronted.set.wait_for_primary().await.map_err(broken)?;
                primary.admin(command).await.map_err(broken)
            }
        }
    }
}

/// The connection string for both routers, or for one.
fn uri_of_routers(routers: &[MongosProxy; 2], several: Option<bool>) -> String {
    let [first, second] = routers;
    if several == Some(true) { MongosProxy::uri_of(&[first, second], &[]) } else { first.uri() }
}
