//! The context our actors run in: actix's parts under our own supervision.

use std::{
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    time::Instant,
};

#[cfg(feature = "chaos")]
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFuture, ActorState, Addr, AsyncContext, Handler, Message, SpawnHandle, Supervised,
    dev::{AsyncContextParts, ContextParts, Envelope, EnvelopeProxy, MessageResponse, OneshotSender, ToEnvelope},
};

#[cfg(feature = "chaos")]
use mongo_actors_protocol::chaos::{MessageFault, Moment};

use super::{
    address::{Address, Mail},
    obituary::Death,
    vital::Vital,
};

/// Messages handled before the actor lets its timer and its neighbours have their turn.
const MESSAGES_PER_TURN: u32 = 64;
/// How long a message waits at most for the one that is to overtake it.
#[cfg(feature = "chaos")]
const REORDERED_WITHIN: Duration = Duration::from_millis(20);

/// An actor of the tree.
///
/// A crash replaces the whole state: `Supervised::restarting` must leave nothing of the old one but
/// what the actor was made from, and `started` runs again after it.
pub(crate) trait SupervisedActor: Actor<Context = Context<Self>> + Supervised + Unpin {
    /// Runs when the instant given to [`Context::set_deadline`] has come, before any further message.
    fn deadline_reached(&mut self, _ctx: &mut Context<Self>) {}

    /// How much it has in its hands, for whoever looks at the tree. Asked after each message.
    fn in_flight(&self) -> usize {
        0
    }

    /// Runs when the parent has let go, before the actor is dropped.
    fn abandoned(&mut self, _ctx: &mut Context<Self>) {}
}

/// What an actor may ask of the runtime.
pub(crate) struct Context<A: SupervisedActor> {
    parts: ContextParts<A>,
    mail: Arc<Mail>,
    vital: Arc<Vital>,
    life: u64,
    handled_this_turn: u32,
    deadline: Option<Instant>,
    crash: Option<Death>,
    finished: bool,
    answer: Answer,
    #[cfg(feature = "chaos")]
    seam: Seam,
}

/// Where the actor is in showing that it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    NotAsked,
    Pending,
    Given,
}

/// The actor's place at the fault seam, and whether its task is to be dropped.
#[cfg(feature = "chaos")]
struct Seam {
    site: Site,
    killed: bool,
}

impl<A: SupervisedActor> Context<A> {
    pub(super) fn new(
        parts: ContextParts<A>,
        mail: Arc<Mail>,
        vital: Arc<Vital>,
        #[cfg(feature = "chaos")] site: Site,
    ) -> Self {
        Self {
            parts,
            mail,
            vital,
            life: 0,
            handled_this_turn: 0,
            deadline: None,
            crash: None,
            finished: false,
            answer: Answer::NotAsked,
            #[cfg(feature = "chaos")]
            seam: Seam { site, killed: false },
        }
    }

    /// The number of this life: 0, then one more with each restart.
    #[cfg(test)]
    pub(crate) fn life(&self) -> u64 {
        self.life
    }

    /// The actor's own address.
    pub(crate) fn address(&self) -> Address<A> {
        Address::new(self.parts.address(), self.mail.clone())
    }

    /// Lets whoever looks at the tree know how much the actor has in its hands, after something else than a message.
    pub(crate) fn note_in_flight(&self, count: usize) {
        self.vital.note_in_flight(count);
    }

    /// Sets the actor's one timer; none stops it.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Asks for a restart of this actor, which counts against its budget like a panic.
    pub(crate) fn escalate(&mut self, cause: impl Into<Arc<str>>) {
        self.crash = Some(Death::Escalated(cause.into()));
    }

