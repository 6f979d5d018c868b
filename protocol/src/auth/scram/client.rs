//! The client's side of a conversation.

use std::{fmt, mem};

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use rand::RngCore;
use zeroize::Zeroizing;

use super::{
    super::credential::Credential,
    ClientKeys, KeyDerivation, KeyId, ScramError, ScramMechanism,
    message::{ServerFirst, parse_server_final},
};

/// A fresh nonce of 24 random bytes, printable and without commas. `rng` must be cryptographically secure.
pub fn nonce(rng: &mut dyn RngCore) -> String {
    let mut bytes = [0; 24];
    rng.fill_bytes(&mut bytes);
    STANDARD.encode(bytes)
}

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Find the keys in a cache, or derive them, and give them to [`ScramClient::with_keys`].
    NeedKeys(KeyDerivation),
    /// Send this payload with `saslContinue`.
    Send(Vec<u8>),
    /// Both sides have proved that they know the password.
    Done,
}

/// One SCRAM conversation, without any I/O.
///
/// ```
/// use mongo_actors_protocol::auth::scram::{ScramClient, ScramMechanism, Step};
///
/// let nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
/// let (mut client, first) = ScramClient::new(ScramMechanism::Sha256, "user", "pencil", nonce)?;
/// assert_eq!(first, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
///
/// let challenge = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
/// let Step::NeedKeys(derivation) = client.step(challenge, false)? else { unreachable!() };
/// let keys = derivation.derive(); // or from a cache, by `derivation.id()`
/// let proof = client.with_keys(keys)?;
/// assert!(proof.ends_with(b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
///
/// let last = client.step(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", true)?;
/// assert!(matches!(last, Step::Done));
/// # Ok::<(), mongo_actors_protocol::auth::scram::ScramError>(())
/// ```
pub struct ScramClient {
    mechanism: ScramMechanism,
    state: State,
}

/// Shows no state, which holds the password or keys.
impl fmt::Debug for ScramClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramClient").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

enum State {
    /// Our first message is out.
    Started { password: Zeroizing<Vec<u8>>, nonce: String, first_bare: String },
    /// The challenge is there, the keys are not.
    Challenged { transcript: Transcript, id: KeyId },
    /// Our proof is out.
    Proved { transcript: Transcript, keys: ClientKeys },
    /// The server has proved itself, but wants an empty message before it ends.
    Verified,
    /// Over, in one way or another.
    Ended,
}

/// The messages that both proofs cover.
struct Transcript {
    first_bare: String,
    server_first: String,
    without_proof: String,
}

impl Transcript {
    fn parts(&self) -> [&[u8]; 5] {
        [self.first_bare.as_bytes(), b",", self.server_first.as_bytes(), b",", self.without_proof.as_bytes()]
    }
}

impl ScramClient {
    /// Begins a conversation and returns it with its first payload, for `saslStart` or for speculative authentication.
    ///
    /// `nonce` must be fresh for every conversation; see [`nonce`].
    ///
    /// # Errors
    /// [`ScramError::EmptyUsername`], [`ScramError::ProhibitedPassword`], [`ScramError::InvalidNonce`].
    pub fn new(
        mechanism: ScramMechanism,
        username: &str,
        password: &str,
        nonce: String,
    ) -> Result<(Self, Vec<u8>), ScramError> {
        let password = prepare_password(mechanism, username, password)?;
        Self::with_prepared_password(mechanism, username, password, nonce)
    }

    /// Begins a conversation for `credential`, whose own mechanism is not looked at: it may have been negotiated.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`ScramError::MissingPassword`].
    pub fn for_credential(
        mechanism: ScramMechanism,
        credential: &Credential,
        nonce: String,
    ) -> Result<(Self, Vec<u8>), ScramError> {
        let username = credential.username.as_deref().unwrap_or_default();
        let password = credential.password.as_ref().ok_or(ScramError::MissingPassword)?;
        Self::new(mechanism, username, password.expose(), nonce)
    }

