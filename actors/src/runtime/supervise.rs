//! The task that runs one actor: catches its panics, restarts it within its budget, owns its timer.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
    time::Instant,
};

use actix::{
    Addr,
    dev::{AsyncContextParts, ContextFut, ContextParts},
};
use tokio::time::Sleep;

#[cfg(feature = "chaos")]
use super::context::Site;
use super::{
    address::{Address, Inbox, Outlet},
    budget::{CrashRecord, RestartBudget},
    clock,
    context::{Context, SupervisedActor},
    lifeline::{Lifeline, Tether, lifeline},
    obituary::{Death, Obituary, ObituaryGuard},
    path::{ActorPath, Role},
    placement::Home,
    registry::Registry,
    vital::{Question, Vital},
};

/// What a parent says of the child it starts.
pub(crate) struct Birth {
    pub(crate) path: ActorPath,
    pub(crate) role: Role,
    /// Comes back in the obituary, so that the parent can tell this child from an earlier one.
    pub(crate) tag: u64,
    pub(crate) parent: Outlet<Obituary>,
    pub(crate) budget: RestartBudget,
}

/// A child as its parent keeps it: dropping this ends the child.
pub(crate) struct Child<A: SupervisedActor> {
    pub(crate) addr: Address<A>,
    lifeline: Option<Lifeline>,
}

impl<A: SupervisedActor> Child<A> {
    /// Lets the child live until it ends by itself.
    pub(crate) fn release(&mut self) {
        if let Some(lifeline) = self.lifeline.take() {
            lifeline.release();
        }
    }
}

/// Starts `actor` on `home` and returns at once.
///
/// If `home` has stopped, the obituary says so.
pub(crate) fn start<A: SupervisedActor + Send>(home: &Home, registry: &Registry, birth: Birth, actor: A) -> Child<A> {
    start_with(Inbox::default(), home, registry, birth, actor)
}

/// The same for an actor whose address is in use already: what was sent to it waits in `inbox`.
pub(crate) fn start_with<A: SupervisedActor + Send>(
    inbox: Inbox<A>,
    home: &Home,
    registry: &Registry,
    birth: Birth,
    actor: A,
) -> Child<A> {
    let addr = inbox.address();
    let (lifeline, tether) = lifeline();
    let registration = registry.enter(birth.path.clone(), birth.role, inbox.mail.clone());
    let vital = registration.vital().clone();
    let obituary = ObituaryGuard::new(birth.parent, birth.path.clone(), birth.tag, registration);
    let unborn = Unborn {
        actor,
        inbox,
        tether,
        obituary,
        vital,
        #[cfg(feature = "chaos")]
        site: Site { chaos: registry.chaos.clone(), path: birth.path.clone(), role: birth.role },
        path: birth.path,
        budget: birth.budget,
    };
    home.run(move || {
        tokio::task::spawn_local(unborn.into_task());
    });
    Child { addr, lifeline: Some(lifeline) }
}

/// Everything of an actor that travels to the arbiter it will live on.
struct Unborn<A: SupervisedActor> {
    actor: A,
    inbox: Inbox<A>,
    tether: Tether,
    obituary: ObituaryGuard,
    vital: Arc<Vital>,
    #[cfg(feature = "chaos")]
    site: Site,
    path: ActorPath,
    budget: RestartBudget,
}

impl<A: SupervisedActor> Unborn<A> {
    fn into_task(self) -> Supervise<A> {
        let Inbox { mailbox, mail } = self.inbox;
        let context = Context::new(
            ContextParts::new(mailbox.sender_producer()),
            mail,
            self.vital.clone(),
            #[cfg(feature = "chaos")]
            self.site,
        );
        Supervise {
            _hold: mailbox.address(),
            actor: ContextFut::new(context, self.actor, mailbox),
            timer: Timer::default(),
            tether: self.tether,
            crashes: CrashRecord::new(self.budget),
            obituary: self.obituary,
            vital: self.vital,
            path: self.path,
            has_begun: false,
        }
    }
}

struct Supervise<A: SupervisedActor> {
    actor: ContextFut<A, Context<A>>,
    timer: Timer,
    tether: Tether,
    crashes: CrashRecord,
    /// Behind the actor: it is sent when the actor is gone.
    obituary: ObituaryGuard,
    vital: Arc<Vital>,
    path: ActorPath,
    has_begun: bool,
    /// Keeps the mailbox open: lifelines end actors, address counts do not.
    _hold: Addr<A>,
}

