use std::time::{Duration, Instant};

use rand::{RngCore, SeedableRng, rngs::StdRng};

use super::*;
use crate::{
    address::ServerAddress,
    error::{CommandError, Labels, WriteConcernError, labels},
    sdam::ServerType,
};

const OVERLOAD: &[&str] = &[labels::SYSTEM_OVERLOADED_ERROR, labels::RETRYABLE_ERROR];
const OVERLOAD_UNWRITTEN: &[&str] =
    &[labels::SYSTEM_OVERLOADED_ERROR, labels::RETRYABLE_ERROR, labels::NO_WRITES_PERFORMED];
const RETRYABLE: &[&str] = &[labels::RETRYABLE_WRITE_ERROR];
const RETRYABLE_UNWRITTEN: &[&str] = &[labels::RETRYABLE_WRITE_ERROR, labels::NO_WRITES_PERFORMED];

/// A generator that always gives the same bits.
struct Fixed(u64);

impl RngCore for Fixed {
    fn next_u32(&mut self) -> u32 {
        self.0 as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.0
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(self.0 as u8);
    }
}

/// The generator whose random factors are as close to 1 as they get.
fn highest() -> Fixed {
    Fixed(u64::MAX)
}

enum What {
    Selection,
    PoolCleared,
    Network,
    Driver,
    Code(i32),
    WriteConcern(i32),
}

/// An operation with its plan; errors are numbered by attempt.
struct Scene {
    plan: RetryPlan<usize>,
    attempts: usize,
    now: Instant,
    address: ServerAddress,
    server_type: ServerType,
    wire_version: i32,
    supports_retryable_writes: bool,
    stage: Stage,
}

#[allow(clippy::disallowed_methods, reason = "a starting point for the test's own clock")]
fn start() -> Instant {
    Instant::now()
}

fn scene(operation: Operation) -> Scene {
    scene_with(operation, RetryOptions::default(), Budget::Unset)
}

fn scene_with(operation: Operation, options: RetryOptions, budget: Budget) -> Scene {
    Scene {
        plan: RetryPlan::new(operation, options, budget),
        attempts: 0,
        now: start(),
        address: "a:1".parse().unwrap(),
        server_type: ServerType::RsPrimary,
        wire_version: 17,
        supports_retryable_writes: true,
        stage: Stage::Written,
    }
}

