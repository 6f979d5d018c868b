//! The simulated replica set as a whole: elections, and a log that a majority agrees on.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use mongo_actors::bson::oid::ObjectId;
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};

use super::{
    data::Entry,
    documents::Change,
    member::{Member, Millis, Part, Word},
    transactions::Transactions,
};

/// The name of the set.
pub(crate) const NAME: &str = "sim";
/// The port that every member listens on.
pub(crate) const PORT: u16 = 27_017;
/// How often the primary says that it is there.
const BEAT: Millis = 100;
/// How long members wait for the primary before one of them stands for election: at least, and at most.
const PATIENCE: (Millis, Millis) = (1_000, 2_000);
/// How long a primary goes on without a majority.
const LONELINESS: Millis = 2_000;

/// What the set does wrong on purpose, so that the checks can be checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Slip {
    /// Nothing.
    #[default]
    None,
    /// It executes a retried write again.
    ForgetsStatements,
    /// It acknowledges a write that no majority has.
    AcknowledgesTooEarly,
    /// It commits the first half of a transaction.
    CommitsInPart,
    /// It does not know a transaction any more that it has committed.
    ForgetsCommits,
    /// Two transactions at once change the same document.
    IgnoresConflicts,
    /// A secondary is read from before it has come to the time that the reader has seen.
    IgnoresClusterTimes,
}

/// The members, and the messages on their way between them.
pub(crate) struct Set {
    pub(super) members: Vec<Member>,
    post: BTreeMap<(Millis, u64), Parcel>,
    posted: u64,
    /// Pairs of members that cannot reach each other.
    cut: BTreeSet<(usize, usize)>,
    pub(super) rng: StdRng,
    pub(super) slip: Slip,
    pub(super) next_cursor: i64,
    pub(super) next_connection: i64,
    /// How far each member's date is off, in milliseconds.
    pub(super) date_offsets: Vec<i64>,
    pub(crate) elections: u64,
}

struct Parcel {
    from: usize,
    to: usize,
    term: u64,
    word: Word,
}

/// The set, for all members of it: they run on one thread.
pub(crate) type SharedSet = Rc<RefCell<Set>>;

/// The name of a member's host.
pub(crate) fn host(member: usize) -> String {
    format!("m{member}")
}

pub(super) fn address(member: usize) -> String {
    format!("{}:{PORT}", host(member))
}

/// Now, by the clock that all hosts share.
pub(super) fn now() -> Millis {
    turmoil::sim_elapsed().and_then(|elapsed| elapsed.as_millis().try_into().ok()).unwrap_or(0)
}

impl Set {
    pub(crate) fn new(seed: u64, members: usize, slip: Slip) -> SharedSet {
        Rc::new(RefCell::new(Self {
            members: (0..members).map(|_| Member::new(members)).collect(),
            post: BTreeMap::new(),
            posted: 0,
            cut: BTreeSet::new(),
            rng: StdRng::seed_from_u64(seed),
            slip,
            next_cursor: 1,
            next_connection: 1,
            date_offsets: vec![0; members],
            elections: 0,
        }))
    }

    fn majority(&self) -> usize {
        self.members.len() / 2 + 1
    }

    /// The member that is primary in the highest term.
    pub(crate) fn primary(&self) -> Option<usize> {
        let primaries = self.members.iter().enumerate().filter(|(_, member)| member.is_up && member.is_primary());
        primaries.max_by_key(|(_, member)| member.term).map(|(id, _)| id)
    }

    pub(crate) fn cut(&mut self, a: usize, b: usize) {
        self.cut.insert((a.min(b), a.max(b)));
    }

    pub(crate) fn heal(&mut self, a: usize, b: usize) {
        self.cut.remove(&(a.min(b), a.max(b)));
    }

    pub(crate) fn jump(&mut self, member: usize, millis: i64) {
        self.date_offsets[member] += millis;
    }

    fn can_reach(&self, a: usize, b: usize) -> bool {
        self.members[b].is_up && !self.cut.contains(&(a.min(b), a.max(b)))
    }

    pub(super) fn boot(&mut self, id: usize) {
        let mut process = [0; 12];
        self.rng.fill_bytes(&mut process);
        let patience = self.rng.random_range(PATIENCE.0..PATIENCE.1);
        let member = &mut self.members[id];
        member.boot(now(), ObjectId::from_bytes(process));
        member.patience = patience;
    }

