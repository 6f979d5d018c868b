//! What can be seen of a client's actors, and who decides when they cannot be kept alive.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use actix::{Actor, Context, Handler};
use bson::rawdoc;
use mongo_actors_engine::{
    Cause, Death, Decision, Engine, EngineSettings, Escalation, FaultOrder, Operation, Parent, RestartBudget, Role,
    SupervisionEvent, SupervisionListener, TreeStatus,
};
use mongo_actors_protocol::{chaos::MessageFault, retry::Retryability};
use tokio::sync::mpsc;

use crate::{actors, command, eventually, persist, run, set, settings};

/// Keeps what it hears.
#[derive(Default)]
pub(crate) struct Chronicle(Mutex<Vec<SupervisionEvent>>);

impl Chronicle {
    pub(crate) fn has(&self, is_it: impl Fn(&SupervisionEvent) -> bool) -> bool {
        self.count(is_it) > 0
    }

    fn count(&self, is_it: impl Fn(&SupervisionEvent) -> bool) -> usize {
        self.0.lock().unwrap().iter().filter(|event| is_it(event)).count()
    }
}

impl SupervisionListener for Chronicle {
    fn supervision(&self, event: &SupervisionEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

fn ping() -> Operation {
    let mut ping = command("ping", rawdoc! { "ping": 1 });
    ping.retryability = Retryability::Read;
    ping
}

async fn subject(adjust: impl FnOnce(&mut EngineSettings)) -> (Engine, Arc<Chronicle>) {
    let chronicle = Arc::new(Chronicle::default());
    let mut settings = settings(&set().await.uri());
    settings.listeners.supervision.push(chronicle.clone());
    adjust(&mut settings);
    let engine = Engine::start(settings).unwrap();
    persist(&engine, ping()).await;
    (engine, chronicle)
}

#[tokio::test]
async fn the_tree_can_be_seen_printed_and_serialised() {
    let (engine, _) = subject(|_| {}).await;
    let snapshot = engine.supervision();
    assert_eq!(snapshot.status, TreeStatus::Up);
    for role in [
        Role::Supervisor,
        Role::Topology,
        Role::ServerMonitor,
        Role::ConnectionPool,
        Role::Connection,
        Role::SessionPool,
        Role::Reaper,
    ] {
        assert!(snapshot.actors.iter().any(|actor| actor.role == role), "{role}: {snapshot}");
    }
    let text = snapshot.to_string();
    let indent = |name: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(name));
        line.map(|line| line.len() - line.trim_start().len()).unwrap_or_else(|| panic!("{name}: {text}"))
    };
    let depths = ["supervisor", "topology", "connection-pool", "connection["].map(indent);
    assert_eq!(depths, [0, 2, 4, 6], "{text}");
    let document = bson::serialize_to_document(&snapshot).unwrap();
    assert_eq!(document.get_document("status").unwrap().get_str("state").unwrap(), "up");
    let listed = document.get_array("actors").unwrap().len();
    assert_eq!(listed, snapshot.actors.len());
    engine.close(None).await;
    assert_eq!(engine.supervision().status, TreeStatus::Closed);
}

#[tokio::test]
async fn what_waits_and_what_is_in_hand_can_be_seen() {
    let (engine, chronicle) = subject(|settings| settings.stall_limit = Duration::from_millis(800)).await;
    let mut firings = engine.chaos().order(FaultOrder::new(Role::Topology, MessageFault::Stall).on("Execute"));
    let stalled: Vec<_> = (0..3).map(|_| engine.execute(ping())).collect();
    assert!(firings.reached(1).await);
    // The first of them went into the stall. What else comes, such as reports of monitors, waits as well.
    eventually("two wait", || actors(&engine, Role::Topology)[0].mailbox >= 2).await;
    assert_eq!(engine.supervision().operations, 3);
    eventually("it is seen to be silent", || {
        let topology = &actors(&engine, Role::Topology)[0];
        topology.state.to_string() == "silent" || topology.restarts > 0
    })
    .await;
    let is_silent = |event: &SupervisionEvent| matches!(event, SupervisionEvent::ActorSilent { .. });
    eventually("its silence is told", || chronicle.has(is_silent)).await;
    for answer in stalled {
        drop(answer.await.expect("each is answered"));
    }
    persist(&engine, ping()).await;
    eventually("nothing waits any more", || actors(&engine, Role::Topology)[0].mailbox == 0).await;
    eventually("nothing is in hand any more", || {
        engine.actors().iter().all(|actor| actor.in_flight == 0 || actor.role == Role::ServerMonitor)
    })
    .await;
    engine.close(None).await;
}

