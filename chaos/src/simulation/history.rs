//! Everything that is observed in a run: what two runs with the same seed must have in common.

use std::{
    fmt::Write,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mongo_actors::{
    event::{
        CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent, ConnectionClosedEvent,
        ConnectionReadyEvent, HeartbeatListener, PoolClearedEvent, PoolListener, PoolReadyEvent,
        ServerDescriptionChangedEvent, ServerHeartbeatFailedEvent, ServerHeartbeatSucceededEvent, ServerListener,
    },
    supervision::{SupervisionEvent, SupervisionListener},
};

/// What was observed so far: messages, bytes, events, outcomes. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(Arc<Mutex<Observed>>);

#[derive(Debug, Default)]
struct Observed {
    digest: DefaultHasher,
    /// None when only the digest is wanted.
    lines: Option<Vec<String>>,
}

impl History {
    pub(crate) fn new(keeps_lines: bool) -> Self {
        let lines = keeps_lines.then(Vec::new);
        Self(Arc::new(Mutex::new(Observed { digest: DefaultHasher::new(), lines })))
    }

    fn observed(&self) -> MutexGuard<'_, Observed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happens now.
    pub(crate) fn note(&self, what: &str, content: impl AsRef<[u8]>) {
        let (at, content) = (turmoil::sim_elapsed().unwrap_or_default(), content.as_ref());
        let mut observed = self.observed();
        (at, what, content).hash(&mut observed.digest);
        if let Some(lines) = &mut observed.lines {
            lines.push(format!("{at:?} {what}: {}", content.escape_ascii()));
        }
    }

    /// A number that tells this history from others.
    pub(crate) fn digest(&self) -> u64 {
        self.observed().digest.finish()
    }

    /// What happened, line by line.
    pub(crate) fn take_lines(&self) -> Vec<String> {
        self.observed().lines.take().unwrap_or_default()
    }
}

impl CommandListener for History {
    fn command_started(&self, event: &CommandStartedEvent) {
        self.note("command started", format!("{} {} on {}", event.command_name, event.request_id, event.connection.id));
    }

    fn command_succeeded(&self, event: &CommandSucceededEvent) {
        self.note("command succeeded", format!("{} {:?}", event.request_id, event.duration));
    }

    fn command_failed(&self, event: &CommandFailedEvent) {
        self.note("command failed", format!("{} {:?} {}", event.request_id, event.duration, event.failure));
    }
}

impl PoolListener for History {
    fn pool_ready(&self, event: &PoolReadyEvent) {
        self.note("pool ready", event.address.to_string());
    }

    fn pool_cleared(&self, event: &PoolClearedEvent) {
        self.note("pool cleared", format!("{} {}", event.address, event.interrupt_in_use_connections));
    }

    fn connection_ready(&self, event: &ConnectionReadyEvent) {
        self.note("connection ready", format!("{event:?}"));
    }

    fn connection_closed(&self, event: &ConnectionClosedEvent) {
        self.note("connection closed", format!("{event:?}"));
    }
}

impl HeartbeatListener for History {
    fn server_heartbeat_succeeded(&self, event: &ServerHeartbeatSucceededEvent) {
        self.note("heartbeat", format!("{} {:?}", event.server_address, event.duration));
    }

    fn server_heartbeat_failed(&self, event: &ServerHeartbeatFailedEvent) {
        self.note("heartbeat failed", format!("{} {:?} {}", event.server_address, event.duration, event.failure));
    }
}

impl ServerListener for History {
    fn server_description_changed(&self, event: &ServerDescriptionChangedEvent) {
        let (was, is) = (event.previous_description.server_type, event.new_description.server_type);
        self.note("server", format!("{} {was:?} {is:?}", event.address));
    }
}

impl SupervisionListener for History {
    fn supervision(&self, event: &SupervisionEvent) {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = write!(text, "{event:?}");
        self.note("supervision", text);
    }
}
