//! The topology's handlers: selection and routing of tickets, and the shell around the machine.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, Handler, Supervised};
use mongo_actors_protocol::{
    address::ServerAddress,
    cmap::{CheckOutError, Clear, PoolClosed},
    retry::Stage,
    sdam::{
        Effect, FailureKind, FailurePhase, ServerDescription, ServerFailure, Topology, TopologySettings,
        monitor::CheckOutcome,
    },
    selection::{SelectionContext, SelectionError, select_server},
};

use super::{
    messages::{
        CheckOutBare, CloseTopology, ClusterTimeSeen, CollectSessions, ConnectionLost, EstablishmentFailed, Execute,
        Flush, Observation, OperationFailed, OrderPool, PoolOrder, PoolRestarted, RefuseWaiting, Select, ServerChecked,
        ServerObserved, SrvUpdated, WarmUpPools,
    },
    waiting::{Seeker, Waiting, WaitingList},
};
use crate::{
    connection::Run,
    connection_pool::{
        AbandonServer, CheckOut, ClearPool, ClosePool, ConnectionPoolActor, ConnectionRefused, FlushPool, MarkReady,
        PoolPlan, Renew, SurrenderSessions, WarmUp,
    },
    event_publisher::SelectionLog,
    failure::{Cause, EstablishFault, EstablishStep},
    runtime::{ActorPath, Address, Birth, Child, Context, Death, Home, Obituary, Role, SupervisedActor, clock, start},
    server_monitor::{CancelCheck, MonitorPlan, ProbeSuperseded, Reports, RequestCheck, ServerMonitorActor},
    session_pool::SessionPoolActor,
    shared::{Shared, Status, Token},
    srv_poller::{SrvPollerActor, SrvPollerPlan},
    ticket::Load,
};

/// How long closing waits for the monitors, which have nothing left to do but end.
const MONITORS_END: Duration = Duration::from_secs(1);

/// What a topology is made from.
#[derive(Clone)]
pub(crate) struct TopologyPlan {
    pub(crate) shared: Arc<Shared>,
    pub(crate) path: ActorPath,
    /// Where pools and connections live: here.
    pub(crate) data: Home,
    /// Where monitors live.
    pub(crate) control: Home,
    pub(crate) sessions: Address<SessionPoolActor>,
}

/// Holds what is known of the deployment, and routes every ticket.
pub(crate) struct TopologyActor {
    plan: TopologyPlan,
    topology: Topology,
    servers: BTreeMap<ServerAddress, Server>,
    srv_poller: Option<(u64, Child<SrvPollerActor>)>,
    /// Pools that were closed and still have connections in use.
    retired: Vec<(u64, Child<ConnectionPoolActor>)>,
    waiting: WaitingList,
    /// Counts the children ever started, so that each has a tag of its own.
    births: u64,
    closing: Option<Token>,
    /// Monitors that have to end before the topology is closed: their last events come before that of its end.
    ending_monitors: Vec<u64>,
}

/// One server's children.
struct Server {
    pool: Child<ConnectionPoolActor>,
    pool_tag: u64,
    monitor: Option<(u64, Child<ServerMonitorActor>)>,
    load: Load,
}

impl TopologyActor {
    pub(crate) fn new(plan: TopologyPlan) -> Self {
        let settings = TopologySettings::from(&*plan.shared.settings.options);
        let topology = Topology::new(settings, plan.shared.entropy.object_id());
        Self::around(plan, topology)
    }

    fn around(plan: TopologyPlan, topology: Topology) -> Self {
        Self {
            plan,
            topology,
            servers: BTreeMap::new(),
            srv_poller: None,
            retired: Vec::new(),
            waiting: WaitingList::default(),
            births: 0,
            closing: None,
            ending_monitors: Vec::new(),
        }
    }

    /// Does what the machine asks for, in its order, then lets those who wait try again.
    fn settle(&mut self, ctx: &mut Context<Self>, cause: Option<&Arc<str>>) {
        let mut replaced = false;
        while let Some(effect) = self.topology.poll_effect() {
            replaced |= matches!(effect, Effect::DescriptionReplaced);
            self.act(effect, cause, ctx);
        }
        if !self.topology.polls_srv() {
            self.srv_poller = None;
        }
        if replaced {
            self.retry_waiting(ctx);
        }
    }

