//! Running a whole transaction, as often as it takes.

use std::{sync::Arc, time::Duration};

use mongo_actors_engine::{Entropy, clock};
use mongo_actors_protocol::transaction::{Repetition, TransactionOptions, Verdict};

use super::{ClientSession, StartTransaction};
use crate::error::{Error, Result};

impl ClientSession {
    /// Runs `operations` in a transaction and commits it, with the session's options for transactions; see
    /// [`StartTransaction::and_run`] for others.
    ///
    /// `operations` is called again when the transaction has to be repeated as a whole, because of a conflict with
    /// another or an election: it must not do anything outside of the transaction that may not be done twice. An error
    /// that it returns aborts the transaction. Errors of operations must be returned, not dealt with: the server has
    /// usually aborted the transaction already. Where that is not enough, use
    /// [`start_transaction`](Self::start_transaction) and [`commit_transaction`](Self::commit_transaction).
    ///
    /// Repetition ends after two minutes, or with the timeout of the session, which is the client's by default. That
    /// holds for all operations of the session together, which must not have one of their own then; operations that are
    /// not given the session are not limited by it. Aborting has it anew. Between attempts it pauses for a random share of
    /// a time that grows to half a second. When `operations` itself commits or aborts, its value is returned.
    ///
    /// ```no_run
    /// # async fn example(client: mongo_actors::Client) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::{Collection, bson::doc};
    ///
    /// let accounts: Collection = client.database("bank").collection("accounts");
    /// let mut session = client.start_session().await?;
    /// session
    ///     .with_transaction(async |session| {
    ///         accounts.update_one(doc! { "_id": 1 }, doc! { "$inc": { "euros": -5 } }).session(session).await?;
    ///         accounts.update_one(doc! { "_id": 2 }, doc! { "$inc": { "euros": 5 } }).session(session).await?;
    ///         Ok(())
    ///     })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// In a task of a runtime with several threads, the closure must own what it uses (`async move`, with clones of
    /// handles); where that is no good, write the loop: see [`StartTransaction::attempts`].
    ///
    /// It follows the specification of the convenient API for transactions.
    ///
    /// # Errors
    /// Those of `operations` and of [`commit_transaction`](Self::commit_transaction); and when there is no time for
    /// another attempt, [`OperationTimeout`](crate::error::ErrorKind::OperationTimeout) if a timeout was set, else
    /// [`TransactionTimeout`](crate::error::ErrorKind::TransactionTimeout). Their source is the error of the last attempt.
    /// The error of a commit that carries
    /// [`UnknownTransactionCommitResult`](crate::error::labels::UNKNOWN_TRANSACTION_COMMIT_RESULT) leaves open whether
    /// the transaction was committed; after any other error nothing of it remains.
    ///
    /// # Cancel safety
    /// When the future is dropped, the transaction may or may not be committed, but never in part.
    pub async fn with_transaction<R, F>(&mut self, operations: F) -> Result<R>
    where
        F: AsyncFnMut(&mut ClientSession) -> Result<R>,
    {
        self.start_transaction().and_run(operations).await
    }
}

impl<'a> StartTransaction<'a> {
    /// Runs `operations` in a transaction with these options; see [`ClientSession::with_transaction`].
    ///
    /// ```no_run
    /// # async fn example(things: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::{bson::doc, concern::WriteConcern};
    ///
    /// let mut session = things.client().start_session().await?;
    /// let inserted = session
    ///     .start_transaction()
    ///     .write_concern(WriteConcern::majority())
    ///     .and_run(async |session| things.insert_one(doc! {}).session(session).await)
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`ClientSession::with_transaction`], and of starting a transaction.
    ///
    /// # Cancel safety
    /// As [`ClientSession::with_transaction`].
    pub async fn and_run<R, F>(self, mut operations: F) -> Result<R>
    where
        F: AsyncFnMut(&mut ClientSession) -> Result<R>,
    {
        let mut attempts = self.attempts();
        loop {
            let session = attempts.begin().await?;
            let result = operations(session).await;
            if let Some(value) = attempts.end(result).await? {
                return Ok(value);
            }
        }
    }

    /// The attempts of a transaction that is repeated as [`ClientSession::with_transaction`] does it, for a loop of
    /// one's own.
    ///
    /// It is for operations that cannot be a closure: today's compiler does not see that the future of an asynchronous
    /// closure is `Send` when the closure borrows what it uses, and `tokio::spawn` refuses it then. In a loop anything
    /// may be borrowed.
    ///
    /// ```no_run
    /// # use mongo_actors::{ClientSession, Collection, bson::doc, error::Result};
    /// async fn transfer(accounts: &Collection, session: &mut ClientSession, euros: i32) -> Result<()> {
    ///     let mut attempts = session.start_transaction().attempts();
    ///     loop {
    ///         let session = attempts.begin().await?;
    ///         let result = move_money(accounts, session, euros).await;
    ///         if let Some(done) = attempts.end(result).await? {
    ///             return Ok(done);
    ///         }
    ///     }
    /// }
    /// # async fn move_money(accounts: &Collection, session: &mut ClientSession, euros: i32) -> Result<()> {
    /// #     accounts.update_one(doc! { "_id": 1 }, doc! { "$inc": { "euros": euros } }).session(session).await?;
    /// #     Ok(())
    /// # }
    /// ```
    pub fn attempts(self) -> TransactionAttempts<'a> {
        let Self { session, options, timeout } = self;
        let budget = session.own_budget(timeout);
        let running = Arc::new(());
        session.limit(budget, Arc::downgrade(&running));
        let repetition = Repetition::new(clock::now(), budget.deadline());
        let pause =
            |repetition: &mut Repetition, entropy: &Entropy| repetition.next_attempt(clock::now(), &mut entropy.rng());
        let timed = budget.deadline().is_some();
        TransactionAttempts { session, options, timeout, timed, _running: running, repetition, pause, failed: None }
    }
}

