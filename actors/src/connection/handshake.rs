//! The first `hello` on a new socket, for pooled connections and monitors alike.

use std::{io, sync::Arc, time::Duration};

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
    net::{self, TlsFault, TlsRefusal},
    shared::Shared,
    ticket::Limits,
};

/// Opens a socket, and encrypts it if the options say so. `connectTimeoutMS` limits the time of both together.
pub(crate) async fn connect(shared: &Shared, address: &Arc<ServerAddress>) -> Result<Link, EstablishError> {
    let mut step = EstablishStep::Connect;
    let proxy = shared.settings.options.socks5_proxy.as_ref();
    let connecting = async {
        #[cfg(feature = "chaos")]
        shared.registry.chaos.check_route(address)?;
        #[cfg(feature = "simulation")]
        if let Some(simulation) = &shared.settings.simulation {
            return simulation.connect(address).await.map_err(EstablishFault::from);
        }
        let transport = net::connect(address, proxy).await?;
        let Some(tls) = &shared.tls else { return Ok(transport) };
        step = EstablishStep::Tls;
        Ok(tls.secure(transport, address).await?)
    };
    let connected = within(connect_timeout(shared), connecting).await;
    let transport = connected.map_err(|fault| match (step, proxy) {
        // What happens on the way to a proxy says nothing about the server.
        (EstablishStep::Connect, Some(_)) => failed_at(address, step, EstablishmentStep::Proxy, fault),
        _ => failed(address, step, fault),
    })?;
    #[cfg(feature = "chaos")]
    let transport = shared.registry.chaos.wrap(transport, address);
    Ok(Link::new(transport, Limits::default().max_message_size))
}

/// Sends the first `hello` and returns the reply if it is `ok`. Waits for it at most `limit`.
pub(crate) async fn first_hello(
    shared: &Shared,
    address: &Arc<ServerAddress>,
    link: &mut Link,
    hello: &FirstHello<'_>,
    limit: Option<Duration>,
) -> Result<ReplyBody, EstablishError> {
    let request = hello.request();
    let outcome = within(limit, command(shared, link, &request)).await;
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
    let reply = link.exchange(message).await?;
    reply.check_is_last().map_err(LinkFault::Wire)?;
    let reply = reply.body;
    match CommandError::from_reply(reply.as_document()) {
        Some(error) => Err(EstablishFault::Command(Arc::new(error))),
        None => Ok(reply),
    }
}

/// `timeoutMS` of the client; none when it is unset or 0. Monitors do without.
pub(crate) fn operation_timeout(shared: &Shared) -> Option<Duration> {
    shared.settings.options.timeout.filter(|limit| !limit.is_zero())
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
        (EstablishStep::Tls, _) => EstablishmentStep::Tls,
        (EstablishStep::Handshake, _) => EstablishmentStep::Hello,
        (EstablishStep::Authenticate, _) => EstablishmentStep::Authenticate,
    }
}

impl From<io::Error> for EstablishFault {
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsRefusal>()) {
            Some(TlsRefusal(reason)) => Self::Tls(reason.as_str().into()),
            None => Self::Network(Arc::new(error)),
        }
    }
}

impl From<TlsFault> for EstablishFault {
    fn from(fault: TlsFault) -> Self {
        match fault {
            TlsFault::Io(error) => error.into(),
            TlsFault::Refused(reason) => Self::Tls(reason.into()),
        }
    }
}

impl From<LinkFault> for EstablishFault {
    fn from(fault: LinkFault) -> Self {
        match fault {
            LinkFault::Network(error) => error.into(),
            LinkFault::Wire(error) => Self::Wire(Arc::new(error)),
        }
    }
}
