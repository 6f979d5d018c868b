//! Round-trip times: their average and their minimum.

use std::{collections::VecDeque, time::Duration};

use crate::sdam::RoundTripTime;

/// The weight of the newest sample in the average.
const ALPHA: f64 = 0.2;
const SAMPLES_FOR_MINIMUM: usize = 10;
const LEAST_SAMPLES_FOR_MINIMUM: usize = 2;

/// Averages the round-trip times of one server, as the server selection and the server monitoring specifications demand.
///
/// ```
/// use std::time::Duration;
/// use mongo_actors_protocol::sdam::RttEstimator;
///
/// let mut rtt = RttEstimator::default();
/// rtt.add_sample(Duration::from_millis(10));
/// rtt.add_sample(Duration::from_millis(20));
/// assert_eq!(rtt.average(), Some(Duration::from_millis(12)));
/// assert_eq!(rtt.minimum(), Duration::from_millis(10));
/// ```
#[derive(Clone, Debug, Default)]
pub struct RttEstimator {
    average: Option<Duration>,
    recent: VecDeque<Duration>,
}

impl RttEstimator {
    /// An estimator that begins with this average.
    pub fn with_average(average: Duration) -> Self {
        Self { average: Some(average), recent: VecDeque::new() }
    }

    /// Takes a newly measured time into account.
    pub fn add_sample(&mut self, sample: Duration) {
        self.average = Some(match self.average {
            None => sample,
            Some(average) => sample.mul_f64(ALPHA) + average.mul_f64(1.0 - ALPHA),
        });
        if self.recent.len() == SAMPLES_FOR_MINIMUM {
            self.recent.pop_front();
        }
        self.recent.push_back(sample);
    }

    /// Forgets everything, as is due when the server becomes unavailable.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The exponentially weighted average; none before the first sample.
    pub fn average(&self) -> Option<Duration> {
        self.average
    }

    /// The shortest of the last ten samples; zero until there are two.
    pub fn minimum(&self) -> Duration {
        if self.recent.len() < LEAST_SAMPLES_FOR_MINIMUM {
            return Duration::ZERO;
        }
        self.recent.iter().min().copied().unwrap_or_default()
    }

    /// Both in one, as a server description takes them.
    pub fn round_trip_time(&self) -> RoundTripTime {
        RoundTripTime { average: self.average.unwrap_or_default(), minimum: self.minimum() }
    }
}