    pub(super) fn with_prepared_password(
        mechanism: ScramMechanism,
        username: &str,
        password: Zeroizing<Vec<u8>>,
        nonce: String,
    ) -> Result<(Self, Vec<u8>), ScramError> {
        if username.is_empty() {
            return Err(ScramError::EmptyUsername);
        }
        if nonce.is_empty() || !nonce.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',') {
            return Err(ScramError::InvalidNonce);
        }
        // The user name is sent as it is: servers look for it unprepared.
        let username = username.replace('=', "=3D").replace(',', "=2C");
        let first_bare = format!("n={username},r={nonce}");
        let payload = format!("n,,{first_bare}").into_bytes();
        Ok((Self { mechanism, state: State::Started { password, nonce, first_bare } }, payload))
    }

    /// The mechanism of this conversation.
    pub fn mechanism(&self) -> ScramMechanism {
        self.mechanism
    }

    /// Takes the payload of the server's reply, and whether the server says that it is `done`.
    ///
    /// # Errors
    /// [`ScramError`]; the conversation is then over, and the connection must be closed.
    pub fn step(&mut self, payload: &[u8], done: bool) -> Result<Step, ScramError> {
        match mem::replace(&mut self.state, State::Ended) {
            State::Started { password, nonce, first_bare } => {
                if done {
                    return Err(ScramError::EndedEarly);
                }
                self.challenged(text(payload)?, password, &nonce, first_bare)
            }
            State::Proved { transcript, keys } => {
                let signature = parse_server_final(text(payload)?)?;
                if !keys.verify(self.mechanism, &transcript.parts(), &signature) {
                    return Err(ScramError::WrongSignature);
                }
                if done {
                    return Ok(Step::Done);
                }
                self.state = State::Verified;
                Ok(Step::Send(Vec::new()))
            }
            State::Verified if done => Ok(Step::Done),
            State::Verified => Err(ScramError::NotEnded),
            State::Challenged { .. } | State::Ended => Err(ScramError::OutOfTurn),
        }
    }

    fn challenged(
        &mut self,
        message: &str,
        password: Zeroizing<Vec<u8>>,
        nonce: &str,
        first_bare: String,
    ) -> Result<Step, ScramError> {
        let challenge = ServerFirst::parse(message, nonce)?;
        // "biws" is the encoded "n,,": no channel binding.
        let without_proof = format!("c=biws,r={}", challenge.nonce);
        let transcript = Transcript { first_bare, server_first: message.to_owned(), without_proof };
        let derivation = KeyDerivation {
            mechanism: self.mechanism,
            password,
            salt: challenge.salt,
            iterations: challenge.iterations,
        };
        self.state = State::Challenged { transcript, id: derivation.id() };
        Ok(Step::NeedKeys(derivation))
    }

    /// Takes the keys that [`Step::NeedKeys`] asked for, and returns the payload with our proof.
    ///
    /// # Errors
    /// [`ScramError::ForeignKeys`] when they belong to another challenge, [`ScramError::OutOfTurn`] when nobody asked.
    pub fn with_keys(&mut self, keys: ClientKeys) -> Result<Vec<u8>, ScramError> {
        let State::Challenged { transcript, id } = mem::replace(&mut self.state, State::Ended) else {
            return Err(ScramError::OutOfTurn);
        };
        if keys.id() != id {
            return Err(ScramError::ForeignKeys);
        }
        let proof = STANDARD.encode(keys.proof(self.mechanism, &transcript.parts()));
        let payload = format!("{},p={proof}", transcript.without_proof).into_bytes();
        self.state = State::Proved { transcript, keys };
        Ok(payload)
    }
}

fn text(payload: &[u8]) -> Result<&str, ScramError> {
    std::str::from_utf8(payload).map_err(|_| ScramError::MalformedMessage)
}

/// The password in the form that keys are derived from.
fn prepare_password(
    mechanism: ScramMechanism,
    username: &str,
    password: &str,
) -> Result<Zeroizing<Vec<u8>>, ScramError> {
    let prepared = match mechanism {
        ScramMechanism::Sha1 => {
            let mut digest = Md5::new();
            digest.update(username);
            digest.update(":mongo:");
            digest.update(password);
            digest.finalize().iter().flat_map(|byte| [hex(byte >> 4), hex(byte & 15)]).collect()
        }
        ScramMechanism::Sha256 => {
            let prepared = stringprep::saslprep(password).map_err(|_| ScramError::ProhibitedPassword)?;
            prepared.into_owned().into_bytes()
        }
    };
    Ok(Zeroizing::new(prepared))
}

fn hex(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}
