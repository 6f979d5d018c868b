//! Measures the driver beside the official Rust driver: the same work, on the same server, in the same run.
//!
//! Each *subject* is a driver on a runtime, in a child process of its own, so that the CPU time of a process is that
//! of one driver. Rounds are interleaved: each round gives each subject the same load for the same time, one after the
//! other, so that noise of the machine hits all alike.
//!
//! | module | what it does |
//! |---|---|
//! | [`workload`] | the work of one task, against any driver |
//! | [`subject`] | the drivers under measurement, and the child process that runs one |
//! | [`measurement`] | runs a load and reads the clocks |
//! | [`campaign`] | servers, children and rounds |
//! | [`report`] | what the rounds say, as a table |
//! | [`count`] | instructions, allocations and system calls of an operation, which no other load of the machine changes |

mod campaign;
mod count;
mod measurement;
mod report;
mod subject;
mod workload;

use std::time::Duration;

use clap::{Parser, Subcommand};

use self::{
    campaign::{Campaign, Target},
    count::{Count, Work},
    subject::Subject,
    workload::{Load, Workload},
};

#[cfg(feature = "allocations")]
#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

/// Compares mongo-actors with the official MongoDB driver.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Find one by _id and insert one: serial, with 8 and with 64 tasks.
    Quick(Quick),
    /// Instructions and system calls per operation, on a stub. Needs valgrind and strace.
    Count(Count),
    /// Does a number of operations. What `count` watches.
    #[command(hide = true)]
    Work {
        subject: Subject,
        uri: String,
        #[command(flatten)]
        work: Work,
    },
    /// Runs one subject, as told on the standard input. What the other commands start.
    #[command(hide = true)]
    Subject { subject: Subject, uri: String },
}

#[derive(Debug, clap::Args)]
struct Quick {
    /// Rounds, each of which measures every subject once.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds that one measurement takes.
    #[arg(long, default_value_t = 0.8)]
    seconds: f64,
    /// How many tasks work at a time.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64])]
    tasks: Vec<usize>,
    /// Only these workloads.
    #[arg(long, value_delimiter = ',')]
    workloads: Vec<Workload>,
    /// Only these subjects.
    #[arg(long, value_delimiter = ',')]
    subjects: Vec<Subject>,
    /// Against a stub that answers at once instead of a server: what the drivers themselves cost.
    #[arg(long, conflicts_with = "uri")]
    stub: bool,
    /// The server to measure against. Default: a replica set of one member, started for this run.
    #[arg(long)]
    uri: Option<String>,
}

impl Quick {
    fn campaign(self) -> anyhow::Result<Campaign> {
        let duration = Duration::try_from_secs_f64(self.seconds)?;
        let workloads = Some(self.workloads).filter(|chosen| !chosen.is_empty()).unwrap_or(Workload::ALL.into());
        let loads = workloads.into_iter().flat_map(|workload| {
            let of_tasks = |tasks: &usize| Load { workload, tasks: *tasks, duration };
            self.tasks.iter().map(of_tasks).collect::<Vec<_>>()
        });
        Ok(Campaign {
            loads: loads.collect(),
            subjects: Some(self.subjects).filter(|chosen| !chosen.is_empty()).unwrap_or(Subject::ALL.into()),
            rounds: self.rounds.max(1),
            target: match (self.uri, self.stub) {
                (Some(uri), _) => Target::Uri(uri),
                (None, true) => Target::Stub,
                (None, false) => Target::Server,
            },
        })
    }
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Quick(quick) => print!("{}", quick.campaign()?.run()?),
        Command::Count(count) => count.run()?,
        Command::Work { subject, uri, work } => subject.work(&uri, work)?,
        Command::Subject { subject, uri } => subject.serve(&uri)?,
    }
    Ok(())
}
