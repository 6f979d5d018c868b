//! An explicit session, which its handle and the one attempt that is made in it share.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use mongo_actors_protocol::{
    cmap::Purpose,
    command::Envelope,
    retry::Stage,
    sdam::ServerDescription,
    session::{ServerSession, SessionOptions, SessionState},
    transaction::TransactionError,
};
use tokio::sync::Notify;

use super::{lease::Lease, session::HeldSession};

/// An explicit session. When the last clone is gone, its server session goes back to the pool.
///
/// One attempt at a time may be made in it; who makes one has the [`Turn`].
#[derive(Clone)]
pub struct SharedSession(Arc<Cell>);

/// Tells a session from others without keeping it.
#[derive(Clone, Debug)]
pub struct SessionMark(Weak<Cell>);

struct Cell {
    inner: Mutex<Inner>,
    /// Told whenever a turn is over.
    over: Notify,
}

struct Inner {
    state: SessionState,
    /// Where the server session returns to: the holder it came in, which is empty meanwhile.
    home: Option<HeldSession>,
    user: User,
    turns: u64,
    /// No operation may use it any more.
    ended: bool,
    /// Its transaction was left, and is aborted in the background: everybody else waits for that.
    leaving: bool,
    /// The connection that a transaction behind a load balancer is bound to, while no attempt uses it.
    pinned: Option<Lease>,
}

/// Who uses the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum User {
    Nobody,
    /// An attempt is on its way to a connection; `leased` when it has the connection already, and so never waits long.
    Waiting {
        turn: u64,
        leased: bool,
    },
    /// A connection has taken it up. It may be with the server until the attempt has ended.
    Taken {
        turn: u64,
        replied: bool,
    },
}

/// How long an operation waits for a transaction to be aborted that was left before. The reaper takes less, unless it
/// cannot be kept alive.
const LEAVING_LIMIT: Duration = Duration::from_secs(15);

/// The right to make one attempt in a session.
#[derive(Clone)]
pub struct Turn {
    session: SharedSession,
    number: u64,
    /// Whether it commits or aborts a transaction.
    pub(crate) ending: bool,
}

/// Gives an attempt up when it is dropped; see [`Turn::give_up`]. Of no effect once the attempt has ended.
#[derive(Debug)]
#[must_use = "dropping it gives the attempt up"]
pub struct Attempting(Turn);

impl Drop for Attempting {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

impl SharedSession {
    /// A session that begins with this server session.
    pub fn new(options: &SessionOptions, mut held: HeldSession) -> Self {
        let state = SessionState::new(options, held.take());
        let inner =
            Inner { state, home: Some(held), user: User::Nobody, turns: 0, ended: false, leaving: false, pinned: None };
        Self(Arc::new(Cell { inner: Mutex::new(inner), over: Notify::new() }))
    }

