//! The connection's handlers, and the pump that its socket is driven by.

use std::{
    borrow::Cow,
    io,
    pin::Pin,
    sync::Arc,
    task::{self, Poll, ready},
    time::{Duration, Instant},
};

use actix::{Actor, ActorFuture, ActorFutureExt, AsyncContext, Handler, Supervised, fut::wrap_future};
use mongo_actors_protocol::{
    auth::credential::AuthMechanism,
    cmap::{CheckOutError, ConnectionId, Purpose},
    command::{Envelope, Unsupported},
    read_preference::ReadPreference,
    retry::{Retryability, Stage},
    sdam::{FailureKind, FailurePhase, Generation, ServerFailure, ServerType},
    selection::{SelectionCriteria, wire_read_preference},
    session::{ClusterTime, SNAPSHOT_WIRE_VERSION, SessionState},
    wire::{ReplyBody, ReplyMessage, WireError},
};

use super::{
    command_events::CommandEvents,
    establish::{self, Established},
    exchange::{DeadlineKind, Exchange, ExchangeDeadline, Progress},
    handshake,
    link::{Link, LinkFault},
    messages::{Abandon, Equipped, Interrupt, Run, SurrenderSession},
    reauthenticate::Reauthentication,
    stamp::Stamp,
};
use crate::{
    connection_pool::{
        CheckOut, ConnectionDied, ConnectionEstablished, ConnectionFailed, ConnectionPoolActor, DrainStarted,
    },
    failure::{Cause, EstablishError, EstablishFault, EstablishStep},
    reaper,
    runtime::{Address, Context, SupervisedActor, clock},
    session_pool::{Equip, SessionPoolActor},
    shared::Shared,
    ticket::{ConnectionInfo, HeldSession, Lease, Operation, Reply, SessionUse, Ticket, Turn},
    topology::{ClusterTimeSeen, OperationFailed, TopologyActor},
};

/// How long a reply that nobody waits for any more may take to arrive.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// What all connections of one pool have in common.
pub(crate) struct ConnectionPlan {
    pub(crate) shared: Arc<Shared>,
    pub(crate) address: Arc<mongo_actors_protocol::address::ServerAddress>,
    pub(crate) pool: Address<ConnectionPoolActor>,
    pub(crate) topology: Address<TopologyActor>,
    pub(crate) sessions: Address<SessionPoolActor>,
}

/// One socket: establishes it, then exchanges one command at a time.
pub(crate) struct ConnectionActor {
    plan: Arc<ConnectionPlan>,
    id: ConnectionId,
    generation: Generation,
    /// Nobody waits for it to be established.
    background: bool,
    link: Option<Link>,
    info: Option<Arc<ConnectionInfo>>,
    exchange: Option<Exchange>,
    /// The server goes on sending batches: the number of the last one, which the next one answers.
    stream: Option<i32>,
    /// Lent to operations that have no session of their own.
    session: Option<HeldSession>,
    /// The buffer of the last exchange's tail.
    tail: Vec<u8>,
    time_is_up: bool,
    /// How the server knows who we are; none when it was not told.
    mechanism: Option<AuthMechanism>,
    reauthentication: Option<Reauthentication>,
    /// The cursors that stay on this connection, for the recording.
    #[cfg(feature = "chaos")]
    bound: Vec<crate::chaos::BoundCursor>,
}

impl ConnectionActor {
    pub(crate) fn new(plan: Arc<ConnectionPlan>, id: ConnectionId, generation: Generation, background: bool) -> Self {
        Self {
            plan,
            id,
            generation,
            background,
            link: None,
            info: None,
            exchange: None,
            stream: None,
            session: None,
            tail: Vec::new(),
            time_is_up: false,
            mechanism: None,
            reauthentication: None,
            #[cfg(feature = "chaos")]
            bound: Vec::new(),
        }
    }

    fn established(&mut self, result: Result<Established, EstablishError>, ctx: &mut Context<Self>) {
        match result {
            Ok(Established { link, info, mechanism }) => {
                self.mechanism = mechanism;
                let info = Arc::new(info);
                self.link = Some(link);
                self.info = Some(info.clone());
                self.plan.pool.do_send(ConnectionEstablished { id: self.id, info, actor: ctx.address() });
                ctx.spawn(Pump);
            }
            Err(error) => self.plan.pool.do_send(ConnectionFailed { id: self.id, error }),
        }
    }

