//! The first `hello` on a new socket, for pooled connections and monitors alike.

use std::{sync::Arc, time::Duration};

use mongo_actors_protocol::{
    address::ServerAddress,
    cmap::{EstablishmentStep, establishment_labels},
    command::Request,
    error::{CommandError, Labels},
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
    let proxy = shared.settings.options.socks5_proxy.as_ref();
    let connecting = async { net::connect(address, proxy).await.map_err(|e| EstablishFault::Network(e.into())) };
    let transport = within(limit, connecting).await.map_err(|fault| match proxy {
        // What happens on the way to a proxy says nothing about the server.
        Some(_) => failed_at(address, EstablishStep::Connect, EstablishmentStep::Proxy, fault),
        None => failed(address, EstablishStep::Connect, fault),
    })?;
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

/// The error of a step, with the labels that the pool adds.
pub(crate) fn failed(address: &Arc<ServerAddress>, step: EstablishStep, fault: EstablishFault) -> EstablishError {
    let specified = specified_step(step, &fault);
    failed_at(address, step, specified, fault)
}

fn failed_at(
    address: &Arc<ServerAddress>,
    step: EstablishStep,
    specified: EstablishmentStep,
    fault: EstablishFault,
) -> EstablishError {
    let mut labels = match &fault {
        EstablishFault::Command(error) => error.labels.clone(),
        _ => Labels::new(),
    };
    labels.extend_from(&establishment_labels(specified, fault.is_io()));
    EstablishError { address: address.clone(), step, fault, labels }
}

fn specified_step(step: EstablishStep, fault: &EstablishFault) -> EstablishmentStep {
    match (step, fault) {
        (EstablishStep::Connect, EstablishFault::Network(error)) if net::is_resolution_error(error) => {
            EstablishmentStep::Resolve
        }
        (EstablishStep::Connect, _) => EstablishmentStep::Connect,
        (EstablishStep::Handshake, _) => EstablishmentStep::Hello,
        (EstablishStep::Authenticate, _) => EstablishmentStep::Authenticate,
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
