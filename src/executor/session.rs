//! Operations in a session of the application.

use mongo_actors_engine::{Attempting, Lease, Operation, SessionUse, SharedSession};
use mongo_actors_protocol::{
    command::CommitTransaction,
    error::{Labels, labels},
    retry::{self, Budget, TransactionPart},
    selection::SelectionCriteria,
    transaction::{TransactionState, driver_labels, unpins},
};

use super::{Ended, Executed, Facts, recovery};
use crate::{
    client::Client,
    error::{Error, ErrorKind, Result},
};

/// An operation's place in its session, through all its attempts. Dropping it before the operation has ended means that
/// the caller has gone: a transaction can only be aborted then.
pub(super) struct Within {
    session: SharedSession,
    part: Part,
    budget: Budget,
    /// Who may execute it while the session is not pinned.
    criteria: SelectionCriteria,
    /// The attempt under way is the first command of its transaction.
    starts: bool,
    ended: bool,
}

/// What an operation has to do with the session's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Outside,
    Inside,
    Commit,
    Abort,
}

impl Part {
    fn of(facts: &Facts) -> Self {
        match facts.retry.transaction {
            TransactionPart::Outside => Self::Outside,
            TransactionPart::Inside => Self::Inside,
            TransactionPart::Ending if facts.command == CommitTransaction::NAME => Self::Commit,
            TransactionPart::Ending => Self::Abort,
        }
    }

    fn is_ending(self) -> bool {
        matches!(self, Self::Commit | Self::Abort)
    }
}

/// An operation of several commands in a transaction. Dropping it before all have ended, even between two of them, means
/// that the caller has gone: the transaction can only be aborted then.
#[must_use = "dropping it interrupts the transaction"]
pub(crate) struct Whole(Option<SharedSession>);

impl Whole {
    pub(super) fn new(session: Option<SharedSession>) -> Self {
        Self(session)
    }

    pub(crate) fn has_ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if let Some(session) = &self.0 {
            session.with(|state| state.transaction.interrupt());
        }
    }
}

/// Executes an operation in a session.
pub(super) async fn run(
    client: &Client,
    facts: Facts,
    mut operation: Box<Operation>,
    session: &SharedSession,
    pin: &mut Option<Lease>,
) -> Result<Ended> {
    let mut within = Within::begin(session, &facts, &operation).await?;
    let (attempting, lease) = within.lend(&mut operation).await?;
    let answer = client.engine().execute_in(operation, None, lease.or_else(|| pin.take())).await;
    drop(attempting);
    let result = match answer {
        Ok(Ok(reply)) => Ok(Ended::Done(Executed::new(reply, facts, None))),
        failed => recovery::recover(client, facts, failed, Some(&mut within), pin).await,
    };
    within.end();
    result
}

impl Within {
    async fn begin(session: &SharedSession, facts: &Facts, operation: &Operation) -> Result<Self> {
        let part = Part::of(facts);
        match facts.budget.deadline() {
            None => session.settled().await,
            Some(deadline) => tokio::time::timeout_at(deadline.into(), session.settled())
                .await
                .map_err(|_| Error::new(ErrorKind::OperationTimeout))?,
        }
        if !part.is_ending() {
            session.begin_operation()?;
        }
        let criteria = operation.criteria.clone();
        Ok(Self { session: session.clone(), part, budget: facts.budget, criteria, starts: false, ended: false })
    }

    pub(super) fn session(&self) -> &SharedSession {
        &self.session
    }

    /// Waits for the session, and has the operation carry it. An operation of this session that was dropped may still
    /// be with the server.
    pub(super) async fn lend(&mut self, operation: &mut Operation) -> Result<(Attempting, Option<Lease>)> {
        let waiting = self.session.turn(self.part.is_ending());
        let turn = match self.budget.deadline() {
            None => waiting.await,
            Some(deadline) => tokio::time::timeout_at(deadline.into(), waiting)
                .await
                .map_err(|_| Error::new(ErrorKind::OperationTimeout).with_labels(&self.label_of_timeout()))?,
        };
        let attempting = turn.attempting();
        let lease = turn.take_pinned();
        self.session.with(|state| {
            let transaction = &state.transaction;
            self.starts = transaction.state() == TransactionState::Starting;
            let pinned = transaction.pinned().cloned().map(SelectionCriteria::Address);
            operation.criteria = pinned.unwrap_or_else(|| self.criteria.clone());
            if self.part == Part::Commit {
                let mut concern = transaction.commit_write_concern();
                if self.budget != Budget::Unset {
                    concern.w_timeout = None;
                }
                operation.write_concern = Some(concern);
            }
        });
        operation.session = SessionUse::Explicit(turn);
        Ok((attempting, lease))
    }

    /// The labels that an error has because it arose in a transaction.
    pub(super) fn labels(&self, failure: &retry::Failure<'_>, timed_out: bool) -> Labels {
        match self.part {
            Part::Outside | Part::Abort => Labels::new(),
            part => driver_labels(failure, part == Part::Commit, timed_out),
        }
    }

    /// The label that an error has because there was no time left in a transaction.
    pub(super) fn label_of_timeout(&self) -> Labels {
        let label = match self.part {
            Part::Outside | Part::Abort => return Labels::new(),
            Part::Inside => labels::TRANSIENT_TRANSACTION_ERROR,
            Part::Commit => labels::UNKNOWN_TRANSACTION_COMMIT_RESULT,
        };
        Labels::from_iter([label])
    }

    /// An attempt has failed. `overloaded` when the server did nothing, `again` when another attempt follows.
    pub(super) fn failed(&self, error: &Labels, overloaded: bool, again: bool) {
        if self.part == Part::Abort || unpins(error, self.part == Part::Commit) {
            self.session.unpin();
        }
        self.session.with(|state| match self.part {
            Part::Commit if !overloaded => state.transaction.commit_failed(),
            Part::Inside if overloaded && again && self.starts => state.transaction.not_begun(),
            _ => {}
        });
    }

    fn end(mut self) {
        if self.part == Part::Abort {
            self.session.unpin();
        }
        self.ended = true;
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        if !self.ended {
            self.session.with(|state| state.transaction.interrupt());
        }
    }
}
