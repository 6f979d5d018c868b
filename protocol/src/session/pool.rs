//! The pool of server sessions.

use std::{collections::VecDeque, time::Instant};

use bson::RawDocumentBuf;
use rand::RngCore;

use super::server_session::{ServerSession, SessionExpiry};

/// The most session ids that go into one `endSessions` command.
pub const MAX_END_SESSIONS: usize = 10_000;

/// The server sessions of a client that nobody uses, most recently used first.
///
/// It has no largest size: it shrinks when a session is acquired or about to expire.
#[derive(Debug, Default)]
pub struct ServerSessionPool {
    /// Most recently used last.
    sessions: VecDeque<ServerSession>,
}

impl ServerSessionPool {
    /// An empty pool.
    pub fn new() -> Self {
        Self::default()
    }

    /// The most recently used session, or a new one when no session has at least a minute left.
    pub fn acquire(&mut self, now: Instant, expiry: SessionExpiry, rng: &mut dyn RngCore) -> ServerSession {
        while let Some(session) = self.sessions.pop_back() {
            if session.is_reusable(now, expiry) {
                return session;
            }
        }
        ServerSession::new(rng, now)
    }

    /// Takes a session back. A dirty one, or one about to expire, is thrown away, as are those in the pool that are
    /// about to expire.
    pub fn release(&mut self, now: Instant, expiry: SessionExpiry, session: ServerSession) {
        while self.sessions.front().is_some_and(|oldest| expiry.is_near(oldest.last_use(), now)) {
            self.sessions.pop_front();
        }
        if session.is_reusable(now, expiry) {
            self.sessions.push_back(session);
        }
    }

    /// Takes out the ids for one `endSessions` command, [`MAX_END_SESSIONS`] at most, the most recently used first;
    /// none when the pool is empty. To be repeated until then.
    pub fn take_ended(&mut self) -> Option<Vec<RawDocumentBuf>> {
        let keep = self.sessions.len().saturating_sub(MAX_END_SESSIONS);
        let ids: Vec<_> = self.sessions.drain(keep..).rev().map(ServerSession::into_id).collect();
        (!ids.is_empty()).then_some(ids)
    }

    /// Forgets all sessions without ending them.
    pub fn clear(&mut self) {
        self.sessions.clear();
    }

    /// How many sessions the pool has.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}
