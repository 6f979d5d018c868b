//! The loop around a whole transaction.

use std::time::{Duration, Instant};

use rand::{Rng, RngCore};

use crate::error::{Labels, labels};

/// How long transactions are repeated if there is no other limit.
const LIMIT: Duration = Duration::from_secs(120);
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
const GROWTH: f64 = 1.5;

/// What to do after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Report it as it is.
    Report,
    /// Report it as a timeout: there would be another attempt if there were time.
    TimedOut,
    /// Run the whole transaction again, after [`Repetition::next_attempt`].
    Restart,
    /// Commit again.
    CommitAgain,
}

/// Decides how often a transaction is run, and its commit sent.
#[derive(Clone, Debug)]
pub struct Repetition {
    end: Option<Instant>,
    attempts: u32,
}

impl Repetition {
    /// A loop that begins now. It is limited by `deadline`, or to two minutes without one.
    pub fn new(now: Instant, deadline: Option<Instant>) -> Self {
        Self { end: deadline.or_else(|| now.checked_add(LIMIT)), attempts: 0 }
    }

    /// The transaction is about to be run. Gives the pause to make first: a random share of a time that grows with
    /// every attempt. None when there is no time for it.
    pub fn next_attempt(&mut self, now: Instant, rng: &mut dyn RngCore) -> Option<Duration> {
        let pause = match self.attempts {
            0 => Duration::ZERO,
            repeated => longest_pause(repeated).mul_f64(rng.random::<f64>()),
        };
        if self.attempts > 0 && now.checked_add(pause).is_none_or(|begin| self.is_over(begin)) {
            return None;
        }
        self.attempts = self.attempts.saturating_add(1);
        Some(pause)
    }

    /// The transaction's operations have failed with an error of these labels.
    pub fn run_failed(&self, now: Instant, error: &Labels) -> Verdict {
        if !error.contains(labels::TRANSIENT_TRANSACTION_ERROR) {
            return Verdict::Report;
        }
        if self.is_over(now) { Verdict::TimedOut } else { Verdict::Restart }
    }

    /// Its commit has failed with an error of these labels.
    pub fn commit_failed(&self, now: Instant, error: &Labels, max_time_expired: bool) -> Verdict {
        let verdict = if error.contains(labels::UNKNOWN_TRANSACTION_COMMIT_RESULT) && !max_time_expired {
            Verdict::CommitAgain
        } else if error.contains(labels::TRANSIENT_TRANSACTION_ERROR) {
            Verdict::Restart
        } else {
            return Verdict::Report;
        };
        if self.is_over(now) { Verdict::TimedOut } else { verdict }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.end.is_some_and(|end| end <= now)
    }
}

/// The most that the pause before this repetition can be.
fn longest_pause(repetition: u32) -> Duration {
    let grown = FIRST_PAUSE.as_secs_f64() * GROWTH.powf(f64::from(repetition));
    Duration::try_from_secs_f64(grown).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE)
}
