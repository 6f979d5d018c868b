//! One command and its repetitions.

use mongo_actors_protocol::{
    change_stream::Fault,
    cmap::CheckOutError,
    retry::{Budget, Decision, Outcome, RetryPlan},
};

use super::plan::{ChangeStreamPlan, GivenUp};
use crate::{
    failure::{Cause, EstablishFault, Failure},
    runtime::{Entropy, clock},
    summary::Summary,
};

/// What a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It opens a cursor.
    Open,
    /// It asks the cursor for more.
    More,
}

/// A command that is on its way, or about to be repeated.
pub(super) struct Effort {
    pub(super) purpose: Purpose,
    retries: RetryPlan<(Failure, mongo_actors_protocol::error::Labels)>,
    rules: mongo_actors_protocol::retry::Operation,
    has_deadline: bool,
}

impl Effort {
    pub(super) fn new(purpose: Purpose, plan: &ChangeStreamPlan, budget: Budget) -> Self {
        let rules = match purpose {
            Purpose::Open => plan.retry,
            Purpose::More => mongo_actors_protocol::retry::Operation::PLAIN_READ,
        };
        let has_deadline = budget.deadline().is_some();
        Self { purpose, retries: RetryPlan::new(rules, plan.retry_options, budget), rules, has_deadline }
    }

    /// An attempt has failed. What is known of it is added to `attempts`.
    pub(super) fn failed(
        &mut self,
        failure: &Failure,
        attempts: &mut Vec<(Failure, Outcome)>,
        entropy: &Entropy,
    ) -> Decision {
        let mut summary = Summary::of(failure);
        let added = self.retries.driver_labels(&summary.failure());
        summary.labels.extend_from(&added);
        let outcome = summary.failure().outcome(self.rules.kind, self.rules.retryability);
        attempts.push((failure.clone(), outcome));
        let reported = (failure.clone(), summary.labels.clone());
        self.retries.failed(clock::now(), &mut entropy.rng(), &summary.failure(), reported)
    }

    /// The servers that a repetition should avoid.
    pub(super) fn deprioritized(&self) -> Vec<mongo_actors_protocol::address::ServerAddress> {
        self.retries.deprioritized().to_vec()
    }

    /// No attempt is left; `last` is the failure of the last.
    pub(super) fn conclude(self, last: Failure, attempts: Vec<(Failure, Outcome)>) -> GivenUp {
        let command = Some(match self.purpose {
            Purpose::Open => "aggregate",
            Purpose::More => "getMore",
        });
        let out_of_time = self.retries.is_out_of_time() || Summary::of(&last).is_timeout();
        let late = self.has_deadline && out_of_time;
        let outcome = self.retries.outcome();
        let (failure, labels) = self.retries.into_error().unwrap_or_else(|| (last, Default::default()));
        GivenUp { command, failure, labels, outcome, attempts, late, ends: false }
    }
}

/// A failure as the rules of resumption see it. `wire_version` counts when the failure knows of no connection.
pub(super) fn fault_of(failure: &Failure, wire_version: Option<i32>) -> Fault<'_> {
    let connection = failure.connection.as_ref();
    let wire_version = connection.map(|connection| connection.max_wire_version).or(wire_version);
    match &failure.cause {
        Cause::Command(error) | Cause::WriteConcern { error, .. } => Fault::Server(error, wire_version),
        Cause::CheckOut(error) => match &**error {
            // A server that cannot be logged in to is gone for this purpose only if its error passes.
            CheckOutError::Establishment(error) => match &error.fault {
                EstablishFault::Command(refusal) if refusal.is_retryable_read_code() => Fault::Driver,
                EstablishFault::Command(refusal) => Fault::Server(refusal, wire_version),
                _ => Fault::Driver,
            },
            _ => Fault::Driver,
        },
        Cause::DeadlinePassed => Fault::Deadline,
        Cause::ClientClosed => Fault::Closed,
        _ => Fault::Driver,
    }
}
