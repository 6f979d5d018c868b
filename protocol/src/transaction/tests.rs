use std::time::{Duration, Instant};

use bson::rawdoc;
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};

use super::*;
use crate::{
    address::ServerAddress,
    concern::{ReadConcern, WriteConcern},
    error::{CommandError, Labels, WriteConcernError, labels},
    retry::{Cause, Failure, Stage},
    sdam::ServerType,
};

fn started() -> Transaction {
    let mut transaction = Transaction::default();
    transaction.start(TransactionOptions::default(), 1).unwrap();
    transaction
}

fn in_progress() -> Transaction {
    let mut transaction = started();
    transaction.sent();
    transaction
}

fn router(port: u16) -> ServerAddress {
    format!("router:{port}").parse().unwrap()
}

#[test]
fn only_the_first_command_starts_the_transaction() {
    let mut transaction = started();
    let stamp = transaction.stamp(false).unwrap();
    assert_eq!((stamp.number, stamp.start, stamp.recovery_token), (1, true, None));
    transaction.sent();
    assert!(!transaction.stamp(false).unwrap().start);
    assert_eq!(transaction.state(), TransactionState::InProgress);
    assert!(Transaction::default().stamp(false).is_none());
}

#[test]
fn a_command_that_never_left_leaves_the_start_to_the_next() {
    let transaction = started();
    assert!(transaction.stamp(false).unwrap().start && transaction.stamp(false).unwrap().start);
    let mut overloaded = in_progress();
    overloaded.not_begun();
    assert!(overloaded.stamp(false).unwrap().start);
}

#[test]
fn calls_are_refused_by_the_state_and_leave_it() {
    let mut none = Transaction::default();
    assert_eq!(none.commit(), Err(TransactionError::NotStarted));
    assert_eq!(none.abort(), Err(TransactionError::NotStarted));
    let mut active = started();
    let again = active.start(TransactionOptions::default(), 2);
    assert_eq!(again, Err(TransactionError::AlreadyInProgress));
    assert_eq!(active.stamp(false).unwrap().number, 1);
    let mut committed = in_progress();
    committed.commit().unwrap();
    assert_eq!(committed.abort(), Err(TransactionError::AbortAfterCommit));
    assert_eq!(committed.state(), TransactionState::Committed { empty: false });
    let mut aborted = in_progress();
    aborted.abort().unwrap();
    assert_eq!(aborted.abort(), Err(TransactionError::AbortTwice));
    assert_eq!(aborted.commit(), Err(TransactionError::CommitAfterAbort));
    assert_eq!(aborted.state(), TransactionState::Aborted);
    let careless = TransactionOptions::new().write_concern(WriteConcern::nodes(0));
    assert_eq!(Transaction::default().start(careless, 1), Err(TransactionError::Unacknowledged));
}

#[test]
fn an_empty_transaction_is_ended_without_a_command() {
    let mut transaction = started();
    assert_eq!(transaction.commit(), Ok(Ending::Nothing));
    assert_eq!(transaction.commit(), Ok(Ending::Nothing));
    assert_eq!(started().abort(), Ok(Ending::Nothing));
    assert_eq!(in_progress().abort(), Ok(Ending::Send));
}

#[test]
fn the_next_operation_forgets_a_transaction_that_has_ended() {
    let mut transaction = in_progress();
    transaction.recovery_token_received(&rawdoc! { "token": 1 });
    transaction.commit().unwrap();
    assert!(!transaction.is_active());
    transaction.begin_operation().unwrap();
    assert_eq!(transaction.state(), TransactionState::None);
    assert_eq!(transaction.commit(), Err(TransactionError::NotStarted));
}

#[test]
fn from_the_second_attempt_on_a_majority_must_confirm_the_commit() {
    let mut transaction = in_progress();
    transaction.commit().unwrap();
    assert_eq!(transaction.commit_write_concern(), WriteConcern::default());
    transaction.commit_failed();
    let repeated = WriteConcern::majority().with_w_timeout(Duration::from_secs(10));
    assert_eq!(transaction.commit_write_concern(), repeated);
    let own = WriteConcern::nodes(3).with_w_timeout(Duration::from_millis(7)).with_journal(true);
    let mut transaction = Transaction::default();
    transaction.start(TransactionOptions::new().write_concern(own.clone()), 1).unwrap();
    transaction.sent();
    transaction.commit().unwrap();
    assert_eq!(transaction.commit_write_concern(), own);
    assert_eq!(transaction.commit(), Ok(Ending::Send));
    let majority = WriteConcern::majority().with_w_timeout(Duration::from_millis(7)).with_journal(true);
    assert_eq!(transaction.commit_write_concern(), majority);
}

