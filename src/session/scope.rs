//! A session for everything inside.

use super::{ClientSession, handle::SessionHandle};

tokio::task_local! {
    static BOUND: SessionHandle;
}

impl ClientSession {
    /// Has all operations inside `work` run in this session, unless they are given another. `work` may be an operation,
    /// or any future that awaits some.
    ///
    /// For code that knows nothing of sessions, such as a library's. Where operations are in sight, give them the session
    /// instead: the compiler then sees to it that they come one after the other. Inside of a scope an operation that
    /// begins while another is under way waits for it.
    ///
    /// Cursors and change streams that are opened inside live in the session, and can be read outside of the scope as
    /// long as the session has not ended. Scopes may be nested; the inner one holds. The scope belongs to the task: a task
    /// that is spawned inside is outside of it.
    ///
    /// ```no_run
    /// # async fn example(client: mongo_actors::Client) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::{Collection, bson::doc};
    ///
    /// async fn record(log: &Collection, what: &str) -> mongo_actors::error::Result<()> {
    ///     log.insert_one(doc! { "what": what }).await?;
    ///     Ok(())
    /// }
    ///
    /// let log: Collection = client.database("shop").collection("log");
    /// let mut session = client.start_session().await?;
    /// session
    ///     .with_transaction(async |session| {
    ///         session.scope(async { record(&log, "opened").await }).await?;
    ///         session.scope(log.count_documents(doc! {})).await
    ///     })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Operations of another client inside are refused with
    /// [`InvalidOperation`](crate::error::ErrorKind::InvalidOperation), and all of them when the session has ended.
    ///
    /// # Cancel safety
    /// As that of `work`, and of operations in a session.
    pub async fn scope<W: IntoFuture>(&mut self, work: W) -> W::Output {
        // An operation is made into a future inside of the scope, because that is when it is prepared.
        BOUND.scope(self.handle().clone(), async move { work.into_future().await }).await
    }
}

/// Looks at the session that operations of this task run in unless they are given one.
pub(crate) fn with_bound<R>(look: impl FnOnce(Option<&SessionHandle>) -> R) -> R {
    let bound = BOUND.try_with(SessionHandle::clone).ok();
    look(bound.as_ref())
}
