//! The pure half of the mongo-actors MongoDB driver.
//!
//! One folder per driver specification, none of which performs I/O: a machine is told what happened
//! and when, and says what should be done. `now` and a random number generator are arguments.

pub mod address;
pub mod auth;
pub mod bulk;
pub mod change_stream;
#[cfg(feature = "chaos")]
pub mod chaos;
pub mod cmap;
pub mod codec;
pub mod command;
pub mod compression;
pub mod concern;
pub mod error;
pub mod event;
pub mod gridfs;
pub mod handshake;
#[cfg(feature = "tls")]
pub mod ocsp;
pub mod options;
#[cfg(test)]
mod properties;
pub mod read_preference;
pub mod retry;
pub mod sdam;
pub mod selection;
pub mod session;
pub mod transaction;
pub mod uri;
pub mod wire;
