//! The behaviours that the specification's pool test files describe, with sockets that answer when told to.

use super::scene::*;
use crate::cmap::*;

const CREATION: &[&str] = &["ConnectionPoolCreated", "ConnectionPoolReady", "ConnectionCreated", "ConnectionReady"];
const BORING: &[&str] = &[
    "ConnectionPoolCreated",
    "ConnectionPoolReady",
    "ConnectionCreated",
    "ConnectionReady",
    "ConnectionCheckOutStarted",
];

#[test]
fn a_new_pool_is_announced_with_its_unusual_options() {
    let scene = Scene::paused(options(|options| {
        options.max_size = 50;
        options.min_size = 5;
        options.max_idle = Some(ms(100));
    }));
    let [PoolEvent::PoolCreated(event)] = &scene.events[..] else { panic!("{:?}", scene.events) };
    assert_eq!(event.address.to_string(), "db:27017");
    assert_eq!((event.options.max_pool_size, event.options.min_pool_size), (Some(50), Some(5)));
    assert_eq!((event.options.max_idle_time, event.options.max_connecting), (Some(ms(100)), None));
    assert_eq!(PoolOptions::default().non_default(), NonDefaultPoolOptions::default());
}

#[test]
fn connections_are_numbered_from_one_in_the_order_of_creation() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.take_new("a", 1);
    scene.take_new("b", 2);
    assert_eq!(
        scene.event_lines(),
        [
            "ConnectionCheckOutStarted",
            "ConnectionCreated 1",
            "ConnectionReady 1",
            "ConnectionCheckedOut 1",
            "ConnectionCheckOutStarted",
            "ConnectionCreated 2",
            "ConnectionReady 2",
            "ConnectionCheckedOut 2",
        ]
    );
}

#[test]
fn a_returned_connection_is_used_again() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.take_new("a", 1);
    scene.check_in(1);
    scene.check_out("b");
    assert_eq!(
        scene.events_without(BORING),
        ["ConnectionCheckedOut 1", "ConnectionCheckedIn 1", "ConnectionCheckedOut 1"]
    );
}

#[test]
fn the_most_recently_used_connection_goes_out_first() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.take_new("a", 1);
    scene.take_new("b", 2);
    scene.check_in(2);
    scene.check_in(1);
    scene.check_out("c");
    assert!(scene.has("c gets 1"));
}

#[test]
fn a_paused_pool_refuses_until_it_is_ready() {
    let mut scene = Scene::paused(PoolOptions::default());
    scene.forget();
    scene.check_out("early");
    scene.mark_ready();
    scene.take_new("late", 1);
    assert_eq!(
        scene.event_lines(),
        [
            "ConnectionCheckOutStarted",
            "ConnectionCheckOutFailed connectionError",
            "ConnectionPoolReady",
            "ConnectionCheckOutStarted",
            "ConnectionCreated 1",
            "ConnectionReady 1",
            "ConnectionCheckedOut 1",
        ]
    );
    assert!(matches!(scene.error_of("early"), CheckOutError::PoolCleared(_)));
}

#[test]
fn marking_a_ready_pool_ready_is_no_news() {
    let mut scene = Scene::paused(PoolOptions::default());
    scene.mark_ready();
    scene.mark_ready();
    assert_eq!(scene.event_lines(), ["ConnectionPoolCreated", "ConnectionPoolReady"]);
}

#[test]
fn clearing_a_paused_pool_is_no_news() {
    let mut scene = Scene::paused(PoolOptions::default());
    scene.clear(false);
    scene.mark_ready();
    scene.clear(false);
    scene.clear(false);
    assert_eq!(scene.event_lines(), ["ConnectionPoolCreated", "ConnectionPoolReady", "ConnectionPoolCleared"]);
}

#[test]
fn a_stale_connection_is_closed_when_it_comes_back() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.take_new("a", 1);
    scene.clear(false);
    scene.check_in(1);
    assert_eq!(
        scene.events_without(BORING),
        ["ConnectionCheckedOut 1", "ConnectionPoolCleared", "ConnectionCheckedIn 1", "ConnectionClosed 1 stale"]
    );
}

#[test]
fn a_connection_that_comes_back_to_a_closed_pool_is_closed() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.take_new("a", 1);
    scene.close();
    scene.check_in(1);
    assert_eq!(
        scene.events_without(BORING),
        ["ConnectionCheckedOut 1", "ConnectionPoolClosed", "ConnectionCheckedIn 1", "ConnectionClosed 1 poolClosed"]
    );
    assert!(scene.pool.is_drained());
}

#[test]
fn a_connection_unused_for_too_long_is_replaced_at_check_out() {
    let mut scene = Scene::ready(options(|options| {
        options.max_idle = Some(ms(10));
        options.maintenance_interval = None;
    }));
    scene.take_new("a", 1);
    scene.check_in(1);
    scene.wait(ms(50));
    scene.take_new("b", 2);
    assert_eq!(
        scene.events_without(BORING),
        ["ConnectionCheckedOut 1", "ConnectionCheckedIn 1", "ConnectionClosed 1 idle", "ConnectionCheckedOut 2"]
    );
}