    /// Ends the actor in order. A mere stop is a fault, and has it restarted.
    pub(crate) fn finish(&mut self) {
        self.finished = true;
        self.parts.stop();
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Has the actor show that it is there: by handling a message, or by running its futures, both of which an actor
    /// that waits for something does not do.
    pub(super) fn ask_for_answer(&mut self) {
        if self.answer == Answer::NotAsked {
            self.answer = Answer::Pending;
            self.parts.spawn(SignOfLife);
        }
    }

    pub(super) fn take_answer(&mut self) -> bool {
        let given = self.answer == Answer::Given;
        if given {
            self.answer = Answer::NotAsked;
        }
        given || self.handled_this_turn > 0
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn take_crash(&mut self) -> Option<Death> {
        self.crash.take()
    }

    pub(super) fn begin_turn(&mut self) {
        self.handled_this_turn = 0;
    }

    pub(super) fn begin_life(&mut self) {
        self.life += 1;
        self.deadline = None;
        self.crash = None;
        self.finished = false;
        self.answer = Answer::NotAsked;
        self.vital.note_in_flight(0);
    }

    /// Lets [`SupervisedActor::deadline_reached`] run before the mailbox is read again.
    pub(super) fn announce_deadline(&mut self) {
        self.deadline = None;
        self.parts.wait(Announcement);
    }

    /// Lets [`SupervisedActor::abandoned`] run, and nothing after it.
    pub(super) fn announce_end(&mut self) {
        self.parts.wait(End);
    }

    fn count_message(&mut self) {
        self.mail.note_taken();
        self.handled_this_turn += 1;
        if self.handled_this_turn == MESSAGES_PER_TURN {
            // Tokio runs its driver before a task that yields this way: timers and sockets are looked at.
            self.parts.wait(EndOfTurn(Box::pin(tokio::task::yield_now())));
        }
    }
}

/// One actor's place at the fault seam.
#[cfg(feature = "chaos")]
#[derive(Debug)]
pub(super) struct Site {
    pub(super) chaos: crate::chaos::Chaos,
    pub(super) path: super::path::ActorPath,
    pub(super) role: super::path::Role,
}

#[cfg(feature = "chaos")]
impl<A: SupervisedActor> Context<A> {
    pub(super) fn is_killed(&self) -> bool {
        self.seam.killed
    }

    /// Whether messages just pass the seam. Everything else is off the straight way.
    #[inline]
    fn is_calm(&self) -> bool {
        self.seam.site.chaos.is_idle()
    }

    fn fault<M>(&self, moment: Moment) -> Option<MessageFault> {
        let Site { chaos, path, role } = &self.seam.site;
        chaos.at_message(*role, path, std::any::type_name::<M>(), moment)
    }

    /// What is due before the message happens to it, or to the actor. Says whether it is still to be handled now.
    #[cold]
    fn enter_seam<M>(&mut self, parcel: &mut Parcel<M>) -> bool
    where
        A: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let Some(fault) = self.fault::<M>(Moment::Before) else { return true };
        let parcel = parcel.take();
        match fault {
            MessageFault::Drop => {}
            MessageFault::Delay(delay) => self.hold(parcel, delay, usize::MAX),
            MessageFault::Reorder => self.hold(parcel, REORDERED_WITHIN, 1),
            MessageFault::Stall => self.parts.wait(Stall(Some(parcel))),
            fault => self.suffer(fault),
        }
        false
    }

    /// What is due after the message happens to the actor.
    #[cold]
    fn leave_seam<M>(&mut self) {
        if let Some(fault) = self.fault::<M>(Moment::After) {
            self.suffer(fault);
        }
    }

    /// What the actor was struck with happens to it.
    #[cold]
    pub(super) fn suffer_strike(&mut self) {
        if let Some(fault) = self.vital.take_strike() {
            self.suffer(fault);
        }
    }

    /// Something happens to the actor.
    fn suffer(&mut self, fault: MessageFault) {
        match fault {
            MessageFault::Panic => std::panic::panic_any(crate::chaos::ORDERED_PANIC),
            MessageFault::Stop => self.parts.stop(),
            MessageFault::Kill => {
                self.seam.killed = true;
                self.parts.terminate();
            }
            MessageFault::Stall => self.parts.wait(Stall(None::<()>)),
            // What happens to messages alone.
            _ => {}
        }
    }

    /// Handles the parcel later: after this time, or as soon as so many other messages were handled.
    fn hold<M>(&mut self, parcel: Parcel<M>, time: Duration, messages: usize)
    where
        A: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let (time, since) = (Box::pin(tokio::time::sleep(time)), self.mail.taken());
        self.parts.spawn(Held { parcel, time, since, messages });
    }
}

/// A message that is late.
#[cfg(feature = "chaos")]
struct Held<M: Message> {
    parcel: Parcel<M>,
    time: Pin<Box<tokio::time::Sleep>>,
    /// How many messages the actor had taken when this one came.
    since: usize,
    messages: usize,
}

#[cfg(feature = "chaos")]
impl<M: Message> Unpin for Held<M> {}

#[cfg(feature = "chaos")]
impl<A, M> ActorFuture<A> for Held<M>
where
    A: SupervisedActor + Handler<M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, actor: &mut A, ctx: &mut Context<A>, cx: &mut task::Context<'_>) -> Poll<()> {
        let overtaken = ctx.mail.taken().wrapping_sub(self.since) >= self.messages;
        if !overtaken && self.time.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.parcel.open(actor, ctx);
        Poll::Ready(())
    }
}

