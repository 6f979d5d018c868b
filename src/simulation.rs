//! Clients in a world that a test makes up, where the same seed gives the same history. Feature `simulation`.
//!
//! A [`Simulation`] replaces what differs from one run to the next: connections, random numbers, identifiers, the date,
//! threads. What remains is the clock of the runtime, which is to be one of a single thread, and paused
//! (`tokio::runtime::Builder::start_paused`). Then whatever goes wrong with a seed goes wrong with it again.
//!
//! The actors run on the `LocalSet` that the client is made on; its futures are to be awaited there. Listeners are called
//! where things happen. TLS, compression, proxies and `mongodb+srv` are not simulated, and an error.
//!
//! ```
//! use std::{io, sync::Arc, time::SystemTime};
//!
//! use mongo_actors::{
//!     Client, ServerAddress,
//!     bson::doc,
//!     simulation::{Dialer, Dialing, Simulation},
//! };
//!
//! /// No server is there.
//! struct Desert;
//!
//! impl Dialer for Desert {
//!     fn dial(&self, _: &ServerAddress) -> Dialing {
//!         Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
//! tokio::task::LocalSet::new().block_on(&runtime, async {
//!     let simulation = Simulation {
//!         seed: 42,
//!         dialer: Arc::new(Desert),
//!         date: Arc::new(|| SystemTime::UNIX_EPOCH),
//!         witness: None,
//!     };
//!     let client = Client::builder().uri("mongodb://nowhere").simulation(simulation).build()?;
//!     // Thirty seconds later, of which nobody has to wait for one:
//!     let error = client.database("shop").run_command(doc! { "ping": 1 }).await.unwrap_err();
//!     assert!(error.is_timeout() || error.to_string().contains("nowhere"));
//!     client.close().await;
//!     Ok(())
//! })
//! # }
//! ```

pub use mongo_actors_engine::{Dialer, Dialing, Simulation, Stream, Witness};

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc, time::SystemTime};

    use super::*;
    use crate::{Client, ServerAddress};

    struct Desert;

    impl Dialer for Desert {
        fn dial(&self, _: &ServerAddress) -> Dialing {
            Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
        }
    }

    fn world() -> Simulation {
        Simulation { seed: 1, dialer: Arc::new(Desert), date: Arc::new(SystemTime::now), witness: None }
    }

    #[tokio::test]
    async fn what_is_not_simulated_is_an_error() {
        for (option, uri) in [
            ("compressors", "mongodb://host/?compressors=zlib"),
            ("tls", "mongodb://host/?tls=true"),
            ("proxyHost", "mongodb://host/?proxyHost=localhost"),
        ] {
            let error = Client::builder().uri(uri).simulation(world()).build().unwrap_err();
            assert!(error.to_string().contains(&format!("\"{option}\"")), "{error}");
        }
    }
}
