use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bson::{RawDocumentBuf, rawdoc};
use mongo_actors_protocol::{
    address::ServerAddress,
    command::Request,
    options::ClientOptions,
    read_preference::ReadPreference,
    retry::Stage,
    sdam::{
        FailureKind, FailurePhase, HelloReply, RoundTripTime, ServerDescription, ServerFailure, ServerType,
        monitor::CheckOutcome,
    },
    selection::SelectionCriteria,
};
use mongo_actors_testkit::{Reply, ScriptedServer};
use tokio::sync::oneshot;

use super::*;
use crate::{
    failure::Cause,
    runtime::{ActorPath, Birth, Child, Home, Outlet, RestartBudget, Role, clock, start},
    session_pool::SessionPoolActor,
    settings::EngineSettings,
    shared::{Shared, Token},
    ticket::{Operation, Ticket},
};

/// The monitor of the first server is the second child that a topology starts.
const FIRST_MONITOR: u64 = 2;

/// A topology whose one server stays silent for its monitor: what it learns of it, a test tells it.
struct Scene {
    shared: Arc<Shared>,
    topology: Child<TopologyActor>,
    server: ScriptedServer,
    _sessions: Child<SessionPoolActor>,
}

impl Scene {
    async fn new(options: &str) -> Self {
        let server = ScriptedServer::builder().on("isMaster", Reply::Never).start().await.unwrap();
        let options = ClientOptions::parse(&format!("{}?directConnection=true&{options}", server.uri())).unwrap();
        let shared = Arc::new(Shared::new(EngineSettings::new(options)).unwrap());
        let home = Home::current().unwrap();
        let birth = |role| Birth {
            path: ActorPath::root().child(role),
            role,
            tag: 0,
            parent: Outlet::nowhere(),
            budget: RestartBudget::default(),
        };
        let sessions = start(&home, &shared.registry, birth(Role::SessionPool), SessionPoolActor::new(shared.clone()));
        let topology = TopologyActor::new(TopologyPlan {
            shared: shared.clone(),
            path: ActorPath::root().child(Role::Topology),
            data: home.clone(),
            control: home.clone(),
            sessions: sessions.addr.clone(),
        });
        let topology = start(&home, &shared.registry, birth(Role::Topology), topology);
        Self { shared, topology, server, _sessions: sessions }
    }

    fn address(&self) -> ServerAddress {
        self.server.address()
    }

    fn report(&self, tag: u64) {
        let reply: RawDocumentBuf = rawdoc! { "ok": 1, "isWritablePrimary": true, "maxWireVersion": 17 };
        let reply = HelloReply::from_document(&reply).unwrap();
        let rtt = RoundTripTime { average: Duration::from_millis(1), minimum: Duration::ZERO };
        let description = ServerDescription::from_hello(self.address(), &reply, clock::now(), rtt);
        let outcome = CheckOutcome::Checked(Box::new(description));
        self.topology.addr.do_send(ServerChecked { address: self.address(), tag, outcome });
    }

    fn select(&self, within: Option<Duration>) -> oneshot::Receiver<Result<Arc<ServerDescription>, Cause>> {
        let (reply, answer) = oneshot::channel();
        let criteria = SelectionCriteria::from(ReadPreference::Primary);
        let deadline = within.map(|within| clock::now() + within);
        self.topology.addr.do_send(Select { criteria, entered: clock::now(), deadline, reply });
        answer
    }

    /// Resolves when the topology has handled everything so far.
    async fn settled(&self) {
        let (token, done) = Token::new();
        self.topology.addr.do_send(Flush(token));
        done.await;
    }

    fn server_type(&self) -> ServerType {
        self.shared.description.load().server(&self.address()).unwrap().server_type
    }
}

fn run(test: impl Future<Output = ()>) {
    actix_rt::System::new().block_on(test);
}

#[test]
fn whoever_is_parked_goes_on_when_a_server_is_found() {
    run(async {
        let scene = Scene::new("appName=scene").await;
        let mut parked = scene.select(None);
        scene.settled().await;
        assert!(parked.try_recv().is_err(), "nobody is known yet");
        scene.report(FIRST_MONITOR);
        assert_eq!(parked.await.unwrap().unwrap().address, scene.address());
    });
}

#[test]
fn whoever_is_parked_is_refused_at_the_deadline_that_comes_first() {
    run(async {
        let scene = Scene::new("serverSelectionTimeoutMS=400").await;
        let began = Instant::now();
        let (own, given) = (scene.select(Some(Duration::from_millis(100))), scene.select(None));
        assert!(matches!(own.await.unwrap(), Err(Cause::Selection(_))));
        let early = began.elapsed();
        let Err(Cause::Selection(error)) = given.await.unwrap() else { panic!() };
        let late = began.elapsed();
        assert!(early >= Duration::from_millis(100) && early < late && late >= Duration::from_millis(400));
        assert!(error.to_string().contains(&scene.address().to_string()), "{error}");
    });
}

