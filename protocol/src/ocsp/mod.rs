//! Whether a server's certificate was revoked (OCSP support specification, RFC 6960).
//!
//! A [`CheckedCertificate`] is what there is to know of a certificate and of the authority that issued it. It makes the
//! [request](CheckedCertificate::request) for a responder, and [judges](CheckedCertificate::judge) an answer, whether
//! it was fetched or stapled. [`AnswerCache`] keeps conclusive answers for as long as they hold.
//!
//! Nothing here asks anybody: bytes in, bytes out. Signatures are verified with the algorithms that are given.

mod asn1;
mod cache;
mod certificate;
mod response;
#[cfg(test)]
mod tests;

pub use cache::{AnswerCache, Known};
pub use certificate::{CertId, CheckedCertificate, UnreadableCertificate};
pub use response::{Answer, InvalidAnswer, Status};

/// How far the clock of a responder may be ahead of ours.
pub const CLOCK_SKEW: std::time::Duration = std::time::Duration::from_secs(300);
/// For how long an answer holds that does not say so.
pub const DEFAULT_VALIDITY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
