//! The operations of the application in the simulation, and what it holds each of them to.

use std::time::Duration;

use futures_util::TryStreamExt;
use mongo_actors::{
    ClientSession, Error,
    bson::{Document, doc},
    concern::ReadConcern,
    options::ReadPreference,
    timeout::scope,
};
use rand::{Rng, rngs::StdRng};

use super::{
    bank::{self, Transfer},
    seen::Fate,
    workload::{Application, COUNTER_COUNT},
};

#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Insert,
    Find,
    Increment,
    /// Inserts an order, and reads it wherever.
    ReadOwnWrite,
    /// Reads all orders.
    Scan,
    /// Moves money and inserts an order, in a transaction.
    Pay,
    /// Reads all accounts.
    Audit,
}

impl Operation {
    pub(super) fn draw(rng: &mut StdRng) -> Self {
        match rng.random_range(0..24) {
            0..7 => Self::Insert,
            7..11 => Self::Find,
            11..15 => Self::Increment,
            15..17 => Self::ReadOwnWrite,
            17..19 => Self::Scan,
            19..23 => Self::Pay,
            _ => Self::Audit,
        }
    }

    /// How long it may take when each command of its own has this timeout.
    pub(super) fn limit(self, timeout: Duration) -> Duration {
        match self {
            // A transaction has its time, aborting it has as much anew, and then the order is read.
            Self::Pay => 3 * timeout,
            _ => timeout,
        }
    }
}

/// Where to read.
fn somewhere(choice: u32) -> ReadPreference {
    match choice % 4 {
        0 => ReadPreference::secondary(),
        1 => ReadPreference::secondary_preferred(),
        _ => ReadPreference::Primary,
    }
}

pub(super) fn order(number: i32) -> Document {
    doc! { "_id": number, "item": format!("item {number}"), "price": number % 97 }
}

impl Application {
    pub(super) async fn perform(&self, operation: Operation, number: i32, choice: u32) -> Result<(), Error> {
        match operation {
            Operation::Insert => self.insert(number).await,
            Operation::Find => self.find(number, choice).await,
            Operation::Increment => self.increment(number, choice).await,
            // Two operations, which have their time together.
            Operation::ReadOwnWrite => scope(self.scenario.timeout, self.read_own_write(number, choice)).await,
            Operation::Scan => self.scan(number, choice).await,
            Operation::Pay => self.pay(number, choice).await,
            Operation::Audit => self.audit(number, choice).await,
        }
    }

    async fn insert(&self, number: i32) -> Result<(), Error> {
        self.seen.borrow_mut().inserts.insert(number, Fate::Unknown);
        let result = self.orders().insert_one(order(number)).await;
        self.seen.borrow_mut().inserts.insert(number, Fate::of(&result));
        result.map(drop)
    }

    async fn find(&self, number: i32, choice: u32) -> Result<(), Error> {
        let wanted = self.one_acknowledged(choice);
        let (orders, wherever) = (self.orders(), somewhere(choice >> 16));
        match orders.find_one(doc! { "_id": wanted }).selection_criteria(wherever).await? {
            Some(found) if found != order(wanted) => {
                self.violation(format!("operation {number} asked for {wanted} and got {found}"));
            }
            // A secondary may lack it, and a primary that does not know yet that there is another one.
            _ => {}
        }
        Ok(())
    }

    async fn increment(&self, number: i32, choice: u32) -> Result<(), Error> {
        let counter = i32::try_from(choice % COUNTER_COUNT.unsigned_abs()).unwrap_or(0);
        self.seen.borrow_mut().increments.insert(number, (counter, Fate::Unknown));
        let update = doc! { "$inc": { "sum": 1 }, "$push": { "marks": number } };
        let result = self.counters().update_one(doc! { "_id": counter }, update).await;
        self.seen.borrow_mut().increments.insert(number, (counter, Fate::of(&result)));
        if let Ok(updated) = &result
            && (updated.matched_count, updated.modified_count) != (1, 1)
        {
            self.violation(format!("operation {number} should have updated one document: {updated:?}"));
        }
        result.map(drop)
    }

