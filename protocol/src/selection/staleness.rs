//! How far secondaries lag behind, and which of them lag too far (max staleness specification).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::SelectionError;
use crate::sdam::{ServerDescription, ServerType, TopologyDescription};

/// How often an idle primary writes to its oplog.
const IDLE_WRITE_PERIOD: Duration = Duration::from_secs(10);
const SMALLEST_MAX_STALENESS: Duration = Duration::from_secs(90);

/// Whether the limit is one that can be kept with this heartbeat interval.
pub(super) fn validate(limit: Duration, description: &TopologyDescription) -> Result<(), SelectionError> {
    let heartbeat_frequency = description.heartbeat_frequency;
    let least = heartbeat_frequency.saturating_add(IDLE_WRITE_PERIOD).max(SMALLEST_MAX_STALENESS);
    if limit < least {
        return Err(SelectionError::MaxStalenessTooSmall { given: limit, least, heartbeat_frequency });
    }
    Ok(())
}

/// What the staleness of a secondary is measured against.
#[derive(Clone, Copy)]
pub(super) enum Reference {
    Primary { last_write: i64, last_update: Option<Instant> },
    NewestSecondary { last_write: i64 },
    Nothing,
}

impl Reference {
    /// The primary if it is known and tells its last write, else the secondary that saw the newest write.
    pub(super) fn of(description: &TopologyDescription) -> Self {
        let primary = description.of_type(ServerType::RsPrimary).next();
        if let Some(last_write) = primary.and_then(|primary| last_write(primary)) {
            return Self::Primary { last_write, last_update: primary.and_then(|primary| primary.last_update_time) };
        }
        let newest = description.of_type(ServerType::RsSecondary).filter_map(|server| last_write(server)).max();
        newest.map_or(Self::Nothing, |last_write| Self::NewestSecondary { last_write })
    }

    /// Whether `server` is no staler than `limit`. Only secondaries can be stale; one that tells nothing about its
    /// last write is taken to be.
    pub(super) fn allows(self, server: &Arc<ServerDescription>, limit: Duration, heartbeat: Duration) -> bool {
        if server.server_type != ServerType::RsSecondary {
            return true;
        }
        let Some(own) = last_write(server) else { return false };
        let lag = match self {
            Self::Primary { last_write, last_update } => {
                let checked_later = match (server.last_update_time, last_update) {
                    (Some(own), Some(primary)) => milliseconds_between(primary, own),
                    _ => 0,
                };
                checked_later.saturating_add(last_write.saturating_sub(own))
            }
            Self::NewestSecondary { last_write } => last_write.saturating_sub(own),
            Self::Nothing => return false,
        };
        lag.saturating_add(milliseconds(heartbeat)) <= milliseconds(limit)
    }
}

fn last_write(server: &ServerDescription) -> Option<i64> {
    server.last_write_date.map(bson::DateTime::timestamp_millis)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// From `earlier` to `later`; negative when it is the other way round.
fn milliseconds_between(earlier: Instant, later: Instant) -> i64 {
    match later.checked_duration_since(earlier) {
        Some(duration) => milliseconds(duration),
        None => -milliseconds(earlier.saturating_duration_since(later)),
    }
}
