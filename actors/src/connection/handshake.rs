//! The first `hello` on a new socket, for pooled connections and monitors alike.

use std::{sync::Arc, time::Duration};

use mongo_actors_protocol::{
    address::ServerAddress,
    command::Request,
    error::{CommandError, Labels, labels},
    handshake::FirstHello,
    wire::{MessageFlags, MessageParts, ReplyBody, TailWriter},
};

use super::link::{Link, LinkFault};
use crate::{
    failure::{EstablishError, EstablishFault, EstablishStep},
    net,
    shared::Shared,
    ticket::Limits,
};

/// Opens a socket. `connectTimeoutMS` limits the time.
pub(crate) async fn connect(shared: &Shared, address: &Arc<ServerAddress>) -> Result<Link, EstablishError> {
    let limit = connect_timeout(shared);
    let connecting = async { net::connect(address).await.map_err(|e| EstablishFault::Network(e.into())) };
    let transport = within(limit, connecting).await.map_err(|fault| failed(address, EstablishStep::Connect, fault))?;
    Ok(Link::new(transport, Limits::default().max_message_size))
}

/// Sends the first `hello` and returns the reply if it is `ok`.
pub(crate) async fn first_hello(
    shared: &Shared,
    address: &Arc<ServerAddress>,
    link: &mut Link,
    hello: &FirstHello<'_>,
) -> Result<ReplyBody, EstablishError> {
    let request = hello.request();
    let outcome = within(connect_timeout(shared), command(shared, link, &request)).await;
    outcome.map_err(|fault| failed(address, EstablishStep::Handshake, fault))
}

/// Runs a command outside of any operation. A reply that is not `ok` is an error.
pub(crate) async fn command(shared: &Shared, link: &mut Link, request: &Request) -> Result<ReplyBody, EstablishFault> {
    let mut tail = Vec::new();
    let mut writer = TailWriter::new(&mut tail);
    writer.string(bson::raw::cstr!("$db"), &request.database);
    if let Some(api) = &shared.settings.options.server_api {
        let mut document = bson::RawDocumentBuf::new();
        api.append_to(&mut document);
        writer.elements_of(&document);
    }
    let message = MessageParts {
        body: &request.body,
        tail: &tail,
        sequences: &[],
        flags: MessageFlags::NONE,
        request_id: link.next_request_id(),
    };
    let reply = link.exchange(message).await?.body;
    match CommandError::from_reply(reply.as_document()) {
        Some(error) => Err(EstablishFault::Command(Arc::new(error))),
        None => Ok(reply),
    }
}

/// `connectTimeoutMS`; none when it is 0.
pub(crate) fn connect_timeout(shared: &Shared) -> Option<Duration> {
    shared.settings.options.connect_timeout.filter(|limit| !limit.is_zero())
}

/// Runs `work` for at most `limit`.
pub(crate) async fn within<T>(
    limit: Option<Duration>,
    work: impl Future<Output = Result<T, EstablishFault>>,
) -> Result<T, EstablishFault> {
    match limit {
        None => work.await,
        Some(limit) => tokio::time::timeout(limit, work).await.unwrap_or(Err(EstablishFault::TimedOut { limit })),
    }
}

/// The error of a step. Network errors before the end of `hello` count as signs of overload, unless they show that
/// nobody listens at the address.
pub(crate) fn failed(address: &Arc<ServerAddress>, step: EstablishStep, fault: EstablishFault) -> EstablishError {
    let mut found = match &fault {
        EstablishFault::Command(error) => error.labels.clone(),
        _ => Labels::new(),
    };
    if step != EstablishStep::Authenticate && is_sign_of_overload(&fault) {
        found.add(labels::SYSTEM_OVERLOADED_ERROR);
        found.add(labels::RETRYABLE_ERROR);
    }
    EstablishError { address: address.clone(), step, fault, labels: found }
}

/// The connection pooling specification excepts names that do not resolve, and TLS failures that are none of the network.
fn is_sign_of_overload(fault: &EstablishFault) -> bool {
    match fault {
        EstablishFault::Network(error) => !net::is_resolution_error(error),
        EstablishFault::TimedOut { .. } => true,
        EstablishFault::Wire(_) | EstablishFault::Command(_) | EstablishFault::Refused(_) => false,
    }
}

impl From<LinkFault> for EstablishFault {
    fn from(fault: LinkFault) -> Self {
        match fault {
            LinkFault::Network(error) => Self::Network(Arc::new(error)),
            LinkFault::Wire(error) => Self::Wire(Arc::new(error)),
        }
    }
}
