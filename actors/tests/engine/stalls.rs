//! Actors that are silent, and arbiters that are blocked.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use bson::rawdoc;
use mongo_actors_engine::{Death, Engine, FaultOrder, Role, SupervisionEvent};
use mongo_actors_protocol::{chaos::MessageFault, retry::Retryability, selection::ServerSelector};

use crate::{actors, command, eventually, persist, run, set, settings, supervision::Chronicle};

const LIMIT: Duration = Duration::from_millis(400);

async fn subject() -> Engine {
    let mut settings = settings(&set().await.uri());
    settings.stall_limit = LIMIT;
    let engine = Engine::start(settings).unwrap();
    persist(&engine, ping()).await;
    engine
}

fn ping() -> mongo_actors_engine::Operation {
    let mut ping = command("ping", rawdoc! { "ping": 1 });
    ping.retryability = Retryability::Read;
    ping
}

#[tokio::test]
async fn a_silent_actor_is_restarted() {
    for (role, message) in
        [(Role::Topology, "Execute"), (Role::ConnectionPool, "CheckOut"), (Role::ConnectionPool, "CheckedIn")]
    {
        let engine = subject().await;
        let mut firings = engine.chaos().order(FaultOrder::new(role, MessageFault::Stall).on(message));
        let began = Instant::now();
        drop(run(&engine, ping()).await);
        assert!(firings.reached(1).await);
        eventually("it is restarted", || actors(&engine, role).iter().any(|actor| actor.restarts == 1)).await;
        persist(&engine, ping()).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{role}: {:?}", began.elapsed());
        let failure = actors(&engine, role)[0].last_failure.clone().unwrap();
        assert_eq!(failure, Death::Stalled);
        engine.close(None).await;
    }
}

#[tokio::test]
async fn a_silent_connection_is_given_up() {
    let engine = subject().await;
    let _firings = engine.chaos().order(FaultOrder::new(Role::Connection, MessageFault::Stall).on("Run"));
    let setback = run(&engine, ping()).await.unwrap_err();
    assert!(!setback.failure.stage.may_be_sent(), "{:?}", setback.failure);
    persist(&engine, ping()).await;
    engine.close(None).await;
}

#[tokio::test]
async fn a_blocked_arbiter_is_named_with_the_actor_that_blocks_it_and_nothing_is_restarted() {
    let chronicle = Arc::new(Chronicle::default());
    let mut settings = settings(&set().await.uri());
    settings.stall_limit = LIMIT;
    settings.listeners.supervision.push(chronicle.clone());
    // An application's server selector runs on the data arbiter, and blocks it once.
    let block = Arc::new(Mutex::new(false));
    let blocks = block.clone();
    settings.selector = Some(ServerSelector::new(move |servers| {
        if std::mem::take(&mut *blocks.lock().unwrap()) {
            thread::sleep(LIMIT * 4);
        }
        servers.to_vec()
    }));
    let engine = Engine::start(settings).unwrap();
    persist(&engine, ping()).await;
    *block.lock().unwrap() = true;
    run(&engine, ping()).await.unwrap();
    let is_named = |event: &SupervisionEvent| matches!(event, SupervisionEvent::ArbiterBlocked { by: Some(path), .. } if path.to_string() == "supervisor/topology");
    eventually("the block is reported", || chronicle.has(is_named)).await;
    let is_over = |event: &SupervisionEvent| matches!(event, SupervisionEvent::ArbiterAnswers { .. });
    eventually("its end is reported", || chronicle.has(is_over)).await;
    assert!(engine.actors().iter().all(|actor| actor.restarts == 0), "{:?}", engine.actors());
    engine.close(None).await;
}