    /// Looks at the session, or changes it. For a moment only.
    pub fn with<R>(&self, look: impl FnOnce(&mut SessionState) -> R) -> R {
        look(&mut self.lock().state)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no attempt is under way in the session, and takes the turn for the next one. `ending` for commands
    /// that commit or abort its transaction.
    ///
    /// # Cancel safety
    /// Dropping it leaves the session as it is.
    pub async fn turn(&self, ending: bool) -> Turn {
        self.settled().await;
        self.next_turn(ending).await
    }

    /// The same without waiting for a transaction that was left: for who aborts that.
    pub(crate) async fn next_turn(&self, ending: bool) -> Turn {
        loop {
            let over = self.0.over.notified();
            if let Some(turn) = self.try_turn(ending) {
                return turn;
            }
            over.await;
        }
    }

    /// Waits until no attempt is under way in the session.
    ///
    /// # Cancel safety
    /// Dropping it leaves the session as it is.
    pub async fn idle(&self) {
        self.turn(false).await.give_up();
    }

    /// Waits until a transaction that was left has been aborted.
    ///
    /// # Cancel safety
    /// Dropping it leaves the session as it is.
    pub async fn settled(&self) {
        if !self.lock().leaving {
            return;
        }
        let settled = async {
            loop {
                let over = self.0.over.notified();
                if !self.lock().leaving {
                    return;
                }
                over.await;
            }
        };
        if tokio::time::timeout(LEAVING_LIMIT, settled).await.is_err() {
            self.left_transaction();
        }
    }

    /// Whether operations belong to a transaction now.
    pub fn in_transaction(&self) -> bool {
        let inner = self.lock();
        inner.state.transaction.is_active() && !inner.leaving
    }

    /// Leaves the active transaction, which somebody is to abort, and to call [`left_transaction`](Self::left_transaction)
    /// then. False when there is none.
    pub(crate) fn leave_transaction(&self) -> bool {
        let mut inner = self.lock();
        let leaves = inner.state.transaction.is_active() && !inner.leaving;
        inner.leaving |= leaves;
        leaves
    }

    /// The transaction that was left has been aborted, or will be by the server itself.
    pub(crate) fn left_transaction(&self) {
        let mut inner = self.lock();
        if std::mem::take(&mut inner.leaving) {
            // It has no effect when the command was sent.
            let _ending = inner.state.transaction.abort();
        }
        inner.release_if_ended();
        drop(inner);
        self.0.over.notify_waiters();
    }

    fn try_turn(&self, ending: bool) -> Option<Turn> {
        let mut inner = self.lock();
        if inner.user != User::Nobody {
            return None;
        }
        inner.turns += 1;
        let number = inner.turns;
        inner.user = User::Waiting { turn: number, leased: false };
        Some(Turn { session: self.clone(), number, ending })
    }

    /// Whether it keeps a connection, for a transaction behind a load balancer.
    #[doc(hidden)]
    pub fn has_connection(&self) -> bool {
        self.lock().pinned.is_some()
    }

    /// Whether its transaction is, or may come to be, bound to one connection.
    pub(crate) fn is_bound(&self) -> bool {
        self.with(|state| state.transaction.is_bound())
    }

    /// An operation other than commit and abort begins; see
    /// [`Transaction::begin_operation`](mongo_actors_protocol::transaction::Transaction::begin_operation).
    ///
    /// # Errors
    /// [`TransactionError`] when the transaction can only be aborted.
    pub fn begin_operation(&self) -> Result<(), TransactionError> {
        let mut inner = self.lock();
        inner.state.transaction.begin_operation()?;
        let bound = inner.state.transaction.is_bound();
        let lease = inner.pinned.take_if(|_| !bound);
        drop(inner);
        drop(lease);
        Ok(())
    }

    /// The transaction may use any router or connection from now on.
    pub fn unpin(&self) {
        let mut inner = self.lock();
        inner.state.transaction.unpin();
        // The lease's drop sends a message: not under the lock.
        let lease = inner.pinned.take();
        drop(inner);
        drop(lease);
    }

    /// Whether somebody has to abort its transaction, or to wait for an attempt under way, before it can be ended.
    pub(crate) fn is_busy(&self) -> bool {
        let inner = self.lock();
        !inner.ended && (inner.user != User::Nobody || inner.state.transaction.is_active())
    }

    /// Ends the session. Its server session goes back to the pool, at once or when the attempt under way has ended.
    pub fn end(&self) {
        let mut inner = self.lock();
        inner.ended = true;
        inner.release_if_ended();
        let leaving = inner.leaving;
        drop(inner);
        if !leaving {
            self.unpin();
        }
    }

    /// Whether it was ended.
    pub fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// What tells this session from others.
    pub fn mark(&self) -> SessionMark {
        SessionMark(Arc::downgrade(&self.0))
    }
}

impl SessionMark {
    /// Whether it is the mark of `session`.
    pub fn is_of(&self, session: &SharedSession) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&session.0))
    }

    /// The session, if it still exists.
    pub fn session(&self) -> Option<SharedSession> {
        self.0.upgrade().map(SharedSession)
    }
}

