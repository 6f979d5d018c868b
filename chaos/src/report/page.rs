//! The report for a browser.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{BrokenPromise, Report, Summary, brief, option, plots, text::verdict, title};
use crate::record::Against;

pub(super) fn render(report: &Report) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Campaign: " (verdict(report)) }
                style { (PreEscaped(style())) }
            }
            body {
                h1 { "Campaign against mongo-actors" }
                p.verdict.bad[!report.is_good()] { (verdict(report)) ", in " (brief(report.took)) "." }
                (violations(&report.violations))
                @for (against, summary) in &report.summaries {
                    (section(report, *against, summary))
                }
            }
        }
    };
    page.into_string()
}

/// Colours by name, and those of the plots by what their ink stands for.
fn style() -> String {
    let plots = [(plots::INK, "var(--ink)"), (plots::FAINT, "var(--faint)"), (plots::DATA, "var(--data)")];
    let plots = plots
        .map(|(ink, colour)| format!("svg [fill='{ink}']{{fill:{colour}}}\nsvg [stroke='{ink}']{{stroke:{colour}}}"));
    format!("{}\n{}", include_str!("page.css"), plots.join("\n"))
}

fn violations(violations: &[BrokenPromise]) -> Markup {
    html! {
        @if !violations.is_empty() {
            h2 { "Violations" }
            @for violation in violations {
                article {
                    h3 { "Seed " (violation.seed) ", " (option(violation.against)) }
                    pre { (violation.what) }
                    p { "Again: " code { (violation.replay) } }
                }
            }
        }
    }
}

fn section(report: &Report, against: Against, summary: &Summary) -> Markup {
    let runs = report.runs.iter().filter(|run| run.against == against);
    let operations: Vec<_> = runs.map(|run| run.operations).collect();
    let recovery = &summary.recovery;
    html! {
        section {
            h2 { (title(against)) }
            dl {
                (fact("Runs", &summary.runs.to_string()))
                (fact("Took", &brief(summary.elapsed)))
                (fact("By their own clocks", &brief(summary.simulated)))
                (fact("Operations", &summary.operations.to_string()))
                (fact("Faults", &summary.fault_count().to_string()))
                (fact("Bad runs", &summary.bad_runs.to_string()))
            }
            h3 { "Outcomes" }
            (bars(&summary.outcomes, most(summary.outcomes.values())))
            h3 { "Faults" }
            @for (role, kinds) in &summary.faults {
                h4 { (role) }
                (bars(kinds, most(summary.faults.values().flat_map(BTreeMap::values))))
            }
            h3 { "Recovery" }
            @if recovery.count == 0 {
                p { "Service was never away." }
            } @else {
                dl {
                    (fact("Times", &recovery.count.to_string()))
                    (fact("p50", &brief(recovery.p50)))
                    (fact("p90", &brief(recovery.p90)))
                    (fact("p99", &brief(recovery.p99)))
                    (fact("Max", &brief(recovery.max)))
                }
            }
            (figure(plots::recoveries(summary), "How soon service was back after a fault that stopped it."))
            (figure(plots::operations(&operations), "Operations of each run."))
        }
    }
}

fn fact(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn most<'a>(counts: impl Iterator<Item = &'a u64>) -> u64 {
    counts.copied().max().unwrap_or(0).max(1)
}

/// Counts as bars, of which that of `most` is as long as there is room.
fn bars(counts: &BTreeMap<String, u64>, most: u64) -> Markup {
    html! {
        table {
            @for (name, count) in counts {
                tr {
                    th scope="row" { (name) }
                    td { (count) }
                    td.bar { span style=(format!("width:{}%", count * 100 / most)) {} }
                }
            }
        }
    }
}

fn figure(plot: Option<String>, caption: &str) -> Markup {
    html! {
        @if let Some(svg) = plot {
            figure { (PreEscaped(svg)) figcaption { (caption) } }
        }
    }
}
