//! The simulation, and whether its checks can fail.

use std::{ops::Range, time::Duration};

use mongo_actors_chaos::{
    RunRecord,
    simulation::{Scenario, Slip, observe, run_with},
};

/// Long enough for a few faults of every kind.
fn short() -> Scenario {
    Scenario { faulty_for: Duration::from_secs(8), timeout: Duration::from_secs(3), ..Scenario::default() }
}

fn assert_good(record: &RunRecord) {
    assert!(record.violations.is_empty(), "seed {}: {:#?}", record.seed, record.violations);
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let (first, lines) = observe(7, &short());
    let (second, again) = observe(7, &short());
    let difference = lines.iter().zip(&again).enumerate().find(|(_, (first, second))| first != second);
    if let Some((line, (first, second))) = difference {
        panic!("line {line} of {} and {}:\n  {first}\n  {second}", lines.len(), again.len());
    }
    assert_eq!(lines.len(), again.len());
    assert!(lines.len() > 1_000, "only {} things were observed", lines.len());
    assert_eq!(first.history, second.history);
    assert_eq!(RunRecord { elapsed: first.elapsed, ..second }, first);
    assert_good(&first);
}

#[test]
fn other_seeds_give_other_histories() {
    assert_ne!(run_with(1, &short()).history, run_with(2, &short()).history);
}

#[test]
fn without_faults_everything_succeeds() {
    let calm = Scenario {
        network_fails: false,
        servers_fail: false,
        actors_fail: false,
        clocks_fail: false,
        faulty_for: Duration::from_secs(5),
        ..Scenario::default()
    };
    let record = run_with(3, &calm);
    assert_good(&record);
    assert!(record.faults.is_empty());
    assert_eq!(record.outcomes.get("ok"), Some(&record.operations), "{:?}", record.outcomes);
}

fn keep_promises(seeds: Range<u64>) {
    let mut faults = 0;
    for seed in seeds {
        let record = run_with(seed, &short());
        assert_good(&record);
        faults += record.faults.len();
    }
    assert!(faults > 50, "only {faults} faults");
}

// Two tests, for two processors.
#[test]
fn whatever_fails_promises_are_kept() {
    keep_promises(100..112);
}

#[test]
fn whatever_else_fails_promises_are_kept() {
    keep_promises(112..124);
}

/// With 21 and 24 a change stream repeated a command without any pause until its time was up; with 135 the reaper gave a
/// cursor up while actors still failed around it. The application did less then, so that they may lead elsewhere now: both
/// have tests of their own, in `protocol/src/retry/tests.rs` and `tests/it/cursors.rs`.
#[test]
fn seeds_that_broke_promises_keep_them() {
    [21, 24, 135].into_iter().for_each(|seed| assert_good(&run_with(seed, &Scenario::default())));
}

/// Many operations at once.
fn busy() -> Scenario {
    Scenario { operations_per_second: 60, ..short() }
}

/// What is said of the slip in the first run that tells of it.
fn noticed(slip: Slip, scenario: Scenario) -> Vec<String> {
    let scenario = Scenario { slip, ..scenario };
    let violations = (0..20).map(|seed| run_with(seed, &scenario).violations);
    violations.into_iter().find(|violations| !violations.is_empty()).expect("nobody has noticed")
}

fn assert_noticed(slip: Slip, scenario: Scenario, parts: &[&str]) {
    let violations = noticed(slip, scenario);
    let is_told = |violation: &String| parts.iter().any(|part| violation.contains(part));
    assert!(violations.iter().any(is_told), "{violations:?}");
}

#[test]
fn a_server_that_executes_a_retried_write_twice_is_noticed() {
    assert_noticed(Slip::ForgetsStatements, short(), &["twice", "E11000"]);
}

#[test]
fn a_server_that_loses_what_it_acknowledged_is_noticed() {
    assert_noticed(Slip::AcknowledgesTooEarly, short(), &["is lost"]);
}

#[test]
fn a_server_that_commits_in_part_is_noticed() {
    assert_noticed(Slip::CommitsInPart, short(), &["in part"]);
}

#[test]
fn a_server_that_forgets_what_it_has_committed_is_noticed() {
    assert_noticed(Slip::ForgetsCommits, busy(), &["begins again", "E11000", "reported as not executed"]);
}

#[test]
fn a_server_that_has_two_transactions_change_the_same_is_noticed() {
    assert_noticed(Slip::IgnoresConflicts, busy(), &["is lost", "in part"]);
}

#[test]
fn a_secondary_that_is_read_from_too_early_is_noticed() {
    assert_noticed(Slip::IgnoresClusterTimes, busy(), &["did not see its own write"]);
}
