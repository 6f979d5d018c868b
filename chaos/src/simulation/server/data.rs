//! What a member of the simulated set holds: documents, and which statements of which session were executed.

use std::collections::BTreeMap;

use super::documents::{Change, Documents};

/// Stands for the commit of a transaction among the numbers of its statements.
pub(super) const COMMIT: i32 = -1;

/// One statement of a write that may be retried, or the commit of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Statement {
    pub(super) session: Vec<u8>,
    pub(super) txn_number: i64,
    pub(super) number: i32,
}

/// An entry of the log.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) term: u64,
    /// The cluster time at which it was written. It grows along the log.
    pub(super) time: u64,
    pub(super) change: Change,
    pub(super) statement: Option<Statement>,
}

/// Why a statement was not executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: i32,
    pub(super) message: String,
}

impl Refusal {
    /// The session has gone on to the number `latest`.
    pub(super) fn too_old(txn_number: i64, latest: i64) -> Self {
        Self { code: 225, message: format!("txnNumber {txn_number} is older than {latest}") }
    }
}

/// What is there at one place in the log.
#[derive(Clone, Debug, Default)]
pub(super) struct Data {
    pub(super) documents: Documents,
    /// Of each session: its latest transaction number, and the statements of it that were executed.
    sessions: BTreeMap<Vec<u8>, (i64, Vec<i32>)>,
}

impl Data {
    pub(super) fn apply(&mut self, entry: &Entry) {
        self.documents.apply(&entry.change);
        if let Some(statement) = &entry.statement {
            let session = self.sessions.entry(statement.session.clone()).or_default();
            if session.0 != statement.txn_number {
                *session = (statement.txn_number, Vec::new());
            }
            session.1.push(statement.number);
        }
    }

    /// Whether the statement was executed; an error when its session has gone on to other writes.
    pub(super) fn was_executed(&self, statement: &Statement) -> Result<bool, Refusal> {
        let Some((latest, numbers)) = self.sessions.get(&statement.session) else { return Ok(false) };
        if *latest > statement.txn_number {
            return Err(Refusal::too_old(statement.txn_number, *latest));
        }
        Ok(*latest == statement.txn_number && numbers.contains(&statement.number))
    }

    /// Whether a statement with this number, or a later one, was executed in the session.
    pub(super) fn has_gone_on(&self, session: &[u8], txn_number: i64) -> bool {
        self.sessions.get(session).is_some_and(|(latest, _)| *latest >= txn_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executed_statements_are_known_until_their_session_goes_on() {
        let mut data = Data::default();
        let statement = |txn_number, number| Statement { session: vec![1], txn_number, number };
        let executed = |statement| Entry { term: 1, time: 1, change: Change::Nothing, statement: Some(statement) };
        data.apply(&executed(statement(4, 0)));
        assert!(data.was_executed(&statement(4, 0)).unwrap());
        assert!(!data.was_executed(&statement(4, 1)).unwrap());
        assert!(!data.was_executed(&statement(5, 0)).unwrap());
        data.apply(&executed(statement(5, 0)));
        assert_eq!(data.was_executed(&statement(4, 0)).unwrap_err().code, 225);
        assert!(data.has_gone_on(&[1], 5) && !data.has_gone_on(&[1], 6) && !data.has_gone_on(&[2], 1));
    }
}
