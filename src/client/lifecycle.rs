//! From warming up to closing.

use std::time::Duration;

use bson::RawDocumentBuf;
use mongo_actors_engine::{ActorEntry, SupervisionSnapshot};
use mongo_actors_protocol::{error::Labels, handshake::InvalidMetadata, options::DriverInfo, retry::Outcome};

use super::Client;
use crate::error::{Error, Result};

impl Client {
    /// Waits until a server is found that can be read from, a connection to it is established, and the pools of all
    /// servers that can be reached have `minPoolSize` connections.
    ///
    /// Never needed: the first operation waits by itself. It moves the wait to where it hurts less.
    ///
    /// # Errors
    /// [`ServerSelectionTimeout`](crate::error::ErrorKind::ServerSelectionTimeout), and those of establishing
    /// connections.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the client as it is.
    pub async fn warm_up(&self) -> Result<()> {
        let warm = self.engine().warm_up(self.deadline()).await;
        warm.map_err(|failure| Error::from_failure(&failure, &Labels::new(), None, false, Outcome::NotSent))
    }

    /// Closes the client: refuses new operations, waits for those on their way, gives back sessions and cursors, and
    /// ends connections, monitors and threads. Errors on the way are ignored. Every clone is closed with it, and cannot
    /// be opened again. Closing twice does nothing.
    ///
    /// Afterwards every operation is an [`InvalidOperation`](crate::error::ErrorKind::InvalidOperation).
    ///
    /// # Cancel safety
    /// Closing goes on in the background when the future is dropped.
    pub async fn close(&self) {
        self.engine().close(None).await;
    }

    /// As [`close`](Self::close), with this much time for the operations on their way; then they fail. A cursor whose next
    /// batch is on its way then is left to its server, which closes it when it has been idle for long enough.
    ///
    /// # Cancel safety
    /// Closing goes on in the background when the future is dropped.
    pub async fn shutdown_within(&self, limit: Duration) {
        self.engine().close(Some(limit)).await;
    }

    /// Whether the client is closed, or being closed.
    pub fn is_closed(&self) -> bool {
        self.engine().is_closed()
    }

    /// Adds the identity of a library built on the driver to what later connections say of themselves. An identity
    /// that is there already is not added again; connections that exist are left alone. Says whether it was new.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) when it cannot be sent, such as for a name with
    /// a `|`.
    pub fn append_metadata(&self, info: DriverInfo) -> Result<bool> {
        let refuse = |error: InvalidMetadata| Error::invalid_argument("info", error.to_string()).with_source(error);
        self.engine().append_metadata(info).map_err(refuse)
    }

    /// What connections that are established from now on say of the client in their handshake: driver, operating
    /// system, application and the libraries built on the driver. At most 512 bytes.
    pub fn metadata(&self) -> RawDocumentBuf {
        self.engine().metadata()
    }

    /// Waits until every event that arose before has been handed to the listeners.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn flush_events(&self) {
        self.engine().flush_events().await;
    }

    /// The driver's actors at this moment: whether they take operations, and what each of them does. Shows as a tree,
    /// and can be serialised.
    ///
    /// ```no_run
    /// # async fn example(client: mongo_actors::Client) {
    /// println!("{}", client.supervision());
    /// # }
    /// ```
    pub fn supervision(&self) -> SupervisionSnapshot {
        self.engine().supervision()
    }

    /// What has the driver's actors and connections fail on purpose: see [`chaos`](crate::chaos).
    #[cfg(feature = "chaos")]
    pub fn chaos(&self) -> mongo_actors_engine::ChaosControl {
        self.engine().chaos()
    }

    /// The actors that are alive at this moment, from the supervisor down.
    pub fn actors(&self) -> Vec<ActorEntry> {
        self.engine().actors()
    }

    /// Starts the driver's actors anew, also when they were given up for having failed too often.
    ///
    /// Operations on their way fail with an error that says what is known of them. When it returns the actors are up, unless
    /// the client is closed or the root itself has died of it three times.
    ///
    /// # Cancel safety
    /// The restart goes on when the future is dropped.
    pub async fn restart(&self) {
        self.engine().restart().await;
    }
}
