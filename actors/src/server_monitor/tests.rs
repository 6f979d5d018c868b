use std::{sync::Arc, time::Duration};

use actix::{Actor, Handler, Supervised};
use bson::{Document, doc, oid::ObjectId};
use mongo_actors_protocol::{
    options::ClientOptions,
    sdam::{
        ServerDescription, ServerType,
        monitor::{CheckError, CheckOutcome},
    },
};
use mongo_actors_testkit::{Reply, ScriptedServer};
use tokio::sync::mpsc;

use super::*;
use crate::{
    runtime::{ActorPath, Birth, Child, Context, Home, Outlet, RestartBudget, Role, SupervisedActor, clock, start},
    settings::EngineSettings,
    shared::Shared,
    topology::{Observation, ServerChecked, ServerObserved},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// What a topology would hear.
#[derive(Debug)]
enum Heard {
    Checked(Box<ServerDescription>),
    Failed(CheckError),
    Observed(Observation),
}

struct Ear(mpsc::UnboundedSender<Heard>);

impl Actor for Ear {
    type Context = Context<Self>;
}

impl Supervised for Ear {}

impl SupervisedActor for Ear {}

impl Handler<ServerChecked> for Ear {
    type Result = ();

    fn handle(&mut self, checked: ServerChecked, _: &mut Context<Self>) {
        let heard = match checked.outcome {
            CheckOutcome::Checked(description) => Heard::Checked(description),
            CheckOutcome::Failed(error) => Heard::Failed(error),
        };
        self.0.send(heard).unwrap();
    }
}

impl Handler<ServerObserved> for Ear {
    type Result = ();

    fn handle(&mut self, observed: ServerObserved, _: &mut Context<Self>) {
        self.0.send(Heard::Observed(observed.observation)).unwrap();
    }
}

/// A monitor of a scripted server, without a topology.
struct Scene {
    monitor: Child<ServerMonitorActor>,
    heard: mpsc::UnboundedReceiver<Heard>,
    _ear: Child<Ear>,
}

impl Scene {
    fn of(server: &ScriptedServer, options: &str) -> Self {
        let options = ClientOptions::parse(&format!("{}?{options}", server.uri())).unwrap();
        let shared = Arc::new(Shared::new(EngineSettings::new(options)).unwrap());
        let birth = |role, tag| Birth {
            path: ActorPath::root().child(role),
            role,
            tag,
            parent: Outlet::nowhere(),
            budget: RestartBudget::default(),
        };
        let home = Home::current().unwrap();
        let (ear, heard) = mpsc::unbounded_channel();
        let ear = start(&home, &shared.registry, birth(Role::Topology, 1), Ear(ear));
        let plan = MonitorPlan {
            shared: shared.clone(),
            address: Arc::new(server.address()),
            reports: Reports { checked: ear.addr.outlet(), observed: ear.addr.outlet() },
            tag: 2,
        };
        let monitor = ServerMonitorActor::new(plan);
        let monitor = start(&home, &shared.registry, birth(Role::ServerMonitor, 2), monitor);
        Self { monitor, heard, _ear: ear }
    }

    async fn next(&mut self) -> Heard {
        tokio::time::timeout(PATIENCE, self.heard.recv()).await.expect("something is reported").unwrap()
    }

    async fn checked(&mut self) -> ServerDescription {
        match self.next().await {
            Heard::Checked(description) => *description,
            other => panic!("{other:?}"),
        }
    }

    async fn failed(&mut self) -> CheckError {
        match self.next().await {
            Heard::Failed(error) => error,
            other => panic!("{other:?}"),
        }
    }
}

fn hello(counter: i64) -> Document {
    doc! {
        "ok": 1.0, "helloOk": true, "isWritablePrimary": true, "maxWireVersion": 17, "minWireVersion": 0,
        "topologyVersion": { "processId": ObjectId::from_bytes([1; 12]), "counter": counter },
    }
}

/// A server that streams: it answers an awaited hello with these replies.
async fn streaming(replies: Vec<Document>, every: Option<Duration>) -> ScriptedServer {
    ScriptedServer::builder()
        .on("isMaster", Reply::document(hello(0)))
        .with("hello", move |command| match (command.body.contains_key("maxAwaitTimeMS"), every) {
            (false, _) => Reply::document(hello(0)),
            (true, None) => Reply::Stream(replies.clone()),
            (true, Some(every)) => Reply::Endless { document: replies[0].clone(), every },
        })
        .start()
        .await
        .unwrap()
}

fn run(test: impl Future<Output = ()>) {
    actix_rt::System::new().block_on(test);
}

#[test]
fn every_streamed_reply_is_reported() {
    run(async {
        let server = streaming((1..4).map(hello).collect(), None).await;
        let mut scene = Scene::of(&server, "");
        for counter in 0..4 {
            let description = scene.checked().await;
            assert_eq!(description.server_type, ServerType::Standalone);
            assert_eq!(description.topology_version.unwrap().counter, counter);
        }
    });
}

#[test]
fn a_lost_connection_is_reported_and_followed_by_a_check_at_once() {
    run(async {
        let server = streaming(vec![hello(1)], Some(Duration::from_secs(60))).await;
        let mut scene = Scene::of(&server, "");
        scene.checked().await;
        scene.checked().await;
        let lost = clock::now();
        server.close_connections().await;
        let error = scene.failed().await;
        assert!(error.network && !error.timed_out, "{error:?}");
        assert_eq!(scene.checked().await.server_type, ServerType::Standalone);
        assert!(clock::now() - lost < Duration::from_secs(5), "not only with the next heartbeat");
    });
}

#[test]
fn a_refusal_is_no_network_error_and_keeps_its_topology_version() {
    run(async {
        let refusal = doc! {
            "ok": 0.0, "code": 91, "codeName": "ShutdownInProgress", "errmsg": "going down",
            "topologyVersion": { "processId": ObjectId::from_bytes([1; 12]), "counter": 9_i64 },
        };
        let server = ScriptedServer::builder().on("isMaster", Reply::document(refusal)).start().await.unwrap();
        let error = Scene::of(&server, "").failed().await;
        assert!(!error.network && error.message.contains("going down"), "{error:?}");
        assert_eq!(error.topology_version.unwrap().counter, 9);
    });
}

#[test]
fn a_silent_server_is_a_timeout_within_the_connect_timeout() {
    run(async {
        let server = ScriptedServer::builder().on("isMaster", Reply::Never).start().await.unwrap();
        let began = clock::now();
        let error = Scene::of(&server, "connectTimeoutMS=200").failed().await;
        assert!(error.timed_out, "{error:?}");
        assert!(clock::now() - began < Duration::from_secs(5));
    });
}

#[test]
fn a_cancelled_check_gives_up_its_connection_and_is_made_again() {
    run(async {
        let server = streaming(vec![hello(1)], Some(Duration::from_secs(60))).await;
        let mut scene = Scene::of(&server, "");
        scene.checked().await;
        scene.checked().await;
        let before = server.accepted();
        scene.monitor.addr.do_send(CancelCheck);
        scene.monitor.addr.do_send(RequestCheck);
        assert_eq!(scene.checked().await.server_type, ServerType::Standalone);
        assert_eq!(server.accepted(), before + 1, "over a new connection");
    });
}

#[test]
fn a_round_trip_time_is_reported_when_it_is_measured() {
    run(async {
        let server = streaming(vec![hello(1)], Some(Duration::from_secs(60))).await;
        let mut scene = Scene::of(&server, "heartbeatFrequencyMS=500");
        loop {
            if let Heard::Observed(Observation::Rtt(rtt)) = scene.next().await {
                assert!(rtt.average > Duration::ZERO);
                break;
            }
        }
    });
}

#[test]
fn a_superseded_primary_that_is_silent_is_reported_in_a_quarter_of_a_second() {
    run(async {
        let server = streaming(vec![hello(1)], Some(Duration::from_secs(60))).await;
        let mut scene = Scene::of(&server, "");
        scene.checked().await;
        scene.checked().await;
        server.on("isMaster", Reply::Never);
        server.on("hello", Reply::Never);
        let asked = clock::now();
        scene.monitor.addr.do_send(ProbeSuperseded);
        let heard = scene.next().await;
        let waited = clock::now() - asked;
        assert!(matches!(heard, Heard::Observed(Observation::Silence)), "{heard:?}");
        assert!(waited >= Duration::from_millis(250) && waited < Duration::from_secs(2), "{waited:?}");
    });
}

#[test]
fn a_superseded_primary_that_answers_is_only_measured() {
    run(async {
        let server = streaming(vec![hello(1)], Some(Duration::from_secs(60))).await;
        let mut scene = Scene::of(&server, "");
        scene.checked().await;
        scene.checked().await;
        scene.monitor.addr.do_send(ProbeSuperseded);
        let heard = scene.next().await;
        assert!(matches!(heard, Heard::Observed(Observation::Rtt(_))), "{heard:?}");
    });
}
