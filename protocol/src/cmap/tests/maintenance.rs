//! Idle connections and the smallest size, over time.

use super::scene::*;
use crate::cmap::*;

fn idle_after(limit: u64, change: impl FnOnce(&mut PoolOptions)) -> PoolOptions {
    options(|options| {
        options.max_idle = Some(ms(limit));
        change(options);
    })
}

#[test]
fn connections_unused_for_too_long_are_closed_in_the_background() {
    let mut scene = Scene::ready(idle_after(5_000, |_| {}));
    scene.take_new("a", 1);
    scene.take_new("b", 2);
    scene.check_in(1);
    scene.wait(ms(2_000));
    scene.check_in(2);
    scene.forget();
    scene.wait(ms(2_999));
    assert!(scene.log.is_empty());
    scene.wait(ms(1));
    assert_eq!(scene.event_lines(), ["ConnectionClosed 1 idle"]);
    scene.wait(ms(2_000));
    assert_eq!(scene.event_lines().last().unwrap(), "ConnectionClosed 2 idle");
    assert_eq!(scene.pool.next_deadline(), None);
}

#[test]
fn runs_are_an_interval_apart() {
    let mut scene = Scene::ready(idle_after(10, |options| options.maintenance_interval = Some(ms(500))));
    for (name, id) in [("a", 1), ("b", 2)] {
        scene.take_new(name, id);
    }
    scene.check_in(1);
    scene.wait(ms(400));
    scene.check_in(2);
    scene.forget();
    scene.wait(ms(100));
    assert_eq!(scene.count("close"), 2);
}

#[test]
fn what_falls_below_the_smallest_size_is_replaced() {
    let mut scene = Scene::ready(idle_after(5_000, |options| options.min_size = 1));
    scene.established(1);
    scene.wait(ms(5_000));
    assert!(scene.has("ConnectionClosed 1 idle") && scene.has("establish 2 in the background"));
    scene.established(2);
    scene.check_out("a");
    scene.check_in_broken(2);
    assert!(scene.has("establish 3 in the background"));
}

#[test]
fn a_server_that_refuses_is_asked_once_per_interval() {
    let mut scene = Scene::paused(options(|options| {
        options.min_size = 3;
        max_connecting(1)(options);
    }));
    scene.mark_ready();
    for id in 1..=5 {
        scene.failed(id, "overloaded");
        assert_eq!(scene.pool.counts().pending, 0);
        scene.wait(ms(999));
        assert_eq!(scene.pool.counts().pending, 0);
        scene.wait(ms(1));
        assert_eq!(scene.pool.counts().pending, 1);
    }
    assert_eq!(scene.count("establish"), 6);
}

#[test]
fn a_check_out_does_not_wait_for_the_pause_after_a_failure() {
    let mut scene = Scene::ready(options(|options| options.min_size = 1));
    scene.failed(1, "overloaded");
    scene.take_new("a", 2);
}

#[test]
fn a_check_out_takes_the_connection_made_in_the_background() {
    let mut scene = Scene::ready(options(|options| {
        options.min_size = 1;
        options.max_size = 1;
    }));
    scene.check_out("a");
    assert_eq!(scene.pool.counts().waiting, 1);
    scene.established(1);
    assert!(scene.has("a gets 1"));
}

#[test]
fn a_paused_pool_is_not_filled() {
    let mut scene = Scene::ready(options(|options| options.min_size = 2));
    scene.clear(true);
    scene.forget();
    scene.wait(ms(60_000));
    assert!(scene.log.is_empty());
}