    fn act(&mut self, effect: Effect, cause: Option<&Arc<str>>, ctx: &mut Context<Self>) {
        match effect {
            Effect::ServerAdded { address, monitored } => {
                let monitored = monitored && self.plan.shared.settings.conformance.monitors;
                self.add_server(address, monitored, ctx);
            }
            Effect::ServerRemoved(address) => self.remove_server(&address),
            Effect::MarkPoolReady(address) => self.tell_pool(&address, |pool| pool.do_send(MarkReady)),
            Effect::ClearPool { address, generation, service_id, interrupt_in_use } => {
                let clear = Clear { generation, service_id, interrupt_in_use, cause: cause.cloned() };
                self.tell_pool(&address, |pool| pool.do_send(ClearPool(clear)));
            }
            Effect::RequestCheck(address) => self.tell_monitor(&address, |monitor| monitor.do_send(RequestCheck)),
            Effect::CancelCheck(address) => self.tell_monitor(&address, |monitor| monitor.do_send(CancelCheck)),
            Effect::PrimarySuperseded(address) => {
                tracing::info!(target: "mongo_actors::topology", server = %address, "a newer primary took over");
                self.tell_monitor(&address, |monitor| monitor.do_send(ProbeSuperseded));
            }
            Effect::DescriptionReplaced => self.publish_description(),
            Effect::Publish(event) => self.plan.shared.events.publish_sdam(event),
        }
    }

    fn publish_description(&self) {
        let description = self.topology.description();
        tracing::debug!(target: "mongo_actors::topology", %description, "topology description changed");
        self.plan.shared.description.store(description.clone());
    }

    fn tell_pool(&self, address: &ServerAddress, tell: impl FnOnce(&Address<ConnectionPoolActor>)) {
        if let Some(server) = self.servers.get(address) {
            tell(&server.pool.addr);
        }
    }

    fn tell_monitor(&self, address: &ServerAddress, tell: impl FnOnce(&Address<ServerMonitorActor>)) {
        if let Some((_, monitor)) = self.servers.get(address).and_then(|server| server.monitor.as_ref()) {
            tell(&monitor.addr);
        }
    }

    fn next_tag(&mut self) -> u64 {
        self.births += 1;
        self.births
    }

    fn add_server(&mut self, address: ServerAddress, monitored: bool, ctx: &mut Context<Self>) {
        let (pool_tag, pool) = self.start_pool(&address, ctx);
        let monitor = monitored.then(|| self.start_monitor(&address, ctx));
        self.servers.insert(address, Server { pool, pool_tag, monitor, load: Load::default() });
    }

    fn start_pool(&mut self, address: &ServerAddress, ctx: &Context<Self>) -> (u64, Child<ConnectionPoolActor>) {
        let plan = PoolPlan {
            shared: self.plan.shared.clone(),
            path: self.plan.path.named_child(Role::ConnectionPool, address),
            address: Arc::new(address.clone()),
            options: self.plan.shared.settings.pool_options(),
            generations: self.topology.generations(address),
            home: self.plan.data.clone(),
            topology: ctx.address(),
            sessions: self.plan.sessions.clone(),
        };
        let tag = self.next_tag();
        let birth = self.birth(plan.path.clone(), Role::ConnectionPool, tag, ctx);
        let home = self.plan.data.clone();
        (tag, start(&home, &self.plan.shared.registry, birth, ConnectionPoolActor::new(plan)))
    }

    fn start_monitor(&mut self, address: &ServerAddress, ctx: &Context<Self>) -> (u64, Child<ServerMonitorActor>) {
        let tag = self.next_tag();
        let path = self.plan.path.named_child(Role::ServerMonitor, address);
        let plan = MonitorPlan {
            shared: self.plan.shared.clone(),
            address: Arc::new(address.clone()),
            reports: Reports { checked: ctx.address().outlet(), observed: ctx.address().outlet() },
            tag,
        };
        let birth = self.birth(path, Role::ServerMonitor, tag, ctx);
        (tag, start(&self.plan.control, &self.plan.shared.registry, birth, ServerMonitorActor::new(plan)))
    }

    /// Has the hosts followed in DNS if they came from there, for as long as they can change.
    fn follow_srv(&mut self, ctx: &Context<Self>) {
        let Some(srv) = self.plan.shared.settings.options.srv.clone().filter(|_| self.topology.polls_srv()) else {
            return;
        };
        let tag = self.next_tag();
        let birth = self.birth(self.plan.path.child(Role::SrvPoller), Role::SrvPoller, tag, ctx);
        let plan = SrvPollerPlan { shared: self.plan.shared.clone(), topology: ctx.address(), srv, tag };
        let poller = start(&self.plan.control, &self.plan.shared.registry, birth, SrvPollerActor::new(plan));
        self.srv_poller = Some((tag, poller));
    }

