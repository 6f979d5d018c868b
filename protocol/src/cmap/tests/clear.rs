//! Clearing: what is interrupted, what is closed, and what is left alone.

use super::scene::*;
use crate::cmap::*;

#[test]
fn a_connection_on_its_way_is_interrupted() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.check_out("a");
    scene.clear(true);
    assert_eq!(
        scene.event_lines(),
        [
            "ConnectionCheckOutStarted",
            "ConnectionCreated 1",
            "ConnectionPoolCleared interrupting",
            "ConnectionClosed 1 stale",
            "ConnectionCheckOutFailed connectionError",
        ]
    );
    assert!(scene.has("close 1 stale"));
    let message = scene.error_of("a").to_string();
    assert_eq!(message, "Connection to db:27017 interrupted due to server monitor timeout");
}

#[test]
fn operations_are_interrupted_and_their_connections_closed_when_they_come_back() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.take_new("a", 1);
    scene.take_new("b", 2);
    scene.forget();
    scene.clear(true);
    assert_eq!(scene.log, ["ConnectionPoolCleared interrupting", "interrupt 1", "interrupt 2"]);
    scene.forget();
    scene.check_in_broken(1);
    scene.check_in_broken(2);
    assert_eq!(
        scene.event_lines(),
        ["ConnectionCheckedIn 1", "ConnectionClosed 1 stale", "ConnectionCheckedIn 2", "ConnectionClosed 2 stale"]
    );
}

#[test]
fn without_the_flag_operations_go_on() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.take_new("a", 1);
    scene.clear(false);
    assert_eq!(scene.count("interrupt"), 0);
}

#[test]
fn a_second_clear_can_still_interrupt_while_the_pool_is_paused() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.take_new("a", 1);
    scene.clear(false);
    scene.forget();
    scene.clear(true);
    scene.clear(true);
    assert_eq!(scene.log, ["interrupt 1"]);
}

#[test]
fn a_generation_the_pool_already_has_changes_nothing() {
    let mut scene = Scene::ready(PoolOptions::default());
    let clear = Clear { generation: Generation(3), ..Clear::default() };
    scene.pool.clear(scene.now, clear.clone());
    scene.mark_ready();
    scene.take_new("a", 1);
    scene.forget();
    for generation in [3, 2, 0] {
        scene.pool.clear(scene.now, Clear { generation: Generation(generation), ..clear.clone() });
    }
    scene.settle();
    assert!(scene.log.is_empty());
    assert_eq!((scene.pool.state(), scene.pool.generation()), (PoolState::Ready, Generation(3)));
}

#[test]
fn connections_of_the_new_generation_are_not_stale() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.take_new("a", 1);
    scene.clear(false);
    scene.mark_ready();
    scene.take_new("b", 2);
    scene.check_in(2);
    scene.check_in(1);
    assert!(scene.has("ConnectionClosed 1 stale"));
    assert_eq!(scene.pool.counts().available, 1);
}

#[test]
fn the_cause_is_forgotten_once_the_server_is_back() {
    let mut scene = Scene::ready(max_size(1));
    scene.clear(false);
    scene.check_out("during");
    assert!(scene.error_of("during").to_string().contains("socket reset"));
    scene.mark_ready();
    scene.pool.clear(scene.now, Clear { generation: Generation(9), ..Clear::default() });
    scene.check_out("after");
    assert!(!scene.error_of("after").to_string().contains("socket reset"));
}
