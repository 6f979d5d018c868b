//! Operations with a timeout while the primary fails.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use mongo_actors::{
    Client, Collection,
    bson::{Document, doc},
};
use mongo_actors_testkit::ReplicaSet;

const TIMEOUT: Duration = Duration::from_millis(500);
/// What a caller has to wait at most.
const LIMIT: Duration = Duration::from_millis(750);
const TASKS: i32 = 8;

/// How long operations took, and how many of them ran out of time.
#[derive(Default)]
struct Seen {
    took: Vec<Duration>,
    timeouts: usize,
}

/// Writes and reads in turn until it is told to stop. Whatever an operation ends with, it ends in time.
async fn work(things: Collection, task: i32, stop: Arc<AtomicBool>) -> Seen {
    let mut seen = Seen::default();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let begun = Instant::now();
        let outcome = match number % 3 {
            0 => things.find_one(doc! { "_id": task }).await.map(drop),
            1 => things.update_one(doc! { "_id": task }, doc! { "$inc": { "x": 1 } }).upsert(true).await.map(drop),
            _ => things.insert_one(doc! { "task": task, "number": number }).await.map(drop),
        };
        seen.took.push(begun.elapsed());
        if let Err(error) = outcome {
            assert!(error.is_timeout(), "{error:?}");
            seen.timeouts += 1;
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_ends_in_time_while_the_primary_fails() {
    let set = ReplicaSet::start(3).await.unwrap();
    let client = Client::with_uri_str(&set.uri_with(&[("timeoutMS", "500"), ("w", "majority")])).await.unwrap();
    let things = client.database("it").collection::<Document>("things");
    mongo_actors::timeout::scope(None, things.insert_one(doc! { "_id": -1 })).await.unwrap();
    assert_eq!(client.options().timeout, Some(TIMEOUT));
    let stop = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..TASKS).map(|task| tokio::spawn(work(things.clone(), task, stop.clone()))).collect();
    for _ in 0..2 {
        set.step_down().await.unwrap();
        let old = set.wait_for_primary().await.unwrap();
        old.pause().await.unwrap();
        let new = set.wait_for_primary_other_than(&old).await;
        old.resume().unwrap();
        new.unwrap();
        set.wait_until_healthy().await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let (mut took, mut timeouts) = (Vec::new(), 0);
    for worker in workers {
        let seen = worker.await.unwrap();
        took.extend(seen.took);
        timeouts += seen.timeouts;
    }
    took.sort_unstable();
    let part = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    let longest = part(1.0);
    println!(
        "{} operations, {timeouts} ran out of time; median {:?}, 99.9th percentile {:?}, maximum {longest:?}",
        took.len(),
        part(0.5),
        part(0.999)
    );
    assert!(took.len() > 100 && timeouts > 0, "the faults were not felt");
    assert!(longest <= LIMIT, "an operation took {longest:?}");
    client.close().await;
}
