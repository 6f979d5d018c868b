//! What the root of a client's tree asks of the application's actor whose child the client is.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use actix::{Message, Recipient};

use crate::runtime::Death;

/// What is to become of a client whose actors could not be kept alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// Start them anew now.
    Restart,
    /// Start them anew after this pause.
    RestartAfter(Duration),
    /// Leave them down until [`Engine::restart`](crate::Engine::restart). Operations fail with the cause.
    StayDown,
    /// Close the client.
    Close,
    /// Do what a client does that is nobody's child: start them anew after a pause of 1 s, doubled each time up to
    /// 30 s, unless [`stay_down`](crate::EngineSettings::stay_down) is set. A root that has died itself stays down.
    AsUsual,
}

/// A client's actors could not be kept alive within their budget: what shall become of it?
///
/// Until that is decided, operations fail with the cause. Who drops this undecided, or keeps it for longer than 30 s,
/// has decided [`Decision::AsUsual`].
#[derive(Message)]
#[rtype(result = "()")]
pub struct Escalation {
    cause: String,
    decide: Option<Box<dyn FnOnce(Decision) + Send>>,
}

impl Escalation {
    pub(crate) fn new(cause: String, decide: impl FnOnce(Decision) + Send + 'static) -> Self {
        Self { cause, decide: Some(Box::new(decide)) }
    }

    /// Which actor failed, and of what.
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// Decides. A decision that comes after another restart, or after the client was closed, changes nothing.
    pub fn decide(mut self, decision: Decision) {
        self.carry_out(decision);
    }

    fn carry_out(&mut self, decision: Decision) {
        if let Some(decide) = self.decide.take() {
            decide(decision);
        }
    }
}

impl Drop for Escalation {
    fn drop(&mut self) {
        self.carry_out(Decision::AsUsual);
    }
}

impl fmt::Debug for Escalation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Escalation").field("cause", &self.cause).finish_non_exhaustive()
    }
}

/// Who decides for a client. Cheap to clone.
#[derive(Clone)]
pub struct Parent(Arc<dyn Fn(Escalation) + Send + Sync>);

impl Parent {
    /// `escalate` is called on a thread of the client's, and must be quick. If it panics, the question is dropped.
    pub fn new(escalate: impl Fn(Escalation) + Send + Sync + 'static) -> Self {
        Self(Arc::new(escalate))
    }

    /// A parent that panics has dropped the question, and so decided it.
    pub(crate) fn escalate(&self, escalation: Escalation) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| (self.0)(escalation))) {
            let death = Death::from_panic(&*payload);
            tracing::error!(target: "mongo_actors::supervision", %death, "the client's parent panicked");
        }
    }
}

impl From<Recipient<Escalation>> for Parent {
    fn from(recipient: Recipient<Escalation>) -> Self {
        // One that is not delivered is dropped, and has decided so.
        Self::new(move |escalation| recipient.do_send(escalation))
    }
}

impl fmt::Debug for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parent").finish_non_exhaustive()
    }
}
