//! Prose tests of the server selection specification. Pretended routers stand in for a sharded cluster: that one of them
//! is slow to find is all that matters.

use std::time::Duration;

use mongo_actors::{
    Client,
    bson::{Document, doc},
    options::{ReadPreference, ServerSelector},
};
use mongo_actors_testkit::{Reply, Role, ScriptedServer};

use crate::{commands::Commands, kit::eventually};

async fn router() -> ScriptedServer {
    ScriptedServer::builder().role(Role::Mongos).on("find", Reply::cursor("db.things", [])).start().await.unwrap()
}

async fn both_known(client: &Client) {
    eventually("both routers are known", async || {
        client.ping(ReadPreference::nearest()).await.unwrap();
        client.nodes().len() == 2
    })
    .await;
}

/// Ten tasks that look for something so many times each, and the share of the commands that the first server got.
async fn share_of_first(client: &Client, times: usize, servers: [&ScriptedServer; 2]) -> f64 {
    servers.iter().for_each(|server| server.forget_received());
    let things = client.database("db").collection::<Document>("things");
    let task = async || {
        for _ in 0..times {
            things.find_one(doc! {}).await.unwrap();
        }
    };
    futures_util::future::join_all((0..10).map(|_| task())).await;
    let [first, second] = servers.map(|server| server.received_named("find").len());
    assert_eq!(first + second, 10 * times);
    first as f64 / (first + second) as f64
}

#[tokio::test]
async fn server_selection_prose_the_less_busy_of_two_is_preferred() {
    let (first, second) = (router().await, router().await);
    let (one, other) = (first.address(), second.address());
    let options = "localThresholdMS=30000&minPoolSize=10&maxPoolSize=10";
    let client = Client::with_uri_str(&format!("mongodb://{one},{other}/?{options}")).await.unwrap();
    both_known(&client).await;
    client.warm_up().await.unwrap();
    first.on("find", Reply::cursor("db.things", []).after(Duration::from_millis(500)));
    let share = share_of_first(&client, 10, [&first, &second]).await;
    assert!(share < 0.25, "{share}");
    first.on("find", Reply::cursor("db.things", []));
    let share = share_of_first(&client, 100, [&first, &second]).await;
    assert!((0.4..=0.6).contains(&share), "{share}");
    client.close().await;
}

#[tokio::test]
async fn server_selection_prose_the_selector_of_the_application_has_the_last_word() {
    let (first, second) = (router().await, router().await);
    let highest = first.socket_address().port().max(second.socket_address().port());
    let uri = format!("mongodb://{},{}/?readPreference=nearest", first.address(), second.address());
    let selector = ServerSelector::new(|servers| {
        servers.iter().max_by_key(|server| server.address.port()).into_iter().cloned().collect()
    });
    let commands = Commands::new();
    let client = Client::builder().uri(uri).server_selector(selector).command_listener(commands.clone()).build();
    let client = client.unwrap();
    both_known(&client).await;
    commands.take();
    for _ in 0..10 {
        client.database("db").collection::<Document>("things").find_one(doc! {}).await.unwrap();
    }
    let sent = commands.take_named("find");
    assert_eq!(sent.len(), 10);
    assert!(sent.iter().all(|sent| sent.server.ends_with(&format!(":{highest}"))), "{sent:?}");
    client.close().await;
}
