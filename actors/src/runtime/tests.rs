use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::{Actor, AsyncContext as _, Handler, Message, Supervised};
use tokio::sync::{mpsc, oneshot};

use super::*;

/// What the actors below report, in order.
type Log = mpsc::UnboundedSender<Report>;

#[derive(Debug, PartialEq)]
enum Report {
    Started { life: u64 },
    Deadline { life: u64 },
    Handled(u32),
    Buried { tag: u64, death: Death },
}

struct Probe {
    log: Log,
    deadline_in: Option<Duration>,
}

impl Actor for Probe {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.log.send(Report::Started { life: ctx.life() }).unwrap();
        ctx.set_deadline(self.deadline_in.map(|delay| clock::now() + delay));
    }
}

impl Supervised for Probe {}

impl SupervisedActor for Probe {
    fn deadline_reached(&mut self, ctx: &mut Context<Self>) {
        self.log.send(Report::Deadline { life: ctx.life() }).unwrap();
    }
}

#[derive(Message)]
#[rtype(result = "()")]
enum Order {
    Count(u32),
    Panic(Option<oneshot::Sender<()>>),
    Escalate,
    WakeIn(Option<Duration>),
}

impl Handler<Order> for Probe {
    type Result = ();

    fn handle(&mut self, order: Order, ctx: &mut Context<Self>) {
        match order {
            Order::Count(n) => self.log.send(Report::Handled(n)).unwrap(),
            Order::Panic(_guard) => panic!("as ordered"),
            Order::Escalate => ctx.escalate("no child left"),
            Order::WakeIn(delay) => ctx.set_deadline(delay.map(|delay| clock::now() + delay)),
        }
    }
}

/// Keeps obituaries.
struct Parent(Log);

impl Actor for Parent {
    type Context = Context<Self>;
}

impl Supervised for Parent {}

impl SupervisedActor for Parent {}

impl Handler<Obituary> for Parent {
    type Result = ();

    fn handle(&mut self, obituary: Obituary, _: &mut Context<Self>) {
        self.0.send(Report::Buried { tag: obituary.tag, death: obituary.death }).unwrap();
    }
}

/// Actors under test, and what they report.
struct Family {
    registry: Registry,
    home: Home,
    parent: Child<Parent>,
    log: Log,
    reports: mpsc::UnboundedReceiver<Report>,
}

impl Family {
    fn new() -> Self {
        let (log, reports) = mpsc::unbounded_channel();
        let registry = Registry::default();
        let home = Home::current().unwrap();
        let birth = birth(ActorPath::root(), 0, Outlet::nowhere(), RestartBudget::default());
        let parent = start(&home, &registry, birth, Parent(log.clone()));
        Self { registry, home, parent, log, reports }
    }

    fn child(&self, budget: RestartBudget, deadline_in: Option<Duration>) -> Child<Probe> {
        let path = ActorPath::root().named_child(Role::Connection, 7);
        let birth = birth(path, 42, self.parent.addr.outlet(), budget);
        start(&self.home, &self.registry, birth, Probe { log: self.log.clone(), deadline_in })
    }

    async fn expect(&mut self, report: Report) {
        assert_eq!(self.reports.recv().await, Some(report));
    }
}

fn birth(path: ActorPath, tag: u64, parent: Outlet<Obituary>, budget: RestartBudget) -> Birth {
    Birth { path, role: Role::Connection, tag, parent, budget }
}

fn run(test: impl Future<Output = ()>) {
    actix_rt::System::new().block_on(test);
}

/// Timers have a resolution of one millisecond.
fn assert_elapsed(start: std::time::Instant, seconds: u64) {
    let late = (clock::now() - start).checked_sub(Duration::from_secs(seconds)).expect("not too early");
    assert!(late <= Duration::from_millis(2), "{late:?} late");
}

fn panicked() -> Death {
    Death::Panicked("as ordered".into())
}

#[test]
fn a_panic_costs_only_its_own_message() {
    run(async {
        let mut family = Family::new();
        let child = family.child(RestartBudget::default(), None);
        let (guard, answered) = oneshot::channel();
        child.addr.do_send(Order::Count(1));
        child.addr.do_send(Order::Panic(Some(guard)));
        child.addr.do_send(Order::Count(2));

        family.expect(Report::Started { life: 0 }).await;
        family.expect(Report::Handled(1)).await;
        family.expect(Report::Started { life: 1 }).await;
        family.expect(Report::Handled(2)).await;
        assert!(answered.await.is_err(), "the lost message's guard was dropped");
        let entry = family.registry.snapshot().pop().unwrap();
        assert_eq!((entry.restarts, entry.last_failure), (1, Some(panicked())));
    });
}

