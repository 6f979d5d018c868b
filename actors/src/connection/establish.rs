//! From nothing to a connection that can be used: socket, handshake, authentication.

use std::{sync::Arc, time::Duration};

use mongo_actors_protocol::{
    auth::{conversation::Conversation, credential::AuthMechanism},
    cmap::ConnectionId,
    handshake::{FirstHello, HandshakeReply},
    sdam::{Generation, HelloReply, ServerType},
};

use super::{
    actor::ConnectionPlan,
    authenticate::{authenticate, begin},
    handshake,
    link::Link,
};
use crate::{
    connection_pool::HandshakeCompleted,
    failure::{EstablishError, EstablishFault, EstablishStep},
    ticket::{ConnectionInfo, Limits},
};

/// A connection that is ready for commands.
pub(super) struct Established {
    pub(super) link: Link,
    pub(super) info: ConnectionInfo,
    /// How the connection was authenticated; none if it was not.
    pub(super) mechanism: Option<AuthMechanism>,
}

/// Connects, shakes hands and authenticates. In the `background` each command has the client's `timeoutMS`, if that is
/// set; else those who wait for the connection have deadlines of their own.
pub(super) async fn establish(
    plan: Arc<ConnectionPlan>,
    id: ConnectionId,
    generation: Generation,
    background: bool,
) -> Result<Established, EstablishError> {
    let (shared, address) = (plan.shared.clone(), plan.address.clone());
    let load_balanced = shared.settings.options.load_balanced;
    let mut link = handshake::connect(&shared, &address).await?;
    let command_limit = handshake::operation_timeout(&shared).filter(|_| background);
    let failed = |step, fault| handshake::failed(&address, step, fault);
    let refused = |reason: String| failed(EstablishStep::Handshake, EstablishFault::Refused(reason.into()));
    let credential = shared.settings.options.credential.as_ref();
    let guess = credential.and_then(|credential| {
        let mechanism = Conversation::first_choice(credential);
        Conversation::may_be_speculative(mechanism).then(|| begin(&shared.entropy, mechanism, credential))
    });
    let guess = guess.transpose().map_err(|fault| failed(EstablishStep::Authenticate, fault))?;
    let (reply, has_guessed) = {
        let metadata = shared.metadata.load().document().clone();
        let speculative = guess.as_ref().and_then(Conversation::speculative);
        let mut hello = FirstHello::new(&metadata);
        hello.load_balanced = load_balanced;
        hello.stable_api = shared.settings.options.server_api.is_some();
        hello.compressors = &shared.settings.compressors;
        hello.speculative_authenticate = speculative.as_deref();
        hello.sasl_supported_mechs = credential.and_then(Conversation::user_to_negotiate);
        let limit = command_limit.or(handshake::connect_timeout(&shared));
        let reply = handshake::first_hello(&shared, &address, &mut link, &hello, limit).await?;
        (reply, speculative.is_some())
    };
    let document = reply.as_document();
    let mut read = HandshakeReply::read(document, load_balanced).map_err(|error| refused(error.to_string()))?;
    // An answer to what nobody has asked authenticates nobody.
    let answered = read.speculative_authenticate.take().filter(|_| has_guessed);
    let hello = HelloReply::from_document(document).map_err(|error| refused(error.to_string()))?;
    let service_id = read.service_id.filter(|_| load_balanced);
    if let Some(service_id) = service_id {
        plan.pool.do_send(HandshakeCompleted { id, service_id });
    }
    let credential = credential.filter(|_| !read.arbiter_only);
    let mechanism = credential.map(|credential| match answered {
        Some(_) => Conversation::first_choice(credential),
        None => Conversation::negotiate(credential, read.sasl_supported_mechs.as_deref()),
    });
    if let Some(mechanism) = mechanism {
        let begun = guess.zip(answered);
        let authenticating = authenticate(&shared, &mut link, mechanism, begun, command_limit);
        handshake::within(handshake::connect_timeout(&shared), authenticating)
            .await
            .map_err(|fault| failed(EstablishStep::Authenticate, fault))?;
    }
    let limits = Limits {
        max_bson_object_size: read.limits.max_bson_object_size,
        max_message_size: read.limits.max_message_size,
        max_write_batch_size: read.limits.max_write_batch_size,
    };
    link.set_max_message_size(limits.max_message_size);
    link.set_compressor(read.compressor(&shared.settings.compressors));
    let info = ConnectionInfo {
        id,
        address,
        generation,
        service_id,
        server_connection_id: read.connection_id,
        server_type: if load_balanced { ServerType::LoadBalancer } else { hello.server_type() },
        max_wire_version: read.max_wire_version,
        limits,
        logical_session_timeout: hello
            .logical_session_timeout_minutes
            .and_then(|minutes| u64::try_from(minutes).ok())
            .map(|minutes| Duration::from_secs(minutes.saturating_mul(60))),
    };
    Ok(Established { link, info, mechanism })
}
