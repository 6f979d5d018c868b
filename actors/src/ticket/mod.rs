//! The operation in flight: one owned value that carries the request and its reply end.
//!
//! Accepts: an operation of the façade, and the caller's reply end.
//! Sends: exactly one answer.
//! Owns: the request, and whatever the operation has got hold of so far: session, load slot, lease.
//! Invariant: a ticket that is dropped answers, with the stage it had reached.
//! If it dies: that is its answer.

mod answer;
mod explicit;
mod lease;
mod load;
mod operation;
mod session;

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use mongo_actors_protocol::{
    address::ServerAddress,
    cmap::Purpose,
    retry::{Retryability, Stage},
    sdam::ServerDescription,
};
use tokio::sync::oneshot;

pub(crate) use self::session::SessionHome;
pub use self::{
    answer::{Answer, Pending, Reply, Setback, Unanswered},
    explicit::{Attempting, SessionMark, SharedSession, Turn},
    lease::{ConnectionInfo, Lease},
    operation::{Limits, Operation, SessionUse},
    session::HeldSession,
};
pub(crate) use self::{
    lease::PooledConnection,
    load::{Load, LoadSlot},
};
use crate::{
    failure::{Cause, Failure},
    reaper,
    runtime::clock,
    shared::{GatePass, Shared},
};

/// The only handle of an operation in flight. It moves forward from room to room; the last one answers.
///
/// Dropping it answers [`Cause::Abandoned`] with the stage it had reached.
#[derive(Debug)]
pub(crate) struct Ticket(Option<Box<Slip>>);

/// What a ticket carries.
#[derive(Debug)]
pub(crate) struct Slip {
    /// What is asked for.
    pub operation: Box<Operation>,
    /// Servers on which earlier attempts failed: used only when there is no other.
    pub deprioritized: Vec<ServerAddress>,
    /// The server session, once the operation has one of its own: see [`SessionUse`].
    pub session: Option<HeldSession>,
    /// The transaction number, once assigned; kept through every attempt.
    pub txn_number: Option<i64>,
    /// Whether a connection had to authenticate anew for it: this happens once.
    pub(crate) reauthenticated: bool,
    /// How far it has come.
    pub stage: Stage,
    /// The server it was routed to, once selected.
    pub server: Option<Arc<ServerDescription>>,
    /// The connection it holds, once checked out (or from the beginning, for a pinned one).
    pub lease: Option<Lease>,
    /// Its place among the operations in flight on its server.
    pub(crate) load: Option<LoadSlot>,
    /// When it entered the engine.
    pub(crate) entered: Instant,
    /// Before the pass: when the gate is empty, the recording knows of every end.
    #[cfg(feature = "chaos")]
    _taken: Option<crate::chaos::Taken>,
    _pass: GatePass,
    reply: oneshot::Sender<Answer>,
}

impl Ticket {
    /// A ticket for one attempt of `operation`, and where its answer will come.
    pub(crate) fn new(operation: Box<Operation>, shared: &Shared) -> (Self, oneshot::Receiver<Answer>) {
        let (reply, answer) = oneshot::channel();
        let slip = Slip {
            operation,
            deprioritized: Vec::new(),
            session: None,
            txn_number: None,
            reauthenticated: false,
            stage: Stage::Queued,
            server: None,
            lease: None,
            load: None,
            entered: clock::now(),
            #[cfg(feature = "chaos")]
            _taken: shared.registry.chaos.took(mongo_actors_protocol::chaos::Resource::Ticket),
            _pass: shared.gate.enter(),
            reply,
        };
        (Self(Some(Box::new(slip))), answer)
    }

    /// Whether the caller has gone.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.reply.is_closed()
    }

    /// Ready once the caller has gone; otherwise wakes the task when it goes.
    pub(crate) fn poll_cancelled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.reply.poll_closed(cx)
    }

    /// Whether a network error now would have the caller repeat the operation, so that nothing is lost by giving it up.
    pub(crate) fn will_be_repeated(&self) -> bool {
        !self.operation.last_attempt
            && match self.operation.retryability {
                Retryability::None => false,
                Retryability::Read => true,
                Retryability::Write => self.txn_number.is_some(),
            }
    }

    /// Forgets the server that was selected. Only for a ticket of which nothing was sent.
    pub(crate) fn unroute(&mut self) {
        self.stage = Stage::Queued;
        self.server = None;
        self.load = None;
    }

    /// Answers with the server's reply. Gives back the lease and the load slot first, unless the reply keeps them.
    /// Returns the reply if the caller is gone.
    pub(crate) fn succeed(mut self, reply: Reply) -> Option<Reply> {
        let mut slip = self.0.take()?;
        drop(slip.load.take());
        drop(slip.return_lease());
        slip.reply.send(Ok(reply)).err()?.ok()
    }

    /// Answers with a failure. Gives back the lease and the load slot first.
    pub(crate) fn fail(mut self, cause: Cause) {
        if let Some(slip) = self.0.take() {
            slip.fail(cause);
        }
    }
}

impl Slip {
    /// Gives the connection back, and the explicit session, which may keep the connection. That of a cursor is returned:
    /// it is the cursor's.
    fn return_lease(&mut self) -> Option<Lease> {
        let of_cursor = self.lease.take_if(|lease| lease.purpose() == Purpose::Cursor);
        let lease = self.lease.take();
        match &self.operation.session {
            SessionUse::Explicit(turn) => turn.conclude(self.stage, lease),
            SessionUse::Implicit | SessionUse::None => drop(lease),
        }
        of_cursor
    }

    fn fail(mut self, cause: Cause) {
        let connection = self.lease.as_ref().map(|lease| lease.info().clone());
        if let (Cause::Abandoned, Stage::Writing | Stage::Written, Some(lease)) = (&cause, self.stage, &mut self.lease)
        {
            // Whoever used the connection next would read this operation's reply.
            lease.mark_broken();
        }
        drop(self.load.take());
        let lease = self.return_lease();
        let failure = Failure { cause, server: self.server.take(), connection, stage: self.stage };
        let setback = Setback {
            failure,
            operation: self.operation,
            session: self.session,
            txn_number: self.txn_number,
            deprioritized: self.deprioritized,
            lease,
        };
        if let Err(Err(unheard)) = self.reply.send(Err(Box::new(setback))) {
            reaper::owe_cursor_of_failed(*unheard);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(slip) = self.0.take() {
            slip.fail(Cause::Abandoned);
        }
    }
}

const ANSWERED: &str = "a ticket is empty only after it was answered, which consumes it";

impl Deref for Ticket {
    type Target = Slip;

    fn deref(&self) -> &Slip {
        self.0.as_deref().expect(ANSWERED)
    }
}

impl DerefMut for Ticket {
    fn deref_mut(&mut self) -> &mut Slip {
        self.0.as_deref_mut().expect(ANSWERED)
    }
}
