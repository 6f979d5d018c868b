//! Authenticating once more on a connection whose authentication the server has let expire.
//!
//! The operation that was refused for it waits, and is then repeated on the same connection: nobody else notices.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use mongo_actors_protocol::auth::credential::AuthMechanism;

use super::{authenticate::authenticate, handshake, link::Link};
use crate::{failure::EstablishFault, runtime::clock, shared::Shared, ticket::Ticket};

/// The conversation under way, and the operation that waits for its end.
pub(super) struct Reauthentication {
    pub(super) ticket: Ticket,
    work: Pin<Box<dyn Future<Output = Result<Link, EstablishFault>> + Send>>,
}

impl Reauthentication {
    /// Begins the conversation; `connectTimeoutMS` and the operation's deadline limit it.
    pub(super) fn begin(shared: Arc<Shared>, mut link: Link, mechanism: AuthMechanism, mut ticket: Ticket) -> Self {
        ticket.reauthenticated = true;
        let left = ticket.operation.deadline.map(|deadline| deadline.saturating_duration_since(clock::now()));
        let limit = [handshake::connect_timeout(&shared), left].into_iter().flatten().min();
        let work = async move {
            handshake::within(limit, authenticate(&shared, &mut link, mechanism, None, None)).await?;
            Ok(link)
        };
        Self { ticket, work: Box::pin(work) }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Link, EstablishFault>> {
        self.work.as_mut().poll(cx)
    }
}
