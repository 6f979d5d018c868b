//! Fetches the events of one change stream.
//!
//! Accepts: `Fetch`, with the place where its reader stands; `EndStream`.
//! Sends: tickets to the topology, the answer to the reader, cursors that are to be killed to the reaper.
//! Owns: the stream's cursor and session, at most one command in flight.
//! Invariant: a command is sent only for a reader that waits; an answer that nobody takes is thrown away, cursor and all.
//! If it dies: restarted with nothing; the reader asks again, from its own place, and a new cursor is opened there.

mod actor;
mod cursor;
mod effort;
mod handle;
mod messages;
mod plan;
#[cfg(test)]
mod tests;

pub(crate) use actor::ChangeStreamActor;
pub use handle::{ChangeStreamHandle, FetchError, FetchedBatch};
pub(crate) use messages::EndStream;
pub use plan::{ChangeStreamPlan, GivenUp};
