//! Keys, and what they are derived from.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::ScramMechanism;

/// Identifies derived keys: same mechanism, credential, salt and iterations, same id.
///
/// A one-way function of them, so that a cache holds no password.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 32]);

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyId(..)")
    }
}

/// The two keys that a SCRAM conversation needs: the value that a cache of SCRAM credentials keeps.
///
/// They stand in for the password with this server and salt, so they are wiped from memory when dropped.
#[derive(Clone)]
pub struct ClientKeys {
    id: KeyId,
    client_key: Zeroizing<Vec<u8>>,
    server_key: Zeroizing<Vec<u8>>,
}

impl ClientKeys {
    /// What the keys were derived from.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The proof that we know the password, for this conversation.
    pub(super) fn proof(&self, mechanism: ScramMechanism, auth_message: &[&[u8]]) -> Vec<u8> {
        let stored_key = Zeroizing::new(hash(mechanism, &self.client_key));
        let signature = sign(mechanism, &stored_key, auth_message);
        self.client_key.iter().zip(signature).map(|(key, signature)| key ^ signature).collect()
    }

    /// Whether `signature` proves that the server knows the password, compared in constant time.
    pub(super) fn verify(&self, mechanism: ScramMechanism, auth_message: &[&[u8]], signature: &[u8]) -> bool {
        sign(mechanism, &self.server_key, auth_message).ct_eq(signature).into()
    }
}

impl fmt::Debug for ClientKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientKeys(..)")
    }
}

/// The costly part of a conversation, detached from it: pure, and free to move to another thread.
#[derive(Clone)]
pub struct KeyDerivation {
    pub(super) mechanism: ScramMechanism,
    pub(super) password: Zeroizing<Vec<u8>>,
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
}

impl KeyDerivation {
    /// Under what the result can be kept and found again.
    pub fn id(&self) -> KeyId {
        let mut hasher = Sha256::new();
        hasher.update(self.mechanism.name());
        hasher.update(self.iterations.to_le_bytes());
        hasher.update(self.salt.len().to_le_bytes());
        hasher.update(&self.salt);
        hasher.update(&*self.password);
        KeyId(hasher.finalize().into())
    }

    /// The iterations that [`derive`](Self::derive) takes, of about half a microsecond each.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Derives the keys. Takes milliseconds of processor time.
    pub fn derive(&self) -> ClientKeys {
        let mechanism = self.mechanism;
        let mut salted = Zeroizing::new([0; 32]);
        let salted = match mechanism {
            ScramMechanism::Sha1 => {
                let salted = &mut salted[..20];
                pbkdf2::pbkdf2_hmac::<Sha1>(&self.password, &self.salt, self.iterations, salted);
                salted
            }
            ScramMechanism::Sha256 => {
                pbkdf2::pbkdf2_hmac::<Sha256>(&self.password, &self.salt, self.iterations, &mut salted[..]);
                &mut salted[..]
            }
        };
        ClientKeys {
            id: self.id(),
            client_key: Zeroizing::new(sign(mechanism, salted, &[b"Client Key"])),
            server_key: Zeroizing::new(sign(mechanism, salted, &[b"Server Key"])),
        }
    }
}

impl fmt::Debug for KeyDerivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyDerivation")
            .field("mechanism", &self.mechanism)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

fn hash(mechanism: ScramMechanism, data: &[u8]) -> Vec<u8> {
    match mechanism {
        ScramMechanism::Sha1 => Sha1::digest(data).to_vec(),
        ScramMechanism::Sha256 => Sha256::digest(data).to_vec(),
    }
}

/// The HMAC of the concatenated `parts`.
fn sign(mechanism: ScramMechanism, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    fn finish<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().to_vec()
    }
    match mechanism {
        ScramMechanism::Sha1 => finish::<Hmac<Sha1>>(key, parts),
        ScramMechanism::Sha256 => finish::<Hmac<Sha256>>(key, parts),
    }
}
