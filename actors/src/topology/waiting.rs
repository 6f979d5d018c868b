//! Those who wait for a suitable server.

use std::{sync::Arc, time::Instant};

use mongo_actors_protocol::{
    address::ServerAddress,
    sdam::{ServerDescription, TopologyDescription},
    selection::SelectionCriteria,
};
use tokio::sync::oneshot;

use crate::{
    event_publisher::{EventSink, SelectionLog},
    failure::Cause,
    ticket::Ticket,
};

/// Somebody who needs a server.
#[derive(Debug)]
pub(super) enum Seeker {
    /// An operation, which goes on by itself.
    Ticket(Ticket),
    /// Somebody who only wants to know.
    Select { criteria: SelectionCriteria, reply: oneshot::Sender<Result<Arc<ServerDescription>, Cause>> },
}

impl Seeker {
    pub(super) fn criteria(&self) -> &SelectionCriteria {
        match self {
            Self::Ticket(ticket) => &ticket.operation.criteria,
            Self::Select { criteria, .. } => criteria,
        }
    }

    /// The log of the selection of an operation's server.
    pub(super) fn log<'a>(
        &'a self,
        events: &'a EventSink,
        topology: &'a TopologyDescription,
    ) -> Option<SelectionLog<'a>> {
        match self {
            Self::Ticket(ticket) => Some(events.selection(&ticket.operation, topology)),
            Self::Select { .. } => None,
        }
    }

    pub(super) fn deprioritized(&self) -> &[ServerAddress] {
        match self {
            Self::Ticket(ticket) => &ticket.deprioritized,
            Self::Select { .. } => &[],
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        match self {
            Self::Ticket(ticket) => ticket.is_cancelled(),
            Self::Select { reply, .. } => reply.is_closed(),
        }
    }

    pub(super) fn refuse(self, cause: Cause) {
        match self {
            Self::Ticket(ticket) => ticket.fail(cause),
            Self::Select { reply, .. } => drop(reply.send(Err(cause))),
        }
    }
}

/// A seeker and how long it waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) seeker: Seeker,
    pub(super) since: Instant,
    pub(super) until: Instant,
    /// Whether the log says that it waits.
    pub(super) logged: bool,
}

/// The list of those who wait, in the order they came.
#[derive(Debug, Default)]
pub(super) struct WaitingList {
    all: Vec<Waiting>,
    /// Those who have gone are swept out when the list reaches this length.
    sweep_at: usize,
}

/// Sweeping a shorter list is not worth it.
const SHORT: usize = 32;

impl WaitingList {
    pub(super) fn push(&mut self, waiting: Waiting) {
        if self.all.len() >= self.sweep_at.max(SHORT) {
            self.all.retain(|waiting| !waiting.seeker.is_cancelled());
            self.sweep_at = self.all.len() * 2;
        }
        self.all.push(waiting);
    }

    /// When the first of them gives up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.all.iter().map(|waiting| waiting.until).min()
    }

    /// Everyone, for another try. Those who still find nothing are pushed again.
    pub(super) fn take(&mut self) -> Vec<Waiting> {
        std::mem::take(&mut self.all)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Those whose time is up.
    pub(super) fn take_expired(&mut self, now: Instant) -> Vec<Waiting> {
        self.all.extract_if(.., |waiting| waiting.until <= now).collect()
    }
}