impl<A: SupervisedActor> Future for Supervise<A> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.tether.poll_cut(cx).is_ready() {
            if this.has_begun {
                this.actor.ctx().announce_end();
                // A panic changes nothing about the end.
                drop(catch_unwind(AssertUnwindSafe(|| Pin::new(&mut this.actor).poll(cx))));
            }
            return this.end(Death::Normal);
        }
        this.has_begun = true;
        loop {
            if this.timer.poll(this.actor.ctx().deadline(), cx).is_ready() {
                this.actor.ctx().announce_deadline();
            }
            let death = match (this.take_turn(cx), this.actor.ctx().take_crash()) {
                #[cfg(feature = "chaos")]
                (Ok(Poll::Ready(())), _) if this.actor.ctx().is_killed() => return Poll::Ready(()),
                (Err(death), _) | (Ok(_), Some(death)) => death,
                (Ok(Poll::Ready(())), None) if this.actor.ctx().is_finished() => return this.end(Death::Normal),
                (Ok(Poll::Ready(())), None) => Death::Stopped,
                (Ok(Poll::Pending), None) if this.timer.is_set_for(this.actor.ctx().deadline()) => {
                    return Poll::Pending;
                }
                (Ok(Poll::Pending), None) => {
                    // Sets the timer for a deadline that is new. The actor has a turn only if that has come already.
                    if this.timer.poll(this.actor.ctx().deadline(), cx).is_pending() {
                        return Poll::Pending;
                    }
                    this.actor.ctx().announce_deadline();
                    continue;
                }
            };
            if let Err(death) = this.restart_after(death) {
                return this.end(death);
            }
        }
    }
}

impl<A: SupervisedActor> Supervise<A> {
    /// Runs the actor as far as it goes, and answers whoever watches it.
    fn take_turn(&mut self, cx: &mut TaskContext<'_>) -> Result<Poll<()>, Death> {
        let vital = &self.vital;
        let question = vital.begin_turn(cx.waker());
        let context = self.actor.ctx();
        context.begin_turn();
        match question {
            Question::None => {}
            Question::AreYouThere => context.ask_for_answer(),
            Question::Restart => {
                vital.end_turn();
                vital.answer();
                return Err(Death::Stalled);
            }
        }
        #[cfg(feature = "chaos")]
        if vital.is_struck() {
            let struck = catch_unwind(AssertUnwindSafe(|| context.suffer_strike()));
            if struck.is_err() || context.is_killed() {
                vital.end_turn();
                return struck.map(Poll::Ready).map_err(|payload| Death::from_panic(&*payload));
            }
        }
        let turn = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut self.actor).poll(cx)));
        vital.end_turn();
        if question == Question::AreYouThere && self.actor.ctx().take_answer() {
            vital.answer();
        }
        turn.map_err(|payload| Death::from_panic(&*payload))
    }

    /// Starts the actor's next life; the error is what it died of when its budget is spent.
    fn restart_after(&mut self, mut death: Death) -> Result<(), Death> {
        while self.crashes.covers_crash_at(clock::now()) {
            tracing::error!(target: "mongo_actors::supervision", actor = %self.path, cause = %death, "actor restarts");
            self.obituary.restarted(&death);
            self.actor.ctx().begin_life();
            match catch_unwind(AssertUnwindSafe(|| self.actor.restart())) {
                Ok(_) => return Ok(()),
                Err(payload) => death = Death::from_panic(&*payload),
            }
        }
        tracing::error!(target: "mongo_actors::supervision", actor = %self.path, cause = %death, "actor is given up");
        Err(death)
    }

    fn end(&mut self, death: Death) -> Poll<()> {
        self.obituary.died_of(death);
        Poll::Ready(())
    }
}

impl<A: SupervisedActor> Drop for Supervise<A> {
    fn drop(&mut self) {
        // Otherwise dropping the context polls the actor once more, and may even start it for that.
        self.actor.ctx().parts().terminate();
    }
}

/// One timer that follows a moving deadline lazily: it is only re-armed when the deadline comes earlier.
#[derive(Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    armed_for: Option<Instant>,
}

impl Timer {
    /// Whether the timer will wake the task by `deadline`.
    fn is_set_for(&self, deadline: Option<Instant>) -> bool {
        match (deadline, self.armed_for) {
            (None, _) => true,
            (Some(deadline), Some(armed)) => armed <= deadline && !self.has_fired(),
            (Some(_), None) => false,
        }
    }

    /// Ready when `deadline` has come.
    fn poll(&mut self, deadline: Option<Instant>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        loop {
            if !self.is_set_for(Some(deadline)) {
                self.arm(deadline);
            }
            let Some(sleep) = &mut self.sleep else { return Poll::Pending };
            ready!(sleep.as_mut().poll(cx));
            self.armed_for = None;
            if clock::now() >= deadline {
                return Poll::Ready(());
            }
        }
    }

    /// An armed timer that fired while no deadline was wanted wakes nobody any more.
    fn has_fired(&self) -> bool {
        self.sleep.as_ref().is_some_and(|sleep| sleep.is_elapsed())
    }

    fn arm(&mut self, deadline: Instant) {
        let deadline = tokio::time::Instant::from_std(deadline);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(deadline))),
        }
        self.armed_for = Some(deadline.into_std());
    }
}
