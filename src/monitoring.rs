//! Listeners of every client of the process.
//!
//! A listener that is registered here hears of all clients that are built from then on, before those that a client is
//! given by its [builder](crate::ClientBuilder::command_listener). Registering cannot be taken back. It is for what
//! concerns the whole process, such as an agent that measures; where the clients are at hand, give them their listeners.
//!
//! ```standalone_crate
//! use std::sync::{
//!     Arc,
//!     atomic::{AtomicUsize, Ordering},
//! };
//!
//! use mongo_actors::{
//!     Client,
//!     event::{TopologyListener, TopologyOpeningEvent},
//!     monitoring,
//!     options::ReadPreference,
//! };
//!
//! #[derive(Default)]
//! struct Deployments(AtomicUsize);
//!
//! impl TopologyListener for Deployments {
//!     fn topology_opening(&self, _: &TopologyOpeningEvent) {
//!         self.0.fetch_add(1, Ordering::SeqCst);
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> mongo_actors::error::Result<()> {
//!     let deployments = Arc::new(Deployments::default());
//!     monitoring::register_topology_listener(deployments.clone());
//!     for uri in ["mongodb://localhost:1", "mongodb://localhost:2"] {
//!         let client = Client::with_uri_str(format!("{uri}/?serverSelectionTimeoutMS=1")).await?;
//!         client.ping(ReadPreference::nearest()).await.unwrap_err();
//!         client.close().await;
//!     }
//!     assert_eq!(deployments.0.load(Ordering::SeqCst), 2);
//!     Ok(())
//! }
//! ```

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use mongo_actors_engine::{Listeners, SupervisionListener};

use crate::event::{CommandListener, HeartbeatListener, PoolListener, ServerListener, TopologyListener};

static REGISTERED: LazyLock<Mutex<Listeners>> = LazyLock::new(Mutex::default);

fn register(add: impl FnOnce(&mut Listeners)) {
    add(&mut REGISTERED.lock().unwrap_or_else(PoisonError::into_inner));
}

/// Registers a listener to commands.
pub fn register_command_listener(listener: Arc<dyn CommandListener>) {
    register(|all| all.command.push(listener));
}

/// Registers a listener to connection pools.
pub fn register_pool_listener(listener: Arc<dyn PoolListener>) {
    register(|all| all.pool.push(listener));
}

/// Registers a listener to the checks of servers.
pub fn register_heartbeat_listener(listener: Arc<dyn HeartbeatListener>) {
    register(|all| all.heartbeat.push(listener));
}

/// Registers a listener to what becomes known of single servers.
pub fn register_server_listener(listener: Arc<dyn ServerListener>) {
    register(|all| all.server.push(listener));
}

/// Registers a listener to what becomes known of deployments as a whole.
pub fn register_topology_listener(listener: Arc<dyn TopologyListener>) {
    register(|all| all.topology.push(listener));
}

/// Registers a listener to what happens to the driver's actors. The `Recipient` of an actix actor is one, too.
pub fn register_supervision_listener(listener: Arc<dyn SupervisionListener>) {
    register(|all| all.supervision.push(listener));
}

/// The listeners of a client that is built now: those of the process, then its own.
pub(crate) fn with_registered(own: Listeners) -> Listeners {
    let registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    joined(registered, own)
}

fn joined(mut first: Listeners, then: Listeners) -> Listeners {
    first.command.extend(then.command);
    first.pool.extend(then.pool);
    first.heartbeat.extend(then.heartbeat);
    first.server.extend(then.server);
    first.topology.extend(then.topology);
    first.supervision.extend(then.supervision);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Deaf;

    impl CommandListener for Deaf {}
    impl PoolListener for Deaf {}
    impl HeartbeatListener for Deaf {}
    impl ServerListener for Deaf {}
    impl TopologyListener for Deaf {}

    fn every_kind(listener: &Arc<Deaf>) -> Listeners {
        let mut listeners = Listeners::default();
        listeners.command.push(listener.clone());
        listeners.pool.push(listener.clone());
        listeners.heartbeat.push(listener.clone());
        listeners.server.push(listener.clone());
        listeners.topology.push(listener.clone());
        listeners
    }

    #[test]
    fn those_of_the_process_come_first() {
        let (process, client) = (Arc::new(Deaf), Arc::new(Deaf));
        let both = joined(every_kind(&process), every_kind(&client));
        let places = |place: usize| {
            [
                Arc::as_ptr(&both.command[place]).cast::<()>(),
                Arc::as_ptr(&both.pool[place]).cast(),
                Arc::as_ptr(&both.heartbeat[place]).cast(),
                Arc::as_ptr(&both.server[place]).cast(),
                Arc::as_ptr(&both.topology[place]).cast(),
            ]
        };
        // `Deaf` has no size, but each is in a place of its own.
        assert_eq!(places(0), [Arc::as_ptr(&process).cast(); 5]);
        assert_eq!(places(1), [Arc::as_ptr(&client).cast(); 5]);
        assert_ne!(places(0), places(1));
    }
}
