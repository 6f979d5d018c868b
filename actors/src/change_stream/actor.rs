//! The handlers of a change stream's actor.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use actix::{Actor, ActorFutureExt, AsyncContext, Handler, Supervised, fut::wrap_future};
use mongo_actors_protocol::{
    change_stream::{Resumption, Sequel},
    command::CursorReply,
    error::Labels,
    retry::{Decision, Outcome, Stage},
    wire::ReplyBody,
};
use tokio::sync::oneshot::{self, error::RecvError};

use super::{
    cursor::OpenCursor,
    effort::{Effort, Purpose, fault_of},
    messages::{EndStream, Fetch},
    plan::{ChangeStreamPlan, GivenUp},
};
use crate::{
    failure::{Cause, Failure},
    reaper,
    runtime::{Context, SupervisedActor, clock},
    shared::{Shared, Token},
    ticket::{Answer, HeldSession, Lease, Operation, Reply, SessionUse, Setback, Ticket},
    topology::Execute,
};

/// How long closing a cursor may take. A server that is gone keeps no cursors.
const KILL_PATIENCE: Duration = Duration::from_secs(2);

/// Fetches the events of one change stream.
pub(crate) struct ChangeStreamActor {
    shared: Arc<Shared>,
    plan: Arc<ChangeStreamPlan>,
    resumption: Resumption,
    /// Whether this life has opened a cursor, or tried to.
    opened: bool,
    cursor: Option<OpenCursor>,
    /// The session of a cursor that was lost, for the next.
    session: Option<HeldSession>,
    reader: Option<Reader>,
    activity: Activity,
}

/// Who waits.
struct Reader {
    fetch: Fetch,
    attempts: Vec<(Failure, Outcome)>,
}

/// What is being done.
enum Activity {
    /// Nothing: nobody waits.
    Idle,
    /// A command is on its way.
    Commanding(Effort),
    /// A command is to be repeated when the deadline of the context comes.
    Repeating(Effort, Box<Setback>),
    /// A cursor is to be opened when the deadline of the context comes.
    Reopening,
}

impl ChangeStreamActor {
    pub(crate) fn new(shared: Arc<Shared>, plan: Arc<ChangeStreamPlan>) -> Self {
        Self {
            shared,
            plan,
            resumption: Resumption::default(),
            opened: false,
            cursor: None,
            session: None,
            reader: None,
            activity: Activity::Idle,
        }
    }

    /// Somebody waits for what comes next. What is being done for a reader that has given up is done for this one: both
    /// stand at the same place.
    fn fetch(&mut self, fetch: Fetch, ctx: &mut Context<Self>) {
        self.reader = Some(Reader { fetch, attempts: Vec::new() });
        if !matches!(self.activity, Activity::Idle) {
            return;
        }
        if let Some(refusal) = self.shared.status.load().refusal() {
            let ends = matches!(refusal, Cause::ClientClosed);
            return self.refuse(refusal, ends);
        }
        match self.cursor.take() {
            Some(cursor) if self.is_known(&cursor) => self.ask_for_more(cursor, ctx),
            None if !self.opened => self.open(ctx),
            // Its server is gone, and waiting for it would not bring the cursor back.
            lost => self.lose(lost, ctx),
        }
    }

    fn is_known(&self, cursor: &OpenCursor) -> bool {
        self.shared.description.load().server(&cursor.server).is_some_and(|server| server.is_known())
    }

    fn lose(&mut self, cursor: Option<OpenCursor>, ctx: &mut Context<Self>) {
        if let Some(mut cursor) = cursor {
            self.session = cursor.session.take();
        }
        let deadline = self.reader.as_ref().and_then(|reader| reader.fetch.budget.deadline());
        let sequel = self.resumption.cursor_lost(clock::now(), deadline, &mut self.shared.entropy.rng());
        match sequel {
            Sequel::Resume(pause) => self.reopen(pause, ctx),
            _ => self.refuse(Cause::DeadlinePassed, false),
        }
    }

    fn reopen(&mut self, pause: Option<Duration>, ctx: &mut Context<Self>) {
        match pause {
            None => self.open(ctx),
            Some(pause) => {
                self.activity = Activity::Reopening;
                ctx.set_deadline(Some(clock::now() + pause));
            }
        }
    }

    fn open(&mut self, ctx: &mut Context<Self>) {
        let Some(reader) = &self.reader else { return };
        self.opened = true;
        match self.plan.open(&reader.fetch.start) {
            Ok(operation) => {
                let session = self.session.take();
                self.command(Purpose::Open, operation, session, None, ctx);
            }
            Err(error) => self.refuse(unencodable(&error), true),
        }
    }

    fn ask_for_more(&mut self, mut cursor: OpenCursor, ctx: &mut Context<Self>) {
        match self.plan.more(&cursor) {
            Ok(operation) => {
                let (session, lease) = cursor.lend();
                self.cursor = Some(cursor);
                self.command(Purpose::More, operation, session, lease, ctx);
            }
            Err(error) => self.refuse(unencodable(&error), true),
        }
    }

