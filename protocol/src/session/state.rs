//! What an explicit session knows.

use std::time::Duration;

use bson::{RawDocument, RawDocumentBuf, Timestamp, raw::cstr};

use super::{ClusterTime, ServerSession};
use crate::{
    command::{Envelope, ReadConcernUse},
    concern::{ReadConcern, ReadConcernLevel},
    transaction::{Transaction, TransactionOptions},
};

/// Options of an explicit session.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SessionOptions {
    /// Whether every operation sees what earlier operations of the session have seen and written. Default: true, but
    /// false for a session that reads from a snapshot.
    ///
    /// Unacknowledged writes take no part in it.
    pub causal_consistency: Option<bool>,
    /// Options of the session's transactions that do not say otherwise.
    pub default_transaction_options: Option<TransactionOptions>,
    /// Whether all reads are from one point in time: that of the first. Default: false. Only `find`, `aggregate` and
    /// `distinct`, on servers from 5.0.
    pub snapshot: Option<bool>,
    /// The point in time; only together with `snapshot`. Default: that of the first read.
    pub snapshot_time: Option<Timestamp>,
    /// Time for committing, for aborting, and for `with_transaction` as a whole (`defaultTimeoutMS`); zero is unlimited.
    /// Default: the client's timeout.
    pub default_timeout: Option<Duration>,
}

/// Options of a session that contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSessionOptions {
    /// A snapshot does not move with what the session writes and sees.
    #[error("\"snapshot\" and \"causalConsistency\" cannot both be true: drop one of them")]
    SnapshotWithCausalConsistency,
    /// A time, but no snapshot.
    #[error("\"snapshotTime\" needs \"snapshot\": set it to true, or drop the time")]
    SnapshotTimeWithoutSnapshot,
}

impl SessionOptions {
    /// Checks that the options do not contradict each other.
    ///
    /// # Errors
    /// [`InvalidSessionOptions`].
    pub fn validate(&self) -> Result<(), InvalidSessionOptions> {
        let snapshot = self.snapshot == Some(true);
        if snapshot && self.causal_consistency == Some(true) {
            return Err(InvalidSessionOptions::SnapshotWithCausalConsistency);
        }
        if self.snapshot_time.is_some() && !snapshot {
            return Err(InvalidSessionOptions::SnapshotTimeWithoutSnapshot);
        }
        Ok(())
    }

    /// Whether the session is to be causally consistent.
    pub fn is_causally_consistent(&self) -> bool {
        self.causal_consistency.unwrap_or(self.snapshot != Some(true))
    }
}

/// The lowest wire version whose servers read from snapshots outside of transactions (MongoDB 5.0).
pub const SNAPSHOT_WIRE_VERSION: i32 = 13;

/// The `readConcern` of a command in an explicit session. At least one part is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StampedReadConcern<'a> {
    /// `level`.
    pub level: Option<&'a ReadConcernLevel>,
    /// `afterClusterTime`.
    pub after: Option<Timestamp>,
    /// `atClusterTime`.
    pub at: Option<Timestamp>,
}

impl StampedReadConcern<'_> {
    /// Appends `readConcern` to a command.
    pub fn append_to(&self, command: &mut RawDocumentBuf) {
        let mut document = RawDocumentBuf::new();
        if let Some(level) = self.level {
            document.append(cstr!("level"), level.as_str());
        }
        if let Some(time) = self.after {
            document.append(cstr!("afterClusterTime"), time);
        }
        if let Some(time) = self.at {
            document.append(cstr!("atClusterTime"), time);
        }
        command.append(cstr!("readConcern"), document);
    }
}

/// An explicit session: its server session, the times it has seen, and its transaction.
///
/// It has ended when it has no server session any more.
#[derive(Debug)]
pub struct SessionState {
    causal: bool,
    snapshot: bool,
    server: Option<ServerSession>,
    cluster_time: Option<ClusterTime>,
    operation_time: Option<Timestamp>,
    snapshot_time: Option<Timestamp>,
    /// The transaction it is in, or was in last.
    pub transaction: Transaction,
}

impl SessionState {
    /// A session that nothing was done in.
    pub fn new(options: &SessionOptions, server: ServerSession) -> Self {
        Self {
            causal: options.is_causally_consistent(),
            snapshot: options.snapshot == Some(true),
            server: Some(server),
            cluster_time: None,
            operation_time: None,
            snapshot_time: options.snapshot_time,
            transaction: Transaction::default(),
        }
    }

    /// The session's number on the servers, and what transaction numbers it has used; none when it has ended.
    pub fn server(&self) -> Option<&ServerSession> {
        self.server.as_ref()
    }

    /// The server session, for changes.
    pub fn server_mut(&mut self) -> Option<&mut ServerSession> {
        self.server.as_mut()
    }

    /// Ends the session: its server session may go back to the pool.
    pub fn end(&mut self) -> Option<ServerSession> {
        self.server.take()
    }

    /// The highest cluster time the session has seen, or was told of.
    pub fn cluster_time(&self) -> Option<&ClusterTime> {
        self.cluster_time.as_ref()
    }

    /// The time of the session's last operation, or a later one that it was told of.
    pub fn operation_time(&self) -> Option<Timestamp> {
        self.operation_time
    }

    /// The point in time that it reads at; none before the first read, and for sessions without a snapshot.
    pub fn snapshot_time(&self) -> Option<Timestamp> {
        self.snapshot_time
    }

    /// Whether all its reads are from one point in time.
    pub fn is_snapshot(&self) -> bool {
        self.snapshot
    }

    /// Has it take the later of its own cluster time and this one. False when the document is no cluster time.
    pub fn advance_cluster_time(&mut self, seen: &RawDocument) -> bool {
        ClusterTime::advance(&mut self.cluster_time, seen);
        seen.get_timestamp("clusterTime").is_ok()
    }

    /// Has it take the later of its own operation time and this one.
    pub fn advance_operation_time(&mut self, seen: Timestamp) {
        self.operation_time = self.operation_time.max(Some(seen));
    }

    /// A server has replied to a command of the session, with success or an error.
    pub fn received(&mut self, reply: &Envelope<'_>) {
        if let Some(seen) = reply.cluster_time {
            ClusterTime::advance(&mut self.cluster_time, seen);
        }
        if let Some(time) = reply.operation_time {
            self.advance_operation_time(time);
        }
        if self.snapshot && self.snapshot_time.is_none() {
            self.snapshot_time = reply.at_cluster_time;
        }
        if let Some(token) = reply.recovery_token.filter(|_| reply.ok) {
            self.transaction.recovery_token_received(token);
        }
    }

    /// The `readConcern` of a command that starts a transaction, goes on with one or is in none. `concern` is what the
    /// operation itself would send, `timed` tells whether the deployment has cluster times.
    pub fn read_concern<'a>(
        &'a self,
        concern: Option<&'a ReadConcern>,
        usage: ReadConcernUse,
        timed: bool,
    ) -> Option<StampedReadConcern<'a>> {
        let after = self.operation_time.filter(|_| self.causal && timed);
        let (level, after, at) = if self.snapshot {
            (Some(&ReadConcernLevel::Snapshot), None, self.snapshot_time)
        } else if let Some(stamp) = self.transaction.stamp(false) {
            let level = self.transaction.first_read_concern().and_then(|concern| concern.level.as_ref());
            (level, after.filter(|_| stamp.start), None)
        } else {
            let level = concern.and_then(|concern| concern.level.as_ref());
            (level, after.filter(|_| usage != ReadConcernUse::None), None)
        };
        (level.is_some() || after.is_some() || at.is_some()).then_some(StampedReadConcern { level, after, at })
    }
}
