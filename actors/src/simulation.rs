//! What a client has in place of the world, when it is simulated. Feature `simulation`.

use std::{fmt, io, pin::Pin, sync::Arc, time::SystemTime};

use mongo_actors_protocol::address::ServerAddress;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    net::BoxedTransport,
    runtime::{ActorPath, Entropy},
};

/// A stream of bytes to a server.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection that is being made.
pub type Dialing = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// Makes connections to servers.
pub trait Dialer: Send + Sync {
    /// Connects to a server. The caller limits the time.
    fn dial(&self, address: &ServerAddress) -> Dialing;
}

/// Sees every message before its actor handles it: the actor, and the message's type without its module.
pub type Witness = Arc<dyn Fn(&ActorPath, &str) + Send + Sync>;

/// The world of a simulated client.
///
/// All actors of such a client live on the `LocalSet` that it is made on, and it must be used there only. It has no thread
/// of its own; all listeners are called at once. Whatever it draws follows from the seed; its clock is that of the runtime,
/// which is to be paused. So the same seed and the same world give the same history.
#[derive(Clone)]
pub struct Simulation {
    /// What random numbers, identifiers and nonces follow from.
    pub seed: u64,
    /// Makes connections.
    pub dialer: Arc<dyn Dialer>,
    /// The date, which may jump, as dates do.
    pub date: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    /// Sees the messages between actors.
    pub witness: Option<Witness>,
}

impl Simulation {
    pub(crate) fn entropy(&self) -> Entropy {
        Entropy::seeded(self.seed, self.date.clone())
    }

    pub(crate) async fn connect(&self, address: &ServerAddress) -> io::Result<BoxedTransport> {
        Ok(Box::new(self.dialer.dial(address).await?))
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation").field("seed", &self.seed).finish_non_exhaustive()
    }
}
