//! When and how one server is checked, and how far away it is: the decisions of the Server Monitoring specification.
//!
//! A [`Monitor`] has two connections to its server. Checks go over the first. While the server streams its
//! changes on it, the round-trip time is measured over the second, which exists for nothing else. The
//! machine does no I/O; whoever drives it performs its [`MonitorAction`]s, reports what came of them, and calls
//! [`on_deadline`](Monitor::on_deadline) when [`next_deadline`](Monitor::next_deadline) has come.

mod machine;
mod probe;
mod rtt;
mod settings;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub use self::{
    machine::{Monitor, MonitorAction},
    rtt::RttEstimator,
    settings::MonitorSettings,
};
use super::{ServerDescription, TopologyVersion};
pub use crate::options::ServerMonitoringMode;

/// How long a server whose place as primary was taken may take to show that it still answers.
pub const SUPERSEDED_PATIENCE: Duration = Duration::from_millis(250);

/// What to send to the server on a connection that is open.
#[derive(Clone, Debug, PartialEq)]
pub struct HelloRequest {
    /// Say `hello`; else its legacy form with `helloOk: true`.
    pub hello: bool,
    /// Have the server wait for a change and stream its replies (exhaust allowed).
    pub awaited: Option<AwaitedHello>,
}

/// The fields of an awaitable `hello`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwaitedHello {
    /// The server answers as soon as its own is another.
    pub topology_version: TopologyVersion,
    /// How long the server waits at most before it answers anyway.
    pub max_await_time: Duration,
}

/// Why a check failed.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckError {
    /// What to remember as the server's error.
    pub message: Arc<str>,
    /// The connection failed, rather than that the server answered with an error.
    pub network: bool,
    /// The server stayed silent for too long; a network error as well.
    pub timed_out: bool,
    /// The one that the server's refusal carried.
    pub topology_version: Option<TopologyVersion>,
}

impl CheckError {
    /// The connection could not be opened, or broke.
    pub fn network(message: impl Into<Arc<str>>) -> Self {
        Self { message: message.into(), network: true, timed_out: false, topology_version: None }
    }

    /// The server stayed silent for too long.
    pub fn timeout(message: impl Into<Arc<str>>) -> Self {
        Self { timed_out: true, ..Self::network(message) }
    }

    /// The server answered with an error, or with something that is no reply to `hello`.
    pub fn reply(message: impl Into<Arc<str>>, topology_version: Option<TopologyVersion>) -> Self {
        Self { message: message.into(), network: false, timed_out: false, topology_version }
    }
}

/// What a check found out, for [`Topology::server_checked`](super::Topology::server_checked) or
/// [`Topology::check_failed`](super::Topology::check_failed).
#[derive(Clone, Debug, PartialEq)]
pub enum CheckOutcome {
    /// The server answered.
    Checked(Box<ServerDescription>),
    /// It did not, or with an error.
    Failed(CheckError),
}

/// The instant `duration` after `now`; none for no limit.
fn after(now: Instant, duration: Option<Duration>) -> Option<Instant> {
    duration.and_then(|duration| now.checked_add(duration))
}
