//! Prose tests of the connection monitoring and pooling specification.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use mongo_actors::{
    Client,
    bson::doc,
    event::{ConnectionCheckoutFailedEvent, PoolCreatedEvent, PoolListener},
    options::ReadPreference,
};
use mongo_actors_testkit::{Reply, Role, ScriptedServer};

use crate::kit::eventually;

#[derive(Default)]
struct Pools {
    created: Mutex<BTreeMap<String, PoolCreatedEvent>>,
    failures: Mutex<Vec<&'static str>>,
}

impl PoolListener for Pools {
    fn pool_created(&self, event: &PoolCreatedEvent) {
        self.created.lock().unwrap().insert(event.address.to_string(), event.clone());
    }

    fn connection_checkout_failed(&self, event: &ConnectionCheckoutFailedEvent) {
        self.failures.lock().unwrap().push(event.reason.as_str());
    }
}

/// The options are those of the client, whether they come from its connection string or from code; nothing else has any.
#[tokio::test]
async fn cmap_1_to_4_all_pools_have_the_options_of_the_client() {
    let router = || ScriptedServer::builder().role(Role::Mongos).start();
    let (first, second) = (router().await.unwrap(), router().await.unwrap());
    let hosts = format!("mongodb://{},{}", first.address(), second.address());
    let options = "maxPoolSize=7&minPoolSize=1&maxIdleTimeMS=60000&maxConnecting=3&waitQueueTimeoutMS=5000";
    let by_uri = Client::builder().uri(format!("{hosts}/?{options}"));
    let in_code = Client::builder()
        .uri(hosts)
        .max_pool_size(7)
        .min_pool_size(1)
        .max_idle_time(Duration::from_secs(60))
        .max_connecting(3.try_into().unwrap())
        .wait_queue_timeout(Duration::from_secs(5));
    for builder in [by_uri, in_code] {
        let pools = Arc::new(Pools::default());
        let client = builder.pool_listener(pools.clone()).build().unwrap();
        eventually("two pools", async || {
            client.ping(ReadPreference::nearest()).await.unwrap();
            client.flush_events().await;
            pools.created.lock().unwrap().len() == 2
        })
        .await;
        for event in pools.created.lock().unwrap().values() {
            let options = &event.options;
            assert_eq!((options.max_pool_size, options.min_pool_size), (Some(7), Some(1)));
            assert_eq!((options.max_idle_time, options.max_connecting), (Some(Duration::from_secs(60)), Some(3)));
            assert_eq!(options.wait_queue_timeout, Some(Duration::from_secs(5)));
        }
        client.close().await;
    }
}

#[tokio::test]
async fn cmap_5_a_connection_that_cannot_be_set_up_fails_the_check_out() {
    let refusal = Reply::error(18, "AuthenticationFailed", "no");
    let server = ScriptedServer::builder().on("saslStart", refusal).start().await.unwrap();
    let pools = Arc::new(Pools::default());
    let client = Client::builder()
        .uri(server.uri())
        .username("ada")
        .password("secret")
        .pool_listener(pools.clone())
        .build()
        .unwrap();
    client.database("db").run_command(doc! { "ping": 1 }).await.unwrap_err();
    client.flush_events().await;
    assert_eq!(*pools.failures.lock().unwrap(), ["connectionError"]);
    client.close().await;
}