    fn command(
        &mut self,
        purpose: Purpose,
        mut operation: Box<Operation>,
        session: Option<HeldSession>,
        lease: Option<Lease>,
        ctx: &mut Context<Self>,
    ) {
        let Some(reader) = &self.reader else { return };
        let budget = reader.fetch.budget;
        operation.deadline = budget.deadline();
        operation.timed = budget.is_set();
        // Of a getMore it is the time that the server waits for events, which is only lowered.
        operation.bounds_server = purpose != Purpose::More || operation.max_time.is_some();
        let (mut ticket, answer) = Ticket::new(operation, &self.shared);
        ticket.session = session;
        ticket.lease = lease;
        self.send(ticket, answer, Effort::new(purpose, &self.plan, budget), ctx);
    }

    fn repeat(&mut self, effort: Effort, setback: Setback, ctx: &mut Context<Self>) {
        let (mut ticket, answer) = Ticket::new(setback.operation, &self.shared);
        ticket.lease = setback.lease;
        ticket.session = setback.session;
        ticket.txn_number = setback.txn_number;
        ticket.deprioritized = effort.deprioritized();
        self.send(ticket, answer, effort, ctx);
    }

    fn send(&mut self, ticket: Ticket, answer: oneshot::Receiver<Answer>, effort: Effort, ctx: &mut Context<Self>) {
        self.activity = Activity::Commanding(effort);
        let answer = self.execute(ticket, answer);
        ctx.spawn(
            wrap_future::<_, Self>(answer)
                .map(|answer, actor: &mut Self, ctx: &mut Context<Self>| actor.answered(answer, ctx)),
        );
    }

