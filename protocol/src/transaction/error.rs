//! Calls that the state of a session does not allow.

/// Why a session refuses a call. Its state is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// A transaction is active.
    #[error("Transaction already in progress: commit or abort it first")]
    AlreadyInProgress,
    /// There is no transaction to commit or abort.
    #[error("No transaction started: call start_transaction first")]
    NotStarted,
    /// The transaction was aborted.
    #[error("Cannot call commitTransaction after calling abortTransaction")]
    CommitAfterAbort,
    /// The transaction was committed.
    #[error("Cannot call abortTransaction after calling commitTransaction")]
    AbortAfterCommit,
    /// The transaction was aborted before.
    #[error("Cannot call abortTransaction twice")]
    AbortTwice,
    /// A commit that nobody confirms would be worth nothing.
    #[error("transactions do not support unacknowledged write concerns (w=0)")]
    Unacknowledged,
    /// The session reads from a snapshot.
    #[error("Transactions are not supported in snapshot sessions: use a session without snapshot")]
    Snapshot,
    /// It cannot be known what became of an operation of the transaction.
    #[error(
        "an operation of this transaction was dropped before it ended, so the transaction can only be aborted: \
         call abort_transaction"
    )]
    Interrupted,
    /// An operation says itself which data it may read.
    #[error(
        "Cannot set read concern after starting a transaction: give it to start_transaction instead of the operation"
    )]
    ReadConcern,
    /// An operation says itself who must confirm it.
    #[error(
        "Cannot set write concern after starting a transaction: give it to start_transaction instead of the operation"
    )]
    WriteConcern,
    /// A read would go elsewhere than to the primary.
    #[error("read preference in a transaction must be primary")]
    ReadPreference,
}
