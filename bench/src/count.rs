//! Counts what an operation costs in instructions, allocations and system calls.
//!
//! Times depend on what else the machine does; counts hardly do, so that a change of a hundredth shows. A child process
//! does some operations on a stub, and once more with twice as many: the difference between the two is what operations
//! cost, without start and end. The counters are valgrind and strace.

use std::{
    collections::BTreeMap,
    env, fmt, fs,
    path::PathBuf,
    process::{Command, Output},
};

use anyhow::{Context, ensure};
use clap::ValueEnum;
use mongo_actors_testkit::{InstantStub, Role};
use tempfile::TempDir;

use crate::{
    subject::Subject,
    workload::{Order, Workload},
};

/// System calls that are rarer than once in so many operations have other causes.
const RARE: f64 = 0.01;

/// What is counted.
#[derive(Debug, clap::Args)]
pub(crate) struct Count {
    /// Operations between the two readings.
    #[arg(long, default_value_t = 2_000)]
    operations: usize,
    /// Only these workloads.
    #[arg(long, value_delimiter = ',')]
    workloads: Vec<Workload>,
    /// These subjects. Only what happens on one thread is the same each time.
    #[arg(long, value_delimiter = ',', default_values = ["ours-current"])]
    subjects: Vec<Subject>,
    /// Keeps the profiles of callgrind in this folder, for `callgrind_annotate`.
    #[arg(long)]
    profiles: Option<PathBuf>,
}

/// The work of the child: so many operations, one after the other.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Work {
    pub(crate) workload: Workload,
    pub(crate) operations: usize,
}

/// What one operation costs.
struct Cost {
    subject: Subject,
    workload: Workload,
    instructions: f64,
    allocations: Option<f64>,
    system_calls: BTreeMap<String, f64>,
}

/// What one run of the child was seen to do.
struct Reading {
    instructions: u64,
    allocations: Option<u64>,
    system_calls: BTreeMap<String, u64>,
}

impl Count {
    /// Counts and prints.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let stub = InstantStub::start(Role::Primary("rs".into()), Order::numbered(0).to_document()?)?;
        let uri = format!("{}?replicaSet=rs", stub.uri());
        let workloads = if self.workloads.is_empty() { Workload::ALL.into() } else { self.workloads.clone() };
        for subject in &self.subjects {
            for workload in &workloads {
                println!("{}", self.cost(*subject, *workload, &uri)?);
            }
        }
        Ok(())
    }

    fn cost(&self, subject: Subject, workload: Workload, uri: &str) -> anyhow::Result<Cost> {
        let read = |operations| self.read(subject, uri, Work { workload, operations });
        let (once, twice) = (read(self.operations)?, read(self.operations * 2)?);
        let per_operation = |once: u64, twice: u64| (twice as f64 - once as f64) / self.operations as f64;
        let calls = twice.system_calls.into_iter().map(|(name, calls)| {
            let before = once.system_calls.get(&name).copied().unwrap_or(0);
            (name, per_operation(before, calls))
        });
        Ok(Cost {
            subject,
            workload,
            instructions: per_operation(once.instructions, twice.instructions),
            allocations: once.allocations.zip(twice.allocations).map(|(once, twice)| per_operation(once, twice)),
            system_calls: calls.filter(|(_, calls)| *calls >= RARE).collect(),
        })
    }

    fn read(&self, subject: Subject, uri: &str, work: Work) -> anyhow::Result<Reading> {
        let scratch = TempDir::new()?;
        let profiles = self.profiles.as_deref().unwrap_or(scratch.path());
        fs::create_dir_all(profiles)?;
        let child = child(subject, uri, work)?;
        let profile = profiles.join(format!("{}-{}.callgrind", child[2], child[4..].join("-")));
        let mut valgrind = Command::new("valgrind");
        valgrind.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", profile.display())).args(&child);
        let profiled = output(valgrind)?;
        let table = scratch.path().join("system-calls");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-c", "-o"]).arg(&table).args(&child);
        let traced = output(strace)?;
        Ok(Reading {
            instructions: instructions(&String::from_utf8_lossy(&profiled.stderr)).context("valgrind did not count")?,
            allocations: String::from_utf8_lossy(&traced.stdout).trim().parse().ok(),
            system_calls: system_calls(&fs::read_to_string(table)?),
        })
    }
}

/// This program, and the arguments that make it do the work.
fn child(subject: Subject, uri: &str, work: Work) -> anyhow::Result<Vec<String>> {
    let name = |value: Option<clap::builder::PossibleValue>| value.map(|value| value.get_name().to_owned());
    let subject = name(subject.to_possible_value()).context("a subject without a name")?;
    let workload = name(work.workload.to_possible_value()).context("a workload without a name")?;
    let program = env::current_exe()?.to_str().context("the path of this program is not Unicode")?.to_owned();
    Ok(vec![program, "work".into(), subject, uri.into(), workload, work.operations.to_string()])
}

fn output(mut command: Command) -> anyhow::Result<Output> {
    let name = command.get_program().to_owned();
    let output = command.output().with_context(|| format!("run {}: is it installed?", name.display()))?;
    ensure!(output.status.success(), "{}: {}", name.display(), String::from_utf8_lossy(&output.stderr));
    Ok(output)
}

/// What callgrind says at its end.
fn instructions(said: &str) -> Option<u64> {
    let line = said.lines().rev().find(|line| line.contains("Collected"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

/// How often each system call was made: the fourth and the last column of strace's summary.
fn system_calls(table: &str) -> BTreeMap<String, u64> {
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter_map(|row| match *row.as_slice() {
        [_, _, _, calls, .., name] if name != "total" => Some((name.to_owned(), calls.parse().ok()?)),
        _ => None,
    })
    .collect()
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {}", self.workload, self.subject)?;
        writeln!(f, "  instructions   {:>8.0}", self.instructions)?;
        if let Some(allocations) = self.allocations {
            writeln!(f, "  allocations    {allocations:>8.2}")?;
        }
        let calls = self.system_calls.iter().map(|(name, calls)| format!("{name} {calls:.2}"));
        write!(f, "  system calls   {}", calls.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_are_understood() {
        let said = "==7== Events    : Ir\n==7== Collected : 1234567\n==7==\n==7== I   refs:      1,234,567\n";
        assert_eq!(instructions(said), Some(1_234_567));
        assert_eq!(instructions("==7== nothing"), None);
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                     60.00    0.000600           1       600        20 recvfrom\n\
                     40.00    0.000400           1       400           sendto\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                     100.00    0.001000           1      1000        20 total\n";
        let expected = [("recvfrom".to_owned(), 600), ("sendto".to_owned(), 400)];
        assert_eq!(system_calls(table), expected.into());
    }
}
