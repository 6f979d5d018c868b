//! What the supervisor accepts.

use std::time::Duration;

use actix::Message;

use crate::shared::Token;

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
