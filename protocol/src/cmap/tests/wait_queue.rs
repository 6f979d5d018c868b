//! Time limits, cancellation and fairness of the wait queue.

use super::scene::*;
use crate::cmap::*;

#[test]
fn a_timeout_tells_what_the_connections_are_used_for() {
    let mut scene = Scene::ready(max_size(4));
    for (name, id) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
        scene.take_new(name, id);
    }
    scene.pool.set_purpose(2, Purpose::Cursor);
    scene.pool.set_purpose(3, Purpose::Cursor);
    scene.pool.set_purpose(4, Purpose::Transaction);
    scene.check_out_until("late", Some(ms(5)));
    scene.wait(ms(5));
    let message = scene.error_of("late").to_string();
    let expected = "maxPoolSize: 4, connections in use by cursors: 2, connections in use by transactions: 1, \
                    connections in use by other operations: 1";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn a_new_holder_starts_as_an_ordinary_operation() {
    let mut scene = Scene::ready(max_size(1));
    scene.take_new("a", 1);
    scene.pool.set_purpose(1, Purpose::Cursor);
    scene.check_in(1);
    scene.check_out("b");
    scene.check_out_until("c", Some(ms(1)));
    scene.wait(ms(1));
    let CheckOutError::WaitQueueTimeout(timeout) = scene.error_of("c") else { panic!() };
    assert_eq!((timeout.in_use_by_cursors, timeout.in_use_by_other_operations), (0, 1));
}

#[test]
fn a_deadline_of_ones_own_replaces_the_wait_queue_timeout() {
    let mut scene = Scene::ready(options(|options| {
        options.max_size = 1;
        options.wait_queue_timeout = Some(ms(50));
    }));
    scene.take_new("a", 1);
    scene.check_out_until("patient", Some(ms(200)));
    scene.check_out_until("hasty", Some(ms(10)));
    scene.wait(ms(10));
    assert!(scene.has("hasty refused: timeout"));
    scene.wait(ms(150));
    assert!(!scene.has("patient refused: timeout"));
    scene.wait(ms(40));
    assert!(scene.has("patient refused: timeout"));
}

#[test]
fn the_wait_queue_timeout_does_not_limit_establishment_but_a_deadline_does() {
    let mut scene = Scene::ready(options(|options| options.wait_queue_timeout = Some(ms(50))));
    scene.check_out("unlimited");
    scene.check_out_until("limited", Some(ms(60)));
    scene.wait(ms(100));
    assert_eq!(scene.errors.len(), 1);
    assert!(scene.has("limited refused: timeout"));
    scene.established(1);
    assert!(scene.has("unlimited gets 1"));
    scene.established(2);
    assert_eq!(scene.pool.counts().available, 1, "the connection is kept for others");
}

#[test]
fn a_timed_out_waiter_in_the_middle_leaves_the_order_alone() {
    let mut scene = Scene::ready(max_size(1));
    scene.take_new("a", 1);
    scene.check_out("first");
    scene.check_out_until("second", Some(ms(5)));
    scene.check_out("third");
    scene.wait(ms(5));
    scene.check_in(1);
    scene.check_in(1);
    let order: Vec<_> = scene.log.iter().filter(|line| line.contains(" gets ")).skip(1).collect();
    assert_eq!(order, ["first gets 1", "third gets 1"]);
    assert!(scene.pool.next_deadline().is_none());
}

#[test]
fn zero_means_no_limit() {
    let mut scene = Scene::ready(options(|options| {
        options.max_size = 0;
        options.max_connecting = std::num::NonZeroU32::MAX;
        options.wait_queue_timeout = Some(ms(0));
        options.max_idle = Some(ms(0));
    }));
    for _ in 0..300 {
        scene.check_out("x");
    }
    assert_eq!(scene.count("establish"), 300);
    scene.established(1);
    scene.check_in(1);
    scene.wait(ms(1_000_000));
    assert!(scene.errors.is_empty() && scene.pool.counts().available == 1);
}