impl Scene {
    fn with_failure<T>(&mut self, what: What, labels: &[&str], use_it: impl FnOnce(&mut Self, &Failure<'_>) -> T) -> T {
        let labels: Labels = labels.iter().copied().collect();
        let (code, concern) = match what {
            What::Code(code) => (code, 0),
            What::WriteConcern(code) => (0, code),
            _ => (0, 0),
        };
        let command = CommandError::new(code, "", "");
        let concern = WriteConcernError::new(concern, "", "");
        let address = self.address.clone();
        let before_sending = matches!(what, What::Selection | What::PoolCleared | What::Driver);
        let failure = Failure {
            cause: match what {
                What::Selection => Cause::Selection,
                What::PoolCleared => Cause::PoolCleared,
                What::Network => Cause::Network,
                What::Driver => Cause::Driver,
                What::Code(_) => Cause::Command(&command),
                What::WriteConcern(_) => Cause::WriteConcern(&concern),
            },
            labels: &labels,
            stage: if before_sending { Stage::Selected } else { self.stage },
            server: (!matches!(what, What::Selection)).then_some(FailedServer {
                address: &address,
                server_type: self.server_type,
                max_wire_version: Some(self.wire_version),
                supports_retryable_writes: self.supports_retryable_writes,
            }),
        };
        use_it(self, &failure)
    }

    fn fails(&mut self, what: What, labels: &[&str]) -> Decision {
        self.fails_with(&mut StdRng::seed_from_u64(1), what, labels)
    }

    fn fails_with(&mut self, rng: &mut dyn RngCore, what: What, labels: &[&str]) -> Decision {
        self.attempts += 1;
        self.with_failure(what, labels, |scene, failure| scene.plan.failed(scene.now, rng, failure, scene.attempts))
    }

    fn driver_labels(&mut self, what: What) -> Vec<String> {
        let added = self.with_failure(what, &[], |scene, failure| scene.plan.driver_labels(failure));
        added.iter().map(str::to_owned).collect()
    }
}

fn is_retry(decision: Decision) -> bool {
    decision != Decision::GiveUp
}

#[test]
fn a_read_is_repeated_once_after_a_retryable_error() {
    for code in [262, 11600, 11602, 10107, 13435, 13436, 189, 134, 91, 7, 6, 89, 9001] {
        let mut scene = scene(Operation::READ);
        assert_eq!(scene.fails(What::Code(code), &[]), Decision::RetryNow, "{code}");
        assert_eq!(scene.fails(What::Code(code), &[]), Decision::GiveUp);
        assert_eq!(scene.plan.error(), Some(&2), "the error of the repetition tells more");
    }
    for what in [What::Network, What::PoolCleared] {
        assert_eq!(scene(Operation::READ).fails(what, &[]), Decision::RetryNow);
    }
    for what in [What::Code(11601), What::Code(50), What::Selection, What::Driver] {
        assert_eq!(scene(Operation::READ).fails(what, &[]), Decision::GiveUp);
    }
}

#[test]
fn a_write_is_repeated_only_with_the_label() {
    assert_eq!(scene(Operation::WRITE).fails(What::Code(112), RETRYABLE), Decision::RetryNow);
    assert_eq!(scene(Operation::WRITE).fails(What::Code(11600), &[]), Decision::GiveUp);
    assert_eq!(scene(Operation::WRITE).fails(What::WriteConcern(91), RETRYABLE), Decision::RetryNow);
    assert_eq!(scene(Operation::WRITE).fails(What::WriteConcern(91), &[]), Decision::GiveUp);
    assert_eq!(scene(Operation::WRITE).fails(What::Code(134), &[]), Decision::GiveUp);
}

#[test]
fn the_driver_labels_network_errors_and_cleared_pools_of_retryable_writes() {
    for (operation, options, expected) in [
        (Operation::WRITE, RetryOptions::default(), true),
        (Operation::WRITE, RetryOptions { retry_writes: false, ..Default::default() }, false),
        (Operation::ENDING, RetryOptions { retry_writes: false, ..Default::default() }, true),
        (Operation::WRITE.in_transaction(), RetryOptions::default(), false),
        (Operation::PLAIN_WRITE, RetryOptions::default(), false),
        (Operation::READ, RetryOptions::default(), false),
    ] {
        for what in [What::Network, What::PoolCleared] {
            let added = scene_with(operation, options, Budget::Unset).driver_labels(what);
            assert_eq!(added == RETRYABLE, expected, "{operation:?} {added:?}");
        }
    }
    let mut unsupported = scene(Operation::WRITE);
    unsupported.supports_retryable_writes = false;
    assert!(unsupported.driver_labels(What::Network).is_empty());
    assert!(scene(Operation::WRITE).driver_labels(What::Selection).is_empty());
}

#[test]
fn the_driver_labels_answers_only_of_servers_before_4_4() {
    let labelled = |wire_version, server_type, what| {
        let mut scene = scene(Operation::WRITE);
        (scene.wire_version, scene.server_type) = (wire_version, server_type);
        !scene.driver_labels(what).is_empty()
    };
    assert!(labelled(8, ServerType::RsPrimary, What::Code(189)));
    assert!(labelled(8, ServerType::Mongos, What::Code(189)));
    assert!(labelled(8, ServerType::RsPrimary, What::WriteConcern(91)));
    assert!(!labelled(8, ServerType::Mongos, What::WriteConcern(91)));
    assert!(!labelled(8, ServerType::RsPrimary, What::Code(134)));
    assert!(!labelled(9, ServerType::RsPrimary, What::Code(189)));
    assert!(!labelled(9, ServerType::RsPrimary, What::WriteConcern(91)));
}

#[test]
fn a_write_on_a_server_without_retryable_writes_is_not_repeated() {
    let mut scene = scene(Operation::WRITE);
    scene.supports_retryable_writes = false;
    assert_eq!(scene.fails(What::Network, &[]), Decision::GiveUp);
}

#[test]
fn the_switches_turn_repetition_off() {
    let none = RetryOptions { retry_reads: false, retry_writes: false, ..Default::default() };
    assert_eq!(scene_with(Operation::READ, none, Budget::Unset).fails(What::Network, &[]), Decision::GiveUp);
    assert_eq!(scene_with(Operation::WRITE, none, Budget::Unset).fails(What::Code(1), RETRYABLE), Decision::GiveUp);
    assert_eq!(scene_with(Operation::ENDING, none, Budget::Unset).fails(What::Network, &[]), Decision::RetryNow);
    assert!(!scene_with(Operation::WRITE, none, Budget::Unset).plan.needs_txn_number());
    assert!(scene(Operation::WRITE).plan.needs_txn_number());
    assert!(!scene(Operation::ENDING).plan.needs_txn_number());
}

#[test]
fn nothing_is_repeated_within_a_transaction_but_overload() {
    for operation in [Operation::READ.in_transaction(), Operation::WRITE.in_transaction()] {
        assert_eq!(scene(operation).fails(What::Network, RETRYABLE), Decision::GiveUp);
        assert!(is_retry(scene(operation).fails(What::Code(462), OVERLOAD)));
    }
}

#[test]
fn with_a_time_budget_repetitions_are_only_limited_by_time() {
    let deadline = start() + Duration::from_secs(100);
    let mut scene = scene_with(Operation::READ, RetryOptions::default(), Budget::Until(deadline));
    assert!((0..50).all(|_| is_retry(scene.fails(What::Network, &[]))));
    scene.now = deadline;
    assert_eq!(scene.fails(What::Network, &[]), Decision::GiveUp);
    let mut scene = scene_with(Operation::READ, RetryOptions::default(), Budget::Unlimited);
    assert!((0..50).all(|_| is_retry(scene.fails(What::Network, &[]))));
}

#[test]
fn attempts_that_fail_at_once_do_not_follow_each_other_without_end() {
    let deadline = start() + Duration::from_secs(1);
    let mut scene = scene_with(Operation::READ, RetryOptions::default(), Budget::Until(deadline));
    assert_eq!(scene.fails(What::Network, &[]), Decision::RetryNow);
    let mut repetitions = 1;
    while let Decision::RetryAfter(pause) = scene.fails(What::Network, &[]) {
        assert!(!pause.is_zero());
        scene.now += pause;
        assert!(scene.now <= deadline, "the last pause ends in time");
        repetitions += 1;
    }
    assert_eq!(scene.now, deadline, "no time is given away");
    // One at once, seven while the pause doubles from 1 to 64 ms, one each 64 ms of what is left, and the rest.
    assert_eq!(repetitions, 1 + 7 + 13 + 1);
}

#[test]
fn overload_is_repeated_at_most_as_often_as_configured() {
    for (most, budget) in [(2, Budget::Unset), (1, Budget::Unset), (0, Budget::Unset), (2, Budget::Unlimited)] {
        let options = RetryOptions { max_adaptive_retries: most, ..Default::default() };
        let mut scene = scene_with(Operation::READ, options, budget);
        for _ in 0..most {
            assert!(is_retry(scene.fails(What::Code(462), OVERLOAD)));
        }
        assert_eq!(scene.fails(What::Code(462), OVERLOAD), Decision::GiveUp);
    }
}

#[test]
fn one_overload_error_sets_the_limit_for_all_further_repetitions() {
    let mut reading = scene(Operation::READ);
    assert!(is_retry(reading.fails(What::Code(91), OVERLOAD)));
    assert_eq!(reading.fails(What::Code(91), &[labels::RETRYABLE_ERROR]), Decision::RetryNow, "no pause without it");
    assert_eq!(reading.fails(What::Code(91), &[labels::RETRYABLE_ERROR]), Decision::GiveUp);
    assert_eq!(reading.attempts, 3);

    let mut timed = scene_with(Operation::READ, RetryOptions::default(), Budget::Unlimited);
    assert!(is_retry(timed.fails(What::Network, &[])) && is_retry(timed.fails(What::Network, &[])));
    assert_eq!(timed.fails(What::Code(462), OVERLOAD), Decision::GiveUp);
}

#[test]
fn overload_repeats_every_kind_of_command_if_its_switch_is_on() {
    let only_reads = RetryOptions { retry_writes: false, ..Default::default() };
    for (operation, all_on, reads_on) in [
        (Operation::PLAIN_READ, true, true),
        (Operation::PLAIN_WRITE, true, false),
        (Operation::COMMAND, true, false),
        (Operation::ENDING, true, true),
    ] {
        assert_eq!(is_retry(scene(operation).fails(What::Code(462), OVERLOAD)), all_on);
        let decision = scene_with(operation, only_reads, Budget::Unset).fails(What::Code(462), OVERLOAD);
        assert_eq!(is_retry(decision), reads_on, "{operation:?}");
    }
    let only_overloaded = &[labels::SYSTEM_OVERLOADED_ERROR];
    assert_eq!(scene(Operation::COMMAND).fails(What::Code(462), only_overloaded), Decision::GiveUp);
    assert_eq!(scene(Operation::PLAIN_WRITE).fails(What::Network, &[]), Decision::GiveUp);
}

#[test]
fn the_pause_doubles_up_to_ten_seconds() {
    let longest = |retry, base| backoff(&mut highest(), retry, base).as_millis();
    assert_eq!([longest(1, None), longest(2, None), longest(3, None)], [200, 400, 800]);
    assert_eq!([longest(7, None), longest(40, None), longest(u32::MAX, None)], [10_000; 3]);
    let base = Some(Duration::from_millis(50));
    assert_eq!([longest(1, base), longest(2, base)], [100, 200]);
    assert_eq!(longest(1, Some(Duration::ZERO)), 200);
    assert_eq!(longest(1, Some(Duration::MAX)), 10_000);
    assert_eq!(backoff(&mut Fixed(0), 5, None), Duration::ZERO);
}

#[test]
fn the_pauses_of_two_repetitions_are_within_six_tenths_of_a_second() {
    let mut scene = scene(Operation::WRITE);
    let mut pauses = Duration::ZERO;
    while let Decision::RetryAfter(pause) = scene.fails_with(&mut highest(), What::Code(2), OVERLOAD) {
        pauses += pause;
    }
    assert_eq!((scene.attempts, pauses.as_millis()), (3, 600));
}

#[test]
fn a_pause_that_would_outlast_the_deadline_is_not_begun() {
    let now = start();
    let budget = |millis| Budget::Until(now + Duration::from_millis(millis));
    let mut short = scene_with(Operation::READ, RetryOptions::default(), budget(150));
    short.now = now;
    assert_eq!(short.fails_with(&mut highest(), What::Code(462), OVERLOAD), Decision::GiveUp);
    let mut long = scene_with(Operation::READ, RetryOptions::default(), budget(250));
    long.now = now;
    assert!(is_retry(long.fails_with(&mut highest(), What::Code(462), OVERLOAD)));
}

#[test]
fn routers_are_avoided_after_any_failure_and_others_only_when_overloaded_and_asked_to() {
    let avoided = |server_type, retargeting, overload: &[&str]| {
        let options = RetryOptions { overload_retargeting: retargeting, ..Default::default() };
        let mut scene = scene_with(Operation::READ, options, Budget::Unset);
        scene.server_type = server_type;
        assert!(is_retry(scene.fails(What::Code(6), overload)));
        !scene.plan.deprioritized().is_empty()
    };
    assert!(avoided(ServerType::Mongos, false, &[]));
    assert!(avoided(ServerType::Mongos, false, OVERLOAD));
    assert!(avoided(ServerType::RsPrimary, true, OVERLOAD));
    assert!(!avoided(ServerType::RsPrimary, true, &[labels::RETRYABLE_ERROR]));
    assert!(!avoided(ServerType::RsPrimary, false, OVERLOAD));
}

#[test]
fn every_router_that_failed_stays_avoided() {
    let mut scene = scene_with(Operation::READ, RetryOptions::default(), Budget::Unlimited);
    scene.server_type = ServerType::Mongos;
    for host in ["a:1", "b:1", "a:1"] {
        scene.address = host.parse().unwrap();
        scene.fails(What::Code(6), &[]);
    }
    let avoided: Vec<_> = scene.plan.deprioritized().iter().map(ToString::to_string).collect();
    assert_eq!(avoided, ["a:1", "b:1"]);
}

#[test]
fn errors_that_show_an_attempt_win_and_the_last_of_them_is_reported() {
    for (second, expected) in [(OVERLOAD, 3), (OVERLOAD_UNWRITTEN, 1)] {
        let mut scene = scene(Operation::WRITE);
        scene.fails(What::Code(91), OVERLOAD);
        scene.fails(What::Code(10107), second);
        scene.fails(What::Code(10107), second);
        assert_eq!(scene.plan.into_error(), Some(expected));
    }
}

#[test]
fn if_no_error_shows_an_attempt_the_first_is_reported() {
    let mut scene = scene(Operation::WRITE);
    scene.fails(What::Code(91), OVERLOAD_UNWRITTEN);
    scene.fails(What::Code(10107), OVERLOAD_UNWRITTEN);
    scene.fails(What::Selection, &[]);
    assert_eq!(scene.plan.into_error(), Some(1));
}

#[test]
fn a_write_concern_error_is_reported_when_the_repetition_wrote_nothing() {
    let mut scene = scene(Operation::WRITE);
    assert!(is_retry(scene.fails(What::WriteConcern(91), RETRYABLE)));
    scene.fails(What::Code(10107), RETRYABLE_UNWRITTEN);
    assert_eq!(scene.plan.outcome(), Outcome::Applied);
    assert_eq!(scene.plan.into_error(), Some(1));
}

#[test]
fn when_the_repetition_finds_no_server_the_first_error_is_reported() {
    for second in [What::Selection, What::PoolCleared, What::Driver] {
        let mut scene = scene(Operation::READ);
        assert!(is_retry(scene.fails(What::Network, &[])));
        assert_eq!(scene.fails(second, &[]), Decision::GiveUp);
        assert_eq!(scene.plan.error(), Some(&1));
    }
    let mut scene = scene(Operation::READ);
    scene.fails(What::Selection, &[]);
    assert_eq!((scene.plan.error(), scene.plan.outcome()), (Some(&1), Outcome::NotSent));
}

#[test]
fn a_cleared_pool_then_a_server_error_reports_the_server_error() {
    let mut scene = scene(Operation::WRITE);
    assert!(is_retry(scene.fails(What::PoolCleared, &[])));
    scene.fails(What::Code(11000), &[]);
    assert_eq!((scene.plan.error(), scene.plan.outcome()), (Some(&2), Outcome::Rejected));
}

#[test]
fn a_refused_repetition_does_not_make_an_unknown_outcome_known() {
    let mut scene = scene(Operation::WRITE);
    assert!(is_retry(scene.fails(What::Network, &[])));
    assert_eq!(scene.plan.outcome(), Outcome::Unknown);
    scene.fails(What::Code(10107), RETRYABLE_UNWRITTEN);
    assert_eq!(scene.plan.outcome(), Outcome::Unknown);
}

#[test]
fn outcomes_follow_from_what_the_server_can_have_done() {
    let outcome = |operation: Operation, what, labels: &[&str]| {
        let mut scene = scene(operation);
        scene.fails(what, labels);
        scene.plan.outcome()
    };
    assert_eq!(outcome(Operation::WRITE, What::Code(11000), &[]), Outcome::Rejected);
    assert_eq!(outcome(Operation::PLAIN_WRITE, What::Code(11602), &[]), Outcome::Unknown);
    assert_eq!(outcome(Operation::PLAIN_WRITE, What::Code(11602), &[labels::NO_WRITES_PERFORMED]), Outcome::Rejected);
    assert_eq!(outcome(Operation::PLAIN_WRITE, What::Code(91), OVERLOAD), Outcome::Rejected);
    assert_eq!(outcome(Operation::PLAIN_WRITE, What::Code(50), &[]), Outcome::Unknown);
    assert_eq!(outcome(Operation::READ, What::Code(11602), &[]), Outcome::Rejected);
    assert_eq!(outcome(Operation::PLAIN_WRITE, What::PoolCleared, &[]), Outcome::NotSent);
    assert_eq!(outcome(Operation::PLAIN_WRITE, What::WriteConcern(64), &[]), Outcome::Applied);
}

#[test]
fn a_lost_attempt_is_as_known_as_the_stage_it_reached() {
    use Stage::*;
    for (stage, expected) in [
        (Queued, Outcome::NotSent),
        (Selected, Outcome::NotSent),
        (CheckedOut, Outcome::NotSent),
        (Writing, Outcome::Unknown),
        (Written, Outcome::Unknown),
    ] {
        let mut scene = scene(Operation::WRITE);
        scene.stage = stage;
        assert_eq!(scene.fails(What::Network, &[]), Decision::RetryNow, "{stage:?}");
        assert_eq!(scene.plan.outcome(), expected);
    }
    assert!(Outcome::NotSent < Outcome::Rejected && Outcome::Unknown < Outcome::Applied);
}

#[test]
fn a_failed_handshake_is_repeated_with_a_pause_when_it_looks_like_overload() {
    let mut scene = scene(Operation::READ);
    scene.stage = Stage::Selected;
    assert!(matches!(scene.fails(What::Network, OVERLOAD), Decision::RetryAfter(_)));
    scene.stage = Stage::Written;
    assert_eq!(scene.fails(What::Network, &[]), Decision::RetryNow);
    assert_eq!(scene.plan.error(), Some(&2));
}

#[test]
fn a_commit_knows_whether_only_overload_has_stopped_it() {
    let mut scene = scene(Operation::ENDING);
    assert!(is_retry(scene.fails(What::Code(462), OVERLOAD)));
    assert!(scene.plan.only_overload_errors());
    assert!(is_retry(scene.fails(What::Network, &[])));
    assert!(!scene.plan.only_overload_errors());
}

#[test]
fn a_session_is_kept_only_while_a_repetition_is_possible() {
    let never = RetryOptions { retry_reads: false, retry_writes: false, ..Default::default() };
    assert!(!scene_with(Operation::READ, never, Budget::Unset).plan.may_retry());
    let mut scene = scene(Operation::READ);
    assert!(scene.plan.may_retry());
    scene.fails(What::Network, &[]);
    assert!(scene.plan.may_retry(), "an overload error would still be repeated");
    assert!(is_retry(scene.fails(What::Code(462), OVERLOAD)));
    assert!(!scene.plan.may_retry());
}
