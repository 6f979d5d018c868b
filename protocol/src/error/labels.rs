//! Error labels: what a server or the driver says about an error beyond its code.

use std::{borrow::Cow, fmt};

use bson::RawDocument;

/// The write may be repeated.
pub const RETRYABLE_WRITE_ERROR: &str = "RetryableWriteError";
/// The whole transaction may be repeated.
pub const TRANSIENT_TRANSACTION_ERROR: &str = "TransientTransactionError";
/// It is not known whether the transaction was committed.
pub const UNKNOWN_TRANSACTION_COMMIT_RESULT: &str = "UnknownTransactionCommitResult";
/// No write was applied.
pub const NO_WRITES_PERFORMED: &str = "NoWritesPerformed";
/// The change stream may be resumed.
pub const RESUMABLE_CHANGE_STREAM_ERROR: &str = "ResumableChangeStreamError";
/// The server, or the way to it, is overloaded.
pub const SYSTEM_OVERLOADED_ERROR: &str = "SystemOverloadedError";
/// The operation was not executed and may be repeated, with backoff.
pub const RETRYABLE_ERROR: &str = "RetryableError";

const KNOWN: &[&str] = &[
    RETRYABLE_WRITE_ERROR,
    TRANSIENT_TRANSACTION_ERROR,
    UNKNOWN_TRANSACTION_COMMIT_RESULT,
    NO_WRITES_PERFORMED,
    RESUMABLE_CHANGE_STREAM_ERROR,
    SYSTEM_OVERLOADED_ERROR,
    RETRYABLE_ERROR,
];

/// A small set of error labels. An empty one and those of the known labels do not allocate per label.
///
/// ```
/// use mongo_actors_protocol::error::{Labels, labels};
///
/// let mut set = Labels::new();
/// set.add(labels::RETRYABLE_WRITE_ERROR);
/// assert!(set.contains("RetryableWriteError"));
/// ```
#[derive(Clone, Default)]
pub struct Labels(Vec<Cow<'static, str>>);

impl Labels {
    /// The empty set.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The texts of the `errorLabels` array of a reply; the empty set when there is none.
    pub fn from_reply(reply: &RawDocument) -> Self {
        let mut labels = Self::new();
        if let Ok(array) = reply.get_array("errorLabels") {
            array.into_iter().filter_map(|label| label.ok()?.as_str()).for_each(|label| labels.add(label));
        }
        labels
    }

    /// Whether `label` is in the set.
    pub fn contains(&self, label: &str) -> bool {
        self.0.iter().any(|own| own == label)
    }

    /// Adds `label`, once.
    pub fn add(&mut self, label: &str) {
        if !self.contains(label) {
            let known = KNOWN.iter().find(|known| **known == label);
            self.0.push(known.map_or_else(|| label.to_owned().into(), |known| Cow::Borrowed(*known)));
        }
    }

    /// Removes `label` if it is there.
    pub fn remove(&mut self, label: &str) {
        self.0.retain(|own| own != label);
    }

    /// Adds every label of `other`.
    pub fn extend_from(&mut self, other: &Self) {
        other.iter().for_each(|label| self.add(label));
    }

    /// The labels in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Labels {
    /// Two sets are equal when they hold the same labels, in whichever order.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|label| other.contains(label))
    }
}

impl Eq for Labels {}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<S: AsRef<str>> FromIterator<S> for Labels {
    fn from_iter<I: IntoIterator<Item = S>>(labels: I) -> Self {
        let mut set = Self::new();
        labels.into_iter().for_each(|label| set.add(label.as_ref()));
        set
    }
}