/// Waits for ever, with the message that it came before.
#[cfg(feature = "chaos")]
struct Stall<M>(#[allow(dead_code, reason = "held until the actor is restarted")] Option<M>);

#[cfg(feature = "chaos")]
impl<M> Unpin for Stall<M> {}

#[cfg(feature = "chaos")]
impl<A: SupervisedActor, M> ActorFuture<A> for Stall<M> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut A, _: &mut Context<A>, _: &mut task::Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

struct SignOfLife;

impl<A: SupervisedActor> ActorFuture<A> for SignOfLife {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut A, ctx: &mut Context<A>, _: &mut task::Context<'_>) -> Poll<()> {
        ctx.answer = Answer::Given;
        Poll::Ready(())
    }
}

struct Announcement;

impl<A: SupervisedActor> ActorFuture<A> for Announcement {
    type Output = ();

    fn poll(self: Pin<&mut Self>, actor: &mut A, ctx: &mut Context<A>, _: &mut task::Context<'_>) -> Poll<()> {
        actor.deadline_reached(ctx);
        Poll::Ready(())
    }
}

struct End;

impl<A: SupervisedActor> ActorFuture<A> for End {
    type Output = ();

    fn poll(self: Pin<&mut Self>, actor: &mut A, ctx: &mut Context<A>, _: &mut task::Context<'_>) -> Poll<()> {
        actor.abandoned(ctx);
        ctx.parts.terminate();
        Poll::Ready(())
    }
}

struct EndOfTurn(Pin<Box<dyn Future<Output = ()>>>);

impl<A: SupervisedActor> ActorFuture<A> for EndOfTurn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut A, _: &mut Context<A>, cx: &mut task::Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl<A: SupervisedActor> ActorContext for Context<A> {
    fn stop(&mut self) {
        self.parts.stop();
    }

    fn terminate(&mut self) {
        self.parts.terminate();
    }

    fn state(&self) -> ActorState {
        self.parts.state()
    }
}

impl<A: SupervisedActor> AsyncContext<A> for Context<A> {
    fn address(&self) -> Addr<A> {
        self.parts.address()
    }

    fn spawn<F>(&mut self, fut: F) -> SpawnHandle
    where
        F: ActorFuture<A, Output = ()> + 'static,
    {
        self.parts.spawn(fut)
    }

    fn wait<F>(&mut self, fut: F)
    where
        F: ActorFuture<A, Output = ()> + 'static,
    {
        self.parts.wait(fut);
    }

    fn waiting(&self) -> bool {
        self.parts.waiting()
    }

    fn cancel_future(&mut self, handle: SpawnHandle) -> bool {
        self.parts.cancel_future(handle)
    }
}

impl<A: SupervisedActor> AsyncContextParts<A> for Context<A> {
    fn parts(&mut self) -> &mut ContextParts<A> {
        &mut self.parts
    }
}

/// A message on its way: the one place that every message of the tree passes.
struct Parcel<M: Message> {
    message: Option<M>,
    reply: Option<OneshotSender<M::Result>>,
}

impl<A, M> ToEnvelope<A, M> for Context<A>
where
    A: SupervisedActor + Handler<M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn pack(message: M, reply: Option<OneshotSender<M::Result>>) -> Envelope<A> {
        Envelope::with_proxy(Box::new(Parcel { message: Some(message), reply }))
    }
}

impl<A, M> EnvelopeProxy<A> for Parcel<M>
where
    A: SupervisedActor + Handler<M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn handle(&mut self, actor: &mut A, ctx: &mut Context<A>) {
        ctx.count_message();
        #[cfg(feature = "chaos")]
        if !ctx.is_calm() && !ctx.enter_seam(self) {
            return;
        }
        self.open(actor, ctx);
    }
}

impl<M: Message> Parcel<M> {
    #[cfg(feature = "chaos")]
    fn take(&mut self) -> Self {
        Self { message: self.message.take(), reply: self.reply.take() }
    }

    fn open<A>(&mut self, actor: &mut A, ctx: &mut Context<A>)
    where
        A: SupervisedActor + Handler<M>,
        M: Send + 'static,
        M::Result: Send,
    {
        let Some(message) = self.message.take() else { return };
        let result = actor.handle(message, ctx);
        result.handle(ctx, self.reply.take());
        ctx.vital.note_in_flight(actor.in_flight());
        #[cfg(feature = "chaos")]
        if !ctx.is_calm() {
            ctx.leave_seam::<M>();
        }
    }
}
