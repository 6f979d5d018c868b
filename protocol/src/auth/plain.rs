//! The PLAIN mechanism (RFC 4616): user name and password in the clear, usually for LDAP.

use std::{fmt, ops::Deref};

use zeroize::Zeroizing;

use super::credential::Credential;

/// The one message of the client, which is never printed.
pub(super) struct Payload(Zeroizing<Vec<u8>>);

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// An empty authorization identity, the user name and the password, each after a zero byte.
pub(super) fn payload(credential: &Credential) -> Payload {
    let username = credential.username.as_deref().unwrap_or_default();
    let password = credential.password.as_ref().map(|password| password.expose()).unwrap_or_default();
    let mut payload = Zeroizing::new(Vec::with_capacity(username.len() + password.len() + 2));
    for part in [username, password] {
        payload.push(0);
        payload.extend_from_slice(part.as_bytes());
    }
    Payload(payload)
}