/// The attempts of a transaction that is repeated until it succeeds. Made by [`StartTransaction::attempts`].
#[must_use = "nothing is attempted unless begin and end are called"]
pub struct TransactionAttempts<'a> {
    session: &'a mut ClientSession,
    options: TransactionOptions,
    timeout: Option<Duration>,
    /// Whether all attempts together have a timeout that was set (`timeoutMS`).
    timed: bool,
    /// For as long as this is there, the session's operations share the time of the attempts.
    _running: Arc<()>,
    pub(super) repetition: Repetition,
    /// How long to pause before the next attempt; none when there is no time for it.
    pub(super) pause: fn(&mut Repetition, &Entropy) -> Option<Duration>,
    /// Why the last attempt has failed.
    failed: Option<Error>,
}

impl TransactionAttempts<'_> {
    /// Starts the transaction, once more after a pause if it was attempted before. Gives the session for its
    /// operations.
    ///
    /// # Errors
    /// Those of [`ClientSession::start_transaction`], and those of [`ClientSession::with_transaction`] when there is no
    /// time for another attempt.
    ///
    /// # Cancel safety
    /// It may be called again when the future was dropped.
    pub async fn begin(&mut self) -> Result<&mut ClientSession> {
        let pause = (self.pause)(&mut self.repetition, self.session.client().engine().entropy());
        match (pause, &self.failed) {
            (None, Some(error)) => return Err(self.out_of_time(error.clone())),
            (Some(pause), Some(_)) => tokio::time::sleep(pause).await,
            (_, None) => {}
        }
        let Self { session, options, timeout, .. } = self;
        StartTransaction { session, options: options.clone(), timeout: *timeout }.await?;
        Ok(self.session)
    }

    /// The operations have ended with this result. Commits the transaction, or aborts it after an error. None when the
    /// transaction is to be attempted once more.
    ///
    /// # Errors
    /// Those of [`ClientSession::with_transaction`].
    ///
    /// # Cancel safety
    /// As [`ClientSession::with_transaction`].
    pub async fn end<R>(&mut self, result: Result<R>) -> Result<Option<R>> {
        let (error, verdict) = match result {
            Ok(value) => match self.commit().await {
                Ok(()) => return Ok(Some(value)),
                Err(failed) => failed,
            },
            Err(error) => {
                if self.session.in_transaction() {
                    // It has the time anew, so that nothing is left behind.
                    let abort = self.session.abort_transaction();
                    match self.timeout {
                        Some(timeout) => abort.timeout(timeout).await?,
                        None => abort.await?,
                    }
                }
                let verdict = self.repetition.run_failed(clock::now(), error.labels());
                (error, verdict)
            }
        };
        match verdict {
            Verdict::Restart => {
                self.failed = Some(error);
                Ok(None)
            }
            Verdict::TimedOut => Err(self.out_of_time(error)),
            Verdict::Report | Verdict::CommitAgain => Err(error),
        }
    }

    /// There would be another attempt after `error`, if there were time.
    fn out_of_time(&self, error: Error) -> Error {
        if self.timed { error.into_operation_timeout() } else { error.out_of_time() }
    }

    /// Commits, again and again while the result is unknown and there is time. A transaction that was ended already is
    /// left as it is.
    async fn commit(&mut self) -> std::result::Result<(), (Error, Verdict)> {
        if !self.session.in_transaction() {
            return Ok(());
        }
        loop {
            let Err(error) = self.session.commit_transaction().await else { return Ok(()) };
            match self.repetition.commit_failed(clock::now(), error.labels(), is_max_time_expired(&error)) {
                Verdict::CommitAgain => {}
                verdict => return Err((error, verdict)),
            }
        }
    }
}

/// The server stopped working on a commit because its time (`maxTimeMS`) was up.
fn is_max_time_expired(error: &Error) -> bool {
    const MAX_TIME_MS_EXPIRED: i32 = 50;
    error.code() == Some(MAX_TIME_MS_EXPIRED)
        || error.write_concern_error().is_some_and(|error| error.code == MAX_TIME_MS_EXPIRED)
}
