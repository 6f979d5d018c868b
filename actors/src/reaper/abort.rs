//! Aborting the transaction of a session that was abandoned.

use std::{sync::Arc, time::Instant};

use mongo_actors_protocol::{
    command::{AbortTransaction, Command},
    retry::Retryability,
    selection::SelectionCriteria,
    transaction::Ending,
};

use crate::{
    shared::Shared,
    ticket::{Lease, Operation, SessionUse, Setback, SharedSession, Ticket},
    topology::Execute,
};

/// Aborts the session's transaction if there is one, and ends the session if it `ends`. By `deadline` it is given up: the
/// server aborts by itself in the end.
pub(super) async fn abandon(shared: &Arc<Shared>, session: SharedSession, ends: bool, deadline: Instant) {
    let work = abort(shared, &session, deadline);
    if tokio::time::timeout_at(deadline.into(), work).await.is_err() {
        tracing::debug!(target: "mongo_actors::reaper", "a transaction was not aborted in time");
    }
    session.left_transaction();
    if ends {
        session.end();
    }
}

async fn abort(shared: &Arc<Shared>, session: &SharedSession, deadline: Instant) {
    // An operation that was dropped may still be with the server, and have begun the transaction there.
    session.next_turn(true).await.give_up();
    if session.with(|state| state.transaction.abort()) != Ok(Ending::Send) {
        return;
    }
    let Some(operation) = operation(session, deadline) else { return };
    let Err(setback) = attempt(shared, session, operation).await else { return };
    // As with every abort, the second and last attempt may be made anywhere.
    session.unpin();
    if let Err(setback) = attempt(shared, session, setback.operation).await {
        let failure = &setback.failure.cause;
        tracing::debug!(target: "mongo_actors::reaper", %failure, "a transaction was not aborted on its server");
    }
}

fn operation(session: &SharedSession, deadline: Instant) -> Option<Box<Operation>> {
    let request = AbortTransaction.request().ok()?;
    let mut operation = Box::new(Operation::new(request, SelectionCriteria::Writable));
    operation.retryability = Retryability::Write;
    operation.write_concern = session.with(|state| state.transaction.options().write_concern.clone());
    operation.deadline = Some(deadline);
    Some(operation)
}

async fn attempt(
    shared: &Arc<Shared>,
    session: &SharedSession,
    mut operation: Box<Operation>,
) -> Result<(), Box<Setback>> {
    let turn = session.next_turn(true).await;
    let lease: Option<Lease> = turn.take_pinned();
    let pinned = session.with(|state| state.transaction.pinned().cloned());
    operation.criteria = pinned.map_or(SelectionCriteria::Writable, SelectionCriteria::Address);
    operation.session = SessionUse::Explicit(turn);
    let (mut ticket, answer) = Ticket::new(operation, shared);
    ticket.lease = lease;
    if let Some(topology) = shared.topology.load_full() {
        topology.do_send(Execute(ticket));
    }
    // A ticket that is not answered was lost with the whole tree.
    answer.await.map_or(Ok(()), |answer| answer.map(drop))
}
