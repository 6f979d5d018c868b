//! Options of transactions.

use std::time::Duration;

use crate::{
    concern::{ReadConcern, WriteConcern},
    selection::SelectionCriteria,
};

/// Options of a transaction. What is none comes from the session's default transaction options, else from the client.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TransactionOptions {
    /// Which data the transaction reads. Sent with its first command.
    pub read_concern: Option<ReadConcern>,
    /// How many members must confirm the commit. Operations of the transaction have none of their own.
    pub write_concern: Option<WriteConcern>,
    /// Where reads go. Transactions can only read from the primary: anything else fails the first read.
    pub selection_criteria: Option<SelectionCriteria>,
    /// How long the server may work on one `commitTransaction` (`maxTimeMS`), in whole milliseconds.
    pub max_commit_time: Option<Duration>,
}

impl TransactionOptions {
    /// Options that leave everything to the session and the client.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with this read concern.
    #[must_use]
    pub fn read_concern(mut self, concern: impl Into<ReadConcern>) -> Self {
        self.read_concern = Some(concern.into());
        self
    }

    /// The same with this write concern.
    #[must_use]
    pub fn write_concern(mut self, concern: impl Into<WriteConcern>) -> Self {
        self.write_concern = Some(concern.into());
        self
    }

    /// The same with this read preference.
    #[must_use]
    pub fn selection_criteria(mut self, criteria: impl Into<SelectionCriteria>) -> Self {
        self.selection_criteria = Some(criteria.into());
        self
    }

    /// The same with this limit for each `commitTransaction`.
    #[must_use]
    pub fn max_commit_time(mut self, limit: Duration) -> Self {
        self.max_commit_time = Some(limit);
        self
    }

    /// These options, each that is none replaced by that of `inherited`.
    #[must_use]
    pub fn over(self, inherited: &Self) -> Self {
        Self {
            read_concern: self.read_concern.or_else(|| inherited.read_concern.clone()),
            write_concern: self.write_concern.or_else(|| inherited.write_concern.clone()),
            selection_criteria: self.selection_criteria.or_else(|| inherited.selection_criteria.clone()),
            max_commit_time: self.max_commit_time.or(inherited.max_commit_time),
        }
    }
}