    fn birth(&self, path: ActorPath, role: Role, tag: u64, ctx: &Context<Self>) -> Birth {
        let budget = self.plan.shared.settings.restart_budget;
        Birth { path, role, tag, parent: ctx.address().outlet(), budget }
    }

    /// The monitor ends at once, the pool when its last connection comes back.
    fn remove_server(&mut self, address: &ServerAddress) {
        if let Some(server) = self.servers.remove(address) {
            server.pool.addr.do_send(ClosePool { then_end: true, done: self.closing.clone() });
            self.retired.push((server.pool_tag, server.pool));
        }
    }

    /// Routes the seeker, or has it wait.
    fn seek(&mut self, mut waiting: Waiting, ctx: &mut Context<Self>) {
        if waiting.seeker.is_cancelled() {
            return;
        }
        match self.select(&waiting.seeker) {
            Ok(Some(server)) => {
                self.log(&waiting.seeker, |log| log.succeeded(&server.address));
                self.route(waiting.seeker, server);
            }
            Err(error) => self.refuse(waiting.seeker, error),
            Ok(None) if waiting.until <= clock::now() => self.refuse_expired(waiting),
            Ok(None) => {
                waiting.until = waiting.until.max(waiting.since);
                if !std::mem::replace(&mut waiting.logged, true) {
                    let remaining = waiting.until.saturating_duration_since(clock::now());
                    self.log(&waiting.seeker, |log| log.waiting(remaining));
                }
                self.waiting.push(waiting);
                for server in self.servers.values() {
                    if let Some((_, monitor)) = &server.monitor {
                        monitor.addr.do_send(RequestCheck);
                    }
                }
                ctx.set_deadline(self.waiting.deadline());
            }
        }
    }

    fn select(&self, seeker: &Seeker) -> Result<Option<Arc<ServerDescription>>, SelectionError> {
        let mut context = SelectionContext::new(self.topology.description(), seeker.criteria());
        context.selector = self.plan.shared.settings.selector.as_ref();
        context.deprioritized = seeker.deprioritized();
        let in_flight = |address: &ServerAddress| self.servers.get(address).map_or(0, |s| s.load.in_flight());
        Ok(select_server(&context, &in_flight, &mut self.plan.shared.entropy.rng())?.cloned())
    }

    fn route(&self, seeker: Seeker, description: Arc<ServerDescription>) {
        match seeker {
            Seeker::Select { reply, .. } => drop(reply.send(Ok(description))),
            Seeker::Ticket(mut ticket) => {
                // A server that is described has children; a ticket dropped here would answer for itself.
                let Some(server) = self.servers.get(&description.address) else { return };
                ticket.load = Some(server.load.enter());
                ticket.server = Some(description);
                ticket.stage = Stage::Selected;
                server.pool.addr.do_send(CheckOut::Ticket(ticket));
            }
        }
    }

    fn refuse_expired(&self, waiting: Waiting) {
        let criteria = waiting.seeker.criteria().clone();
        let waited = clock::now().saturating_duration_since(waiting.since);
        let error = SelectionError::timed_out(criteria, waited, self.topology.description().clone());
        self.refuse(waiting.seeker, error);
    }

    fn refuse(&self, seeker: Seeker, error: SelectionError) {
        self.log(&seeker, |log| log.failed(&error));
        seeker.refuse(Cause::Selection(Arc::new(error)));
    }

