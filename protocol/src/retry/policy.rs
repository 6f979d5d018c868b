//! What may be repeated at all.

use std::time::{Duration, Instant};

/// The retry options of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryOptions {
    /// `retryReads`; default true.
    pub retry_reads: bool,
    /// `retryWrites`; default true.
    pub retry_writes: bool,
    /// `maxAdaptiveRetries`: most repetitions of an operation that has met an overload error; default 2.
    pub max_adaptive_retries: u32,
    /// `enableOverloadRetargeting`: whether a server that is overloaded is avoided by the repetition; default false.
    pub overload_retargeting: bool,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self { retry_reads: true, retry_writes: true, max_adaptive_retries: 2, overload_retargeting: false }
    }
}

/// Which of the two retry specifications covers an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Retryability {
    /// Neither: updates of many documents, `getMore`, raw commands, writes with w=0, ...
    #[default]
    None,
    /// Retryable reads.
    Read,
    /// Retryable writes: the command carries a transaction number.
    Write,
}

/// Which switch allows an operation to be repeated after an overload error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// `retryReads`.
    Read,
    /// `retryWrites`.
    Write,
    /// Both: a raw command, which may be either.
    Command,
}

/// What an operation has to do with a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TransactionPart {
    /// Nothing.
    #[default]
    Outside,
    /// It runs in one.
    Inside,
    /// It commits or aborts one, and is repeated whether or not `retryWrites` is on.
    Ending,
}

/// An operation as far as repeating it is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Which switch allows it to be repeated after an overload error.
    pub kind: OperationKind,
    /// Which retry specification covers it.
    pub retryability: Retryability,
    /// What it has to do with a transaction.
    pub transaction: TransactionPart,
}

impl Operation {
    /// An operation that retryable reads cover.
    pub const READ: Self = Self::outside(OperationKind::Read, Retryability::Read);
    /// A read that is only repeated after an overload error, such as `getMore`.
    pub const PLAIN_READ: Self = Self::outside(OperationKind::Read, Retryability::None);
    /// An operation that retryable writes cover.
    pub const WRITE: Self = Self::outside(OperationKind::Write, Retryability::Write);
    /// A write that is only repeated after an overload error, such as an update of many documents.
    pub const PLAIN_WRITE: Self = Self::outside(OperationKind::Write, Retryability::None);
    /// A raw command.
    pub const COMMAND: Self = Self::outside(OperationKind::Command, Retryability::None);
    /// `commitTransaction` or `abortTransaction`.
    pub const ENDING: Self = Self { transaction: TransactionPart::Ending, ..Self::WRITE };

    const fn outside(kind: OperationKind, retryability: Retryability) -> Self {
        Self { kind, retryability, transaction: TransactionPart::Outside }
    }

    /// The same operation within a transaction.
    #[must_use]
    pub const fn in_transaction(self) -> Self {
        Self { transaction: TransactionPart::Inside, ..self }
    }

    /// The retry specification that applies, given the switches and the transaction.
    pub fn effective_retryability(&self, options: &RetryOptions) -> Retryability {
        match (self.transaction, self.retryability) {
            (TransactionPart::Ending, retryability) => retryability,
            (TransactionPart::Inside, _) => Retryability::None,
            (TransactionPart::Outside, Retryability::Read) if !options.retry_reads => Retryability::None,
            (TransactionPart::Outside, Retryability::Write) if !options.retry_writes => Retryability::None,
            (TransactionPart::Outside, retryability) => retryability,
        }
    }

    /// Whether the switches allow it to be repeated after an overload error.
    pub fn may_repeat_after_overload(&self, options: &RetryOptions) -> bool {
        match self.kind {
            _ if self.transaction == TransactionPart::Ending => true,
            OperationKind::Read => options.retry_reads,
            OperationKind::Write => options.retry_writes,
            OperationKind::Command => options.retry_reads && options.retry_writes,
        }
    }
}

/// The time an operation has (`timeoutMS`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Budget {
    /// `timeoutMS` is not set: one repetition.
    #[default]
    Unset,
    /// `timeoutMS` is 0: no limit on time or repetitions.
    Unlimited,
    /// `timeoutMS` ends then: as many repetitions as fit.
    Until(Instant),
}

impl Budget {
    /// The time of an operation that begins `now`: none is unset, zero is unlimited.
    pub fn beginning_at(now: Instant, timeout: Option<Duration>) -> Self {
        match timeout {
            None => Self::Unset,
            Some(Duration::ZERO) => Self::Unlimited,
            Some(timeout) => now.checked_add(timeout).map_or(Self::Unlimited, Self::Until),
        }
    }

    /// The same, but no longer than `other`.
    #[must_use]
    pub fn within(self, other: Self) -> Self {
        match (self, other) {
            (Self::Until(one), Self::Until(another)) => Self::Until(one.min(another)),
            (Self::Unset, other) | (Self::Unlimited, other @ Self::Until(_)) => other,
            (budget, _) => budget,
        }
    }

    /// Whether `timeoutMS` is set, so that it takes the place of all other limits of time.
    pub fn is_set(self) -> bool {
        self != Self::Unset
    }

    /// When the time is up.
    pub fn deadline(self) -> Option<Instant> {
        match self {
            Self::Until(deadline) => Some(deadline),
            Self::Unset | Self::Unlimited => None,
        }
    }

    /// How often an operation may be repeated that has not met an overload error.
    pub(super) fn most_retries(self) -> u32 {
        match self {
            Self::Unset => 1,
            Self::Unlimited | Self::Until(_) => u32::MAX,
        }
    }
}
