//! From nothing to a connection that can be used: socket, handshake, authentication.

use std::{sync::Arc, time::Duration};

use mongo_actors_protocol::{
    address::ServerAddress,
    auth::{
        credential::{AuthMechanism, Credential},
        sasl::{SaslReply, sasl_continue, sasl_start, speculative},
        scram::{ScramClient, ScramMechanism, Step, nonce, start_options},
    },
    cmap::ConnectionId,
    command::Request,
    handshake::{FirstHello, HandshakeReply},
    sdam::{Generation, HelloReply},
};

use super::{handshake, link::Link};
use crate::{
    failure::{EstablishError, EstablishFault, EstablishStep},
    shared::Shared,
    ticket::{ConnectionInfo, Limits},
};

/// A connection that is ready for commands.
pub(super) struct Established {
    pub(super) link: Link,
    pub(super) info: ConnectionInfo,
}

/// Connects, shakes hands and authenticates.
pub(super) async fn establish(
    shared: Arc<Shared>,
    address: Arc<ServerAddress>,
    id: ConnectionId,
    generation: Generation,
) -> Result<Established, EstablishError> {
    let mut link = handshake::connect(&shared, &address).await?;
    let refused = |step, reason: String| handshake::failed(&address, step, EstablishFault::Refused(reason.into()));
    let credential = shared.settings.options.credential.as_ref();
    let mut conversation = match credential.map(Conversation::speculative) {
        Some(Ok(conversation)) => Some(conversation),
        Some(Err(error)) => return Err(refused(EstablishStep::Authenticate, error)),
        None => None,
    };
    let reply = {
        let metadata = shared.metadata.load().document().clone();
        let speculative = conversation.as_ref().map(|conversation| conversation.first_command(true));
        let mut hello = FirstHello::new(&metadata);
        hello.stable_api = shared.settings.options.server_api.is_some();
        hello.compressors = &shared.settings.compressors;
        hello.speculative_authenticate = speculative.as_deref();
        hello.sasl_supported_mechs = credential.and_then(Conversation::negotiated_user);
        handshake::first_hello(&shared, &address, &mut link, &hello).await?
    };
    let document = reply.as_document();
    let read = HandshakeReply::read(document, false).map_err(|e| refused(EstablishStep::Handshake, e.to_string()))?;
    let hello = HelloReply::from_document(document).map_err(|e| refused(EstablishStep::Handshake, e.to_string()))?;
    if let (Some(credential), Some(conversation)) = (credential, conversation.take().filter(|_| !read.arbiter_only)) {
        let authenticating = authenticate(&shared, &mut link, credential, conversation, &read);
        handshake::within(handshake::connect_timeout(&shared), authenticating)
            .await
            .map_err(|fault| handshake::failed(&address, EstablishStep::Authenticate, fault))?;
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
        service_id: read.service_id,
        server_connection_id: read.connection_id,
        server_type: hello.server_type(),
        max_wire_version: read.max_wire_version,
        limits,
        logical_session_timeout: hello
            .logical_session_timeout_minutes
            .and_then(|minutes| u64::try_from(minutes).ok())
            .map(|minutes| Duration::from_secs(minutes.saturating_mul(60))),
    };
    Ok(Established { link, info })
}

/// A SCRAM conversation whose first message is ready.
struct Conversation {
    client: ScramClient,
    first: Vec<u8>,
    source: String,
}

impl Conversation {
    /// The conversation that may travel in `hello`: by the credential's mechanism, else by the better one.
    fn speculative(credential: &Credential) -> Result<Self, String> {
        let mechanism = match credential.mechanism {
            Some(AuthMechanism::ScramSha1) => ScramMechanism::Sha1,
            _ => ScramMechanism::Sha256,
        };
        Self::new(mechanism, credential)
    }

    fn new(mechanism: ScramMechanism, credential: &Credential) -> Result<Self, String> {
        let user = credential.username.as_deref().unwrap_or_default();
        let password = credential.password.as_ref().map(|secret| secret.expose()).unwrap_or_default();
        let nonce = nonce(&mut rand::rng());
        let (client, first) = ScramClient::new(mechanism, user, password, nonce).map_err(|e| e.to_string())?;
        Ok(Self { client, first, source: credential.effective_source().to_owned() })
    }

    /// The user whose mechanisms the server is asked for; none when the credential names a mechanism.
    fn negotiated_user(credential: &Credential) -> Option<(&str, &str)> {
        match credential.mechanism {
            None => Some((credential.effective_source(), credential.username.as_deref()?)),
            Some(_) => None,
        }
    }

    fn first_command(&self, in_hello: bool) -> bson::RawDocumentBuf {
        let start = sasl_start(self.client.mechanism().name(), &self.first, Some(&start_options()));
        if in_hello { speculative(start, &self.source) } else { start }
    }
}

async fn authenticate(
    shared: &Shared,
    link: &mut Link,
    credential: &Credential,
    mut conversation: Conversation,
    hello: &HandshakeReply,
) -> Result<(), EstablishFault> {
    let mut reply = match &hello.speculative_authenticate {
        Some(reply) => reply.clone(),
        None => {
            let mechanism = match credential.mechanism {
                Some(_) => conversation.client.mechanism(),
                None => ScramMechanism::negotiate(hello.sasl_supported_mechs.as_deref()),
            };
            conversation = Conversation::new(mechanism, credential).map_err(refusal)?;
            sasl(shared, link, &conversation.source, "saslStart", conversation.first_command(false)).await?
        }
    };
    loop {
        let (id, payload) = {
            let read = SaslReply::read(&reply).map_err(refusal)?;
            let payload = match conversation.client.step(read.payload, read.done).map_err(refusal)? {
                Step::Done => return Ok(()),
                Step::Send(payload) => payload,
                Step::NeedKeys(derivation) => {
                    let keys = match shared.keys.get(derivation.id()) {
                        Some(keys) => keys,
                        None => {
                            // Thousands of hashes: not on a thread that others wait for.
                            let derived = tokio::task::spawn_blocking(move || derivation.derive());
                            let keys = derived.await.map_err(refusal)?;
                            shared.keys.put(keys.clone());
                            keys
                        }
                    };
                    conversation.client.with_keys(keys).map_err(refusal)?
                }
            };
            (read.conversation_id, payload)
        };
        reply = sasl(shared, link, &conversation.source, "saslContinue", sasl_continue(id, &payload)).await?;
    }
}

async fn sasl(
    shared: &Shared,
    link: &mut Link,
    source: &str,
    name: &'static str,
    body: bson::RawDocumentBuf,
) -> Result<bson::RawDocumentBuf, EstablishFault> {
    let request = Request::new(name, source.into(), body);
    let reply = handshake::command(shared, link, &request).await?;
    Ok(reply.as_document().to_owned())
}

fn refusal(error: impl ToString) -> EstablishFault {
    EstablishFault::Refused(error.to_string().into())
}