    fn log(&self, seeker: &Seeker, write: impl FnOnce(SelectionLog<'_>)) {
        if let Some(log) = seeker.log(&self.plan.shared.events, self.topology.description()) {
            write(log);
        }
    }

    fn retry_waiting(&mut self, ctx: &mut Context<Self>) {
        if self.waiting.is_empty() {
            return;
        }
        for waiting in self.waiting.take() {
            self.seek(waiting, ctx);
        }
        ctx.set_deadline(self.waiting.deadline());
    }

    fn waiting(&self, seeker: Seeker, since: Instant, deadline: Option<Instant>) -> Waiting {
        let limit = since + self.plan.shared.settings.options.server_selection_timeout;
        let until = deadline.map_or(limit, |deadline| deadline.min(limit));
        Waiting { seeker, since, until, logged: false }
    }

    fn enter(&mut self, seeker: Seeker, since: Instant, deadline: Option<Instant>, ctx: &mut Context<Self>) {
        if let Some(refusal) = self.refusal() {
            return seeker.refuse(refusal);
        }
        self.log(&seeker, |log| log.started());
        let waiting = self.waiting(seeker, since, deadline);
        self.seek(waiting, ctx);
    }

    /// A closed client's handles send nothing more; what still comes are the steps of closing, until the last.
    fn refusal(&self) -> Option<Cause> {
        self.closing.is_some().then_some(Cause::ClientClosed)
    }

    fn is_current_monitor(&self, address: &ServerAddress, tag: u64) -> bool {
        let monitor = self.servers.get(address).and_then(|server| server.monitor.as_ref());
        monitor.is_some_and(|(current, _)| *current == tag)
    }

    /// Closes the topology once its monitors are gone.
    fn close_unless_monitored(&mut self, ctx: &mut Context<Self>) {
        if self.closing.is_some() && self.ending_monitors.is_empty() {
            self.topology.close();
            self.settle(ctx, None);
            self.end_if_closed(ctx);
        }
    }

    /// Ends once every pool is gone.
    fn end_if_closed(&mut self, ctx: &mut Context<Self>) {
        if self.closing.is_some() && self.retired.is_empty() && self.servers.is_empty() {
            ctx.finish();
        }
    }
}

impl Actor for TopologyActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.topology.open();
        self.follow_srv(ctx);
        self.settle(ctx, None);
    }
}

impl Supervised for TopologyActor {
    /// What was known of the set, its generations and its cluster time survive; every server is unknown.
    fn restarting(&mut self, _: &mut Context<Self>) {
        let settings = TopologySettings::from(&*self.plan.shared.settings.options);
        let topology = Topology::restored(settings, &self.topology.snapshot());
        let (plan, births) = (self.plan.clone(), self.births);
        *self = Self { births, ..Self::around(plan, topology) };
    }
}

impl SupervisedActor for TopologyActor {
    fn in_flight(&self) -> usize {
        self.waiting.len()
    }

    fn deadline_reached(&mut self, ctx: &mut Context<Self>) {
        if self.closing.is_some() {
            // Their thread is blocked.
            self.ending_monitors.clear();
            self.close_unless_monitored(ctx);
        }
        for waiting in self.waiting.take_expired(clock::now()) {
            self.refuse_expired(waiting);
        }
        ctx.set_deadline(self.waiting.deadline());
    }
}

impl Handler<Execute> for TopologyActor {
    type Result = ();

    fn handle(&mut self, Execute(mut ticket): Execute, ctx: &mut Context<Self>) {
        if let Some((connection, info)) =
            ticket.lease.as_ref().map(|lease| (lease.actor().clone(), lease.info().clone()))
        {
            ticket.server = self.topology.description().server(&info.address).cloned();
            ticket.load = self.servers.get(&info.address).map(|server| server.load.enter());
            return connection.do_send(Run(ticket));
        }
        let (entered, deadline) = (ticket.entered, ticket.operation.deadline);
        self.enter(Seeker::Ticket(ticket), entered, deadline, ctx);
    }
}

impl Handler<Select> for TopologyActor {
    type Result = ();

    fn handle(&mut self, Select { criteria, entered, deadline, reply }: Select, ctx: &mut Context<Self>) {
        self.enter(Seeker::Select { criteria, reply }, entered, deadline, ctx);
    }
}

impl Handler<CheckOutBare> for TopologyActor {
    type Result = ();

    fn handle(&mut self, CheckOutBare { address, reply }: CheckOutBare, _: &mut Context<Self>) {
        match self.servers.get(&address) {
            Some(server) => server.pool.addr.do_send(CheckOut::Bare(reply)),
            None => {
                let closed = PoolClosed { address: Arc::new(address) };
                drop(reply.send(Err(CheckOutError::PoolClosed(closed))));
            }
        }
    }
}

impl Handler<ServerChecked> for TopologyActor {
    type Result = ();

    fn handle(&mut self, checked: ServerChecked, ctx: &mut Context<Self>) {
        let ServerChecked { address, tag, outcome } = checked;
        if !self.is_current_monitor(&address, tag) {
            return;
        }
        match outcome {
            CheckOutcome::Checked(description) => {
                self.topology.server_checked(*description);
                self.settle(ctx, None);
            }
            CheckOutcome::Failed(error) => {
                let cause = error.message.clone();
                self.topology.check_failed(&address, error.message, error.topology_version, error.timed_out);
                self.settle(ctx, Some(&cause));
            }
        }
    }
}

