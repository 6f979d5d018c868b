use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use bson::{RawDocumentBuf, Timestamp, rawdoc, spec::BinarySubtype};
use rand::{SeedableRng, rngs::StdRng};

use super::*;

const HALF_AN_HOUR: SessionExpiry = SessionExpiry::After(Duration::from_secs(1800));

fn rng() -> StdRng {
    StdRng::seed_from_u64(7)
}

#[allow(clippy::disallowed_methods, reason = "a starting point for the test's own clock")]
fn start() -> Instant {
    Instant::now()
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

fn cluster_time(time: u32, increment: u32) -> RawDocumentBuf {
    rawdoc! { "clusterTime": Timestamp { time, increment }, "signature": { "keyId": 1_i64 } }
}

#[test]
fn an_id_is_a_random_version_4_uuid() {
    let (mut rng, mut seen) = (rng(), HashSet::new());
    for _ in 0..100 {
        let session = ServerSession::new(&mut rng, start());
        let uuid = session.id().get_binary("id").unwrap();
        assert_eq!((uuid.subtype, uuid.bytes.len()), (BinarySubtype::Uuid, 16));
        assert_eq!((uuid.bytes[6] >> 4, uuid.bytes[8] >> 6), (4, 2));
        assert_eq!(session.id().iter().count(), 1);
        assert!(seen.insert(uuid.bytes.to_vec()));
    }
}

#[test]
fn transaction_numbers_rise_and_survive_the_pool() {
    let (mut pool, mut rng, now) = (ServerSessionPool::new(), rng(), start());
    let mut session = pool.acquire(now, HALF_AN_HOUR, &mut rng);
    assert_eq!((session.next_txn_number(), session.next_txn_number()), (1, 2));
    pool.release(now, HALF_AN_HOUR, session);
    assert_eq!(pool.acquire(now, HALF_AN_HOUR, &mut rng).next_txn_number(), 3);
}

#[test]
fn the_session_returned_last_is_used_first() {
    let (mut pool, mut rng, now) = (ServerSessionPool::new(), rng(), start());
    let (a, b) = (pool.acquire(now, HALF_AN_HOUR, &mut rng), pool.acquire(now, HALF_AN_HOUR, &mut rng));
    let (id_a, id_b) = (a.id().to_owned(), b.id().to_owned());
    pool.release(now, HALF_AN_HOUR, a);
    pool.release(now, HALF_AN_HOUR, b);
    assert_eq!(pool.acquire(now, HALF_AN_HOUR, &mut rng).id(), &*id_b);
    assert_eq!(pool.acquire(now, HALF_AN_HOUR, &mut rng).id(), &*id_a);
    assert!(pool.is_empty());
}

#[test]
fn a_dirty_session_is_thrown_away() {
    let (mut pool, now) = (ServerSessionPool::new(), start());
    let mut session = ServerSession::new(&mut rng(), now);
    session.mark_dirty();
    session.used(now);
    assert!(session.is_dirty());
    pool.release(now, SessionExpiry::Never, session);
    assert!(pool.is_empty());
}

#[test]
fn a_session_with_less_than_a_minute_left_is_not_used() {
    let (mut pool, mut rng, now) = (ServerSessionPool::new(), rng(), start());
    let session = ServerSession::new(&mut rng, now);
    let id = session.id().to_owned();
    pool.release(now, HALF_AN_HOUR, session);
    let again = pool.acquire(now + minutes(29), HALF_AN_HOUR, &mut rng);
    assert_eq!(again.id(), &*id, "exactly a minute left is enough");
    pool.release(now, HALF_AN_HOUR, again);
    assert_ne!(pool.acquire(now + minutes(29) + Duration::from_millis(1), HALF_AN_HOUR, &mut rng).id(), &*id);
    assert!(pool.is_empty());
}

#[test]
fn sessions_that_expire_leave_when_another_comes_back() {
    let (mut pool, mut rng, now) = (ServerSessionPool::new(), rng(), start());
    for age in [0, 0, 20] {
        pool.release(now, HALF_AN_HOUR, ServerSession::new(&mut rng, now + minutes(age)));
    }
    let later = now + minutes(40);
    pool.release(later, HALF_AN_HOUR, ServerSession::new(&mut rng, now));
    assert_eq!(pool.len(), 1, "the two oldest and the expired one that came back are gone");
    pool.release(later, HALF_AN_HOUR, ServerSession::new(&mut rng, later));
    assert_eq!(pool.len(), 2);
}

#[test]
fn using_a_session_keeps_it_alive() {
    let now = start();
    let mut session = ServerSession::new(&mut rng(), now);
    session.used(now + minutes(20));
    assert!(session.is_reusable(now + minutes(40), HALF_AN_HOUR));
    assert!(!session.is_reusable(now + minutes(50), HALF_AN_HOUR));
}

#[test]
fn behind_a_load_balancer_sessions_never_expire() {
    let now = start();
    let session = ServerSession::new(&mut rng(), now);
    assert_eq!(SessionExpiry::new(false, Some(30)), HALF_AN_HOUR);
    assert_eq!(SessionExpiry::new(false, None), SessionExpiry::Never);
    assert!(session.is_reusable(now + minutes(100_000), SessionExpiry::new(true, Some(30))));
    assert!(!session.is_reusable(now, SessionExpiry::new(false, Some(-1))));
}

#[test]
fn sessions_are_ended_in_groups() {
    let (mut pool, mut rng, now) = (ServerSessionPool::new(), rng(), start());
    for _ in 0..MAX_END_SESSIONS + 5 {
        pool.release(now, HALF_AN_HOUR, ServerSession::new(&mut rng, now));
    }
    let groups: Vec<_> = std::iter::from_fn(|| pool.take_ended()).map(|ids| ids.len()).collect();
    assert_eq!(groups, [MAX_END_SESSIONS, 5]);
    assert!(pool.is_empty() && pool.take_ended().is_none());
}

#[test]
fn a_session_out_of_transaction_numbers_is_not_used_again() {
    let now = start();
    let mut session = ServerSession::new(&mut rng(), now);
    session.set_txn_number_for_test(i64::MAX - 1);
    assert!(session.is_reusable(now, SessionExpiry::Never));
    assert_eq!(session.next_txn_number(), i64::MAX);
    assert!(!session.is_reusable(now, SessionExpiry::Never));
}

#[test]
fn only_a_later_cluster_time_advances() {
    let mut highest = None;
    assert!(ClusterTime::advance(&mut highest, &cluster_time(5, 1)));
    assert!(!ClusterTime::advance(&mut highest, &cluster_time(4, 9)));
    assert!(!ClusterTime::advance(&mut highest, &cluster_time(5, 1)));
    assert!(ClusterTime::advance(&mut highest, &cluster_time(5, 2)));
    assert!(!ClusterTime::advance(&mut highest, &rawdoc! { "clusterTime": 77 }));
    assert!(!ClusterTime::advance(&mut highest, &rawdoc! {}));
    let highest = highest.unwrap();
    assert_eq!(highest.time(), Timestamp { time: 5, increment: 2 });
    assert_eq!(highest.document(), &*cluster_time(5, 2), "sent as received, signature included");
}

#[test]
fn a_command_carries_the_later_of_two_cluster_times() {
    let early = ClusterTime::from_document(&cluster_time(1, 0)).unwrap();
    let late = ClusterTime::from_document(&cluster_time(2, 0)).unwrap();
    assert_eq!(ClusterTime::greater_of(Some(&early), Some(&late)), Some(&late));
    assert_eq!(ClusterTime::greater_of(Some(&late), Some(&early)), Some(&late));
    assert_eq!(ClusterTime::greater_of(None, Some(&early)), Some(&early));
    assert_eq!(ClusterTime::greater_of(Some(&early), None), Some(&early));
    assert_eq!(ClusterTime::greater_of(None, None), None);
    assert_eq!(ClusterTime::from_document(&rawdoc! { "clusterTime": "x" }), None);
}
