//! How often a child may crash before its parent takes over.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How many restarts within which span of time are an actor's own business.
///
/// The default is 5 restarts in 5 seconds. One more, and the crash escalates to the parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartBudget {
    /// Restarts allowed within [`within`](Self::within).
    pub restarts: usize,
    /// The span of time looked back upon.
    pub within: Duration,
}

impl RestartBudget {
    /// No restart at all: the first crash is the last.
    pub const NONE: Self = Self { restarts: 0, within: Duration::ZERO };
}

impl Default for RestartBudget {
    fn default() -> Self {
        Self { restarts: 5, within: Duration::from_secs(5) }
    }
}

/// The crashes of one actor that still count against its budget.
#[derive(Debug)]
pub(crate) struct CrashRecord {
    budget: RestartBudget,
    crashes: VecDeque<Instant>,
}

impl CrashRecord {
    pub(crate) fn new(budget: RestartBudget) -> Self {
        Self { budget, crashes: VecDeque::new() }
    }

    /// Notes a crash at `now` and says whether the budget still covers a restart.
    pub(crate) fn covers_crash_at(&mut self, now: Instant) -> bool {
        while self.crashes.front().is_some_and(|crash| now.duration_since(*crash) >= self.budget.within) {
            self.crashes.pop_front();
        }
        if self.crashes.len() >= self.budget.restarts {
            return false;
        }
        self.crashes.push_back(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_crash_within_five_seconds_escalates() {
        let start = Instant::now();
        let mut record = CrashRecord::new(RestartBudget::default());
        for crash in 0..5 {
            assert!(record.covers_crash_at(start + Duration::from_millis(crash)));
        }
        assert!(!record.covers_crash_at(start + Duration::from_millis(4_999)));
        assert!(record.covers_crash_at(start + Duration::from_millis(5_000)), "the first crash no longer counts");
    }

    #[test]
    fn an_actor_without_a_budget_is_never_restarted() {
        assert!(!CrashRecord::new(RestartBudget::NONE).covers_crash_at(Instant::now()));
    }
}
