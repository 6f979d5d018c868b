//! The reaper's handlers.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix::{Actor, Handler, Message, Supervised};

use super::{
    abort::abandon,
    debt::{AbandonSession, Debt, KillCursors},
};
use crate::{
    runtime::{Context, SupervisedActor, clock},
    shared::{Gate, Shared, Token},
    ticket::{Reply, Setback, Ticket},
    topology::Execute,
};

/// How long a debt may take to be paid. A server that is gone keeps no cursors.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is owed. It outlives the reaper.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<Mutex<VecDeque<Debt>>>);

impl Ledger {
    fn enter(&self, debt: Debt) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(debt);
    }

    fn take(&self) -> Option<Debt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// Pay everything that is owed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Settle {
    /// Dropped when it was paid or given up.
    pub(crate) done: Option<Token>,
}

/// Enters a debt, and has the reaper pay it. The debt is safe before the reaper hears of it.
pub(crate) fn owe(shared: &Shared, debt: impl Into<Debt>) {
    shared.ledger.enter(debt.into());
    if let Some(reaper) = &*shared.reaper.load() {
        reaper.do_send(Settle { done: None });
    }
}

/// Has the cursor killed that this reply opened, if it did: its caller went away before it came.
pub(crate) fn owe_cursor_of(shared: &Shared, unread: Reply) {
    if let Some(debt) = KillCursors::of_reply(unread) {
        owe(shared, debt);
    }
}

/// Has the cursor killed that this operation was for, if it is bound to a connection: its caller went away before it
/// failed, and nobody else can reach it.
pub(crate) fn owe_cursor_of_failed(setback: Setback) {
    let Some(shared) = setback.lease.as_ref().map(|lease| lease.shared().clone()) else { return };
    if let Some(debt) = KillCursors::of_failed(setback) {
        owe(&shared, debt);
    }
}

/// Kills cursors that nobody will read any more, and aborts transactions that nobody will commit.
pub(crate) struct ReaperActor {
    shared: Arc<Shared>,
    /// The debts that are being paid.
    payments: Gate,
}

impl ReaperActor {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, payments: Gate::default() }
    }

    /// Pays everything. `done` waits for earlier payments as well.
    fn settle(&self, done: Option<Token>) {
        while let Some(debt) = self.shared.ledger.take() {
            match debt {
                Debt::Cursor(debt) => self.kill(*debt),
                Debt::Session(debt) => self.abandon(debt),
            }
        }
        if let Some(done) = done {
            let payments = self.payments.clone();
            tokio::task::spawn_local(async move {
                payments.emptied().await;
                drop(done);
            });
        }
    }

    /// Sends the command. Whether it succeeds changes nothing, but the session must not be used before it ends.
    fn kill(&self, mut debt: KillCursors) {
        if debt.is_lost() {
            return;
        }
        let Some(operation) = debt.operation(clock::now() + PATIENCE) else { return };
        let Some(topology) = self.shared.topology.load_full() else { return };
        let (mut ticket, answer) = Ticket::new(operation, self.shared.gate.enter());
        ticket.session = debt.session.take();
        ticket.lease = debt.lease.take();
        topology.do_send(Execute(ticket));
        let payment = self.payments.enter();
        tokio::task::spawn_local(async move {
            if let Ok(Err(setback)) = answer.await {
                let failure = &setback.failure.cause;
                tracing::debug!(target: "mongo_actors::reaper", server = %debt.server, %failure, "a cursor was not killed");
            }
            drop(payment);
        });
    }

    fn abandon(&self, AbandonSession { session, done }: AbandonSession) {
        let work = abandon(self.shared.clone(), session, clock::now() + PATIENCE);
        let payment = self.payments.enter();
        tokio::task::spawn_local(async move {
            work.await;
            drop((done, payment));
        });
    }
}

impl Actor for ReaperActor {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Context<Self>) {
        self.settle(None);
    }
}

impl Supervised for ReaperActor {}

impl SupervisedActor for ReaperActor {
    fn in_flight(&self) -> usize {
        self.payments.inside()
    }
}

impl Handler<Settle> for ReaperActor {
    type Result = ();

    fn handle(&mut self, Settle { done }: Settle, _: &mut Context<Self>) {
        self.settle(done);
    }
}
