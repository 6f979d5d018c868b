//! The shell around the monitor machine: sockets, events, reports.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorFutureExt, AsyncContext, Handler, Supervised, fut::wrap_future};
use mongo_actors_protocol::{
    address::ServerAddress,
    command::Request,
    event::{HeartbeatEvent, HeartbeatInfo},
    handshake::{AwaitableHello, FirstHello, monitor_hello},
    sdam::{
        HelloReply,
        monitor::{CheckError, HelloRequest, Monitor, MonitorAction, MonitorSettings},
    },
    wire::{MessageFlags, MessageParts, ReplyBody, ReplyMessage, TailWriter},
};
use tokio::sync::oneshot;

use super::messages::{CancelCheck, ProbeSuperseded, RequestCheck};
use crate::{
    connection::{Link, handshake},
    failure::{EstablishError, EstablishFault},
    runtime::{Context, Outlet, SupervisedActor, clock},
    shared::Shared,
    topology::{Observation, ServerChecked, ServerObserved},
};

/// What a monitor is made from.
#[derive(Clone)]
pub(crate) struct MonitorPlan {
    pub(crate) shared: Arc<Shared>,
    pub(crate) address: Arc<ServerAddress>,
    pub(crate) reports: Reports,
    /// Which start of the server's monitor this is.
    pub(crate) tag: u64,
}

/// Who hears of the server: the topology.
#[derive(Clone)]
pub(crate) struct Reports {
    pub(crate) checked: Outlet<ServerChecked>,
    pub(crate) observed: Outlet<ServerObserved>,
}

/// Checks one server.
pub(crate) struct ServerMonitorActor {
    plan: MonitorPlan,
    machine: Monitor,
    check: Line,
    rtt: Line,
    /// The reply that the next success event shows.
    last_reply: Option<ReplyBody>,
    server_connection_id: Option<i64>,
    /// The number of the connection that checks are made on, or will be.
    connection: u32,
}

/// A connection, idle or lent to the one future that uses it.
#[derive(Default)]
struct Line {
    link: Option<Link>,
    /// Dropping it ends the future that has the connection.
    busy: Option<oneshot::Sender<()>>,
    /// Counts the futures; the report of an earlier one concerns nobody.
    turn: u64,
}

impl Line {
    fn begin(&mut self) -> (u64, Option<Link>, oneshot::Receiver<()>) {
        let (busy, dropped) = oneshot::channel();
        self.turn += 1;
        self.busy = Some(busy);
        (self.turn, self.link.take(), dropped)
    }

    /// Takes the connection back; false when the future was given up meanwhile.
    fn end(&mut self, turn: u64, link: Option<Link>) -> bool {
        if self.turn != turn || self.busy.is_none() {
            return false;
        }
        self.busy = None;
        self.link = link;
        true
    }

    fn close(&mut self) {
        self.link = None;
        self.busy = None;
    }
}

/// What a check found.
struct Checked {
    turn: u64,
    link: Option<Link>,
    answer: Result<Answer, CheckError>,
}

struct Answer {
    reply: HelloReply,
    body: ReplyBody,
    duration: Duration,
    more_to_come: bool,
}

impl ServerMonitorActor {
    pub(crate) fn new(plan: MonitorPlan) -> Self {
        let machine = Monitor::new((*plan.address).clone(), plan.shared.settings.monitor_settings());
        Self {
            plan,
            machine,
            check: Line::default(),
            rtt: Line::default(),
            last_reply: None,
            server_connection_id: None,
            connection: 1,
        }
    }

    fn tell(&mut self, ctx: &mut Context<Self>, input: impl FnOnce(&mut Monitor)) {
        input(&mut self.machine);
        while let Some(action) = self.machine.poll_action() {
            self.act(action, ctx);
        }
        ctx.set_deadline(self.machine.next_deadline());
        ctx.note_in_flight(self.in_flight());
    }