impl User {
    /// Whether the attempt `number` may be sent: for the first time, or once more because its connection had to
    /// authenticate anew.
    fn may_send(self, number: u64) -> bool {
        matches!(self, Self::Waiting { turn, .. } | Self::Taken { turn, .. } if turn == number)
    }
}

impl Inner {
    /// Gives the server session back to the pool once the session has ended and nothing is done in it.
    fn release_if_ended(&mut self) {
        if self.ended && !self.leaving && self.user == User::Nobody {
            self.release();
        }
    }

    /// Gives the server session back to the pool.
    fn release(&mut self) {
        if let (Some(mut home), Some(server)) = (self.home.take(), self.state.end()) {
            home.put(server);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.release();
    }
}

impl Turn {
    /// The session.
    pub fn session(&self) -> &SharedSession {
        &self.session
    }

    /// The connection that the session's transaction is bound to, for this attempt.
    pub fn take_pinned(&self) -> Option<Lease> {
        let mut inner = self.session.lock();
        let lease = inner.pinned.take();
        if lease.is_some() && inner.user == (User::Waiting { turn: self.number, leased: false }) {
            inner.user = User::Waiting { turn: self.number, leased: true };
        }
        lease
    }

    /// Gives the attempt up when it is dropped.
    pub fn attempting(&self) -> Attempting {
        Attempting(self.clone())
    }

    /// The caller has gone. If no connection has taken up the attempt, it is not made, and the session is free;
    /// otherwise whoever has it will answer for it.
    pub fn give_up(&self) {
        let mut inner = self.session.lock();
        if inner.user == (User::Waiting { turn: self.number, leased: false }) {
            inner.user = User::Nobody;
            drop(inner);
            self.session.0.over.notify_waiters();
        }
    }

    /// A connection is about to send the attempt: gives it the session. None when the attempt was given up meanwhile.
    pub(crate) fn take_up<R>(
        &self,
        server: Option<&ServerDescription>,
        stamp: impl FnOnce(&mut SessionState) -> R,
    ) -> Option<R> {
        let mut inner = self.session.lock();
        if !inner.user.may_send(self.number) {
            return None;
        }
        inner.user = User::Taken { turn: self.number, replied: false };
        if let Some(server) = server {
            inner.state.transaction.selected(&server.address, server.server_type);
        }
        Some(stamp(&mut inner.state))
    }

    /// The server has replied.
    pub(crate) fn received(&self, reply: &Envelope<'_>) {
        let mut inner = self.session.lock();
        if let User::Taken { turn, replied } = &mut inner.user
            && *turn == self.number
        {
            *replied = true;
            inner.state.received(reply);
        }
    }

    /// The attempt has ended: the session is free again. `lease` is the connection that it had, if that is still good.
    pub(crate) fn conclude(&self, stage: Stage, lease: Option<Lease>) {
        let mut inner = self.session.lock();
        let mut lease = lease;
        match inner.user {
            User::Waiting { turn, .. } if turn == self.number => {}
            User::Taken { turn, replied } if turn == self.number => {
                if stage.may_be_sent() {
                    inner.state.transaction.sent();
                    if !replied {
                        inner.state.server_mut().into_iter().for_each(ServerSession::mark_dirty);
                    }
                }
            }
            // Given up before a connection took it up.
            _ => return drop(inner),
        }
        let transaction = &inner.state.transaction;
        let (begins, goes_on) = (transaction.is_active(), transaction.is_bound());
        // The repetition of a commit elsewhere binds nothing any more.
        let stays = |lease: &Lease| begins || (goes_on && lease.purpose() == Purpose::Transaction);
        if let Some(mut bound) = lease.take_if(|lease| lease.binds() && stays(lease)) {
            bound.set_purpose(Purpose::Transaction);
            inner.pinned = Some(bound);
        }
        inner.user = User::Nobody;
        inner.release_if_ended();
        drop(inner);
        self.session.0.over.notify_waiters();
        drop(lease);
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

impl fmt::Debug for SharedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|state| state.fmt(f))
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Turn").field(&self.number).finish()
    }
}
