//! Attacks the driver, and says whether it held what it promises.

use std::{error::Error, fs, process::ExitCode, time::Instant};

use clap::{CommandFactory, Parser, error::ErrorKind};
use mongo_actors_chaos::{
    campaign::{self, Arguments, Simulated},
    ordered,
    record::Against,
    replica_set::{ATTACK, RealSet},
    report::Report,
};

/// The campaign itself cannot go on.
const IMPOSSIBLE: u8 = 3;

fn main() -> ExitCode {
    ordered::hush();
    let arguments = Arguments::parse();
    let parts = [Against::Simulation, Against::ReplicaSet].map(|against| arguments.extent(against));
    if parts.iter().all(Option::is_none) {
        let reason = "there is nothing to do: give more than 0 --seeds or --minutes, for what --only leaves";
        Arguments::command().error(ErrorKind::ValueValidation, reason).exit();
    }
    match attack(&arguments) {
        Ok(report) => ExitCode::from(report.status()),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(IMPOSSIBLE)
        }
    }
}

fn attack(arguments: &Arguments) -> Result<Report, Box<dyn Error>> {
    // Rather now than after an hour.
    let out = &arguments.out;
    fs::create_dir_all(out).map_err(|error| format!("the folder {} cannot be had: {error}", out.display()))?;
    let began = Instant::now();
    let mut runs = Vec::new();
    if let Some(extent) = arguments.extent(Against::Simulation) {
        runs.extend(campaign::run(Simulated, arguments.first(), extent));
    }
    if let Some(extent) = arguments.extent(Against::ReplicaSet) {
        runs.extend(campaign::run(RealSet::start(ATTACK)?, arguments.first(), extent));
    }
    let report = Report::new(runs, began.elapsed());
    print!("{}", report.text());
    for file in report.write(out)? {
        println!("{}", file.display());
    }
    Ok(report)
}
