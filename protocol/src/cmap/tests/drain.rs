//! Connections that read the reply of a cancelled operation.

use super::scene::*;
use crate::cmap::*;

fn busy(size: u32) -> Scene {
    let mut scene = Scene::ready(max_size(size));
    for id in 1..=size {
        scene.take_new("busy", id);
    }
    scene.forget();
    scene
}

#[test]
fn a_drained_connection_comes_back_as_usual() {
    let mut scene = busy(2);
    scene.drain(1);
    assert_eq!(scene.pool.counts().draining, 1);
    scene.check_in(1);
    assert_eq!((scene.pool.counts().draining, scene.pool.counts().available), (0, 1));
    assert_eq!(scene.event_lines(), ["ConnectionCheckedIn 1"]);
}

#[test]
fn at_most_half_the_pool_drains() {
    let mut scene = busy(4);
    for id in [2, 1, 3] {
        scene.drain(id);
        scene.drain(id);
    }
    assert_eq!(scene.log, ["ConnectionCheckedIn 2", "ConnectionClosed 2 error", "close 2 error"]);
    assert_eq!(scene.pool.counts().draining, 2);
    assert!(scene.pool.check_in(scene.now, 2, CheckIn::Reusable).is_err(), "its late return is no surprise");
}

#[test]
fn the_oldest_makes_room_for_someone_who_waits() {
    let mut scene = busy(4);
    scene.drain(3);
    scene.drain(1);
    scene.check_out("waiting");
    assert!(scene.has("close 3 error") && scene.has("establish 5"));
    assert_eq!(scene.pool.counts().draining, 1);
}

#[test]
fn a_waiting_check_out_gets_the_place_of_a_connection_that_starts_to_drain() {
    let mut scene = busy(1);
    scene.check_out("waiting");
    scene.drain(1);
    assert!(scene.has("close 1 error") && scene.has("establish 2"));
}

#[test]
fn none_is_closed_when_the_limit_is_on_establishing() {
    let mut scene = Scene::ready(options(|options| {
        options.max_size = 3;
        max_connecting(1)(options);
    }));
    scene.take_new("a", 1);
    scene.drain(1);
    scene.check_out("b");
    scene.check_out("c");
    assert_eq!(scene.pool.counts().draining, 1);
}

#[test]
fn a_draining_connection_is_interrupted_like_any_other() {
    let mut scene = busy(2);
    scene.drain(1);
    scene.clear(true);
    scene.check_in_broken(1);
    assert_eq!((scene.pool.counts().draining, scene.pool.counts().total), (0, 1));
}
