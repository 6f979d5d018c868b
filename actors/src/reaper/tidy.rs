//! Taking back what was begun and will not be finished.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{cursors::may_pass, debt::Tidy};
use crate::{
    failure::Cause,
    shared::Shared,
    ticket::{Operation, Setback, Ticket},
    topology::Execute,
};

/// Before the command is sent again. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Waits for what is under way, then sends the command until a server has answered. By `deadline` it is given up.
pub(super) async fn tidy(shared: &Arc<Shared>, debt: Tidy, deadline: Instant) {
    let Tidy { after, operation } = debt;
    let command = operation.request.name.clone();
    let work = async {
        let is_needed = match after {
            Some(after) => after.await,
            None => true,
        };
        if is_needed {
            repeat(shared, operation, deadline).await;
        }
    };
    if tokio::time::timeout_at(deadline.into(), work).await.is_err() {
        tracing::debug!(target: "mongo_actors::reaper", %command, "something was not taken back in time");
    }
}

async fn repeat(shared: &Arc<Shared>, mut operation: Box<Operation>, deadline: Instant) {
    operation.deadline = Some(deadline);
    let mut pause = FIRST_PAUSE;
    loop {
        let Err(setback) = attempt(shared, operation).await else { return };
        let cause = &setback.failure.cause;
        let is_elsewhere = matches!(cause, Cause::Command(error) if error.is_state_change());
        if !may_pass(cause) && !is_elsewhere {
            tracing::debug!(target: "mongo_actors::reaper", failure = %cause, "something was not taken back");
            return;
        }
        operation = setback.operation;
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

async fn attempt(shared: &Arc<Shared>, operation: Box<Operation>) -> Result<(), Box<Setback>> {
    let (ticket, answer) = Ticket::new(operation, shared);
    match shared.topology.load_full() {
        Some(topology) => topology.do_send(Execute(ticket)),
        None => ticket.fail(Cause::Abandoned),
    }
    // A ticket that is not answered was lost with the whole tree.
    answer.await.map_or(Ok(()), |answer| answer.map(drop))
}