    /// Has a ticket executed, in the application's session if the stream runs in one: at once, or as soon as nothing else
    /// is under way in that. Dropping what it returns gives the attempt up.
    fn execute(
        &self,
        mut ticket: Ticket,
        answer: oneshot::Receiver<Answer>,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, RecvError>>>> {
        let shared = self.shared.clone();
        let Some(session) = self.plan.session.clone().filter(|session| !session.has_ended()) else {
            dispatch(&shared, ticket);
            return Box::pin(answer);
        };
        Box::pin(async move {
            let turn = match ticket.operation.deadline {
                None => session.turn(false).await,
                Some(deadline) => match tokio::time::timeout_at(deadline.into(), session.turn(false)).await {
                    Ok(turn) => turn,
                    Err(_) => {
                        ticket.fail(Cause::DeadlinePassed);
                        return answer.await;
                    }
                },
            };
            let _attempting = turn.attempting();
            ticket.operation.session = SessionUse::Explicit(turn);
            dispatch(&shared, ticket);
            answer.await
        })
    }

    fn answered(&mut self, answer: Result<Answer, RecvError>, ctx: &mut Context<Self>) {
        let Activity::Commanding(mut effort) = std::mem::replace(&mut self.activity, Activity::Idle) else { return };
        let setback = match answer {
            Ok(Ok(reply)) => return self.replied(effort.purpose, reply),
            Ok(Err(setback)) => *setback,
            // A ticket always answers.
            Err(_) => return self.refuse(Cause::Abandoned, false),
        };
        let Some(reader) = &mut self.reader else { return };
        match effort.failed(&setback.failure, &mut reader.attempts, &self.shared.entropy) {
            Decision::RetryNow => self.repeat(effort, setback, ctx),
            Decision::RetryAfter(pause) => {
                self.activity = Activity::Repeating(effort, Box::new(setback));
                ctx.set_deadline(Some(clock::now() + pause));
            }
            Decision::GiveUp => self.gave_up(effort, setback, ctx),
        }
    }

    fn replied(&mut self, purpose: Purpose, reply: Reply) {
        let Reply { body, server, connection, session, lease, .. } = reply;
        let Some(body) = body else { return self.refuse(Cause::Abandoned, false) };
        let before = self.cursor.take();
        let read = CursorReply::read(body.as_document());
        if purpose == Purpose::More || read.as_ref().is_ok_and(|cursor| !cursor.batch.is_empty()) {
            self.resumption.progressed();
        }
        match read.map(|cursor| (cursor.id, cursor.namespace())) {
            Ok((id, Ok(namespace))) if id != 0 => {
                let (shared, timeout) = (self.shared.clone(), self.plan.timeout);
                before.into_iter().for_each(OpenCursor::forget);
                let bound = lease.is_some();
                self.cursor =
                    Some(OpenCursor { shared, id, namespace, server, connection, session, lease, bound, timeout });
            }
            Ok((0, _)) => before.into_iter().for_each(OpenCursor::forget),
            // The reader is told by the reply itself what it lacks.
            _ => {}
        }
        self.deliver(body);
    }

    /// Hands the reply to the reader. When nobody takes it, its events are lost, and the cursor that is past them is of
    /// no use: the next reader's place is before them.
    fn deliver(&mut self, body: ReplyBody) {
        let taken = self.reader.take().is_some_and(|reader| reader.fetch.reply.send(Ok(body)).is_ok());
        if !taken {
            self.cursor = None;
        }
    }

    fn gave_up(&mut self, effort: Effort, mut setback: Setback, ctx: &mut Context<Self>) {
        if let Some(cursor) = &mut self.cursor {
            cursor.lease = setback.lease.take();
        }
        let wire_version = self.cursor.as_ref().map(|cursor| cursor.connection.max_wire_version);
        let fault = fault_of(&setback.failure, wire_version);
        let deadline = self.reader.as_ref().and_then(|reader| reader.fetch.budget.deadline());
        let sequel = match effort.purpose {
            Purpose::More => {
                self.resumption.get_more_failed(&fault, clock::now(), deadline, &mut self.shared.entropy.rng())
            }
            Purpose::Open => self.resumption.reopening_failed(&fault),
        };
        self.session = setback.session;
        match (self.cursor.take(), &setback.failure.cause) {
            (Some(cursor), Cause::Command(error)) if error.is_cursor_not_found() => cursor.forget(),
            (cursor, _) => drop(cursor),
        }
        match sequel {
            Sequel::Resume(pause) => {
                tracing::info!(target: "mongo_actors::change_stream", cause = %setback.failure.cause, ?pause, "a change stream resumes");
                self.reopen(pause, ctx);
            }
            Sequel::TimeUp => self.refuse(Cause::DeadlinePassed, false),
            Sequel::Report => self.report(effort, setback.failure, false),
            Sequel::End => self.report(effort, setback.failure, true),
        }
    }

    fn report(&mut self, effort: Effort, failure: Failure, ends: bool) {
        let Some(Reader { fetch, attempts }) = self.reader.take() else { return };
        let given_up = GivenUp { ends, ..effort.conclude(failure, attempts) };
        // A reader that is gone will ask again.
        drop(fetch.reply.send(Err(Box::new(given_up))));
    }

    /// Answers the reader without having sent a command.
    fn refuse(&mut self, cause: Cause, ends: bool) {
        let Some(Reader { fetch, attempts }) = self.reader.take() else { return };
        let failure = Failure { cause, server: None, connection: None, stage: Stage::Queued };
        let (labels, outcome) = (Labels::new(), Outcome::NotSent);
        let given_up = GivenUp { command: None, failure, labels, outcome, attempts, late: false, ends };
        drop(fetch.reply.send(Err(Box::new(given_up))));
    }

    /// Closes the cursor on its server, or leaves it to the reaper.
    fn kill(&mut self, within: Option<Duration>, done: Option<Token>) {
        let Some(mut cursor) = self.cursor.take() else { return };
        if done.is_none() {
            // The reaper does it.
            return;
        }
        let Some(mut debt) = cursor.take_debt() else { return };
        debt.timeout = within.or(debt.timeout);
        let Some(operation) = debt.operation(clock::now(), KILL_PATIENCE) else { return };
        let (mut ticket, answer) = Ticket::new(operation, &self.shared);
        (ticket.session, ticket.lease) = (debt.session.take(), debt.lease.take());
        let answer = self.execute(ticket, answer);
        let (shared, is_bound) = (self.shared.clone(), cursor.bound);
        tokio::task::spawn_local(async move {
            if let Ok(Err(setback)) = answer.await {
                (debt.session, debt.lease) = (setback.session, setback.lease);
                // A bound cursor has ended with its connection.
                if !is_bound || debt.lease.is_some() {
                    reaper::owe(&shared, debt);
                }
            }
            drop(done);
        });
    }
}

/// A ticket that reaches nobody answers for itself.
fn dispatch(shared: &Shared, ticket: Ticket) {
    match &*shared.topology.load() {
        Some(topology) => topology.do_send(Execute(ticket)),
        None => ticket.fail(shared.status.load().refusal().unwrap_or(Cause::Abandoned)),
    }
}

fn unencodable(error: &mongo_actors_protocol::command::EncodeError) -> Cause {
    Cause::EngineDown(format!("a command of the change stream cannot be encoded: {error}").into())
}

impl Actor for ChangeStreamActor {
    type Context = Context<Self>;
}

impl Supervised for ChangeStreamActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        *self = Self::new(self.shared.clone(), self.plan.clone());
    }
}

impl SupervisedActor for ChangeStreamActor {
    fn in_flight(&self) -> usize {
        usize::from(self.reader.is_some())
    }

    fn deadline_reached(&mut self, ctx: &mut Context<Self>) {
        match std::mem::replace(&mut self.activity, Activity::Idle) {
            Activity::Repeating(effort, setback) => self.repeat(effort, *setback, ctx),
            Activity::Reopening => self.open(ctx),
            other => self.activity = other,
        }
    }
}

impl Handler<Fetch> for ChangeStreamActor {
    type Result = ();

    fn handle(&mut self, fetch: Fetch, ctx: &mut Context<Self>) {
        self.fetch(fetch, ctx);
    }
}

impl Handler<EndStream> for ChangeStreamActor {
    type Result = ();

    fn handle(&mut self, EndStream { within, done }: EndStream, ctx: &mut Context<Self>) {
        self.reader = None;
        self.activity = Activity::Idle;
        self.kill(within, done);
        ctx.finish();
    }
}
