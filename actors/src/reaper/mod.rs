//! Pays what is owed to servers after a handle was dropped: cursors that nobody will read any more, transactions that
//! nobody will commit, uploads that nobody will finish.
//!
//! Accepts: `Settle`.
//! Sends: tickets to the topology.
//! Owns: nothing; the debts lie in a ledger that outlives it, where they are entered before it hears of them.
//! Invariant: a debt is tried a few times, whatever dies on the way, until a server has answered, or given up when its
//! server is gone; a cursor that its server closes by itself waits a second, unless the client closes.
//! If it dies: restarted; it goes on with the ledger.

mod abort;
mod actor;
mod cursors;
mod debt;
mod tidy;

pub(crate) use actor::{Ledger, ReaperActor, Settle, owe, owe_cursor_of, owe_cursor_of_failed, settle_rest};
pub(crate) use debt::AbandonSession;
pub use debt::{KillCursors, Tidy};
