//! Certificates, and servers that show them.

mod authority;
mod certificate;
mod der;
mod ocsp;
mod responder;
mod server;
mod stream;
#[cfg(test)]
mod tests;

pub use authority::TlsAuthority;
pub use certificate::{CertificateSpec, TlsCertificate};
pub use ocsp::{OcspAnswer, OcspStatus};
pub use responder::{OcspBehaviour, OcspResponder};
pub(crate) use server::accept;
pub use server::{Handshake, ServerTls};
pub(crate) use stream::Stream;
