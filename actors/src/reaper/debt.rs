//! What is owed: cursors that are to be killed, sessions that are to be ended, uploads that are to be taken back.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use mongo_actors_protocol::{
    address::ServerAddress,
    command::{self, Command, Namespace},
    selection::SelectionCriteria,
};

use crate::{
    shared::Token,
    ticket::{HeldSession, Lease, Operation, Reply, Setback, SharedSession},
};

/// A cursor that is still open on its server and that nobody will read any more.
#[derive(Debug)]
pub struct KillCursors {
    /// The server it lives on.
    pub server: Arc<ServerAddress>,
    /// Its database.
    pub database: Arc<str>,
    /// Its collection, or `$cmd.aggregate` and the like.
    pub collection: String,
    /// Its id.
    pub cursor_id: i64,
    /// The session it lives in, which returns when the cursor is gone.
    pub session: Option<HeldSession>,
    /// The connection it is bound to.
    pub lease: Option<Lease>,
    /// Whether its connection was closed while the server worked for it. Servers notice that, and close such a cursor
    /// themselves: it is killed only if there is time for it later.
    pub orphaned: bool,
    /// `timeoutMS` of the operation that opened it: the time that killing it has. None leaves that to the driver.
    pub timeout: Option<Duration>,
}

impl KillCursors {
    /// A cursor that lives in no session of the driver's, and is bound to no connection.
    pub fn new(server: Arc<ServerAddress>, namespace: &Namespace, cursor_id: i64) -> Self {
        let (database, collection) = (namespace.db.clone(), namespace.coll.as_ref().into());
        let (session, lease) = (None, None);
        Self { server, database, collection, cursor_id, session, lease, orphaned: false, timeout: None }
    }

    /// The debt of a reply that nobody read, if it has a cursor that is still open.
    pub(super) fn of_reply(reply: Reply) -> Option<Self> {
        let body = reply.body?;
        let cursor = body.as_document().get_document("cursor").ok()?;
        let cursor_id = cursor.get_i64("id").ok().filter(|id| *id != 0)?;
        let namespace: Namespace = cursor.get_str("ns").ok()?.parse().ok()?;
        let (session, lease) = (reply.session, reply.lease);
        Some(Self { session, lease, ..Self::new(reply.server, &namespace, cursor_id) })
    }

    /// The debt of an operation that has failed unheard, and that was for a cursor which keeps its connection.
    pub(super) fn of_failed(setback: Setback) -> Option<Self> {
        let Setback { operation, session, lease, .. } = setback;
        let lease = lease.filter(Lease::is_usable)?;
        let request = operation.request;
        let cursor_id = request.body.get_i64("getMore").ok()?;
        let namespace = Namespace::new(request.database, request.body.get_str("collection").ok()?);
        let server = lease.info().address.clone();
        Some(Self { session, lease: Some(lease), ..Self::new(server, &namespace, cursor_id) })
    }

    /// Whether the connection that the cursor is bound to cannot be used any more: its end is the cursor's.
    pub(super) fn is_lost(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| !lease.is_usable())
    }

    /// The operation that pays the debt; none if it cannot be expressed. `patience` counts where there is no timeout.
    pub(crate) fn operation(&self, now: Instant, patience: Duration) -> Option<Box<Operation>> {
        let namespace = Namespace::new(self.database.clone(), self.collection.clone());
        let ids = [self.cursor_id];
        let request = command::KillCursors { namespace: &namespace, cursors: &ids }.request().ok()?;
        let mut operation = Box::new(Operation::new(request, SelectionCriteria::Address((*self.server).clone())));
        let timeout = self.timeout.filter(|timeout| !timeout.is_zero());
        operation.deadline = Some(now + timeout.unwrap_or(patience));
        operation.timed = self.timeout.is_some();
        operation.bounds_server = timeout.is_some();
        Some(operation)
    }
}

/// A command that takes back what was begun and will not be finished. Executing it twice does no harm.
pub struct Tidy {
    /// What is still under way, which has to end first, and does by itself. It says whether there is anything to be taken back.
    pub after: Option<Pin<Box<dyn Future<Output = bool> + Send>>>,
    /// The command.
    pub operation: Box<Operation>,
}

impl fmt::Debug for Tidy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tidy").field("command", &self.operation.request.name).finish_non_exhaustive()
    }
}

/// A session whose transaction, if one is active, is to be aborted.
#[derive(Debug)]
pub(crate) struct AbandonSession {
    pub(crate) session: SharedSession,
    /// Whether nobody will use the session any more.
    pub(crate) ends: bool,
    /// Dropped when that is done.
    pub(crate) done: Option<Token>,
}

/// What is owed to a server.
#[derive(Debug)]
pub(crate) enum Debt {
    /// With the number of the attempt, from 1.
    Cursor(Box<KillCursors>, u32),
    Session(AbandonSession),
    Tidy(Tidy),
}

impl Debt {
    /// Whether it can wait a little.
    pub(super) fn is_patient(&self) -> bool {
        matches!(self, Self::Cursor(debt, _) if debt.orphaned)
    }

    /// Whether it has settled itself.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Self::Cursor(debt, _) if debt.is_lost())
    }
}

impl From<KillCursors> for Debt {
    fn from(debt: KillCursors) -> Self {
        Self::Cursor(Box::new(debt), 1)
    }
}

impl From<AbandonSession> for Debt {
    fn from(debt: AbandonSession) -> Self {
        Self::Session(debt)
    }
}

impl From<Tidy> for Debt {
    fn from(debt: Tidy) -> Self {
        Self::Tidy(debt)
    }
}
