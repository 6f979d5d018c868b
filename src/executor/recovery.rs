//! The long path: an attempt has failed.

use mongo_actors_engine::{Answer, Cause, Entropy, Failure, HeldSession, Lease, Summary, Unanswered, clock};
use mongo_actors_protocol::{
    error::{CommandError, Labels},
    retry::{Decision, OperationKind, Outcome, RetryPlan, TransactionPart},
};

use super::{Ended, Executed, Facts, Prepared, Timing, executed::History, session::Within};
use crate::{
    client::Client,
    error::{Attempt, Context, Error, ErrorKind, Result},
};

/// A failed attempt as it would be reported.
struct Reported {
    failure: Failure,
    labels: Labels,
}

/// Repeats the operation as long as its retry plan says so. `answer` is that of the first attempt. A connection that
/// belongs to the operation's cursor is in `pin` between attempts, and stays there when none is left.
pub(super) async fn recover(
    client: &Client,
    facts: Facts,
    mut answer: std::result::Result<Answer, Unanswered>,
    mut within: Option<&mut Within>,
    pin: &mut Option<Lease>,
) -> Result<Ended> {
    let mut plan = RetryPlan::new(facts.retry, *client.retry_options(), facts.budget);
    let mut attempts = Vec::new();
    loop {
        let mut setback = match answer {
            Ok(Ok(reply)) => {
                let history = History { attempts, outcome: Outcome::NotSent, labels: Labels::new() };
                return Ok(Ended::Done(Executed::new(reply, facts, Some(Box::new(history)))));
            }
            Ok(Err(mut setback)) => {
                *pin = setback.lease.take();
                setback
            }
            Err(Unanswered) => {
                let labels = within.map(|within| within.label_of_timeout()).unwrap_or_default();
                return Err(unanswered(&facts, attempts).with_labels(&labels));
            }
        };
        if let (Cause::LimitsExceeded(limits), []) = (setback.cause(), attempts.as_slice()) {
            let limits = *limits;
            let Facts { retry, budget, missing_namespace_is_success, .. } = facts;
            let timing = Timing::default();
            let (operation, session) = (setback.operation, within.map(|within| within.session().clone()));
            let prepared = Prepared { operation, retry, budget, timing, session, missing_namespace_is_success };
            return Ok(Ended::TooLarge { limits, prepared: Box::new(prepared) });
        }
        let entropy = client.engine().entropy();
        match decide(&mut plan, &setback.failure, &facts, &mut attempts, within.as_deref(), entropy) {
            Decision::GiveUp => {
                let late = facts.budget.deadline().is_some()
                    && (plan.is_out_of_time() || Summary::of(&setback.failure).is_timeout());
                let concluded = conclude(plan, facts, attempts, setback.session);
                return match concluded {
                    Ok(Ended::Done(executed)) if late => Ok(Ended::Done(executed.late())),
                    Err(error) if late => Err(error.into_operation_timeout()),
                    concluded => concluded,
                };
            }
            Decision::RetryNow => {}
            Decision::RetryAfter(pause) => tokio::time::sleep(pause).await,
        }
        setback.operation.last_attempt = !plan.would_repeat();
        let lent = match within.as_mut() {
            Some(within) => Some(within.lend(&mut setback.operation).await?),
            None => None,
        };
        let (attempting, lease) = lent.unzip();
        let lease = lease.flatten().or_else(|| pin.take());
        answer = client.engine().repeat(*setback, plan.deprioritized().to_vec(), lease).await;
        drop(attempting);
    }
}

fn decide(
    plan: &mut RetryPlan<Reported>,
    failure: &Failure,
    facts: &Facts,
    attempts: &mut Vec<Attempt>,
    within: Option<&Within>,
    entropy: &Entropy,
) -> Decision {
    let mut summary = Summary::of(failure);
    let mut added = plan.driver_labels(&summary.failure());
    summary.labels.extend_from(&added);
    if let Some(within) = within {
        added = within.labels(&summary.failure(), summary.timed_out());
        summary.labels.extend_from(&added);
    }
    let outcome = summary.failure().outcome(facts.retry.kind, facts.retry.retryability);
    attempts.push(Attempt::new(failure, outcome));
    let reported = Reported { failure: failure.clone(), labels: summary.labels.clone() };
    let decision = plan.failed(clock::now(), &mut entropy.rng(), &summary.failure(), reported);
    if let Some(within) = within {
        let overloaded = summary.failure().is_retryable_overload();
        within.failed(&summary.labels, overloaded, decision != Decision::GiveUp);
    }
    decision
}

/// No attempt is left: what is reported may still be a result.
fn conclude(
    plan: RetryPlan<Reported>,
    facts: Facts,
    attempts: Vec<Attempt>,
    session: Option<HeldSession>,
) -> Result<Ended> {
    let outcome = plan.outcome();
    let Some(Reported { failure, labels }) = plan.into_error() else {
        return Err(unanswered(&facts, attempts));
    };
    match &failure.cause {
        Cause::WriteConcern { reply, .. } => {
            let body = Some(reply.clone());
            let history = History { attempts, outcome, labels };
            Ok(Ended::Done(Executed::despite(&failure, body, session, facts, history)))
        }
        cause if facts.missing_namespace_is_success && is_namespace_not_found(cause) => {
            Ok(Ended::Done(Executed::despite(&failure, None, None, facts, History::default())))
        }
        _ => {
            let writes = facts.retry.kind != OperationKind::Read;
            let error = Error::from_failure(&failure, &labels, Some(facts.command), writes, outcome);
            let error = match facts.retry.transaction {
                TransactionPart::Outside => error.with_remedy_for_transaction_numbers(),
                TransactionPart::Inside | TransactionPart::Ending => error,
            };
            Err(error.after(attempts, outcome))
        }
    }
}

/// The engine has not answered by the deadline.
fn unanswered(facts: &Facts, mut attempts: Vec<Attempt>) -> Error {
    attempts.push(Attempt::unanswered());
    let writes = facts.retry.kind != OperationKind::Read;
    Error::new(ErrorKind::OperationTimeout)
        .with_context(Context { server: None, command: Some(facts.command.clone()), writes })
        .after(attempts, Outcome::Unknown)
}

/// Whether a server says that the collection or database is not there.
fn is_namespace_not_found(cause: &Cause) -> bool {
    let is_it = |error: &CommandError| error.is_namespace_not_found();
    matches!(cause, Cause::Command(error) if is_it(error))
}
