//! Starting, committing and aborting transactions.

use std::time::Duration;

use mongo_actors_protocol::{
    command::{AbortTransaction as AbortCommand, CommitTransaction as CommitCommand},
    concern::{ReadConcern, WriteConcern},
    retry::Budget,
    selection::SelectionCriteria,
    transaction::{Ending, TransactionError, TransactionOptions},
};

use super::ClientSession;
use crate::{
    action::{ActionFuture, awaitable, confirmed},
    error::{Error, ErrorKind, Result},
    executor::Prepared,
};

impl ClientSession {
    /// Starts a transaction. Awaiting it asks no server: the first operation begins the transaction there.
    ///
    /// Operations belong to the transaction when they are given the session. Concerns and read preferences of clients,
    /// databases and collections do not apply to them: a transaction has its own, and reads from the primary. An error
    /// of the server usually means that it has aborted the transaction.
    ///
    /// ```no_run
    /// # async fn example(client: mongo_actors::Client) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::{Collection, bson::doc, concern::WriteConcern};
    ///
    /// let accounts: Collection = client.database("bank").collection("accounts");
    /// let mut session = client.start_session().await?;
    /// session.start_transaction().write_concern(WriteConcern::majority()).await?;
    /// accounts.update_one(doc! { "_id": 1 }, doc! { "$inc": { "euros": -5 } }).session(&mut session).await?;
    /// accounts.update_one(doc! { "_id": 2 }, doc! { "$inc": { "euros": 5 } }).session(&mut session).await?;
    /// session.commit_transaction().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidOperation`](crate::error::ErrorKind::InvalidOperation) while a transaction is active, in a snapshot
    /// session, and when the session has ended; [`Configuration`](crate::error::ErrorKind::Configuration) for an
    /// unacknowledged write concern; [`OperationTimeout`](crate::error::ErrorKind::OperationTimeout) when an operation of
    /// the session that was dropped is not over in the time that the transaction has.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the session as it is.
    pub fn start_transaction(&mut self) -> StartTransaction<'_> {
        StartTransaction { session: self, options: TransactionOptions::default(), timeout: None }
    }

    /// Commits the transaction.
    ///
    /// The driver repeats it once after errors that allow it. An error labelled
    /// [`UnknownTransactionCommitResult`](crate::error::labels::UNKNOWN_TRANSACTION_COMMIT_RESULT) leaves open whether
    /// it was committed: calling this again is safe. One labelled
    /// [`TransientTransactionError`](crate::error::labels::TRANSIENT_TRANSACTION_ERROR) means that it was not, and that
    /// the whole transaction may be repeated. Repetitions wait for a majority of the members.
    ///
    /// # Errors
    /// [`InvalidOperation`](crate::error::ErrorKind::InvalidOperation) when there is no transaction, when it was
    /// aborted, and when one of its operations was dropped before it ended. Those of reaching a server and of its
    /// refusal, and [`WriteConcern`](crate::error::ErrorKind::WriteConcern).
    ///
    /// # Cancel safety
    /// The transaction may or may not be committed when the future is dropped, but never in part. Calling this again
    /// tells.
    pub fn commit_transaction(&mut self) -> CommitTransaction<'_> {
        CommitTransaction { session: self, timeout: None }
    }

    /// Aborts the transaction: nothing of it remains. Errors of the server are of no consequence, and not reported: it
    /// aborts by itself in the end.
    ///
    /// # Errors
    /// [`InvalidOperation`](crate::error::ErrorKind::InvalidOperation) when there is no transaction, and when it was
    /// committed or aborted before.
    ///
    /// # Cancel safety
    /// The transaction is aborted all the same when the future is dropped, sooner or later.
    pub fn abort_transaction(&mut self) -> AbortTransaction<'_> {
        AbortTransaction { session: self, timeout: None }
    }
}

/// What `work` comes to within the time that there is; none if that does not suffice.
async fn before<T>(budget: Budget, work: impl Future<Output = T>) -> Option<T> {
    match budget.deadline() {
        Some(deadline) => tokio::time::timeout_at(deadline.into(), work).await.ok(),
        None => Some(work.await),
    }
}

/// Commits a transaction. Made by [`ClientSession::commit_transaction`].
#[must_use = "a transaction is committed when this is awaited"]
pub struct CommitTransaction<'a> {
    session: &'a mut ClientSession,
    timeout: Option<Duration>,
}

impl CommitTransaction<'_> {
    /// The time for the commit as a whole (`timeoutMS`); zero is unlimited. Default: the session's, else the client's.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    async fn commit(self) -> Result<()> {
        let Self { session, timeout } = self;
        session.check_alive()?;
        session.shared().settled().await;
        match session.shared().with(|state| state.transaction.commit())? {
            Ending::Nothing => Ok(()),
            Ending::Send => {
                let max_time = session.shared().with(|state| state.transaction.options().max_commit_time);
                let budget = session.ending_budget(timeout);
                let command = CommitCommand { max_time };
                let prepared = Prepared::ending(session.client(), &command, session.shared(), budget)?;
                session.client().execute(prepared).await?.finish(confirmed)
            }
        }
    }
}

