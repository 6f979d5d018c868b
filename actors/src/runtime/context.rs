//! The context our actors run in: actix's parts under our own supervision.

use std::{
    pin::Pin,
    task::{self, Poll},
    time::Instant,
};

use actix::{
    Actor, ActorContext, ActorFuture, ActorState, Addr, AsyncContext, Handler, Message, SpawnHandle, Supervised,
    dev::{AsyncContextParts, ContextParts, Envelope, EnvelopeProxy, MessageResponse, OneshotSender, ToEnvelope},
};

use super::obituary::Death;

/// Messages handled before the actor lets its timer and its neighbours have their turn.
const MESSAGES_PER_TURN: u32 = 64;

/// An actor of the tree.
///
/// A crash replaces the whole state: `Supervised::restarting` must leave nothing of the old one but
/// what the actor was made from, and `started` runs again after it.
pub(crate) trait SupervisedActor: Actor<Context = Context<Self>> + Supervised + Unpin {
    /// Runs when the instant given to [`Context::set_deadline`] has come, before any further message.
    fn deadline_reached(&mut self, _ctx: &mut Context<Self>) {}
}

/// What an actor may ask of the runtime.
pub(crate) struct Context<A: SupervisedActor> {
    parts: ContextParts<A>,
    life: u64,
    handled_this_turn: u32,
    deadline: Option<Instant>,
    crash: Option<Death>,
}

impl<A: SupervisedActor> Context<A> {
    pub(super) fn new(parts: ContextParts<A>) -> Self {
        Self { parts, life: 0, handled_this_turn: 0, deadline: None, crash: None }
    }

    /// The number of this life: 0, then one more with each restart.
    #[cfg(test)]
    pub(crate) fn life(&self) -> u64 {
        self.life
    }

    /// Sets the actor's one timer; none stops it.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Asks for a restart of this actor, which counts against its budget like a panic.
    pub(crate) fn escalate(&mut self, cause: impl Into<std::sync::Arc<str>>) {
        self.crash = Some(Death::Escalated(cause.into()));
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
    }

    /// Lets [`SupervisedActor::deadline_reached`] run before the mailbox is read again.
    pub(super) fn announce_deadline(&mut self) {
        self.deadline = None;
        self.parts.wait(Announcement);
    }

    fn count_message(&mut self) {
        self.handled_this_turn += 1;
        if self.handled_this_turn == MESSAGES_PER_TURN {
            // Tokio runs its driver before a task that yields this way: timers and sockets are looked at.
            self.parts.wait(EndOfTurn(Box::pin(tokio::task::yield_now())));
        }
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
        if let Some(message) = self.message.take() {
            ctx.count_message();
            let result = actor.handle(message, ctx);
            result.handle(ctx, self.reply.take());
        }
    }
}
