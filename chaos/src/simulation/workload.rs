//! What the application in the simulation does, and what it expects.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use futures_util::TryStreamExt;
use mongo_actors::{
    Client, Collection, Error,
    bson::{Document, doc},
    change_stream::event::{ChangeStreamEvent, ResumeToken},
    concern::ReadConcern,
    error::Outcome,
    timeout::scope,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{
    history::History,
    scenario::Scenario,
    server::{SharedSet, start_of_time},
};

pub(crate) const ORDERS: &str = "shop.orders";
pub(crate) const COUNTERS: &str = "shop.counters";
const COUNTER_COUNT: i32 = 5;
/// How much longer than its timeout an operation may take.
const GRACE: Duration = Duration::from_millis(500);
/// Within which time an operation succeeds once everything has healed.
const RESUMES_WITHIN: Duration = Duration::from_secs(15);
/// The longest pause of a tree of actors that could not be kept alive.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// For how long the application goes on after that.
const AFTERMATH: Duration = Duration::from_secs(3);
/// How long change streams may be behind at the end.
const CATCH_UP: Duration = Duration::from_secs(15);

/// What the application knows of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was told that it succeeded.
    Acknowledged,
    /// It was told that it was not executed.
    Refused,
    /// It was told nothing, or that nobody knows.
    Unknown,
}

impl Fate {
    fn of<T>(result: &Result<T, Error>) -> Self {
        match result {
            Ok(_) => Self::Acknowledged,
            Err(error) if matches!(error.outcome(), Outcome::NotSent | Outcome::Rejected) => Self::Refused,
            Err(_) => Self::Unknown,
        }
    }
}

/// What the application has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) operations: u64,
    pub(crate) outcomes: BTreeMap<String, u64>,
    pub(crate) inserts: BTreeMap<i32, Fate>,
    /// By their marks: which counter, and what became of it.
    pub(crate) increments: BTreeMap<i32, (i32, Fate)>,
    /// The ids that the change stream has delivered.
    pub(crate) delivered: Vec<i32>,
    pub(crate) stream_errors: u64,
    /// When operations succeeded.
    pub(crate) successes: Vec<Duration>,
    pub(crate) violations: Vec<String>,
    in_flight: usize,
}

#[derive(Clone)]
pub(crate) struct Application {
    pub(crate) client: Client,
    pub(crate) scenario: Rc<Scenario>,
    pub(crate) history: History,
    pub(crate) seen: Rc<RefCell<Seen>>,
    pub(crate) set: SharedSet,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Insert,
    Find,
    Increment,
    ReadOwnWrite,
    Scan,
}

impl Application {
    fn orders(&self) -> Collection<Document> {
        self.client.database("shop").collection("orders")
    }

    fn counters(&self) -> Collection<Document> {
        self.client.database("shop").collection("counters")
    }

    pub(crate) fn violation(&self, what: impl Into<String>) {
        let what = what.into();
        self.history.note("violation", &what);
        self.seen.borrow_mut().violations.push(what);
    }

    /// Makes the counters, before anything fails.
    pub(crate) async fn prepare(&self) {
        let counters = (0..COUNTER_COUNT).map(|id| doc! { "_id": id, "sum": 0 });
        if let Err(error) = self.counters().insert_many(counters).await {
            self.violation(format!("the counters could not be made although nothing had failed: {error}"));
        }
    }

    /// Works until everything has healed, and a little longer.
    pub(crate) async fn work(&self, seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let pause = Duration::from_secs(1) / self.scenario.operations_per_second;
        let mut next = Instant::now();
        let healed = next + self.scenario.faulty_for.saturating_sub(turmoil::sim_elapsed().unwrap_or_default());
        let mut number = 0;
        let mut limit = None;
        loop {
            next += pause;
            sleep_until(next).await;
            number += 1;
            self.begin(number, &mut rng);
            if next < healed {
                continue;
            }
            let limit = *limit.get_or_insert_with(|| healed + self.time_to_resume());
            let resumed = self.seen.borrow().successes.last().copied();
            let since = turmoil::sim_elapsed().unwrap_or_default().saturating_sub(next - healed);
            if resumed.is_some_and(|resumed| resumed > since) && next > healed + AFTERMATH {
                break;
            }
            if next > limit {
                self.violation(format!("no operation has succeeded {:?} after everything had healed", next - healed));
                break;
            }
        }
        // Whatever is on its way ends by itself.
        let limit = Instant::now() + self.scenario.timeout + GRACE;
        while self.seen.borrow().in_flight > 0 && Instant::now() < limit {
            sleep(Duration::from_millis(50)).await;
        }
        let in_flight = self.seen.borrow().in_flight;
        if in_flight > 0 {
            self.violation(format!("{in_flight} operations have not ended {GRACE:?} after their timeout"));
        }
    }

