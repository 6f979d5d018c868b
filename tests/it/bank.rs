//! A bank: transfers between accounts, in transactions, while the primary is stepped down, killed and paused in turn.
//!
//! It runs for 10 seconds, or for as many as `BANK_SECONDS` says; longer if the three disturbances take longer.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use mongo_actors::{
    Client, ClientSession, Collection, Result,
    bson::{Document, doc},
    error::labels,
    options::{ReadConcern, TransactionOptions, WriteConcern},
};
use mongo_actors_testkit::ReplicaSet;
use rand::Rng;

const ACCOUNTS: i32 = 100;
const TASKS: i32 = 8;
const DEPOSIT: i64 = 1_000;

/// What a transfer was reported to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Report {
    Applied,
    NotApplied,
    Unknown,
}

#[derive(Clone)]
struct Bank {
    accounts: Collection<Document>,
    /// One document per transfer that was applied, written in the same transaction.
    journal: Collection<Document>,
}

impl Bank {
    async fn open(client: &Client) -> Self {
        let db = client.database("bank");
        let bank = Self { accounts: db.collection("accounts"), journal: db.collection("journal") };
        let accounts = (0..ACCOUNTS).map(|id| doc! { "_id": id, "balance": DEPOSIT });
        bank.accounts.insert_many(accounts).await.unwrap();
        db.create_collection("journal").await.unwrap();
        bank
    }

    /// The operations of one transfer.
    async fn transfer(&self, session: &mut ClientSession, id: &str, amount: i64, from: i32, to: i32) -> Result<()> {
        let credit = |account: i32, amount: i64| {
            self.accounts.update_one(doc! { "_id": account }, doc! { "$inc": { "balance": amount } })
        };
        credit(from, -amount).session(session).await?;
        credit(to, amount).session(session).await?;
        let entry = doc! { "_id": id, "from": from, "to": to, "amount": amount };
        self.journal.insert_one(entry).session(session).await?;
        Ok(())
    }

    /// One transfer, as often as it takes.
    async fn repeat_transfer(
        &self,
        session: &mut ClientSession,
        id: &str,
        amount: i64,
        from: i32,
        to: i32,
    ) -> Result<()> {
        let mut attempts = session.start_transaction().attempts();
        loop {
            let session = attempts.begin().await?;
            let result = self.transfer(session, id, amount, from, to).await;
            if let Some(done) = attempts.end(result).await? {
                return Ok(done);
            }
        }
    }

    /// One transfer, by the convenient way or by hand, and what it is reported to be.
    async fn attempt(&self, session: &mut ClientSession, id: &str, convenient: bool) -> Report {
        let (amount, from, to) = {
            let mut rng = rand::rng();
            let from = rng.random_range(0..ACCOUNTS);
            (rng.random_range(1..50), from, (from + rng.random_range(1..ACCOUNTS)) % ACCOUNTS)
        };
        if convenient {
            return match self.repeat_transfer(session, id, amount, from, to).await {
                Ok(()) => Report::Applied,
                Err(error) if error.has_label(labels::UNKNOWN_TRANSACTION_COMMIT_RESULT) => Report::Unknown,
                Err(_) => Report::NotApplied,
            };
        }
        session.start_transaction().await.unwrap();
        if self.transfer(session, id, amount, from, to).await.is_err() {
            session.abort_transaction().await.unwrap();
            return Report::NotApplied;
        }
        match session.commit_transaction().await {
            Ok(()) => Report::Applied,
            Err(error) if error.has_label(labels::UNKNOWN_TRANSACTION_COMMIT_RESULT) => Report::Unknown,
            Err(_) => Report::NotApplied,
        }
    }

    async fn work(self, task: i32, over: Arc<AtomicBool>) -> BTreeMap<String, Report> {
        let mut reports = BTreeMap::new();
        let mut session = self.accounts.client().start_session().await.unwrap();
        let mut number = 0;
        while !over.load(Ordering::Relaxed) {
            let id = format!("{task}-{number}");
            number += 1;
            if number % 7 == 0 {
                // Now and then a transfer is given up in the middle, together with its session.
                session = self.give_up(session, &id).await;
                reports.insert(id, Report::NotApplied);
                continue;
            }
            let report = self.attempt(&mut session, &id, task % 2 == 0).await;
            reports.insert(id, report);
        }
        reports
    }

