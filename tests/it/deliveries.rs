//! Change streams that are delivered to actors.

use std::sync::{Arc, Mutex};

use actix::{Actor, ActorContext, Context, Handler, ResponseFuture};
use mongo_actors::{
    Client, Collection,
    bson::{Document, doc},
    change_stream::{Change, event::ChangeStreamEvent},
};
use mongo_actors_testkit::ReplicaSet;
use tokio::sync::Semaphore;

use crate::{commands::Commands, kit::eventually};

type Event = Change<ChangeStreamEvent<Document>>;

/// An actor that handles one change for each permit, and notes what it was.
struct Warehouse {
    permits: Arc<Semaphore>,
    handled: Arc<Mutex<Vec<String>>>,
    /// It stops with this one.
    last: Option<i32>,
}

impl Actor for Warehouse {
    type Context = Context<Self>;
}

impl Handler<Event> for Warehouse {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, change: Event, ctx: &mut Context<Self>) -> ResponseFuture<()> {
        let (permits, handled) = (self.permits.clone(), self.handled.clone());
        let id = match &change {
            Change::Event { event, .. } => event.document_key.as_ref().and_then(|key| key.get_i32("_id").ok()),
            _ => None,
        };
        if id.is_some() && id == self.last {
            ctx.terminate();
        }
        Box::pin(async move {
            permits.acquire().await.unwrap().forget();
            handled.lock().unwrap().push(match (change, id) {
                (Change::Event { .. }, Some(id)) => id.to_string(),
                (Change::Event { event, .. }, None) => format!("{:?}", event.operation_type),
                (Change::Failed(error), _) => format!("failed: {error}"),
                (Change::Ended, _) => "ended".to_owned(),
                (other, _) => format!("{other:?}"),
            });
        })
    }
}

struct Scene {
    set: ReplicaSet,
    client: Client,
    commands: Arc<Commands>,
    things: Collection<Document>,
    permits: Arc<Semaphore>,
    handled: Arc<Mutex<Vec<String>>>,
}

impl Scene {
    async fn new() -> Self {
        let set = ReplicaSet::start(1).await.unwrap();
        let (client, commands) = Commands::client(&set.uri());
        let things = client.database("it").create_collection("things").await.unwrap();
        let (permits, handled) = (Arc::new(Semaphore::new(0)), Arc::default());
        Self { set, client, commands, things, permits, handled }
    }

    fn warehouse(&self, last: Option<i32>) -> actix::Addr<Warehouse> {
        Warehouse { permits: self.permits.clone(), handled: self.handled.clone(), last }.start()
    }

    fn handled(&self) -> Vec<String> {
        self.handled.lock().unwrap().clone()
    }

    async fn insert(&self, ids: std::ops::Range<i32>) {
        self.things.insert_many(ids.map(|id| doc! { "_id": id })).await.unwrap();
    }

    async fn expect_handled(&self, count: usize) {
        eventually("the changes are handled", async || self.handled().len() == count).await;
    }

    async fn expect_no_cursor(&self) {
        eventually("no cursor is left", async || self.set.members()[0].open_cursors().await.unwrap() == 0).await;
    }
}

#[actix_rt::test]
async fn an_actor_gets_one_change_after_the_other_and_then_the_end() {
    let scene = Scene::new().await;
    let mut changes = scene.things.watch().batch_size(5).await.unwrap();
    assert!(changes.next_if_any().await.unwrap().is_none());
    let mut delivery = changes.deliver_to(scene.warehouse(None).recipient());
    scene.insert(0..50).await;
    // While the actor is at its first change, nothing but the batch behind it is asked for.
    let events = |replies: &[Document]| -> usize {
        let batch = |reply: &Document| reply.get_document("cursor").unwrap().get_array("nextBatch").unwrap().len();
        replies.iter().map(batch).sum()
    };
    let arrived = || events(&scene.commands.replies("getMore"));
    eventually("a batch has come", async || arrived() > 0).await;
    for handled in [1, 7, 23] {
        scene.permits.add_permits(handled - scene.handled().len());
        scene.expect_handled(handled).await;
        // The one that is being handled, and the rest of its batch.
        assert!(arrived() <= handled + 5, "{} have arrived, {handled} were handled", arrived());
    }
    scene.permits.add_permits(40);
    scene.expect_handled(50).await;
    assert_eq!(scene.handled(), (0..50).map(|id| id.to_string()).collect::<Vec<_>>());

    scene.things.drop().await.unwrap();
    delivery.over().await;
    assert_eq!(scene.handled()[50..], ["Drop", "Invalidate", "ended"]);
    assert!(delivery.is_over());
    delivery.over().await;
    scene.client.close().await;
}

#[actix_rt::test]
async fn a_delivery_that_is_stopped_goes_on_where_the_actor_stood() {
    let scene = Scene::new().await;
    let delivery = scene.things.watch().await.unwrap().deliver_to(scene.warehouse(None).recipient());
    scene.insert(0..10).await;
    scene.permits.add_permits(4);
    scene.expect_handled(4).await;
    // The fifth is being handled, and nobody waits for that any more.
    let token = delivery.resume_token().unwrap();
    delivery.stop().await;
    scene.expect_no_cursor().await;
    let mut changes = scene.things.watch().start_after(token).await.unwrap();
    let next = changes.next().await.unwrap().unwrap();
    assert_eq!(next.document_key.unwrap(), doc! { "_id": 4 });
    scene.client.close().await;
}

#[actix_rt::test]
async fn a_stream_whose_actor_is_gone_is_closed_and_tells_its_place() {
    let scene = Scene::new().await;
    let changes = scene.things.watch().await.unwrap();
    let mut delivery = changes.deliver_to(scene.warehouse(Some(3)).recipient());
    scene.permits.add_permits(100);
    scene.insert(0..10).await;
    delivery.over().await;
    assert_eq!(scene.handled(), ["0", "1", "2", "3"]);
    scene.expect_no_cursor().await;
    // Another actor takes over what was not handled.
    scene.handled.lock().unwrap().clear();
    let token = delivery.resume_token().unwrap();
    let changes = scene.things.watch().start_after(token).await.unwrap();
    let delivery = changes.deliver_to(scene.warehouse(None).recipient());
    scene.expect_handled(6).await;
    assert_eq!(scene.handled(), (4..10).map(|id| id.to_string()).collect::<Vec<_>>());
    drop(delivery);
    scene.expect_no_cursor().await;
    scene.client.close().await;
}