#[test]
fn past_its_budget_an_actor_is_given_up() {
    run(async {
        let mut family = Family::new();
        let budget = RestartBudget { restarts: 1, within: Duration::from_secs(3600) };
        let child = family.child(budget, None);
        family.expect(Report::Started { life: 0 }).await;
        child.addr.do_send(Order::Escalate);
        family.expect(Report::Started { life: 1 }).await;
        child.addr.do_send(Order::Panic(None));
        family.expect(Report::Buried { tag: 42, death: panicked() }).await;
        assert_eq!(family.registry.snapshot().len(), 1, "only the parent is left");
        assert!(!child.addr.connected(), "its mailbox is closed, so that messages answer for themselves");
    });
}

#[test]
fn dropping_the_lifeline_ends_a_child_whose_address_is_held() {
    run(async {
        let mut family = Family::new();
        let child = family.child(RestartBudget::default(), Some(Duration::from_secs(3600)));
        let address: Address<Probe> = child.addr.clone();
        family.expect(Report::Started { life: 0 }).await;
        drop(child);
        family.expect(Report::Buried { tag: 42, death: Death::Normal }).await;
        assert!(!address.connected());
    });
}

#[test]
fn an_obituary_comes_when_the_actor_is_gone() {
    run(async {
        let family = Family::new();
        let (log, mut reports) = mpsc::unbounded_channel();
        let (last_log, address) = (log.downgrade(), Arc::new(OnceLock::<Address<Probe>>::new()));
        let (buried, burial) = oneshot::channel();
        let (buried, child_address) = (Mutex::new(Some(buried)), address.clone());
        let parent = Outlet::new(move |_: Obituary| {
            let is_dropped = last_log.upgrade().is_none();
            let is_connected = child_address.get().is_none_or(Address::connected);
            let buried = buried.lock().unwrap().take().expect("one obituary");
            buried.send((is_dropped, is_connected)).unwrap();
        });
        let path = ActorPath::root().named_child(Role::Connection, 7);
        let budget = RestartBudget { restarts: 0, ..RestartBudget::default() };
        let probe = Probe { log, deadline_in: None };
        let child = start(&family.home, &family.registry, birth(path, 42, parent, budget), probe);
        assert!(address.set(child.addr.clone()).is_ok());
        assert_eq!(reports.recv().await, Some(Report::Started { life: 0 }));
        child.addr.do_send(Order::Panic(None));
        assert_eq!(burial.await, Ok((true, false)), "dropped, and its mailbox closed");
    });
}

#[test]
fn a_stopped_arbiter_reports_its_actors_as_killed() {
    run(async {
        let mut family = Family::new();
        let host = HostThread::start("host of a test").unwrap();
        let home = host.home().clone();
        family.home = home.clone();
        let _child = family.child(RestartBudget::default(), None);
        family.expect(Report::Started { life: 0 }).await;
        drop(host);
        family.expect(Report::Buried { tag: 42, death: Death::Killed }).await;
        let _stillborn = family.child(RestartBudget::default(), None);
        family.expect(Report::Buried { tag: 42, death: Death::Killed }).await;
    });
}

/// Counts how often it is polled, and sets a deadline when it is told to.
struct Patient {
    polls: Arc<AtomicUsize>,
    deadline: mpsc::UnboundedSender<()>,
}

impl Actor for Patient {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let polls = self.polls.clone();
        ctx.spawn(actix::fut::wrap_future(std::future::poll_fn(move |_| {
            polls.fetch_add(1, Ordering::Relaxed);
            std::task::Poll::<()>::Pending
        })));
    }
}

impl Supervised for Patient {}