    /// Begins a transfer and drops its future before anything can have been committed.
    async fn give_up(&self, mut session: ClientSession, id: &str) -> ClientSession {
        session.start_transaction().await.unwrap();
        let limit = Duration::from_millis(rand::rng().random_range(0..5));
        drop(tokio::time::timeout(limit, self.transfer(&mut session, id, 1, 0, 1)).await);
        drop(session);
        self.accounts.client().start_session().await.unwrap()
    }
}

async fn disturb(set: &ReplicaSet, until: Instant) -> u32 {
    let mut disturbances = 0;
    while disturbances < 3 || Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let primary = set.wait_for_primary().await.unwrap();
        match disturbances % 3 {
            0 => drop(set.step_down().await.unwrap()),
            1 => {
                primary.kill().await.unwrap();
                set.wait_for_primary_other_than(&primary).await.unwrap();
                primary.start().await.unwrap();
            }
            _ => {
                primary.pause().await.unwrap();
                set.wait_for_primary_other_than(&primary).await.unwrap();
                tokio::time::sleep(Duration::from_millis(500)).await;
                primary.resume().unwrap();
            }
        }
        disturbances += 1;
        set.wait_until_healthy().await.unwrap();
    }
    disturbances
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bank_loses_no_money_and_reports_the_truth() {
    let seconds = std::env::var("BANK_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(10);
    let set = ReplicaSet::builder(3).election_timeout(Duration::from_secs(2)).start().await.unwrap();
    let uri = set.uri_with(&[("w", "majority"), ("heartbeatFrequencyMS", "500"), ("connectTimeoutMS", "2000")]);
    let client = Client::with_uri_str(&uri).await.unwrap();
    let bank = Bank::open(&client).await;
    let over = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(bank.clone().work(task, over.clone()))).collect();
    let disturbances = disturb(&set, Instant::now() + Duration::from_secs(seconds)).await;
    over.store(true, Ordering::Relaxed);
    let mut reports = BTreeMap::new();
    for task in tasks {
        reports.extend(task.await.unwrap());
    }

    // One consistent view of everything: that of a transaction.
    let mut auditor = client.start_session().await.unwrap();
    let whole = TransactionOptions::new().read_concern(ReadConcern::snapshot()).write_concern(WriteConcern::majority());
    let (accounts, journal) = auditor
        .start_transaction()
        .with_options(whole)
        .and_run(async |session| {
            let mut accounts = bank.accounts.find(doc! {}).sort(doc! { "_id": 1 }).session(session).await?;
            let mut journal = bank.journal.find(doc! {}).session(session).await?;
            Ok((accounts.to_vec(session).await?, journal.to_vec(session).await?))
        })
        .await
        .unwrap();
    let balances: Vec<_> = accounts.iter().map(|account| account.get_i64("balance").unwrap()).collect();
    assert_eq!(balances.iter().sum::<i64>(), i64::from(ACCOUNTS) * DEPOSIT, "money was made or lost");
    let mut expected = vec![DEPOSIT; ACCOUNTS as usize];
    for entry in &journal {
        let (amount, account) = (entry.get_i64("amount").unwrap(), |side| entry.get_i32(side).unwrap() as usize);
        expected[account("from")] -= amount;
        expected[account("to")] += amount;
    }
    assert_eq!(balances, expected, "the journal and the accounts tell different stories");
    let applied: BTreeMap<_, _> = journal.iter().map(|entry| (entry.get_str("_id").unwrap(), ())).collect();
    assert_eq!(applied.len(), journal.len());
    for (id, report) in &reports {
        let was_applied = applied.contains_key(id.as_str());
        match report {
            Report::Applied => assert!(was_applied, "{id} was reported applied"),
            Report::NotApplied => assert!(!was_applied, "{id} was reported not applied"),
            Report::Unknown => {}
        }
    }
    assert!(applied.keys().all(|id| reports.contains_key(*id)));
    let count = |wanted| reports.values().filter(|report| **report == wanted).count();
    println!(
        "{} transfers under {disturbances} disturbances: {} applied, {} not applied, {} unknown",
        reports.len(),
        count(Report::Applied),
        count(Report::NotApplied),
        count(Report::Unknown),
    );
    assert!(count(Report::Applied) > 20);
    drop(auditor);
    client.close().await;
    let mut open = 0;
    for member in set.members() {
        open += member.open_transactions().await.unwrap();
    }
    assert_eq!(open, 0, "a transaction was left open");
}
