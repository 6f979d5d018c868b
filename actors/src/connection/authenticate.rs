//! Proving the client's credential to a server, on a new connection or once more on an old one.

use std::time::Duration;

use bson::RawDocumentBuf;
use mongo_actors_protocol::auth::{
    conversation::{Conversation, ConversationError, Step},
    credential::{AuthMechanism, Credential},
    scram::{ClientKeys, KeyDerivation},
};

use super::{aws, handshake, link::Link};
use crate::{failure::EstablishFault, runtime::Entropy, shared::Shared};

/// Begins a conversation about the credential.
pub(super) fn begin(
    entropy: &Entropy,
    mechanism: AuthMechanism,
    credential: &Credential,
) -> Result<Conversation, EstablishFault> {
    Ok(Conversation::begin(mechanism, credential, entropy.date(), &mut entropy.rng())?)
}

/// Proves the credential. `begun` is a conversation whose first command was sent in the hello already, with the reply.
/// `limit` is the time of each command; the caller limits that of all together.
pub(super) async fn authenticate(
    shared: &Shared,
    link: &mut Link,
    mechanism: AuthMechanism,
    begun: Option<(Conversation, RawDocumentBuf)>,
    limit: Option<Duration>,
) -> Result<(), EstablishFault> {
    let Some(credential) = &shared.settings.options.credential else { return Ok(()) };
    if mechanism != AuthMechanism::MongoDbAws {
        return converse(shared, link, mechanism, credential, begun, limit).await;
    }
    let credential = aws::complete(shared, credential).await?;
    let outcome = converse(shared, link, mechanism, &credential, None, limit).await;
    // Keys that were refused are not tried again.
    outcome.inspect_err(|_| shared.aws_keys.forget())
}

/// Leads a conversation to its end.
async fn converse(
    shared: &Shared,
    link: &mut Link,
    mechanism: AuthMechanism,
    credential: &Credential,
    begun: Option<(Conversation, RawDocumentBuf)>,
    limit: Option<Duration>,
) -> Result<(), EstablishFault> {
    let (mut conversation, mut reply) = match begun {
        Some(begun) => begun,
        None => {
            let conversation = begin(&shared.entropy, mechanism, credential)?;
            let first = conversation.first_command();
            let reply = handshake::within(limit, handshake::command(shared, link, &first)).await?;
            (conversation, reply.as_document().to_owned())
        }
    };
    loop {
        let next = match conversation.step(&reply)? {
            Step::Done => return Ok(()),
            Step::Send(request) => request,
            Step::NeedKeys(derivation) => {
                let keys = match shared.keys.get(derivation.id()) {
                    Some(keys) => keys,
                    None => derive(shared, derivation).await?,
                };
                conversation.with_keys(keys)?
            }
        };
        let answer = handshake::within(limit, handshake::command(shared, link, &next)).await?;
        reply = answer.as_document().to_owned();
    }
}

/// Thousands of hashes: not on a thread that others wait for.
async fn derive(shared: &Shared, derivation: KeyDerivation) -> Result<ClientKeys, EstablishFault> {
    let keys = match shared.settings.is_simulated() {
        // There are no other threads.
        true => derivation.derive(),
        false => {
            let derived = tokio::task::spawn_blocking(move || derivation.derive()).await;
            derived.map_err(|error| EstablishFault::Refused(error.to_string().into()))?
        }
    };
    shared.keys.put(keys.clone());
    Ok(keys)
}

impl From<ConversationError> for EstablishFault {
    fn from(error: ConversationError) -> Self {
        Self::Refused(error.to_string().into())
    }
}
