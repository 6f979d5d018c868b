//! What a client's tree looks like at a moment.

use std::{fmt, sync::Arc};

use serde::Serialize;

use crate::runtime::ActorEntry;

/// Whether a client's actors take operations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "camelCase")]
#[non_exhaustive]
pub enum TreeStatus {
    /// They do.
    Up,
    /// They could not be kept alive. Operations fail with the cause.
    Down {
        /// Which actor failed, and of what.
        cause: Arc<str>,
    },
    /// The client was closed, or is being closed.
    Closed,
}

/// A client's actors at a moment. Shows as a tree; serialisable.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SupervisionSnapshot {
    /// Whether they take operations.
    pub status: TreeStatus,
    /// How many operations are on their way.
    pub operations: usize,
    /// Every live actor, a parent before its children.
    pub actors: Vec<ActorEntry>,
}

impl fmt::Display for TreeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Down { cause } => write!(f, "down: {cause}"),
            Self::Closed => f.write_str("closed"),
        }
    }
}

impl fmt::Display for SupervisionSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} operations on their way", self.status, self.operations)?;
        let mut above: Vec<String> = Vec::new();
        for entry in &self.actors {
            let path = entry.path.to_string();
            while above.last().is_some_and(|parent| !path.starts_with(&format!("{parent}/"))) {
                above.pop();
            }
            // A parent may just be missing: then its child stands below whatever is known above it.
            let name = above.last().map_or(path.as_str(), |parent| &path[parent.len() + 1..]);
            write!(f, "\n{:width$}{name}: {}", "", entry.state, width = 2 * above.len())?;
            describe(entry, f)?;
            above.push(path);
        }
        Ok(())
    }
}

fn describe(entry: &ActorEntry, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if entry.mailbox > 0 {
        write!(f, ", {} messages waiting", entry.mailbox)?;
    }
    if entry.in_flight > 0 {
        write!(f, ", {} in flight", entry.in_flight)?;
    }
    match &entry.last_failure {
        Some(failure) => write!(f, ", restarted {} times, last because it {failure}", entry.restarts),
        None => Ok(()),
    }
}
