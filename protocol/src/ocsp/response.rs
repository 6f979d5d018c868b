//! Judging what a responder says.

use std::time::Duration;

use der::{
    Decode, Encode, Tagged,
    asn1::{AnyRef, GeneralizedTime, OctetStringRef},
};
use rustls_pki_types::{SignatureVerificationAlgorithm, UnixTime};
use sha1::{Digest, Sha1};
use x509_cert::{
    certificate::{CertificateInner, Raw},
    ext::pkix::ExtendedKeyUsage,
    spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoOwned},
};

use super::{
    CLOCK_SKEW, CheckedCertificate, DEFAULT_VALIDITY,
    asn1::{
        BASIC_RESPONSE, BasicResponse, Extension, OCSP_SIGNING, OcspResponse, ResponseData, ResponseStatus,
        SignedCertificate, SingleResponse,
    },
};

/// Certificates in an answer that are looked at.
const MAX_CERTIFICATES: usize = 8;

/// What a responder knows of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was not revoked.
    Good,
    /// It was revoked, or the authority says so for reasons of its own.
    Revoked,
    /// The responder does not know it.
    Unknown,
}

/// A valid answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it says.
    pub status: Status,
    /// Since when this is known to be so, in seconds since 1970.
    pub this_update: u64,
    /// From when on there will be a newer answer, in seconds since 1970; none when the responder always has the newest.
    pub next_update: Option<u64>,
}

/// Why an answer must not be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAnswer {
    /// It cannot be understood.
    #[error("it is malformed")]
    Malformed,
    /// The responder declined to answer.
    #[error("the responder declined: {0}")]
    Declined(&'static str),
    /// It is an answer of another kind.
    #[error("it is of an unknown kind")]
    UnknownKind,
    /// It is about other certificates.
    #[error("it is about another certificate")]
    OtherCertificate,
    /// It was not signed by the authority, or by somebody whom it has appointed.
    #[error("it is not signed by the authority that issued the certificate, nor by a delegate")]
    Unauthorized,
    /// The signature is wrong.
    #[error("its signature is wrong")]
    BadSignature,
    /// It has an extension that must be understood, and is not.
    #[error("it has a critical extension that is not known")]
    CriticalExtension,
    /// It is of the future.
    #[error("it is not valid yet: compare the clocks")]
    NotYetValid,
    /// It is too old.
    #[error("it has expired")]
    Expired,
}

impl From<der::Error> for InvalidAnswer {
    fn from(_: der::Error) -> Self {
        Self::Malformed
    }
}

/// Those that signatures may be made with.
type Algorithms<'a> = &'a [&'a dyn SignatureVerificationAlgorithm];

impl Answer {
    /// Whether it holds at `now`.
    pub fn holds_at(&self, now: UnixTime) -> bool {
        self.check_time(now).is_ok()
    }

    /// Whether it settles the matter.
    pub fn is_conclusive(&self) -> bool {
        self.status != Status::Unknown
    }

    /// When it ends to hold, in seconds since 1970.
    pub fn holds_until(&self) -> u64 {
        self.next_update.unwrap_or(self.this_update.saturating_add(DEFAULT_VALIDITY.as_secs()))
    }

    fn check_time(&self, now: UnixTime) -> Result<(), InvalidAnswer> {
        let now = now.as_secs();
        if self.this_update > now.saturating_add(CLOCK_SKEW.as_secs()) {
            return Err(InvalidAnswer::NotYetValid);
        }
        match now < self.holds_until() {
            true => Ok(()),
            false => Err(InvalidAnswer::Expired),
        }
    }
}

impl CheckedCertificate {
    /// Judges an answer in DER, fetched or stapled, as RFC 6960, section 3.2 says.
    ///
    /// # Errors
    /// [`InvalidAnswer`] says why it must not be believed.
    pub fn judge(&self, response: &[u8], algorithms: Algorithms<'_>, now: UnixTime) -> Result<Answer, InvalidAnswer> {
        let response = OcspResponse::from_der(response)?;
        if let Some(reason) = declined(response.status) {
            return Err(InvalidAnswer::Declined(reason));
        }
        let bytes = response.bytes.ok_or(InvalidAnswer::Malformed)?;
        if bytes.kind != BASIC_RESPONSE {
            return Err(InvalidAnswer::UnknownKind);
        }
        let basic = BasicResponse::from_der(bytes.response.as_bytes())?;
        let signed = basic.data.to_der()?;
        let data = ResponseData::from_der(&signed)?;
        let about = |single: &&SingleResponse<'_>| self.is_meant_by(&single.certificate);
        let single = data.responses.iter().find(about).ok_or(InvalidAnswer::OtherCertificate)?;
        self.check_signature(&basic, &signed, data.responder, algorithms, now)?;
        refuse_critical(data.extensions.iter().chain(&single.extensions).flatten())?;
        let answer = Answer {
            status: status(single.status)?,
            this_update: seconds(single.this_update),
            next_update: single.next_update.map(seconds),
        };
        answer.check_time(now)?;
        Ok(answer)
    }

    /// The signer must be the issuer of the certificate, or somebody whom the issuer has appointed.
    fn check_signature(
        &self,
        basic: &BasicResponse<'_>,
        signed: &[u8],
        responder: AnyRef<'_>,
        algorithms: Algorithms<'_>,
        now: UnixTime,
    ) -> Result<(), InvalidAnswer> {
        let signature = basic.signature.as_bytes().ok_or(InvalidAnswer::Malformed)?;
        if is_named(responder, &self.issuer_name, &self.issuer_key)? {
            return verify(algorithms, &self.issuer_key, basic.algorithm, signed, signature);
        }
        let certificates = basic.certificates.iter().flatten().take(MAX_CERTIFICATES);
        for certificate in certificates {
            let der = certificate.to_der()?;
            let delegate = CertificateInner::<Raw>::from_der(&der)?;
            let tbs = delegate.tbs_certificate();
            let key = tbs.subject_public_key_info();
            if !is_named(responder, &tbs.subject().to_der()?, key)? {
                continue;
            }
            self.check_delegate(&der, &delegate, algorithms, now)?;
            return verify(algorithms, key, basic.algorithm, signed, signature);
        }
        Err(InvalidAnswer::Unauthorized)
    }

    /// A delegate is appointed by the issuer itself, for this purpose, and for today.
    fn check_delegate(
        &self,
        der: &[u8],
        delegate: &CertificateInner<Raw>,
        algorithms: Algorithms<'_>,
        now: UnixTime,
    ) -> Result<(), InvalidAnswer> {
        let tbs = delegate.tbs_certificate();
        let usage = tbs.get_extension::<ExtendedKeyUsage>()?;
        let appointed = usage.is_some_and(|(_, usage)| usage.0.contains(&OCSP_SIGNING));
        if !appointed || tbs.issuer().to_der()? != self.issuer_name {
            return Err(InvalidAnswer::Unauthorized);
        }
        let validity = tbs.validity();
        let (from, to) = (validity.not_before.to_unix_duration(), validity.not_after.to_unix_duration());
        let now = Duration::from_secs(now.as_secs());
        if !(from..=to).contains(&now) {
            return Err(InvalidAnswer::Unauthorized);
        }
        let parts = SignedCertificate::from_der(der)?;
        let signature = parts.signature.as_bytes().ok_or(InvalidAnswer::Malformed)?;
        verify(algorithms, &self.issuer_key, parts.algorithm, &parts.data.to_der()?, signature)
            .map_err(|_| InvalidAnswer::Unauthorized)
    }
}

/// Nothing is known of any extension: whoever marks one as critical means that the answer must not be used without.
fn refuse_critical<'e>(mut extensions: impl Iterator<Item = &'e Extension<'e>>) -> Result<(), InvalidAnswer> {
    match extensions.any(|extension| extension.critical) {
        true => Err(InvalidAnswer::CriticalExtension),
        false => Ok(()),
    }
}

