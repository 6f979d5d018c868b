//! Closing for ever.

use super::scene::*;
use crate::cmap::*;

#[test]
fn everyone_who_waits_is_answered() {
    let mut scene = Scene::ready(options(max_connecting(1)));
    scene.check_out("establishing");
    scene.check_out("queued");
    scene.forget();
    scene.close();
    assert_eq!(
        scene.log,
        [
            "ConnectionCheckOutFailed poolClosed",
            "queued refused: poolClosed",
            "ConnectionClosed 1 poolClosed",
            "close 1 poolClosed",
            "ConnectionCheckOutFailed poolClosed",
            "establishing refused: poolClosed",
            "ConnectionPoolClosed",
        ]
    );
    assert!(scene.pool.is_drained());
}

#[test]
fn a_closed_pool_stays_closed() {
    let mut scene = Scene::ready(options(|options| options.min_size = 2));
    scene.close();
    scene.forget();
    scene.close();
    scene.mark_ready();
    scene.clear(true);
    scene.wait(ms(10_000));
    assert!(scene.log.is_empty());
    assert_eq!(scene.pool.state(), PoolState::Closed);
}

#[test]
fn it_is_drained_when_the_last_connection_is_back() {
    let mut scene = Scene::ready(PoolOptions::default());
    scene.take_new("a", 1);
    scene.take_new("b", 2);
    scene.close();
    scene.check_in(2);
    assert!(!scene.pool.is_drained());
    scene.check_in_broken(1);
    assert!(scene.pool.is_drained() && scene.has("ConnectionClosed 1 poolClosed"));
}
