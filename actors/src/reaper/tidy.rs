//! Taking back what was begun and will not be finished.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{actor::PATIENCE, cursors::may_pass, debt::Tidy};
use crate::{
    failure::Cause,
    runtime::clock,
    shared::Shared,
    ticket::{Operation, Ticket},
    topology::Execute,
};

/// Before the command is sent again. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Waits for what is under way, which ends by itself, then sends the command until a server has answered or there is no more
/// patience.
pub(super) async fn tidy(shared: &Arc<Shared>, debt: Tidy) {
    let Tidy { after, operation } = debt;
    let is_needed = match after {
        Some(after) => after.await,
        None => true,
    };
    if is_needed {
        let deadline = clock::now() + PATIENCE;
        let work = repeat(shared, &operation, deadline);
        if tokio::time::timeout_at(deadline.into(), work).await.is_err() {
            let command = &operation.request.name;
            tracing::debug!(target: "mongo_actors::reaper", %command, "something was not taken back in time");
        }
    }
}

async fn repeat(shared: &Arc<Shared>, operation: &Operation, deadline: Instant) {
    let mut pause = FIRST_PAUSE;
    while let Err(cause) = attempt(shared, operation, deadline).await {
        let is_elsewhere = matches!(&cause, Cause::Command(error) if error.is_state_change());
        if !may_pass(&cause) && !is_elsewhere {
            tracing::debug!(target: "mongo_actors::reaper", %cause, "something was not taken back");
            return;
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

async fn attempt(shared: &Arc<Shared>, operation: &Operation, deadline: Instant) -> Result<(), Cause> {
    let operation = Operation { deadline: Some(deadline), ..operation.clone() };
    let (ticket, answer) = Ticket::new(Box::new(operation), shared);
    match shared.topology.load_full() {
        Some(topology) => topology.do_send(Execute(ticket)),
        None => ticket.fail(Cause::Abandoned),
    }
    match answer.await {
        Ok(answer) => answer.map(drop).map_err(|setback| setback.failure.cause),
        // It was lost with the whole tree.
        Err(_) => Err(Cause::Abandoned),
    }
}
