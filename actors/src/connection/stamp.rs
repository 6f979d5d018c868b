//! What is appended to a command when its connection is known.

use std::time::Duration;

use bson::{RawDocument, RawDocumentBuf, raw::cstr};
use mongo_actors_protocol::{
    concern::{ReadConcern, WriteConcern},
    options::ServerApi,
    read_preference::ReadPreference,
    session::{ClusterTime, ServerSession, StampedReadConcern},
    transaction::TransactionStamp,
    wire::TailWriter,
};

use crate::ticket::Operation;

/// Everything that only the connection knows about a command.
pub(super) struct Stamp<'a> {
    pub(super) operation: &'a Operation,
    pub(super) max_time: Option<Duration>,
    pub(super) session: Option<&'a ServerSession>,
    /// The number of a write that may be repeated, outside of transactions.
    pub(super) txn_number: Option<i64>,
    /// What the transaction adds that the explicit session is in.
    pub(super) transaction: Option<TransactionStamp<'a>>,
    /// The read concern, if an explicit session has a say in it; else that of the operation is sent.
    pub(super) read_concern: Option<Option<StampedReadConcern<'a>>>,
    pub(super) cluster_time: Option<&'a ClusterTime>,
    pub(super) read_preference: Option<&'a ReadPreference>,
    pub(super) server_api: Option<&'a ServerApi>,
}

impl Stamp<'_> {
    /// Writes the elements that follow the command's own.
    pub(super) fn write(&self, tail: &mut Vec<u8>) {
        tail.clear();
        let mut writer = TailWriter::new(tail);
        let operation = self.operation;
        match &self.read_concern {
            Some(Some(concern)) => append(&mut writer, |to| concern.append_to(to)),
            Some(None) => {}
            None => {
                if let Some(concern) = operation.read_concern.as_ref().filter(|concern| !concern.is_server_default()) {
                    append(&mut writer, |to| ReadConcern::append_to(concern, to));
                }
            }
        }
        if let Some(concern) = operation.write_concern.as_ref().filter(|concern| !concern.is_server_default()) {
            append(&mut writer, |to| WriteConcern::append_to(concern, to));
        }
        if let Some(limit) = self.max_time {
            writer.int64(cstr!("maxTimeMS"), i64::try_from(limit.as_millis()).unwrap_or(i64::MAX));
        }
        writer.string(cstr!("$db"), &operation.request.database);
        if let Some(session) = self.session {
            writer.document(cstr!("lsid"), session.id());
        }
        if let Some(transaction) = &self.transaction {
            append(&mut writer, |to| append_transaction(transaction, to));
        } else if let Some(number) = self.txn_number {
            writer.int64(cstr!("txnNumber"), number);
        }
        if let Some(time) = self.cluster_time {
            writer.document(cstr!("$clusterTime"), time.document());
        }
        if let Some(preference) = self.read_preference {
            append(&mut writer, |to| preference.append_to(to));
        }
        if let Some(api) = self.server_api {
            append(&mut writer, |to| api.append_to(to));
        }
    }
}

fn append_transaction(stamp: &TransactionStamp<'_>, command: &mut RawDocumentBuf) {
    command.append(cstr!("txnNumber"), stamp.number);
    if stamp.start {
        command.append(cstr!("startTransaction"), true);
    }
    command.append(cstr!("autocommit"), false);
    if let Some(token) = stamp.recovery_token {
        command.append(cstr!("recoveryToken"), token.to_owned());
    }
}

/// Appends what `build` adds to a document. Only for what few operations carry: it allocates.
fn append(writer: &mut TailWriter<'_>, build: impl FnOnce(&mut RawDocumentBuf)) {
    let mut document = RawDocumentBuf::new();
    build(&mut document);
    let document: &RawDocument = &document;
    writer.elements_of(document);
}
