//! Prose tests of the server discovery and monitoring specification.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mongo_actors::{
    Client,
    bson::{Document, doc},
    event::{
        Delivery, HeartbeatListener, ServerDescriptionChangedEvent, ServerHeartbeatFailedEvent,
        ServerHeartbeatStartedEvent, ServerHeartbeatSucceededEvent, ServerListener,
    },
};
use mongo_actors_testkit::{FailPoint, MongosProxy, ReplicaSet, Standalone};
use tokio::{io::AsyncReadExt, net::TcpListener};

use crate::kit::eventually;

#[derive(Default)]
struct Beats(Mutex<Vec<Instant>>);

impl HeartbeatListener for Beats {
    fn server_heartbeat_succeeded(&self, _: &ServerHeartbeatSucceededEvent) {
        self.0.lock().unwrap().push(Instant::now());
    }
}

async fn beats_fast(uri: String) {
    let beats = Arc::new(Beats::default());
    let client = Client::builder().uri(uri).heartbeat_listener(beats.clone()).build().unwrap();
    client.database("admin").run_command("ping").await.unwrap();
    let begun = Instant::now();
    eventually("five replies to hello", async || beats.0.lock().unwrap().len() >= 5).await;
    // Every ten seconds would be the default.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    client.close().await;
}

#[tokio::test]
async fn sdam_streaming_1_replies_come_as_often_as_configured() {
    let standalone = Standalone::start().await.unwrap();
    beats_fast(standalone.uri_with(&[("heartbeatFrequencyMS", "500")])).await;
    let set = ReplicaSet::start(1).await.unwrap();
    beats_fast(set.uri_with(&[("heartbeatFrequencyMS", "500")])).await;
    let router = MongosProxy::start(&set).await.unwrap();
    beats_fast(MongosProxy::uri_of(&[&router], &[("heartbeatFrequencyMS", "500")])).await;
}

/// The round-trip time of each description in which the server was known.
#[derive(Default)]
struct Times(Mutex<Vec<Option<Duration>>>);

impl ServerListener for Times {
    fn server_description_changed(&self, event: &ServerDescriptionChangedEvent) {
        if event.new_description.error.is_none() {
            self.0.lock().unwrap().push(event.new_description.round_trip_time);
        }
    }
}

#[tokio::test]
async fn sdam_rtt_1_the_round_trip_time_is_continuously_updated() {
    let set = ReplicaSet::start(1).await.unwrap();
    let times = Arc::new(Times::default());
    let uri = set.uri_with(&[("heartbeatFrequencyMS", "500"), ("appName", "streamingRttTest")]);
    let client = Client::builder().uri(uri).server_listener(times.clone()).build().unwrap();
    client.database("db").collection::<Document>("things").find_one(doc! {}).await.unwrap();
    client.flush_events().await;
    let seen = times.0.lock().unwrap().clone();
    assert!(!seen.is_empty() && seen.iter().all(|time| time.is_some_and(|time| !time.is_zero())), "{seen:?}");
    let fault = FailPoint::fail_command(["hello", "isMaster"]).times(1000).block(Duration::from_millis(500));
    let guard = set.primary().await.unwrap().enable(fault.app_name("streamingRttTest")).await.unwrap();
    eventually("the round-trip time shows the delay", async || {
        let description = client.topology_description();
        let server = description.primary();
        server.and_then(|server| server.round_trip_time).is_some_and(|time| time > Duration::from_millis(250))
    })
    .await;
    guard.disable().await.unwrap();
    client.close().await;
}

/// What happens, on either side.
#[derive(Default)]
struct Story(Mutex<Vec<&'static str>>);

impl Story {
    fn tell(&self, what: &'static str) {
        self.0.lock().unwrap().push(what);
    }
}

impl HeartbeatListener for Story {
    fn delivery(&self) -> Delivery {
        Delivery::Inline
    }

    fn server_heartbeat_started(&self, _: &ServerHeartbeatStartedEvent) {
        self.tell("serverHeartbeatStartedEvent");
    }

    fn server_heartbeat_failed(&self, _: &ServerHeartbeatFailedEvent) {
        self.tell("serverHeartbeatFailedEvent");
    }
}

#[tokio::test]
async fn sdam_heartbeat_1_the_start_is_told_before_the_socket_is_made() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let story = Arc::new(Story::default());
    let server = {
        let story = story.clone();
        async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                story.tell("client connected");
                if client.read(&mut [0; 1024]).await.is_ok_and(|bytes| bytes > 0) {
                    story.tell("client hello received");
                }
            }
        }
    };
    let uri = format!("mongodb://{address}/?serverSelectionTimeoutMS=500");
    let client = Client::builder().uri(uri).heartbeat_listener(story.clone()).build().unwrap();
    let failing = async { client.database("admin").run_command("ping").await.unwrap_err() };
    tokio::select! {
        () = server => unreachable!("it never ends"),
        error = failing => assert!(error.is_timeout(), "{error:?}"),
    }
    client.close().await;
    let seen = story.0.lock().unwrap().clone();
    let expected =
        ["serverHeartbeatStartedEvent", "client connected", "client hello received", "serverHeartbeatFailedEvent"];
    assert_eq!(seen[..4], expected);
}
