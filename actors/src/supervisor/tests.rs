//! A parent that does not decide, on a clock that the test drives.

use std::{sync::Arc, time::Duration};

use mongo_actors_protocol::{chaos::MessageFault, options::ClientOptions};
use tokio::{sync::mpsc, time::sleep};

use super::*;
use crate::{
    runtime::{ActorPath, Birth, Child, Home, Outlet, RestartBudget, Role, Threads, start},
    settings::EngineSettings,
    shared::{Shared, Status},
};

/// How long a parent may take, and the first pause of a client that is left to itself.
const DECISION: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(100);

/// A client's root, every actor of which is on this thread.
struct Scene {
    shared: Arc<Shared>,
    questions: mpsc::UnboundedReceiver<Escalation>,
    _handles: Arc<()>,
    _root: Child<SupervisorActor>,
}

impl Scene {
    fn new(stay_down: bool) -> Self {
        // Nobody listens there, and nobody needs to.
        let mut settings = EngineSettings::new(ClientOptions::parse("mongodb://127.0.0.1:1").unwrap());
        let (asked, questions) = mpsc::unbounded_channel();
        settings.restart_budget = RestartBudget::NONE;
        settings.stay_down = stay_down;
        settings.parent = Some(Parent::new(move |escalation| drop(asked.send(escalation))));
        let shared = Arc::new(Shared::new(settings).unwrap());
        let (home, handles) = (Home::current().unwrap(), Arc::new(()));
        let plan = SupervisorPlan {
            shared: shared.clone(),
            data: home.clone(),
            control: home.clone(),
            threads: Threads::new(Vec::new()),
            handles: Arc::downgrade(&handles),
        };
        let birth = Birth {
            path: ActorPath::root(),
            role: Role::Supervisor,
            tag: 0,
            parent: Outlet::nowhere(),
            budget: RestartBudget::NONE,
        };
        let root = start(&home, &shared.registry, birth, SupervisorActor::new(plan));
        Self { shared, questions, _handles: handles, _root: root }
    }

    /// Crashes the topology, which such a client does not survive.
    async fn crash(&mut self) -> Escalation {
        sleep(MOMENT).await;
        assert!(self.is_up());
        assert_eq!(self.shared.registry.strike(MessageFault::Panic, |_, role| role == Role::Topology), 1);
        let escalation = self.questions.recv().await.unwrap();
        assert!(escalation.cause().starts_with("supervisor/topology panicked"), "{escalation:?}");
        escalation
    }

    fn is_up(&self) -> bool {
        matches!(**self.shared.status.load(), Status::Open)
    }
}

/// Where time passes only when nothing is left to be done.
fn run(test: impl Future<Output = ()>) {
    let paused = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    actix_rt::System::with_tokio_rt(paused).block_on(test);
}

#[test]
fn a_question_that_is_kept_for_thirty_seconds_decides_itself() {
    run(async {
        let mut scene = Scene::new(false);
        let undecided = scene.crash().await;
        sleep(DECISION - MOMENT).await;
        assert!(!scene.is_up(), "the parent may still decide");
        // From then on it is as with a client that is nobody's child.
        sleep(MOMENT * 2).await;
        assert!(!scene.is_up(), "there is a pause first");
        sleep(FIRST_PAUSE).await;
        assert!(scene.is_up());
        undecided.decide(Decision::Close);
        sleep(MOMENT).await;
        assert!(scene.is_up(), "a decision that comes too late changes nothing");
    });
}

#[test]
fn a_client_that_is_to_stay_down_does_so_when_its_parent_does_not_decide() {
    run(async {
        let mut scene = Scene::new(true);
        let _undecided = scene.crash().await;
        sleep(DECISION * 10).await;
        assert!(!scene.is_up());
    });
}

#[test]
fn a_decision_within_the_time_is_the_one_that_counts() {
    run(async {
        let mut scene = Scene::new(false);
        let question = scene.crash().await;
        sleep(DECISION - MOMENT).await;
        question.decide(Decision::RestartAfter(DECISION * 2));
        sleep(DECISION * 2 - MOMENT).await;
        assert!(!scene.is_up(), "the time to decide is over, and so is what would have been done then");
        sleep(MOMENT * 2).await;
        assert!(scene.is_up());
    });
}