    fn act(&mut self, action: MonitorAction, ctx: &mut Context<Self>) {
        match action {
            MonitorAction::HeartbeatStarted { awaited } => {
                self.publish(HeartbeatEvent::Started(self.heartbeat(awaited).started()));
            }
            MonitorAction::HeartbeatSucceeded { duration, awaited } => {
                let reply = self.last_reply.take().unwrap_or_else(ReplyBody::empty);
                self.publish(HeartbeatEvent::Succeeded(self.heartbeat(awaited).succeeded(&reply, duration)));
            }
            MonitorAction::HeartbeatFailed { duration, awaited, error } => {
                self.publish(HeartbeatEvent::Failed(self.heartbeat(awaited).failed(error.message, duration)));
            }
            MonitorAction::Connect { .. } => self.check(Hello::First, ctx),
            MonitorAction::SendHello(request) => self.check(Hello::Request(request), ctx),
            MonitorAction::ReadNext => self.check(Hello::Next, ctx),
            MonitorAction::CloseConnection => self.check.close(),
            MonitorAction::Report(outcome) => {
                let address = (*self.plan.address).clone();
                self.plan.reports.checked.send(ServerChecked { address, tag: self.plan.tag, outcome });
            }
            MonitorAction::ReportRtt(rtt) => self.observed(Observation::Rtt(rtt)),
            MonitorAction::ReportSilence => self.observed(Observation::Silence),
            MonitorAction::MeasureRtt { hello } => self.measure(hello, ctx),
            MonitorAction::CloseRttConnection => self.rtt.close(),
        }
    }

    fn observed(&self, observation: Observation) {
        let address = (*self.plan.address).clone();
        self.plan.reports.observed.send(ServerObserved { address, tag: self.plan.tag, observation });
    }

    fn heartbeat(&self, awaited: bool) -> HeartbeatInfo {
        let mut info = HeartbeatInfo::new(self.plan.address.clone(), awaited);
        info.driver_connection_id = Some(self.connection);
        info.server_connection_id = self.server_connection_id;
        info
    }

    fn publish(&self, event: HeartbeatEvent) {
        self.plan.shared.events.publish_heartbeat(event);
    }

    /// Publishes the end of the heartbeat that is going on, if there is one. Nothing else may follow.
    fn end_heartbeat(&mut self) {
        self.machine.stop(clock::now());
        while let Some(action) = self.machine.poll_action() {
            if let MonitorAction::HeartbeatFailed { duration, awaited, error } = action {
                self.publish(HeartbeatEvent::Failed(self.heartbeat(awaited).failed(error.message, duration)));
            }
        }
    }

    fn check(&mut self, hello: Hello, ctx: &mut Context<Self>) {
        let (turn, link, given_up) = self.check.begin();
        let work = exchange(self.plan.shared.clone(), self.plan.address.clone(), link, hello);
        let work = unless_given_up(turn, work, given_up);
        ctx.spawn(
            wrap_future::<_, Self>(work)
                .map(|checked, actor: &mut Self, ctx: &mut Context<Self>| actor.checked(checked, ctx)),
        );
    }

    fn checked(&mut self, checked: Checked, ctx: &mut Context<Self>) {
        let Checked { turn, link, answer } = checked;
        if !self.check.end(turn, link) {
            return;
        }
        match answer {
            Ok(answer) => {
                if answer.reply.connection_id.is_some() {
                    self.server_connection_id = answer.reply.connection_id;
                }
                self.last_reply = Some(answer.body);
                let (reply, duration, more) = (answer.reply, answer.duration, answer.more_to_come);
                self.tell(ctx, |machine| machine.hello_received(clock::now(), &reply, duration, more));
            }
            Err(error) => {
                self.tell(ctx, |machine| machine.check_failed(clock::now(), error));
                self.connection += 1;
                self.server_connection_id = None;
            }
        }
    }

