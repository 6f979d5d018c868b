//! What the servers themselves know of the writes, when all is over.

use std::collections::{BTreeMap, BTreeSet};

use mongo_actors::bson::{Bson, Document};

use super::{
    data::{Entry, Statement},
    documents::Change,
    set::Set,
};

/// The set at the end.
pub(crate) struct Truth {
    /// The ids that were inserted into the watched collection, in the order of the log.
    pub(crate) inserted: Vec<i32>,
    /// The same of every log that a member has ever had.
    pub(crate) histories: Vec<Vec<i32>>,
    /// The documents that are there.
    pub(crate) documents: BTreeMap<i32, Document>,
    /// The marks that each counter carries, and its sum.
    pub(crate) counters: BTreeMap<i32, (Vec<i32>, i32)>,
    /// The accounts.
    pub(crate) accounts: Vec<Document>,
    /// What must not have happened.
    pub(crate) violations: Vec<String>,
}

/// The collections that are judged.
pub(crate) struct Watched {
    pub(crate) orders: &'static str,
    pub(crate) counters: &'static str,
    pub(crate) accounts: &'static str,
}

impl Set {
    /// What the primary's committed log says.
    pub(crate) fn truth(&self, watched: &Watched) -> Option<Truth> {
        let primary = &self.members[self.primary()?];
        let committed = &primary.log[..primary.committed];
        let all = Document::new();
        let found = |namespace| primary.stable.documents.find(namespace, &all).cloned();
        let logs = self.members.iter().flat_map(|member| member.abandoned.iter().chain([&member.log]));
        let with_id = |document: Document| Some((document.get_i32("_id").ok()?, document));
        let counter = |(id, document): (i32, Document)| {
            let marks = document.get_array("marks").into_iter().flatten().filter_map(Bson::as_i32).collect();
            (id, (marks, document.get_i32("sum").unwrap_or(0)))
        };
        Some(Truth {
            inserted: inserted(committed, watched.orders),
            histories: logs.map(|log| inserted(log, watched.orders)).collect(),
            documents: found(watched.orders).filter_map(with_id).collect(),
            counters: found(watched.counters).filter_map(with_id).map(counter).collect(),
            accounts: found(watched.accounts).collect(),
            violations: executed_twice(committed),
        })
    }

    /// How many documents the committed log has inserted into this collection.
    pub(crate) fn inserted_into(&self, namespace: &str) -> Option<usize> {
        let primary = &self.members[self.primary()?];
        Some(inserted(&primary.log[..primary.committed], namespace).len())
    }
}

fn inserted(log: &[Entry], watched: &str) -> Vec<i32> {
    let of = |change: &Change| match change {
        Change::Insert { namespace, document } if namespace == watched => document.get_i32("_id").ok(),
        _ => None,
    };
    log.iter().flat_map(|entry| entry.change.parts()).filter_map(of).collect()
}

fn executed_twice(log: &[Entry]) -> Vec<String> {
    let mut executed: BTreeSet<&Statement> = BTreeSet::new();
    let statements = log.iter().filter_map(|entry| entry.statement.as_ref());
    let twice = statements.filter(|statement| !executed.insert(statement));
    twice.map(|statement| format!("the servers executed a retried write twice: {statement:?}")).collect()
}
