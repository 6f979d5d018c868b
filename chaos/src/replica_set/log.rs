//! What the operations of one run were told, and when.

use std::{
    collections::BTreeMap,
    future::IntoFuture,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mongo_actors::error::{Error, Outcome, Result};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

/// When an operation counts as one that never ends.
const FOR_EVER: Duration = Duration::from_secs(60);
/// How much later than its timeout an operation may end, on a machine that is busy.
const SLACK: Duration = Duration::from_secs(3);
/// Service was away when nothing succeeded for so long, even if nothing failed.
const NOTICEABLE: Duration = Duration::from_millis(250);

/// What is done to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Insert,
    Increment,
    Find,
    Transaction,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Insert, Self::Increment, Self::Find, Self::Transaction];
}

/// What became of a write, as its caller was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    Done,
    NotDone,
    Unknown,
}

impl Claim {
    pub(super) fn of(error: &Error) -> Self {
        match error.outcome() {
            Outcome::NotSent | Outcome::Rejected => Self::NotDone,
            // What was executed below its write concern may be undone.
            _ => Self::Unknown,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    kind: Kind,
    began: Duration,
    ended: Duration,
    succeeded: bool,
}

/// Keeps the operations of a run.
pub(super) struct Log {
    began: Instant,
    /// `timeoutMS`, which is the limit of each command.
    timeout: Option<Duration>,
    entries: Mutex<Vec<Entry>>,
    outcomes: Mutex<BTreeMap<String, u64>>,
    violations: Mutex<Vec<String>>,
    /// How many operations have succeeded.
    successes: watch::Sender<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    pub(super) fn new(began: Instant, timeout: Option<Duration>) -> Self {
        Self {
            began,
            timeout,
            entries: Mutex::default(),
            outcomes: Mutex::default(),
            violations: Mutex::default(),
            successes: watch::Sender::default(),
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Makes an operation that consists of at most so many commands. None if it does not end.
    pub(super) async fn make<T>(
        &self,
        kind: Kind,
        commands: u32,
        operation: impl IntoFuture<Output = Result<T>>,
    ) -> Option<Result<T>> {
        let began = self.now();
        let result = timeout(FOR_EVER, operation.into_future()).await.ok();
        let ended = self.now();
        let outcome = match &result {
            None => "never answered".to_owned(),
            Some(Ok(_)) => "ok".to_owned(),
            Some(Err(error)) => format!("failed: {}", name(error.outcome())),
        };
        *lock(&self.outcomes).entry(outcome).or_default() += 1;
        let succeeded = matches!(result, Some(Ok(_)));
        lock(&self.entries).push(Entry { kind, began, ended, succeeded });
        if succeeded {
            self.successes.send_modify(|count| *count += 1);
        }
        let limit = self.timeout.map_or(FOR_EVER, |timeout| timeout * commands + SLACK);
        let took = ended - began;
        if result.is_none() || took > limit {
            let how = result.as_ref().map(|result| result.as_ref().err().map(ToString::to_string));
            self.violate(format!("{kind:?} begun after {began:?} took {took:?}, the limit is {limit:?}: {how:?}"));
        }
        result
    }

    pub(super) fn violate(&self, what: impl Into<String>) {
        lock(&self.violations).push(what.into());
    }

    pub(super) fn violations(&self) -> Vec<String> {
        lock(&self.violations).clone()
    }

    pub(super) fn outcomes(&self) -> BTreeMap<String, u64> {
        lock(&self.outcomes).clone()
    }

    pub(super) fn operations(&self) -> u64 {
        lock(&self.entries).len() as u64
    }

    /// Waits until operations of every kind have succeeded that began after `since`. The kinds that do not within
    /// `limit` are the answer.
    pub(super) async fn resumed(&self, since: Duration, limit: Duration) -> Vec<Kind> {
        let mut successes = self.successes.subscribe();
        let all = async {
            while !self.missing(since).is_empty() {
                // The sender lives as long as this.
                drop(successes.changed().await);
            }
        };
        drop(timeout(limit, all).await);
        self.missing(since)
    }

    fn missing(&self, since: Duration) -> Vec<Kind> {
        let entries = lock(&self.entries);
        let is_back = |kind| entries.iter().any(|entry| entry.kind == kind && entry.succeeded && entry.began >= since);
        Kind::ALL.into_iter().filter(|kind| !is_back(*kind)).collect()
    }

    /// For each of these faults that stopped service, how long it took until an operation that began later had succeeded.
    pub(super) fn recoveries(&self, faults: impl IntoIterator<Item = Duration>) -> Vec<Duration> {
        let entries = lock(&self.entries);
        let recovery = |fault: Duration| {
            let later = entries.iter().filter(|entry| entry.succeeded && entry.began >= fault);
            let back = later.map(|entry| entry.ended).min()?;
            let mut meanwhile = entries.iter().filter(|entry| entry.ended >= fault && entry.began <= back);
            let was_away = meanwhile.any(|entry| !entry.succeeded) || back - fault > NOTICEABLE;
            was_away.then(|| back - fault)
        };
        faults.into_iter().filter_map(recovery).collect()
    }
}

fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NotSent => "not sent",
        Outcome::Rejected => "rejected",
        Outcome::Applied => "applied in part",
        _ => "unknown",
    }
}
