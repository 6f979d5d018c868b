//! A transaction that is aborted unless it is committed.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use super::{ClientSession, StartTransaction};
use crate::{
    action::{ActionFuture, awaitable},
    error::Result,
};

/// A transaction that was started and is aborted when this is dropped, unless it was committed. Made by
/// [`StartTransaction::guarded`].
///
/// It stands for the session, and is given to operations in its place:
///
/// ```no_run
/// # async fn example(accounts: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
/// use mongo_actors::bson::doc;
///
/// let mut session = accounts.client().start_session().await?;
/// let mut transfer = session.start_transaction().guarded().await?;
/// // An error that leaves here aborts the transaction.
/// accounts.update_one(doc! { "_id": 1 }, doc! { "$inc": { "euros": -5 } }).session(&mut transfer).await?;
/// accounts.update_one(doc! { "_id": 2 }, doc! { "$inc": { "euros": 5 } }).session(&mut transfer).await?;
/// transfer.commit().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
/// Dropping it aborts in the background. The session can be used again at once: its next operation waits until that is
/// done.
#[must_use = "the transaction is aborted when this is dropped"]
pub struct TransactionGuard<'a>(&'a mut ClientSession);

impl TransactionGuard<'_> {
    /// Commits the transaction; see [`ClientSession::commit_transaction`].
    ///
    /// # Errors
    /// Those of [`ClientSession::commit_transaction`]. Where it is not known whether the transaction was committed, call
    /// that on the session to find out.
    ///
    /// # Cancel safety
    /// That of [`ClientSession::commit_transaction`].
    pub async fn commit(self) -> Result<()> {
        self.0.commit_transaction().await
    }

    /// Aborts the transaction and waits for that; see [`ClientSession::abort_transaction`].
    ///
    /// # Errors
    /// Those of [`ClientSession::abort_transaction`].
    ///
    /// # Cancel safety
    /// That of [`ClientSession::abort_transaction`].
    pub async fn abort(self) -> Result<()> {
        self.0.abort_transaction().await
    }
}

impl Deref for TransactionGuard<'_> {
    type Target = ClientSession;

    fn deref(&self) -> &ClientSession {
        self.0
    }
}

impl DerefMut for TransactionGuard<'_> {
    fn deref_mut(&mut self) -> &mut ClientSession {
        self.0
    }
}

impl Drop for TransactionGuard<'_> {
    fn drop(&mut self) {
        self.0.client().engine().abort(self.0.shared());
    }
}

impl fmt::Debug for TransactionGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TransactionGuard").field(&self.0).finish()
    }
}

/// Starts a transaction that is aborted unless it is committed. Made by [`StartTransaction::guarded`].
#[must_use = "a transaction is started when this is awaited"]
pub struct StartGuarded<'a>(StartTransaction<'a>);

impl<'a> StartTransaction<'a> {
    /// Awaited then, it gives a [`TransactionGuard`], which aborts the transaction when it is dropped without having
    /// been committed, as by an error that leaves the function.
    pub fn guarded(self) -> StartGuarded<'a> {
        StartGuarded(self)
    }
}

awaitable! { ['a] StartGuarded<'a> => TransactionGuard<'a> {
    fn into_future(self) -> Self::IntoFuture {
        ActionFuture::new(async move { Ok(TransactionGuard(self.0.begin().await?)) })
    }
} }
