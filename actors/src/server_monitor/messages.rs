//! What a monitor accepts.

use actix::Message;

/// Somebody waits for the server: check it soon.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct RequestCheck;

/// An operation lost its connection: give up the check that is going on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CancelCheck;
