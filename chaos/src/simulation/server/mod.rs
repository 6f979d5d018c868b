//! A replica set that exists in a simulation only: elections, a log that a majority agrees on, retryable writes, sessions,
//! cursors and change streams, as far as a driver can tell.
//!
//! A write that was acknowledged to a majority is in the log of every later primary; one that was not may be rolled back.

mod commands;
mod connection;
mod data;
mod member;
mod set;
mod stream;
mod verdict;

pub use set::Slip;

pub(super) use connection::run;
pub(super) use set::{NAME, PORT, Set, SharedSet, host};
pub(super) use stream::start_of_time;
pub(super) use verdict::Truth;
