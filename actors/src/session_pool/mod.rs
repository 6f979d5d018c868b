//! The server sessions that nobody uses.
//!
//! Accepts: tickets that need a session, `Lend` for explicit sessions, sessions that come back, `AbandonSessions`,
//! `TakeEnded`.
//! Sends: tickets back to their connections, with a session; the application's sessions to the reaper at close.
//! Owns: the session pool machine.
//! Invariant: a session is in one pair of hands at a time: here, a connection's, a ticket's or a cursor's.
//! If it dies: restarted empty; sessions that are out stay valid and return to the new life.

mod actor;
mod messages;

pub(crate) use actor::SessionPoolActor;
pub(crate) use messages::{AbandonSessions, Equip, Lend, ReturnSession, TakeEnded};
