//! What the members of the simulated set answer.

use std::time::UNIX_EPOCH;

use mongo_actors::bson::{Binary, Bson, DateTime, Document, doc, oid::ObjectId, spec::BinarySubtype};
use rand::Rng;

use super::{
    answer::{Answer, error, retryable, transient, with_concern_error},
    request::{Within, session_of},
    set::{NAME, Set, address},
    stream::{time_of, timestamp},
};

impl Set {
    /// Answers a command, except `hello`.
    pub(super) fn answer(&mut self, id: usize, command: &Document) -> Answer {
        let name = command.keys().next().map_or("", String::as_str);
        if let Ok(seen) = command.get_document("$clusterTime").and_then(|time| time.get_timestamp("clusterTime")) {
            let member = &mut self.members[id];
            member.cluster_time = member.cluster_time.max(time_of(seen));
        }
        let within = Within::of(command);
        match (name, within) {
            ("ping", None) => Answer::Now(doc! { "ok": 1.0 }),
            ("endSessions", None) => self.end_sessions(id, command),
            ("insert" | "update" | "delete", None) => self.write(id, name, command),
            ("insert" | "update" | "delete", Some(within)) => self.write_within(id, name, command, &within),
            ("find", None) => self.find(id, command),
            ("find", Some(within)) => self.find_within(id, command, &within),
            ("commitTransaction", Some(within)) => self.commit(id, command, &within),
            ("abortTransaction", Some(within)) => self.abort(id, command, &within),
            ("aggregate", None) => self.aggregate(id, command),
            ("getMore", _) => self.get_more(id, command),
            ("killCursors", _) => Answer::Now(self.kill_cursors(id, command)),
            (other, None) => Answer::Now(error(59, "CommandNotFound", format!("no such command: '{other}'"))),
            (other, Some(_)) => {
                let message = format!("the simulated servers do not have '{other}' in a transaction");
                Answer::Now(error(263, "OperationNotSupportedInTransaction", message))
            }
        }
    }

    pub(super) fn hello(&self, id: usize) -> Document {
        let member = &self.members[id];
        let hosts: Vec<_> = (0..self.members.len()).map(address).collect();
        let mut hello = doc! {
            "helloOk": true,
            "isWritablePrimary": member.is_primary(),
            "ismaster": member.is_primary(),
            "secondary": !member.is_primary(),
            "topologyVersion": self.topology_version(id),
            "hosts": hosts,
            "setName": NAME,
            "setVersion": 1,
            "me": address(id),
            "lastWrite": {
                "opTime": { "ts": timestamp(member.last_time()), "t": self.term_of_last(id) },
                "lastWriteDate": self.date(id),
            },
            "maxBsonObjectSize": 16_777_216,
            "maxMessageSizeBytes": 48_000_000,
            "maxWriteBatchSize": 100_000,
            "localTime": self.date(id),
            "logicalSessionTimeoutMinutes": 30,
            "minWireVersion": 0,
            "maxWireVersion": 17,
            "readOnly": false,
        };
        if let Some(primary) = member.primary {
            hello.insert("primary", address(primary));
        }
        if member.is_primary() {
            let mut election = [0; 12];
            election[0] = 0x7f;
            election[4..].copy_from_slice(&member.term.to_be_bytes());
            hello.insert("electionId", ObjectId::from_bytes(election));
        }
        hello.insert("ok", 1.0);
        hello
    }

    fn term_of_last(&self, id: usize) -> i64 {
        self.members[id].last().0.cast_signed()
    }

    pub(super) fn topology_version(&self, id: usize) -> Document {
        let member = &self.members[id];
        doc! { "processId": member.process, "counter": member.topology_counter }
    }

    /// The date, as far as the member knows it.
    fn date(&self, id: usize) -> DateTime {
        let since_epoch = turmoil::since_epoch().unwrap_or_default();
        let now = DateTime::from_system_time(UNIX_EPOCH + since_epoch);
        DateTime::from_millis(now.timestamp_millis() + self.date_offsets[id])
    }

    /// Adds what every reply says of times.
    pub(super) fn dated(&self, id: usize, mut reply: Document) -> Document {
        let member = &self.members[id];
        if !reply.contains_key("operationTime") {
            reply.insert("operationTime", timestamp(member.last_time()));
        }
        let unsigned = Binary { subtype: BinarySubtype::Generic, bytes: vec![0; 20] };
        let signature = doc! { "hash": unsigned, "keyId": 0_i64 };
        let time = timestamp(member.cluster_time.max(member.last_time()));
        reply.insert("$clusterTime", doc! { "clusterTime": time, "signature": signature });
        reply
    }

    pub(super) fn not_primary(&self, id: usize, command: &Document) -> Answer {
        let mut refusal = error(10_107, "NotWritablePrimary", "not primary");
        refusal.insert("topologyVersion", self.topology_version(id));
        let ends = ["commitTransaction", "abortTransaction"].iter().any(|name| command.contains_key(name));
        Answer::Now(match Within::of(command) {
            Some(_) if !ends => transient(refusal),
            _ if command.contains_key("txnNumber") => retryable(refusal),
            _ => refusal,
        })
    }

    /// The member is not primary any more, and nobody knows what becomes of the write.
    pub(super) fn interrupted(&mut self, id: usize, reply: Document, is_retryable: bool) -> Document {
        let (code, name, text) = (11_602, "InterruptedDueToReplStateChange", "operation was interrupted");
        let as_write_concern_error = self.rng.random_bool(0.5);
        let mut answer = if as_write_concern_error {
            with_concern_error(reply, doc! { "code": code, "codeName": name, "errmsg": text })
        } else {
            error(code, name, text)
        };
        answer.insert("topologyVersion", self.topology_version(id));
        if is_retryable { retryable(answer) } else { answer }
    }

    fn end_sessions(&mut self, id: usize, command: &Document) -> Answer {
        let sessions = command.get_array("endSessions").into_iter().flatten().filter_map(Bson::as_document);
        let member = &mut self.members[id];
        sessions.filter_map(session_of).for_each(|session| member.transactions.end_session(&session));
        member.changed.notify_waiters();
        Answer::Now(doc! { "ok": 1.0 })
    }
}
