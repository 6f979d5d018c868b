//! Replica sets whose primary changes, dies or falls silent. Each test has a set of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
    time::{Duration, Instant},
};

use mongo_actors::{
    Client, Collection,
    bson::{Document, doc},
    error::Outcome,
};
use mongo_actors_testkit::ReplicaSet;

use crate::kit::{Recorder, eventually};

async fn set() -> ReplicaSet {
    ReplicaSet::builder(3).election_timeout(Duration::from_secs(1)).start().await.unwrap()
}

/// Writers that go on until they are stopped, each document with a number of its own, and what became of the writes.
struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicI32>,
    writers: Vec<tokio::task::JoinHandle<Written>>,
}

#[derive(Default)]
struct Written {
    acknowledged: Vec<i32>,
    /// Their error says that they may have been applied.
    unknown: Vec<i32>,
    /// Their error says that they were not.
    not_applied: Vec<i32>,
}

impl Load {
    fn start(things: &Collection<Document>, writers: i32) -> Self {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI32::new(0)));
        let spawn = |writer: i32| {
            let (things, stop, count) = (things.clone(), stop.clone(), acknowledged.clone());
            tokio::spawn(async move {
                let mut written = Written::default();
                let mut id = writer;
                while !stop.load(Ordering::SeqCst) {
                    id += 1000;
                    match things.insert_one(doc! { "_id": id }).await {
                        Ok(_) => {
                            written.acknowledged.push(id);
                            count.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(error) => {
                            assert!(!error.is_duplicate_key(), "write {id} was made twice: {error}");
                            match error.outcome() {
                                Outcome::NotSent | Outcome::Rejected => written.not_applied.push(id),
                                _ => written.unknown.push(id),
                            }
                        }
                    }
                }
                written
            })
        };
        let writers = (0..writers).map(spawn).collect();
        Self { stop, acknowledged, writers }
    }

    /// Waits until this many more writes were acknowledged.
    async fn progress(&self, more: i32) {
        let goal = self.acknowledged.load(Ordering::SeqCst) + more;
        eventually("writes go on", async || self.acknowledged.load(Ordering::SeqCst) >= goal).await;
    }

    /// Stops the writers, and compares what they were told with what is there.
    async fn verify(self, things: &Collection<Document>) -> Written {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Written::default();
        for writer in self.writers {
            let written = writer.await.unwrap();
            all.acknowledged.extend(written.acknowledged);
            all.unknown.extend(written.unknown);
            all.not_applied.extend(written.not_applied);
        }
        let found = things.find(doc! { "_id": { "$gt": 0 } }).await.unwrap().to_vec().await.unwrap();
        let found: std::collections::BTreeSet<_> = found.iter().map(|d| d.get_i32("_id").unwrap()).collect();
        let lost: Vec<_> = all.acknowledged.iter().filter(|id| !found.contains(id)).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        let ghosts: Vec<_> = all.not_applied.iter().filter(|id| found.contains(id)).collect();
        assert!(ghosts.is_empty(), "reported as not applied, and there: {ghosts:?}");
        let known = all.acknowledged.len() + all.unknown.len();
        assert!(found.len() <= known, "{} found, {known} explained", found.len());
        all
    }
}

#[tokio::test]
async fn a_primary_that_is_killed_and_restarted_under_load_loses_no_acknowledged_write() {
    let set = set().await;
    let client =
        Client::with_uri_str(&set.uri_with(&[("w", "majority"), ("heartbeatFrequencyMS", "500")])).await.unwrap();
    let things = client.database("it").collection::<Document>("things");
    things.insert_one(doc! { "_id": -1 }).await.unwrap();
    let load = Load::start(&things, 4);
    load.progress(40).await;
    for _ in 0..2 {
        let primary = set.primary().await.unwrap();
        primary.kill().await.unwrap();
        load.progress(40).await;
        primary.start().await.unwrap();
        set.wait_until_healthy().await.unwrap();
        load.progress(40).await;
    }
    let written = load.verify(&things).await;
    println!(
        "{} acknowledged, {} unknown, {} not applied",
        written.acknowledged.len(),
        written.unknown.len(),
        written.not_applied.len()
    );
    client.close().await;
}