    /// Begins the ticket's exchange, or passes the ticket on.
    fn run(&mut self, mut ticket: Ticket) {
        if ticket.is_cancelled() {
            return;
        }
        if self.stream.is_some() && !ticket.operation.exhaust {
            // Nobody but the cursor can use the connection before the stream has ended, and the cursor is gone.
            self.link = None;
        }
        let (Some(info), Some(_)) = (self.info.clone(), self.link.as_ref()) else {
            return self.route_again(ticket);
        };
        ticket.stage = Stage::CheckedOut;
        if let Err(cause) = admit(&ticket, &info) {
            return ticket.fail(cause);
        }
        let now = clock::now();
        if self.wants_session(&ticket, &info, now) {
            let connection = ticket.lease.as_ref().map(|lease| lease.actor().clone());
            if let Some(connection) = connection {
                return self.plan.sessions.do_send(Equip { ticket, connection });
            }
        }
        self.send(ticket, &info, now);
    }

    /// The server has closed this socket meanwhile; as nothing was sent, another connection will do, unless a cursor or a
    /// transaction was bound to this one.
    fn route_again(&self, mut ticket: Ticket) {
        if let Some(lease) = ticket.lease.as_mut().filter(|lease| lease.purpose() != Purpose::Operation) {
            lease.mark_broken();
            ticket.stage = Stage::CheckedOut;
            let error = io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection");
            return ticket.fail(Cause::Network(Arc::new(error)));
        }
        if let Some(mut lease) = ticket.lease.take() {
            lease.mark_broken();
        }
        ticket.stage = Stage::Selected;
        self.plan.pool.do_send(CheckOut::Ticket(ticket));
    }

    /// Whether the operation needs a server session and neither it nor this connection has one.
    fn wants_session(&mut self, ticket: &Ticket, info: &ConnectionInfo, now: Instant) -> bool {
        if ticket.session.is_some() || !uses_session(ticket, info) {
            return false;
        }
        let expiry = self.plan.shared.session_expiry();
        if self.session.as_ref().is_some_and(|held| !held.get().is_reusable(now, expiry)) {
            self.session = None;
        }
        self.session.is_none()
    }

    fn send(&mut self, mut ticket: Ticket, info: &ConnectionInfo, now: Instant) {
        let mut tail = std::mem::take(&mut self.tail);
        let stamped = match ticket.operation.session.clone() {
            SessionUse::Explicit(turn) => {
                let server = ticket.server.clone();
                let stamped = turn.take_up(server.as_deref(), |state| {
                    self.stamp_explicit(&mut ticket, state, &turn, &mut tail, info)
                });
                stamped.is_some()
            }
            SessionUse::Implicit | SessionUse::None => {
                self.stamp_implicit(&mut ticket, &mut tail, info, now);
                true
            }
        };
        if !stamped {
            // The caller has given the attempt up; its session may be elsewhere already.
            self.tail = tail;
            return;
        }
        let shared = self.plan.shared.clone();
        let Some(link) = &mut self.link else { return };
        let mut exchange = match self.stream.take() {
            Some(last) => Exchange::of_stream(ticket, last, tail),
            None => Exchange::new(ticket, link.next_request_id(), tail),
        };
        if exchange.is_unsent() {
            let name = &exchange.ticket.operation.request.name;
            if let Err(error) = link.encode(name, &exchange.message(), info.limits.max_message_size) {
                let (ticket, tail) = exchange.into_parts();
                self.tail = tail;
                return ticket.fail(Cause::Wire(Arc::new(error)));
            }
        }
        exchange.deadline = self.exchange_deadline(&exchange.ticket, now);
        if shared.events.wants_commands() {
            exchange.started = Some(now);
            CommandEvents::of(&shared, info).started(&exchange);
        }
        self.exchange = Some(exchange);
    }

