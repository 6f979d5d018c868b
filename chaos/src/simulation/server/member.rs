//! One member of the simulated set: its log, and its part in elections.

use std::{collections::BTreeMap, rc::Rc};

use mongo_actors::bson::oid::ObjectId;
use tokio::sync::Notify;

use super::{
    data::{Data, Entry, Statement},
    documents::Change,
    stream::Cursor,
    transactions::Transactions,
};

/// Milliseconds since the simulation began.
pub(super) type Millis = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Secondary,
    Candidate,
    Primary,
}

/// What members say to each other.
#[derive(Clone, Debug)]
pub(super) enum Word {
    /// A candidate asks for a vote.
    VoteFor {
        last: (u64, usize),
    },
    Vote {
        granted: bool,
    },
    /// The primary's log from `from` on, behind an entry of the term `behind`.
    Append {
        from: usize,
        behind: u64,
        entries: Vec<Entry>,
        committed: usize,
    },
    /// How much of the primary's log is here, or where to go on instead.
    Appended {
        matches: bool,
        length: usize,
    },
}

pub(super) struct Member {
    pub(super) is_up: bool,
    // What survives a crash.
    pub(super) term: u64,
    pub(super) voted_for: Option<usize>,
    pub(super) log: Vec<Entry>,
    /// How many entries of the log a majority has: they are never lost.
    pub(super) committed: usize,
    /// The log as it was each time before something of it was rolled back.
    pub(super) abandoned: Vec<Vec<Entry>>,
    // What does not.
    pub(super) part: Part,
    pub(super) votes: Vec<usize>,
    pub(super) primary: Option<usize>,
    pub(super) heard_of_primary: Millis,
    pub(super) patience: Millis,
    /// No candidate before then.
    pub(super) abstains_until: Millis,
    pub(super) last_beat: Millis,
    /// Of each member, as the primary knows it: what it has, what it was sent, when it answered.
    pub(super) has: Vec<usize>,
    pub(super) sent: Vec<usize>,
    pub(super) answered: Vec<Millis>,
    /// The documents of the whole log, and those of what is committed.
    pub(super) data: Data,
    pub(super) stable: Data,
    stable_length: usize,
    /// The latest cluster time that was seen.
    pub(super) cluster_time: u64,
    pub(super) process: ObjectId,
    pub(super) topology_counter: i64,
    pub(super) cursors: BTreeMap<i64, Cursor>,
    pub(super) transactions: Transactions,
    /// Told whenever something changes that somebody may wait for.
    pub(super) changed: Rc<Notify>,
}

impl Member {
    pub(super) fn new(members: usize) -> Self {
        Self {
            is_up: false,
            term: 0,
            voted_for: None,
            log: Vec::new(),
            committed: 0,
            abandoned: Vec::new(),
            part: Part::Secondary,
            votes: Vec::new(),
            primary: None,
            heard_of_primary: 0,
            patience: 0,
            abstains_until: 0,
            last_beat: 0,
            has: vec![0; members],
            sent: vec![0; members],
            answered: vec![0; members],
            data: Data::default(),
            stable: Data::default(),
            stable_length: 0,
            cluster_time: 0,
            process: ObjectId::from_bytes([0; 12]),
            topology_counter: 0,
            cursors: BTreeMap::new(),
            transactions: Transactions::default(),
            changed: Rc::default(),
        }
    }

    /// The process starts, with what it had on disk.
    pub(super) fn boot(&mut self, now: Millis, process: ObjectId) {
        self.is_up = true;
        self.part = Part::Secondary;
        self.primary = None;
        self.heard_of_primary = now;
        self.process = process;
        self.topology_counter = 0;
        self.cursors.clear();
        self.transactions = Transactions::default();
        self.changed = Rc::default();
    }

    pub(super) fn is_primary(&self) -> bool {
        self.part == Part::Primary
    }

    /// What clients are told of the member has changed.
    pub(super) fn topology_changed(&mut self) {
        self.topology_counter += 1;
        self.changed.notify_waiters();
    }

    pub(super) fn last(&self) -> (u64, usize) {
        (self.log.last().map_or(0, |entry| entry.term), self.log.len())
    }

    pub(super) fn last_time(&self) -> u64 {
        self.log.last().map_or(0, |entry| entry.time)
    }

    pub(super) fn committed_time(&self) -> u64 {
        self.log[..self.committed].last().map_or(0, |entry| entry.time)
    }

    /// The primary writes an entry.
    pub(super) fn write(&mut self, change: Change, statement: Option<Statement>) {
        let time = self.cluster_time.max(self.last_time()) + 1;
        self.cluster_time = time;
        self.push(Entry { term: self.term, time, change, statement });
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.data.apply(&entry);
        self.cluster_time = self.cluster_time.max(entry.time);
        self.log.push(entry);
    }

    /// Entries that no majority has, and that the new primary does not have, are rolled back.
    pub(super) fn roll_back(&mut self, length: usize) {
        self.abandoned.push(self.log.clone());
        self.log.truncate(length);
        self.data = self.stable.clone();
        for entry in &self.log[self.stable_length..] {
            self.data.apply(entry);
        }
    }

    pub(super) fn commit(&mut self, length: usize) {
        if length <= self.committed {
            return;
        }
        self.committed = length;
        for entry in &self.log[self.stable_length..length] {
            self.stable.apply(entry);
        }
        self.stable_length = length;
        self.changed.notify_waiters();
    }
}