/// Whether the responder's identity is this name or this key.
fn is_named(responder: AnyRef<'_>, name: &[u8], key: &SubjectPublicKeyInfoOwned) -> Result<bool, InvalidAnswer> {
    match responder.tag().number().value() {
        1 => Ok(responder.value() == name),
        2 => {
            let hash = <&OctetStringRef>::from_der(responder.value())?;
            Ok(hash.as_bytes() == Sha1::digest(key.subject_public_key.raw_bytes()).as_slice())
        }
        _ => Err(InvalidAnswer::Malformed),
    }
}

fn verify(
    algorithms: Algorithms<'_>,
    key: &SubjectPublicKeyInfoOwned,
    signature_algorithm: AlgorithmIdentifierRef<'_>,
    message: &[u8],
    signature: &[u8],
) -> Result<(), InvalidAnswer> {
    let wanted = (content(AlgorithmIdentifierRef::from(&key.algorithm))?, content(signature_algorithm)?);
    let algorithm = algorithms
        .iter()
        .find(|algorithm| *algorithm.public_key_alg_id() == *wanted.0 && *algorithm.signature_alg_id() == *wanted.1)
        .ok_or(InvalidAnswer::BadSignature)?;
    algorithm
        .verify_signature(key.subject_public_key.raw_bytes(), message, signature)
        .map_err(|_| InvalidAnswer::BadSignature)
}

/// The encoding without the sequence around it.
fn content(algorithm: AlgorithmIdentifierRef<'_>) -> Result<Vec<u8>, der::Error> {
    let mut content = algorithm.oid.to_der()?;
    if let Some(parameters) = algorithm.parameters {
        content.extend(parameters.to_der()?);
    }
    Ok(content)
}

fn status(status: AnyRef<'_>) -> Result<Status, InvalidAnswer> {
    match status.tag().number().value() {
        0 => Ok(Status::Good),
        1 => Ok(Status::Revoked),
        2 => Ok(Status::Unknown),
        _ => Err(InvalidAnswer::Malformed),
    }
}

fn declined(status: ResponseStatus) -> Option<&'static str> {
    match status {
        ResponseStatus::Successful => None,
        ResponseStatus::MalformedRequest => Some("malformedRequest"),
        ResponseStatus::InternalError => Some("internalError"),
        ResponseStatus::TryLater => Some("tryLater"),
        ResponseStatus::SigRequired => Some("sigRequired"),
        ResponseStatus::Unauthorized => Some("unauthorized"),
    }
}

fn seconds(time: GeneralizedTime) -> u64 {
    time.to_unix_duration().as_secs()
}