    /// Writes what a command carries in a session that the driver lends, or in none.
    fn stamp_implicit(&mut self, ticket: &mut Ticket, tail: &mut Vec<u8>, info: &ConnectionInfo, now: Instant) {
        if ticket.operation.retryability == Retryability::Write && ticket.txn_number.is_none() {
            self.assign_txn_number(ticket, info);
        }
        let with_session = ticket.session.is_some() || uses_session(ticket, info);
        if let Some(held) = ticket.session.as_mut().or(self.session.as_mut()).filter(|_| with_session) {
            held.get_mut().used(now);
        }
        let held = ticket.session.as_ref().or(self.session.as_ref()).filter(|_| with_session);
        let cluster_time = self.plan.shared.cluster_time.load();
        let read_preference = self.read_preference(ticket, info);
        let stamp = Stamp {
            operation: &ticket.operation,
            max_time: max_time(ticket),
            session: held.map(HeldSession::get),
            txn_number: ticket.txn_number,
            transaction: None,
            read_concern: None,
            cluster_time: cluster_time.as_deref(),
            read_preference: read_preference.as_deref(),
            server_api: self.plan.shared.settings.options.server_api.as_ref(),
        };
        stamp.write(tail);
    }

    /// Writes what a command carries in a session of the application.
    fn stamp_explicit(
        &self,
        ticket: &mut Ticket,
        state: &mut SessionState,
        turn: &Turn,
        tail: &mut Vec<u8>,
        info: &ConnectionInfo,
    ) {
        let numbered = ticket.operation.retryability == Retryability::Write
            && ticket.txn_number.is_none()
            && !turn.ending
            && info.supports_retryable_writes();
        if let Some(session) = state.server_mut() {
            session.used(clock::now());
            if numbered {
                ticket.txn_number = Some(session.next_txn_number());
            }
        }
        let known = self.plan.shared.cluster_time.load();
        let operation = &ticket.operation;
        let timed = info.server_type != ServerType::Standalone;
        let read_preference = self.read_preference(ticket, info);
        let stamp = Stamp {
            operation,
            max_time: max_time(ticket),
            session: state.server(),
            txn_number: ticket.txn_number,
            transaction: state.transaction.stamp(turn.ending),
            read_concern: Some(state.read_concern(operation.read_concern.as_ref(), operation.read_concern_use, timed)),
            cluster_time: ClusterTime::greater_of(known.as_deref(), state.cluster_time()).filter(|_| timed),
            read_preference: read_preference.as_deref(),
            server_api: self.plan.shared.settings.options.server_api.as_ref(),
        };
        stamp.write(tail);
    }

