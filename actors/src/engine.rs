//! The handle that the façade holds: starts the tree, sends tickets, reads snapshots, closes.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, atomic::Ordering},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bson::RawDocumentBuf;
use mongo_actors_protocol::{
    address::ServerAddress,
    cmap::CheckOutError,
    handshake::InvalidMetadata,
    options::DriverInfo,
    read_preference::ReadPreference,
    retry::Stage,
    sdam::{ServerDescription, TopologyDescription},
    selection::SelectionCriteria,
    session::SessionOptions,
};
use tokio::sync::oneshot;

use crate::{
    change_stream::{ChangeStreamHandle, ChangeStreamPlan},
    failure::{Cause, EstablishError, Failure},
    reaper::{self, AbandonSession, KillCursors, Tidy},
    runtime::{
        ActorEntry, ActorPath, Address, Birth, Child, Death, Entropy, Home, HostThread, Obituary, Outlet, Placement,
        Role, Threads, Watch, clock, start,
    },
    session_pool::Lend,
    settings::{EngineSettings, StartError},
    shared::{Shared, Status, Token},
    supervisor::{
        Attend, Decision, Escalation, Restart, Shutdown, SupervisionSnapshot, SupervisorActor, SupervisorPlan,
        TreeStatus,
    },
    ticket::{HeldSession, Lease, Limits, Operation, Pending, Setback, SharedSession, Ticket},
    topology::{CheckOutBare, Execute, Flush, OrderPool, PoolOrder, Select, WarmUpPools},
};

/// How much later than an operation's deadline the caller stops waiting for the engine's own answer.
pub(crate) const BACKSTOP: Duration = Duration::from_millis(50);
/// How often a root is asked to start its tree anew if it dies of that.
const RESTART_ATTEMPTS: u32 = 3;
/// How long closing waits for actors that have nothing left to do but end.
const LAST_ACTORS: Duration = Duration::from_secs(2);

/// The actors of one client. Cheap to clone; when the last clone is dropped, the client closes in the background.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    root: Arc<Root>,
}

/// Shuts the tree down when the last handle is gone.
struct Root {
    supervisor: Mutex<Child<SupervisorActor>>,
    plan: SupervisorPlan,
    _watch: Watch,
    /// Tells the supervisor that there are handles.
    _handles: Arc<()>,
}

impl Root {
    fn supervisor(&self) -> MutexGuard<'_, Child<SupervisorActor>> {
        self.supervisor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closed(&self) -> bool {
        matches!(**self.plan.shared.status.load(), Status::Closed)
    }

    /// A supervisor that runs, unless the client is closed.
    fn revived(self: &Arc<Self>) -> Address<SupervisorActor> {
        let mut supervisor = self.supervisor();
        if !supervisor.addr.connected() && !self.is_closed() {
            *supervisor = supervise(&self.plan, Arc::downgrade(self));
        }
        supervisor.addr.clone()
    }

    /// What becomes of a tree whose root has died.
    fn decided(self: &Arc<Self>, decision: Decision) {
        match decision {
            Decision::Restart => drop(self.revived()),
            Decision::RestartAfter(pause) => {
                let root = Arc::downgrade(self);
                let revive = async move {
                    tokio::time::sleep(pause).await;
                    if let Some(root) = root.upgrade() {
                        drop(root.revived());
                    }
                };
                self.plan.control.run(move || drop(tokio::task::spawn_local(revive)));
            }
            Decision::Close => self.shut_down(Shutdown { within: Some(Duration::ZERO), done: None }),
            Decision::StayDown | Decision::AsUsual => {}
        }
    }

    fn shut_down(&self, order: Shutdown) {
        let supervisor = self.supervisor();
        if !supervisor.addr.connected() {
            // There is nobody left who could close anything.
            self.plan.shared.status.store(Arc::new(Status::Closed));
            self.plan.threads.end();
        }
        supervisor.addr.do_send(order);
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if self.plan.shared.status.load().refusal().is_none() {
            tracing::debug!(target: "mongo_actors::client", "the last handle of a client was dropped without closing it");
        }
        let mut supervisor = self.supervisor();
        supervisor.addr.do_send(Shutdown { within: Some(Duration::ZERO), done: None });
        // The supervisor ends by itself when it has closed everything.
        supervisor.release();
    }
}

