//! What happened while a plan was armed, and whether it was as promised.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    decide::Firing,
    plan::{Fault, FaultPlan},
    site::Site,
};

/// How an attempt at an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum End {
    /// The server did it.
    Succeeded,
    /// It was answered with an error.
    Failed,
    /// The caller did not wait for it.
    Cancelled,
    /// Whoever had it is gone without an answer. This must not happen.
    Lost,
}

/// One attempt at an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The command.
    pub command: String,
    /// When it began, counted from when the plan was armed.
    pub began: Duration,
    /// When and how it ended; none if it has not.
    pub ended: Option<(Duration, End)>,
}

/// Things that are taken and given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Resource {
    /// A connection that was checked out of its pool.
    Connection,
    /// A server session that is in use.
    Session,
    /// An operation on its way through the driver, with the one answer that it owes.
    Ticket,
    /// A cursor that a server has opened: closed by its last batch, by `killCursors`, by a server that does not know it
    /// any more, or with the server or the connection that it lived on.
    Cursor,
}

/// What happened while a plan was armed. Can be saved, and replayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recording {
    plan: FaultPlan,
    firings: Vec<Firing>,
    attempts: Vec<Attempt>,
    /// How many were taken and how many given back.
    resources: BTreeMap<Resource, (u64, u64)>,
}

/// Something was not as promised.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct Violation {
    promise: &'static str,
    breaches: Vec<String>,
    seed: u64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (seed {}):", self.promise, self.seed)?;
        self.breaches.iter().try_for_each(|breach| write!(f, "\n  {breach}"))
    }
}

impl Recording {
    /// Nothing has happened yet.
    pub fn new(plan: FaultPlan) -> Self {
        Self { plan, firings: Vec::new(), attempts: Vec::new(), resources: BTreeMap::new() }
    }

    /// The plan that was armed.
    pub fn plan(&self) -> &FaultPlan {
        &self.plan
    }

    /// The faults, in the order they fired.
    pub fn firings(&self) -> &[Firing] {
        &self.firings
    }