#[test]
fn the_last_recovery_token_goes_with_commands_that_end_the_transaction() {
    let mut transaction = in_progress();
    transaction.recovery_token_received(&rawdoc! { "token": 1 });
    transaction.recovery_token_received(&rawdoc! { "token": 2 });
    assert_eq!(transaction.stamp(false).unwrap().recovery_token, None);
    transaction.commit().unwrap();
    assert_eq!(transaction.stamp(true).unwrap().recovery_token, Some(&*rawdoc! { "token": 2 }));
    transaction.start(TransactionOptions::default(), 2).unwrap();
    assert_eq!(transaction.stamp(true).unwrap().recovery_token, None);
}

#[test]
fn a_router_is_kept_until_something_unpins_it() {
    let mut transaction = started();
    transaction.selected(&router(1), ServerType::Mongos);
    transaction.selected(&router(2), ServerType::Mongos);
    assert_eq!(transaction.pinned(), Some(&router(1)));
    transaction.sent();
    transaction.commit().unwrap();
    assert_eq!(transaction.pinned(), Some(&router(1)), "a commit may be repeated");
    transaction.begin_operation().unwrap();
    assert_eq!(transaction.pinned(), None);
    transaction.selected(&router(1), ServerType::Mongos);
    assert_eq!(transaction.pinned(), None, "there is no transaction");
    let mut next = started();
    next.selected(&router(1), ServerType::RsPrimary);
    assert_eq!(next.pinned(), None, "a replica set has no routers");
    next.selected(&router(1), ServerType::Mongos);
    next.abort().unwrap();
    assert_eq!(next.pinned(), None);
}

#[test]
fn after_a_dropped_operation_only_an_abort_is_possible() {
    let mut transaction = in_progress();
    transaction.interrupt();
    assert_eq!(transaction.begin_operation(), Err(TransactionError::Interrupted));
    assert_eq!(transaction.commit(), Err(TransactionError::Interrupted));
    assert!(transaction.is_active());
    assert_eq!(transaction.abort(), Ok(Ending::Send));
    transaction.begin_operation().unwrap();
    let mut outside = Transaction::default();
    outside.interrupt();
    assert_eq!(outside.begin_operation(), Ok(()));
    let mut committed = in_progress();
    committed.commit().unwrap();
    committed.interrupt();
    assert_eq!(committed.commit(), Ok(Ending::Send), "whether a dropped commit took place is told by the next");
}

#[test]
fn random_histories_keep_the_rules() {
    let mut rng = StdRng::seed_from_u64(11);
    for _ in 0..2_000 {
        let (mut transaction, mut number, mut starts) = (Transaction::default(), 0, 0);
        for _ in 0..rng.random_range(1..25) {
            let active = transaction.is_active();
            match rng.random_range(0..6) {
                0 => {
                    let started = transaction.start(TransactionOptions::default(), number + 1);
                    assert_eq!(started.is_ok(), !active);
                    if started.is_ok() {
                        (number, starts) = (number + 1, 0);
                    }
                }
                1 => {
                    if transaction.begin_operation().is_ok()
                        && let Some(stamp) = transaction.stamp(false)
                    {
                        assert_eq!(stamp.number, number);
                        starts += u32::from(stamp.start);
                        transaction.sent();
                    }
                    assert!(starts <= 1, "a transaction begins once");
                }
                2 => {
                    let sent_before = starts > 0;
                    if transaction.commit() == Ok(Ending::Send) {
                        assert!(sent_before);
                        assert_eq!(transaction.stamp(true).unwrap().number, number);
                    }
                    assert!(!transaction.is_active() || active);
                }
                3 => assert_eq!(transaction.abort().is_ok(), active),
                4 => transaction.interrupt(),
                _ => transaction.unpin(),
            }
        }
    }
}

fn added(cause: Cause<'_>, own: &[&str], commit: bool) -> Vec<String> {
    let own = Labels::from_iter(own);
    let failure = Failure { cause, labels: &own, stage: Stage::Written, server: None };
    driver_labels(&failure, commit, false).iter().map(ToOwned::to_owned).collect()
}

#[test]
fn errors_without_a_reply_are_transient_but_leave_a_commit_unknown() {
    for cause in [Cause::Network, Cause::Selection, Cause::PoolCleared] {
        assert_eq!(added(cause, &[], false), [labels::TRANSIENT_TRANSACTION_ERROR]);
        assert_eq!(added(cause, &[], true), [labels::UNKNOWN_TRANSACTION_COMMIT_RESULT]);
    }
    let none = Labels::new();
    let late = Failure { cause: Cause::Driver, labels: &none, stage: Stage::Queued, server: None };
    assert!(driver_labels(&late, false, true).contains(labels::TRANSIENT_TRANSACTION_ERROR));
    assert!(driver_labels(&late, true, true).contains(labels::UNKNOWN_TRANSACTION_COMMIT_RESULT));
    assert!(driver_labels(&late, false, false).is_empty());
}

