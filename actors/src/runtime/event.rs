//! What happens to a client's actors.

use std::time::Duration;

use actix::Message;
use serde::Serialize;

use super::{
    obituary::Death,
    path::{ActorPath, Role},
};

/// Something that happened to the actors of a client.
///
/// It is a message of its own kind for actix, so that an application's actor can take it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Message)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[rtype(result = "()")]
#[non_exhaustive]
pub enum SupervisionEvent {
    /// A parent has started a child.
    ActorStarted {
        /// Where it stands in the tree.
        path: ActorPath,
        /// What it is.
        role: Role,
    },
    /// An actor failed and begins its next life; the messages in its mailbox are kept.
    ActorRestarted {
        /// Where it stands in the tree.
        path: ActorPath,
        /// What it is.
        role: Role,
        /// How often it was restarted, this time included.
        restarts: u64,
        /// How its last life ended.
        cause: Death,
    },
    /// An actor is gone for good. Its parent decides what follows.
    ActorEnded {
        /// Where it stood in the tree.
        path: ActorPath,
        /// What it was.
        role: Role,
        /// [`Death::Normal`] when its time was over, else what it failed of.
        cause: Death,
    },
    /// An actor handles nothing while the thread that it lives on goes on. It is restarted.
    ActorSilent {
        /// Where it stands in the tree.
        path: ActorPath,
        /// For how long it has been silent.
        silent_for: Duration,
    },
    /// A thread that actors live on does not come to them. Nothing is restarted for it, as a thread cannot be stopped.
    ArbiterBlocked {
        /// The thread.
        arbiter: String,
        /// The actor that does not return; none if it is nothing of the driver.
        by: Option<ActorPath>,
        /// For how long it has been silent.
        silent_for: Duration,
    },
    /// The thread goes on.
    ArbiterAnswers {
        /// The thread.
        arbiter: String,
        /// For how long it was silent.
        after: Duration,
    },
    /// The actors could not be kept alive: operations fail with the cause until they are up again.
    TreeDown {
        /// Which actor failed, and of what.
        cause: String,
        /// When they are started anew; none if that is left to [`restart`](crate::Engine::restart) or to the parent
        /// that the client has.
        retry_after: Option<Duration>,
    },
    /// The actors were started, for the first time or anew.
    TreeUp,
    /// A plan of faults had something fail. Only with the feature `chaos`.
    FaultInjected {
        /// Where.
        site: String,
        /// What.
        fault: String,
    },
}
