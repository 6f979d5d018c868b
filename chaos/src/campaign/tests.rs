use std::{collections::BTreeSet, sync::atomic::AtomicBool};

use clap::{Parser, error::ErrorKind};

use super::*;
use crate::{
    campaign::arguments::{Minutes, Target},
    record::Against,
    report::Report,
};

/// Runs that are made up: seed 3 breaks a promise, seed 5 panics.
struct MadeUp;

impl Subject for MadeUp {
    fn against(&self) -> Against {
        Against::Simulation
    }

    fn at_a_time(&self) -> usize {
        2
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn run(&self, seed: u64, _: &Pulse) -> RunRecord {
        assert_ne!(seed, 5, "on purpose");
        let mut run = RunRecord::new(seed, Against::Simulation);
        if seed == 3 {
            run.violations.push("a promise".to_owned());
        }
        run
    }
}

fn seeds(runs: &[RunRecord]) -> BTreeSet<u64> {
    runs.iter().map(|run| run.seed).collect()
}

#[test]
fn each_seed_is_run_once_and_a_panic_is_a_violation() {
    let runs = run(MadeUp, 1, Extent::Seeds(8));
    assert_eq!(runs.len(), 8);
    assert_eq!(seeds(&runs), (1..=8).collect());
    let bad: BTreeSet<_> = runs.iter().filter(|run| !run.violations.is_empty()).map(|run| run.seed).collect();
    assert_eq!(bad, [3, 5].into());
    let panicked = runs.iter().find(|run| run.seed == 5).unwrap();
    assert!(panicked.violations[0].contains("panicked") && panicked.violations[0].contains("on purpose"));
    assert!(run(MadeUp, 1, Extent::Seeds(0)).is_empty());
}

const LIMIT: Duration = Duration::from_millis(500);

/// A simulation in which, with seed 2, no time passes until it is told to.
struct Standstill {
    released: Arc<AtomicBool>,
}

impl Subject for Standstill {
    fn against(&self) -> Against {
        Against::Simulation
    }

    fn at_a_time(&self) -> usize {
        1
    }

    fn limit(&self) -> Duration {
        LIMIT
    }

    fn run(&self, seed: u64, pulse: &Pulse) -> RunRecord {
        let released = self.released.clone();
        let mut simulation = turmoil::Builder::new().build();
        simulation.client("app", async move {
            while seed == 2 && !released.load(Ordering::Relaxed) {
                tokio::task::yield_now().await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok(())
        });
        while !simulation.step().unwrap() {
            // Slower than the limit, but it goes on.
            if seed == 3 {
                thread::sleep(LIMIT / 50);
            }
            pulse.beat();
        }
        RunRecord::new(seed, Against::Simulation)
    }
}

#[test]
fn a_run_that_is_stuck_is_a_violation_and_the_others_are_made() {
    let released = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let runs = run(Standstill { released: released.clone() }, 1, Extent::Seeds(3));
    released.store(true, Ordering::Relaxed);
    assert_eq!(seeds(&runs), (1..=3).collect());
    assert!(began.elapsed() > 3 * LIMIT, "the last took longer than the limit");
    assert!(runs.iter().all(|run| run.violations.is_empty() == (run.seed != 2)), "{runs:?}");
    let report = Report::new(runs, Duration::ZERO).text();
    for part in ["seed 2", "stuck", "--replay 2 --only simulation"] {
        assert!(report.contains(part), "{report}");
    }
}

#[test]
fn a_campaign_by_time_ends_when_it_is_over() {
    assert!(run(MadeUp, 10, Extent::Time(Duration::ZERO)).is_empty());
    let began = Instant::now();
    let runs = run(MadeUp, 10, Extent::Time(Duration::from_millis(50)));
    assert!(began.elapsed() >= Duration::from_millis(50) && runs.len() > 1);
}

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(std::iter::once("mongo-actors-chaos").chain(line.split_whitespace()))
}

#[test]
fn arguments_say_what_is_attacked_and_for_how_long() {
    let both = parse("--seeds 7 --minutes 0.5 --out here").unwrap();
    assert_eq!((both.seeds, both.minutes, both.out.to_str()), (7, Minutes(Duration::from_secs(30)), Some("here")));
    assert_eq!(both.extent(Against::Simulation), Some(Extent::Seeds(7)));
    assert_eq!(both.extent(Against::ReplicaSet), Some(Extent::Time(Duration::from_secs(30))));
    let one = parse("--replay 12 --only replica-set").unwrap();
    assert_eq!((one.replay, one.only), (Some(12), Some(Target::ReplicaSet)));
    assert_eq!((one.first(), one.extent(Against::ReplicaSet)), (12, Some(Extent::Seeds(1))));
    assert_eq!(one.extent(Against::Simulation), None);
    let none = parse("--seeds 0 --minutes 0").unwrap();
    assert_eq!((none.extent(Against::Simulation), none.extent(Against::ReplicaSet)), (None, None));
}

#[test]
fn arguments_that_make_no_sense_are_named() {
    for (line, kind, part) in [
        ("--seeds many", ErrorKind::ValueValidation, "--seeds"),
        ("--seeds -1", ErrorKind::UnknownArgument, "-1"),
        ("--minutes soon", ErrorKind::ValueValidation, "10 or 0.5"),
        ("--minutes=-1", ErrorKind::ValueValidation, "0 to 10080"),
        ("--minutes NaN", ErrorKind::ValueValidation, "0 to 10080"),
        ("--minutes 1e300", ErrorKind::ValueValidation, "0 to 10080"),
        ("--only production", ErrorKind::InvalidValue, "replica-set"),
        ("--replay 1 --seeds 5", ErrorKind::ArgumentConflict, "--seeds"),
        ("--replay", ErrorKind::InvalidValue, "--replay"),
        ("--sedes 5", ErrorKind::UnknownArgument, "--seeds"),
    ] {
        let error = parse(line).unwrap_err();
        assert_eq!(error.kind(), kind, "{line}: {error}");
        assert!(error.to_string().contains(part), "{line}: {error}");
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}
