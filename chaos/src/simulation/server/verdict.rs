//! What the servers themselves know of the writes, when all is over.

use std::collections::{BTreeMap, BTreeSet};

use mongo_actors::bson::{Bson, Document};

use super::{
    data::{Change, Statement},
    set::Set,
};

/// The set at the end.
pub(crate) struct Truth {
    /// The ids that were inserted into the watched collection, in the order of the log.
    pub(crate) inserted: Vec<i32>,
    /// The documents that are there.
    pub(crate) documents: BTreeMap<i32, Document>,
    /// The marks that each counter carries, and its sum.
    pub(crate) counters: BTreeMap<i32, (Vec<i32>, i32)>,
    /// What must not have happened.
    pub(crate) violations: Vec<String>,
}

impl Set {
    /// What the primary's committed log says.
    pub(crate) fn truth(&self, watched: &str, counters: &str) -> Option<Truth> {
        let primary = &self.members[self.primary()?];
        let mut truth = Truth {
            inserted: Vec::new(),
            documents: BTreeMap::new(),
            counters: BTreeMap::new(),
            violations: Vec::new(),
        };
        let mut executed: BTreeSet<&Statement> = BTreeSet::new();
        for entry in &primary.log[..primary.committed] {
            if let Some(statement) = &entry.statement
                && !executed.insert(statement)
            {
                truth.violations.push(format!("the servers executed a retried write twice: {statement:?}"));
            }
            if let Change::Insert { namespace, document } = &entry.change
                && namespace == watched
            {
                truth.inserted.extend(document.get_i32("_id"));
            }
        }
        for document in primary.stable.find(watched, &Document::new()) {
            if let Ok(id) = document.get_i32("_id") {
                truth.documents.insert(id, document.clone());
            }
        }
        for document in primary.stable.find(counters, &Document::new()) {
            let marks = document.get_array("marks").into_iter().flatten().filter_map(Bson::as_i32).collect();
            let sum = document.get_i32("sum").unwrap_or(0);
            if let Ok(id) = document.get_i32("_id") {
                truth.counters.insert(id, (marks, sum));
            }
        }
        Some(truth)
    }
}
