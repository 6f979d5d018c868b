//! Runs the simulation with many seeds, and says how fast it was: `seeds FIRST COUNT`. Or shows everything that happened with
//! one: `seeds SEED`.

use std::{collections::BTreeMap, env, time::Duration};

use mongo_actors_chaos::{
    ordered,
    simulation::{Scenario, observe, run},
};

fn main() {
    ordered::hush();
    let mut arguments = env::args().skip(1).map(|argument| argument.parse::<u64>());
    let (first, count) = match (arguments.next(), arguments.next()) {
        (Some(Ok(first)), Some(Ok(count))) => (first, count),
        (Some(Ok(seed)), None) => return show(seed),
        _ => {
            eprintln!("usage: seeds FIRST COUNT, or seeds SEED");
            std::process::exit(2);
        }
    };
    let (mut simulated, mut elapsed, mut operations, mut violations) = (Duration::ZERO, Duration::ZERO, 0, 0);
    let (mut outcomes, mut faults) = (BTreeMap::<String, u64>::new(), BTreeMap::<String, u64>::new());
    let mut recoveries = Vec::new();
    for seed in first..first + count {
        let record = run(seed);
        simulated += record.simulated;
        elapsed += record.elapsed;
        operations += record.operations;
        violations += record.violations.len();
        record.outcomes.into_iter().for_each(|(outcome, times)| *outcomes.entry(outcome).or_default() += times);
        record
            .faults
            .into_iter()
            .for_each(|fault| *faults.entry(format!("{}: {}", fault.role, fault.kind)).or_default() += 1);
        recoveries.extend(record.recoveries);
        record.violations.iter().for_each(|violation| println!("seed {seed}: {violation}"));
    }
    recoveries.sort();
    let longest = recoveries.last().copied().unwrap_or_default();
    let speed = simulated.as_secs_f64() / elapsed.as_secs_f64();
    println!("{count} seeds, {operations} operations, {violations} violations");
    println!("{simulated:?} simulated in {elapsed:?}: {speed:.1} seconds a second");
    println!("{} interruptions of service, the longest {longest:?}", recoveries.len());
    println!("outcomes: {outcomes:#?}");
    println!("faults: {faults:#?}");
}

fn show(seed: u64) {
    let (record, history) = observe(seed, &Scenario::default());
    history.iter().for_each(|line| println!("{line}"));
    println!("{record:#?}");
}
