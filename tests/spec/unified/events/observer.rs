//! Recording what a client publishes.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bson::Bson;
use mongo_actors::event::{
    CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent, ConnectionCheckedInEvent,
    ConnectionCheckedOutEvent, ConnectionCheckoutFailedEvent, ConnectionCheckoutStartedEvent, ConnectionClosedEvent,
    ConnectionCreatedEvent, ConnectionReadyEvent, HeartbeatListener, PoolClearedEvent, PoolClosedEvent,
    PoolCreatedEvent, PoolListener, PoolReadyEvent, ServerDescriptionChangedEvent, ServerHeartbeatFailedEvent,
    ServerHeartbeatStartedEvent, ServerHeartbeatSucceededEvent, ServerListener, TopologyClosedEvent,
    TopologyDescriptionChangedEvent, TopologyListener, TopologyOpeningEvent,
};
use tokio::sync::Notify;

/// Something a client published.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    CommandStarted(CommandStartedEvent),
    CommandSucceeded(CommandSucceededEvent),
    CommandFailed(CommandFailedEvent),
    PoolCreated,
    PoolReady,
    PoolCleared(PoolClearedEvent),
    PoolClosed,
    ConnectionCreated,
    ConnectionReady,
    ConnectionClosed(ConnectionClosedEvent),
    ConnectionCheckOutStarted,
    ConnectionCheckOutFailed(ConnectionCheckoutFailedEvent),
    ConnectionCheckedOut,
    ConnectionCheckedIn,
    ServerDescriptionChanged(ServerDescriptionChangedEvent),
    TopologyDescriptionChanged(TopologyDescriptionChangedEvent),
    TopologyOpening,
    TopologyClosed,
    ServerHeartbeatStarted(ServerHeartbeatStartedEvent),
    ServerHeartbeatSucceeded(ServerHeartbeatSucceededEvent),
    ServerHeartbeatFailed(ServerHeartbeatFailedEvent),
}

/// Which monitor an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Monitor {
    Command,
    Cmap,
    Sdam,
}

impl Event {
    /// The event's name in the format.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::CommandStarted(_) => "commandStartedEvent",
            Self::CommandSucceeded(_) => "commandSucceededEvent",
            Self::CommandFailed(_) => "commandFailedEvent",
            Self::PoolCreated => "poolCreatedEvent",
            Self::PoolReady => "poolReadyEvent",
            Self::PoolCleared(_) => "poolClearedEvent",
            Self::PoolClosed => "poolClosedEvent",
            Self::ConnectionCreated => "connectionCreatedEvent",
            Self::ConnectionReady => "connectionReadyEvent",
            Self::ConnectionClosed(_) => "connectionClosedEvent",
            Self::ConnectionCheckOutStarted => "connectionCheckOutStartedEvent",
            Self::ConnectionCheckOutFailed(_) => "connectionCheckOutFailedEvent",
            Self::ConnectionCheckedOut => "connectionCheckedOutEvent",
            Self::ConnectionCheckedIn => "connectionCheckedInEvent",
            Self::ServerDescriptionChanged(_) => "serverDescriptionChangedEvent",
            Self::TopologyDescriptionChanged(_) => "topologyDescriptionChangedEvent",
            Self::TopologyOpening => "topologyOpeningEvent",
            Self::TopologyClosed => "topologyClosedEvent",
            Self::ServerHeartbeatStarted(_) => "serverHeartbeatStartedEvent",
            Self::ServerHeartbeatSucceeded(_) => "serverHeartbeatSucceededEvent",
            Self::ServerHeartbeatFailed(_) => "serverHeartbeatFailedEvent",
        }
    }

    pub(crate) fn monitor(&self) -> Monitor {
        let name = self.name();
        if name.starts_with("command") {
            Monitor::Command
        } else if name.starts_with("pool") || name.starts_with("connection") {
            Monitor::Cmap
        } else {
            Monitor::Sdam
        }
    }

    /// The command's name, and whether the content was removed because it is secret.
    fn command(&self) -> Option<(&str, bool)> {
        match self {
            Self::CommandStarted(event) => Some((&event.command_name, event.command.is_empty())),
            Self::CommandSucceeded(event) => Some((&event.command_name, event.reply.as_document().is_empty())),
            Self::CommandFailed(event) => Some((&event.command_name, false)),
            _ => None,
        }
    }
}

/// Which events to keep.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    /// Names of kinds of events.
    pub(crate) kinds: Vec<String>,
    /// Names of commands whose events are not kept.
    pub(crate) ignored_commands: Vec<String>,
    /// Whether events of commands with secrets are kept.
    pub(crate) sensitive_commands: bool,
}

/// Commands whose events the format leaves out unless told otherwise.
const SENSITIVE: &[&str] = &[
    "authenticate",
    "saslStart",
    "saslContinue",
    "getnonce",
    "createUser",
    "updateUser",
    "copydbgetnonce",
    "copydbsaslstart",
    "copydb",
];

