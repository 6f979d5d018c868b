//! Futures dropped at any moment.

use std::time::Duration;

use mongo_actors::{
    Client,
    bson::{Document, doc},
};
use mongo_actors_testkit::Standalone;
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::kit::{Recorder, eventually};

/// Drops reads, writes and cursors after a random time, many at once. Nothing may be lost by it: no connection, no place
/// in the pool, no session, no cursor. The pool is so large that nobody waits for a connection whose reply is being
/// thrown away, as that connection would rightly be closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn futures_dropped_at_random_moments_leak_nothing() {
    let server = Standalone::start().await.unwrap();
    let uri = server.uri_with(&[("maxPoolSize", "1000")]);
    let (recorder, builder) = Recorder::listen(Client::builder().uri(uri));
    let client = builder.build().unwrap();
    let things = client.database("it").collection::<Document>("things");
    things.insert_many((0..200).map(|id| doc! { "_id": id })).await.unwrap();

    let tasks = (0..6_u64).map(|task| {
        let things = things.clone();
        tokio::spawn(async move {
            let mut rng = StdRng::seed_from_u64(task);
            let mut cancelled = 0;
            for turn in 0..60 {
                let patience = Duration::from_micros(rng.random_range(0..3_000));
                let work = async {
                    match turn % 4 {
                        0 => drop(things.count_documents(doc! { "n": { "$exists": true } }).await.unwrap()),
                        1 => drop(things.update_one(doc! { "_id": 1 }, doc! { "$inc": { "n": 1 } }).await.unwrap()),
                        2 => drop(things.find(doc! {}).batch_size(20).await.unwrap().to_vec().await.unwrap()),
                        _ => drop(things.find(doc! {}).batch_size(5).await.unwrap().try_next().await.unwrap()),
                    }
                };
                cancelled += u32::from(tokio::time::timeout(patience, work).await.is_err());
            }
            cancelled
        })
    });
    let mut cancelled = 0;
    for task in tasks.collect::<Vec<_>>() {
        cancelled += task.await.unwrap();
    }
    assert!(cancelled > 30, "some were dropped: {cancelled}");

    recorder.expect_all_checked_in(&client).await;
    assert_eq!(recorder.cleared(), 0);
    assert_eq!(recorder.closed(), 0, "no healthy connection was closed");
    eventually("no cursor is left", async || server.member().open_cursors().await.unwrap() == 0).await;

    // All connections are usable.
    let before = recorder.sessions();
    let reads = (0..32).map(|_| async { things.find_one(doc! { "$where": "sleep(20) || true" }).await.unwrap() });
    futures_util::future::join_all(reads).await;
    recorder.expect_all_checked_in(&client).await;
    assert!(recorder.sessions() <= before + 32, "sessions are used again");
    assert!(before < 100, "{before} sessions for {} check-outs", recorder.checked_out());
    client.close().await;
    assert_eq!(recorder.ended_sessions(), 1, "all sessions were there to be ended");
    assert_eq!(recorder.created(), recorder.closed());
}

#[tokio::test]
async fn a_dropped_write_that_was_sent_is_applied_once_or_not_at_all() {
    let server = Standalone::start().await.unwrap();
    let client = Client::with_uri_str(&server.uri()).await.unwrap();
    let things = client.database("it").collection::<Document>("things");
    things.insert_one(doc! { "_id": 0, "n": 0 }).await.unwrap();
    let mut acknowledged = 0;
    for turn in 0..100_u64 {
        let update = async { things.update_one(doc! { "_id": 0 }, doc! { "$inc": { "n": 1 } }).await };
        acknowledged += i32::from(tokio::time::timeout(Duration::from_micros(turn * 20), update).await.is_ok());
    }
    let n = things.find_one(doc! { "_id": 0 }).await.unwrap().unwrap().get_i32("n").unwrap();
    assert!(n >= acknowledged && n <= 100, "{acknowledged} acknowledged, {n} applied");
    client.close().await;
}
