//! What the actor of a change stream accepts.

use std::time::Duration;

use actix::Message;
use mongo_actors_protocol::{change_stream::Start, retry::Budget, wire::ReplyBody};
use tokio::sync::oneshot;

use super::plan::GivenUp;
use crate::shared::Token;

/// What a reader is answered: the reply of `aggregate` or `getMore`, or why there is none.
pub(super) type Fetched = Result<ReplyBody, Box<GivenUp>>;

/// Bring what comes next. At most one `getMore`, and at most one new cursor.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Fetch {
    /// Where the reader stands: a new cursor is opened there.
    pub(super) start: Start,
    /// The time it has.
    pub(super) budget: Budget,
    pub(super) reply: oneshot::Sender<Fetched>,
}

/// The reader is gone, or the client closes: close the cursor and end.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct EndStream {
    /// How long closing may take; none leaves it at the stream's timeout.
    pub(crate) within: Option<Duration>,
    /// Dropped when the server has closed the cursor, or cannot be reached.
    pub(crate) done: Option<Token>,
}
