//! What the command line says.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};

use super::Extent;
use crate::record::Against;

/// Attacks the mongo-actors driver with faults at random, and reports whether it held what it promises.
///
/// Exits with 0 when every promise was kept, with 1 when one was broken, with 2 for arguments that make no sense, and with
/// 3 when the campaign itself cannot go on.
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(name = "mongo-actors-chaos", version)]
pub struct Arguments {
    /// How many runs to make against the simulation.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub seeds: u64,

    /// For how many minutes to attack a real replica set.
    #[arg(long, value_name = "M", default_value = "1", value_parser = minutes)]
    pub minutes: Minutes,

    /// The seed of the first run; the others follow it.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub first_seed: u64,

    /// Leave the other out.
    #[arg(long, value_name = "AGAINST")]
    pub only: Option<Target>,

    /// Make the run of this seed again, and no other.
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "minutes", "first_seed"])]
    pub replay: Option<u64>,

    /// Where the report is written: report.txt, report.json and report.html.
    #[arg(long, value_name = "FOLDER", default_value = "chaos-report")]
    pub out: PathBuf,
}

/// What can be attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// Simulated servers on a simulated network.
    Simulation,
    /// Three real servers.
    ReplicaSet,
}

/// A time in minutes, which may be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minutes(pub Duration);

fn minutes(text: &str) -> Result<Minutes, String> {
    let minutes: f64 = text.parse().map_err(|_| "it is no number; write for example 10 or 0.5".to_owned())?;
    match Duration::try_from_secs_f64(minutes * 60.0) {
        Ok(time) if time <= MOST => Ok(Minutes(time)),
        _ => Err(format!("it is 0 to {} minutes", MOST.as_secs() / 60)),
    }
}

/// A week.
const MOST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Arguments {
    /// The seed of the first run.
    pub fn first(&self) -> u64 {
        self.replay.unwrap_or(self.first_seed)
    }

    /// How far the part of the campaign goes that goes against this; none if it is left out.
    pub fn extent(&self, against: Against) -> Option<Extent> {
        if self.only.is_some_and(|only| only.against() != against) {
            return None;
        }
        let extent = match (self.replay, against) {
            (Some(_), _) => Extent::Seeds(1),
            (None, Against::Simulation) => Extent::Seeds(self.seeds),
            (None, Against::ReplicaSet) => Extent::Time(self.minutes.0),
        };
        Some(extent).filter(|extent| ![Extent::Seeds(0), Extent::Time(Duration::ZERO)].contains(extent))
    }
}

impl Target {
    fn against(self) -> Against {
        match self {
            Self::Simulation => Against::Simulation,
            Self::ReplicaSet => Against::ReplicaSet,
        }
    }
}
