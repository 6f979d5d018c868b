//! What the specifications' test format asserts of sessions, and nobody else needs to know.

use mongo_actors_protocol::{address::ServerAddress, transaction::TransactionState};

use super::ClientSession;

#[doc(hidden)]
impl ClientSession {
    /// The router that the transaction is pinned to.
    pub fn pinned_server(&self) -> Option<ServerAddress> {
        self.shared().with(|state| state.transaction.pinned().cloned())
    }

    /// Whether the transaction is pinned to a router, or behind a load balancer to a connection.
    pub fn is_pinned(&self) -> bool {
        self.pinned_server().is_some() || self.shared().has_connection()
    }

    /// Whether a network error makes the server session unfit for another use.
    pub fn is_dirty(&self) -> bool {
        self.shared().with(|state| state.server().is_some_and(|server| server.is_dirty()))
    }

    /// The state of the transaction, as the specification names it.
    pub fn transaction_state_name(&self) -> &'static str {
        self.shared().with(|state| match state.transaction.state() {
            TransactionState::None => "none",
            TransactionState::Starting => "starting",
            TransactionState::InProgress => "in_progress",
            TransactionState::Committed { .. } => "committed",
            TransactionState::Aborted => "aborted",
        })
    }
}
