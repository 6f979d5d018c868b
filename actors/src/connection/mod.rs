//! One socket.
//!
//! Accepts: `Run` with a ticket that holds this connection's lease, `Equipped`, `Interrupt`, `Abandon`,
//! `SurrenderSession`.
//! Sends: the answer to the caller; check-ins and its own end to the pool; failures that concern the server, and newer
//! cluster times, to the topology; tickets in need of a session to the session pool; abandoned cursors to the reaper.
//! Owns: the socket and its buffers, the exchange in flight, one cached server session.
//! Invariant: at most one exchange at a time, and every reply is read to its end or the socket is closed.
//! If it dies: never restarted; its pool frees the slot, its ticket answers that it was abandoned.

mod actor;
mod authenticate;
mod aws;
mod command_events;
mod compression;
mod establish;
mod exchange;
pub(crate) mod handshake;
mod keys;
mod link;
mod messages;
mod reauthenticate;
mod stamp;

pub(crate) use actor::{ConnectionActor, ConnectionPlan};
pub(crate) use aws::AwsKeyCache;
pub(crate) use keys::KeyCache;
pub(crate) use link::Link;
pub(crate) use messages::{Abandon, Equipped, Interrupt, Run, SurrenderSession};
