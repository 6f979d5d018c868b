//! Which of two cluster times is newer.

use bson::{RawDocument, Timestamp};

/// Whether `candidate` is a cluster time, and newer than `current`.
pub(super) fn is_newer_cluster_time(candidate: &RawDocument, current: Option<&RawDocument>) -> bool {
    let Some(candidate) = timestamp(candidate) else { return false };
    current.and_then(timestamp).is_none_or(|current| candidate > current)
}

fn timestamp(cluster_time: &RawDocument) -> Option<(u32, u32)> {
    let Timestamp { time, increment } = cluster_time.get_timestamp("clusterTime").ok()?;
    Some((time, increment))
}
