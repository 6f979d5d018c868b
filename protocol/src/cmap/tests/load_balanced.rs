//! Pools behind a load balancer: a generation for each service.

use bson::oid::ObjectId;

use super::scene::*;
use crate::cmap::*;

const EAST: ObjectId = ObjectId::from_bytes([1; 12]);
const WEST: ObjectId = ObjectId::from_bytes([2; 12]);

fn scene() -> Scene {
    Scene::ready(options(|options| options.load_balanced = true))
}

fn take(scene: &mut Scene, name: &'static str, id: ConnectionId, service: ObjectId) -> Generation {
    scene.check_out(name);
    let generation = scene.pool.handshake_completed(id, service).unwrap();
    scene.established(id);
    generation
}

fn clear_service(scene: &mut Scene, service: ObjectId, generation: u32) {
    let clear = Clear { generation: Generation(generation), service_id: Some(service), ..Clear::default() };
    scene.pool.clear(scene.now, clear);
    scene.settle();
}

#[test]
fn only_connections_of_the_cleared_service_are_closed() {
    let mut scene = scene();
    take(&mut scene, "a", 1, EAST);
    take(&mut scene, "b", 2, WEST);
    take(&mut scene, "c", 3, EAST);
    scene.check_in(3);
    scene.forget();
    clear_service(&mut scene, EAST, 1);
    scene.check_in(1);
    scene.check_in(2);
    assert_eq!(
        scene.event_lines(),
        [
            "ConnectionPoolCleared",
            "ConnectionClosed 3 stale",
            "ConnectionCheckedIn 1",
            "ConnectionClosed 1 stale",
            "ConnectionCheckedIn 2",
        ]
    );
    let PoolEvent::PoolCleared(event) = &scene.events[0] else { panic!() };
    assert_eq!(event.service_id, Some(EAST));
}

#[test]
fn errors_are_reported_with_the_generation_of_the_service() {
    let mut scene = scene();
    clear_service(&mut scene, EAST, 4);
    scene.check_out("a");
    let unknown = Origin { generation: Generation(0), service_id: None };
    assert_eq!(scene.pool.origin(1), Some(unknown));
    scene.pool.handshake_completed(1, EAST);
    let known = Origin { generation: Generation(4), service_id: Some(EAST) };
    assert_eq!(scene.pool.origin(1), Some(known));
    assert_eq!(scene.pool.origin(2), None);
}

#[test]
fn the_pool_goes_on_serving() {
    let mut scene = scene();
    take(&mut scene, "a", 1, EAST);
    scene.check_out("waiting");
    clear_service(&mut scene, EAST, 1);
    assert_eq!(scene.pool.state(), PoolState::Ready);
    scene.established(2);
    assert!(scene.has("waiting gets 2"));
}

#[test]
fn a_service_keeps_its_generation_as_long_as_the_topology_does() {
    let mut scene = scene();
    assert_eq!(take(&mut scene, "a", 1, EAST), Generation(0));
    clear_service(&mut scene, EAST, 1);
    scene.check_in(1);
    assert_eq!(take(&mut scene, "b", 2, EAST), Generation(1));
}

#[test]
fn a_service_without_connections_that_was_never_cleared_is_forgotten() {
    let mut scene = scene();
    take(&mut scene, "a", 1, EAST);
    take(&mut scene, "b", 2, WEST);
    scene.check_in_broken(1);
    assert_eq!(scene.pool.generations.known_services(), 1);
}

#[test]
fn a_clear_between_handshake_and_authentication_counts() {
    let mut scene = scene();
    scene.check_out("a");
    assert_eq!(scene.pool.handshake_completed(1, EAST), Some(Generation(0)));
    clear_service(&mut scene, EAST, 1);
    scene.failed(1, "authentication failed");
    assert_eq!(
        scene.event_lines()[1..],
        [
            "ConnectionCreated 1",
            "ConnectionPoolCleared",
            "ConnectionClosed 1 error",
            "ConnectionCheckOutFailed connectionError"
        ]
    );
}

#[test]
fn a_clear_without_a_service_is_not_for_a_load_balanced_pool() {
    let mut scene = scene();
    scene.clear(true);
    assert!(scene.log.is_empty());
    assert_eq!(scene.pool.state(), PoolState::Ready);
}