impl Policy {
    fn keeps(&self, event: &Event) -> bool {
        let Some((command, is_redacted)) = event.command() else { return self.is_observed(event) };
        let is_hello = ["hello", "isMaster", "ismaster"].contains(&command);
        let is_sensitive = SENSITIVE.contains(&command) || (is_hello && is_redacted);
        command != "configureFailPoint"
            && !self.ignored_commands.iter().any(|ignored| ignored == command)
            && (self.sensitive_commands || !is_sensitive)
            && self.is_observed(event)
    }

    fn is_observed(&self, event: &Event) -> bool {
        self.kinds.iter().any(|kind| kind == event.name())
    }
}

/// Listens to a client.
#[derive(Debug, Default)]
pub(crate) struct Observer {
    policy: Policy,
    events: Mutex<Vec<Event>>,
    news: Notify,
    checked_out: AtomicI64,
    ready: AtomicUsize,
}

impl Observer {
    pub(crate) fn new(policy: Policy) -> Self {
        Self { policy, ..Self::default() }
    }

    fn record(&self, event: Event) {
        match event {
            Event::ConnectionCheckedOut => drop(self.checked_out.fetch_add(1, Ordering::SeqCst)),
            Event::ConnectionCheckedIn => drop(self.checked_out.fetch_sub(1, Ordering::SeqCst)),
            Event::ConnectionReady => drop(self.ready.fetch_add(1, Ordering::SeqCst)),
            _ => {}
        }
        if self.policy.keeps(&event) {
            self.lock().push(event);
        }
        self.news.notify_waiters();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The events so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.lock().clone()
    }

    /// Forgets the events so far.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// How many connections are checked out.
    pub(crate) fn checked_out(&self) -> i64 {
        self.checked_out.load(Ordering::SeqCst)
    }

    /// How many connections have become ready.
    pub(crate) fn ready(&self) -> usize {
        self.ready.load(Ordering::SeqCst)
    }

    /// Waits until `condition` holds, which is looked at again after each event; false when `limit` is over.
    pub(crate) async fn wait_until(&self, limit: Duration, condition: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            if condition(self) {
                return true;
            }
            if tokio::time::timeout_at(deadline.into(), news).await.is_err() {
                return condition(self);
            }
        }
    }

    /// The `lsid`s of the last two commands that were started.
    pub(crate) fn last_two_lsids(&self) -> Option<[Bson; 2]> {
        let events = self.lock();
        let mut commands = events.iter().rev().filter_map(|event| match event {
            Event::CommandStarted(event) => Some(event),
            _ => None,
        });
        let mut lsid = || {
            let command = &commands.next()?.command;
            Bson::try_from(command.get("lsid").ok()??).ok()
        };
        Some([lsid()?, lsid()?])
    }
}

/// Implements a listener that records every event.
macro_rules! record {
    ($listener:ident { $($method:ident($type:ty) => $make:expr),* $(,)? }) => {
        impl $listener for Observer {
            $(
                fn $method(&self, event: &$type) {
                    let make: fn($type) -> Event = $make;
                    self.record(make(event.clone()));
                }
            )*
        }
    };
}

record! { CommandListener {
    command_started(CommandStartedEvent) => Event::CommandStarted,
    command_succeeded(CommandSucceededEvent) => Event::CommandSucceeded,
    command_failed(CommandFailedEvent) => Event::CommandFailed,
} }
record! { PoolListener {
    pool_created(PoolCreatedEvent) => |_| Event::PoolCreated,
    pool_ready(PoolReadyEvent) => |_| Event::PoolReady,
    pool_cleared(PoolClearedEvent) => Event::PoolCleared,
    pool_closed(PoolClosedEvent) => |_| Event::PoolClosed,
    connection_created(ConnectionCreatedEvent) => |_| Event::ConnectionCreated,
    connection_ready(ConnectionReadyEvent) => |_| Event::ConnectionReady,
    connection_closed(ConnectionClosedEvent) => Event::ConnectionClosed,
    connection_checkout_started(ConnectionCheckoutStartedEvent) => |_| Event::ConnectionCheckOutStarted,
    connection_checkout_failed(ConnectionCheckoutFailedEvent) => Event::ConnectionCheckOutFailed,
    connection_checked_out(ConnectionCheckedOutEvent) => |_| Event::ConnectionCheckedOut,
    connection_checked_in(ConnectionCheckedInEvent) => |_| Event::ConnectionCheckedIn,
} }
record! { HeartbeatListener {
    server_heartbeat_started(ServerHeartbeatStartedEvent) => Event::ServerHeartbeatStarted,
    server_heartbeat_succeeded(ServerHeartbeatSucceededEvent) => Event::ServerHeartbeatSucceeded,
    server_heartbeat_failed(ServerHeartbeatFailedEvent) => Event::ServerHeartbeatFailed,
} }
record! { ServerListener {
    server_description_changed(ServerDescriptionChangedEvent) => Event::ServerDescriptionChanged,
} }
record! { TopologyListener {
    topology_opening(TopologyOpeningEvent) => |_| Event::TopologyOpening,
    topology_description_changed(TopologyDescriptionChangedEvent) => Event::TopologyDescriptionChanged,
    topology_closed(TopologyClosedEvent) => |_| Event::TopologyClosed,
} }
