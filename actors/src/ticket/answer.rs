//! What comes back to the caller.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use mongo_actors_protocol::{address::ServerAddress, wire::ReplyBody};
use tokio::{sync::oneshot, time::Sleep};

use super::{
    lease::{ConnectionInfo, Lease},
    operation::Operation,
    session::HeldSession,
};
use crate::{
    failure::{Cause, Failure},
    reaper,
    shared::Shared,
};

/// The one answer of a ticket.
pub type Answer = Result<Reply, Box<Setback>>;

/// A server's reply to a command that succeeded. It may still carry write errors or a write concern error.
#[derive(Debug)]
pub struct Reply {
    /// The reply, a slice of the bytes that came from the socket; none for an unacknowledged write.
    pub body: Option<ReplyBody>,
    /// The server that replied.
    pub server: Arc<ServerAddress>,
    /// What is known of the connection the reply came on.
    pub connection: Arc<ConnectionInfo>,
    /// The server session, when the reply opened or continued a cursor, which lives in that session.
    pub session: Option<HeldSession>,
    /// The connection, when the operation keeps it.
    pub lease: Option<Lease>,
}

/// A failed attempt: why, and everything that another attempt needs.
#[derive(Debug)]
pub struct Setback {
    /// Why it failed, where, and how far it had come.
    pub failure: Failure,
    /// The operation, encoded as it was.
    pub operation: Box<Operation>,
    /// The server session that every further attempt must use.
    pub session: Option<HeldSession>,
    /// The transaction number that every further attempt must use.
    pub txn_number: Option<i64>,
    /// As it was given.
    pub deprioritized: Vec<ServerAddress>,
    /// The connection, if it belongs to the cursor that the operation was for. A usable one has the cursor at its other
    /// end.
    pub lease: Option<Lease>,
}

/// The answer that an operation in flight will have.
///
/// # Cancel safety
/// Dropping it cancels the operation: it is not sent if it has not been, and its reply is thrown away if it has. The
/// connection stays usable either way.
pub struct Pending {
    answer: oneshot::Receiver<Answer>,
    shared: Arc<Shared>,
    /// Only for operations with a deadline: the engine keeps it by itself, this is the backstop.
    backstop: Option<Pin<Box<Sleep>>>,
    #[cfg(feature = "chaos")]
    recorded: Option<crate::chaos::RecordedAttempt>,
}

/// The caller's deadline has passed and not even the engine answered, as when its thread is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered;

impl Pending {
    pub(crate) fn new(
        answer: oneshot::Receiver<Answer>,
        shared: Arc<Shared>,
        backstop: Option<Sleep>,
        #[cfg(feature = "chaos")] recorded: Option<crate::chaos::RecordedAttempt>,
    ) -> Self {
        Self {
            answer,
            shared,
            backstop: backstop.map(Box::pin),
            #[cfg(feature = "chaos")]
            recorded,
        }
    }
}

impl Future for Pending {
    type Output = Result<Answer, Unanswered>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(mut answer) = Pin::new(&mut self.answer).poll(cx) {
            if let Ok(Err(setback)) = &mut answer {
                setback.tell_of_closing(&self.shared);
            }
            #[cfg(feature = "chaos")]
            if let Some(recorded) = self.recorded.take() {
                recorded.ended(answer.as_ref().ok());
            }
            return Poll::Ready(answer.map_err(|_| Unanswered));
        }
        match &mut self.backstop {
            Some(backstop) => backstop.as_mut().poll(cx).map(|()| Err(Unanswered)),
            None => Poll::Pending,
        }
    }
}

impl Drop for Pending {
    /// An answer that has come and was not looked at may have opened a cursor, or left one open.
    fn drop(&mut self) {
        match self.answer.try_recv() {
            Ok(Ok(unread)) => reaper::owe_cursor_of(&self.shared, unread),
            Ok(Err(unread)) => reaper::owe_cursor_of_failed(*unread),
            Err(_) => {}
        }
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

impl Setback {
    /// Whatever ends with the client has ended because of that.
    fn tell_of_closing(&mut self, shared: &Shared) {
        let cause = &mut self.failure.cause;
        if let (Cause::Abandoned, Some(closed @ Cause::ClientClosed)) = (&*cause, shared.status.load().refusal()) {
            *cause = closed;
        }
    }

    /// Why the attempt failed.
    pub fn cause(&self) -> &Cause {
        &self.failure.cause
    }
}
