//! What the members of the simulated set have to say to a command.

use std::time::Duration;

use mongo_actors::{
    bson::{Document, doc},
    error::labels::{RETRYABLE_WRITE_ERROR, TRANSIENT_TRANSACTION_ERROR},
};

use super::data::Refusal;

pub(super) enum Answer {
    Now(Document),
    /// When the entries until `length` are committed, if the member is still primary in `term`.
    WhenCommitted {
        reply: Document,
        wait: Wait,
        is_retryable: bool,
    },
    /// When the cursor has something to give, or `within` is over.
    WhenChanged {
        cursor: i64,
        within: Duration,
    },
    /// When the member has come to this cluster time.
    WhenReached {
        time: u64,
        majority: bool,
    },
    /// When no transaction holds the document any more that is to be written.
    WhenFree,
}

/// For a majority to have a primary's log.
pub(super) struct Wait {
    pub(super) length: usize,
    /// The term of its last entry.
    pub(super) last: u64,
    /// The term of the primary.
    pub(super) reign: u64,
}

pub(super) fn error(code: i32, name: &str, message: impl Into<String>) -> Document {
    doc! { "ok": 0.0, "errmsg": message.into(), "code": code, "codeName": name }
}

pub(super) fn labelled(mut document: Document, label: &str) -> Document {
    document.insert("errorLabels", vec![label]);
    document
}

pub(super) fn retryable(document: Document) -> Document {
    labelled(document, RETRYABLE_WRITE_ERROR)
}

/// The whole transaction may be repeated.
pub(super) fn transient(document: Document) -> Document {
    labelled(document, TRANSIENT_TRANSACTION_ERROR)
}

/// The command fails as a whole.
pub(super) fn refused(Refusal { code, message }: Refusal) -> Document {
    match code {
        112 => transient(error(code, "WriteConflict", message)),
        225 => error(code, "TransactionTooOld", message),
        251 => transient(error(code, "NoSuchTransaction", message)),
        256 => error(code, "TransactionCommitted", message),
        _ => error(code, "Location", message),
    }
}

/// A reply whose write concern was not met. What was said of the write itself may then change: a transaction that is not
/// there may be there after all, with the next primary.
pub(super) fn with_concern_error(mut reply: Document, error: Document) -> Document {
    reply.remove("errorLabels");
    reply.insert("writeConcernError", error);
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_majority_does_not_confirm_does_not_make_a_transaction_transient() {
        let missing = refused(Refusal { code: 251, message: "no such transaction".to_owned() });
        assert_eq!(missing.get_array("errorLabels").unwrap().len(), 1);
        let reply = with_concern_error(missing, doc! { "code": 11_602 });
        assert!(!reply.contains_key("errorLabels") && reply.get_i32("code").unwrap() == 251, "{reply}");
    }
}
