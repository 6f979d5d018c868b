//! Transactions at the primary that they began at: what each of them sees, and which documents it holds.
//!
//! A transaction reads the documents as they were when it began, and what it has changed itself. The first of several
//! that change a document holds it until its end, and the others fail. All are lost when the primary is none any more.

use std::collections::BTreeMap;

use super::{
    data::{Data, Refusal},
    documents::{Change, Documents},
    member::Millis,
    request::Within,
};

/// How long a transaction may last. Real servers take a minute, which is twice as long as everything fails here.
const LIFETIME: Millis = 5_000;

/// The latest transaction of each session.
#[derive(Default)]
pub(super) struct Transactions(BTreeMap<Vec<u8>, Transaction>);

struct Transaction {
    number: i64,
    /// None once it is aborted or committed.
    work: Option<Work>,
}

struct Work {
    began: Millis,
    /// The documents when it began.
    base: Documents,
    /// The documents as it sees them.
    view: Documents,
    changes: Vec<Change>,
}

impl Work {
    fn holds(&self, change: &Change) -> bool {
        let target = change.target();
        target.is_some() && self.changes.iter().any(|own| own.target() == target)
    }
}

fn missing(number: i64) -> Refusal {
    Refusal { code: 251, message: format!("there is no transaction {number} in progress") }
}

impl Transactions {
    /// The session goes on to this number: what was open before is aborted.
    ///
    /// # Errors
    /// When it has come to this number, or a later one, already.
    pub(super) fn supersede(&mut self, session: &[u8], number: i64) -> Result<(), Refusal> {
        let Some(latest) = self.0.get(session).map(|transaction| transaction.number) else { return Ok(()) };
        if latest > number {
            return Err(Refusal::too_old(number, latest));
        }
        if latest == number {
            let message = format!("transaction {number} has begun already");
            return Err(Refusal { code: 50_911, message });
        }
        self.0.remove(session);
        Ok(())
    }

    /// Begins the transaction, or finds it.
    pub(super) fn enter(&mut self, within: &Within, data: &Data, now: Millis) -> Result<(), Refusal> {
        if !within.starts {
            return self.view(within, data).map(drop);
        }
        if data.has_gone_on(&within.session, within.number) {
            return Err(Refusal::too_old(within.number, within.number));
        }
        self.supersede(&within.session, within.number)?;
        let work = Work { began: now, base: data.documents.clone(), view: data.documents.clone(), changes: Vec::new() };
        let transaction = Transaction { number: within.number, work: Some(work) };
        self.0.insert(within.session.clone(), transaction);
        Ok(())
    }

    fn open(&self, within: &Within) -> Option<&Work> {
        let transaction = self.0.get(&within.session)?;
        transaction.work.as_ref().filter(|_| transaction.number == within.number)
    }

    /// What the transaction sees.
    ///
    /// # Errors
    /// When it is not in progress.
    pub(super) fn view(&self, within: &Within, data: &Data) -> Result<&Documents, Refusal> {
        if let Some(work) = self.open(within) {
            return Ok(&work.view);
        }
        if let Some(latest) =
            self.0.get(&within.session).map(|latest| latest.number).filter(|latest| *latest > within.number)
        {
            return Err(Refusal::too_old(within.number, latest));
        }
        match data.was_executed(&within.commit())? {
            true => Err(Refusal { code: 256, message: format!("transaction {} is committed", within.number) }),
            false => Err(missing(within.number)),
        }
    }

    /// The transaction makes a change, which nobody else sees before it is committed.
    ///
    /// # Errors
    /// When somebody else has changed the document since the transaction began, or is about to.
    pub(super) fn change(&mut self, within: &Within, change: Change, current: &Documents) -> Result<(), Refusal> {
        let open = self.open(within).ok_or_else(|| missing(within.number))?;
        let is_as_it_was = open.base.target_of(&change) == current.target_of(&change);
        if !is_as_it_was || self.is_held(&change, Some(&within.session)) {
            return Err(Refusal { code: 112, message: "another operation changes the same document".to_owned() });
        }
        self.change_blindly(within, change);
        Ok(())
    }

    /// The transaction makes a change, whatever others do.
    pub(super) fn change_blindly(&mut self, within: &Within, change: Change) {
        if let Some(work) = self.0.get_mut(&within.session).and_then(|transaction| transaction.work.as_mut()) {
            work.view.apply(&change);
            work.changes.push(change);
        }
    }

    /// Whether a transaction has changed the document that this change is about; one of another session than `own`.
    pub(super) fn is_held(&self, change: &Change, own: Option<&[u8]>) -> bool {
        let others = self.0.iter().filter(|(session, _)| Some(session.as_slice()) != own);
        others.filter_map(|(_, transaction)| transaction.work.as_ref()).any(|work| work.holds(change))
    }

    /// Ends the transaction, if it is in progress, and gives what it has changed.
    pub(super) fn end(&mut self, within: &Within) -> Option<Vec<Change>> {
        self.open(within)?;
        let work = self.0.get_mut(&within.session)?.work.take()?;
        Some(work.changes)
    }

