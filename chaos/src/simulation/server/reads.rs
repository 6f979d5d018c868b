//! Reads outside of transactions, cursors, and waiting for a cluster time.

use std::time::Duration;

use mongo_actors::bson::{Bson, Document, doc};

use super::{
    answer::{Answer, error, labelled},
    documents::{Change, Documents},
    request::{integer, is_majority, may_be_secondary, namespace_of},
    set::{Set, Slip},
    stream::{Cursor, time_of, timestamp},
};

impl Set {
    /// Whether the member may be read from, and when.
    fn check_read(&mut self, id: usize, command: &Document) -> Option<Answer> {
        if !self.members[id].is_primary() && !may_be_secondary(command) {
            let mut refusal = error(13_435, "NotPrimaryNoSecondaryOk", "not primary and secondaryOk=false");
            refusal.insert("topologyVersion", self.topology_version(id));
            return Some(Answer::Now(refusal));
        }
        self.until_reached(id, command)
    }

    /// When the member has come to the cluster time that the command is to be executed after; none when it has.
    pub(super) fn until_reached(&mut self, id: usize, command: &Document) -> Option<Answer> {
        let concern = command.get_document("readConcern").ok()?;
        let majority = is_majority(command);
        let time = time_of(concern.get_timestamp("afterClusterTime").ok()?);
        if self.has_reached(id, time, majority) || self.slip == Slip::IgnoresClusterTimes {
            return None;
        }
        let member = &mut self.members[id];
        if member.is_primary() && member.last_time() < time {
            member.write(Change::Nothing, None);
            self.spread(id);
        }
        Some(Answer::WhenReached { time, majority })
    }

    pub(super) fn find(&mut self, id: usize, command: &Document) -> Answer {
        if let Some(answer) = self.check_read(id, command) {
            return answer;
        }
        let member = &self.members[id];
        let (data, time) = match is_majority(command) {
            true => (&member.stable, member.committed_time()),
            false => (&member.data, member.last_time()),
        };
        let found = found(&data.documents, command);
        let mut reply = self.open_found(id, command, found);
        reply.insert("operationTime", timestamp(time));
        Answer::Now(reply)
    }

    /// The reply to a find that has found this.
    pub(super) fn open_found(&mut self, id: usize, command: &Document, found: Vec<Document>) -> Document {
        let cursor = Cursor::Documents { namespace: namespace_of(command, "find"), rest: found.into() };
        let single = command.get_bool("singleBatch").unwrap_or(false);
        self.open(id, cursor, integer(command, "batchSize").unwrap_or(101), single)
    }

    pub(super) fn aggregate(&mut self, id: usize, command: &Document) -> Answer {
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

    pub(super) fn get_more(&mut self, id: usize, command: &Document) -> Answer {
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

    pub(super) fn kill_cursors(&mut self, id: usize, command: &Document) -> Document {
        let numbers = command.get_array("cursors").cloned().unwrap_or_default();
        let (killed, missing): (Vec<_>, Vec<_>) = numbers.into_iter().partition(|number| {
            number.as_i64().is_some_and(|number| self.members[id].cursors.remove(&number).is_some())
        });
        doc! { "cursorsKilled": killed, "cursorsNotFound": missing, "ok": 1.0 }
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
        let cursor = doc! { "nextBatch": empty, "id": number, "ns": namespace, "postBatchResumeToken": behind.token() };
        Some(doc! { "cursor": cursor, "ok": 1.0 })
    }
}

/// What a find finds.
pub(super) fn found(documents: &Documents, command: &Document) -> Vec<Document> {
    let filter = command.get_document("filter").cloned().unwrap_or_default();
    let limit = integer(command, "limit").filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    documents.find(&namespace_of(command, "find"), &filter).take(limit).cloned().collect()
}
