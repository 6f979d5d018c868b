//! What the application has seen, and what it was told.

use std::{collections::BTreeMap, time::Duration};

use mongo_actors::{
    Error,
    error::{Outcome, labels},
};

use super::bank::Transfer;

/// What the application knows of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was told that it succeeded.
    Acknowledged,
    /// It was told that it was not executed.
    Refused,
    /// It was told nothing, or that nobody knows.
    Unknown,
}

impl Fate {
    pub(crate) fn of<T>(result: &Result<T, Error>) -> Self {
        match result {
            Ok(_) => Self::Acknowledged,
            Err(error) if matches!(error.outcome(), Outcome::NotSent | Outcome::Rejected) => Self::Refused,
            Err(_) => Self::Unknown,
        }
    }

    /// Of a transaction: after an error that does not leave its commit open, nothing remains.
    pub(crate) fn of_transaction<T>(result: &Result<T, Error>) -> Self {
        match result {
            Ok(_) => Self::Acknowledged,
            Err(error) if error.has_label(labels::UNKNOWN_TRANSACTION_COMMIT_RESULT) => Self::Unknown,
            Err(_) => Self::Refused,
        }
    }
}

/// What the application has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) operations: u64,
    pub(crate) outcomes: BTreeMap<String, u64>,
    /// The orders, by their ids.
    pub(crate) inserts: BTreeMap<i32, Fate>,
    /// By their marks: which counter, and what became of it.
    pub(crate) increments: BTreeMap<i32, (i32, Fate)>,
    /// By their marks; each of them has inserted the order with that id, or nothing.
    pub(crate) transfers: BTreeMap<i32, (Transfer, Fate)>,
    /// The orders that were found by operations that read all of them, each sorted.
    pub(crate) scans: Vec<(i32, Vec<i32>)>,
    /// The ids that the change stream has delivered.
    pub(crate) delivered: Vec<i32>,
    pub(crate) stream_errors: u64,
    /// When operations succeeded.
    pub(crate) successes: Vec<Duration>,
    pub(crate) violations: Vec<String>,
    pub(crate) in_flight: usize,
}
