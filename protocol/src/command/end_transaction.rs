//! `commitTransaction` and `abortTransaction`.

use std::time::Duration;

use bson::rawdoc;

use super::{Command, EncodeError, Properties, ReadConcernUse, Request};
use crate::retry::Operation;

/// Commits the transaction of the session it is sent in.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommitTransaction {
    /// How long the server may work on it (`maxTimeMS`).
    pub max_time: Option<Duration>,
}

impl CommitTransaction {
    /// The command's name.
    pub const NAME: &str = "commitTransaction";
}

impl Command for CommitTransaction {
    fn properties(&self) -> Properties {
        Properties { max_time: self.max_time, ..ending() }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        Ok(Request::new(Self::NAME, "admin".into(), rawdoc! { "commitTransaction": 1 }))
    }
}

/// Aborts the transaction of the session it is sent in.
#[derive(Clone, Copy, Debug, Default)]
pub struct AbortTransaction;

impl Command for AbortTransaction {
    fn properties(&self) -> Properties {
        ending()
    }

    fn request(&self) -> Result<Request, EncodeError> {
        Ok(Request::new("abortTransaction", "admin".into(), rawdoc! { "abortTransaction": 1 }))
    }
}

fn ending() -> Properties {
    Properties { read_concern: ReadConcernUse::None, ..Properties::write(Operation::ENDING) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::TransactionPart;

    #[test]
    fn both_go_to_the_admin_database_and_end_a_transaction() {
        let commit = CommitTransaction { max_time: Some(Duration::from_millis(7)) };
        assert_eq!(commit.request().unwrap().body, rawdoc! { "commitTransaction": 1 });
        assert_eq!(commit.properties().max_time, Some(Duration::from_millis(7)));
        let abort = AbortTransaction.request().unwrap();
        assert_eq!((&*abort.name, &*abort.database), ("abortTransaction", "admin"));
        for properties in [commit.properties(), AbortTransaction.properties()] {
            assert_eq!(properties.retry.transaction, TransactionPart::Ending);
            assert!(properties.write_concern && properties.read_concern == ReadConcernUse::None);
        }
    }
}