    /// Aborts whatever the session has open.
    pub(super) fn end_session(&mut self, session: &[u8]) {
        self.0.remove(session);
    }

    /// Aborts what has lasted too long. Says whether anything has.
    pub(super) fn expire(&mut self, now: Millis) -> bool {
        let mut expired = false;
        for transaction in self.0.values_mut() {
            if transaction.work.take_if(|work| now.saturating_sub(work.began) >= LIFETIME).is_some() {
                expired = true;
            }
        }
        expired
    }
}

#[cfg(test)]
mod tests {
    use mongo_actors::bson::{Document, doc};

    use super::*;
    use crate::simulation::server::data::Entry;

    fn within(session: u8, number: i64, starts: bool) -> Within {
        Within { session: vec![session], number, starts }
    }

    fn account(balance: i32) -> Document {
        doc! { "_id": 1, "balance": balance }
    }

    fn data() -> Data {
        let mut data = Data::default();
        let change = data.documents.insert("a.b", &account(10)).unwrap();
        data.apply(&Entry { term: 1, time: 1, change, statement: None });
        data
    }

    fn pay(documents: &Documents) -> Change {
        documents.update("a.b", &doc! { "_id": 1 }, &doc! { "$inc": { "balance": -1 } }).unwrap()
    }

    fn balance(documents: &Documents) -> i32 {
        documents.find("a.b", &doc! {}).next().unwrap().get_i32("balance").unwrap()
    }

    #[test]
    fn a_transaction_sees_what_was_there_when_it_began_and_its_own_changes() {
        let (mut transactions, mut data) = (Transactions::default(), data());
        transactions.enter(&within(1, 5, true), &data, 0).unwrap();
        let change = data.documents.insert("a.b", &doc! { "_id": 2 }).unwrap();
        data.documents.apply(&change);
        let current = &data.documents;
        transactions.change(&within(1, 5, false), pay(current), current).unwrap();
        let view = transactions.view(&within(1, 5, false), &data).unwrap();
        assert_eq!((balance(view), view.find("a.b", &doc! {}).count()), (9, 1));
        assert_eq!(balance(&data.documents), 10);
        assert_eq!(transactions.end(&within(1, 5, false)).unwrap().len(), 1);
        assert_eq!(transactions.view(&within(1, 5, false), &data).unwrap_err().code, 251);
    }

    #[test]
    fn the_first_of_two_that_change_a_document_holds_it_until_its_end() {
        let (mut transactions, mut data) = (Transactions::default(), data());
        for session in [1, 2] {
            transactions.enter(&within(session, 1, true), &data, 0).unwrap();
        }
        let first = pay(&data.documents);
        transactions.change(&within(1, 1, false), first.clone(), &data.documents).unwrap();
        assert!(transactions.is_held(&first, None) && !transactions.is_held(&first, Some(&[1])));
        let second = transactions.change(&within(2, 1, false), first.clone(), &data.documents);
        assert_eq!(second.unwrap_err().code, 112);
        data.documents.apply(&Change::Transaction(transactions.end(&within(1, 1, false)).unwrap()));
        assert!(!transactions.is_held(&first, None));
        // It is free, but not what the other has seen.
        let late = transactions.change(&within(2, 1, false), first, &data.documents);
        assert_eq!(late.unwrap_err().code, 112);
    }

    #[test]
    fn a_session_that_goes_on_leaves_its_transaction() {
        let (mut transactions, data) = (Transactions::default(), data());
        transactions.enter(&within(1, 5, true), &data, 0).unwrap();
        assert_eq!(transactions.enter(&within(1, 5, true), &data, 0).unwrap_err().code, 50_911);
        assert_eq!(transactions.enter(&within(1, 4, true), &data, 0).unwrap_err().code, 225);
        transactions.enter(&within(1, 6, true), &data, 0).unwrap();
        assert_eq!(transactions.view(&within(1, 5, false), &data).unwrap_err().code, 225);
        transactions.supersede(&[1], 7).unwrap();
        assert_eq!(transactions.view(&within(1, 6, false), &data).unwrap_err().code, 251);
    }

    #[test]
    fn a_transaction_ends_with_its_time_and_with_its_session() {
        let (mut transactions, data) = (Transactions::default(), data());
        transactions.enter(&within(1, 1, true), &data, 100).unwrap();
        transactions.enter(&within(2, 1, true), &data, 200).unwrap();
        assert!(!transactions.expire(LIFETIME));
        assert!(transactions.expire(LIFETIME + 100));
        assert_eq!(transactions.view(&within(1, 1, false), &data).unwrap_err().code, 251);
        assert!(transactions.view(&within(2, 1, false), &data).is_ok());
        transactions.end_session(&[2]);
        assert_eq!(transactions.view(&within(2, 1, false), &data).unwrap_err().code, 251);
    }
}
