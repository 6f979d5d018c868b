//! What the supervisor accepts.

use std::{sync::Arc, time::Duration};

use actix::Message;
use tokio::sync::oneshot;

use super::escalation::Decision;
use crate::{
    change_stream::{ChangeStreamActor, ChangeStreamPlan},
    runtime::Inbox,
    shared::Token,
};

/// Close the client.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Shutdown {
    /// How long operations in flight may take; none for as long as they need.
    pub(crate) within: Option<Duration>,
    /// Dropped when everything is closed.
    pub(crate) done: Option<Token>,
}

/// Start the tree anew, whatever state it is in.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Restart {
    /// Told when it was done; dropped when the supervisor has crashed of it.
    pub(crate) done: oneshot::Sender<()>,
}

/// Drop this when everything before it was handled, be it by a later life.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Attend {
    pub(crate) _attended: Token,
}

/// What the client's parent decided about a tree that is down.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Decided {
    pub(crate) decision: Decision,
    /// How many children had been started when the parent was asked. Later, the decision concerns nothing any more.
    pub(crate) births: u64,
}

/// Start the actor of a change stream. Dropping the message closes the inbox, which tells its handle.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StartChangeStream {
    pub(crate) plan: Arc<ChangeStreamPlan>,
    pub(crate) inbox: Inbox<ChangeStreamActor>,
}