    /// What the command says about the servers that may answer it, if its server needs to know.
    fn read_preference<'t>(&self, ticket: &'t Ticket, info: &ConnectionInfo) -> Option<Cow<'t, ReadPreference>> {
        const PRIMARY: &ReadPreference = &ReadPreference::Primary;
        let preference = match &ticket.operation.criteria {
            SelectionCriteria::ReadPreference(preference) | SelectionCriteria::WritingAggregate(preference) => {
                preference
            }
            _ => PRIMARY,
        };
        let topology_type = self.plan.shared.description.load().topology_type;
        wire_read_preference(topology_type, info.server_type, preference)
    }

    /// Gives the operation a session of its own, in which the server recognises its repetition.
    fn assign_txn_number(&mut self, ticket: &mut Ticket, info: &ConnectionInfo) {
        if !info.supports_retryable_writes() {
            return;
        }
        if ticket.session.is_none() {
            ticket.session = self.session.take();
        }
        ticket.txn_number = ticket.session.as_mut().map(|held| held.get_mut().next_txn_number());
    }

    fn exchange_deadline(&self, ticket: &Ticket, now: Instant) -> Option<ExchangeDeadline> {
        if let Some(at) = ticket.operation.deadline {
            return Some(ExchangeDeadline { at, limit: DeadlineKind::Operation });
        }
        if ticket.operation.timed {
            return None;
        }
        let limit = self.plan.shared.settings.options.socket_timeout.filter(|limit| !limit.is_zero())?;
        Some(ExchangeDeadline { at: now + limit, limit: DeadlineKind::Socket(limit) })
    }

    /// Drives the socket as far as it goes. Ready when it is closed.
    fn drive(&mut self, ctx: &mut Context<Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        loop {
            if let Some(reauthentication) = &mut self.reauthentication {
                let outcome = ready!(reauthentication.poll(cx));
                self.reauthenticated(outcome);
            }
            let Some(link) = &mut self.link else { return Poll::Ready(()) };
            let Some(exchange) = &mut self.exchange else {
                ctx.note_in_flight(0);
                return self.watch_idle(cx);
            };
            match exchange.poll(link, cx) {
                Poll::Ready(progress) => self.end_exchange(progress),
                Poll::Pending if std::mem::take(&mut self.time_is_up) => self.give_up(),
                Poll::Pending => {
                    if !exchange.draining && exchange.ticket.poll_cancelled(cx).is_ready() {
                        self.cancel();
                        continue;
                    }
                    ctx.set_deadline(exchange.deadline.map(|deadline| deadline.at));
                    return Poll::Pending;
                }
            }
            ctx.set_deadline(None);
        }
    }

    /// Between operations the server has nothing to say but goodbye, or further batches, which are left where they are
    /// until they are wanted.
    fn watch_idle(&mut self, cx: &mut task::Context<'_>) -> Poll<()> {
        let Some(link) = &mut self.link else { return Poll::Ready(()) };
        if self.stream.is_some() {
            return Poll::Pending;
        }
        match link.poll_message(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(_) => {
                self.link = None;
                self.plan.pool.do_send(ConnectionDied { id: self.id });
                Poll::Ready(())
            }
        }
    }

    fn end_exchange(&mut self, progress: Result<Progress, LinkFault>) {
        let Some(exchange) = self.exchange.take() else { return };
        match progress {
            Ok(Progress::Sent) => self.succeed(exchange, None, 0),
            Ok(Progress::Replied(reply)) => self.replied(exchange, reply),
            Err(LinkFault::Network(error)) => self.network_failed(exchange, error),
            Err(LinkFault::Wire(error)) => self.break_with(exchange, Cause::Wire(Arc::new(error))),
        }
    }

    fn replied(&mut self, mut exchange: Exchange, reply: ReplyMessage) {
        let (more, number) = (reply.more_to_come(), reply.request_id);
        let body = reply.body;
        let document = body.as_document();
        let envelope = match Envelope::read(document) {
            Ok(envelope) => envelope,
            Err(error) => return self.break_with(exchange, Cause::Reply(Arc::new(error))),
        };
        #[cfg(feature = "chaos")]
        self.plan.shared.registry.chaos.replied(
            &self.plan.address,
            &exchange.ticket.operation.request,
            &envelope,
            document,
        );
        if more && (!envelope.ok || envelope.cursor_id == 0) {
            // There is no cursor that more could come of.
            return self.break_with(exchange, Cause::Wire(Arc::new(WireError::UnrequestedReplies)));
        }
        if let Some(lease) = &mut exchange.ticket.lease {
            lease.set_streaming(more);
        }
        self.stream = more.then_some(number);
        if let Some(seen) = envelope.cluster_time {
            self.plan.shared.note_cluster_time(seen, |time| self.plan.topology.do_send(ClusterTimeSeen(time)));
        }
        if let SessionUse::Explicit(turn) = &exchange.ticket.operation.session {
            turn.received(&envelope);
        }
        let error = match (envelope.ok, envelope.write_concern_error.is_some()) {
            (true, false) => {
                let cursor_id = envelope.cursor_id;
                return self.succeed(exchange, Some(body), cursor_id);
            }
            (true, true) => mongo_actors_protocol::error::CommandError::from_write_concern_error(document),
            (false, _) => mongo_actors_protocol::error::CommandError::from_reply(document),
        };
        let ok = envelope.ok;
        match error {
            Some(error) => self.refused(exchange, Arc::new(error), body, ok),
            None => self.succeed(exchange, Some(body), 0),
        }
    }

    /// Answers with the reply. The session goes on with a cursor, back to this connection, or to its pool.
    fn succeed(&mut self, exchange: Exchange, body: Option<ReplyBody>, cursor_id: i64) {
        let Some(info) = self.info.clone() else { return };
        if let Some(started) = exchange.started {
            CommandEvents::of(&self.plan.shared, &info).succeeded(&exchange, body.as_ref(), clock::now() - started);
        }
        let mut ticket = self.recycle(exchange);
        let mut session = ticket.session.take();
        if cursor_id != 0 && session.is_none() && uses_session(&ticket, &info) {
            session = self.session.take();
        }
        if cursor_id == 0 && self.session.is_none() {
            self.session = session.take();
        }
        let server = info.address.clone();
        let kept = cursor_id != 0 && ticket.lease.as_ref().is_some_and(|lease| keeps_lease(&ticket.operation, lease));
        let mut lease = ticket.lease.take_if(|_| kept);
        if let Some(lease) = &mut lease {
            lease.set_purpose(Purpose::Cursor);
            #[cfg(feature = "chaos")]
            self.plan.shared.registry.chaos.bind_cursor(&mut self.bound, &self.plan.address, cursor_id);
        }
        // A caller that is gone does not know of the cursor that was opened for it.
        if let Some(unread) = ticket.succeed(Reply { body, server, connection: info, session, lease }) {
            reaper::owe_cursor_of(&self.plan.shared, unread);
        }
    }

    /// The server replied with an error, or with a write concern error beside a result.
    fn refused(
        &mut self,
        exchange: Exchange,
        error: Arc<mongo_actors_protocol::error::CommandError>,
        body: ReplyBody,
        ok: bool,
    ) {
        let Some(info) = self.info.clone() else { return };
        if let Some(started) = exchange.started {
            let events = CommandEvents::of(&self.plan.shared, &info);
            match ok {
                true => events.succeeded(&exchange, Some(&body), clock::now() - started),
                false => events.failed(&exchange, &Cause::Command(error.clone()), clock::now() - started),
            }
        }
        let mut ticket = self.recycle(exchange);
        self.keep_session_for_repetition(&mut ticket, &info);
        if error.is_reauthentication_required()
            && !ticket.reauthenticated
            && let Some((link, mechanism)) = self.link.take_if(|_| self.mechanism.is_some()).zip(self.mechanism)
        {
            let shared = self.plan.shared.clone();
            self.reauthentication = Some(Reauthentication::begin(shared, link, mechanism, ticket));
            return;
        }
        let cause = match ok {
            true => Cause::WriteConcern { error: error.clone(), reply: body },
            false => Cause::Command(error.clone()),
        };
        if !error.is_state_change() {
            return ticket.fail(cause);
        }
        let failure = server_failure(FailureKind::Command(error), &cause, &ticket, &info);
        self.plan.topology.do_send(OperationFailed { ticket, cause, failure });
    }

    /// Repeats the operation that made it necessary, or gives the connection up.
    fn reauthenticated(&mut self, outcome: Result<Link, EstablishFault>) {
        let (Some(Reauthentication { mut ticket, .. }), Some(info)) = (self.reauthentication.take(), self.info.clone())
        else {
            return;
        };
        // What the server refused was not executed.
        ticket.stage = Stage::CheckedOut;
        match outcome {
            Ok(link) => {
                self.link = Some(link);
                if !ticket.is_cancelled() {
                    self.send(ticket, &info, clock::now());
                }
            }
            Err(fault) => {
                if let Some(lease) = &mut ticket.lease {
                    lease.mark_broken();
                }
                let error = handshake::failed(&self.plan.address, EstablishStep::Authenticate, fault);
                ticket.fail(Cause::CheckOut(Arc::new(CheckOutError::Establishment(error))));
            }
        }
    }

    fn network_failed(&mut self, exchange: Exchange, error: io::Error) {
        let cause = Cause::Network(Arc::new(error));
        let Some(info) = self.info.clone() else { return };
        let ticket = self.closed_ticket(exchange, &cause);
        let failure = server_failure(FailureKind::Network { timed_out: false }, &cause, &ticket, &info);
        self.plan.topology.do_send(OperationFailed { ticket, cause, failure });
    }

    /// Ends the connection for a fault that says nothing about the server.
    fn break_with(&mut self, exchange: Exchange, cause: Cause) {
        self.closed_ticket(exchange, &cause).fail(cause);
    }

    /// Closes the socket and takes the ticket out of its exchange.
    fn closed_ticket(&mut self, exchange: Exchange, cause: &Cause) -> Ticket {
        self.link = None;
        if let (Some(started), Some(info)) = (exchange.started, &self.info) {
            CommandEvents::of(&self.plan.shared, info).failed(&exchange, cause, clock::now() - started);
        }
        let mut ticket = self.recycle(exchange);
        if let Some(info) = self.info.clone() {
            self.keep_session_for_repetition(&mut ticket, &info);
        }
        if let Some(held) = &mut ticket.session {
            held.get_mut().mark_dirty();
        }
        if let Some(lease) = &mut ticket.lease {
            lease.mark_broken();
        }
        ticket
    }

    /// The session of a failed attempt stays with the operation through every further one.
    fn keep_session_for_repetition(&mut self, ticket: &mut Ticket, info: &ConnectionInfo) {
        if ticket.session.is_none() && uses_session(ticket, info) {
            ticket.session = self.session.take();
        }
    }

    fn recycle(&mut self, exchange: Exchange) -> Ticket {
        let (ticket, tail) = exchange.into_parts();
        self.tail = tail;
        ticket
    }

    /// The caller went away: an unsent command is forgotten, a sent one has its reply read and thrown away. A stream of
    /// replies is cut off.
    fn cancel(&mut self) {
        let Some(exchange) = &mut self.exchange else { return };
        if exchange.is_unsent() {
            if let Some(exchange) = self.exchange.take() {
                drop(self.recycle(exchange));
            }
            return;
        }
        if exchange.may_be_streamed() {
            if let Some(exchange) = self.exchange.take() {
                drop(self.closed_ticket(exchange, &Cause::Abandoned));
            }
            return;
        }
        exchange.draining = true;
        exchange.deadline = Some(ExchangeDeadline { at: clock::now() + DRAIN_LIMIT, limit: DeadlineKind::Drain });
        self.plan.pool.do_send(DrainStarted { id: self.id });
    }

    /// The deadline has passed, and the socket has been looked at since.
    fn give_up(&mut self) {
        let due = self.exchange.as_ref().and_then(|exchange| exchange.deadline);
        let Some(deadline) = due.filter(|deadline| deadline.at <= clock::now()) else { return };
        let Some(exchange) = self.exchange.take() else { return };
        let cause = match deadline.limit {
            DeadlineKind::Operation | DeadlineKind::Drain => Cause::DeadlinePassed,
            DeadlineKind::Socket(limit) => Cause::SocketTimeout { waited: limit },
        };
        self.break_with(exchange, cause);
    }
}

