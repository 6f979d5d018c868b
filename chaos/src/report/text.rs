//! The report for a terminal.

use std::fmt::{self, Write};

use super::{Report, Summary, brief, title};

pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _written = write(&mut text, report);
    text
}

fn write(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(out, "Campaign of {}: {}", brief(report.took), verdict(report))?;
    for (against, summary) in &report.summaries {
        writeln!(out, "\n{}", title(*against))?;
        write_summary(out, summary)?;
    }
    if !report.is_good() {
        writeln!(out, "\nViolations")?;
    }
    for violation in &report.violations {
        writeln!(out, "  seed {} ({})", violation.seed, title(violation.against))?;
        violation.what.lines().try_for_each(|line| writeln!(out, "    {line}"))?;
        writeln!(out, "    again: {}", violation.replay)?;
    }
    Ok(())
}

/// The report in one clause.
pub(super) fn verdict(report: &Report) -> String {
    let runs: u64 = report.summaries.values().map(|summary| summary.runs).sum();
    let bad: u64 = report.summaries.values().map(|summary| summary.bad_runs).sum();
    let runs = if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
    match report.violations.len() {
        0 => format!("{runs}, every promise was kept"),
        1 => format!("{runs}, of which {bad} broke a promise"),
        violations => format!("{runs}, of which {bad} broke promises ({violations} violations)"),
    }
}

fn write_summary(out: &mut String, summary: &Summary) -> fmt::Result {
    let recovery = &summary.recovery;
    writeln!(
        out,
        "  runs        {} in {}, which were {} to those in them",
        summary.runs,
        brief(summary.elapsed),
        brief(summary.simulated)
    )?;
    writeln!(out, "  operations  {}", summary.operations)?;
    for (outcome, count) in &summary.outcomes {
        writeln!(out, "    {count:>10}  {outcome}")?;
    }
    writeln!(out, "  faults      {}", summary.fault_count())?;
    for (role, kinds) in &summary.faults {
        for (kind, count) in kinds {
            writeln!(out, "    {count:>10}  {role}: {kind}")?;
        }
    }
    match recovery.count {
        0 => writeln!(out, "  recovery    service was never away"),
        count => writeln!(
            out,
            "  recovery    {count} times: p50 {}, p90 {}, p99 {}, max {}",
            brief(recovery.p50),
            brief(recovery.p90),
            brief(recovery.p99),
            brief(recovery.max)
        ),
    }
}
