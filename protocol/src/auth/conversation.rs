//! One conversation for every mechanism: the server's replies in, our commands out.

use std::time::SystemTime;

use bson::{RawDocument, RawDocumentBuf};
use rand::RngCore;

use super::{
    aws::{AwsClient, AwsError},
    credential::{AuthMechanism, Credential},
    plain,
    sasl::{SaslReply, SaslReplyError, sasl_continue, sasl_start, speculative},
    scram::{self, ClientKeys, KeyDerivation, ScramClient, ScramError, ScramMechanism, nonce, start_options},
    x509,
};
use crate::command::Request;

/// Proves a credential to a server.
///
/// ```
/// use std::time::SystemTime;
///
/// use bson::{Binary, rawdoc, spec::BinarySubtype};
/// use mongo_actors_protocol::auth::{
///     conversation::{Conversation, Step},
///     credential::{AuthMechanism, Credential},
/// };
///
/// let credential = Credential::new("user", "pencil").with_mechanism(AuthMechanism::Plain);
/// let mut conversation = Conversation::begin(AuthMechanism::Plain, &credential, SystemTime::now(), &mut rand::rng())?;
/// let first = conversation.first_command();
/// assert_eq!((&*first.name, &*first.database), ("saslStart", "$external"));
///
/// let empty = Binary { subtype: BinarySubtype::Generic, bytes: vec![] };
/// let reply = rawdoc! { "conversationId": 1, "done": true, "payload": empty, "ok": 1 };
/// assert!(matches!(conversation.step(&reply)?, Step::Done));
/// # Ok::<(), mongo_actors_protocol::auth::conversation::ConversationError>(())
/// ```
#[derive(Debug)]
pub struct Conversation {
    source: String,
    state: State,
}

#[derive(Debug)]
enum State {
    Scram {
        client: ScramClient,
        first: Vec<u8>,
        id: i32,
    },
    Plain {
        payload: plain::Payload,
    },
    X509 {
        command: RawDocumentBuf,
    },
    /// `answered` once our last message is out.
    Aws {
        client: AwsClient,
        answered: bool,
    },
}

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Run this command, and bring its reply to [`Conversation::step`].
    Send(Request),
    /// Find the keys in a cache, or derive them, and give them to [`Conversation::with_keys`].
    NeedKeys(KeyDerivation),
    /// Both sides are satisfied.
    Done,
}