/// Whether the cursor that the server has opened, or goes on with, stays on the connection. Within a transaction that is
/// bound to the connection, it is the transaction that keeps it.
fn keeps_lease(operation: &Operation, lease: &Lease) -> bool {
    let of_transaction = match &operation.session {
        SessionUse::Explicit(turn) => lease.binds() && turn.session().is_bound(),
        SessionUse::Implicit | SessionUse::None => false,
    };
    operation.exhaust || (lease.binds() && !of_transaction)
}

/// What the topology has to know of a failure on this connection. The generation is the one that the pool has for it.
fn server_failure(kind: FailureKind, cause: &Cause, ticket: &Ticket, info: &ConnectionInfo) -> ServerFailure {
    let info = ticket.lease.as_ref().map_or(info, |lease| lease.info());
    ServerFailure {
        address: (*info.address).clone(),
        phase: FailurePhase::AfterHandshakeCompletes,
        kind,
        overloaded: false,
        message: cause.to_string().into(),
        generation: info.generation,
        service_id: info.service_id,
        max_wire_version: info.max_wire_version,
    }
}

/// The unit of `maxTimeMS`, which is no limit when it is 0.
const SHORTEST_TIME: Duration = Duration::from_millis(1);

/// What is left to the server until the deadline, after the way there and back; zero without a deadline.
fn server_time(ticket: &Ticket) -> Duration {
    let left = ticket.operation.deadline.map(|deadline| deadline.saturating_duration_since(clock::now()));
    let way = ticket.server.as_ref().map_or(Duration::ZERO, |server| server.min_round_trip_time);
    left.unwrap_or_default().saturating_sub(way)
}