    /// The attempts, in the order they began.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The recording as JSON.
    pub fn to_json(&self) -> String {
        // Nothing in it can fail to be written: no map has keys of another kind than text.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// A recording that was saved.
    ///
    /// # Errors
    /// What is wrong with the text, and where.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// A plan of exactly the faults that fired, each at its site and count.
    #[must_use]
    pub fn replay(&self) -> FaultPlan {
        let fault = |firing: &Firing| (firing.site.clone(), firing.ordinal, firing.fault);
        FaultPlan::exactly(self.plan.seed(), self.firings.iter().map(fault).collect())
    }

    /// A fault fired.
    pub fn fired(&mut self, firing: Firing) {
        self.firings.push(firing);
    }

    /// An attempt begins. The answer names it.
    pub fn began(&mut self, command: impl Into<String>, at: Duration) -> usize {
        self.attempts.push(Attempt { command: command.into(), began: at, ended: None });
        self.attempts.len() - 1
    }

    /// An attempt has ended.
    pub fn ended(&mut self, attempt: usize, at: Duration, end: End) {
        if let Some(attempt) = self.attempts.get_mut(attempt) {
            attempt.ended = Some((at, end));
        }
    }

    /// Something was taken.
    pub fn took(&mut self, resource: Resource) {
        self.resources.entry(resource).or_default().0 += 1;
    }

    /// Something was given back.
    pub fn gave_back(&mut self, resource: Resource) {
        self.resources.entry(resource).or_default().1 += 1;
    }

    /// How often each fault fired, at what.
    pub fn faults_by_kind(&self) -> BTreeMap<String, u32> {
        let mut counts = BTreeMap::new();
        for firing in &self.firings {
            let kind = match (&firing.site, firing.fault) {
                (Site::Message { role, .. }, Fault::Message(fault)) => format!("{role}: {fault:?}"),
                (_, Fault::Message(fault)) => format!("{fault:?}"),
                (_, Fault::Socket(fault)) => format!("socket: {fault:?}"),
            };
            *counts.entry(kind).or_default() += 1;
        }
        counts
    }

    /// Every attempt that began was answered, unless its caller did not wait.
    ///
    /// # Errors
    /// [`Violation`] names those that were not.
    pub fn no_lost_reply(&self) -> Result<(), Violation> {
        let lost = self.attempts.iter().filter(|attempt| matches!(attempt.ended, None | Some((_, End::Lost))));
        let describe = |attempt: &Attempt| format!("{}, begun after {:?}", attempt.command, attempt.began);
        self.hold("every attempt is answered", lost.map(describe).collect())
    }

    /// After each fault, an attempt that began later succeeded within `limit`, unless none was made at all.
    ///
    /// # Errors
    /// [`Violation`] names the faults after which it took longer.
    pub fn recovers_within(&self, limit: Duration) -> Result<(), Violation> {
        let slow = self.firings.iter().filter(|firing| {
            let mut later = self.attempts.iter().filter(|attempt| attempt.began >= firing.at).peekable();
            later.peek().is_some()
                && !later.any(|attempt| {
                    matches!(attempt.ended, Some((at, End::Succeeded)) if at <= firing.at.saturating_add(limit))
                })
        });
        let describe = |firing: &Firing| format!("{}: {:?} after {:?}", firing.site, firing.fault, firing.at);
        self.hold("service resumes in time", slow.map(describe).collect())
    }

    /// How long it took after each fault until an attempt that began later had succeeded; those are left out after which
    /// none did.
    pub fn recovery_times(&self) -> Vec<Duration> {
        let recovery = |firing: &Firing| {
            let later = self.attempts.iter().filter(|attempt| attempt.began >= firing.at);
            let ends = later.filter_map(|attempt| match attempt.ended {
                Some((at, End::Succeeded)) => Some(at),
                _ => None,
            });
            ends.min().map(|at| at.saturating_sub(firing.at))
        };
        self.firings.iter().filter_map(recovery).collect()
    }

    /// What was taken was given back. To be asked when nothing is on its way any more.
    ///
    /// # Errors
    /// [`Violation`] names what was not.
    pub fn no_leak(&self) -> Result<(), Violation> {
        let leaked = self.resources.iter().filter(|(_, (taken, given))| taken != given);
        let describe = |(resource, (taken, given)): (&Resource, &(u64, u64))| {
            format!("{resource:?}: {taken} were taken and {given} given back")
        };
        self.hold("everything is given back", leaked.map(describe).collect())
    }

    /// Each acknowledged write was done exactly once: `acknowledged` names those that were acknowledged, `found` what is
    /// in the database, each as often as it is there. What was not acknowledged may be there once or not at all.
    ///
    /// # Errors
    /// [`Violation`] names the writes that are missing, or there more than once.
    pub fn acked_writes_once<K: Ord + fmt::Debug>(
        &self,
        acknowledged: impl IntoIterator<Item = K>,
        found: impl IntoIterator<Item = K>,
    ) -> Result<(), Violation> {
        let mut counts = BTreeMap::new();
        found.into_iter().for_each(|key| *counts.entry(key).or_insert(0_u64) += 1);
        let missing = acknowledged.into_iter().filter(|key| !counts.contains_key(key));
        let missing = missing.map(|key| format!("{key:?} was acknowledged and is not there"));
        let repeated = counts.iter().filter(|(_, count)| **count > 1);
        let repeated = repeated.map(|(key, count)| format!("{key:?} is there {count} times"));
        self.hold("acknowledged writes are done once", missing.chain(repeated).collect())
    }

    fn hold(&self, promise: &'static str, breaches: Vec<String>) -> Result<(), Violation> {
        match breaches.is_empty() {
            true => Ok(()),
            false => Err(Violation { promise, breaches, seed: self.plan.seed() }),
        }
    }
}
