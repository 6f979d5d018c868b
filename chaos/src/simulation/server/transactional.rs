//! Commands that belong to a transaction.

use mongo_actors::bson::{Document, doc};

use super::{
    answer::{Answer, refused},
    data::Refusal,
    documents::Change,
    reads::found,
    request::{Within, namespace_of},
    set::{Set, Slip, now},
    writes::{Tally, change, items},
};

impl Set {
    /// Begins the command's transaction, or finds it.
    fn enter(&mut self, id: usize, command: &Document, within: &Within) -> Result<(), Answer> {
        if !self.members[id].is_primary() {
            return Err(self.not_primary(id, command));
        }
        if within.starts
            && let Some(answer) = self.until_reached(id, command)
        {
            return Err(answer);
        }
        let member = &mut self.members[id];
        let entered = member.transactions.enter(within, &member.data, now());
        entered.map_err(|refusal| Answer::Now(refused(refusal)))
    }

    pub(super) fn find_within(&mut self, id: usize, command: &Document, within: &Within) -> Answer {
        if let Err(answer) = self.enter(id, command, within) {
            return answer;
        }
        let member = &self.members[id];
        match member.transactions.view(within, &member.data) {
            Ok(view) => {
                let found = found(view, command);
                Answer::Now(self.open_found(id, command, found))
            }
            Err(refusal) => Answer::Now(refused(refusal)),
        }
    }

    /// A statement that fails aborts the transaction.
    pub(super) fn write_within(&mut self, id: usize, name: &str, command: &Document, within: &Within) -> Answer {
        if let Err(answer) = self.enter(id, command, within) {
            return answer;
        }
        let (namespace, mut tally) = (namespace_of(command, name), Tally::default());
        for (number, item) in (0_i32..).zip(items(name, command)) {
            match self.execute_within(id, name, &namespace, &item, within) {
                Ok(true) => tally.executed += 1,
                Ok(false) => {}
                Err(refusal) => {
                    self.end(id, within);
                    if refusal.code != 11_000 {
                        return Answer::Now(refused(refusal));
                    }
                    tally.failed(number, refusal);
                    break;
                }
            }
        }
        Answer::Now(tally.reply(name))
    }

    fn execute_within(
        &mut self,
        id: usize,
        name: &str,
        namespace: &str,
        item: &Document,
        within: &Within,
    ) -> Result<bool, Refusal> {
        let blindly = self.slip == Slip::IgnoresConflicts;
        let member = &mut self.members[id];
        let view = member.transactions.view(within, &member.data)?;
        let Some(change) = change(view, name, namespace, item)? else { return Ok(false) };
        match blindly {
            true => member.transactions.change_blindly(within, change),
            false => member.transactions.change(within, change, &member.data.documents)?,
        }
        Ok(true)
    }

    /// Ends the transaction and gives what it has changed, if it is in progress.
    fn end(&mut self, id: usize, within: &Within) -> Option<Vec<Change>> {
        let member = &mut self.members[id];
        let changes = member.transactions.end(within);
        // Somebody may wait for what it has held.
        member.changed.notify_waiters();
        changes
    }

    /// Commits what is in progress; says that it is committed when it is; and when it is neither, says that once a majority
    /// confirms it.
    pub(super) fn commit(&mut self, id: usize, command: &Document, within: &Within) -> Answer {
        if !self.members[id].is_primary() {
            return self.not_primary(id, command);
        }
        let reply = match self.end(id, within) {
            Some(mut changes) => {
                if self.slip == Slip::CommitsInPart {
                    changes.truncate(changes.len().div_ceil(2));
                }
                self.members[id].write(Change::Transaction(changes), Some(within.commit()));
                doc! { "ok": 1.0 }
            }
            None => match self.was_committed(id, within) {
                Ok(()) => doc! { "ok": 1.0 },
                Err(refusal) => {
                    self.members[id].write(Change::Nothing, None);
                    refused(refusal)
                }
            },
        };
        self.acknowledge(id, command, reply)
    }

    fn was_committed(&self, id: usize, within: &Within) -> Result<(), Refusal> {
        let missing = || Refusal { code: 251, message: format!("transaction {} was aborted", within.number) };
        let was_committed = self.members[id].data.was_executed(&within.commit())?;
        if was_committed && self.slip != Slip::ForgetsCommits { Ok(()) } else { Err(missing()) }
    }

    pub(super) fn abort(&mut self, id: usize, command: &Document, within: &Within) -> Answer {
        if !self.members[id].is_primary() {
            return self.not_primary(id, command);
        }
        if self.end(id, within).is_some() {
            return Answer::Now(doc! { "ok": 1.0 });
        }
        let member = &self.members[id];
        let refusal = member.transactions.view(within, &member.data).err();
        Answer::Now(refusal.map_or_else(|| doc! { "ok": 1.0 }, refused))
    }
}

#[cfg(test)]
mod tests;