#[test]
fn a_full_pool_makes_check_outs_wait() {
    let mut scene = Scene::ready(max_size(3));
    for (name, id) in [("a", 1), ("b", 2), ("c", 3)] {
        scene.take_new(name, id);
    }
    scene.check_in(3);
    scene.check_out("d");
    scene.check_out("e");
    assert!(scene.has("d gets 3") && scene.pool.counts().waiting == 1);
    scene.check_in(1);
    assert_eq!(scene.log.last().unwrap(), "e gets 1");
    assert_eq!(scene.count("ConnectionCreated"), 3);
}

#[test]
fn waiters_are_served_in_the_order_in_which_they_came() {
    let mut scene = Scene::ready(max_size(1));
    scene.take_new("zero", 1);
    for name in ["one", "two", "three", "four"] {
        scene.check_out(name);
    }
    scene.forget();
    for name in ["one", "two", "three", "four"] {
        scene.check_in(1);
        assert_eq!(scene.log.last().unwrap(), &format!("{name} gets 1"));
    }
    assert_eq!(scene.event_lines(), ["ConnectionCheckedIn 1", "ConnectionCheckedOut 1"].repeat(4));
}

#[test]
fn a_wait_that_is_too_long_ends_with_a_timeout() {
    let mut scene = Scene::ready(options(|options| {
        options.max_size = 1;
        options.wait_queue_timeout = Some(ms(50));
    }));
    scene.take_new("a", 1);
    scene.check_out("b");
    scene.wait(ms(49));
    assert!(scene.errors.is_empty());
    scene.wait(ms(1));
    scene.check_in(1);
    assert_eq!(
        scene.events_without(CREATION),
        [
            "ConnectionCheckOutStarted",
            "ConnectionCheckedOut 1",
            "ConnectionCheckOutStarted",
            "ConnectionCheckOutFailed timeout",
            "ConnectionCheckedIn 1",
        ]
    );
    let error = scene.error_of("b");
    assert_eq!(error.specified().unwrap().0, "WaitQueueTimeoutError");
    assert_eq!(scene.events[scene.events.len() - 2].duration(), Some(ms(50)));
}

#[test]
fn a_closed_pool_refuses() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.take_new("a", 1);
    scene.check_in(1);
    scene.close();
    scene.check_out("b");
    assert_eq!(
        scene.events_without(CREATION),
        [
            "ConnectionCheckOutStarted",
            "ConnectionCheckedOut 1",
            "ConnectionCheckedIn 1",
            "ConnectionClosed 1 poolClosed",
            "ConnectionPoolClosed",
            "ConnectionCheckOutStarted",
            "ConnectionCheckOutFailed poolClosed",
        ]
    );
    assert_eq!(scene.error_of("b").specified().unwrap().0, "PoolClosedError");
}

#[test]
fn clearing_answers_the_wait_queue_at_once() {
    let mut scene = Scene::ready(max_size(1));
    scene.take_new("a", 1);
    scene.forget();
    for name in ["b", "c", "d"] {
        scene.check_out(name);
    }
    scene.clear(false);
    assert_eq!(scene.count("ConnectionCheckOutFailed connectionError"), 3);
    let message = scene.error_of("d").to_string();
    assert!(message.contains("db:27017") && message.contains("socket reset"), "{message}");
}

#[test]
fn clearing_closes_available_connections_without_waiting_for_maintenance() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.take_new("a", 1);
    scene.take_new("b", 2);
    scene.check_in(2);
    scene.clear(false);
    scene.close();
    assert_eq!(
        scene.events_without(BORING),
        [
            "ConnectionCheckedOut 1",
            "ConnectionCheckedOut 2",
            "ConnectionCheckedIn 2",
            "ConnectionPoolCleared",
            "ConnectionClosed 2 stale",
            "ConnectionPoolClosed",
        ]
    );
}

#[test]
fn the_smallest_size_is_filled_from_the_moment_the_pool_is_ready() {
    let mut scene = Scene::paused(options(|options| options.min_size = 3));
    scene.wait(ms(200));
    assert_eq!(scene.event_lines(), ["ConnectionPoolCreated"]);
    scene.mark_ready();
    assert_eq!(scene.pool.counts().pending, 2, "maxConnecting holds in the background as well");
    for id in 1..=3 {
        scene.established(id);
    }
    scene.check_out("a");
    assert_eq!(
        scene.events_without(&["ConnectionReady", "ConnectionCheckOutStarted"]),
        [
            "ConnectionPoolCreated",
            "ConnectionPoolReady",
            "ConnectionCreated 1",
            "ConnectionCreated 2",
            "ConnectionCreated 3",
            "ConnectionCheckedOut 3",
        ]
    );
}

#[test]
fn the_smallest_size_is_filled_again_after_a_clear() {
    let mut scene = Scene::paused(options(|options| options.min_size = 1));
    scene.forget();
    scene.mark_ready();
    scene.established(1);
    scene.clear(false);
    scene.wait(ms(200));
    scene.mark_ready();
    scene.established(2);
    assert_eq!(
        scene.events_without(&["ConnectionClosed"]),
        [
            "ConnectionPoolReady",
            "ConnectionCreated 1",
            "ConnectionReady 1",
            "ConnectionPoolCleared",
            "ConnectionPoolReady",
            "ConnectionCreated 2",
            "ConnectionReady 2",
        ]
    );
}
