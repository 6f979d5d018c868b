//! What commands say.

use mongo_actors::bson::{Bson, Document};

use super::data::{COMMIT, Statement};

/// The transaction that a command belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Within {
    pub(super) session: Vec<u8>,
    pub(super) number: i64,
    /// It is the first command of its transaction.
    pub(super) starts: bool,
}

impl Within {
    /// None for a command outside of transactions.
    pub(super) fn of(command: &Document) -> Option<Self> {
        command.get_bool("autocommit").ok().filter(|autocommit| !autocommit)?;
        let Statement { session, txn_number, .. } = statement(command, COMMIT)?;
        let starts = command.get_bool("startTransaction").unwrap_or(false);
        Some(Self { session, number: txn_number, starts })
    }

    pub(super) fn commit(&self) -> Statement {
        Statement { session: self.session.clone(), txn_number: self.number, number: COMMIT }
    }
}

/// One with a transaction number is known again when it is repeated.
pub(super) fn statement(command: &Document, number: i32) -> Option<Statement> {
    let txn_number = command.get_i64("txnNumber").ok()?;
    let session = session_of(command.get_document("lsid").ok()?)?;
    Some(Statement { session, txn_number, number })
}

pub(super) fn session_of(lsid: &Document) -> Option<Vec<u8>> {
    match lsid.get("id") {
        Some(Bson::Binary(binary)) => Some(binary.bytes.clone()),
        _ => None,
    }
}

pub(super) fn is_majority(command: &Document) -> bool {
    command
        .get_document("readConcern")
        .is_ok_and(|concern| concern.get_str("level").is_ok_and(|level| level == "majority"))
}

/// Whether it may be answered by a secondary.
pub(super) fn may_be_secondary(command: &Document) -> bool {
    let mode = command.get_document("$readPreference").ok().and_then(|preference| preference.get_str("mode").ok());
    mode.is_some_and(|mode| mode != "primary")
}

pub(super) fn namespace_of(command: &Document, name: &str) -> String {
    let database = command.get_str("$db").unwrap_or_default();
    format!("{database}.{}", command.get_str(name).unwrap_or_default())
}

pub(super) fn integer(command: &Document, name: &str) -> Option<usize> {
    let number = match command.get(name)? {
        Bson::Int32(number) => i64::from(*number),
        Bson::Int64(number) => *number,
        _ => return None,
    };
    usize::try_from(number).ok()
}
