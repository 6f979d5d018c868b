//! Transactions: what a session's commands carry in one, what its errors mean, and when it is repeated.
//!
//! It follows the transactions specification and that of the convenient API for transactions.

mod error;
mod labels;
mod machine;
mod options;
mod repetition;

#[cfg(test)]
mod tests;

pub use self::{
    error::TransactionError,
    labels::{driver_labels, unpins},
    machine::{Ending, Transaction, TransactionStamp, TransactionState},
    options::TransactionOptions,
    repetition::{Repetition, Verdict},
};
