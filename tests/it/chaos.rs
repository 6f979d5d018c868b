//! How an application attacks its own service through the driver: the test of `docs/chaos-testing.md`, and what else the
//! façade promises of faults.

// guide: begin
use std::time::Duration;

use actix_web::{
    App, HttpResponse, ResponseError,
    http::StatusCode,
    test::{TestRequest, call_service, init_service},
    web::{Data, Json, post},
};
use futures_util::TryStreamExt;
use mongo_actors::{
    Client, Collection,
    bson::doc,
    chaos::{FaultPlan, Recording},
};
use mongo_actors_testkit::ReplicaSet;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    #[serde(rename = "_id")]
    id: i32,
    item: String,
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Failure(#[from] mongo_actors::Error);

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

/// The handler under attack.
async fn place(orders: Data<Collection<Order>>, Json(order): Json<Order>) -> Result<HttpResponse, Failure> {
    orders.insert_one(&order).await?;
    Ok(HttpResponse::Created().finish())
}

/// Places forty orders while the driver fails by a plan. Says what happened, which orders the service accepted, and which
/// are in the database.
async fn attack(uri: &str, plan: FaultPlan) -> (Recording, Vec<i32>, Vec<i32>) {
    let client = Client::builder().uri(uri).build().unwrap();
    let orders: Collection<Order> = client.database("shop").collection("orders");
    orders.delete_many(doc! {}).await.unwrap();
    let app = App::new().app_data(Data::new(orders)).route("/orders", post().to(place));
    let service = init_service(app).await;

    let armed = client.chaos().arm(plan).unwrap();
    let mut accepted = Vec::new();
    for id in 0..40 {
        let order = Order { id, item: "tea".to_owned() };
        let request = TestRequest::post().uri("/orders").set_json(&order).to_request();
        if call_service(&service, request).await.status().is_success() {
            accepted.push(id);
        }
    }
    // Closing ends what is on its way, so that everything was answered and given back by then.
    client.close().await;
    let recording = armed.disarm().unwrap();

    let witness = Client::with_uri_str(uri).await.unwrap();
    let stored = witness.database("shop").collection::<Order>("orders").find(doc! {}).await.unwrap();
    let stored = stored.map_ok(|order| order.id).try_collect().await.unwrap();
    witness.close().await;
    (recording, accepted, stored)
}

#[actix_web::test]
async fn orders_are_placed_once_whatever_fails() {
    let set = ReplicaSet::start(1).await.unwrap();
    for seed in 1..=5 {
        let (recording, accepted, stored) = attack(&set.uri(), FaultPlan::realistic(seed)).await;
        println!("seed {seed}: {:?}", recording.faults_by_kind());
        recording.acked_writes_once(accepted, stored).unwrap();
        recording.no_lost_reply().unwrap();
        recording.recovers_within(Duration::from_secs(10)).unwrap();
        recording.no_leak().unwrap();
    }
}
// guide: end

#[test]
fn the_guide_shows_this_test() {
    let source = include_str!("chaos.rs");
    let shown = source.split("// guide: begin\n").nth(1).unwrap().split("// guide: end").next().unwrap();
    assert!(include_str!("../../docs/chaos-testing.md").contains(shown.trim()), "copy it again");
}
