//! What the members of the simulated set answer.

use std::time::{Duration, UNIX_EPOCH};

use mongo_actors::bson::{Binary, Bson, DateTime, Document, doc, oid::ObjectId, spec::BinarySubtype};
use rand::Rng;

use super::{
    data::{Refusal, Statement},
    member::Member,
    set::{NAME, Set, Slip, address},
    stream::{Cursor, time_of, timestamp, token},
};

/// What there is to say to a command.
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
}

/// For a majority to have a primary's log.
pub(super) struct Wait {
    length: usize,
    /// The term of its last entry.
    last: u64,
    /// The term of the primary.
    reign: u64,
}

pub(super) fn error(code: i32, name: &str, message: impl Into<String>) -> Document {
    doc! { "ok": 0.0, "errmsg": message.into(), "code": code, "codeName": name }
}

fn labelled(mut document: Document, label: &str) -> Document {
    document.insert("errorLabels", vec![label]);
    document
}

/// The document's transaction number makes its failure one that the server calls retryable.
fn is_retryable(command: &Document) -> bool {
    command.contains_key("txnNumber")
}

impl Set {
    /// Answers a command, except `hello`.
    pub(super) fn answer(&mut self, id: usize, command: &Document) -> Answer {
        let name = command.keys().next().map_or("", String::as_str);
        if let Ok(seen) = command.get_document("$clusterTime").and_then(|time| time.get_timestamp("clusterTime")) {
            let member = &mut self.members[id];
            member.cluster_time = member.cluster_time.max(time_of(seen));
        }
        match name {
            "ping" | "endSessions" => Answer::Now(doc! { "ok": 1.0 }),
            "insert" | "update" | "delete" => self.write(id, name, command),
            "find" => self.find(id, command),
            "aggregate" => self.aggregate(id, command),
            "getMore" => self.get_more(id, command),
            "killCursors" => Answer::Now(self.kill_cursors(id, command)),
            other => Answer::Now(error(59, "CommandNotFound", format!("no such command: '{other}'"))),
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

    fn not_primary(&self, id: usize, command: &Document) -> Document {
        let mut refusal = error(10_107, "NotWritablePrimary", "not primary");
        refusal.insert("topologyVersion", self.topology_version(id));
        if is_retryable(command) { labelled(refusal, "RetryableWriteError") } else { refusal }
    }

    /// The member is not primary any more, and nobody knows what becomes of the write.
    pub(super) fn interrupted(&mut self, id: usize, mut reply: Document, is_retryable: bool) -> Document {
        let (code, name, text) = (11_602, "InterruptedDueToReplStateChange", "operation was interrupted");
        let as_write_concern_error = self.rng.random_bool(0.5);
        let mut answer = if as_write_concern_error {
            reply.insert("writeConcernError", doc! { "code": code, "codeName": name, "errmsg": text });
            reply
        } else {
            error(code, name, text)
        };
        answer.insert("topologyVersion", self.topology_version(id));
        if is_retryable { labelled(answer, "RetryableWriteError") } else { answer }
    }

    fn write(&mut self, id: usize, name: &str, command: &Document) -> Answer {
        if !self.members[id].is_primary() {
            return Answer::Now(self.not_primary(id, command));
        }
        let namespace = namespace_of(command, name);
        let items = match name {
            "insert" => "documents",
            "update" => "updates",
            _ => "deletes",
        };
        let items = command.get_array(items).cloned().unwrap_or_default();
        let ordered = command.get_bool("ordered").unwrap_or(true);
        let (mut executed, mut retried, mut errors) = (0, Vec::new(), Vec::new());
        for (number, item) in (0_i32..).zip(items.iter().filter_map(Bson::as_document)) {
            let statement = statement(command, number);
            match self.execute(id, name, &namespace, item, statement) {
                Ok(Executed::Anew) => executed += 1,
                Ok(Executed::Before) => {
                    executed += 1;
                    retried.push(number);
                }
                Ok(Executed::Nothing) => {}
                Err(Refusal { code: 225, message }) => {
                    return Answer::Now(error(225, "TransactionTooOld", message));
                }
                Err(Refusal { code, message }) => {
                    errors.push(doc! { "index": number, "code": code, "errmsg": message });
                    if ordered {
                        break;
                    }
                }
            }
        }
        self.spread(id);
        let member = &self.members[id];
        let mut reply = doc! { "ok": 1.0, "n": executed, "operationTime": timestamp(member.last_time()) };
        if name == "update" {
            reply.insert("nModified", executed);
        }
        if !retried.is_empty() {
            reply.insert("retriedStmtIds", retried);
        }
        if !errors.is_empty() {
            reply.insert("writeErrors", errors);
        }
        let w = command.get_document("writeConcern").ok().and_then(|concern| concern.get("w"));
        let waits = w.is_none_or(|w| w.as_str() == Some("majority")) && self.slip != Slip::AcknowledgesTooEarly;
        match waits {
            true => {
                let (last, length) = member.last();
                let wait = Wait { length, last, reign: member.term };
                Answer::WhenCommitted { reply, wait, is_retryable: is_retryable(command) }
            }
            false => Answer::Now(reply),
        }
    }

    fn execute(
        &mut self,
        id: usize,
        name: &str,
        namespace: &str,
        item: &Document,
        statement: Option<Statement>,
    ) -> Result<Executed, Refusal> {
        let forgets = self.slip == Slip::ForgetsStatements;
        let member = &mut self.members[id];
        if let Some(statement) = &statement
            && !forgets
            && member.data.was_executed(statement)?
        {
            return Ok(Executed::Before);
        }
        let filter = item.get_document("q").cloned().unwrap_or_default();
        let change = match name {
            "insert" => Some(member.data.insert(namespace, item)?),
            "update" => item.get_document("u").ok().and_then(|update| member.data.update(namespace, &filter, update)),
            _ => member.data.delete(namespace, &filter),
        };
        let Some(change) = change else { return Ok(Executed::Nothing) };
        member.write(change, statement);
        Ok(Executed::Anew)
    }

    /// Whether the member may be read from, and when.
    fn check_read(&mut self, id: usize, command: &Document) -> Option<Answer> {
        let mode = command.get_document("$readPreference").ok().and_then(|preference| preference.get_str("mode").ok());
        if !self.members[id].is_primary() && mode.is_none_or(|mode| mode == "primary") {
            let mut refusal = error(13_435, "NotPrimaryNoSecondaryOk", "not primary and secondaryOk=false");
            refusal.insert("topologyVersion", self.topology_version(id));
            return Some(Answer::Now(refusal));
        }
        let concern = command.get_document("readConcern").ok()?;
        let majority = is_majority(command);
        let time = time_of(concern.get_timestamp("afterClusterTime").ok()?);
        let member = &mut self.members[id];
        let reached = if majority { member.committed_time() } else { member.last_time() };
        if reached >= time {
            return None;
        }
        if member.is_primary() && member.last_time() < time {
            member.write(super::data::Change::Nothing, None);
            self.spread(id);
        }
        Some(Answer::WhenReached { time, majority })
    }

    fn find(&mut self, id: usize, command: &Document) -> Answer {
        if let Some(answer) = self.check_read(id, command) {
            return answer;
        }
        let namespace = namespace_of(command, "find");
        let filter = command.get_document("filter").cloned().unwrap_or_default();
        let member = &self.members[id];
        let (data, time) = match is_majority(command) {
            true => (&member.stable, member.committed_time()),
            false => (&member.data, member.last_time()),
        };
        let limit = integer(command, "limit").filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let found = data.find(&namespace, &filter).take(limit).cloned().collect();
        let cursor = Cursor::Documents { namespace, rest: found };
        let single = command.get_bool("singleBatch").unwrap_or(false);
        let mut reply = self.open(id, cursor, integer(command, "batchSize").unwrap_or(101), single);
        reply.insert("operationTime", timestamp(time));
        Answer::Now(reply)
    }

    fn aggregate(&mut self, id: usize, command: &Document) -> Answer {
        if let Some(answer) = self.check_read(id, command) {
            return answer;
        }
        let stage = command.get_array("pipeline").ok().and_then(|stages| stages.first()).and_then(Bson::as_document);
        let Some(stage) = stage.and_then(|stage| stage.get_document("$changeStream").ok()) else {
            return Answer::Now(error(40_324, "Location40324", "the simulated servers know $changeStream only"));
        };
        let cursor = Cursor::changes(namespace_of(command, "aggregate"), stage, &self.members[id]);
        let size = command.get_document("cursor").ok().and_then(|cursor| integer(cursor, "batchSize"));
        let mut reply = self.open(id, cursor, size.unwrap_or(101), false);
        reply.insert("operationTime", timestamp(self.members[id].committed_time()));
        Answer::Now(reply)
    }

    fn open(&mut self, id: usize, mut cursor: Cursor, size: usize, single: bool) -> Document {
        let namespace = cursor.namespace().to_owned();
        let (batch, place) = cursor.take(size, &self.members[id]);
        let mut number = 0;
        if !cursor.is_exhausted() && !single {
            number = self.next_cursor;
            self.next_cursor += 1;
            self.members[id].cursors.insert(number, cursor);
        }
        let mut cursor = doc! { "firstBatch": batch, "id": number, "ns": namespace };
        if let Some(place) = place {
            cursor.insert("postBatchResumeToken", place);
        }
        doc! { "cursor": cursor, "ok": 1.0 }
    }

    fn get_more(&mut self, id: usize, command: &Document) -> Answer {
        let number = command.get_i64("getMore").unwrap_or(0);
        let size = integer(command, "batchSize").filter(|size| *size > 0).unwrap_or(usize::MAX);
        match self.more(id, number, size) {
            Some((reply, 0)) if self.is_tailing(id, number) => {
                let within = integer(command, "maxTimeMS").unwrap_or(1_000);
                drop(reply);
                Answer::WhenChanged { cursor: number, within: Duration::from_millis(within as u64) }
            }
            Some((reply, _)) => Answer::Now(reply),
            None => {
                let missing = error(43, "CursorNotFound", format!("cursor id {number} not found"));
                Answer::Now(labelled(missing, "ResumableChangeStreamError"))
            }
        }
    }

    fn is_tailing(&self, id: usize, number: i64) -> bool {
        matches!(self.members[id].cursors.get(&number), Some(Cursor::Changes { .. }))
    }

    /// The next batch of a cursor, and how many documents are in it; none when there is no such cursor.
    pub(super) fn more(&mut self, id: usize, number: i64, size: usize) -> Option<(Document, usize)> {
        let member = &mut self.members[id];
        let mut cursor = member.cursors.remove(&number)?;
        let (batch, place) = cursor.take(size, member);
        let (count, namespace) = (batch.len(), cursor.namespace().to_owned());
        let remaining = if cursor.is_exhausted() { 0 } else { number };
        if remaining != 0 {
            member.cursors.insert(number, cursor);
        }
        let mut cursor = doc! { "nextBatch": batch, "id": remaining, "ns": namespace };
        if let Some(place) = place {
            cursor.insert("postBatchResumeToken", place);
        }
        Some((doc! { "cursor": cursor, "ok": 1.0 }, count))
    }

    fn kill_cursors(&mut self, id: usize, command: &Document) -> Document {
        let numbers = command.get_array("cursors").cloned().unwrap_or_default();
        let (killed, missing): (Vec<_>, Vec<_>) = numbers.into_iter().partition(|number| {
            number.as_i64().is_some_and(|number| self.members[id].cursors.remove(&number).is_some())
        });
        doc! { "cursorsKilled": killed, "cursorsNotFound": missing, "ok": 1.0 }
    }

    /// Whether a majority has what is waited for; none when that will never be known here.
    pub(super) fn is_committed(&self, id: usize, wait: &Wait) -> Option<bool> {
        let member: &Member = &self.members[id];
        let is_there = wait.length == 0 || member.log.get(wait.length - 1).is_some_and(|entry| entry.term == wait.last);
        match member.committed >= wait.length {
            true => is_there.then_some(true),
            false => (member.is_primary() && member.term == wait.reign).then_some(false),
        }
    }

    /// Whether the member has come to a cluster time.
    pub(super) fn has_reached(&self, id: usize, time: u64, majority: bool) -> bool {
        let member = &self.members[id];
        if majority { member.committed_time() >= time } else { member.last_time() >= time }
    }

    /// The reply of a change stream to which nothing has happened.
    pub(super) fn nothing_new(&self, id: usize, number: i64) -> Option<Document> {
        let Cursor::Changes { namespace, behind } = self.members[id].cursors.get(&number)? else { return None };
        let empty: Vec<Document> = Vec::new();
        let cursor = doc! { "nextBatch": empty, "id": number, "ns": namespace, "postBatchResumeToken": token(*behind) };
        Some(doc! { "cursor": cursor, "ok": 1.0 })
    }
}

enum Executed {
    Anew,
    Before,
    Nothing,
}

fn statement(command: &Document, number: i32) -> Option<Statement> {
    let txn_number = command.get_i64("txnNumber").ok()?;
    let session = command.get_document("lsid").ok()?.get_binary_generic("id").ok().cloned();
    let session = session.or_else(|| match command.get_document("lsid").ok()?.get("id") {
        Some(Bson::Binary(binary)) => Some(binary.bytes.clone()),
        _ => None,
    })?;
    Some(Statement { session, txn_number, number })
}

fn is_majority(command: &Document) -> bool {
    command
        .get_document("readConcern")
        .is_ok_and(|concern| concern.get_str("level").is_ok_and(|level| level == "majority"))
}

fn namespace_of(command: &Document, name: &str) -> String {
    let database = command.get_str("$db").unwrap_or_default();
    format!("{database}.{}", command.get_str(name).unwrap_or_default())
}

fn integer(command: &Document, name: &str) -> Option<usize> {
    let number = match command.get(name)? {
        Bson::Int32(number) => i64::from(*number),
        Bson::Int64(number) => *number,
        _ => return None,
    };
    usize::try_from(number).ok()
}
