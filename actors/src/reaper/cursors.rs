//! Killing a cursor that was abandoned.

use std::{sync::Arc, time::Duration};

use super::{
    actor::PATIENCE,
    debt::{Debt, KillCursors},
};
use crate::{failure::Cause, runtime::clock, shared::Shared, ticket::Ticket, topology::Execute};

/// How often the command is sent at most: an attempt may die with an actor, a connection or the whole tree.
const ATTEMPTS: u32 = 10;
/// Before it is sent for the second time. It doubles with each, so that the attempts outlast a time of many faults.
const FIRST_PAUSE: Duration = Duration::from_millis(300);
/// How long an attempt waits for a server that is gone, probably with its cursors.
const LAST_HOPE: Duration = Duration::from_millis(500);
/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// Sends the command. What a server answers changes nothing, but the session must not be used before that. Without an
/// answer it is owed again.
pub(super) async fn kill(shared: &Arc<Shared>, mut debt: KillCursors, attempt: u32) {
    if debt.is_lost() {
        return;
    }
    let is_bound = debt.lease.is_some();
    let Some(cause) = send(shared, &mut debt).await else { return };
    if is_bound && debt.lease.is_none() {
        // With its connection a bound cursor has ended.
        return;
    }
    if attempt < ATTEMPTS && may_pass(&cause) {
        let pause = (FIRST_PAUSE * 2_u32.pow(attempt - 1)).min(LAST_PAUSE);
        return shared.ledger.enter_again(Debt::Cursor(Box::new(debt), attempt + 1), clock::now() + pause);
    }
    tracing::debug!(target: "mongo_actors::reaper", server = %debt.server, %cause, "a cursor was not killed");
    #[cfg(feature = "chaos")]
    note_end(shared, &debt, &cause);
}

/// Whether the server can be told anything now.
fn is_within_reach(shared: &Shared, debt: &KillCursors) -> bool {
    debt.lease.is_some() || shared.description.load().server(&debt.server).is_some_and(|server| server.is_known())
}

/// What the attempt failed of; none when it did not.
async fn send(shared: &Arc<Shared>, debt: &mut KillCursors) -> Option<Cause> {
    let now = clock::now();
    let mut operation = debt.operation(now, PATIENCE)?;
    if !is_within_reach(shared, debt) {
        operation.deadline = operation.deadline.map(|deadline| deadline.min(now + LAST_HOPE));
    }
    let (mut ticket, answer) = Ticket::new(operation, shared);
    (ticket.session, ticket.lease) = (debt.session.take(), debt.lease.take());
    match shared.topology.load_full() {
        Some(topology) => topology.do_send(Execute(ticket)),
        None => ticket.fail(Cause::Abandoned),
    }
    match answer.await {
        Ok(Ok(_)) => None,
        Ok(Err(setback)) => {
            (debt.session, debt.lease) = (setback.session, setback.lease.filter(|lease| lease.is_usable()));
            Some(setback.failure.cause)
        }
        Err(_) => Some(Cause::Abandoned),
    }
}

/// Whether another attempt may end otherwise.
pub(super) fn may_pass(cause: &Cause) -> bool {
    use Cause::{Abandoned, CheckOut, DeadlinePassed, Interrupted, Network, Reply, SocketTimeout, Wire};
    matches!(
        cause,
        Abandoned | CheckOut(_) | DeadlinePassed | Interrupted | Network(_) | Reply(_) | SocketTimeout { .. } | Wire(_)
    )
}

/// With a server that is gone, its cursors are.
#[cfg(feature = "chaos")]
fn note_end(shared: &Shared, debt: &KillCursors, cause: &Cause) {
    let is_unreachable = matches!(cause, Cause::CheckOut(_) | Cause::Selection(_) | Cause::Network(_));
    let is_known = shared.description.load().server(&debt.server).is_some_and(|server| server.is_known());
    if is_unreachable || !is_known {
        shared.registry.chaos.cursor_ended(&debt.server, debt.cursor_id);
    }
}
