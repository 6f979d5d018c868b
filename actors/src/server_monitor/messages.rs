//! What a monitor accepts.

use actix::Message;

/// Somebody waits for the server: check it soon.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct RequestCheck;

/// A newer primary took this server's place: see whether it still answers.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ProbeSuperseded;

/// An operation lost its connection: give up the check that is going on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CancelCheck;
