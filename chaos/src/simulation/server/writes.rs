//! Writes outside of transactions, and waiting for a majority.

use mongo_actors::bson::{Bson, Document, doc};

use super::{
    answer::{Answer, Wait, refused},
    data::{Refusal, Statement},
    documents::{Change, Documents},
    request::{namespace_of, statement},
    set::{Set, Slip},
    stream::timestamp,
};

/// What became of the statements of a write.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) executed: i32,
    pub(super) retried: Vec<i32>,
    pub(super) errors: Vec<Document>,
}

impl Tally {
    pub(super) fn failed(&mut self, number: i32, Refusal { code, message }: Refusal) {
        self.errors.push(doc! { "index": number, "code": code, "errmsg": message });
    }

    pub(super) fn reply(self, name: &str) -> Document {
        let mut reply = doc! { "ok": 1.0, "n": self.executed };
        if name == "update" {
            reply.insert("nModified", self.executed);
        }
        if !self.retried.is_empty() {
            reply.insert("retriedStmtIds", self.retried);
        }
        if !self.errors.is_empty() {
            reply.insert("writeErrors", self.errors);
        }
        reply
    }
}

/// The statements of a write.
pub(super) fn items(name: &str, command: &Document) -> Vec<Document> {
    let items = match name {
        "insert" => "documents",
        "update" => "updates",
        _ => "deletes",
    };
    command.get_array(items).into_iter().flatten().filter_map(Bson::as_document).cloned().collect()
}

/// What a statement changes; none when it finds nothing to change.
pub(super) fn change(
    documents: &Documents,
    name: &str,
    namespace: &str,
    item: &Document,
) -> Result<Option<Change>, Refusal> {
    let filter = item.get_document("q").cloned().unwrap_or_default();
    Ok(match name {
        "insert" => Some(documents.insert(namespace, item)?),
        "update" => item.get_document("u").ok().and_then(|update| documents.update(namespace, &filter, update)),
        _ => documents.delete(namespace, &filter),
    })
}

impl Set {
    pub(super) fn write(&mut self, id: usize, name: &str, command: &Document) -> Answer {
        if !self.members[id].is_primary() {
            return self.not_primary(id, command);
        }
        let (namespace, items) = (namespace_of(command, name), items(name, command));
        let member = &mut self.members[id];
        if let Some(statement) = statement(command, 0)
            && let Err(refusal) = member.transactions.supersede(&statement.session, statement.txn_number)
        {
            return Answer::Now(refused(refusal));
        }
        let mut changes =
            items.iter().filter_map(|item| change(&member.data.documents, name, &namespace, item).ok()?);
        if changes.any(|change| member.transactions.is_held(&change, None)) {
            return Answer::WhenFree;
        }
        let ordered = command.get_bool("ordered").unwrap_or(true);
        let mut tally = Tally::default();
        for (number, item) in (0_i32..).zip(&items) {
            match self.execute(id, name, &namespace, item, statement(command, number)) {
                Ok(Executed::Anew) => tally.executed += 1,
                Ok(Executed::Before) => {
                    tally.executed += 1;
                    tally.retried.push(number);
                }
                Ok(Executed::Nothing) => {}
                Err(refusal) if refusal.code == 225 => return Answer::Now(refused(refusal)),
                Err(refusal) => {
                    tally.failed(number, refusal);
                    if ordered {
                        break;
                    }
                }
            }
        }
        self.acknowledge(id, command, tally.reply(name))
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
        let change = change(&member.data.documents, name, namespace, item)?;
        let Some(change) = change else { return Ok(Executed::Nothing) };
        member.write(change, statement);
        Ok(Executed::Anew)
    }

    /// Sends what was written on its way, and answers as the write concern wants it.
    pub(super) fn acknowledge(&mut self, id: usize, command: &Document, mut reply: Document) -> Answer {
        self.spread(id);
        let member = &self.members[id];
        reply.insert("operationTime", timestamp(member.last_time()));
        let w = command.get_document("writeConcern").ok().and_then(|concern| concern.get("w"));
        let waits = w.is_none_or(|w| w.as_str() == Some("majority")) && self.slip != Slip::AcknowledgesTooEarly;
        match waits {
            true => {
                let (last, length) = member.last();
                let wait = Wait { length, last, reign: member.term };
                Answer::WhenCommitted { reply, wait, is_retryable: command.contains_key("txnNumber") }
            }
            false => Answer::Now(reply),
        }
    }

    /// Whether a majority has what is waited for; none when that will never be known here.
    pub(super) fn is_committed(&self, id: usize, wait: &Wait) -> Option<bool> {
        let member = &self.members[id];
        let is_there = wait.length == 0 || member.log.get(wait.length - 1).is_some_and(|entry| entry.term == wait.last);
        match member.committed >= wait.length {
            true => is_there.then_some(true),
            false => (member.is_primary() && member.term == wait.reign).then_some(false),
        }
    }
}

enum Executed {
    Anew,
    Before,
    Nothing,
}
