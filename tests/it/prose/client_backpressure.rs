//! Prose tests of the client backpressure specification. 2 was removed from it. 1 and 5 need a generator without
//! chance: they are `the_pauses_of_two_repetitions_are_within_six_tenths_of_a_second` and
//! `the_pause_doubles_up_to_ten_seconds` in `protocol/src/retry/tests.rs`.

use mongo_actors::{
    bson::{Document, doc},
    error::labels,
};
use mongo_actors_testkit::{FailPoint, ReplicaSet};

use crate::sessions::client_of;

async fn commands_started(options: &[(&str, &str)]) -> usize {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, commands) = client_of(&set, options).await;
    let overload = [labels::SYSTEM_OVERLOADED_ERROR, labels::RETRYABLE_ERROR];
    let fault = FailPoint::fail_command(["find"]).error_code(462).error_labels(overload);
    let _guard = set.primary().await.unwrap().enable(fault).await.unwrap();
    commands.take();
    let error = client.database("it").collection::<Document>("things").find_one(doc! {}).await.unwrap_err();
    assert!(overload.iter().all(|label| error.has_label(label)), "{error:?}");
    client.close().await;
    commands.take_named("find").len()
}

#[tokio::test]
async fn client_backpressure_3_overload_is_met_with_two_repetitions() {
    assert_eq!(commands_started(&[]).await, 3);
}

#[tokio::test]
async fn client_backpressure_4_overload_is_met_with_as_many_repetitions_as_configured() {
    assert_eq!(commands_started(&[("maxAdaptiveRetries", "1")]).await, 2);
}
