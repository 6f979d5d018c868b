//! What is done with the database while everything fails.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mongo_actors::{
    ClientSession, Collection, Database,
    bson::{Document, doc},
    error::{Error, Result, labels},
};
use tokio::{sync::watch, task::JoinSet, time::sleep};

use super::log::{Claim, Kind, Log};

const INSERTERS: i32 = 3;
const COUNTERS: i32 = 2;
const READERS: i32 = 2;
/// How many documents readers find.
pub(super) const SHELF: i32 = 40;
/// Between two operations of one task, so that the servers are not what is tested.
const PAUSE: Duration = Duration::from_millis(8);

/// The collections of one run.
#[derive(Clone)]
pub(super) struct Collections {
    /// One document per insert.
    pub(super) inserts: Collection<Document>,
    /// One document per task that increments it.
    pub(super) counters: Collection<Document>,
    /// What is only read.
    pub(super) shelf: Collection<Document>,
    /// Where each transaction puts one document into both.
    pub(super) left: Collection<Document>,
    pub(super) right: Collection<Document>,
}

impl Collections {
    pub(super) fn of(database: &Database) -> Self {
        let of = |name| database.collection::<Document>(name);
        let (left, right) = (of("left"), of("right"));
        Self { inserts: of("inserts"), counters: of("counters"), shelf: of("shelf"), left, right }
    }

    /// Puts into the database what the tasks rely on.
    pub(super) async fn furnish(&self) -> Result<()> {
        self.shelf.insert_many((0..SHELF).map(|id| doc! { "_id": id })).await?;
        self.counters.insert_many((0..COUNTERS).map(|id| doc! { "_id": id, "n": 0_i64 })).await?;
        // Transactions do not wait for collections to be made.
        for collection in [&self.inserts, &self.left, &self.right] {
            collection.insert_one(doc! { "_id": "first" }).await?;
        }
        Ok(())
    }
}

/// What the tasks were told of their writes.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// By the `_id` of the documents, in the order they were tried by each task.
    pub(super) inserts: Vec<(String, Claim)>,
    pub(super) transactions: Vec<(String, Claim)>,
    /// For each counter, how many increments were acknowledged, and how many may have been made.
    pub(super) increments: BTreeMap<i32, (i64, i64)>,
}

/// The tasks.
pub(super) struct Workload {
    tasks: JoinSet<Claims>,
    stop: watch::Sender<bool>,
}

impl Workload {
    pub(super) fn start(collections: &Collections, log: &Arc<Log>) -> Self {
        let (mut tasks, stop) = (JoinSet::new(), watch::Sender::new(false));
        let task = || Task { collections: collections.clone(), log: log.clone(), stop: stop.subscribe() };
        for number in 0..INSERTERS {
            tasks.spawn(task().insert(number));
        }
        for counter in 0..COUNTERS {
            tasks.spawn(task().increment(counter));
        }
        for _ in 0..READERS {
            tasks.spawn(task().read());
        }
        tasks.spawn(task().transact());
        Self { tasks, stop }
    }

    /// Lets each task finish what it is at, and gathers what they were told.
    pub(super) async fn end(self) -> Claims {
        self.stop.send_replace(true);
        let mut all = Claims::default();
        for claims in self.tasks.join_all().await {
            all.inserts.extend(claims.inserts);
            all.transactions.extend(claims.transactions);
            all.increments.extend(claims.increments);
        }
        all
    }
}

struct Task {
    collections: Collections,
    log: Arc<Log>,
    stop: watch::Receiver<bool>,
}

impl Task {
    /// Whether there is more to be done, after a moment.
    async fn goes_on(&self) -> bool {
        sleep(PAUSE).await;
        !*self.stop.borrow()
    }

