//! A pool whose owner crashed.

use super::scene::*;
use crate::{cmap::*, sdam::PoolGenerations};

fn crash(scene: &mut Scene) {
    let fresh = Scene::paused(scene.pool.options().clone()).pool;
    let crashed = std::mem::replace(&mut scene.pool, fresh);
    scene.pool = crashed.restarted(scene.now, PoolGenerations::default());
    scene.settle();
}

#[test]
fn every_waiter_is_answered_and_every_connection_closed() {
    let mut scene = Scene::ready(max_size(3));
    scene.take_new("a", 1);
    scene.take_new("b", 2);
    scene.check_in(2);
    scene.check_out("c");
    scene.check_out("establishing");
    scene.check_out("queued");
    scene.forget();
    crash(&mut scene);
    assert_eq!(
        scene.event_lines(),
        [
            "ConnectionPoolCleared interrupting",
            "ConnectionCheckOutFailed connectionError",
            "ConnectionCheckedIn 1",
            "ConnectionClosed 1 error",
            "ConnectionCheckedIn 2",
            "ConnectionClosed 2 error",
            "ConnectionClosed 3 error",
            "ConnectionCheckOutFailed connectionError",
        ]
    );
    assert!(scene.has("queued refused: connectionError") && scene.has("establishing refused: connectionError"));
    assert_eq!(scene.count("close"), 3);
    assert_eq!(scene.pool.counts(), PoolCounts::default());
}

#[test]
fn numbers_go_on_and_late_returns_are_ignored() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.take_new("a", 1);
    crash(&mut scene);
    assert_eq!(scene.pool.state(), PoolState::Paused);
    assert!(scene.pool.check_in(scene.now, 1, CheckIn::Reusable).is_err());
    scene.mark_ready();
    scene.take_new("b", 2);
}

#[test]
fn what_had_not_been_carried_out_is_not_lost() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.take_new("a", 1);
    scene.check_in(1);
    scene.forget();
    let caller = Caller { name: "b", cancelled: Default::default() };
    scene.pool.check_out(scene.now, caller, None);
    crash(&mut scene);
    assert_eq!(scene.errors, [("b", CheckOutError::Lost)]);
    assert_eq!(
        scene.event_lines(),
        [
            "ConnectionCheckOutStarted",
            "ConnectionCheckedOut 1",
            "ConnectionPoolCleared interrupting",
            "ConnectionCheckedIn 1",
            "ConnectionClosed 1 error",
        ]
    );
}

#[test]
fn a_closed_pool_is_closed_afterwards() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.close();
    crash(&mut scene);
    assert!(scene.pool.is_drained());
}
