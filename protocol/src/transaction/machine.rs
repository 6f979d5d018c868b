//! The states of a session's transaction.

use std::time::Duration;

use bson::{RawDocument, RawDocumentBuf};

use super::{TransactionError, TransactionOptions};
use crate::{
    address::ServerAddress,
    concern::{Acknowledgment, ReadConcern, WriteConcern},
    sdam::ServerType,
};

/// What `wtimeout` a repeated commit has if the user gave none.
const REPEATED_COMMIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a session's transaction is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransactionState {
    /// There is none.
    #[default]
    None,
    /// It was started, and no command of it has been sent.
    Starting,
    /// A command of it may have reached a server.
    InProgress,
    /// It was committed, or the attempt was made. `empty` when no command of it was ever sent.
    Committed {
        /// There was nothing to commit.
        empty: bool,
    },
    /// It was aborted.
    Aborted,
}

/// How a transaction is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing was sent, so nothing needs to be.
    Nothing,
    /// By a command.
    Send,
}

/// What a command of a transaction carries beside its session: `autocommit: false`, and this.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransactionStamp<'a> {
    /// `txnNumber`.
    pub number: i64,
    /// `startTransaction: true`: it is the first command.
    pub start: bool,
    /// `recoveryToken`, for commands that end a transaction of a sharded cluster.
    pub recovery_token: Option<&'a RawDocument>,
}

/// The transaction of a session: the one that is active, or the last one.
///
/// ```
/// use mongo_actors_protocol::transaction::{Ending, Transaction, TransactionOptions, TransactionState};
///
/// let mut transaction = Transaction::default();
/// transaction.start(TransactionOptions::default(), 1).unwrap();
/// assert!(transaction.stamp(false).unwrap().start);
/// transaction.sent();
/// assert!(!transaction.stamp(false).unwrap().start);
/// assert_eq!(transaction.commit(), Ok(Ending::Send));
/// assert_eq!(transaction.state(), TransactionState::Committed { empty: false });
/// ```
#[derive(Debug, Default)]
pub struct Transaction {
    state: TransactionState,
    options: TransactionOptions,
    number: i64,
    /// An operation was dropped before it ended.
    interrupted: bool,
    /// An attempt to commit has failed, or ended, in a way that leaves open what became of it.
    commit_again: bool,
    recovery_token: Option<RawDocumentBuf>,
    /// The router that all commands must go to.
    pinned: Option<ServerAddress>,
}

impl Transaction {
    /// Where it is.
    pub fn state(&self) -> TransactionState {
        self.state
    }

    /// Whether operations of the session belong to it.
    pub fn is_active(&self) -> bool {
        matches!(self.state, TransactionState::Starting | TransactionState::InProgress)
    }

    /// Its options, defaults and the client's settings included.
    pub fn options(&self) -> &TransactionOptions {
        &self.options
    }

    /// Begins a transaction. `number` is higher than all that its server session has used.
    ///
    /// # Errors
    /// [`TransactionError`] when one is active, and for an unacknowledged write concern.
    pub fn start(&mut self, options: TransactionOptions, number: i64) -> Result<(), TransactionError> {
        self.check_start(&options)?;
        *self = Self { state: TransactionState::Starting, options, number, ..Self::default() };
        Ok(())
    }

