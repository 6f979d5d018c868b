//! The retry plan of one operation.

use std::time::{Duration, Instant};

use rand::RngCore;

use super::{
    backoff::backoff,
    failure::Failure,
    outcome::Outcome,
    policy::{Budget, Operation, RetryOptions, Retryability, TransactionPart},
};
use crate::{
    address::ServerAddress,
    error::{Labels, labels},
};

/// The pause before the second repetition; it doubles with each.
const FIRST_PACE: Duration = Duration::from_millis(1);
/// How often it doubles: to 64 ms.
const MOST_DOUBLINGS: u32 = 6;

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Report [`RetryPlan::into_error`].
    GiveUp,
    /// Try again at once, avoiding [`RetryPlan::deprioritized`].
    RetryNow,
    /// Try again after this pause, avoiding [`RetryPlan::deprioritized`].
    RetryAfter(Duration),
}

/// Decides after each failed attempt of one operation whether to try again, and which error is reported in the end.
///
/// `E` is the error as the caller knows it; the plan keeps the one to report.
///
/// ```
/// use std::time::Instant;
///
/// use mongo_actors_protocol::{
///     error::Labels,
///     retry::{Budget, Cause, Decision, Failure, Operation, RetryOptions, RetryPlan, Stage},
/// };
///
/// let mut plan = RetryPlan::new(Operation::READ, RetryOptions::default(), Budget::Unset);
/// let labels = Labels::new();
/// let failure = Failure { cause: Cause::Network, labels: &labels, stage: Stage::Written, server: None };
/// let (now, mut rng) = (Instant::now(), rand::rng());
/// assert_eq!(plan.failed(now, &mut rng, &failure, "connection reset"), Decision::RetryNow);
/// assert_eq!(plan.failed(now, &mut rng, &failure, "connection refused"), Decision::GiveUp);
/// assert_eq!(plan.into_error(), Some("connection refused"));
/// ```
#[derive(Clone, Debug)]
pub struct RetryPlan<E> {
    operation: Operation,
    options: RetryOptions,
    budget: Budget,
    retries: u32,
    most_retries: u32,
    deprioritized: Vec<ServerAddress>,
    outcome: Outcome,
    only_overload: bool,
    out_of_time: bool,
    reported: Option<E>,
}

impl<E> RetryPlan<E> {
    /// A plan for an operation that has not been attempted yet.
    pub fn new(operation: Operation, options: RetryOptions, budget: Budget) -> Self {
        Self {
            operation,
            options,
            budget,
            retries: 0,
            most_retries: budget.most_retries(),
            deprioritized: Vec::new(),
            outcome: Outcome::NotSent,
            only_overload: true,
            out_of_time: false,
            reported: None,
        }
    }

    /// Whether the command is to carry a transaction number, on a server that supports retryable writes.
    pub fn needs_txn_number(&self) -> bool {
        self.effective() == Retryability::Write && self.operation.transaction == TransactionPart::Outside
    }

    /// Whether a failure of some kind would be followed by another attempt, so that the session must be kept.
    pub fn may_retry(&self) -> bool {
        let by_specification = self.effective() != Retryability::None && self.retries < self.most_retries;
        let by_overload =
            self.operation.may_repeat_after_overload(&self.options) && self.retries < self.options.max_adaptive_retries;
        by_specification || by_overload
    }

    /// Whether a retryable error of the attempt that is about to be made would be followed by another one.
    pub fn would_repeat(&self) -> bool {
        self.effective() != Retryability::None && self.retries < self.most_retries
    }

    /// The labels that the driver has to add to the error of this attempt, before [`failed`](Self::failed).
    pub fn driver_labels(&self, failure: &Failure<'_>) -> Labels {
        let mut added = Labels::new();
        if self.effective() == Retryability::Write && failure.gets_write_label() {
            added.add(labels::RETRYABLE_WRITE_ERROR);
        }
        added
    }

