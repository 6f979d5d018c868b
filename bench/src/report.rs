//! What the rounds say, as a table.

use std::fmt;

use crate::{campaign::Series, measurement::Sample};

/// Every measurement of a campaign. Its `Display` is the table.
pub(crate) struct Report {
    pub(crate) target: String,
    pub(crate) rounds: usize,
    pub(crate) series: Vec<Series>,
}

/// The median of some figures, and how far they are apart.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    /// Of at least one figure.
    fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<_> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let (least, most) = (*figures.first()?, *figures.last()?);
        let middle = figures.len() / 2;
        let median =
            if figures.len() % 2 == 1 { figures[middle] } else { figures[middle - 1].midpoint(figures[middle]) };
        Some(Self { median, least, most })
    }
}

impl Series {
    fn spread(&self, figure: impl Fn(&Sample) -> f64) -> Option<Spread> {
        Spread::of(self.samples.iter().map(figure))
    }

    /// This one's figure divided by the other's, round by round.
    fn ratio(&self, other: &Self, figure: impl Fn(&Sample) -> f64) -> Option<Spread> {
        Spread::of(self.samples.iter().zip(&other.samples).map(|(ours, theirs)| figure(ours) / figure(theirs)))
    }
}

fn same_load(one: &Series, other: &Series) -> bool {
    (one.load.workload, one.load.tasks) == (other.load.workload, other.load.tasks)
}

fn write_row(f: &mut fmt::Formatter<'_>, series: &Series) -> fmt::Result {
    write!(f, "  {:<22}", series.subject)?;
    write_spread(f, series.spread(|sample| sample.operations_per_second), 0)?;
    write_spread(f, series.spread(|sample| sample.cpu_micros), 1)?;
    let latencies: [fn(&Sample) -> f64; 2] = [|sample| sample.median_micros, |sample| sample.p99_micros];
    for spread in latencies.map(|latency| series.spread(latency)) {
        write_median(f, spread, 0)?;
    }
    let counted = series.samples.iter().filter_map(|sample| sample.allocations);
    write_median(f, Spread::of(counted), 1)?;
    writeln!(f)
}

fn write_ratios(f: &mut fmt::Formatter<'_>, ours: &Series, official: &Series) -> fmt::Result {
    write!(f, "  {:<22}", format!("  {} / {}", ours.subject.side(), official.subject.side()))?;
    // The time that an operation takes is the inverse of how many there are in a second.
    write_spread(f, ours.ratio(official, |sample| sample.operations_per_second.recip()), 2)?;
    write_spread(f, ours.ratio(official, |sample| sample.cpu_micros), 2)?;
    writeln!(f)
}

fn write_median(f: &mut fmt::Formatter<'_>, spread: Option<Spread>, digits: usize) -> fmt::Result {
    match spread {
        Some(spread) => write!(f, "{:>9.digits$}", spread.median),
        None => write!(f, "{:>9}", "-"),
    }
}

fn write_spread(f: &mut fmt::Formatter<'_>, spread: Option<Spread>, digits: usize) -> fmt::Result {
    let Some(Spread { median, least, most }) = spread else { return write!(f, "{:>24}", "-") };
    write!(f, "{:>24}", format!("{median:.digits$} ({least:.digits$}-{most:.digits$})"))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Against {}; median (least-most) of {} interleaved rounds.", self.target, self.rounds)?;
        writeln!(
            f,
            "Ratios are of the time and of the CPU time per operation, round by round: below 1, the official driver costs more."
        )?;
        let mut load = None;
        for series in &self.series {
            let title = series.load.to_string();
            if load.as_ref() != Some(&title) {
                let (name, rate, cpu) = ("", "operations/s", "CPU us/op");
                writeln!(f, "\n{title}")?;
                writeln!(f, "  {name:<22}{rate:>24}{cpu:>24}{:>9}{:>9}{:>9}", "p50 us", "p99 us", "alloc/op")?;
                load = Some(title);
            }
            write_row(f, series)?;
            let compared = |ours: &&Series| ours.subject.rival() == Some(series.subject) && same_load(ours, series);
            for ours in self.series.iter().filter(compared) {
                write_ratios(f, ours, series)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        subject::Subject,
        workload::{Load, Workload},
    };

    fn sample(operations_per_second: f64, cpu_micros: f64) -> Sample {
        Sample { operations_per_second, cpu_micros, median_micros: 1.0, p99_micros: 2.0, allocations: None }
    }

    #[test]
    fn the_median_is_of_the_figures_in_their_order() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, least: 1.0, most: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0]).map(|spread| spread.median), Some(2.5));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn ratios_compare_each_round_with_the_rival_of_that_round() {
        let load = Load { workload: Workload::FindOne, tasks: 8, duration: Duration::from_secs(1) };
        let series = |subject, samples| Series { load, subject, samples };
        let report = Report {
            target: "a test".into(),
            rounds: 2,
            series: vec![
                series(Subject::OursCurrent, vec![sample(200.0, 5.0), sample(100.0, 10.0)]),
                series(Subject::OfficialCurrent, vec![sample(100.0, 10.0), sample(50.0, 20.0)]),
            ],
        };
        let text = report.to_string();
        assert!(text.contains("find one by _id, 8 tasks"), "{text}");
        let ratios = text.lines().find(|line| line.contains("ours / official")).unwrap();
        assert_eq!(ratios.matches("0.50 (0.50-0.50)").count(), 2, "{text}");
    }
}