    /// In a causally consistent session, a write that was acknowledged is seen by the next read.
    async fn read_own_write(&self, number: i32, choice: u32) -> Result<(), Error> {
        self.seen.borrow_mut().inserts.insert(number, Fate::Unknown);
        let mut session = match self.client.start_session().causal_consistency(true).await {
            Ok(session) => session,
            Err(error) => {
                self.seen.borrow_mut().inserts.insert(number, Fate::Refused);
                return Err(error);
            }
        };
        let result = self.orders().insert_one(order(number)).session(&mut session).await;
        self.seen.borrow_mut().inserts.insert(number, Fate::of(&result));
        result?;
        self.see_own(&mut session, number, choice).await
    }

    async fn see_own(&self, session: &mut ClientSession, number: i32, choice: u32) -> Result<(), Error> {
        let (orders, place) = (self.orders(), somewhere(choice));
        let find = orders.find_one(doc! { "_id": number }).read_concern(ReadConcern::majority());
        let found = find.selection_criteria(place.clone()).session(session).await?;
        if found != Some(order(number)) {
            self.violation(format!("operation {number} did not see its own write with {place:?}: {found:?}"));
        }
        Ok(())
    }

    /// Whatever member is read from, what is found was there at some moment.
    async fn scan(&self, number: i32, choice: u32) -> Result<(), Error> {
        let find = self.orders().find(doc! {}).batch_size(40).selection_criteria(somewhere(choice)).await?;
        let found: Vec<Document> = find.try_collect().await?;
        let mut ids: Vec<_> = found.iter().filter_map(|found| found.get_i32("_id").ok()).collect();
        let count = ids.len();
        ids.dedup();
        if ids.len() != found.len() || !ids.is_sorted() {
            self.violation(format!("operation {number} read {count} documents, some of them twice: {ids:?}"));
        }
        self.seen.borrow_mut().scans.push((number, ids));
        Ok(())
    }

    async fn pay(&self, number: i32, choice: u32) -> Result<(), Error> {
        let transfer = Transfer::draw(choice);
        let tell = |fate| {
            let mut seen = self.seen.borrow_mut();
            seen.transfers.insert(number, (transfer, fate));
            seen.inserts.insert(number, fate);
        };
        tell(Fate::Unknown);
        let mut session = self.client.start_session().await.inspect_err(|_| tell(Fate::Refused))?;
        // One in eight thinks better of it.
        let withdraws = (choice >> 24).is_multiple_of(8);
        let transaction = session.with_transaction(async |session| {
            self.move_money(session, number, transfer).await?;
            if withdraws { session.abort_transaction().await } else { Ok(()) }
        });
        let result = transaction.await;
        tell(if withdraws { Fate::Refused } else { Fate::of_transaction(&result) });
        result?;
        if withdraws { Ok(()) } else { self.see_own(&mut session, number, choice >> 8).await }
    }

    async fn move_money(&self, session: &mut ClientSession, number: i32, transfer: Transfer) -> Result<(), Error> {
        let accounts = self.accounts();
        let payer = accounts.find_one(doc! { "_id": transfer.from }).session(&mut *session).await?;
        if payer.is_none_or(|payer| bank::marks(&payer).contains(&number)) {
            self.violation(format!("operation {number} begins again although its transaction was committed"));
        }
        for (account, amount) in [(transfer.from, -transfer.amount), (transfer.to, transfer.amount)] {
            let update = doc! { "$inc": { "balance": amount }, "$push": { "marks": number } };
            let updated = accounts.update_one(doc! { "_id": account }, update).session(&mut *session).await?;
            if updated.modified_count != 1 {
                self.violation(format!("operation {number} should have updated account {account}: {updated:?}"));
            }
        }
        self.orders().insert_one(order(number)).session(session).await.map(drop)
    }

    /// Whatever member is read from, transactions are seen as a whole.
    async fn audit(&self, number: i32, choice: u32) -> Result<(), Error> {
        let find = self.accounts().find(doc! {}).selection_criteria(somewhere(choice)).await?;
        let found: Vec<Document> = find.try_collect().await?;
        let wrong = bank::audit(&found, |mark| self.seen.borrow().transfers.get(&mark).map(|(transfer, _)| *transfer));
        wrong.into_iter().for_each(|wrong| self.violation(format!("operation {number} found that {wrong}")));
        Ok(())
    }

    fn one_acknowledged(&self, choice: u32) -> i32 {
        let seen = self.seen.borrow();
        let acknowledged: Vec<_> = seen.inserts.iter().filter(|(_, fate)| **fate == Fate::Acknowledged).collect();
        let index = choice as usize % acknowledged.len().max(1);
        acknowledged.get(index).map_or(0, |(id, _)| **id)
    }
}
