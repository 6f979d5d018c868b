//! Explicit sessions: operations that belong together, and transactions.

mod guard;
mod handle;
mod inspection;
mod mode;
mod repeat;
mod scope;
mod start;
#[cfg(test)]
mod tests;
mod transaction;

use std::{fmt, time::Duration};

use bson::{RawDocument, RawDocumentBuf, Timestamp};
use mongo_actors_engine::{SharedSession, clock};
use mongo_actors_protocol::{
    retry::Budget,
    session::{ClusterTime, ServerSession, SessionOptions},
    transaction::TransactionOptions,
};

use self::handle::Limit;
pub use self::{
    guard::{StartGuarded, TransactionGuard},
    mode::{ExplicitSession, ImplicitSession},
    repeat::TransactionAttempts,
    start::StartSession,
    transaction::{AbortTransaction, CommitTransaction, StartTransaction},
};
pub(crate) use self::{handle::SessionHandle, scope::with_bound};
use crate::{client::Client, error::Result, timeout};

/// A session: operations that belong together. Made by [`Client::start_session`].
///
/// An operation runs in a session when it is given it, by its `session` method. It borrows the session for as long as
/// it runs, so that two operations at once do not compile: a session is one thread of work. It cannot be cloned.
///
/// What a session gives:
/// * *causal consistency* (unless it is switched off): every operation sees what earlier ones of the session have seen
///   and written, on whichever server;
/// * *transactions*: see [`start_transaction`](Self::start_transaction);
/// * *snapshot reads*: all reads are from one point in time.
///
/// A session that is dropped is ended, and an active transaction is aborted, in the background.
///
/// ```no_run
/// # async fn example(client: mongo_actors::Client) -> mongo_actors::error::Result<()> {
/// use mongo_actors::{Collection, bson::doc, options::ReadPreference};
///
/// let orders: Collection = client.database("shop").collection("orders");
/// let mut session = client.start_session().await?;
/// orders.insert_one(doc! { "_id": 1 }).session(&mut session).await?;
/// // Finds the order, also on a secondary.
/// let order = orders
///     .find_one(doc! { "_id": 1 })
///     .selection_criteria(ReadPreference::secondary_preferred())
///     .session(&mut session)
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// Two operations at once are refused by the compiler:
///
/// ```compile_fail,E0499
/// # async fn example(orders: mongo_actors::Collection, mut session: mongo_actors::ClientSession) {
/// use mongo_actors::bson::doc;
///
/// let first = orders.insert_one(doc! {}).session(&mut session).into_future();
/// let second = orders.insert_one(doc! {}).session(&mut session).into_future();
/// let both = (first.await, second.await);
/// # }
/// ```
///
/// It follows the driver sessions, causal consistency, snapshot reads and transactions specifications.
///
/// # Cancel safety
/// When the future of an operation is dropped, the next operation of the session waits until the server has answered
/// the one before, or its connection is closed. Within a transaction, only
/// [`abort_transaction`](Self::abort_transaction) is possible then.
pub struct ClientSession {
    handle: SessionHandle,
    options: SessionOptions,
    id: RawDocumentBuf,
}

impl ClientSession {
    pub(crate) fn new(client: Client, options: SessionOptions, shared: SharedSession) -> Self {
        let id = shared.with(|state| state.server().map(ServerSession::id).map(ToOwned::to_owned)).unwrap_or_default();
        Self { handle: SessionHandle { client, shared, limit: None }, options, id }
    }

    /// What operations need of it.
    pub(crate) fn handle(&self) -> &SessionHandle {
        &self.handle
    }

    /// Has its operations share this time for as long as `holds` has a strong count.
    fn limit(&mut self, budget: Budget, holds: std::sync::Weak<()>) {
        self.handle.limit = Some(Limit { budget, holds });
    }

    /// The time that committing, aborting or a whole transaction has, if it begins now and is given `timeout`.
    pub(crate) fn own_budget(&self, timeout: Option<Duration>) -> Budget {
        let default = self.options.default_timeout.or(self.client().settings().timeout);
        let own =
            timeout.or(default).map(|timeout| Budget::beginning_at(clock::now(), Some(timeout))).unwrap_or_default();
        match timeout::current() {
            Some(scope) if timeout.is_some() => own.within(scope),
            Some(scope) => scope,
            None => own,
        }
    }

    /// The time of a commit: what is left of that of `with_transaction`, if it runs.
    pub(crate) fn ending_budget(&self, timeout: Option<Duration>) -> Budget {
        let running = self.handle.budget();
        if running.is_set() { running } else { self.own_budget(timeout) }
    }

