//! The supervisor's handlers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use actix::{Actor, ActorFutureExt, AsyncContext, Handler, Supervised, fut::wrap_future};
use bson::rawdoc;
use mongo_actors_protocol::{command::Request, read_preference::ReadPreference};
use tokio::sync::oneshot;

use super::{
    escalation::{Decision, Escalation},
    messages::{Attend, Decided, Restart, Shutdown, StartChangeStream},
};
use crate::{
    change_stream::{ChangeStreamActor, EndStream},
    reaper::{ReaperActor, Settle, settle_rest},
    runtime::{
        ActorPath, Address, Birth, Child, Context, CrashRecord, Death, Home, Obituary, Role, SupervisedActor,
        SupervisionEvent, Threads, clock, start, start_with,
    },
    session_pool::{AbandonSessions, SessionPoolActor, TakeEnded},
    shared::{Shared, Status, Token},
    ticket::{Operation, SessionUse, Ticket},
    topology::{CloseTopology, CollectSessions, Execute, RefuseWaiting, TopologyActor, TopologyPlan},
};

/// How long closing waits for each of its steps, beyond the operations in flight.
const STEP: Duration = Duration::from_secs(2);
/// The pause before the first attempt to bring a tree back that could not be kept alive, doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// How long a parent may take to decide.
const DECISION: Duration = Duration::from_secs(30);

/// What a supervisor is made from.
#[derive(Clone)]
pub(crate) struct SupervisorPlan {
    pub(crate) shared: Arc<Shared>,
    pub(crate) data: Home,
    pub(crate) control: Home,
    /// Threads that the client owns. They end when it is closed.
    pub(crate) threads: Threads,
    /// Dead when the last handle of the client was dropped.
    pub(crate) handles: Weak<()>,
}

/// The root of one client's tree.
pub(crate) struct SupervisorActor {
    plan: SupervisorPlan,
    tree: Option<Tree>,
    /// By their tags. They outlive a tree that starts anew: to them it is a server lost.
    streams: BTreeMap<u64, Child<ChangeStreamActor>>,
    births: u64,
    crashes: CrashRecord,
    /// When the tree was last brought back after a pause, and how long the next pause will be.
    recovery: (Option<Instant>, Duration),
    /// Whether the client's parent has been asked what becomes of a tree that is down, and has not decided.
    is_asked: bool,
    /// Who waits for the end, once the client closes. Survives a crash, as does all that counts.
    closing: Option<Vec<Token>>,
}

/// The supervisor's children.
struct Tree {
    topology: Child<TopologyActor>,
    sessions: Child<SessionPoolActor>,
    reaper: Child<ReaperActor>,
    /// The tags of the three are this one and the next two.
    first_tag: u64,
}

impl SupervisorActor {
    pub(crate) fn new(plan: SupervisorPlan) -> Self {
        let crashes = CrashRecord::new(plan.shared.settings.restart_budget);
        Self {
            plan,
            tree: None,
            streams: BTreeMap::new(),
            births: 0,
            crashes,
            recovery: (None, FIRST_RETRY),
            is_asked: false,
            closing: None,
        }
    }

    fn grow(&mut self, ctx: &mut Context<Self>) {
        let shared = self.plan.shared.clone();
        let first_tag = self.births + 1;
        self.births += 3;
        let root = ActorPath::root();
        let birth = |role: Role, tag| Birth {
            path: root.child(role),
            role,
            tag,
            parent: ctx.address().outlet(),
            budget: shared.settings.restart_budget,
        };
        let (control, registry) = (&self.plan.control, &shared.registry);
        let sessions =
            start(control, registry, birth(Role::SessionPool, first_tag), SessionPoolActor::new(shared.clone()));
        let reaper = ReaperActor::new(shared.clone());
        let reaper = start(control, registry, birth(Role::Reaper, first_tag + 1), reaper);
        let topology = TopologyActor::new(TopologyPlan {
            shared: shared.clone(),
            path: root.child(Role::Topology),
            data: self.plan.data.clone(),
            control: control.clone(),
            sessions: sessions.addr.clone(),
        });
        let topology = start(&self.plan.data, registry, birth(Role::Topology, first_tag + 2), topology);
        shared.topology.store(Some(Arc::new(topology.addr.clone())));
        shared.reaper.store(Some(Arc::new(reaper.addr.clone())));
        shared.status.store(Arc::new(Status::Open));
        shared.sessions.send_replace(Some(sessions.addr.clone()));
        shared.grown.notify();
        self.tree = Some(Tree { topology, sessions, reaper, first_tag });
        self.is_asked = false;
        ctx.set_deadline(None);
        shared.registry.tell(SupervisionEvent::TreeUp);
    }

    fn start_stream(&mut self, StartChangeStream { plan, inbox }: StartChangeStream, ctx: &Context<Self>) {
        self.births += 1;
        let shared = self.plan.shared.clone();
        let birth = Birth {
            path: ActorPath::root().named_child(Role::ChangeStream, self.births),
            role: Role::ChangeStream,
            tag: self.births,
            parent: ctx.address().outlet(),
            budget: shared.settings.restart_budget,
        };
        let actor = ChangeStreamActor::new(shared.clone(), plan);
        let child = start_with(inbox, &self.plan.data, &shared.registry, birth, actor);
        self.streams.insert(self.births, child);
    }