    async fn insert(self, task: i32) -> Claims {
        let mut claims = Claims::default();
        while self.goes_on().await {
            let id = format!("{task}-{:06}", claims.inserts.len());
            let insert = self.collections.inserts.insert_one(doc! { "_id": &id }).into_future();
            let claim = match self.log.make(Kind::Insert, 1, insert).await {
                Some(Ok(_)) => Claim::Done,
                Some(Err(error)) => {
                    if error.is_duplicate_key() {
                        self.log.violate(format!("insert {id} was made twice: {error}"));
                    }
                    Claim::of(&error)
                }
                None => Claim::Unknown,
            };
            claims.inserts.push((id, claim));
        }
        claims
    }

    async fn increment(self, counter: i32) -> Claims {
        let (mut acknowledged, mut unknown) = (0, 0);
        while self.goes_on().await {
            let update = doc! { "$inc": { "n": 1_i64 } };
            let update = self.collections.counters.update_one(doc! { "_id": counter }, update).into_future();
            match self.log.make(Kind::Increment, 1, update).await {
                Some(Ok(result)) => {
                    acknowledged += 1;
                    if result.modified_count != 1 {
                        self.log.violate(format!("an increment was acknowledged as {result:?}"));
                    }
                }
                Some(Err(error)) => unknown += i64::from(Claim::of(&error) == Claim::Unknown),
                None => unknown += 1,
            }
        }
        Claims { increments: [(counter, (acknowledged, unknown))].into(), ..Claims::default() }
    }

    /// Reads the whole shelf in several batches.
    async fn read(self) -> Claims {
        let mut turn = 0_u32;
        while self.goes_on().await {
            turn += 1;
            let shelf = &self.collections.shelf;
            if turn.is_multiple_of(5) {
                // A cursor that is given up in the middle is closed by the driver.
                let open = async { shelf.find(doc! {}).batch_size(7).await?.advance().await };
                self.log.make(Kind::Find, 1, Box::pin(open)).await;
                continue;
            }
            let find = async { shelf.find(doc! {}).sort(doc! { "_id": 1 }).batch_size(7).await?.to_vec().await };
            if let Some(Ok(found)) = self.log.make(Kind::Find, 1, Box::pin(find)).await {
                let ids: Vec<_> = found.iter().filter_map(|found| found.get_i32("_id").ok()).collect();
                if ids != (0..SHELF).collect::<Vec<_>>() {
                    self.log.violate(format!("a find succeeded with {ids:?}"));
                }
            }
        }
        Claims::default()
    }

    async fn transact(self) -> Claims {
        let mut claims = Claims::default();
        let mut session = None;
        while self.goes_on().await {
            let mut current = match session.take() {
                Some(session) => session,
                None => match self.collections.left.client().start_session().await {
                    Ok(session) => session,
                    Err(_) => continue,
                },
            };
            let id = format!("{:06}", claims.transactions.len());
            let mut claim = Claim::Unknown;
            let work = self.transfer(&mut current, &id, &mut claim);
            // Begin, two inserts, and commit or abort.
            self.log.make(Kind::Transaction, 4, Box::pin(work)).await;
            claims.transactions.push((id, claim));
            // Now and then with a session that has done nothing yet.
            session = (claims.transactions.len() % 10 != 0).then_some(current);
        }
        claims
    }

    async fn transfer(&self, session: &mut ClientSession, id: &str, claim: &mut Claim) -> Result<()> {
        let Collections { left, right, .. } = &self.collections;
        // As long as nothing is committed, nothing is done.
        *claim = Claim::NotDone;
        session.start_transaction().await?;
        for collection in [left, right] {
            if let Err(error) = collection.insert_one(doc! { "_id": id }).session(&mut *session).await {
                if error.is_duplicate_key() {
                    self.log.violate(format!("transaction {id} was made twice: {error}"));
                }
                // What is not aborted now is aborted by the server later.
                drop(session.abort_transaction().await);
                return Err(error);
            }
        }
        *claim = Claim::Unknown;
        let committed = session.commit_transaction().await;
        *claim = committed.as_ref().map_or_else(claim_of_commit, |()| Claim::Done);
        committed
    }
}

fn claim_of_commit(error: &Error) -> Claim {
    match error.has_label(labels::UNKNOWN_TRANSACTION_COMMIT_RESULT) {
        true => Claim::Unknown,
        false => Claim::of(error),
    }
}