#[tokio::test]
async fn listeners_hear_of_births_restarts_and_deaths() {
    let (engine, chronicle) = subject(|_| {}).await;
    assert!(chronicle.has(|event| matches!(event, SupervisionEvent::ActorStarted { role: Role::Connection, .. })));
    assert!(chronicle.has(|event| *event == SupervisionEvent::TreeUp));
    let mut firings = engine.chaos().order(FaultOrder::new(Role::ConnectionPool, MessageFault::Panic).on("CheckOut"));
    persist(&engine, ping()).await;
    assert!(firings.reached(1).await);
    engine.flush_events().await;
    assert!(chronicle.has(|event| matches!(
        event,
        SupervisionEvent::ActorRestarted { role: Role::ConnectionPool, restarts: 1, cause: Death::Panicked(_), .. }
    )));
    assert!(chronicle.has(|event| matches!(event, SupervisionEvent::ActorEnded { role: Role::Connection, .. })));
    engine.close(None).await;
    let (started, ended) = {
        let events = chronicle.0.lock().unwrap();
        let count = |is_it: fn(&SupervisionEvent) -> bool| events.iter().filter(|event| is_it(event)).count();
        (
            count(|event| matches!(event, SupervisionEvent::ActorStarted { .. })),
            count(|event| matches!(event, SupervisionEvent::ActorEnded { .. })),
        )
    };
    // The root itself ends when it has closed everything.
    eventually("whoever was born has died", || started == ended || engine.actors().is_empty()).await;
}

/// An application's actor that is told.
struct Watchman(mpsc::UnboundedSender<SupervisionEvent>);

impl Actor for Watchman {
    type Context = Context<Self>;
}

impl Handler<SupervisionEvent> for Watchman {
    type Result = ();

    fn handle(&mut self, event: SupervisionEvent, _: &mut Self::Context) {
        self.0.send(event).unwrap();
    }
}

#[actix::test]
async fn an_actor_of_the_application_can_be_told() {
    let (told, mut events) = mpsc::unbounded_channel();
    let watchman = Watchman(told).start();
    let (engine, _) = subject(|settings| settings.listeners.supervision.push(Arc::new(watchman.recipient()))).await;
    let _firings = engine.chaos().order(FaultOrder::new(Role::SessionPool, MessageFault::Stop).on("Lend"));
    drop(engine.start_session(Default::default()).await);
    loop {
        let event = events.recv().await.expect("the restart is told");
        if let SupervisionEvent::ActorRestarted { role: Role::SessionPool, cause, .. } = event {
            break assert_eq!(cause, Death::Stopped);
        }
    }
    engine.close(None).await;
}

/// A client without any restart of its own, and what it asks of its parent.
async fn child() -> (Engine, Arc<Chronicle>, mpsc::UnboundedReceiver<Escalation>) {
    let (asked, questions) = mpsc::unbounded_channel();
    let (engine, chronicle) = subject(|settings| {
        settings.restart_budget = RestartBudget::NONE;
        settings.parent = Some(Parent::new(move |escalation| drop(asked.send(escalation))));
    })
    .await;
    (engine, chronicle, questions)
}

/// Crashes the topology, which such a client does not survive.
async fn crash(engine: &Engine, questions: &mut mpsc::UnboundedReceiver<Escalation>) -> Escalation {
    let _firings = engine.chaos().order(FaultOrder::new(Role::Topology, MessageFault::Panic).on("Execute"));
    drop(run(engine, ping()).await);
    let escalation = questions.recv().await.unwrap();
    assert!(escalation.cause().starts_with("supervisor/topology panicked"), "{escalation:?}");
    let setback = run(engine, ping()).await.unwrap_err();
    assert!(matches!(&setback.failure.cause, Cause::EngineDown(cause) if **cause == *escalation.cause()));
    escalation
}