impl Handler<ServerObserved> for TopologyActor {
    type Result = ();

    fn handle(&mut self, observed: ServerObserved, ctx: &mut Context<Self>) {
        let ServerObserved { address, tag, observation } = observed;
        if !self.is_current_monitor(&address, tag) {
            return;
        }
        match observation {
            Observation::Rtt(rtt) => self.topology.rtt_measured(&address, rtt),
            Observation::MonitorRestarted => {
                self.topology.monitor_restarted(&address, "the driver's monitor of the server had a fault");
            }
            Observation::Silence => {
                tracing::warn!(target: "mongo_actors::topology", server = %address, "the former primary does not answer");
                self.tell_pool(&address, |pool| pool.do_send(AbandonServer));
            }
        }
        self.settle(ctx, None);
    }
}

impl Handler<OperationFailed> for TopologyActor {
    type Result = ();

    /// The pool hears of a clear before the connection comes back, and the caller hears last.
    fn handle(&mut self, failed: OperationFailed, ctx: &mut Context<Self>) {
        let OperationFailed { ticket, cause, failure } = failed;
        self.topology.operation_failed(&failure);
        self.settle(ctx, Some(&failure.message));
        ticket.fail(cause);
    }
}

impl Handler<EstablishmentFailed> for TopologyActor {
    type Result = ();

    fn handle(&mut self, failed: EstablishmentFailed, ctx: &mut Context<Self>) {
        let failure = establishment_failure(&failed);
        self.topology.operation_failed(&failure);
        self.settle(ctx, Some(&failure.message));
        let EstablishmentFailed { pool, id, error, .. } = failed;
        pool.do_send(ConnectionRefused { id, error });
    }
}

impl Handler<ConnectionLost> for TopologyActor {
    type Result = ();

    fn handle(&mut self, lost: ConnectionLost, ctx: &mut Context<Self>) {
        let info = lost.info.as_ref();
        let failure = ServerFailure {
            address: (*lost.address).clone(),
            phase: info.map_or(FailurePhase::EstablishingConnection, |_| FailurePhase::AfterHandshakeCompletes),
            kind: FailureKind::Network { timed_out: false },
            overloaded: false,
            message: format!("the driver's actor of a connection {}", lost.death).into(),
            generation: info.map_or(lost.generation, |info| info.generation),
            service_id: info.and_then(|info| info.service_id),
            max_wire_version: info.map_or(0, |info| info.max_wire_version),
        };
        self.topology.operation_failed(&failure);
        self.settle(ctx, Some(&failure.message));
    }
}

fn establishment_failure(failed: &EstablishmentFailed) -> ServerFailure {
    let error = &failed.error;
    ServerFailure {
        address: (*failed.address).clone(),
        phase: match error.step {
            EstablishStep::Connect | EstablishStep::Tls | EstablishStep::Handshake => {
                FailurePhase::EstablishingConnection
            }
            EstablishStep::Authenticate => FailurePhase::Authenticating,
        },
        kind: match &error.fault {
            EstablishFault::Network(_) | EstablishFault::Tls(_) | EstablishFault::Wire(_) => {
                FailureKind::Network { timed_out: false }
            }
            EstablishFault::TimedOut { .. } => FailureKind::Network { timed_out: true },
            EstablishFault::Command(error) => FailureKind::Command(error.clone()),
            EstablishFault::Refused(_) => FailureKind::Other,
        },
        overloaded: error.labels.contains(mongo_actors_protocol::error::labels::SYSTEM_OVERLOADED_ERROR),
        message: error.to_string().into(),
        generation: failed.generation,
        service_id: failed.service_id,
        max_wire_version: 0,
    }
}

impl Handler<SrvUpdated> for TopologyActor {
    type Result = ();

    fn handle(&mut self, SrvUpdated { hosts, tag }: SrvUpdated, ctx: &mut Context<Self>) {
        if self.srv_poller.as_ref().is_some_and(|(current, _)| *current == tag) {
            self.topology.srv_updated(&hosts, &mut self.plan.shared.entropy.rng());
            self.settle(ctx, None);
        }
    }
}

impl Handler<ClusterTimeSeen> for TopologyActor {
    type Result = ();

    fn handle(&mut self, ClusterTimeSeen(seen): ClusterTimeSeen, _: &mut Context<Self>) {
        if self.topology.advance_cluster_time(seen.document()) {
            self.plan.shared.cluster_time.store(Some(Arc::new(seen)));
        }
    }
}

