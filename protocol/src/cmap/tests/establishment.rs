//! Establishing connections: limits, failures, and waiters that do not wait any more.

use super::scene::*;
use crate::cmap::*;

#[test]
fn at_most_max_connecting_are_established_at_a_time() {
    let mut scene = Scene::ready(PoolOptions::default());
    for name in ["a", "b", "c"] {
        scene.check_out(name);
    }
    assert_eq!(scene.count("establish"), 2);
    scene.established(1);
    assert_eq!(scene.count("establish"), 3);
    scene.established(2);
    scene.established(3);
    assert_eq!(
        scene.events_without(&["ConnectionCheckOutStarted", "ConnectionCheckedOut"]),
        [
            "ConnectionCreated 1",
            "ConnectionCreated 2",
            "ConnectionReady 1",
            "ConnectionCreated 3",
            "ConnectionReady 2",
            "ConnectionReady 3",
        ]
    );
}

#[test]
fn max_connecting_can_be_one() {
    let mut scene = Scene::ready(options(max_connecting(1)));
    scene.check_out("a");
    scene.check_out("b");
    scene.established(1);
    scene.established(2);
    let lines = scene.events_without(&["ConnectionCheckOutStarted", "ConnectionCheckedOut"]);
    assert_eq!(lines, ["ConnectionCreated 1", "ConnectionReady 1", "ConnectionCreated 2", "ConnectionReady 2"]);
}

#[test]
fn a_returned_connection_serves_those_who_wait_to_establish_one() {
    let mut scene = Scene::ready(max_size(10));
    scene.take_new("zero", 1);
    for name in ["one", "two", "three"] {
        scene.check_out(name);
    }
    scene.check_in(1);
    assert!(scene.has("three gets 1"), "one and two have connections on their way");
    assert_eq!(scene.pool.counts().pending, 2);
}

#[test]
fn a_failure_is_told_to_the_check_out_that_caused_it() {
    let mut scene = Scene::ready(options(max_connecting(1)));
    scene.check_out("a");
    scene.check_out("b");
    scene.failed(1, "wrong password");
    assert_eq!(scene.error_of("a"), &CheckOutError::Establishment("wrong password"));
    assert_eq!(
        scene.event_lines()[3..],
        ["ConnectionClosed 1 error", "ConnectionCheckOutFailed connectionError", "ConnectionCreated 2"]
    );
    assert_eq!(scene.pool.counts().pending, 1);
}

#[test]
fn a_clear_told_before_the_failure_comes_before_it() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.check_out("a");
    scene.clear(false);
    scene.failed(1, "authentication failed");
    assert_eq!(
        scene.event_lines(),
        [
            "ConnectionCheckOutStarted",
            "ConnectionCreated 1",
            "ConnectionPoolCleared",
            "ConnectionClosed 1 error",
            "ConnectionCheckOutFailed connectionError",
        ]
    );
    assert_eq!(scene.error_of("a"), &CheckOutError::Establishment("authentication failed"));
}

#[test]
fn a_connection_that_became_stale_on_the_way_is_not_handed_out() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.check_out("a");
    scene.clear(false);
    scene.established(1);
    assert_eq!(
        scene.event_lines()[2..],
        ["ConnectionPoolCleared", "ConnectionClosed 1 stale", "ConnectionCheckOutFailed connectionError"]
    );
    assert!(matches!(scene.error_of("a"), CheckOutError::PoolCleared(_)));
}

#[test]
fn a_connection_whose_check_out_was_cancelled_serves_others() {
    let mut scene = Scene::ready(options(|options| {
        options.max_size = 1;
    }));
    let gone = scene.check_out("gone");
    scene.check_out("next");
    gone.set(true);
    scene.established(1);
    assert!(scene.has("next gets 1"));
    assert_eq!(scene.error_of("gone"), &CheckOutError::Cancelled);
}

#[test]
fn a_failure_nobody_waits_for_is_told_to_nobody() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.check_out_until("a", Some(ms(10)));
    scene.wait(ms(10));
    scene.forget();
    scene.failed(1, "refused");
    assert_eq!(scene.event_lines(), ["ConnectionClosed 1 error"]);
    let PoolEvent::ConnectionClosed(event) = &scene.events[0] else { panic!() };
    assert_eq!(event.error.as_deref(), Some("refused"));
}

#[test]
fn an_owner_that_dies_while_establishing_fails_the_check_out() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.check_out("a");
    scene.died(1);
    assert_eq!(scene.error_of("a"), &CheckOutError::Lost);
    assert_eq!(scene.pool.counts().total, 0);
}

#[test]
fn an_available_connection_that_ends_leaves_the_pool() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.take_new("a", 1);
    scene.take_new("b", 2);
    scene.check_in(1);
    scene.check_in(2);
    scene.died(2);
    scene.check_out("c");
    assert!(scene.has("ConnectionClosed 2 error") && scene.has("c gets 1"));
}

#[test]
fn a_connection_in_use_that_ends_leaves_the_pool_when_it_comes_back() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.take_new("a", 1);
    scene.died(1);
    assert_eq!(scene.pool.counts().in_use, 1);
    scene.check_in(1);
    assert!(scene.has("ConnectionClosed 1 error"));
}

#[test]
fn a_broken_connection_is_closed_and_its_place_given_to_the_next() {
    let mut scene = Scene::ready(max_size(1));
    scene.take_new("a", 1);
    scene.check_out("b");
    scene.forget();
    scene.check_in_broken(1);
    assert_eq!(scene.event_lines(), ["ConnectionCheckedIn 1", "ConnectionClosed 1 error", "ConnectionCreated 2"]);
    scene.established(2);
    assert!(scene.has("b gets 2"));
}

#[test]
fn reports_about_unknown_connections_change_nothing() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.established(9);
    scene.failed(9, "x");
    scene.died(9);
    scene.drain(9);
    scene.take_new("a", 1);
    scene.forget();
    scene.established(1);
    scene.failed(1, "x");
    assert!(scene.log.is_empty() && scene.pool.counts().in_use == 1);
}
