//! Cursors: of finds, and of change streams.

use std::collections::VecDeque;

use mongo_actors::bson::{Document, Timestamp, doc};

use super::{
    data::{Change, Entry},
    member::Member,
};

/// The seconds of the cluster time 0.
const EPOCH: u32 = 1_700_000_000;

/// A cluster time as the protocol has it.
pub(super) fn timestamp(time: u64) -> Timestamp {
    Timestamp { time: EPOCH.saturating_add(u32::try_from(time).unwrap_or(u32::MAX)), increment: 1 }
}

pub(super) fn time_of(timestamp: Timestamp) -> u64 {
    timestamp.time.saturating_sub(EPOCH).into()
}

/// The place behind everything until `time`.
pub(super) fn token(time: u64) -> Document {
    doc! { "_data": format!("{time:016x}") }
}

fn time_of_token(token: &Document) -> Option<u64> {
    u64::from_str_radix(token.get_str("_data").ok()?, 16).ok()
}

/// What a cursor has still to give.
#[derive(Clone, Debug)]
pub(super) enum Cursor {
    Documents {
        namespace: String,
        rest: VecDeque<Document>,
    },
    /// The committed inserts of a collection, behind a cluster time.
    Changes {
        namespace: String,
        behind: u64,
    },
}

impl Cursor {
    /// A change stream as its stage asks for it, on this member.
    pub(super) fn changes(namespace: String, stage: &Document, member: &Member) -> Self {
        let place = stage.get_document("resumeAfter").or_else(|_| stage.get_document("startAfter")).ok();
        let start = stage.get_timestamp("startAtOperationTime").ok();
        let behind = place
            .and_then(time_of_token)
            .or_else(|| start.map(|start| time_of(start).saturating_sub(1)))
            .unwrap_or_else(|| member.committed_time());
        Self::Changes { namespace, behind }
    }

    pub(super) fn namespace(&self) -> &str {
        match self {
            Self::Documents { namespace, .. } | Self::Changes { namespace, .. } => namespace,
        }
    }

    /// Takes up to `size` documents out. The second is the place behind them, of a change stream.
    pub(super) fn take(&mut self, size: usize, member: &Member) -> (Vec<Document>, Option<Document>) {
        match self {
            Self::Documents { rest, .. } => (rest.drain(..size.min(rest.len())).collect(), None),
            Self::Changes { namespace, behind } => {
                let mut events = Vec::new();
                let mut reached = (*behind).max(member.committed_time());
                let first = member.log[..member.committed].partition_point(|entry| entry.time <= *behind);
                for entry in &member.log[first..member.committed] {
                    if let Some(event) = event(namespace, entry) {
                        events.push(event);
                        if events.len() == size {
                            reached = entry.time;
                            break;
                        }
                    }
                }
                *behind = reached;
                (events, Some(token(reached)))
            }
        }
    }

    pub(super) fn is_exhausted(&self) -> bool {
        matches!(self, Self::Documents { rest, .. } if rest.is_empty())
    }
}

/// The event of an entry, if it is an insert into this collection.
fn event(watched: &str, entry: &Entry) -> Option<Document> {
    let Change::Insert { namespace, document } = &entry.change else { return None };
    let (db, coll) = namespace.split_once('.').filter(|_| namespace == watched)?;
    Some(doc! {
        "_id": token(entry.time),
        "operationType": "insert",
        "clusterTime": timestamp(entry.time),
        "ns": { "db": db, "coll": coll },
        "documentKey": { "_id": document.get("_id").cloned() },
        "fullDocument": document.clone(),
    })
}

/// The time before everything.
pub(crate) fn start_of_time() -> Timestamp {
    timestamp(1)
}