/// Starts the root of a tree.
fn supervise(plan: &SupervisorPlan, root: Weak<Root>) -> Child<SupervisorActor> {
    let birth = Birth {
        path: ActorPath::root(),
        role: Role::Supervisor,
        tag: 0,
        parent: Outlet::new(move |obituary| bury(obituary, &root)),
        budget: plan.shared.settings.restart_budget,
    };
    start(&plan.control, &plan.shared.registry, birth, SupervisorActor::new(plan.clone()))
}

/// The root itself could not be kept alive: the client's parent decides, or else whoever calls [`Engine::restart`].
fn bury(Obituary { path, death, .. }: Obituary, root: &Weak<Root>) {
    let Some(alive) = root.upgrade().filter(|_| death != Death::Normal) else { return };
    let settings = &alive.plan.shared.settings;
    let Some(parent) = settings.parent.as_ref().filter(|_| !alive.is_closed()) else { return };
    let root = root.clone();
    let decide = move |decision| {
        if let Some(root) = root.upgrade() {
            root.decided(decision);
        }
    };
    parent.escalate(Escalation::new(format!("{path} {death}"), decide));
}

/// Where the actors of a client live.
struct Homes {
    data: Home,
    control: Home,
    /// Those that the client owns.
    threads: Vec<HostThread>,
}

impl Homes {
    fn of(settings: &EngineSettings) -> std::io::Result<Self> {
        #[cfg(feature = "simulation")]
        if settings.is_simulated() {
            let home = Home::local_set();
            return Ok(Self { data: home.clone(), control: home, threads: Vec::new() });
        }
        let placement = settings.placement.unwrap_or_else(Placement::suitable);
        let control_thread = HostThread::start("mongo-actors-control")?;
        let control = control_thread.home().clone();
        Ok(match (placement, Home::current()) {
            (Placement::Current, Some(data)) => Self { data, control, threads: vec![control_thread] },
            _ => {
                let own = HostThread::start("mongo-actors-data")?;
                Self { data: own.home().clone(), control, threads: vec![control_thread, own] }
            }
        })
    }
}

/// The server that a selection will find.
///
/// # Cancel safety
/// Dropping it ends the wait, and nothing else.
#[derive(Debug)]
pub struct Selected(oneshot::Receiver<Result<Arc<ServerDescription>, Cause>>);

impl Future for Selected {
    type Output = Result<Arc<ServerDescription>, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let unselected = |cause| Failure { cause, server: None, connection: None, stage: Stage::Queued };
        Pin::new(&mut self.0).poll(cx).map(|answer| answer.unwrap_or(Err(Cause::Abandoned)).map_err(unselected))
    }
}

impl Engine {
    /// Starts the actors. Monitors begin to look for the deployment; nothing waits for them here.
    ///
    /// # Errors
    /// [`StartError`] names the option that asks for something this build lacks, or says why there are no threads.
    pub fn start(settings: EngineSettings) -> Result<Self, StartError> {
        settings.check_availability()?;
        let Homes { data, control, threads } = Homes::of(&settings)?;
        let shared = Arc::new(Shared::new(settings)?);
        let mut homes = vec![("mongo-actors-control", &control), ("the data arbiter", &data)];
        // Whoever lives in one place is watched once.
        homes.dedup_by_key(|(_, home)| home.thread());
        let watch = Watch::start(&homes, &shared.registry, shared.settings.stall_limit);
        let handles = Arc::new(());
        let plan = SupervisorPlan {
            shared: shared.clone(),
            data,
            control,
            threads: Threads::new(threads),
            handles: Arc::downgrade(&handles),
        };
        let root = Arc::new_cyclic(|root| Root {
            supervisor: Mutex::new(supervise(&plan, root.clone())),
            plan,
            _watch: watch,
            _handles: handles,
        });
        Ok(Self { shared, root })
    }

    /// Makes the first attempt of an operation.
    pub fn execute(&self, operation: impl Into<Box<Operation>>) -> Pending {
        self.send(operation.into(), |_| {})
    }

    /// Executes an operation in a session, or on a connection, that is held already: a cursor's next batch.
    pub fn execute_in(&self, operation: Box<Operation>, session: Option<HeldSession>, lease: Option<Lease>) -> Pending {
        self.send(operation, |ticket| {
            ticket.session = session;
            ticket.lease = lease;
        })
    }

