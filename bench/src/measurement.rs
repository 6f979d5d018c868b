//! Runs a load and reads the clocks.

use std::time::{Duration, Instant};

use anyhow::ensure;
use cpu_time::ProcessTime;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::{
    subject::{Driver, Home},
    workload::Load,
};

/// How long a load runs before it is measured, so that connections are there and buffers are grown.
const WARM_UP: Duration = Duration::from_millis(100);

/// What one measurement gave. Per operation where not said otherwise.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) operations_per_second: f64,
    /// Of the whole process, all its threads.
    pub(crate) cpu_micros: f64,
    pub(crate) median_micros: f64,
    pub(crate) p99_micros: f64,
    /// None when they are not counted.
    pub(crate) allocations: Option<f64>,
}

/// Runs `load` on `driver`, first to warm up and then to measure.
pub(crate) async fn measure<D: Driver>(driver: &D, home: Home, load: Load) -> anyhow::Result<Sample> {
    driver.empty_inserts().await?;
    run(driver, home, load, WARM_UP).await?;
    let (allocations, cpu, wall) = (allocations(), ProcessTime::now(), Instant::now());
    let latencies = run(driver, home, load, load.duration).await?;
    let (wall, cpu) = (wall.elapsed(), cpu.elapsed());
    let allocations = self::allocations().zip(allocations).map(|(after, before)| after - before);
    summarise(latencies, wall, cpu, allocations)
}

/// Latencies of all tasks.
async fn run<D: Driver>(driver: &D, home: Home, load: Load, duration: Duration) -> anyhow::Result<Vec<Duration>> {
    let end = Instant::now() + duration;
    let tasks = (0..load.tasks).map(|task| home.spawn(load.workload.run(driver.clone(), task, end)));
    let ended = try_join_all(tasks.collect::<Vec<_>>()).await?;
    Ok(ended.into_iter().collect::<anyhow::Result<Vec<_>>>()?.concat())
}

fn summarise(
    mut latencies: Vec<Duration>,
    wall: Duration,
    cpu: Duration,
    allocations: Option<usize>,
) -> anyhow::Result<Sample> {
    ensure!(!latencies.is_empty(), "no operation ended in time");
    latencies.sort_unstable();
    let count = latencies.len() as f64;
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    let percentile = |percent: usize| micros(latencies[(latencies.len() - 1) * percent / 100]);
    Ok(Sample {
        operations_per_second: count / wall.as_secs_f64(),
        cpu_micros: micros(cpu) / count,
        median_micros: percentile(50),
        p99_micros: percentile(99),
        allocations: allocations.map(|allocations| allocations as f64 / count),
    })
}

/// How many allocations the process has made so far, reallocations included.
pub(crate) fn allocations() -> Option<usize> {
    #[cfg(feature = "allocations")]
    {
        let stats = crate::ALLOCATOR.stats();
        Some(stats.allocations + stats.reallocations)
    }
    #[cfg(not(feature = "allocations"))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_per_operation() {
        let latencies = (1..=100).map(Duration::from_micros).rev().collect();
        let sample = summarise(latencies, Duration::from_millis(10), Duration::from_millis(5), Some(1_200)).unwrap();
        assert!((sample.operations_per_second - 10_000.0).abs() < 1e-6);
        assert!((sample.cpu_micros - 50.0).abs() < 1e-6);
        assert_eq!(sample.allocations, Some(12.0));
        assert_eq!((sample.median_micros.round(), sample.p99_micros.round()), (50.0, 99.0));
        assert!(summarise(Vec::new(), Duration::ZERO, Duration::ZERO, None).is_err());
    }
}