#[tokio::test]
async fn a_parent_decides_about_a_tree_that_cannot_be_kept_alive() {
    let (engine, chronicle, mut questions) = child().await;
    crash(&engine, &mut questions).await.decide(Decision::Restart);
    persist(&engine, ping()).await;

    let began = Instant::now();
    crash(&engine, &mut questions).await.decide(Decision::RestartAfter(Duration::from_millis(300)));
    persist(&engine, ping()).await;
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());

    // An undecided question decides itself.
    drop(crash(&engine, &mut questions).await);
    persist(&engine, ping()).await;
    let is_down = |event: &SupervisionEvent| matches!(event, SupervisionEvent::TreeDown { .. });
    assert!(chronicle.has(is_down));

    let late = crash(&engine, &mut questions).await;
    engine.restart().await;
    persist(&engine, ping()).await;
    late.decide(Decision::Close);
    persist(&engine, ping()).await;

    crash(&engine, &mut questions).await.decide(Decision::StayDown);
    assert!(matches!(engine.supervision().status, TreeStatus::Down { .. }));
    engine.restart().await;
    persist(&engine, ping()).await;

    crash(&engine, &mut questions).await.decide(Decision::Close);
    eventually("it is closed", || engine.is_closed() && engine.actors().is_empty()).await;
    assert!(matches!(run(&engine, ping()).await.unwrap_err().failure.cause, Cause::ClientClosed));
}

#[tokio::test]
async fn a_parent_that_panics_or_leaves_it_undecided_decides_as_usual() {
    let (engine, _) = subject(|settings| {
        settings.restart_budget = RestartBudget::NONE;
        settings.parent = Some(Parent::new(|_| panic!("on purpose")));
    })
    .await;
    let _firings = engine.chaos().order(FaultOrder::new(Role::Topology, MessageFault::Panic).on("Execute"));
    drop(run(&engine, ping()).await);
    persist(&engine, ping()).await;
    assert_eq!(actors(&engine, Role::Supervisor)[0].restarts, 0, "the root has not suffered from it");
    engine.close(None).await;

    let (asked, mut questions) = mpsc::unbounded_channel();
    let (engine, _) = subject(|settings| {
        settings.restart_budget = RestartBudget::NONE;
        settings.stay_down = true;
        settings.parent = Some(Parent::new(move |escalation| drop(asked.send(escalation))));
    })
    .await;
    drop(crash(&engine, &mut questions).await);
    // A barrier through the supervisor would start it anew: a tree that is down is seen to be so.
    assert!(matches!(engine.supervision().status, TreeStatus::Down { .. }));
    engine.restart().await;
    persist(&engine, ping()).await;
    engine.close(None).await;
}

#[tokio::test]
async fn a_parent_decides_about_a_root_that_died() {
    let (engine, _, mut questions) = child().await;
    engine.chaos().kill(Role::Supervisor, None);
    let escalation = questions.recv().await.unwrap();
    assert_eq!(escalation.cause(), "supervisor was killed with its arbiter");
    escalation.decide(Decision::Restart);
    persist(&engine, ping()).await;

    engine.chaos().panic(Role::Supervisor, None);
    let (pause, began) = (Duration::from_millis(300), Instant::now());
    questions.recv().await.unwrap().decide(Decision::RestartAfter(pause));
    assert!(matches!(engine.supervision().status, TreeStatus::Down { .. }));
    persist(&engine, ping()).await;
    assert!(began.elapsed() >= pause, "{:?}", began.elapsed());
    engine.close(None).await;
    assert!(questions.try_recv().is_err(), "an ordinary end is nobody's decision");
}

#[tokio::test]
async fn a_parent_that_decides_at_once_brings_a_root_back_that_has_just_died() {
    let (engine, chronicle) = subject(|settings| {
        settings.restart_budget = RestartBudget::NONE;
        settings.parent = Some(Parent::new(|escalation| escalation.decide(Decision::Restart)));
    })
    .await;
    for died in 1..=3 {
        let struck = match died {
            1 => engine.chaos().panic(Role::Supervisor, None),
            2 => engine.chaos().stop(Role::Supervisor, None),
            _ => engine.chaos().kill(Role::Supervisor, None),
        };
        assert_eq!(struck, 1);
        let is_death =
            |event: &SupervisionEvent| matches!(event, SupervisionEvent::ActorEnded { role: Role::Supervisor, .. });
        eventually("the root is gone", || chronicle.count(is_death) == died).await;
        persist(&engine, ping()).await;
    }
    engine.close(None).await;
}
