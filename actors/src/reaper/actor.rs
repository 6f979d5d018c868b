//! The reaper's handlers.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use actix::{Actor, Handler, Message, Supervised};
use futures_util::future::join_all;

use super::{
    abort::abandon,
    cursors::kill,
    debt::{AbandonSession, Debt, KillCursors},
    tidy::tidy,
};
use crate::{
    runtime::{Context, SupervisedActor, clock},
    shared::{Gate, Shared, Token},
    ticket::{Reply, Setback},
};

/// How long a debt may take to be paid. A server that is gone keeps no cursors.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long a debt waits that its server may settle by itself.
const GRACE: Duration = Duration::from_secs(1);

/// What is owed. It outlives the reaper.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<Mutex<VecDeque<Entry>>>);

#[derive(Debug)]
struct Entry {
    debt: Debt,
    /// When it is to be paid; none until the reaper has seen it.
    due: Option<Instant>,
}

impl Ledger {
    fn enter(&self, debt: Debt) {
        self.entries().push_back(Entry { debt, due: None });
    }

    /// Enters a debt that could not be paid and is tried again at `due`.
    pub(super) fn enter_again(&self, debt: Debt, due: Instant) {
        self.entries().push_back(Entry { debt, due: Some(due) });
    }

    /// Takes the first debt that is due.
    fn take_due(&self, now: Instant) -> Option<Debt> {
        let mut entries = self.entries();
        let is_due = |entry: &mut Entry| {
            let patience = if entry.debt.is_patient() { GRACE } else { Duration::ZERO };
            *entry.due.get_or_insert(now + patience) <= now
        };
        let index = entries.iter_mut().position(is_due)?;
        entries.remove(index).map(|entry| entry.debt)
    }

    /// Takes the first debt, due or not.
    fn take(&self) -> Option<Debt> {
        self.entries().pop_front().map(|entry| entry.debt)
    }

    /// When the next debt is due, of those that the reaper has seen.
    fn next_due(&self) -> Option<Instant> {
        self.entries().iter().filter_map(|entry| entry.due).min()
    }

    fn entries(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Pay what is due; with a token, everything that is owed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Settle {
    /// Dropped when it was paid or given up.
    pub(crate) done: Option<Token>,
}

/// Enters a debt, and has the reaper pay it. The debt is safe before the reaper hears of it. Of a cursor that has ended
/// with its connection nothing is owed: the connection goes back at once.
pub(crate) fn owe(shared: &Shared, debt: impl Into<Debt>) {
    let debt = debt.into();
    if debt.is_lost() {
        return;
    }
    shared.ledger.enter(debt);
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

/// Pays what is still owed, in the place of a reaper that has not done so in time.
pub(crate) async fn settle_rest(shared: &Arc<Shared>) {
    loop {
        let rest: Vec<_> = std::iter::from_fn(|| shared.ledger.take()).collect();
        if rest.is_empty() {
            return;
        }
        join_all(rest.into_iter().map(|debt| pay(shared, debt))).await;
    }
}

async fn pay(shared: &Arc<Shared>, debt: Debt) {
    match debt {
        Debt::Cursor(debt, attempt) => kill(shared, *debt, attempt).await,
        Debt::Session(AbandonSession { session, ends, done }) => {
            abandon(shared, session, ends, clock::now() + PATIENCE).await;
            drop(done);
        }
        Debt::Tidy(debt) => tidy(shared, debt).await,
    }
}

/// Kills cursors that nobody will read any more, aborts transactions that nobody will commit, and takes back uploads that
/// nobody will finish.
pub(crate) struct ReaperActor {
    shared: Arc<Shared>,
    /// The debts that are being paid.
    payments: Gate,
}

impl ReaperActor {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, payments: Gate::default() }
    }

    /// Pays what is due.
    fn settle_due(&self, ctx: &mut Context<Self>) {
        let now = clock::now();
        while let Some(debt) = self.shared.ledger.take_due(now) {
            self.pay(debt);
        }
        ctx.set_deadline(self.shared.ledger.next_due());
    }

    /// Pays everything. `done` waits for earlier payments as well.
    fn settle_all(&self, done: Token) {
        while let Some(debt) = self.shared.ledger.take() {
            self.pay(debt);
        }
        let payments = self.payments.clone();
        tokio::task::spawn_local(async move {
            payments.emptied().await;
            drop(done);
        });
    }

    fn pay(&self, debt: Debt) {
        let (payment, shared) = (self.payments.enter(), self.shared.clone());
        tokio::task::spawn_local(async move {
            pay(&shared, debt).await;
            drop(payment);
            if let (Some(reaper), Some(_)) = (&*shared.reaper.load(), shared.ledger.next_due()) {
                // It may have to be paid again.
                reaper.do_send(Settle { done: None });
            }
        });
    }
}

impl Actor for ReaperActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.settle_due(ctx);
    }
}

impl Supervised for ReaperActor {}

impl SupervisedActor for ReaperActor {
    fn deadline_reached(&mut self, ctx: &mut Context<Self>) {
        self.settle_due(ctx);
    }

    fn in_flight(&self) -> usize {
        self.payments.inside()
    }
}

impl Handler<Settle> for ReaperActor {
    type Result = ();

    fn handle(&mut self, Settle { done }: Settle, ctx: &mut Context<Self>) {
        match done {
            Some(done) => self.settle_all(done),
            None => self.settle_due(ctx),
        }
    }
}