    /// A child could not be kept alive: everything starts anew, at once within the budget, else after a pause.
    fn child_lost(&mut self, cause: String, ctx: &mut Context<Self>) {
        self.tree = None;
        if !self.plan.data.is_alive() {
            return self.down("the arbiter that the client was built on has stopped".to_owned(), None);
        }
        let now = clock::now();
        if self.crashes.covers_crash_at(now) {
            return self.grow(ctx);
        }
        match self.plan.shared.settings.parent.clone() {
            Some(parent) => {
                self.down(cause.clone(), None);
                self.is_asked = true;
                ctx.set_deadline(Some(now + DECISION));
                let (supervisor, births) = (ctx.address(), self.births);
                let decide = move |decision| supervisor.do_send(Decided { decision, births });
                parent.escalate(Escalation::new(cause, decide));
            }
            None => {
                let pause = self.usual_pause(now);
                self.down(cause, pause);
                self.recover_after(pause, now, ctx);
            }
        }
    }

    /// Operations fail with the cause from now on.
    fn down(&self, cause: String, retry_after: Option<Duration>) {
        tracing::error!(target: "mongo_actors::supervision", %cause, ?retry_after, "the client's actors are down");
        let shared = &self.plan.shared;
        shared.status.store(Arc::new(Status::Down(cause.as_str().into())));
        shared.sessions.send_replace(None);
        shared.registry.tell(SupervisionEvent::TreeDown { cause, retry_after });
    }

    fn decided(&mut self, decision: Decision, ctx: &mut Context<Self>) {
        self.is_asked = false;
        let now = clock::now();
        let pause = match decision {
            Decision::Restart => return self.grow(ctx),
            Decision::Close => return self.shut_down(Shutdown { within: Some(Duration::ZERO), done: None }, ctx),
            Decision::RestartAfter(pause) => Some(pause),
            Decision::StayDown => None,
            Decision::AsUsual => self.usual_pause(now),
        };
        self.recover_after(pause, now, ctx);
    }

    fn recover_after(&mut self, pause: Option<Duration>, now: Instant, ctx: &mut Context<Self>) {
        ctx.set_deadline(pause.map(|pause| now + pause));
        if let Some(pause) = pause {
            self.recovery = (Some(now + pause), (pause * 2).clamp(FIRST_RETRY, LAST_RETRY));
        }
    }

    /// The pause of a client whose parent does not decide; none if it is to stay down.
    fn usual_pause(&self, now: Instant) -> Option<Duration> {
        (!self.plan.shared.settings.stay_down).then(|| self.pause_before_recovery(now))
    }

    /// Twice the last pause, unless the tree has stood for long since then.
    fn pause_before_recovery(&self, now: Instant) -> Duration {
        match self.recovery {
            (Some(recovered), _) if now.saturating_duration_since(recovered) >= LAST_RETRY => FIRST_RETRY,
            (_, pause) => pause,
        }
    }

    fn shut_down(&mut self, Shutdown { within, done }: Shutdown, ctx: &mut Context<Self>) {
        if let Some(waiting) = &mut self.closing {
            // Whoever closes a second time waits for the first.
            return waiting.extend(done);
        }
        self.closing = Some(done.into_iter().collect());
        self.plan.shared.status.store(Arc::new(Status::Closed));
        let deadline = within.map(|within| clock::now() + within);
        let Some(tree) = &self.tree else { return self.closed(ctx) };
        let closing = Closing {
            shared: self.plan.shared.clone(),
            topology: tree.topology.addr.clone(),
            sessions: tree.sessions.addr.clone(),
            reaper: tree.reaper.addr.clone(),
            streams: self.streams.values().map(|stream| stream.addr.clone()).collect(),
        };
        let work = async move { closing.run(deadline).await };
        ctx.spawn(wrap_future::<_, Self>(work).map(|(), actor: &mut Self, ctx: &mut Context<Self>| actor.closed(ctx)));
    }

    /// Nothing is left to be closed. Whoever waits learns of it when the supervisor is dropped.
    fn closed(&mut self, ctx: &mut Context<Self>) {
        self.tree = None;
        self.streams.clear();
        ctx.finish();
    }
}

/// The steps of closing, in their order.
struct Closing {
    shared: Arc<Shared>,
    topology: Address<TopologyActor>,
    sessions: Address<SessionPoolActor>,
    reaper: Address<ReaperActor>,
    streams: Vec<Address<ChangeStreamActor>>,
}

