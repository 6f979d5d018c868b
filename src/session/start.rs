//! Starting a session.

use std::time::Duration;

use bson::Timestamp;
use mongo_actors_protocol::{error::Labels, retry::Outcome, session::SessionOptions, transaction::TransactionOptions};

use super::ClientSession;
use crate::{
    action::{ActionFuture, awaitable},
    client::Client,
    error::Error,
};

impl Client {
    /// Starts a session. Awaiting it asks no server; it waits if the driver's session pool is just being restarted, for at
    /// most the server selection timeout.
    ///
    /// Whether the deployment has sessions is found out by the first operation. A session that is not used for more
    /// than a minute after it was started may meet an error because the server has forgotten it.
    ///
    /// ```no_run
    /// # async fn example(client: mongo_actors::Client) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::{concern::WriteConcern, options::TransactionOptions};
    ///
    /// let mut session = client
    ///     .start_session()
    ///     .default_transaction_options(TransactionOptions::new().write_concern(WriteConcern::majority()))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Configuration`](crate::error::ErrorKind::Configuration) for options that contradict each other,
    /// [`InvalidOperation`](crate::error::ErrorKind::InvalidOperation) when the client is closed.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub fn start_session(&self) -> StartSession<'_> {
        StartSession { client: self, options: SessionOptions::default() }
    }
}

/// Starts a session. Made by [`Client::start_session`]; awaiting it gives a [`ClientSession`].
#[derive(Clone)]
#[must_use = "a session is started when this is awaited"]
pub struct StartSession<'a> {
    client: &'a Client,
    options: SessionOptions,
}

impl StartSession<'_> {
    /// Replaces all options at once.
    pub fn with_options(mut self, options: impl Into<Option<SessionOptions>>) -> Self {
        self.options = options.into().unwrap_or_default();
        self
    }

    /// Whether every operation sees what earlier ones of the session have seen and written. Default: true, but false
    /// for a session that reads from a snapshot.
    ///
    /// Unacknowledged writes take no part in it.
    pub fn causal_consistency(mut self, consistent: bool) -> Self {
        self.options.causal_consistency = Some(consistent);
        self
    }

    /// Options of the session's transactions that do not say otherwise. Default: the client's.
    pub fn default_transaction_options(mut self, options: TransactionOptions) -> Self {
        self.options.default_transaction_options = Some(options);
        self
    }

    /// Whether all reads are from one point in time: that of the first. Default: false.
    ///
    /// Only `find`, `aggregate` and `distinct` can be used in such a session, on servers from 5.0, and no transactions.
    pub fn snapshot(mut self, snapshot: bool) -> Self {
        self.options.snapshot = Some(snapshot);
        self
    }

    /// Time for committing, for aborting, and for `with_transaction` as a whole (`defaultTimeoutMS`); zero is unlimited.
    /// Default: the client's timeout.
    pub fn default_timeout(mut self, timeout: Duration) -> Self {
        self.options.default_timeout = Some(timeout);
        self
    }

    /// The point in time that a snapshot session reads at. Default: that of its first read.
    pub fn snapshot_time(mut self, time: Timestamp) -> Self {
        self.options.snapshot_time = Some(time);
        self
    }
}

awaitable! { ['a] StartSession<'a> => ClientSession {
    fn into_future(self) -> Self::IntoFuture {
        let Self { client, options } = self;
        ActionFuture::new(async move {
            options.validate()?;
            let shared = client
                .engine()
                .start_session(options.clone())
                .await
                .map_err(|failure| Error::from_failure(&failure, &Labels::new(), None, false, Outcome::NotSent))?;
            Ok(ClientSession::new(client.clone(), options, shared))
        })
    }
} }