#[test]
fn refused_commits_are_unknown_only_where_a_repetition_may_help() {
    let unknown = [labels::UNKNOWN_TRANSACTION_COMMIT_RESULT];
    let refused = |code| CommandError::new(code, "", "");
    assert_eq!(added(Cause::Command(&refused(50)), &[], true), unknown);
    assert_eq!(added(Cause::Command(&refused(11602)), &[labels::RETRYABLE_WRITE_ERROR], true), unknown);
    assert!(added(Cause::Command(&refused(251)), &[labels::TRANSIENT_TRANSACTION_ERROR], true).is_empty());
    assert!(added(Cause::Command(&refused(50)), &[], false).is_empty());
    let concern = |code| WriteConcernError::new(code, "", "");
    assert_eq!(added(Cause::WriteConcern(&concern(64)), &[], true), unknown);
    for unsatisfiable in [79, 100] {
        assert!(added(Cause::WriteConcern(&concern(unsatisfiable)), &[], true).is_empty());
    }
}

#[test]
fn errors_that_end_the_bond_to_a_router() {
    let transient = Labels::from_iter([labels::TRANSIENT_TRANSACTION_ERROR]);
    let unknown = Labels::from_iter([labels::UNKNOWN_TRANSACTION_COMMIT_RESULT]);
    assert!(unpins(&transient, false) && unpins(&transient, true) && unpins(&unknown, true));
    assert!(!unpins(&unknown, false) && !unpins(&Labels::new(), true));
}

/// Always the same number.
struct Constant(u64);

impl RngCore for Constant {
    fn next_u32(&mut self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.0
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

#[allow(clippy::disallowed_methods, reason = "a starting point for the test's own clock")]
fn start() -> Instant {
    Instant::now()
}

#[test]
fn pauses_between_transactions_grow_to_half_a_second() {
    let now = start();
    let mut loop_ = Repetition::new(now, None);
    let mut most = Constant(u64::MAX);
    assert_eq!(loop_.next_attempt(now, &mut most), Some(Duration::ZERO));
    let pauses: Vec<_> = (0..13).map(|_| loop_.next_attempt(now, &mut most).unwrap()).collect();
    assert!(pauses[0].abs_diff(Duration::from_micros(7_500)) < Duration::from_micros(10));
    assert!(pauses.is_sorted() && pauses[12].abs_diff(Duration::from_millis(500)) < Duration::from_micros(10));
    let all: Duration = pauses.iter().sum();
    assert!(all.abs_diff(Duration::from_millis(2_300)) < Duration::from_millis(100), "{all:?}");
    let mut without = Repetition::new(now, None);
    assert!((0..20).all(|_| without.next_attempt(now, &mut Constant(0)) == Some(Duration::ZERO)));
}

#[test]
fn two_minutes_or_the_deadline_end_the_repetition() {
    let (now, transient) = (start(), Labels::from_iter([labels::TRANSIENT_TRANSACTION_ERROR]));
    let unknown = Labels::from_iter([labels::UNKNOWN_TRANSACTION_COMMIT_RESULT]);
    for (deadline, limit) in [(None, 120), (Some(now + Duration::from_secs(3)), 3)] {
        let mut loop_ = Repetition::new(now, deadline);
        loop_.next_attempt(now, &mut Constant(0));
        let (before, after) = (now + Duration::from_secs(limit - 1), now + Duration::from_secs(limit));
        assert_eq!(loop_.run_failed(before, &transient), Verdict::Restart);
        assert_eq!(loop_.run_failed(after, &transient), Verdict::TimedOut);
        assert_eq!(loop_.commit_failed(before, &unknown, false), Verdict::CommitAgain);
        assert_eq!(loop_.commit_failed(after, &unknown, false), Verdict::TimedOut);
        assert_eq!(loop_.commit_failed(before, &unknown, true), Verdict::Report);
        assert_eq!(loop_.commit_failed(before, &transient, false), Verdict::Restart);
        assert_eq!(loop_.commit_failed(before, &Labels::new(), false), Verdict::Report);
        assert_eq!(loop_.run_failed(before, &unknown), Verdict::Report);
        assert!(loop_.next_attempt(before, &mut Constant(0)).is_some());
        assert_eq!(loop_.next_attempt(after, &mut Constant(0)), None);
    }
}

#[test]
fn options_come_from_the_next_level_that_has_them() {
    let client = TransactionOptions::new().read_concern(ReadConcern::local()).write_concern(WriteConcern::nodes(1));
    let session = TransactionOptions::new().write_concern(WriteConcern::majority());
    let options = TransactionOptions::new().max_commit_time(Duration::from_secs(1)).over(&session.over(&client));
    assert_eq!(options.read_concern, Some(ReadConcern::local()));
    assert_eq!(options.write_concern, Some(WriteConcern::majority()));
    assert_eq!(options.max_commit_time, Some(Duration::from_secs(1)));
}