    /// The process ends, at once.
    pub(crate) fn crash(&mut self, id: usize) {
        self.members[id].is_up = false;
        self.members[id].part = Part::Secondary;
    }

    /// The primary gives its place up, if there is one.
    pub(crate) fn step_down(&mut self, at: Millis) -> bool {
        let Some(id) = self.primary() else { return false };
        self.members[id].abstains_until = at + 3_000;
        self.members[id].heard_of_primary = at;
        self.follow(id, None);
        true
    }

    fn post(&mut self, from: usize, to: usize, word: Word) {
        let due = now() + self.rng.random_range(1..4);
        self.posted += 1;
        self.post.insert((due, self.posted), Parcel { from, to, term: self.members[from].term, word });
    }

    /// What a member does every few milliseconds.
    pub(super) fn beat(&mut self, id: usize) {
        let now = now();
        let waiting = self.post.range(..=(now, u64::MAX)).filter(|(_, parcel)| parcel.to == id);
        let due: Vec<_> = waiting.map(|(key, _)| *key).collect();
        for key in due {
            if let Some(parcel) = self.post.remove(&key).filter(|parcel| self.can_reach(parcel.from, id)) {
                self.hear(id, parcel, now);
            }
        }
        let member = &mut self.members[id];
        if member.transactions.expire(now) {
            member.changed.notify_waiters();
        }
        let member = &self.members[id];
        match member.part {
            Part::Primary => {
                let answering = (0..self.members.len())
                    .filter(|other| *other == id || now.saturating_sub(member.answered[*other]) < LONELINESS);
                if answering.count() < self.majority() {
                    self.follow(id, None);
                } else if now - member.last_beat >= BEAT {
                    self.members[id].last_beat = now;
                    self.send_again(id, now);
                    self.spread(id);
                }
            }
            Part::Secondary | Part::Candidate => {
                let is_due = now.saturating_sub(member.heard_of_primary) >= member.patience;
                if is_due && now >= member.abstains_until && self.would_win(id, now) {
                    self.stand(id, now);
                } else if is_due && member.primary.is_some() {
                    self.members[id].primary = None;
                    self.members[id].topology_changed();
                }
            }
        }
        // Crashed and cut off members leave their letters unread.
        self.post.retain(|(due, _), _| now.saturating_sub(*due) < 1_000);
    }

    /// A dry run: whether a majority can be reached, has no newer log, and misses its primary as well.
    fn would_win(&self, id: usize, now: Millis) -> bool {
        let own = &self.members[id];
        let supporters = (self.members.iter().enumerate()).filter(|(other, member)| {
            let misses_primary = now.saturating_sub(member.heard_of_primary) >= PATIENCE.0 / 2;
            let supports = !member.is_primary() && misses_primary && member.last() <= own.last();
            *other == id || (self.can_reach(id, *other) && supports)
        });
        supporters.count() >= self.majority()
    }

    /// What was not answered for is sent again; those who do not answer at all are only asked where they are.
    fn send_again(&mut self, id: usize, now: Millis) {
        let member = &mut self.members[id];
        for other in 0..member.sent.len() {
            let answers = now.saturating_sub(member.answered[other]) < 3 * BEAT;
            member.sent[other] = if answers { member.has[other] } else { member.log.len() };
        }
    }

    fn stand(&mut self, id: usize, now: Millis) {
        let patience = self.rng.random_range(PATIENCE.0..PATIENCE.1);
        let member = &mut self.members[id];
        member.term += 1;
        member.part = Part::Candidate;
        member.voted_for = Some(id);
        member.votes = vec![id];
        member.primary = None;
        member.heard_of_primary = now;
        member.patience = patience;
        let last = member.last();
        self.tell_others(id, &Word::VoteFor { last });
        self.count_votes(id);
    }

    /// Has the member win an election.
    #[cfg(test)]
    pub(super) fn elect(&mut self, id: usize) {
        self.boot(id);
        let everybody = (0..self.members.len()).collect();
        let member = &mut self.members[id];
        member.term += 1;
        member.part = Part::Candidate;
        member.votes = everybody;
        self.count_votes(id);
    }

    fn tell_others(&mut self, id: usize, word: &Word) {
        for other in (0..self.members.len()).filter(|other| *other != id) {
            self.post(id, other, word.clone());
        }
    }

