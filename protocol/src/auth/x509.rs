//! The MONGODB-X509 mechanism: the client's TLS certificate has said it all.

use bson::{RawDocumentBuf, raw::cstr, rawdoc};

use super::credential::{AuthMechanism, Credential};

/// The one command. A user name is sent only if the application gave one; servers from 3.4 read the certificate.
pub(super) fn authenticate(credential: &Credential) -> RawDocumentBuf {
    let mut command = rawdoc! { "authenticate": 1, "mechanism": AuthMechanism::MongoDbX509.as_str() };
    if let Some(username) = &credential.username {
        command.append(cstr!("user"), username.as_str());
    }
    command
}
