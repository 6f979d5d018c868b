//! What the client knows of its deployment.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use mongo_actors_engine::clock;
use mongo_actors_protocol::{
    address::ServerAddress,
    command::RunCommand,
    error::Labels,
    retry::{Budget, Outcome},
    sdam::{ServerDescription, TopologyDescription, TopologyType},
    selection::SelectionCriteria,
};

use super::Client;
use crate::{
    error::{Error, Result},
    timeout,
};

impl Client {
    /// What is known of the deployment at this moment. Before any server has answered, the seeds are there as unknown
    /// servers.
    ///
    /// ```no_run
    /// # fn example(client: mongo_actors::Client) {
    /// let description = client.topology_description();
    /// println!("{} with {} servers", description.topology_type, description.servers.len());
    /// # }
    /// ```
    pub fn topology_description(&self) -> Arc<TopologyDescription> {
        self.engine().description()
    }

    /// The address of the server that accepts writes. Waits for one to be found.
    ///
    /// # Errors
    /// [`InvalidOperation`](crate::error::ErrorKind::InvalidOperation) for a sharded cluster of several routers, see
    /// [`nodes`](Self::nodes), and when the client is closed;
    /// [`ServerSelectionTimeout`](crate::error::ErrorKind::ServerSelectionTimeout).
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn address(&self) -> Result<ServerAddress> {
        let server = self.select(SelectionCriteria::Writable).await?;
        let description = self.topology_description();
        if description.topology_type == TopologyType::Sharded && description.servers.len() > 1 {
            return Err(Error::invalid_operation(
                "a sharded cluster of several routers has no one address: see Client::nodes",
            ));
        }
        Ok(server.address.clone())
    }

    /// The primary of a replica set, if one is known at this moment.
    pub fn primary(&self) -> Option<ServerAddress> {
        self.topology_description().primary().map(|server| server.address.clone())
    }

    /// The secondaries of a replica set that are known at this moment; empty for other deployments.
    pub fn secondaries(&self) -> BTreeSet<ServerAddress> {
        self.topology_description().secondaries()
    }

    /// The arbiters of a replica set that are known at this moment; empty for other deployments.
    pub fn arbiters(&self) -> BTreeSet<ServerAddress> {
        self.topology_description().arbiters()
    }

    /// The servers whose type is known at this moment; none at first, and while no server can be reached.
    pub fn nodes(&self) -> BTreeSet<ServerAddress> {
        self.topology_description().nodes()
    }

    /// Whether the server that writes would go to accepts them: false for a direct connection to a secondary. Waits
    /// for a server to be found.
    ///
    /// # Errors
    /// [`ServerSelectionTimeout`](crate::error::ErrorKind::ServerSelectionTimeout), or
    /// [`InvalidOperation`](crate::error::ErrorKind::InvalidOperation) when the client is closed.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn is_primary(&self) -> Result<bool> {
        Ok(self.select(SelectionCriteria::Writable).await?.is_writable())
    }

    /// Whether the server that writes would go to is a router of a sharded cluster. Waits for a server to be found.
    ///
    /// # Errors
    /// As [`is_primary`](Self::is_primary).
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn is_mongos(&self) -> Result<bool> {
        Ok(self.select(SelectionCriteria::Writable).await?.is_mongos())
    }

    pub(super) async fn select(&self, criteria: SelectionCriteria) -> Result<Arc<ServerDescription>> {
        let selected = self.engine().select(criteria, self.deadline()).await;
        selected.map_err(|failure| Error::from_failure(&failure, &Labels::new(), None, false, Outcome::NotSent))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let own = self.options().timeout.map(|timeout| Budget::beginning_at(clock::now(), Some(timeout)));
        timeout::current().or(own)?.deadline()
    }

    /// Sends `ping` to a server that satisfies these criteria, such as a read preference, to see whether there is one.
    ///
    /// ```no_run
    /// # async fn example(client: mongo_actors::Client) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::options::ReadPreference;
    ///
    /// client.ping(ReadPreference::nearest()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of reaching a server, and its refusal.
    ///
    /// # Cancel safety
    /// Dropping the future is safe at every point.
    pub async fn ping(&self, criteria: impl Into<SelectionCriteria>) -> Result<()> {
        let criteria = criteria.into();
        let ping = bson::rawdoc! { "ping": 1 };
        let call = self.call().selection_criteria(Some(&criteria));
        let prepared = call.prepare(&RunCommand { database: "admin", command: &ping })?;
        self.execute(prepared).await?;
        Ok(())
    }
}
