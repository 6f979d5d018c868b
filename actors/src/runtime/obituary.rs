//! What an actor's parent learns of its child's end.

use std::{any::Any, fmt, sync::Arc};

use actix::Message;
use serde::{Serialize, Serializer};

use super::{address::Outlet, path::ActorPath, registry::Registration};

/// Why an actor ended, or was restarted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Death {
    /// It finished, or its parent let go of it.
    Normal,
    /// A handler panicked; the text is the panic's message.
    Panicked(Arc<str>),
    /// It asked to be restarted because its children could not be kept alive.
    Escalated(Arc<str>),
    /// It stopped although nobody had asked it to.
    Stopped,
    /// It handled nothing any more while its arbiter went on.
    Stalled,
    /// Its task was dropped, as happens when its arbiter stops.
    Killed,
}

impl Death {
    pub(crate) fn from_panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("a panic without a message");
        Self::Panicked(text.into())
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("ended normally"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Escalated(cause) => write!(f, "gave up on a child: {cause}"),
            Self::Stopped => f.write_str("stopped although it was not asked to"),
            Self::Stalled => f.write_str("was silent while its arbiter answered"),
            Self::Killed => f.write_str("was killed with its arbiter"),
        }
    }
}

/// As the sentence that it is displayed as.
impl Serialize for Death {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Sent by a child to its parent when it is gone for good.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Obituary {
    pub(crate) path: ActorPath,
    /// Which start of this child it was, as its parent counted; an older one concerns nobody any more.
    pub(crate) tag: u64,
    pub(crate) death: Death,
}

/// Sends the obituary of an actor exactly once, whatever ends it: when this is dropped, which is to be after the actor.
///
/// Whoever hears of the end finds the actor neither alive nor in the registry any more, and its mailbox closed.
pub(super) struct ObituaryGuard {
    parent: Outlet<Obituary>,
    path: ActorPath,
    tag: u64,
    /// Taken when this is dropped.
    registration: Option<Registration>,
    death: Death,
}

impl ObituaryGuard {
    pub(super) fn new(parent: Outlet<Obituary>, path: ActorPath, tag: u64, registration: Registration) -> Self {
        // Unless it is known to have died of something else, it is dropped with its arbiter.
        Self { parent, path, tag, registration: Some(registration), death: Death::Killed }
    }

    /// The actor is about to be dropped.
    pub(super) fn died_of(&mut self, death: Death) {
        self.death = death;
    }

    /// The actor begins its next life.
    pub(super) fn restarted(&self, cause: &Death) {
        if let Some(registration) = &self.registration {
            registration.restarted(cause);
        }
    }
}

impl Drop for ObituaryGuard {
    fn drop(&mut self) {
        let (path, tag, death) = (self.path.clone(), self.tag, self.death.clone());
        if let Some(registration) = self.registration.take() {
            registration.ended(death.clone());
        }
        self.parent.send(Obituary { path, tag, death });
    }
}