impl Handler<PoolRestarted> for TopologyActor {
    type Result = ();

    fn handle(&mut self, PoolRestarted { address }: PoolRestarted, ctx: &mut Context<Self>) {
        self.topology.pool_restarted(&address);
        let generations = self.topology.generations(&address);
        self.tell_pool(&address, |pool| pool.do_send(Renew(generations)));
        self.settle(ctx, None);
    }
}

impl Handler<Obituary> for TopologyActor {
    type Result = ();

    /// A retired pool has drained, or a child was given up.
    fn handle(&mut self, obituary: Obituary, ctx: &mut Context<Self>) {
        self.retired.retain(|(tag, _)| *tag != obituary.tag);
        self.ending_monitors.retain(|tag| *tag != obituary.tag);
        let is_poller = self.srv_poller.as_ref().is_some_and(|(tag, _)| *tag == obituary.tag);
        let is_current = is_poller
            || self.servers.values().any(|server| {
                server.pool_tag == obituary.tag || server.monitor.as_ref().is_some_and(|(tag, _)| *tag == obituary.tag)
            });
        if is_current && obituary.death != Death::Normal {
            ctx.escalate(format!("{} {}", obituary.path, obituary.death));
        }
        self.close_unless_monitored(ctx);
    }
}

impl Handler<CollectSessions> for TopologyActor {
    type Result = ();

    fn handle(&mut self, CollectSessions { done }: CollectSessions, _: &mut Context<Self>) {
        for server in self.servers.values() {
            server.pool.addr.do_send(SurrenderSessions { done: done.clone() });
        }
    }
}

impl Handler<RefuseWaiting> for TopologyActor {
    type Result = ();

    fn handle(&mut self, _: RefuseWaiting, _: &mut Context<Self>) {
        let refusal = match &**self.plan.shared.status.load() {
            Status::Down(cause) => Cause::EngineDown(cause.clone()),
            Status::Open | Status::Closed => Cause::ClientClosed,
        };
        for waiting in self.waiting.take() {
            waiting.seeker.refuse(refusal.clone());
        }
    }
}

impl Handler<CloseTopology> for TopologyActor {
    type Result = ();

    fn handle(&mut self, CloseTopology { done }: CloseTopology, ctx: &mut Context<Self>) {
        self.closing = Some(done);
        self.srv_poller = None;
        let monitors = self.servers.values_mut().filter_map(|server| server.monitor.take());
        self.ending_monitors = monitors.map(|(tag, _)| tag).collect();
        ctx.set_deadline(Some(clock::now() + MONITORS_END));
        self.close_unless_monitored(ctx);
    }
}

impl Handler<OrderPool> for TopologyActor {
    type Result = ();

    fn handle(&mut self, OrderPool { address, order, done }: OrderPool, ctx: &mut Context<Self>) {
        match order {
            PoolOrder::Ready => self.tell_pool(&address, |pool| pool.do_send(MarkReady)),
            PoolOrder::Close => {
                self.tell_pool(&address, |pool| pool.do_send(ClosePool { then_end: false, done: None }));
            }
            PoolOrder::Clear { interrupt_in_use: true } => self.topology.check_failed(&address, "ordered", None, true),
            PoolOrder::Clear { interrupt_in_use: false } => {
                let failure = ServerFailure {
                    generation: self.topology.generation(&address, None),
                    address: address.clone(),
                    phase: FailurePhase::AfterHandshakeCompletes,
                    kind: FailureKind::Network { timed_out: false },
                    overloaded: false,
                    message: "ordered".into(),
                    service_id: None,
                    max_wire_version: 0,
                };
                self.topology.operation_failed(&failure);
            }
        }
        self.settle(ctx, None);
        self.tell_pool(&address, |pool| pool.do_send(FlushPool(done)));
    }
}

impl Handler<WarmUpPools> for TopologyActor {
    type Result = ();

    fn handle(&mut self, WarmUpPools { done }: WarmUpPools, _: &mut Context<Self>) {
        for server in self.servers.values() {
            server.pool.addr.do_send(WarmUp { done: done.clone() });
        }
    }
}

impl Handler<Flush> for TopologyActor {
    type Result = ();

    fn handle(&mut self, Flush(token): Flush, _: &mut Context<Self>) {
        for server in self.servers.values() {
            server.pool.addr.do_send(FlushPool(token.clone()));
        }
    }
}