/// Why a conversation failed. Nothing here holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConversationError {
    /// SCRAM failed.
    #[error(transparent)]
    Scram(#[from] ScramError),
    /// MONGODB-AWS failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The reply is none of a SASL conversation.
    #[error(transparent)]
    Reply(#[from] SaslReplyError),
    /// The server wants to go on where nothing is left to be said.
    #[error("the server did not end the {0} conversation after its last message")]
    NotEnded(AuthMechanism),
    /// The server ends the conversation before it has come to its point.
    #[error("the server ended the {0} conversation too early")]
    EndedEarly(AuthMechanism),
    /// The caller gave keys when nobody had asked for them.
    #[error("keys came out of turn")]
    OutOfTurn,
    /// There is no conversation for the mechanism here.
    #[error("{0} is not available")]
    Unavailable(AuthMechanism),
}

impl Conversation {
    /// Whether [`begin`](Self::begin) knows the mechanism.
    pub fn speaks(mechanism: AuthMechanism) -> bool {
        use AuthMechanism::{MongoDbAws, MongoDbX509, Plain, ScramSha1, ScramSha256};

        matches!(mechanism, ScramSha1 | ScramSha256 | MongoDbX509 | Plain | MongoDbAws)
    }

    /// Whether the mechanism is allowed in the first hello.
    ///
    /// PLAIN would show the password to a server before anything is known of it; of the others, servers do not know it
    /// there.
    pub fn may_be_speculative(mechanism: AuthMechanism) -> bool {
        use AuthMechanism::{MongoDbX509, ScramSha1, ScramSha256};

        matches!(mechanism, ScramSha1 | ScramSha256 | MongoDbX509)
    }

    /// The mechanism to begin with, before the server was asked: that of the credential, else the better SCRAM.
    pub fn first_choice(credential: &Credential) -> AuthMechanism {
        credential.mechanism.unwrap_or(AuthMechanism::ScramSha256)
    }

    /// The mechanism to use once the server has told which ones the user has (`saslSupportedMechs`): that of the
    /// credential, if it names one, whatever the server says.
    pub fn negotiate(credential: &Credential, sasl_supported_mechs: Option<&[impl AsRef<str>]>) -> AuthMechanism {
        credential.mechanism.unwrap_or_else(|| match ScramMechanism::negotiate(sasl_supported_mechs) {
            ScramMechanism::Sha1 => AuthMechanism::ScramSha1,
            ScramMechanism::Sha256 => AuthMechanism::ScramSha256,
        })
    }

    /// The source and name of the user whose mechanisms the server is to be asked for; none when the credential names
    /// its mechanism.
    pub fn user_to_negotiate(credential: &Credential) -> Option<(&str, &str)> {
        match credential.mechanism {
            None => Some((credential.effective_source(), credential.username.as_deref()?)),
            Some(_) => None,
        }
    }

    /// Begins a conversation. `rng` must be cryptographically secure; `now` is what AWS signs.
    ///
    /// # Errors
    /// [`ConversationError`] when the credential cannot be used with the mechanism.
    pub fn begin(
        mechanism: AuthMechanism,
        credential: &Credential,
        now: SystemTime,
        rng: &mut dyn RngCore,
    ) -> Result<Self, ConversationError> {
        let state = match (ScramMechanism::of(mechanism), mechanism) {
            (Some(scram), _) => {
                let (client, first) = ScramClient::for_credential(scram, credential, nonce(rng))?;
                State::Scram { client, first, id: 0 }
            }
            (None, AuthMechanism::Plain) => State::Plain { payload: plain::payload(credential) },
            (None, AuthMechanism::MongoDbX509) => State::X509 { command: x509::authenticate(credential) },
            (None, AuthMechanism::MongoDbAws) => {
                State::Aws { client: AwsClient::new(credential, now, rng)?, answered: false }
            }
            (None, other) => return Err(ConversationError::Unavailable(other)),
        };
        Ok(Self { source: credential.effective_source().to_owned(), state })
    }

    /// The command that opens the conversation.
    pub fn first_command(&self) -> Request {
        match &self.state {
            State::Scram { client, first, .. } => {
                self.request("saslStart", sasl_start(client.mechanism().name(), first, Some(&start_options())))
            }
            State::Plain { payload } => {
                self.request("saslStart", sasl_start(AuthMechanism::Plain.as_str(), payload, None))
            }
            State::X509 { command } => self.request("authenticate", command.clone()),
            State::Aws { client, .. } => {
                let mechanism = AuthMechanism::MongoDbAws.as_str();
                self.request("saslStart", sasl_start(mechanism, &client.first(), None))
            }
        }
    }

    /// The same command in the form that travels in the first hello; none for mechanisms that are not allowed there.
    pub fn speculative(&self) -> Option<RawDocumentBuf> {
        match &self.state {
            State::Plain { .. } | State::Aws { .. } => None,
            State::Scram { .. } | State::X509 { .. } => Some(speculative(self.first_command().body, &self.source)),
        }
    }

    /// Takes the server's reply, which must be `ok`, to the command before.
    ///
    /// # Errors
    /// [`ConversationError`]; the conversation is then over, and the connection must be closed.
    pub fn step(&mut self, reply: &RawDocument) -> Result<Step, ConversationError> {
        match &mut self.state {
            State::X509 { .. } => Ok(Step::Done),
            State::Plain { .. } => match SaslReply::read(reply)?.done {
                true => Ok(Step::Done),
                false => Err(ConversationError::NotEnded(AuthMechanism::Plain)),
            },
            State::Aws { client, answered } => {
                let reply = SaslReply::read(reply)?;
                match (*answered, reply.done) {
                    (true, true) => Ok(Step::Done),
                    (true, false) => Err(ConversationError::NotEnded(AuthMechanism::MongoDbAws)),
                    (false, true) => Err(ConversationError::EndedEarly(AuthMechanism::MongoDbAws)),
                    (false, false) => {
                        let payload = client.second(reply.payload)?;
                        *answered = true;
                        Ok(Step::Send(self.proceed(reply.conversation_id, &payload)))
                    }
                }
            }
            State::Scram { client, id, .. } => {
                let reply = SaslReply::read(reply)?;
                *id = reply.conversation_id;
                match client.step(reply.payload, reply.done)? {
                    scram::Step::NeedKeys(derivation) => Ok(Step::NeedKeys(derivation)),
                    scram::Step::Send(payload) => Ok(Step::Send(self.proceed(reply.conversation_id, &payload))),
                    scram::Step::Done => Ok(Step::Done),
                }
            }
        }
    }

    /// Takes the keys that [`Step::NeedKeys`] asked for.
    ///
    /// # Errors
    /// [`ConversationError`] when nobody asked, or for other keys.
    pub fn with_keys(&mut self, keys: ClientKeys) -> Result<Request, ConversationError> {
        let State::Scram { client, id, .. } = &mut self.state else { return Err(ConversationError::OutOfTurn) };
        let (proof, id) = (client.with_keys(keys)?, *id);
        Ok(self.proceed(id, &proof))
    }

    fn proceed(&self, conversation_id: i32, payload: &[u8]) -> Request {
        self.request("saslContinue", sasl_continue(conversation_id, payload))
    }

    fn request(&self, name: &'static str, body: RawDocumentBuf) -> Request {
        Request::new(name, self.source.as_str().into(), body)
    }
}

#[cfg(test)]
mod tests {
    use bson::{Binary, Document, doc, rawdoc, spec::BinarySubtype};
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn begin(credential: &Credential) -> Conversation {
        let mechanism = Conversation::first_choice(credential);
        Conversation::begin(mechanism, credential, SystemTime::UNIX_EPOCH, &mut StdRng::seed_from_u64(1)).unwrap()
    }

    fn command(request: Request) -> (String, String, Document) {
        (request.name.to_string(), request.database.to_string(), request.body.try_into().unwrap())
    }

    fn binary(bytes: &[u8]) -> Binary {
        Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }
    }

    #[test]
    fn plain_is_the_conversation_of_the_specification() {
        let credential = Credential::new("user", "pencil").with_mechanism(AuthMechanism::Plain);
        let mut conversation = begin(&credential);
        let expected =
            doc! { "saslStart": 1, "mechanism": "PLAIN", "payload": binary(b"\0user\0pencil"), "autoAuthorize": 1 };
        assert_eq!(command(conversation.first_command()), ("saslStart".into(), "$external".into(), expected));
        assert!(conversation.speculative().is_none());
        let more = rawdoc! { "conversationId": 1, "done": false, "payload": binary(b"") };
        assert_eq!(conversation.step(&more).unwrap_err(), ConversationError::NotEnded(AuthMechanism::Plain));
        assert!(!format!("{conversation:?}").contains("pencil"));
    }

    #[test]
    fn x509_is_the_conversation_of_the_specification() {
        let mut credential = Credential::of_mechanism(AuthMechanism::MongoDbX509);
        let expected = doc! { "authenticate": 1, "mechanism": "MONGODB-X509" };
        let mut conversation = begin(&credential);
        assert_eq!(
            command(conversation.first_command()),
            ("authenticate".into(), "$external".into(), expected.clone())
        );
        let mut in_hello = expected.clone();
        in_hello.insert("db", "$external");
        assert_eq!(Document::try_from(conversation.speculative().unwrap()).unwrap(), in_hello);
        let reply = rawdoc! { "dbname": "$external", "user": "CN=client", "ok": 1 };
        assert!(matches!(conversation.step(&reply), Ok(Step::Done)));

        credential.username = Some("CN=client".into());
        let mut named = expected;
        named.insert("user", "CN=client");
        assert_eq!(command(begin(&credential).first_command()).2, named);
    }

    #[test]
    fn scram_goes_on_with_the_number_that_the_server_gave() {
        let credential = Credential::new("user", "pencil").with_source("people");
        let mut conversation = begin(&credential);
        let (name, database, first) = command(conversation.first_command());
        assert_eq!((name.as_str(), database.as_str()), ("saslStart", "people"));
        assert_eq!(first.get_str("mechanism").unwrap(), "SCRAM-SHA-256");
        let payload = String::from_utf8(first.get_binary_generic("payload").unwrap().clone()).unwrap();
        let nonce = payload.rsplit("r=").next().unwrap();
        let challenge = format!("r={nonce}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let reply = rawdoc! { "conversationId": 7, "done": false, "payload": binary(challenge.as_bytes()) };
        let Step::NeedKeys(derivation) = conversation.step(&reply).unwrap() else { panic!("keys are due") };
        let (name, database, proof) = command(conversation.with_keys(derivation.derive()).unwrap());
        assert_eq!((name.as_str(), database.as_str()), ("saslContinue", "people"));
        assert_eq!(proof.get_i32("conversationId").unwrap(), 7);
    }

    #[test]
    fn the_mechanism_is_negotiated_only_when_none_is_named() {
        let open = Credential::new("user", "pencil");
        assert_eq!(Conversation::negotiate(&open, Some(&["SCRAM-SHA-1"])), AuthMechanism::ScramSha1);
        assert_eq!(Conversation::negotiate(&open, None::<&[&str]>), AuthMechanism::ScramSha1);
        let both = ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"];
        assert_eq!(Conversation::negotiate(&open, Some(&both)), AuthMechanism::ScramSha256);
        assert_eq!(Conversation::user_to_negotiate(&open), Some(("admin", "user")));
        let named = open.with_mechanism(AuthMechanism::Plain);
        assert_eq!(Conversation::negotiate(&named, Some(&both)), AuthMechanism::Plain);
        assert_eq!(Conversation::user_to_negotiate(&named), None);
    }

    #[test]
    fn aws_takes_two_messages() {
        let credential = Credential::new("id", "key").with_mechanism(AuthMechanism::MongoDbAws);
        let mut conversation = begin(&credential);
        assert!(conversation.speculative().is_none());
        let (name, database, first) = command(conversation.first_command());
        assert_eq!((name.as_str(), database.as_str()), ("saslStart", "$external"));
        let payload = Document::from_reader(first.get_binary_generic("payload").unwrap().as_slice()).unwrap();
        let nonce = [payload.get_binary_generic("r").unwrap().as_slice(), &[0; 32]].concat();
        let challenge = rawdoc! { "s": binary(&nonce), "h": "sts.amazonaws.com" }.into_bytes();
        let reply = |done: bool| rawdoc! { "conversationId": 1, "done": done, "payload": binary(&challenge) };
        let early = begin(&credential).step(&reply(true)).unwrap_err();
        assert_eq!(early, ConversationError::EndedEarly(AuthMechanism::MongoDbAws));
        let Step::Send(second) = conversation.step(&reply(false)).unwrap() else { panic!("an answer is due") };
        assert_eq!(command(second).0, "saslContinue");
        assert!(matches!(conversation.step(&reply(true)), Ok(Step::Done)));
    }

    #[test]
    fn what_cannot_be_spoken_is_refused() {
        let gssapi = Credential::new("user", "x").with_mechanism(AuthMechanism::Gssapi);
        let refused =
            Conversation::begin(AuthMechanism::Gssapi, &gssapi, SystemTime::UNIX_EPOCH, &mut StdRng::seed_from_u64(1));
        assert_eq!(refused.unwrap_err(), ConversationError::Unavailable(AuthMechanism::Gssapi));
        assert!(!Conversation::speaks(AuthMechanism::Gssapi));
    }
}