    /// Whether [`start`](Self::start) would succeed.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    pub fn check_start(&self, options: &TransactionOptions) -> Result<(), TransactionError> {
        if self.is_active() {
            return Err(TransactionError::AlreadyInProgress);
        }
        if options.write_concern.as_ref().is_some_and(|concern| !concern.is_acknowledged()) {
            return Err(TransactionError::Unacknowledged);
        }
        Ok(())
    }

    /// An operation other than commit and abort begins. A transaction that has ended is forgotten.
    ///
    /// # Errors
    /// [`TransactionError::Interrupted`] when the transaction can only be aborted.
    pub fn begin_operation(&mut self) -> Result<(), TransactionError> {
        match self.state {
            TransactionState::Committed { .. } | TransactionState::Aborted => {
                *self = Self::default();
                Ok(())
            }
            _ => self.check_uninterrupted(),
        }
    }

    fn check_uninterrupted(&self) -> Result<(), TransactionError> {
        if self.interrupted && self.is_active() { Err(TransactionError::Interrupted) } else { Ok(()) }
    }

    /// An operation was dropped before it ended: if it belongs to an active transaction, that can only be aborted.
    pub fn interrupt(&mut self) {
        self.interrupted = self.is_active();
    }

    /// What the next command carries; none outside of transactions. `ending` for the commands that end one.
    pub fn stamp(&self, ending: bool) -> Option<TransactionStamp<'_>> {
        if !self.is_active() && !ending {
            return None;
        }
        let recovery_token = self.recovery_token.as_deref().filter(|_| ending);
        Some(TransactionStamp { number: self.number, start: self.state == TransactionState::Starting, recovery_token })
    }

    /// The read concern of the transaction's first command, if that is what comes next and it is not the server's
    /// default.
    pub fn first_read_concern(&self) -> Option<&ReadConcern> {
        let starting = self.state == TransactionState::Starting;
        self.options.read_concern.as_ref().filter(|concern| starting && !concern.is_server_default())
    }

    /// Where the next command must go; none when any suitable server will do.
    pub fn pinned(&self) -> Option<&ServerAddress> {
        self.pinned.as_ref()
    }

    /// A server was selected for a command of an active transaction. A router stays with the transaction.
    pub fn selected(&mut self, address: &ServerAddress, server_type: ServerType) {
        if server_type == ServerType::Mongos && self.is_active() && self.pinned.is_none() {
            self.pinned = Some(address.clone());
        }
    }

    /// Whether its commands, the repetition of its commit included, belong on one router or connection.
    pub fn is_bound(&self) -> bool {
        self.is_active() || matches!(self.state, TransactionState::Committed { .. })
    }

    /// Commands need not go to one router any more.
    pub fn unpin(&mut self) {
        self.pinned = None;
    }

    /// Bytes of a command were written, so that a server may have begun the transaction.
    pub fn sent(&mut self) {
        if self.state == TransactionState::Starting {
            self.state = TransactionState::InProgress;
        }
    }

    /// The server was too busy to begin the transaction with the command that was to do it: the next one is the first.
    pub fn not_begun(&mut self) {
        if self.state == TransactionState::InProgress {
            self.state = TransactionState::Starting;
        }
    }

    /// A reply carried a recovery token.
    pub fn recovery_token_received(&mut self, token: &RawDocument) {
        if self.state != TransactionState::None {
            self.recovery_token = Some(token.to_owned());
        }
    }

    /// Commits: says whether a command is needed. Committing once more is allowed.
    ///
    /// # Errors
    /// [`TransactionError`] when nothing was started, and after an abort; [`TransactionError::Interrupted`] when the
    /// transaction can only be aborted.
    pub fn commit(&mut self) -> Result<Ending, TransactionError> {
        self.check_uninterrupted()?;
        match self.state {
            TransactionState::None => Err(TransactionError::NotStarted),
            TransactionState::Aborted => Err(TransactionError::CommitAfterAbort),
            TransactionState::Starting | TransactionState::Committed { empty: true } => {
                self.state = TransactionState::Committed { empty: true };
                Ok(Ending::Nothing)
            }
            TransactionState::InProgress => {
                self.state = TransactionState::Committed { empty: false };
                Ok(Ending::Send)
            }
            TransactionState::Committed { empty: false } => {
                self.commit_again = true;
                Ok(Ending::Send)
            }
        }
    }

    /// An attempt to commit has failed, other than because the server was too busy to try.
    pub fn commit_failed(&mut self) {
        self.commit_again = true;
    }

    /// The write concern of the commit. From the second attempt on a majority must confirm it, so that it cannot be
    /// applied twice.
    pub fn commit_write_concern(&self) -> WriteConcern {
        let mut concern = self.options.write_concern.clone().unwrap_or_default();
        if self.commit_again {
            concern.w = Some(Acknowledgment::Majority);
            concern.w_timeout = concern.w_timeout.or(Some(REPEATED_COMMIT_TIMEOUT));
        }
        concern
    }

    /// Aborts: says whether a command is needed. The transaction is over whatever becomes of the command; it stays
    /// where it is pinned for the first attempt, after which [`unpin`](Self::unpin) is due.
    ///
    /// # Errors
    /// [`TransactionError`] when nothing was started, after a commit, and after an abort.
    pub fn abort(&mut self) -> Result<Ending, TransactionError> {
        let ending = match self.state {
            TransactionState::None => return Err(TransactionError::NotStarted),
            TransactionState::Committed { .. } => return Err(TransactionError::AbortAfterCommit),
            TransactionState::Aborted => return Err(TransactionError::AbortTwice),
            TransactionState::Starting => Ending::Nothing,
            TransactionState::InProgress => Ending::Send,
        };
        self.state = TransactionState::Aborted;
        self.interrupted = false;
        if ending == Ending::Nothing {
            self.unpin();
        }
        Ok(ending)
    }
}