    fn count_votes(&mut self, id: usize) {
        if self.members[id].part != Part::Candidate || self.members[id].votes.len() < self.majority() {
            return;
        }
        self.elections += 1;
        let (now, count) = (now(), self.members.len());
        let member = &mut self.members[id];
        member.part = Part::Primary;
        member.primary = Some(id);
        member.last_beat = now;
        member.has = vec![0; count];
        member.sent = vec![member.log.len(); count];
        member.answered = vec![now; count];
        // Earlier terms' entries are committed with the first of one's own.
        member.write(Change::Nothing, None);
        member.topology_changed();
        self.spread(id);
    }

    /// Becomes, or stays, a secondary: of `primary`, if it is known.
    fn follow(&mut self, id: usize, primary: Option<usize>) {
        let member = &mut self.members[id];
        if member.is_primary() {
            member.transactions = Transactions::default();
        }
        if member.part != Part::Secondary || member.primary != primary {
            member.part = Part::Secondary;
            member.primary = primary;
            member.topology_changed();
        }
    }

    /// Sends the others what they lack of the primary's log.
    pub(super) fn spread(&mut self, id: usize) {
        for other in (0..self.members.len()).filter(|other| *other != id) {
            let member = &mut self.members[id];
            let from = member.sent[other].min(member.log.len());
            let behind = from.checked_sub(1).map_or(0, |last| member.log[last].term);
            let entries = member.log[from..].to_vec();
            member.sent[other] = member.log.len();
            let committed = member.committed;
            self.post(id, other, Word::Append { from, behind, entries, committed });
        }
        self.advance(id);
    }

    /// The primary commits what a majority has.
    fn advance(&mut self, id: usize) {
        let majority = self.majority();
        let member = &mut self.members[id];
        member.has[id] = member.log.len();
        let mut has = member.has.clone();
        has.sort_unstable_by(|a, b| b.cmp(a));
        let length = has[majority - 1];
        if length > 0 && member.log[length - 1].term == member.term {
            member.commit(length);
        }
    }

    fn hear(&mut self, id: usize, Parcel { from, term, word, .. }: Parcel, now: Millis) {
        if term > self.members[id].term {
            self.members[id].term = term;
            self.members[id].voted_for = None;
            self.follow(id, None);
        }
        let is_current = term == self.members[id].term;
        match word {
            Word::VoteFor { last } => {
                let member = &mut self.members[id];
                let is_free = member.voted_for.is_none_or(|voted| voted == from);
                let granted = is_current && is_free && last >= member.last();
                if granted {
                    member.voted_for = Some(from);
                    member.heard_of_primary = now;
                }
                self.post(id, from, Word::Vote { granted });
            }
            Word::Vote { granted } => {
                if granted && is_current && !self.members[id].votes.contains(&from) {
                    self.members[id].votes.push(from);
                    self.count_votes(id);
                }
            }
            Word::Append { .. } if !is_current => {
                self.post(id, from, Word::Appended { matches: false, length: 0 });
            }
            Word::Append { from: start, behind, entries, committed } => {
                self.members[id].heard_of_primary = now;
                self.follow(id, Some(from));
                let answer = self.take(id, start, behind, entries, committed);
                self.post(id, from, answer);
            }
            Word::Appended { matches, length } => {
                let member = &mut self.members[id];
                if !is_current || !member.is_primary() {
                    return;
                }
                member.answered[from] = now;
                if matches {
                    member.has[from] = member.has[from].max(length);
                    self.advance(id);
                } else {
                    // What is committed is in every primary's log.
                    member.has[from] = length;
                    member.sent[from] = length;
                }
            }
        }
    }

    /// A secondary takes entries over, and gives up what contradicts them.
    fn take(&mut self, id: usize, start: usize, behind: u64, entries: Vec<Entry>, committed: usize) -> Word {
        let member = &mut self.members[id];
        let fits = start <= member.log.len() && start.checked_sub(1).map_or(0, |last| member.log[last].term) == behind;
        if !fits {
            return Word::Appended { matches: false, length: member.committed };
        }
        let length = start + entries.len();
        for (index, entry) in (start..).zip(entries) {
            match member.log.get(index) {
                Some(own) if own.term == entry.term => {}
                own => {
                    if own.is_some() {
                        member.roll_back(index);
                    }
                    member.push(entry);
                }
            }
        }
        // Somebody may wait for their time.
        member.changed.notify_waiters();
        member.commit(committed.min(length));
        Word::Appended { matches: true, length }
    }
}