awaitable! { ['a] CommitTransaction<'a> => () {
    fn into_future(self) -> Self::IntoFuture {
        ActionFuture::new(self.commit())
    }
} }

/// Aborts a transaction. Made by [`ClientSession::abort_transaction`].
#[must_use = "a transaction is aborted when this is awaited"]
pub struct AbortTransaction<'a> {
    session: &'a mut ClientSession,
    timeout: Option<Duration>,
}

impl AbortTransaction<'_> {
    /// The time for the abort as a whole (`timeoutMS`); zero is unlimited. Default: the session's, else the client's.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    async fn abort(self) -> Result<()> {
        let Self { session, timeout } = self;
        session.check_alive()?;
        let budget = session.own_budget(timeout);
        // An operation that was dropped may still be with the server, and have begun the transaction there.
        // If there is no time for that, the server aborts by itself in the end.
        before(budget, session.shared().idle()).await;
        match session.shared().with(|state| state.transaction.abort())? {
            Ending::Nothing => session.shared().unpin(),
            Ending::Send => {
                let prepared = Prepared::ending(session.client(), &AbortCommand, session.shared(), budget)?;
                if let Err(error) = session.client().execute(prepared).await {
                    tracing::debug!(target: "mongo_actors::client", %error, "a transaction was not aborted on its server");
                }
            }
        }
        Ok(())
    }
}

awaitable! { ['a] AbortTransaction<'a> => () {
    fn into_future(self) -> Self::IntoFuture {
        ActionFuture::new(self.abort())
    }
} }

/// Starts a transaction. Made by [`ClientSession::start_transaction`].
#[must_use = "a transaction is started when this is awaited"]
pub struct StartTransaction<'a> {
    pub(super) session: &'a mut ClientSession,
    pub(super) options: TransactionOptions,
    pub(super) timeout: Option<Duration>,
}

impl<'a> StartTransaction<'a> {
    /// The time for starting it, which asks no server but may have to wait for an operation that was dropped; and for all
    /// attempts together (`timeoutMS`), where the transaction is repeated by
    /// [`and_run`](Self::and_run) or [`attempts`](Self::attempts); zero is unlimited. Operations of the session must not
    /// have one of their own then. Default: the session's, else the client's.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Replaces all options at once.
    pub fn with_options(mut self, options: impl Into<Option<TransactionOptions>>) -> Self {
        self.options = options.into().unwrap_or_default();
        self
    }

    /// Which data the transaction reads. Default: the session's, else the client's.
    pub fn read_concern(mut self, concern: impl Into<ReadConcern>) -> Self {
        self.options.read_concern = Some(concern.into());
        self
    }

    /// How many members must confirm the commit. Default: the session's, else the client's.
    pub fn write_concern(mut self, concern: impl Into<WriteConcern>) -> Self {
        self.options.write_concern = Some(concern.into());
        self
    }

    /// Where reads go. Transactions can only read from the primary: anything else fails the first read. Default: the
    /// session's, else the client's.
    pub fn selection_criteria(mut self, criteria: impl Into<SelectionCriteria>) -> Self {
        self.options.selection_criteria = Some(criteria.into());
        self
    }

    /// How long the server may work on one commit, in whole milliseconds. Default: the session's, else no limit.
    pub fn max_commit_time(mut self, limit: Duration) -> Self {
        self.options.max_commit_time = Some(limit);
        self
    }

    /// Starts it, and gives the session back.
    pub(super) async fn begin(self) -> Result<&'a mut ClientSession> {
        let Self { session, options, timeout } = self;
        session.check_alive()?;
        // What an operation that was dropped brings back must not be taken for news of this transaction.
        let budget = session.ending_budget(timeout);
        before(budget, session.shared().idle()).await.ok_or_else(|| Error::new(ErrorKind::OperationTimeout))?;
        let options = options.over(&session.default_transaction_options());
        session.shared().with(|state| -> Result<()> {
            if state.is_snapshot() {
                return Err(TransactionError::Snapshot.into());
            }
            state.transaction.check_start(&options)?;
            let number = state.server_mut().map(|server| server.next_txn_number());
            let number = number.ok_or_else(|| Error::invalid_operation("the session has ended: start another one"))?;
            Ok(state.transaction.start(options, number)?)
        })?;
        session.shared().unpin();
        Ok(session)
    }
}

awaitable! { ['a] StartTransaction<'a> => () {
    fn into_future(self) -> Self::IntoFuture {
        ActionFuture::new(async move { self.begin().await.map(drop) })
    }
} }