#[test]
fn a_cancelled_waiter_is_skipped() {
    let mut scene = Scene::ready(max_size(1));
    scene.take_new("a", 1);
    let gone = scene.check_out("gone");
    scene.check_out("next");
    gone.set(true);
    scene.check_in(1);
    assert!(scene.has("next gets 1"));
    assert_eq!(scene.error_of("gone"), &CheckOutError::Cancelled);
}

#[test]
fn cancelled_waiters_are_swept_when_the_queue_doubles() {
    let mut scene = Scene::ready(max_size(1));
    scene.take_new("a", 1);
    for _ in 0..10_000 {
        scene.check_out("gone").set(true);
        assert!(scene.pool.counts().waiting < 17);
    }
    for _ in 0..100 {
        scene.check_out("here");
    }
    assert_eq!(scene.errors.len(), 10_000);
    assert_eq!(scene.pool.counts().waiting, 100);
}

#[test]
fn events_are_only_built_when_wanted() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.pool.set_events_wanted(false);
    scene.take_new("a", 1);
    scene.check_in(1);
    scene.clear(true);
    assert!(scene.events.is_empty());
}

#[test]
fn a_check_out_reports_how_long_it_took() {
    let mut scene = Scene::ready(max_size(1));
    scene.check_out("a");
    scene.pass(ms(30));
    scene.established(1);
    scene.check_out("b");
    scene.pass(ms(20));
    scene.check_in(1);
    let durations: Vec<_> = scene.events.iter().filter_map(PoolEvent::duration).collect();
    assert_eq!(durations, [ms(30), ms(30), ms(20)]);
}

#[test]
fn only_connections_that_are_out_can_come_back() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.check_out("a");
    let not_out = Err(NotCheckedOut { id: 1 });
    assert_eq!(scene.pool.check_in(scene.now, 1, CheckIn::Reusable), not_out);
    scene.established(1);
    scene.check_in(1);
    assert_eq!(scene.pool.check_in(scene.now, 1, CheckIn::Reusable), not_out);
    assert_eq!(scene.pool.check_in(scene.now, 7, CheckIn::Broken), Err(NotCheckedOut { id: 7 }));
}

#[test]
fn someone_whose_time_is_up_is_not_served_even_before_the_clock_has_been_read() {
    let mut scene = Scene::ready(max_size(1));
    scene.take_new("a", 1);
    scene.check_out_until("late", Some(ms(10)));
    scene.check_out("patient");
    scene.pass(ms(10));
    scene.check_in(1);
    assert!(scene.has("late refused: timeout") && scene.has("patient gets 1"));
}

#[test]
fn checking_out_and_in_grows_nothing() {
    let mut scene = Scene::ready(max_size(2));
    scene.pool.set_events_wanted(false);
    scene.take_new("a", 1);
    scene.check_in(1);
    let size = |scene: &Scene| {
        let pool = &scene.pool;
        (pool.actions.capacity(), pool.available.capacity(), pool.queue.capacity(), pool.establishing.capacity())
    };
    let before = size(&scene);
    for _ in 0..1_000 {
        scene.check_out("b");
        scene.check_in(1);
    }
    assert_eq!(size(&scene), before);
}

#[test]
fn those_who_wait_can_look_elsewhere_and_leave_what_is_being_established_to_the_pool() {
    let mut scene = Scene::ready(max_size(2));
    scene.take_new("user", 1);
    for name in ["establishing", "queued", "stays"] {
        scene.check_out(name);
    }
    let now = scene.now;
    let dismissed = scene.pool.dismiss_waiting(now, |caller| caller.name != "stays");
    scene.settle();
    assert_eq!(dismissed.iter().map(|caller| caller.name).collect::<Vec<_>>(), ["queued", "establishing"]);
    assert!(scene.errors.is_empty(), "they are not refused");
    scene.established(2);
    assert!(scene.has("stays gets 2"), "{:?}", scene.log);
}
