//! What is known about an operation that did not succeed.

/// What is known to have become of an operation, or of one attempt. Ordered: over several attempts the greatest counts.
///
/// An attempt that was refused says nothing about an earlier one that may have been executed; an attempt that was
/// executed does, because a repetition of a write is the same write to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// No server has received it.
    #[default]
    NotSent,
    /// A server has refused it without executing any part of it.
    Rejected,
    /// It may have been executed, wholly, in part or not at all.
    Unknown,
    /// It was executed, but only in part or below its write concern.
    Applied,
}

impl Outcome {
    /// The outcome of both attempts together.
    #[must_use]
    pub fn fold(self, other: Self) -> Self {
        self.max(other)
    }
}

/// How far an attempt got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// It waited for a suitable server.
    #[default]
    Queued,
    /// A server was selected, and it waited for a connection.
    Selected,
    /// It had a connection.
    CheckedOut,
    /// The writing of its bytes had begun.
    Writing,
    /// All its bytes were written.
    Written,
}

impl Stage {
    /// Whether a server may have received it.
    pub fn may_be_sent(self) -> bool {
        self >= Self::Writing
    }

    /// What is known of an attempt that got this far and of which nothing more was heard.
    pub fn outcome_if_lost(self) -> Outcome {
        if self.may_be_sent() { Outcome::Unknown } else { Outcome::NotSent }
    }
}