impl SupervisedActor for Patient {
    fn deadline_reached(&mut self, _: &mut Context<Self>) {
        self.deadline.send(()).unwrap();
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct WakeSoon(oneshot::Sender<()>);

impl Handler<WakeSoon> for Patient {
    type Result = ();

    fn handle(&mut self, WakeSoon(done): WakeSoon, ctx: &mut Context<Self>) {
        ctx.set_deadline(Some(clock::now() + Duration::from_secs(5)));
        done.send(()).unwrap();
    }
}

#[test]
fn a_new_deadline_costs_no_turn() {
    run(async {
        tokio::time::pause();
        let family = Family::new();
        let polls = Arc::new(AtomicUsize::new(0));
        let (deadline, mut reached) = mpsc::unbounded_channel();
        let path = ActorPath::root().named_child(Role::Connection, 8);
        let birth = birth(path, 43, family.parent.addr.outlet(), RestartBudget::default());
        let patient = Patient { polls: polls.clone(), deadline };
        let child = start(&family.home, &family.registry, birth, patient);
        let wake = async || {
            let (done, handled) = oneshot::channel();
            child.addr.do_send(WakeSoon(done));
            handled.await.unwrap();
            tokio::task::yield_now().await;
        };
        wake().await;
        let before = polls.load(Ordering::Relaxed);
        reached.recv().await.unwrap();
        // The deadline itself is a turn.
        let turns = polls.load(Ordering::Relaxed) - before;
        assert!(turns <= 2, "{turns}");
        let before = polls.load(Ordering::Relaxed);
        wake().await;
        let turns = polls.load(Ordering::Relaxed) - before;
        assert_eq!(turns, 1, "the message is a turn, its deadline is not");
    });
}

#[test]
fn the_timer_follows_the_deadline() {
    run(async {
        tokio::time::pause();
        let mut family = Family::new();
        let child = family.child(RestartBudget::default(), Some(Duration::from_secs(10)));
        family.expect(Report::Started { life: 0 }).await;
        let start = clock::now();

        child.addr.do_send(Order::WakeIn(Some(Duration::from_secs(5))));
        family.expect(Report::Deadline { life: 0 }).await;
        assert_elapsed(start, 5);

        child.addr.do_send(Order::WakeIn(Some(Duration::from_secs(1))));
        child.addr.do_send(Order::WakeIn(Some(Duration::from_secs(7))));
        family.expect(Report::Deadline { life: 0 }).await;
        assert_elapsed(start, 12);
    });
}

#[test]
fn a_timer_that_fired_unwanted_can_be_set_again() {
    run(async {
        tokio::time::pause();
        let mut family = Family::new();
        let child = family.child(RestartBudget::default(), Some(Duration::from_secs(1)));
        family.expect(Report::Started { life: 0 }).await;
        child.addr.do_send(Order::WakeIn(None));
        tokio::time::sleep(Duration::from_secs(2)).await;
        let start = clock::now();
        child.addr.do_send(Order::WakeIn(Some(Duration::from_secs(3))));
        family.expect(Report::Deadline { life: 0 }).await;
        assert_elapsed(start, 3);
    });
}

#[test]
fn a_new_life_starts_without_the_old_timer() {
    run(async {
        tokio::time::pause();
        let mut family = Family::new();
        let child = family.child(RestartBudget::default(), None);
        family.expect(Report::Started { life: 0 }).await;
        child.addr.do_send(Order::WakeIn(Some(Duration::from_secs(1))));
        child.addr.do_send(Order::Panic(None));
        family.expect(Report::Started { life: 1 }).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        child.addr.do_send(Order::Count(3));
        family.expect(Report::Handled(3)).await;
    });
}

/// Sends itself a message for each message it gets, and never runs out of them.
struct Flooded {
    handled: u64,
    done: Option<oneshot::Sender<u64>>,
    others: Arc<Mutex<u64>>,
}

impl Actor for Flooded {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_deadline(Some(clock::now() + Duration::from_millis(20)));
        ctx.address().do_send(Flood);
    }
}

impl Supervised for Flooded {}

impl SupervisedActor for Flooded {
    fn deadline_reached(&mut self, _: &mut Context<Self>) {
        if let Some(done) = self.done.take() {
            done.send(self.handled).unwrap();
        }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Flood;

impl Handler<Flood> for Flooded {
    type Result = ();

    fn handle(&mut self, _: Flood, ctx: &mut Context<Self>) {
        self.handled += 1;
        if self.done.is_some() {
            ctx.address().do_send(Flood);
        }
    }
}

#[test]
fn a_flooded_actor_keeps_its_deadline_and_leaves_its_neighbours_a_turn() {
    run(async {
        let (done, is_done) = oneshot::channel();
        let others = Arc::new(Mutex::new(0));
        let flooded = Flooded { handled: 0, done: Some(done), others: others.clone() };
        let birth = birth(ActorPath::root(), 0, Outlet::nowhere(), RestartBudget::NONE);
        let neighbour = tokio::task::spawn_local({
            let others = flooded.others.clone();
            async move {
                loop {
                    *others.lock().unwrap() += 1;
                    tokio::task::yield_now().await;
                }
            }
        });
        let _child = start(&Home::current().unwrap(), &Registry::default(), birth, flooded);
        let handled = is_done.await.expect("the deadline ran although the mailbox was never empty");
        neighbour.abort();
        let turns = *others.lock().unwrap();
        assert!(turns >= handled / 64, "{turns} turns of the neighbour for {handled} messages");
    });
}
