//! Load-balanced mode, behind a proxy that looks like a load balancer in front of several services.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use mongo_actors::{
    Client, Collection,
    bson::{Document, doc, oid::ObjectId},
    error::labels,
    event::{CommandListener, CommandStartedEvent, Delivery},
};
use mongo_actors_testkit::{Break, Direction, LoadBalancerProxy, ReplicaSet, Standalone};

use crate::kit::{PATIENCE, Recorder, eventually, shared_set};

/// Through which service each command went.
#[derive(Default)]
struct Services(Mutex<Vec<(String, ObjectId)>>);

impl Services {
    fn take(&self) -> Vec<(String, ObjectId)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl CommandListener for Services {
    fn delivery(&self) -> Delivery {
        Delivery::Inline
    }

    fn command_started(&self, event: &CommandStartedEvent) {
        let service = event.service_id.expect("every command goes to a service");
        self.0.lock().unwrap().push((event.command_name.to_string(), service));
    }
}

struct Scene {
    balancer: LoadBalancerProxy,
    client: Client,
    recorder: Arc<Recorder>,
    services: Arc<Services>,
    numbers: Collection<Document>,
}

/// Three services in front of `set`, and a collection of 100 documents of the test's own.
async fn scene(set: &ReplicaSet, test: &str, options: &[(&str, &str)]) -> Scene {
    let balancer = LoadBalancerProxy::start(set, 3).await.unwrap();
    let services = Arc::<Services>::default();
    let builder = Client::builder().uri(balancer.uri_with(options)).command_listener(services.clone());
    let (recorder, builder) = Recorder::listen(builder);
    let client = builder.build().unwrap();
    let numbers = client.database(&format!("it-lb-{test}")).collection("numbers");
    numbers.insert_many((0..100).map(|id| doc! { "_id": id })).await.unwrap();
    services.take();
    Scene { balancer, client, recorder, services, numbers }
}

/// Has several connections, to several services, lie ready.
async fn warm(scene: &Scene) {
    let sleep = || doc! { "$where": "sleep(100) || true" };
    let one = || scene.numbers.find_one(sleep()).into_future();
    tokio::try_join!(one(), one(), one()).unwrap();
    let seen: BTreeSet<_> = scene.services.take().into_iter().map(|(_, service)| service).collect();
    assert!(seen.len() > 1, "the connections lead to one service only");
}

/// All of them went to one service; which commands they were.
fn on_one_service(sent: Vec<(String, ObjectId)>) -> Vec<String> {
    let services: BTreeSet<_> = sent.iter().map(|(_, service)| *service).collect();
    assert_eq!(services.len(), 1, "{sent:?}");
    sent.into_iter().map(|(name, _)| name).collect()
}

#[tokio::test]
async fn cursors_stay_with_their_service_however_many_there_are() {
    let scene = scene(shared_set().await, "cursors", &[]).await;
    warm(&scene).await;
    let mut cursors = Vec::new();
    for _ in 0..4 {
        let cursor = scene.numbers.find(doc! {}).batch_size(10).await.unwrap();
        cursors.push((on_services(&scene), cursor, 0));
    }
    for _ in 0..100 {
        for (home, cursor, read) in &mut cursors {
            assert!(cursor.try_next().await.unwrap().is_some());
            *read += 1;
            for (name, service) in scene.services.take() {
                assert_eq!((name.as_str(), service), ("getMore", *home));
            }
        }
    }
    for (_, cursor, read) in &mut cursors {
        assert_eq!((cursor.try_next().await.unwrap(), *read), (None, 100));
    }
    scene.recorder.expect_all_checked_in(&scene.client).await;
    assert_eq!((scene.recorder.closed(), scene.recorder.killed_cursors()), (0, 0));
    scene.client.close().await;
}

/// The one service that was used since the last look.
fn on_services(scene: &Scene) -> ObjectId {
    let sent = scene.services.take();
    let service = sent[0].1;
    on_one_service(sent);
    service
}

#[tokio::test]
async fn a_cursor_that_is_dropped_is_killed_where_it_lives() {
    let set = ReplicaSet::start(1).await.unwrap();
    let scene = scene(&set, "drops", &[]).await;
    let server = &set.members()[0];
    warm(&scene).await;
    let closed = scene.recorder.closed();
    // Between two batches, and while one is on its way.
    for in_flight in [false, true] {
        let mut cursor = scene.numbers.find(doc! {}).batch_size(10).await.unwrap();
        if in_flight {
            scene.balancer.proxy().stall(Direction::ToServer);
            for _ in 0..10 {
                cursor.try_next().await.unwrap().unwrap();
            }
            let more = tokio::time::timeout(Duration::from_millis(50), cursor.try_next()).await;
            assert!(more.is_err(), "nothing can come");
        }
        drop(cursor);
        scene.balancer.proxy().resume(Direction::ToServer);
        eventually("the server has no cursor", async || server.open_cursors().await.unwrap() == 0).await;
        scene.recorder.expect_all_checked_in(&scene.client).await;
        let names = on_one_service(scene.services.take());
        assert_eq!(names.last().unwrap(), "killCursors");
    }
    assert_eq!((scene.recorder.killed_cursors(), scene.recorder.closed()), (2, closed));
    scene.client.close().await;
}

#[tokio::test]
async fn a_cursor_whose_kill_is_not_answered_gives_its_connection_back() {
    let scene = scene(shared_set().await, "kills", &[]).await;
    for _ in 0..20 {
        let cursor = scene.numbers.find(doc! {}).batch_size(10).await.unwrap();
        scene.balancer.proxy().arm(Break::before_reply("killCursors"));
        cursor.close().await;
        scene.client.flush_events().await;
        assert_eq!(scene.recorder.checked_in(), scene.recorder.checked_out());
    }
    assert_eq!((scene.recorder.sent("killCursors"), scene.recorder.closed()), (20, 20));
    scene.client.close().await;
}

#[tokio::test]
async fn a_transaction_stays_with_its_service() {
    let scene = scene(shared_set().await, "transactions", &[]).await;
    warm(&scene).await;
    let mut session = scene.client.start_session().await.unwrap();
    for round in 0..3 {
        session.start_transaction().await.unwrap();
        let mut own = Vec::new();
        for id in 0..5 {
            let id = 1000 + 10 * round + id;
            scene.numbers.insert_one(doc! { "_id": id }).session(&mut session).await.unwrap();
            let mut found = scene.numbers.find(doc! {}).batch_size(30).session(&mut session).await.unwrap();
            assert!(found.to_vec(&mut session).await.unwrap().len() > 100);
            own.append(&mut scene.services.take());
            // Others do not use the connection meanwhile.
            scene.numbers.find_one(doc! {}).await.unwrap();
            scene.services.take();
        }
        session.commit_transaction().await.unwrap();
        own.append(&mut scene.services.take());
        let names = on_one_service(own);
        assert!(names.iter().any(|name| name == "getMore") && names.last().unwrap() == "commitTransaction");
    }
    session.end().await;
    scene.recorder.expect_all_checked_in(&scene.client).await;
    assert_eq!(scene.numbers.count_documents(doc! { "_id": { "$gte": 1000 } }).await.unwrap(), 15);
    scene.client.close().await;
}

#[tokio::test]
async fn a_transaction_whose_connection_the_balancer_closes_is_transient() {
    let set = ReplicaSet::start(1).await.unwrap();
    let scene = scene(&set, "reaped", &[]).await;
    let mut session = scene.client.start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    scene.numbers.insert_one(doc! { "_id": 1000 }).session(&mut session).await.unwrap();
    scene.balancer.proxy().close_connections().await;
    let error = scene.numbers.insert_one(doc! { "_id": 1001 }).session(&mut session).await.unwrap_err();
    assert!(error.has_label(labels::TRANSIENT_TRANSACTION_ERROR), "{error}");
    session.abort_transaction().await.unwrap();
    // It starts anew, on another connection, once the server is rid of the first attempt.
    session
        .with_transaction(async |session| {
            scene.numbers.insert_one(doc! { "_id": 1000 }).session(session).await?;
            Ok(())
        })
        .await
        .unwrap();
    session.end().await;
    scene.recorder.expect_all_checked_in(&scene.client).await;
    scene.client.close().await;
}

#[tokio::test]
async fn a_change_stream_keeps_its_connection_and_resumes_on_another() {
    let set = ReplicaSet::start(1).await.unwrap();
    let scene = scene(&set, "streams", &[]).await;
    warm(&scene).await;
    let mut changes = scene.numbers.watch().batch_size(1).await.unwrap();
    let home = on_services(&scene);
    for id in 1000..1010 {
        scene.numbers.insert_one(doc! { "_id": id }).await.unwrap();
        if id == 1005 {
            scene.balancer.proxy().arm(Break::before_reply("getMore"));
        }
        let event = tokio::time::timeout(PATIENCE, changes.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(event.document_key.unwrap().get_i32("_id").unwrap(), id);
        let sent = scene.services.take();
        if id < 1005 {
            assert!(sent.iter().all(|(name, service)| name != "getMore" || *service == home), "{sent:?}");
        }
    }
    changes.close().await;
    // That of the connection which broke went with it, as far as the driver can know: its service has to forget it.
    eventually("only the lost cursor is left", async || set.members()[0].open_cursors().await.unwrap() == 1).await;
    scene.recorder.expect_all_checked_in(&scene.client).await;
    scene.client.close().await;
}

#[tokio::test]
async fn a_failing_service_takes_only_its_own_connections_with_it() {
    let set = ReplicaSet::start(1).await.unwrap();
    let scene = scene(&set, "services", &[("retryReads", "false")]).await;
    warm(&scene).await;
    let (created, closed) = (scene.recorder.created(), scene.recorder.closed());
    scene.balancer.proxy().arm(Break::before_reply("find"));
    let error = scene.numbers.find_one(doc! {}).await.unwrap_err();
    assert!(error.is_network(), "{error}");
    for _ in 0..3 {
        scene.numbers.find_one(doc! {}).await.unwrap();
    }
    scene.client.flush_events().await;
    assert_eq!((scene.recorder.cleared(), scene.recorder.closed()), (1, closed + 1));
    assert_eq!(scene.recorder.created(), created, "the connections to the others were used");
    scene.client.close().await;
}

#[tokio::test]
async fn a_server_that_is_no_balancer_is_refused_with_the_remedy() {
    let server = Standalone::start().await.unwrap();
    let client = Client::with_uri_str(&server.uri_with(&[("loadBalanced", "true")])).await.unwrap();
    let error = client.database("it").run_command(doc! { "ping": 1 }).await.unwrap_err().to_string();
    assert!(error.contains("Driver attempted to initialize in load balancing mode"), "{error}");
    assert!(error.contains("remove loadBalanced=true"), "{error}");
    client.close().await;
}
