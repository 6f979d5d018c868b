//! Cursors: of finds, and of change streams.

use std::collections::VecDeque;

use mongo_actors::bson::{Document, Timestamp, doc};

use super::{data::Entry, documents::Change, member::Member};

/// The seconds of the cluster time 0.
const EPOCH: u32 = 1_700_000_000;

/// A cluster time as the protocol has it.
pub(super) fn timestamp(time: u64) -> Timestamp {
    Timestamp { time: EPOCH.saturating_add(u32::try_from(time).unwrap_or(u32::MAX)), increment: 1 }
}

pub(super) fn time_of(timestamp: Timestamp) -> u64 {
    timestamp.time.saturating_sub(EPOCH).into()
}

/// A place in the log: behind so many events of the entry with this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    time: u64,
    events: u32,
}

impl Place {
    /// Behind everything until `time`.
    pub(super) fn behind(time: u64) -> Self {
        Self { time, events: u32::MAX }
    }

    pub(super) fn token(self) -> Document {
        doc! { "_data": format!("{:016x}{:08x}", self.time, self.events) }
    }

    fn of_token(token: &Document) -> Option<Self> {
        let (time, events) = token.get_str("_data").ok()?.split_at_checked(16)?;
        Some(Self { time: u64::from_str_radix(time, 16).ok()?, events: u32::from_str_radix(events, 16).ok()? })
    }
}

/// What a cursor has still to give.
#[derive(Clone, Debug)]
pub(super) enum Cursor {
    Documents {
        namespace: String,
        rest: VecDeque<Document>,
    },
    /// The committed inserts of a collection, behind a place in the log.
    Changes {
        namespace: String,
        behind: Place,
    },
}

impl Cursor {
    /// A change stream as its stage asks for it, on this member.
    pub(super) fn changes(namespace: String, stage: &Document, member: &Member) -> Self {
        let place = stage.get_document("resumeAfter").or_else(|_| stage.get_document("startAfter")).ok();
        let start = stage.get_timestamp("startAtOperationTime").ok();
        let behind = place
            .and_then(Place::of_token)
            .or_else(|| start.map(|start| Place::behind(time_of(start).saturating_sub(1))))
            .unwrap_or_else(|| Place::behind(member.committed_time()));
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
                let committed = &member.log[..member.committed];
                let first = committed.partition_point(|entry| Place::behind(entry.time) <= *behind);
                let all = committed[first..].iter().flat_map(|entry| events(namespace, entry));
                let mut taken: Vec<_> = all.filter(|(place, _)| place > behind).take(size).collect();
                *behind = match taken.last() {
                    Some((place, _)) if taken.len() == size => *place,
                    _ => (*behind).max(Place::behind(member.committed_time())),
                };
                (taken.drain(..).map(|(_, event)| event).collect(), Some(behind.token()))
            }
        }
    }

    pub(super) fn is_exhausted(&self) -> bool {
        matches!(self, Self::Documents { rest, .. } if rest.is_empty())
    }
}

/// The events of an entry, which are its inserts into this collection.
fn events(watched: &str, entry: &Entry) -> Vec<(Place, Document)> {
    let inserted = entry.change.parts().iter().filter_map(|part| match part {
        Change::Insert { namespace, document } if namespace == watched => Some(document),
        _ => None,
    });
    let (db, coll) = watched.split_once('.').unwrap_or_default();
    let event = |(number, document): (u32, &Document)| {
        let place = Place { time: entry.time, events: number };
        let event = doc! {
            "_id": place.token(),
            "operationType": "insert",
            "clusterTime": timestamp(entry.time),
            "ns": { "db": db, "coll": coll },
            "documentKey": { "_id": document.get("_id").cloned() },
            "fullDocument": document.clone(),
        };
        (place, event)
    };
    (1..).zip(inserted).map(event).collect()
}

/// The time before everything.
pub(crate) fn start_of_time() -> Timestamp {
    timestamp(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_goes_on_in_the_middle_of_a_transaction() {
        let mut member = Member::new(1);
        let insert =
            |namespace: &str, id: i32| Change::Insert { namespace: namespace.to_owned(), document: doc! { "_id": id } };
        member.write(insert("a.b", 1), None);
        member.write(Change::Transaction(vec![insert("a.b", 2), insert("a.c", 3), insert("a.b", 4)]), None);
        member.commit(2);
        let mut cursor = Cursor::changes("a.b".to_owned(), &doc! { "startAtOperationTime": start_of_time() }, &member);
        let mut ids = Vec::new();
        for _ in 0..4 {
            let (batch, token) = cursor.take(1, &member);
            ids.extend(batch.iter().filter_map(|event| event.get_document("documentKey").ok()?.get_i32("_id").ok()));
            cursor = Cursor::changes("a.b".to_owned(), &doc! { "resumeAfter": token.unwrap() }, &member);
        }
        assert_eq!(ids, [1, 2, 4]);
    }
}