    /// Makes another attempt, in the same session and with the same transaction number, avoiding these servers, or on
    /// this connection.
    pub fn repeat(&self, setback: Setback, deprioritized: Vec<ServerAddress>, lease: Option<Lease>) -> Pending {
        let Setback { operation, session, txn_number, .. } = setback;
        self.send(operation, |ticket| {
            ticket.session = session;
            ticket.txn_number = txn_number;
            ticket.deprioritized = deprioritized;
            ticket.lease = lease;
        })
    }

    fn send(&self, operation: Box<Operation>, prepare: impl FnOnce(&mut Ticket)) -> Pending {
        let backstop = operation.deadline.map(|deadline| tokio::time::sleep_until((deadline + BACKSTOP).into()));
        // Before the ticket is on its way: a fault may have it answered at once.
        #[cfg(feature = "chaos")]
        let recorded = self.shared.registry.chaos.began(&operation.request.name);
        let (mut ticket, answer) = Ticket::new(operation, &self.shared);
        prepare(&mut ticket);
        let pending = Pending::new(
            answer,
            self.shared.clone(),
            backstop,
            #[cfg(feature = "chaos")]
            recorded,
        );
        self.dispatch(ticket);
        pending
    }

    fn dispatch(&self, ticket: Ticket) {
        if let Some(refusal) = self.shared.status.load().refusal() {
            return ticket.fail(refusal);
        }
        match &*self.shared.topology.load() {
            // A ticket that reaches nobody answers for itself.
            Some(topology) => topology.do_send(Execute(ticket)),
            None => self.wait_for_topology(ticket),
        }
    }

    /// The tree is just being started: the control thread will have it up in a moment.
    fn wait_for_topology(&self, ticket: Ticket) {
        let shared = self.shared.clone();
        tokio::spawn(async move {
            shared.grown.reached().await;
            match (shared.status.load().refusal(), &*shared.topology.load()) {
                (Some(refusal), _) => ticket.fail(refusal),
                (None, Some(topology)) => topology.do_send(Execute(ticket)),
                (None, None) => ticket.fail(Cause::Abandoned),
            }
        });
    }