/// What is sent as `maxTimeMS`.
fn max_time(ticket: &Ticket) -> Option<Duration> {
    let operation = &ticket.operation;
    if operation.deadline.is_none() || !operation.bounds_server {
        return operation.max_time;
    }
    let left = server_time(ticket).max(SHORTEST_TIME);
    Some(operation.max_time.map_or(left, |limit| limit.min(left)))
}

/// What can be known to be wrong before anything is sent.
fn admit(ticket: &Ticket, info: &ConnectionInfo) -> Result<(), Cause> {
    let operation = &ticket.operation;
    if operation.deadline.is_some() && server_time(ticket) < SHORTEST_TIME {
        return Err(Cause::DeadlinePassed);
    }
    operation.check_requirements(info.max_wire_version).map_err(Cause::Unsupported)?;
    if operation.exhaust && info.server_type == ServerType::Mongos {
        Unsupported::check_exhaust(info.max_wire_version).map_err(Cause::Unsupported)?;
    }
    if let SessionUse::Explicit(turn) = &operation.session {
        if !info.has_sessions() {
            return Err(Cause::NoSessions);
        }
        let snapshot = turn.session().with(|state| state.is_snapshot());
        if snapshot && info.max_wire_version < SNAPSHOT_WIRE_VERSION {
            return Err(Cause::NoSnapshots);
        }
    }
    match operation.limits {
        Some(limits) if !limits.fit_within(&info.limits) => Err(Cause::LimitsExceeded(info.limits)),
        _ => Ok(()),
    }
}

