//! Repeating operations that failed, and what is known about their outcome.
//!
//! [`RetryPlan`] follows the retryable reads, retryable writes and client backpressure specifications, and the retry
//! parts of those on transactions and on client-side operation timeouts.

mod backoff;
mod failure;
mod outcome;
mod plan;
mod policy;

#[cfg(test)]
mod tests;

pub use backoff::backoff;
pub use failure::{Cause, FailedServer, Failure};
pub use outcome::{Outcome, Stage};
pub use plan::{Decision, RetryPlan};
pub use policy::{Budget, Operation, OperationKind, RetryOptions, Retryability, TransactionPart};

/// What to tell a user whose deployment lacks transaction numbers, in place of the server's own message (code 20).
pub const RETRYABLE_WRITES_UNSUPPORTED: &str = "This MongoDB deployment does not support retryable writes. Please add \
                                                retryWrites=false to your connection string.";