    /// A change stream, of which nothing was sent yet.
    pub fn watch(&self, plan: ChangeStreamPlan) -> ChangeStreamHandle {
        ChangeStreamHandle::new(self.clone(), plan)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The supervisor of today.
    pub(crate) fn supervisor(&self) -> Address<SupervisorActor> {
        self.root.supervisor().addr.clone()
    }

    /// Selects a server without sending it anything.
    pub fn select(&self, criteria: SelectionCriteria, deadline: Option<Instant>) -> Selected {
        let (reply, answer) = oneshot::channel();
        let (shared, entered) = (self.shared.clone(), clock::now());
        let tell = move || match (shared.status.load().refusal(), &*shared.topology.load()) {
            (Some(refusal), _) => drop(reply.send(Err(refusal))),
            (None, Some(topology)) => topology.do_send(Select { criteria, entered, deadline, reply }),
            (None, None) => drop(reply.send(Err(Cause::Abandoned))),
        };
        if self.shared.grown.is_reached() {
            tell();
        } else {
            let grown = self.shared.grown.clone();
            tokio::spawn(async move {
                grown.reached().await;
                tell();
            });
        }
        Selected(answer)
    }

    /// Waits until the deployment can be read from, a connection to one such server is ready, and the pools of all
    /// servers that can be reached have `minPoolSize` connections.
    ///
    /// # Errors
    /// Why no server was found by `deadline` or in `serverSelectionTimeoutMS`, or why there is no connection.
    pub async fn warm_up(&self, deadline: Option<Instant>) -> Result<(), Failure> {
        let server = self.select(ReadPreference::nearest().into(), deadline).await?;
        self.check_out(server.address.clone()).await.map_err(|error| Failure {
            cause: Cause::CheckOut(Arc::new(error)),
            server: Some(server),
            connection: None,
            stage: Stage::Selected,
        })?;
        let (done, warm) = Token::new();
        match &*self.shared.topology.load() {
            Some(topology) => topology.do_send(WarmUpPools { done }),
            None => drop(done),
        }
        warm.await;
        Ok(())
    }

    /// Checks a connection of this server out, without an operation. Dropping the lease checks it in.
    ///
    /// # Errors
    /// What the pool refuses it for.
    pub async fn check_out(&self, address: ServerAddress) -> Result<Lease, CheckOutError<EstablishError>> {
        self.shared.grown.reached().await;
        let (reply, lease) = oneshot::channel();
        match &*self.shared.topology.load() {
            Some(topology) => topology.do_send(CheckOutBare { address, reply }),
            None => drop(reply),
        }
        lease.await.unwrap_or(Err(CheckOutError::Lost))
    }

    /// Gives a pool an order, and returns when the pool has carried it out.
    #[doc(hidden)]
    pub async fn order_pool(&self, address: ServerAddress, order: PoolOrder) {
        self.shared.grown.reached().await;
        let (done, carried_out) = Token::new();
        match &*self.shared.topology.load() {
            Some(topology) => topology.do_send(OrderPool { address, order, done }),
            None => drop(done),
        }
        carried_out.await;
    }

    /// What is known of the deployment now. Never waits.
    pub fn description(&self) -> Arc<TopologyDescription> {
        self.shared.description.load_full()
    }

    /// The limits by which requests are to be split: the smallest of the servers known.
    pub fn limits(&self) -> Limits {
        let size = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
        let description = self.shared.description.load();
        let known = description.known_servers().filter(|server| server.is_data_bearing());
        let limits = known.map(|server| Limits {
            max_bson_object_size: size(server.max_bson_object_size),
            max_message_size: size(server.max_message_size_bytes),
            max_write_batch_size: size(server.max_write_batch_size),
        });
        limits.reduce(Limits::smaller).unwrap_or_default()
    }

    /// An explicit session, with a server session of its own. Asks no server. Waits for a session pool that is being
    /// replaced, until `deadline` and for at most `serverSelectionTimeoutMS`.
    ///
    /// # Errors
    /// Why the client's actors do not answer.
    pub async fn start_session(
        &self,
        options: SessionOptions,
        deadline: Option<Instant>,
    ) -> Result<SharedSession, Failure> {
        let failed = |cause| Failure { cause, server: None, connection: None, stage: Stage::Queued };
        let usual = clock::now() + self.shared.settings.options.server_selection_timeout;
        let is_earlier = |deadline: &Instant| *deadline <= usual;
        let (limit, cause) = match deadline.filter(is_earlier) {
            Some(deadline) => (deadline, Cause::DeadlinePassed),
            None => (usual, Cause::Abandoned),
        };
        match tokio::time::timeout_at(limit.into(), self.lend(options)).await {
            Ok(lent) => lent.map_err(failed),
            Err(_) => Err(failed(cause)),
        }
    }

    /// Asks the session pool, be it the next one, until it answers.
    async fn lend(&self, options: SessionOptions) -> Result<SharedSession, Cause> {
        let mut pools = self.shared.sessions.subscribe();
        self.shared.grown.reached().await;
        loop {
            let pool = pools.borrow_and_update().clone();
            if let Some(refusal) = self.shared.status.load().refusal() {
                return Err(refusal);
            }
            if let Some(pool) = pool {
                let (reply, lent) = oneshot::channel();
                pool.do_send(Lend { options: options.clone(), reply });
                if let Ok(session) = lent.await {
                    return Ok(session);
                }
                if pool.connected() {
                    // It has crashed of the question, and lives on.
                    continue;
                }
            }
            // The sender is shared by all that could wait for it.
            drop(pools.changed().await);
        }
    }

    /// Ends a session that nobody will use any more, and aborts its transaction, in the background.
    pub fn abandon(&self, session: SharedSession) {
        match session.is_busy() {
            true => reaper::owe(&self.shared, AbandonSession { session, ends: true, done: None }),
            false => session.end(),
        }
    }

    /// Aborts the session's transaction, if it is in one, in the background. The session's next operation waits for
    /// that.
    pub fn abort(&self, session: &SharedSession) {
        if !session.leave_transaction() {
            return;
        }
        match self.is_closed() {
            true => session.left_transaction(),
            false => reaper::owe(&self.shared, AbandonSession { session: session.clone(), ends: false, done: None }),
        }
    }

    /// Has a cursor killed in the background.
    pub fn owe(&self, debt: KillCursors) {
        reaper::owe(&self.shared, debt);
    }

    /// Has something taken back in the background.
    pub fn owe_tidying(&self, debt: Tidy) {
        reaper::owe(&self.shared, debt);
    }

    /// What future handshakes say of the client.
    pub fn metadata(&self) -> RawDocumentBuf {
        RawDocumentBuf::clone(self.shared.metadata.load().document())
    }

    /// Adds to what future handshakes say of the client. Says whether it was new.
    ///
    /// # Errors
    /// [`InvalidMetadata`] when it cannot be sent.
    pub fn append_metadata(&self, info: DriverInfo) -> Result<bool, InvalidMetadata> {
        let mut metadata = (**self.shared.metadata.load()).clone();
        let new = metadata.append(info)?;
        self.shared.metadata.store(Arc::new(metadata));
        Ok(new)
    }

    /// Resolves when every event of what has happened so far was delivered.
    pub async fn flush_events(&self) {
        let (token, flushed) = Token::new();
        match &*self.shared.topology.load() {
            Some(topology) => topology.do_send(Flush(token)),
            // Nothing has happened yet, or nothing will any more.
            None => drop(token),
        }
        flushed.await;
        self.shared.events.flushed().await;
    }

    /// Closes the client: waits for operations in flight (for at most `within`), kills cursors, ends sessions, closes
    /// pools and monitors, and waits for the end of every actor. Operations begun later are refused. Closing again waits
    /// for the first to end.
    ///
    /// # Cancel safety
    /// Closing goes on in the background.
    pub async fn close(&self, within: Option<Duration>) {
        loop {
            let (done, closed) = Token::new();
            self.root.shut_down(Shutdown { within, done: Some(done) });
            closed.await;
            // A supervisor that crashes as the order comes loses it.
            if self.is_closed() {
                break;
            }
        }
        // On a thread that is blocked, the last of them end when it is free again.
        drop(tokio::time::timeout(LAST_ACTORS, self.shared.registry.emptied()).await);
    }

    /// Begins to close the client, without time for operations on their way, and returns at once.
    pub fn close_in_background(&self) {
        self.root.shut_down(Shutdown { within: Some(Duration::ZERO), done: None });
    }

    /// Whether the client was closed.
    pub fn is_closed(&self) -> bool {
        self.root.is_closed()
    }

    /// Every live actor, in the order of their paths.
    pub fn actors(&self) -> Vec<ActorEntry> {
        self.shared.registry.snapshot()
    }

    /// The whole tree at this moment.
    pub fn supervision(&self) -> SupervisionSnapshot {
        let status = match &**self.shared.status.load() {
            Status::Open => TreeStatus::Up,
            Status::Down(cause) => TreeStatus::Down { cause: cause.clone() },
            Status::Closed => TreeStatus::Closed,
        };
        SupervisionSnapshot { status, operations: self.shared.gate.inside(), actors: self.actors() }
    }

    /// Starts the tree anew, whatever state it is in. A closed client stays closed. If the root itself dies meanwhile, it
    /// is asked again in its next life, or the next root is.
    pub async fn restart(&self) {
        for _ in 0..RESTART_ATTEMPTS {
            let (done, restarted) = oneshot::channel();
            let supervisor = self.root.revived();
            supervisor.do_send(Restart { done });
            if restarted.await.is_ok() || self.is_closed() {
                return;
            }
            // The order was lost with the root, which lives on or is gone. This tells when either is so: before, a root that
            // was killed would be taken for one that is alive.
            let (_attended, attended) = Token::new();
            supervisor.do_send(Attend { _attended });
            attended.await;
        }
    }

    /// What has the client's actors and connections fail on purpose.
    #[cfg(feature = "chaos")]
    pub fn chaos(&self) -> crate::chaos::ChaosControl {
        crate::chaos::ChaosControl::new(self.shared.clone())
    }

    /// Where the client's chances come from.
    #[doc(hidden)]
    pub fn entropy(&self) -> &Entropy {
        &self.shared.entropy
    }

    /// A number for an operation, the same for its attempts and its cursor's later batches.
    pub fn next_operation_id(&self) -> i64 {
        self.shared.operation_ids.fetch_add(1, Ordering::Relaxed)
    }

    /// How many operations are on their way.
    pub fn operations_in_flight(&self) -> usize {
        self.shared.gate.inside()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("description", &self.description()).finish_non_exhaustive()
    }
}
