//! What the supervisor accepts.

use std::{sync::Arc, time::Duration};

use actix::{Message, dev::Mailbox};

use crate::{
    change_stream::{ChangeStreamActor, ChangeStreamPlan},
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
    pub(crate) done: Token,
}

/// Start the actor of a change stream. Dropping the message closes the mailbox, which tells its handle.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StartChangeStream {
    pub(crate) plan: Arc<ChangeStreamPlan>,
    pub(crate) mailbox: Mailbox<ChangeStreamActor>,
}