    /// A tree that has just failed beyond its budget may pause before it comes back.
    fn time_to_resume(&self) -> Duration {
        match self.client.supervision().status {
            mongo_actors::supervision::TreeStatus::Up => RESUMES_WITHIN,
            _ => RESUMES_WITHIN + LONGEST_PAUSE,
        }
    }

    /// Begins one operation, and waits for nothing.
    fn begin(&self, number: i32, rng: &mut StdRng) {
        let operation = match rng.random_range(0..20) {
            0..8 => Operation::Insert,
            8..12 => Operation::Find,
            12..17 => Operation::Increment,
            17..19 => Operation::ReadOwnWrite,
            _ => Operation::Scan,
        };
        let choice = rng.random();
        let application = self.clone();
        {
            let mut seen = self.seen.borrow_mut();
            seen.operations += 1;
            seen.in_flight += 1;
        }
        self.history.note("begins", format!("{number} {operation:?}"));
        tokio::task::spawn_local(async move {
            let begun = Instant::now();
            let result = application.perform(operation, number, choice).await;
            application.ended(operation, number, begun, &result);
        });
    }

    fn ended(&self, operation: Operation, number: i32, begun: Instant, result: &Result<(), Error>) {
        let outcome = match result {
            Ok(()) => "ok".to_owned(),
            Err(error) => match error.outcome() {
                Outcome::NotSent | Outcome::Rejected => "failed: not executed".to_owned(),
                Outcome::Unknown => "failed: unknown".to_owned(),
                Outcome::Applied => "failed: executed in part".to_owned(),
                other => format!("failed: {other:?}"),
            },
        };
        let text = result.as_ref().err().map(ToString::to_string).unwrap_or_default();
        self.history.note("ends", format!("{number} {outcome} {text}"));
        let limit = self.scenario.timeout + GRACE;
        if begun.elapsed() > limit {
            self.violation(format!("operation {number} ({operation:?}) took {:?}", begun.elapsed()));
        }
        if text.contains("E11000") {
            self.violation(format!("operation {number} ({operation:?}) met its own write: {text}"));
        }
        let mut seen = self.seen.borrow_mut();
        seen.in_flight -= 1;
        *seen.outcomes.entry(outcome).or_default() += 1;
        if result.is_ok() {
            seen.successes.push(turmoil::sim_elapsed().unwrap_or_default());
        }
    }

