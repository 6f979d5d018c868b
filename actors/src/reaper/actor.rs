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
    shared::{Shared, Token},
    ticket::Ticket,
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

/// Pay everything that is owed. Dropping `done` tells that it was paid or given up.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Settle {
    pub(crate) done: Token,
}

/// Kills cursors that nobody will read any more, and aborts transactions that nobody will commit.
pub(crate) struct ReaperActor {
    shared: Arc<Shared>,
    ledger: Ledger,
}

impl ReaperActor {
    pub(crate) fn new(shared: Arc<Shared>, ledger: Ledger) -> Self {
        Self { shared, ledger }
    }

    fn settle(&self, done: Option<&Token>) {
        while let Some(debt) = self.ledger.take() {
            match debt {
                Debt::Cursor(debt) => self.kill(*debt, done.cloned()),
                Debt::Session(debt) => self.abandon(debt, done.cloned()),
            }
        }
    }

    /// Sends the command. Whether it succeeds changes nothing, but the session must not be used before it ends.
    fn kill(&self, mut debt: KillCursors, done: Option<Token>) {
        let Some(operation) = debt.operation(clock::now() + PATIENCE) else { return };
        let Some(topology) = self.shared.topology.load_full() else { return };
        let (mut ticket, answer) = Ticket::new(operation, self.shared.gate.enter());
        ticket.session = debt.session.take();
        ticket.lease = debt.lease.take();
        topology.do_send(Execute(ticket));
        tokio::task::spawn_local(async move {
            if let Ok(Err(setback)) = answer.await {
                let failure = &setback.failure.cause;
                tracing::debug!(target: "mongo_actors::reaper", server = %debt.server, %failure, "a cursor was not killed");
            }
            drop(done);
        });
    }
}

impl ReaperActor {
    fn abandon(&self, AbandonSession { session, done }: AbandonSession, settled: Option<Token>) {
        let work = abandon(self.shared.clone(), session, clock::now() + PATIENCE);
        tokio::task::spawn_local(async move {
            work.await;
            drop((done, settled));
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

impl SupervisedActor for ReaperActor {}

impl Handler<KillCursors> for ReaperActor {
    type Result = ();

    fn handle(&mut self, debt: KillCursors, _: &mut Context<Self>) {
        self.ledger.enter(Debt::Cursor(Box::new(debt)));
        self.settle(None);
    }
}

impl Handler<AbandonSession> for ReaperActor {
    type Result = ();

    fn handle(&mut self, debt: AbandonSession, _: &mut Context<Self>) {
        self.ledger.enter(Debt::Session(debt));
        self.settle(None);
    }
}

impl Handler<Settle> for ReaperActor {
    type Result = ();

    fn handle(&mut self, Settle { done }: Settle, _: &mut Context<Self>) {
        self.settle(Some(&done));
    }
}
