//! What the application in the simulation does, and what it expects.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use futures_util::TryStreamExt;
use mongo_actors::{
    Client, Collection, Error,
    bson::{Document, doc},
    concern::ReadConcern,
    error::Outcome,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    bank,
    history::History,
    operations::Operation,
    scenario::Scenario,
    seen::Seen,
    server::{SharedSet, Watched},
};

pub(crate) const ORDERS: &str = "shop.orders";
pub(crate) const WATCHED: Watched = Watched { orders: ORDERS, counters: "shop.counters", accounts: "shop.accounts" };
pub(super) const COUNTER_COUNT: i32 = 5;
/// How much longer than its timeout an operation may take.
const GRACE: Duration = Duration::from_millis(500);
/// Within which time an operation succeeds once everything has healed.
const RESUMES_WITHIN: Duration = Duration::from_secs(15);
/// The longest pause of a tree of actors that could not be kept alive.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// For how long the application goes on after that.
const AFTERMATH: Duration = Duration::from_secs(3);
#[derive(Clone)]
pub(crate) struct Application {
    pub(crate) client: Client,
    pub(crate) scenario: Rc<Scenario>,
    pub(crate) history: History,
    pub(crate) seen: Rc<RefCell<Seen>>,
    pub(crate) set: SharedSet,
}

impl Application {
    fn collection(&self, name: &str) -> Collection<Document> {
        self.client.database("shop").collection(name)
    }

    pub(super) fn orders(&self) -> Collection<Document> {
        self.collection("orders")
    }

    pub(super) fn counters(&self) -> Collection<Document> {
        self.collection("counters")
    }

    pub(super) fn accounts(&self) -> Collection<Document> {
        self.collection("accounts")
    }

    pub(crate) fn violation(&self, what: impl Into<String>) {
        let what = what.into();
        self.history.note("violation", &what);
        self.seen.borrow_mut().violations.push(what);
    }

    /// Makes the counters and the accounts, before anything fails.
    pub(crate) async fn prepare(&self) {
        let counters = (0..COUNTER_COUNT).map(|id| doc! { "_id": id, "sum": 0 });
        let counters = self.counters().insert_many(counters).await;
        let accounts = self.accounts().insert_many(bank::accounts()).await;
        for error in [counters.err(), accounts.err()].into_iter().flatten() {
            self.violation(format!("there was nothing to work with although nothing had failed: {error}"));
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
        let limit = Instant::now() + Operation::Pay.limit(self.scenario.timeout) + GRACE;
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
        let operation = Operation::draw(rng);
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
        let limit = operation.limit(self.scenario.timeout) + GRACE;
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