fn uses_session(ticket: &Ticket, info: &ConnectionInfo) -> bool {
    matches!(ticket.operation.session, SessionUse::Implicit)
        && ticket.operation.is_acknowledged()
        && info.has_sessions()
}

/// The one future of a connection's context: polls the socket whenever its task wakes.
struct Pump;

impl ActorFuture<ConnectionActor> for Pump {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        actor: &mut ConnectionActor,
        ctx: &mut Context<ConnectionActor>,
        cx: &mut task::Context<'_>,
    ) -> Poll<()> {
        actor.drive(ctx, cx)
    }
}

impl Actor for ConnectionActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let establishing = establish::establish(self.plan.clone(), self.id, self.generation, self.background);
        ctx.spawn(
            wrap_future::<_, Self>(establishing)
                .map(|result, actor: &mut Self, ctx: &mut Context<Self>| actor.established(result, ctx)),
        );
    }
}

impl Supervised for ConnectionActor {}

impl SupervisedActor for ConnectionActor {
    fn deadline_reached(&mut self, _: &mut Context<Self>) {
        // The pump reads the socket before it acts on this.
        self.time_is_up = true;
    }

    fn in_flight(&self) -> usize {
        usize::from(self.exchange.is_some())
    }
}

impl Handler<Run> for ConnectionActor {
    type Result = ();

    fn handle(&mut self, Run(ticket): Run, _: &mut Context<Self>) {
        self.run(ticket);
    }
}

impl Handler<Equipped> for ConnectionActor {
    type Result = ();

    fn handle(&mut self, Equipped(mut ticket): Equipped, _: &mut Context<Self>) {
        if self.session.is_none() {
            self.session = ticket.session.take();
        }
        self.run(ticket);
    }
}

impl Handler<Interrupt> for ConnectionActor {
    type Result = ();

    fn handle(&mut self, _: Interrupt, ctx: &mut Context<Self>) {
        self.link = None;
        if let Some(exchange) = self.exchange.take() {
            self.break_with(exchange, Cause::Interrupted);
        }
        if let Some(reauthentication) = self.reauthentication.take() {
            reauthentication.ticket.fail(Cause::Interrupted);
        }
        ctx.finish();
    }
}

impl Handler<Abandon> for ConnectionActor {
    type Result = ();

    /// The pool closes the connection when its lease comes back.
    fn handle(&mut self, _: Abandon, _: &mut Context<Self>) {
        let abandoned = self.exchange.take_if(|exchange| !exchange.draining && exchange.ticket.will_be_repeated());
        if let Some(exchange) = abandoned {
            self.break_with(exchange, Cause::Superseded);
        }
    }
}

impl Handler<SurrenderSession> for ConnectionActor {
    type Result = ();

    fn handle(&mut self, message: SurrenderSession, _: &mut Context<Self>) {
        self.session = None;
        drop(message.done);
    }
}