    fn measure(&mut self, hello: bool, ctx: &mut Context<Self>) {
        let (turn, link, given_up) = self.rtt.begin();
        let kind = match link {
            Some(_) => Hello::Request(HelloRequest { hello, awaited: None }),
            None => Hello::First,
        };
        let work = exchange(self.plan.shared.clone(), self.plan.address.clone(), link, kind);
        let work = unless_given_up(turn, work, given_up);
        ctx.spawn(
            wrap_future::<_, Self>(work)
                .map(|checked, actor: &mut Self, ctx: &mut Context<Self>| actor.measured(checked, ctx)),
        );
    }

    fn measured(&mut self, checked: Checked, ctx: &mut Context<Self>) {
        let Checked { turn, link, answer } = checked;
        if !self.rtt.end(turn, link) {
            return;
        }
        match answer {
            Ok(answer) => self.tell(ctx, |machine| machine.rtt_measured(clock::now(), answer.duration)),
            Err(_) => self.tell(ctx, |machine| machine.rtt_failed(clock::now())),
        }
    }
}

/// Runs `work` until the line it was begun for is closed.
async fn unless_given_up(
    turn: u64,
    work: impl Future<Output = (Option<Link>, Result<Answer, CheckError>)>,
    given_up: oneshot::Receiver<()>,
) -> Checked {
    let (work, given_up) = (std::pin::pin!(work), std::pin::pin!(given_up));
    match futures_util::future::select(work, given_up).await {
        futures_util::future::Either::Left(((link, answer), _)) => Checked { turn, link, answer },
        futures_util::future::Either::Right(_) => {
            Checked { turn, link: None, answer: Err(CheckError::network("given up")) }
        }
    }
}

/// What to say to the server.
enum Hello {
    /// Connect, then the handshake.
    First,
    Request(HelloRequest),
    /// Nothing: it streams.
    Next,
}

/// One exchange on a monitor's connection. The connection comes back unless it failed.
async fn exchange(
    shared: Arc<Shared>,
    address: Arc<ServerAddress>,
    link: Option<Link>,
    hello: Hello,
) -> (Option<Link>, Result<Answer, CheckError>) {
    match (hello, link) {
        (Hello::First, _) => match first_hello(&shared, &address).await {
            Ok((link, answer)) => (Some(link), Ok(answer)),
            Err(error) => (None, Err(error)),
        },
        (_, None) => (None, Err(CheckError::network("the monitor's connection is closed"))),
        (Hello::Request(request), Some(link)) => answered(&address, link, Some(hello_request(&request))).await,
        (Hello::Next, Some(link)) => answered(&address, link, None).await,
    }
}

async fn first_hello(shared: &Shared, address: &Arc<ServerAddress>) -> Result<(Link, Answer), CheckError> {
    let failed = |error: EstablishError| match &error.fault {
        EstablishFault::TimedOut { .. } => CheckError::timeout(error.to_string()),
        EstablishFault::Network(_) | EstablishFault::Tls(_) | EstablishFault::Wire(_) => {
            CheckError::network(error.to_string())
        }
        EstablishFault::Command(refusal) => CheckError::reply(error.to_string(), refusal.topology_version),
        EstablishFault::Refused(_) => CheckError::reply(error.to_string(), None),
    };
    let mut link = handshake::connect(shared, address).await.map_err(failed)?;
    let metadata = shared.metadata.load().document().clone();
    let mut hello = FirstHello::new(&metadata);
    hello.stable_api = shared.settings.options.server_api.is_some();
    let started = clock::now();
    let limit = handshake::connect_timeout(shared);
    let body = handshake::first_hello(shared, address, &mut link, &hello, limit).await.map_err(failed)?;
    let answer = read(address, body, started, false)?;
    Ok((link, answer))
}

