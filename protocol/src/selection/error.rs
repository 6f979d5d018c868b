//! Why no server could be selected.

use std::{sync::Arc, time::Duration};

use super::SelectionCriteria;
use crate::sdam::TopologyDescription;

/// Why no server could be selected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// The driver and one of the servers have no wire version in common.
    #[error("{reason}")]
    Incompatible {
        /// Which server, and which versions.
        reason: Arc<str>,
    },
    /// The staleness of secondaries is not known so precisely.
    #[error(
        "the read preference allows {} s of staleness, but with a heartbeat every {} s at least {} s are needed: raise \
         maxStalenessSeconds or lower heartbeatFrequencyMS",
        given.as_secs(), heartbeat_frequency.as_secs_f64(), least.as_secs_f64()
    )]
    MaxStalenessTooSmall {
        /// What the read preference allows.
        given: Duration,
        /// What it must at least allow.
        least: Duration,
        /// The interval between checks.
        heartbeat_frequency: Duration,
    },
    /// The application's server selector panicked.
    #[error("the application's server selector panicked")]
    SelectorPanicked,
    /// No suitable server came up in time.
    #[error(
        "{criteria} was not found within {} ms; the topology is {topology}",
        waited.as_millis()
    )]
    TimedOut {
        /// What was looked for.
        criteria: Box<SelectionCriteria>,
        /// How long it was looked for.
        waited: Duration,
        /// What was known at the end.
        topology: Arc<TopologyDescription>,
    },
}

impl SelectionError {
    /// The error of an operation that waited in vain.
    pub fn timed_out(criteria: SelectionCriteria, waited: Duration, topology: Arc<TopologyDescription>) -> Self {
        Self::TimedOut { criteria: Box::new(criteria), waited, topology }
    }
}
