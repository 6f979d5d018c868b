//! The beginning and the end of clients.

use std::time::Duration;

use mongo_actors::Client;
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