#[tokio::test]
async fn an_election_during_writes_loses_none_and_doubles_none() {
    let set = set().await;
    let (recorder, builder) = Recorder::listen(Client::builder().uri(set.uri_with(&[("w", "majority")])));
    let client = builder.build().unwrap();
    let things = client.database("it").collection::<Document>("things");
    things.insert_one(doc! { "_id": -1 }).await.unwrap();
    let load = Load::start(&things, 4);
    load.progress(20).await;
    for _ in 0..2 {
        set.step_down().await.unwrap();
        load.progress(40).await;
    }
    let written = load.verify(&things).await;
    assert!(written.unknown.is_empty(), "a step-down leaves nothing unknown: {:?}", written.unknown);
    assert!(written.not_applied.is_empty(), "each write was repeated: {:?}", written.not_applied);
    client.flush_events().await;
    assert_eq!(recorder.cleared(), 0, "a step-down clears no pool");
    client.close().await;
}

#[tokio::test]
async fn single_writes_survive_an_election() {
    let set = ReplicaSet::start(3).await.unwrap();
    let client = Client::with_uri_str(&set.uri_with(&[("w", "majority")])).await.unwrap();
    let things = client.database("it").collection::<Document>("things");
    things.insert_one(doc! { "_id": -1 }).await.unwrap();
    let writer = tokio::spawn({
        let things = things.clone();
        async move {
            for id in 0..300 {
                things.insert_one(doc! { "_id": id }).await.unwrap();
            }
        }
    });
    set.step_down().await.unwrap();
    writer.await.unwrap();
    assert_eq!(things.count_documents(doc! {}).await.unwrap(), 301);
    client.close().await;
}

/// The old primary's sockets stay open and silent while another is elected. What will be repeated is given up for the
/// new one, and nothing else.
#[tokio::test]
async fn a_silent_primary_delays_reads_no_longer_than_the_election() {
    let set = set().await;
    let (recorder, builder) = Recorder::listen(Client::builder().uri(set.uri_with(&[("w", "majority")])));
    let client = builder.build().unwrap();
    let things = client.database("it").collection::<Document>("things");
    things.insert_one(doc! { "_id": 1, "n": 0 }).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (things, stop) = (things.clone(), stop.clone());
            tokio::spawn(async move {
                let (mut longest, mut last) = (Duration::ZERO, Instant::now());
                while !stop.load(Ordering::SeqCst) {
                    things.find_one(doc! { "_id": 1 }).await.unwrap();
                    longest = longest.max(last.elapsed());
                    last = Instant::now();
                }
                longest
            })
        })
        .collect();
    let primary = set.primary().await.unwrap();
    // An operation that is not repeated waits for the old primary.
    let patient = tokio::spawn({
        let things = things.clone();
        async move {
            let started = Instant::now();
            let update =
                things.update_many(doc! { "$where": "sleep(1000) || true" }, doc! { "$inc": { "n": 1 } }).await;
            (update, started.elapsed())
        }
    });
    eventually("it is under way", async || recorder.sent("update") == 1).await;
    let paused = Instant::now();
    primary.pause().await.unwrap();
    set.wait_for_primary_other_than(&primary).await.unwrap();
    let elected = paused.elapsed();
    tokio::time::sleep(Duration::from_secs(5).saturating_sub(paused.elapsed())).await;
    assert!(!patient.is_finished(), "it is not repeated, so it is not given up");
    primary.resume().unwrap();
    stop.store(true, Ordering::SeqCst);
    let mut longest = Duration::ZERO;
    for reader in readers {
        longest = longest.max(reader.await.unwrap());
    }
    println!("elected within {elected:?}; longest gap {longest:?}");
    // Three seconds in a set that elects within two, as this one does unless the machine is busy.
    let most = elected.max(Duration::from_secs(2)) + Duration::from_secs(1);
    assert!(longest < most, "longest gap {longest:?}, elected within {elected:?}");
    let (_, waited) = patient.await.unwrap();
    assert!(waited > Duration::from_secs(4), "{waited:?}");
    client.close().await;
}
