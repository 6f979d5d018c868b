//! A replica set that exists in a simulation only: elections, a log that a majority agrees on, retryable writes, sessions,
//! transactions, cursors and change streams, as far as a driver can tell.
//!
//! A write that was acknowledged to a majority is in the log of every later primary; one that was not may be rolled back.
//! A transaction is one entry of the log, written when it is committed; until then only its primary knows of it.

mod answer;
mod commands;
mod connection;
mod data;
mod documents;
mod member;
mod reads;
mod request;
mod set;
mod stream;
mod transactional;
mod transactions;
mod verdict;
mod writes;

pub use set::Slip;

pub(super) use connection::run;
pub(super) use set::{NAME, PORT, Set, SharedSet, host};
pub(super) use stream::start_of_time;
pub(super) use verdict::{Truth, Watched};
