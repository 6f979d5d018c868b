//! The beginning and the end of clients.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use mongo_actors::{
    Client,
    event::{
        HeartbeatListener, ServerClosedEvent, ServerHeartbeatFailedEvent, ServerHeartbeatStartedEvent,
        ServerHeartbeatSucceededEvent, ServerListener, TopologyClosedEvent, TopologyListener,
    },
};
use mongo_actors_testkit::ReplicaSet;

#[tokio::test]
async fn a_client_that_was_never_used_flushes_and_closes() {
    let set = ReplicaSet::start(1).await.unwrap();
    for _ in 0..20 {
        let client = Client::with_uri_str(set.uri()).await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), client.flush_events()).await.expect("it flushes");
        tokio::time::timeout(Duration::from_secs(5), client.close()).await.expect("it closes");
    }
}

/// What was told of monitoring, in order.
#[derive(Default)]
struct Story(Mutex<Vec<&'static str>>);

impl Story {
    fn tell(&self, what: &'static str) {
        self.0.lock().unwrap().push(what);
    }
}

impl HeartbeatListener for Story {
    fn server_heartbeat_started(&self, _: &ServerHeartbeatStartedEvent) {
        self.tell("heartbeat started");
    }

    fn server_heartbeat_succeeded(&self, _: &ServerHeartbeatSucceededEvent) {
        self.tell("heartbeat ended");
    }

    fn server_heartbeat_failed(&self, _: &ServerHeartbeatFailedEvent) {
        self.tell("heartbeat ended");
    }
}

impl ServerListener for Story {
    fn server_closed(&self, _: &ServerClosedEvent) {
        self.tell("server closed");
    }
}

impl TopologyListener for Story {
    fn topology_closed(&self, _: &TopologyClosedEvent) {
        self.tell("topology closed");
    }
}

/// Servers that stream have a heartbeat open nearly always.
#[tokio::test]
async fn closing_ends_every_heartbeat_before_the_servers_and_the_topology() {
    let set = ReplicaSet::start(1).await.unwrap();
    for _ in 0..10 {
        let story = Arc::new(Story::default());
        let client = Client::builder()
            .uri(set.uri())
            .heartbeat_listener(story.clone())
            .server_listener(story.clone())
            .topology_listener(story.clone())
            .build()
            .unwrap();
        client.database("admin").run_command("ping").await.unwrap();
        client.close().await;
        let told = story.0.lock().unwrap().clone();
        let count = |what| told.iter().filter(|told| **told == what).count();
        assert_eq!(count("heartbeat started"), count("heartbeat ended"), "{told:?}");
        assert_eq!(told[told.len() - 3..], ["heartbeat ended", "server closed", "topology closed"], "{told:?}");
    }
}

#[tokio::test]
async fn a_closed_client_has_no_actors_any_more() {
    let set = ReplicaSet::start(1).await.unwrap();
    for _ in 0..20 {
        let client = Client::with_uri_str(set.uri()).await.unwrap();
        client.database("admin").run_command("ping").await.unwrap();
        assert!(!client.actors().is_empty());
        client.close().await;
        assert_eq!(client.actors().iter().map(|actor| actor.path.to_string()).collect::<Vec<_>>(), [""; 0]);
    }
}