    /// An attempt has failed with `error`, which `failure` sums up.
    pub fn failed(&mut self, now: Instant, rng: &mut dyn RngCore, failure: &Failure<'_>, error: E) -> Decision {
        self.outcome = self.outcome.fold(failure.outcome(self.operation.kind, self.operation.retryability));
        self.only_overload &= failure.is_retryable_overload();
        self.keep(failure, error);
        let overload = failure.is_overload();
        if !self.is_retryable(failure) {
            return Decision::GiveUp;
        }
        if overload {
            self.most_retries = self.options.max_adaptive_retries;
        }
        if self.retries >= self.most_retries {
            return Decision::GiveUp;
        }
        if self.budget.deadline().is_some_and(|deadline| deadline <= now) {
            self.out_of_time = true;
            return Decision::GiveUp;
        }
        let retry = self.retries + 1;
        let pause = overload.then(|| backoff(rng, retry, failure.base_backoff()));
        if let (Some(pause), Some(deadline)) = (pause, self.budget.deadline())
            && now.checked_add(pause).is_none_or(|end| end > deadline)
        {
            return Decision::GiveUp;
        }
        self.retries = retry;
        self.deprioritize(failure);
        pause.or_else(|| self.pace(now)).map_or(Decision::RetryNow, Decision::RetryAfter)
    }

    /// How long to wait before another repetition than the first, where time alone limits their number: attempts that
    /// fail at once would otherwise follow each other as fast as the processor can.
    fn pace(&self, now: Instant) -> Option<Duration> {
        if self.most_retries < u32::MAX {
            return None;
        }
        let doublings = self.retries.checked_sub(2)?.min(MOST_DOUBLINGS);
        let rest = self.budget.deadline().map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(now));
        Some((FIRST_PACE * 2_u32.pow(doublings)).min(rest))
    }

    /// The servers the next attempt should avoid.
    pub fn deprioritized(&self) -> &[ServerAddress] {
        &self.deprioritized
    }

    /// What is known of the operation after all attempts so far, given that none succeeded.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// How many repetitions have been decided on.
    pub fn retries(&self) -> u32 {
        self.retries
    }

    /// Whether every failure so far was an overload error after which the server had done nothing. Then the repetition
    /// of a transaction's first command is still the first, and that of a commit keeps its write concern.
    pub fn only_overload_errors(&self) -> bool {
        self.only_overload
    }

    /// Whether there would be another attempt if there were time.
    pub fn is_out_of_time(&self) -> bool {
        self.out_of_time
    }

    /// The error to report, none before the first failure.
    pub fn error(&self) -> Option<&E> {
        self.reported.as_ref()
    }

    /// The error to report, none before the first failure.
    pub fn into_error(self) -> Option<E> {
        self.reported
    }

    fn effective(&self) -> Retryability {
        self.operation.effective_retryability(&self.options)
    }

    fn is_retryable(&self, failure: &Failure<'_>) -> bool {
        let by_specification = match self.effective() {
            Retryability::None => false,
            Retryability::Read => failure.is_retryable_read(),
            Retryability::Write => failure.is_retryable_write(),
        };
        let by_overload = failure.is_retryable_overload() && self.operation.may_repeat_after_overload(&self.options);
        by_specification || by_overload
    }

    /// An error that shows an attempt replaces what was kept before; another one is only kept when it is the first.
    fn keep(&mut self, failure: &Failure<'_>, error: E) {
        if failure.shows_attempt() || self.reported.is_none() {
            self.reported = Some(error);
        }
    }

    fn deprioritize(&mut self, failure: &Failure<'_>) {
        let Some(server) = failure.server else { return };
        let avoid = failure.is_sharded() || (failure.is_overload() && self.options.overload_retargeting);
        if avoid && !self.deprioritized.contains(server.address) {
            self.deprioritized.push(server.address.clone());
        }
    }
}