#[test]
fn a_report_of_an_earlier_monitor_is_not_applied() {
    run(async {
        let scene = Scene::new("appName=scene").await;
        scene.report(FIRST_MONITOR + 7);
        scene.settled().await;
        assert_eq!(scene.server_type(), ServerType::Unknown);
        scene.report(FIRST_MONITOR);
        scene.settled().await;
        assert_eq!(scene.server_type(), ServerType::Standalone);
    });
}

#[test]
fn a_caller_who_hears_of_a_failure_finds_the_topology_updated() {
    run(async {
        let scene = Scene::new("appName=scene").await;
        scene.report(FIRST_MONITOR);
        scene.settled().await;
        let request = Request::new("ping", "db".into(), rawdoc! { "ping": 1 });
        let operation = Box::new(Operation::new(request, ReadPreference::Primary.into()));
        let (mut ticket, answer) = Ticket::new(operation, &scene.shared);
        ticket.stage = Stage::Written;
        let failure = ServerFailure {
            address: scene.address(),
            phase: FailurePhase::AfterHandshakeCompletes,
            kind: FailureKind::Network { timed_out: false },
            overloaded: false,
            message: "reset".into(),
            generation: mongo_actors_protocol::sdam::Generation::default(),
            service_id: None,
            max_wire_version: 17,
        };
        let cause = Cause::Network(Arc::new(std::io::ErrorKind::ConnectionReset.into()));
        scene.topology.addr.do_send(OperationFailed { ticket, cause, failure });
        let setback = answer.await.unwrap().unwrap_err();
        assert_eq!(scene.server_type(), ServerType::Unknown);
        assert_eq!(setback.failure.stage, Stage::Written);
    });
}

#[test]
fn a_measured_round_trip_time_is_published_and_a_restarted_monitor_makes_its_server_unknown() {
    run(async {
        let scene = Scene::new("appName=scene").await;
        scene.report(FIRST_MONITOR);
        let observed = |observation| {
            let observed = ServerObserved { address: scene.address(), tag: FIRST_MONITOR, observation };
            scene.topology.addr.do_send(observed);
        };
        let rtt = RoundTripTime { average: Duration::from_millis(70), minimum: Duration::from_millis(60) };
        observed(Observation::Rtt(rtt));
        scene.settled().await;
        let description = scene.shared.description.load();
        assert_eq!(description.server(&scene.address()).unwrap().round_trip_time, Some(rtt.average));
        observed(Observation::MonitorRestarted);
        scene.settled().await;
        assert_eq!(scene.server_type(), ServerType::Unknown);
    });
}

#[test]
fn a_closed_topology_refuses_and_ends_when_its_pools_are_gone() {
    run(async {
        let scene = Scene::new("appName=scene").await;
        let parked = scene.select(None);
        scene.topology.addr.do_send(RefuseWaiting);
        assert!(matches!(parked.await.unwrap(), Err(Cause::ClientClosed | Cause::EngineDown(_))));
        let (done, closed) = Token::new();
        scene.topology.addr.do_send(CloseTopology { done });
        closed.await;
        assert!(scene.select(None).await.is_err(), "nobody answers any more");
    });
}

#[cfg(feature = "chaos")]
#[test]
fn a_ticket_that_somebody_keeps_is_a_leak() {
    use mongo_actors_protocol::chaos::FaultPlan;

    run(async {
        let scene = Scene::new("appName=scene").await;
        let recorded = async |work: &dyn Fn(Ticket)| {
            let chaos = &scene.shared.registry.chaos;
            let id = chaos.arm(FaultPlan::new(1));
            let request = Request::new("ping", "db".into(), rawdoc! { "ping": 1 });
            let operation = Box::new(Operation::new(request, ReadPreference::Primary.into()));
            let (ticket, answer) = Ticket::new(operation, &scene.shared);
            drop(answer);
            work(ticket);
            scene.settled().await;
            chaos.disarm(id).unwrap().no_leak()
        };
        let kept = std::cell::RefCell::new(Vec::new());
        let leaked = recorded(&|ticket| kept.borrow_mut().push(ticket)).await.unwrap_err().to_string();
        assert!(leaked.contains("Ticket: 1 were taken and 0 given back"), "{leaked}");
        recorded(&|ticket| ticket.fail(Cause::DeadlinePassed)).await.unwrap();
        recorded(&drop).await.unwrap();
        // Its caller has gone, and the topology throws it away.
        recorded(&|ticket| scene.topology.addr.do_send(Execute(ticket))).await.unwrap();
    });
}
