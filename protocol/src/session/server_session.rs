//! One server session.

use std::time::{Duration, Instant};

use bson::{RawDocument, RawDocumentBuf, rawdoc, spec::BinarySubtype};
use rand::RngCore;

/// A session that is about to expire within this time is not used any more.
const MARGIN: Duration = Duration::from_secs(60);

/// A session as the server knows it: an id, and the transaction numbers used with it.
///
/// At most one operation may use it at a time, so it is owned, not shared, and cannot be cloned.
#[derive(Debug, PartialEq)]
pub struct ServerSession {
    id: RawDocumentBuf,
    txn_number: i64,
    dirty: bool,
    last_use: Instant,
}

impl ServerSession {
    /// A session no server has seen yet: a random version 4 UUID, and no transaction number used.
    pub fn new(rng: &mut dyn RngCore, now: Instant) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let uuid = bson::Binary { subtype: BinarySubtype::Uuid, bytes: bytes.to_vec() };
        Self { id: rawdoc! { "id": uuid }, txn_number: 0, dirty: false, last_use: now }
    }

    /// The session id to send as `lsid`: `{ id: UUID }`.
    pub fn id(&self) -> &RawDocument {
        &self.id
    }

    /// The transaction number last used; 0 when none was.
    pub fn txn_number(&self) -> i64 {
        self.txn_number
    }

    /// A transaction number higher than all used before, starting at 1.
    pub fn next_txn_number(&mut self) -> i64 {
        self.txn_number = self.txn_number.saturating_add(1);
        self.txn_number
    }

    /// A network error happened while the session was in use: the server may still be working on it, so the session
    /// must not be used by anyone else. It stays so.
    pub fn mark_dirty(&mut self) {
        self.dirty = true;
    }

    /// Whether it was ever involved in a network error.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// The id is being sent to a server.
    pub fn used(&mut self, now: Instant) {
        self.last_use = now;
    }

    /// When the id was last sent to a server, or when the session was made.
    pub fn last_use(&self) -> Instant {
        self.last_use
    }

    /// Whether the session may be used for something new: neither dirty, nor about to expire, nor out of numbers.
    pub fn is_reusable(&self, now: Instant, expiry: SessionExpiry) -> bool {
        !self.dirty && self.txn_number < i64::MAX && !expiry.is_near(self.last_use, now)
    }

    #[cfg(test)]
    pub(super) fn set_txn_number_for_test(&mut self, number: i64) {
        self.txn_number = number;
    }

    pub(super) fn into_id(self) -> RawDocumentBuf {
        self.id
    }
}

/// How long servers remember a session that is not used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionExpiry {
    /// For ever as far as the driver is concerned: behind a load balancer, or when no server has told it.
    #[default]
    Never,
    /// For this long (`logicalSessionTimeoutMinutes` of the topology).
    After(Duration),
}

impl SessionExpiry {
    /// The expiry that follows from a topology's `logicalSessionTimeoutMinutes`.
    pub fn new(load_balanced: bool, logical_session_timeout_minutes: Option<i64>) -> Self {
        match logical_session_timeout_minutes {
            Some(minutes) if !load_balanced => {
                let minutes = u64::try_from(minutes).unwrap_or(0);
                Self::After(Duration::from_secs(minutes.saturating_mul(60)))
            }
            _ => Self::Never,
        }
    }

    /// Whether a session last used at `last_use` has less than a minute left.
    pub fn is_near(self, last_use: Instant, now: Instant) -> bool {
        match self {
            Self::Never => false,
            Self::After(timeout) => now.saturating_duration_since(last_use).saturating_add(MARGIN) > timeout,
        }
    }
}
