//! The SCRAM-SHA-1 and SCRAM-SHA-256 mechanisms.
//!
//! Follows RFC 5802, RFC 7677 and the authentication specification. A [`ScramClient`] takes the server's payloads and
//! gives ours. Between the server's challenge and our proof stands the key derivation, which takes milliseconds of
//! processor time: it is handed out as a [`KeyDerivation`], to be looked up in a cache or run where it blocks nobody.

mod client;
mod keys;
mod message;

pub use client::{ScramClient, Step, nonce};
pub use keys::{ClientKeys, KeyDerivation, KeyId};

use bson::{RawDocumentBuf, rawdoc};

use super::credential::AuthMechanism;

/// The fewest iterations a server may ask for: with fewer, the proof would help to guess the password.
pub const MIN_ITERATIONS: u32 = 4096;
/// The most iterations a server may ask for: more would keep a processor busy for many seconds.
pub const MAX_ITERATIONS: u32 = 10_000_000;

/// Which SCRAM mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScramMechanism {
    /// SCRAM-SHA-1, with MongoDB's digest of user name and password in place of the password.
    Sha1,
    /// SCRAM-SHA-256, with the password prepared by SASLprep.
    Sha256,
}

impl ScramMechanism {
    /// The mechanism's name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
        }
    }

    /// The SCRAM mechanism that a credential's mechanism is; none for other mechanisms.
    pub fn of(mechanism: AuthMechanism) -> Option<Self> {
        match mechanism {
            AuthMechanism::ScramSha1 => Some(Self::Sha1),
            AuthMechanism::ScramSha256 => Some(Self::Sha256),
            _ => None,
        }
    }

    /// The mechanism for a credential that names none, given `saslSupportedMechs` of the handshake reply.
    ///
    /// SCRAM-SHA-256 when the server lists it, else SCRAM-SHA-1, whatever else is listed.
    pub fn negotiate(sasl_supported_mechs: Option<&[impl AsRef<str>]>) -> Self {
        let listed = sasl_supported_mechs.unwrap_or_default();
        if listed.iter().any(|name| name.as_ref() == Self::Sha256.name()) { Self::Sha256 } else { Self::Sha1 }
    }
}

/// The `options` of a SCRAM `saslStart`, which save one round trip on servers from 4.4.
pub fn start_options() -> RawDocumentBuf {
    rawdoc! { "skipEmptyExchange": true }
}

/// Why a SCRAM conversation failed. Nothing here holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScramError {
    /// There is no user name.
    #[error("SCRAM authentication needs a user name")]
    EmptyUsername,
    /// There is no password.
    #[error("SCRAM authentication needs a password")]
    MissingPassword,
    /// The password holds characters that SASLprep prohibits.
    #[error("the password holds characters that SCRAM-SHA-256 does not allow (RFC 4013)")]
    ProhibitedPassword,
    /// Our nonce is empty or holds a comma.
    #[error("the nonce for SCRAM authentication must be printable ASCII without a comma")]
    InvalidNonce,
    /// The server's message is not UTF-8, or not a list of attributes.
    #[error("the server's SCRAM message is malformed")]
    MalformedMessage,
    /// The server's message lacks an attribute, or has it in another place than the RFC says.
    #[error("the server's SCRAM message lacks the attribute \"{attribute}\"")]
    MissingAttribute {
        /// The attribute's letter.
        attribute: char,
    },
    /// The server requires an extension that nobody has defined.
    #[error("the server requires a SCRAM extension that is not supported")]
    UnsupportedExtension,
    /// The server's nonce does not begin with ours: the answer is not to our message.
    #[error("the server's SCRAM nonce does not extend the client's")]
    NonceMismatch,
    /// The salt is not valid base64, or empty.
    #[error("the server's SCRAM salt is not valid")]
    InvalidSalt,
    /// The iteration count is not a number.
    #[error("the server's SCRAM iteration count is not valid")]
    InvalidIterationCount,
    /// The server asks for so few iterations that the password would be exposed.
    #[error("the server asks for {iterations} SCRAM iterations, but at least {MIN_ITERATIONS} are required")]
    TooFewIterations {
        /// What it asks for.
        iterations: u32,
    },
    /// The server asks for so many iterations that deriving keys would take unreasonably long.
    #[error("the server asks for {iterations} SCRAM iterations, but at most {MAX_ITERATIONS} are accepted")]
    TooManyIterations {
        /// What it asks for.
        iterations: u32,
    },
    /// The server rejects the proof.
    #[error("the server rejected the SCRAM proof: {message}")]
    Rejected {
        /// The server's error value.
        message: String,
    },
    /// The server's signature is not valid base64.
    #[error("the server's SCRAM signature is not valid base64")]
    InvalidSignature,
    /// The server's signature is wrong: it does not know the password.
    #[error("the server's SCRAM signature is wrong: the server does not know the user's credentials")]
    WrongSignature,
    /// The server declares success before it has proved that it knows the password.
    #[error("the server ended the SCRAM conversation before it proved its identity")]
    EndedEarly,
    /// The server goes on after the last message.
    #[error("the server did not end the SCRAM conversation after its last message")]
    NotEnded,
    /// The caller gave a payload or keys when it was not their turn.
    #[error("a SCRAM message came out of turn")]
    OutOfTurn,
    /// The keys were derived for another challenge.
    #[error("the SCRAM keys belong to another challenge")]
    ForeignKeys,
}

#[cfg(test)]
mod tests;
