//! What operations need of the session that they run in.

use std::sync::Weak;

use mongo_actors_engine::SharedSession;
use mongo_actors_protocol::{retry::Budget, selection::SelectionCriteria};

use crate::{
    client::Client,
    error::{Error, Result},
};

/// A session as operations see it, given to them or bound to the scope around them.
#[derive(Clone)]
pub(crate) struct SessionHandle {
    pub(super) client: Client,
    pub(super) shared: SharedSession,
    pub(super) limit: Option<Limit>,
}

/// The time that all operations of a session have together while `with_transaction` runs.
#[derive(Clone)]
pub(super) struct Limit {
    pub(super) budget: Budget,
    /// It holds for as long as this has a strong count.
    pub(super) holds: Weak<()>,
}

impl SessionHandle {
    pub(crate) fn shared(&self) -> &SharedSession {
        &self.shared
    }

    /// The time that is left for operations in it, while `with_transaction` runs.
    pub(crate) fn budget(&self) -> Budget {
        match &self.limit {
            Some(limit) if limit.holds.strong_count() > 0 => limit.budget,
            _ => Budget::Unset,
        }
    }

    /// Whether an operation of `client`, which was given the session or is in its scope, may run in it.
    pub(crate) fn check_usable_by(&self, client: &Client, given: bool) -> Result<()> {
        if !self.client.ptr_eq(client) {
            return Err(match given {
                true => Error::invalid_argument(
                    "session",
                    "it was started by another client: start one with the client of this operation",
                ),
                false => Error::invalid_operation(
                    "the scope around it is bound to a session of another client: give it a session of its own client, or \
                     run it outside of the scope",
                ),
            });
        }
        self.check_alive()
    }

    pub(crate) fn check_alive(&self) -> Result<()> {
        match self.shared.has_ended() {
            true => Err(Error::invalid_operation("the session has ended: start another one")),
            false => Ok(()),
        }
    }

    pub(crate) fn in_transaction(&self) -> bool {
        self.shared.in_transaction()
    }

    /// Where reads of the transaction go, if that was said.
    pub(crate) fn transaction_criteria(&self) -> Option<SelectionCriteria> {
        self.shared.with(|state| state.transaction.options().selection_criteria.clone())
    }
}