    async fn perform(&self, operation: Operation, number: i32, choice: u32) -> Result<(), Error> {
        match operation {
            Operation::Insert => {
                self.seen.borrow_mut().inserts.insert(number, Fate::Unknown);
                let result = self.orders().insert_one(order(number)).await;
                self.seen.borrow_mut().inserts.insert(number, Fate::of(&result));
                result.map(drop)
            }
            Operation::Find => {
                let wanted = self.one_acknowledged(choice);
                let found = self.orders().find_one(doc! { "_id": wanted }).await?;
                match found {
                    Some(found) if found != order(wanted) => {
                        self.violation(format!("operation {number} asked for {wanted} and got {found}"));
                    }
                    // A primary that does not know yet that there is another one may lack what that has.
                    _ => {}
                }
                Ok(())
            }
            Operation::Increment => {
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
            // Two operations, which have their time together.
            Operation::ReadOwnWrite => scope(self.scenario.timeout, self.read_own_write(number)).await,
            Operation::Scan => {
                let found: Vec<Document> = self.orders().find(doc! {}).batch_size(40).await?.try_collect().await?;
                let mut ids: Vec<_> = found.iter().filter_map(|found| found.get_i32("_id").ok()).collect();
                let count = ids.len();
                ids.dedup();
                if ids.len() != found.len() || !ids.is_sorted() {
                    self.violation(format!("operation {number} read {count} documents, some of them twice: {ids:?}"));
                }
                Ok(())
            }
        }
    }

    /// In a causally consistent session, a write that was acknowledged is seen by the next read.
    async fn read_own_write(&self, number: i32) -> Result<(), Error> {
        self.seen.borrow_mut().inserts.insert(number, Fate::Unknown);
        let mut session = match self.client.start_session().causal_consistency(true).await {
            Ok(session) => session,
            Err(error) => {
                self.seen.borrow_mut().inserts.insert(number, Fate::Refused);
                return Err(error);
            }
        };
        let orders = self.orders();
        let result = orders.insert_one(order(number)).session(&mut session).await;
        self.seen.borrow_mut().inserts.insert(number, Fate::of(&result));
        result?;
        let id = doc! { "_id": number };
        let found = orders.find_one(id).read_concern(ReadConcern::majority()).session(&mut session).await?;
        if found != Some(order(number)) {
            self.violation(format!("operation {number} did not see its own write: {found:?}"));
        }
        Ok(())
    }

    fn one_acknowledged(&self, choice: u32) -> i32 {
        let seen = self.seen.borrow();
        let acknowledged: Vec<_> = seen.inserts.iter().filter(|(_, fate)| **fate == Fate::Acknowledged).collect();
        let index = choice as usize % acknowledged.len().max(1);
        acknowledged.get(index).map_or(0, |(id, _)| **id)
    }

    /// Follows the orders, from the first one on.
    pub(crate) async fn follow(&self) {
        let mut place: Option<ResumeToken> = None;
        loop {
            let opening = match place.clone() {
                Some(place) => self.orders().watch().resume_after(place).await,
                None => self.orders().watch().start_at_operation_time(start_of_time()).await,
            };
            let mut stream = match opening {
                Ok(stream) => stream,
                Err(error) => {
                    self.stream_failed(&error);
                    sleep(Duration::from_millis(200)).await;
                    continue;
                }
            };
            while stream.is_alive() {
                match stream.next().await {
                    Some(Ok(event)) => self.delivered(&event),
                    Some(Err(error)) => {
                        self.stream_failed(&error);
                        sleep(Duration::from_millis(50)).await;
                    }
                    None => break,
                }
                place = stream.resume_token();
            }
        }
    }

    fn delivered(&self, event: &ChangeStreamEvent<Document>) {
        let id = event.document_key.as_ref().and_then(|key| key.get_i32("_id").ok());
        self.history.note("delivered", format!("{id:?}"));
        self.seen.borrow_mut().delivered.extend(id);
    }

    fn stream_failed(&self, error: &Error) {
        self.history.note("stream failed", error.to_string());
        self.seen.borrow_mut().stream_errors += 1;
    }

    /// Waits until the stream has delivered everything that the servers have, or until that takes too long.
    pub(crate) async fn catch_up(&self) {
        let caught_up = async {
            loop {
                let truth = self.set.borrow().truth(ORDERS, COUNTERS);
                if truth.is_some_and(|truth| truth.inserted.len() <= self.seen.borrow().delivered.len()) {
                    return;
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        if timeout(CATCH_UP, caught_up).await.is_err() {
            self.violation(format!("a change stream is behind {CATCH_UP:?} after everything had healed"));
        }
    }

    /// Reads everything as the driver sees it.
    pub(crate) async fn read_all(&self) -> Option<BTreeMap<i32, Document>> {
        let reading = async {
            self.orders().find(doc! {}).read_concern(ReadConcern::majority()).await?.try_collect::<Vec<_>>().await
        };
        match reading.await {
            Ok(found) => {
                Some(found.into_iter().filter_map(|found| Some((found.get_i32("_id").ok()?, found))).collect())
            }
            Err(error) => {
                self.violation(format!("a read failed after everything had healed: {error}"));
                None
            }
        }
    }
}

fn order(number: i32) -> Document {
    doc! { "_id": number, "item": format!("item {number}"), "price": number % 97 }
}
