//! Messages on server selection.

use std::time::Duration;

use mongo_actors_protocol::{
    address::ServerAddress,
    sdam::TopologyDescription,
    selection::{SelectionCriteria, SelectionError},
};
use tracing::{debug, info};

use super::{Log, SERVER_SELECTION};

/// Writes what becomes of one selection.
pub(crate) struct SelectionLog<'a> {
    pub(in crate::event_publisher) log: &'a Log,
    pub(crate) operation: &'a str,
    pub(crate) operation_id: i64,
    pub(crate) criteria: &'a SelectionCriteria,
    pub(crate) topology: &'a TopologyDescription,
}

/// Writes the fields that all messages on server selection have, and then some.
macro_rules! message {
    ($level:ident, $this:expr, $($rest:tt)*) => {
        $this.log.write_selection(|| $level!(
            target: SERVER_SELECTION,
            selector = %$this.criteria,
            operationId = $this.operation_id,
            operation = $this.operation,
            topologyDescription = %$this.topology,
            $($rest)*
        ))
    };
}

impl SelectionLog<'_> {
    pub(crate) fn started(&self) {
        message!(debug, self, "Server selection started");
    }

    pub(crate) fn waiting(&self, remaining: Duration) {
        let remaining = u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX);
        message!(info, self, remainingTimeMS = remaining, "Waiting for suitable server to become available");
    }

    pub(crate) fn succeeded(&self, server: &ServerAddress) {
        let (host, port) = (server.host(), server.port());
        message!(debug, self, serverHost = &*host, serverPort = port, "Server selection succeeded");
    }

    pub(crate) fn failed(&self, error: &SelectionError) {
        message!(debug, self, failure = %error, "Server selection failed");
    }
}
