//! The second connection, over which only round-trip times are measured.

use std::time::{Duration, Instant};

use super::after;

/// When the next measurement is due, or how long the current one may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RttProbe {
    /// The server does not stream: its checks measure the time.
    #[default]
    Off,
    /// The next measurement is due then.
    Waiting { until: Instant },
    /// A measurement is going on.
    Measuring { since: Instant, deadline: Option<Instant> },
}

impl RttProbe {
    pub(super) fn next_deadline(self) -> Option<Instant> {
        match self {
            Self::Off => None,
            Self::Waiting { until } => Some(until),
            Self::Measuring { deadline, .. } => deadline,
        }
    }

    /// Begins a measurement if none is going on.
    pub(super) fn begin(&mut self, now: Instant, timeout: Option<Duration>) -> bool {
        let begins = matches!(self, Self::Waiting { .. });
        if begins {
            *self = Self::Measuring { since: now, deadline: after(now, timeout) };
        }
        begins
    }

    /// Ends a measurement, and says whether one was going on.
    pub(super) fn end(&mut self, now: Instant, frequency: Duration) -> bool {
        let ends = matches!(self, Self::Measuring { .. });
        if ends {
            *self = Self::Waiting { until: now + frequency };
        }
        ends
    }
}