    pub(crate) fn shared(&self) -> &SharedSession {
        &self.handle.shared
    }

    /// Whether an operation of `client` that was given the session may run in it.
    pub(crate) fn check_usable_by(&self, client: &Client) -> Result<()> {
        self.handle.check_usable_by(client, true)
    }

    fn check_alive(&self) -> Result<()> {
        self.handle.check_alive()
    }

    /// The client that the session belongs to.
    pub fn client(&self) -> &Client {
        &self.handle.client
    }

    /// The options that the session was started with.
    pub fn options(&self) -> &SessionOptions {
        &self.options
    }

    /// The number by which servers know the session: `{ id: UUID }`. Sessions that are not used at the same time may
    /// have the same.
    pub fn id(&self) -> &RawDocument {
        &self.id
    }

    /// The highest cluster time that the session has seen or was told of; none at first, and on deployments without
    /// cluster times.
    pub fn cluster_time(&self) -> Option<ClusterTime> {
        self.shared().with(|state| state.cluster_time().cloned())
    }

    /// The time of the session's last operation, or a later one that it was told of; none at first, and on deployments
    /// without cluster times.
    pub fn operation_time(&self) -> Option<Timestamp> {
        self.shared().with(|state| state.operation_time())
    }

    /// The point in time that a snapshot session reads at. None before its first read, and for other sessions.
    pub fn snapshot_time(&self) -> Option<Timestamp> {
        self.shared().with(|state| state.snapshot_time())
    }

    /// Has operations of this session come after what another session has seen: together with
    /// [`advance_operation_time`](Self::advance_operation_time). A time that is earlier than the session's own changes
    /// nothing. It need not be valid; servers refuse one that is not.
    ///
    /// ```no_run
    /// # async fn example(client: mongo_actors::Client) -> mongo_actors::error::Result<()> {
    /// let (one, mut other) = (client.start_session().await?, client.start_session().await?);
    /// if let (Some(cluster_time), Some(operation_time)) = (one.cluster_time(), one.operation_time()) {
    ///     other.advance_cluster_time(&cluster_time);
    ///     other.advance_operation_time(operation_time);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn advance_cluster_time(&mut self, to: &ClusterTime) {
        self.shared().with(|state| state.advance_cluster_time(to.document()));
    }

    /// Has reads of this session, if it is causally consistent, wait for what happened at this time. A time that is
    /// earlier than the session's own changes nothing.
    pub fn advance_operation_time(&mut self, to: Timestamp) {
        self.shared().with(|state| state.advance_operation_time(to));
    }

    /// Whether operations of the session belong to a transaction now: it was started, and neither committed nor
    /// aborted.
    pub fn in_transaction(&self) -> bool {
        self.handle.in_transaction()
    }

    /// Whether the session was ended.
    pub fn has_ended(&self) -> bool {
        self.shared().has_ended()
    }

    /// Ends the session, and aborts an active transaction first. Ending it again does nothing; any other use of it is
    /// an error from now on. Dropping the session does the same in the background.
    ///
    /// # Cancel safety
    /// When the future is dropped the session has not ended; call this again, or drop the session.
    pub async fn end(&mut self) {
        self.end_by(None).await;
    }

    /// As [`end`](Self::end), which waits for an active transaction to be aborted for at most `timeout`. Without, the
    /// session's default timeout holds, else the client's.
    ///
    /// # Cancel safety
    /// The session is ended in the background when the future is dropped.
    pub async fn end_within(&mut self, timeout: Duration) {
        self.end_by(Some(timeout)).await;
    }

    async fn end_by(&mut self, timeout: Option<Duration>) {
        if self.in_transaction() && !self.has_ended() {
            let abort = self.abort_transaction();
            let abort = if let Some(timeout) = timeout { abort.timeout(timeout) } else { abort };
            // Nothing can be done about an error, and the server aborts by itself in the end.
            drop(abort.await);
        }
        self.shared().end();
    }

    fn default_transaction_options(&self) -> TransactionOptions {
        let client = self.client().options();
        let inherited = TransactionOptions::new()
            .read_concern(client.read_concern.clone())
            .write_concern(client.write_concern.clone())
            .selection_criteria(client.read_preference.clone());
        self.options.default_transaction_options.clone().unwrap_or_default().over(&inherited)
    }
}

impl Drop for ClientSession {
    fn drop(&mut self) {
        self.client().engine().abandon(self.shared().clone());
    }
}

impl fmt::Debug for ClientSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSession")
            .field("id", &self.id)
            .field("options", &self.options)
            .field("in_transaction", &self.in_transaction())
            .finish_non_exhaustive()
    }
}
