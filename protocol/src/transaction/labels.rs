//! What the driver itself says about errors in transactions.

use crate::{
    error::{Labels, labels},
    retry::{Cause, Failure},
};

/// `UnsatisfiableWriteConcern`, `UnknownReplWriteConcern`: no repetition would satisfy the write concern.
const UNSATISFIABLE: &[i32] = &[100, 79];
/// `MaxTimeMSExpired`.
const MAX_TIME_MS_EXPIRED: i32 = 50;

/// The labels that the driver has to add to the error of a command in a transaction. `commit` for the command that
/// commits it; `timed_out` when it was the driver that would not wait any longer. Labels of the retry rules are in
/// `failure` already.
pub fn driver_labels(failure: &Failure<'_>, commit: bool, timed_out: bool) -> Labels {
    let mut added = Labels::new();
    if commit {
        if timed_out || leaves_commit_unknown(failure) {
            added.add(labels::UNKNOWN_TRANSACTION_COMMIT_RESULT);
        }
    } else if timed_out || got_no_reply(failure) {
        added.add(labels::TRANSIENT_TRANSACTION_ERROR);
    }
    added
}

/// The client received no reply, so that it cannot know whether the transaction has changed.
fn got_no_reply(failure: &Failure<'_>) -> bool {
    matches!(failure.cause, Cause::Network | Cause::Selection | Cause::PoolCleared)
}

fn leaves_commit_unknown(failure: &Failure<'_>) -> bool {
    if failure.labels.contains(labels::RETRYABLE_WRITE_ERROR) {
        return true;
    }
    match failure.cause {
        Cause::Command(error) => error.code == MAX_TIME_MS_EXPIRED,
        Cause::WriteConcern(error) => !UNSATISFIABLE.contains(&error.code),
        _ => got_no_reply(failure),
    }
}

/// Whether an error with these labels ends the bond to one router or connection. Aborting ends it anyway.
pub fn unpins(error: &Labels, commit: bool) -> bool {
    error.contains(labels::TRANSIENT_TRANSACTION_ERROR)
        || (commit && error.contains(labels::UNKNOWN_TRANSACTION_COMMIT_RESULT))
}
