//! Events as structured log messages.
//!
//! Follows the logging specification, and those of the components: commands, connections, server selection, topology.
//! Messages go to the `tracing` subscriber that was in force where the client was made. As long as it wants none, they
//! are not even built.

mod command;
mod pool;
mod selection;
mod topology;

use std::{env, sync::RwLock, time::Duration};

use bson::oid::ObjectId;
use mongo_actors_protocol::{
    event::{MAX_LOG_DOCUMENT_VARIABLE, max_log_document_len},
    sdam::SdamEvent,
};
use tracing::{
    Dispatch, Level,
    dispatcher::{get_default, with_default},
    subscriber::NoSubscriber,
};

use super::Event;

pub(crate) use self::selection::SelectionLog;

const COMMAND: &str = "mongo_actors::command";
const CONNECTION: &str = "mongo_actors::connection";
const SERVER_SELECTION: &str = "mongo_actors::server_selection";
const TOPOLOGY: &str = "mongo_actors::topology";

/// Where a client's messages go.
pub(super) struct Log {
    /// None if there was no subscriber.
    dispatch: Option<Dispatch>,
    max_document_len: usize,
    /// Heartbeats do not say which topology they belong to.
    topology: RwLock<Option<ObjectId>>,
}

impl Log {
    /// A log for a client that is made here. Without a limit for documents, the environment's is used.
    pub(super) fn new(max_document_len: Option<usize>) -> Self {
        let from_environment = || max_log_document_len(env::var(MAX_LOG_DOCUMENT_VARIABLE).ok().as_deref());
        Self {
            dispatch: get_default(|dispatch| (!dispatch.is::<NoSubscriber>()).then(|| dispatch.clone())),
            max_document_len: max_document_len.unwrap_or_else(from_environment),
            topology: RwLock::default(),
        }
    }

    /// Whether the subscriber wants messages on commands.
    pub(super) fn wants_commands(&self) -> bool {
        self.ask(|| tracing::enabled!(target: COMMAND, Level::DEBUG))
    }

    /// Whether the subscriber wants messages on connection pools.
    pub(super) fn wants_pools(&self) -> bool {
        self.ask(|| tracing::enabled!(target: CONNECTION, Level::DEBUG))
    }

    fn ask(&self, is_enabled: impl FnOnce() -> bool) -> bool {
        let dispatch = self.dispatch.as_ref().filter(|_| tracing::level_enabled!(Level::DEBUG));
        dispatch.is_some_and(|dispatch| with_default(dispatch, is_enabled))
    }

    /// Writes the message of `event`.
    pub(super) fn write(&self, event: &Event) {
        let Some(dispatch) = self.dispatch.as_ref().filter(|_| tracing::level_enabled!(Level::DEBUG)) else { return };
        with_default(dispatch, || match event {
            Event::Command(event) => command::write(event, self.max_document_len),
            Event::Pool(event) => pool::write(event),
            Event::Heartbeat(event) => topology::write_heartbeat(event, self.topology_id(), self.max_document_len),
            Event::Sdam(event) => {
                self.remember_topology(event);
                topology::write(event);
            }
            // The runtime has written it where it happened.
            Event::Supervision(_) => {}
        });
    }

    /// Writes a message on server selection.
    pub(super) fn write_selection(&self, write: impl FnOnce()) {
        if let Some(dispatch) = self.dispatch.as_ref().filter(|_| tracing::level_enabled!(Level::INFO)) {
            with_default(dispatch, write);
        }
    }

    fn remember_topology(&self, event: &SdamEvent) {
        if let SdamEvent::TopologyOpening { topology_id } = event {
            *self.topology.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(*topology_id);
        }
    }

    fn topology_id(&self) -> Option<ObjectId> {
        *self.topology.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Milliseconds, with their fraction.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