/// Sends `request`, if there is one, and reads the next reply. The machine limits the time.
async fn answered(
    address: &ServerAddress,
    mut link: Link,
    request: Option<Request>,
) -> (Option<Link>, Result<Answer, CheckError>) {
    let started = clock::now();
    let reply = match request {
        Some(request) => {
            let mut tail = Vec::new();
            TailWriter::new(&mut tail).string(bson::raw::cstr!("$db"), &request.database);
            let awaits = request.body.get("maxAwaitTimeMS").is_ok_and(|found| found.is_some());
            let flags = if awaits { MessageFlags::EXHAUST_ALLOWED } else { MessageFlags::NONE };
            let request_id = link.next_request_id();
            let message = MessageParts { body: &request.body, tail: &tail, sequences: &[], flags, request_id };
            link.exchange(message).await
        }
        None => link.next_message().await,
    };
    match reply {
        Ok(ReplyMessage { body, flags, .. }) => match read(address, body, started, flags.more_to_come()) {
            Ok(answer) => (Some(link), Ok(answer)),
            Err(error) => (None, Err(error)),
        },
        Err(fault) => {
            let error = std::io::Error::from(fault);
            (None, Err(CheckError::network(format!("the monitor lost its connection to {address}: {error}"))))
        }
    }
}

fn hello_request(request: &HelloRequest) -> Request {
    match &request.awaited {
        None => monitor_hello(request.hello, None),
        Some(awaited) => {
            let topology_version = awaited.topology_version.to_document();
            let awaitable =
                AwaitableHello { topology_version: &topology_version, max_await_time: awaited.max_await_time };
            monitor_hello(request.hello, Some(awaitable))
        }
    }
}

fn read(address: &ServerAddress, body: ReplyBody, started: Instant, more_to_come: bool) -> Result<Answer, CheckError> {
    let duration = clock::now().saturating_duration_since(started);
    if let Some(refusal) = mongo_actors_protocol::error::CommandError::from_reply(body.as_document()) {
        let version = refusal.topology_version;
        return Err(CheckError::reply(format!("{address} refused hello: {refusal}"), version));
    }
    match HelloReply::from_document(body.as_document()) {
        Ok(reply) => Ok(Answer { reply, body, duration, more_to_come }),
        Err(error) => Err(CheckError::reply(format!("{address} sent an unusable hello reply: {error}"), None)),
    }
}

impl Actor for ServerMonitorActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.tell(ctx, |machine| machine.start(clock::now()));
    }
}

impl Supervised for ServerMonitorActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.end_heartbeat();
        *self = Self::new(self.plan.clone());
        self.observed(Observation::MonitorRestarted);
    }
}

impl SupervisedActor for ServerMonitorActor {
    fn abandoned(&mut self, _: &mut Context<Self>) {
        self.end_heartbeat();
    }

    fn in_flight(&self) -> usize {
        [&self.check, &self.rtt].into_iter().filter(|line| line.busy.is_some()).count()
    }

    fn deadline_reached(&mut self, ctx: &mut Context<Self>) {
        self.tell(ctx, |machine| machine.on_deadline(clock::now()));
    }
}

impl Handler<RequestCheck> for ServerMonitorActor {
    type Result = ();

    fn handle(&mut self, _: RequestCheck, ctx: &mut Context<Self>) {
        self.tell(ctx, |machine| machine.check_requested(clock::now()));
    }
}

impl Handler<ProbeSuperseded> for ServerMonitorActor {
    type Result = ();

    fn handle(&mut self, _: ProbeSuperseded, ctx: &mut Context<Self>) {
        self.tell(ctx, |machine| machine.probe_requested(clock::now()));
    }
}

impl Handler<CancelCheck> for ServerMonitorActor {
    type Result = ();

    fn handle(&mut self, _: CancelCheck, ctx: &mut Context<Self>) {
        self.tell(ctx, |machine| machine.check_cancelled(clock::now()));
    }
}

/// The monitor's settings follow from the client's options.
impl crate::settings::EngineSettings {
    fn monitor_settings(&self) -> MonitorSettings {
        MonitorSettings::from_options(&self.options, self.function_as_a_service)
    }
}