impl Closing {
    async fn run(&self, deadline: Option<Instant>) {
        // Change streams would never end by themselves.
        self.end_streams().await;
        self.topology.do_send(RefuseWaiting);
        until(deadline, self.shared.gate.emptied()).await;
        // From here on only the closing steps themselves send commands.
        let (done, abandoned) = Token::new();
        self.sessions.do_send(AbandonSessions { done });
        briefly(abandoned).await;
        let (done, settled) = Token::new();
        self.reaper.do_send(Settle { done: Some(done) });
        briefly(settled).await;
        briefly(settle_rest(&self.shared)).await;
        self.end_sessions().await;
        let (done, closed) = Token::new();
        self.topology.do_send(CloseTopology { done });
        briefly(closed).await;
        briefly(self.shared.events.flushed()).await;
    }

    async fn end_streams(&self) {
        let (done, ended) = Token::new();
        for stream in &self.streams {
            stream.do_send(EndStream { within: None, done: Some(done.clone()) });
        }
        drop(done);
        briefly(ended).await;
    }

    /// Every error is ignored: the server ends sessions by itself in the end.
    async fn end_sessions(&self) {
        let (done, collected) = Token::new();
        self.topology.do_send(CollectSessions { done });
        briefly(collected).await;
        let (reply, groups) = oneshot::channel();
        self.sessions.do_send(TakeEnded(reply));
        let Ok(groups) = groups.await else { return };
        for ids in groups {
            let mut array = bson::RawArrayBuf::new();
            ids.into_iter().for_each(|id| array.push(id));
            let body = rawdoc! { "endSessions": array };
            let request = Request::new("endSessions", "admin".into(), body);
            let mut operation = Box::new(Operation::new(request, ReadPreference::primary_preferred().into()));
            operation.session = SessionUse::None;
            operation.deadline = Some(clock::now() + STEP);
            let (ticket, answer) = Ticket::new(operation, &self.shared);
            self.topology.do_send(Execute(ticket));
            briefly(async { drop(answer.await) }).await;
        }
    }
}

async fn until(deadline: Option<Instant>, work: impl Future<Output = ()>) {
    match deadline {
        None => work.await,
        // Those that are still in flight are answered when their rooms close.
        Some(deadline) => drop(tokio::time::timeout_at(deadline.into(), work).await),
    }
}

async fn briefly(work: impl Future<Output = ()>) {
    until(Some(clock::now() + STEP), work).await;
}

impl Actor for SupervisorActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        // If it crashed while it closed the client, what could not be closed in order has ended with the tree.
        if self.closing.is_some() || self.plan.handles.strong_count() == 0 {
            self.closing.get_or_insert_default();
            return self.closed(ctx);
        }
        self.grow(ctx);
    }
}

impl Supervised for SupervisorActor {
    /// The tree goes with the state that held it.
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.tree = None;
        self.streams.clear();
    }
}

impl SupervisedActor for SupervisorActor {
    fn deadline_reached(&mut self, ctx: &mut Context<Self>) {
        if self.tree.is_some() || self.closing.is_some() {
            return;
        }
        match self.is_asked {
            true => self.decided(Decision::AsUsual, ctx),
            false => self.grow(ctx),
        }
    }

    fn in_flight(&self) -> usize {
        self.plan.shared.gate.inside()
    }
}

impl Handler<Obituary> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, obituary: Obituary, ctx: &mut Context<Self>) {
        if self.streams.remove(&obituary.tag).is_some() {
            return;
        }
        let is_current = self.tree.as_ref().is_some_and(|tree| {
            (tree.first_tag..tree.first_tag + 3).contains(&obituary.tag) && obituary.death != Death::Normal
        });
        if is_current && self.closing.is_none() {
            self.child_lost(format!("{} {}", obituary.path, obituary.death), ctx);
        }
    }
}

impl Handler<Shutdown> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, shutdown: Shutdown, ctx: &mut Context<Self>) {
        self.shut_down(shutdown, ctx);
    }
}

impl Handler<StartChangeStream> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, message: StartChangeStream, ctx: &mut Context<Self>) {
        if self.closing.is_none() {
            self.start_stream(message, ctx);
        }
    }
}

impl Handler<Decided> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, Decided { decision, births }: Decided, ctx: &mut Context<Self>) {
        if self.is_asked && self.births == births && self.closing.is_none() {
            self.decided(decision, ctx);
        }
    }
}

impl Handler<Restart> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, Restart { done }: Restart, ctx: &mut Context<Self>) {
        if self.closing.is_none() {
            self.tree = None;
            self.crashes = CrashRecord::new(self.plan.shared.settings.restart_budget);
            self.recovery = (None, FIRST_RETRY);
            self.grow(ctx);
        }
        // Whoever ordered it may have gone.
        let _told = done.send(());
    }
}

impl Handler<Attend> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, _: Attend, _: &mut Context<Self>) {}
}

impl Drop for SupervisorActor {
    /// However the supervisor ends, operations must not wait for a tree that is gone.
    fn drop(&mut self) {
        let shared = &self.plan.shared;
        if shared.status.load().refusal().is_none() {
            shared.status.store(Arc::new(Status::Down("the client's supervisor has ended".into())));
        }
        shared.topology.store(None);
        shared.reaper.store(None);
        shared.sessions.send_replace(None);
        shared.grown.notify();
        if self.closing.take().is_some() {
            self.plan.threads.end();
        }
    }
}
