//! What the protocol needs to know of a certificate.

use std::{ops::RangeInclusive, time::Duration};

use der::{
    Decode, Encode,
    asn1::{Any, AnyRef, OctetStringRef},
    oid::ObjectIdentifier,
};
use rustls_pki_types::UnixTime;
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha384, Sha512};
use x509_cert::{
    certificate::{CertificateInner, Raw},
    ext::pkix::{AuthorityInfoAccessSyntax, name::GeneralName},
    spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoOwned},
};

use super::asn1::{
    CertIdRef, OCSP_ACCESS, OcspRequest, SHA1, SHA256, SHA384, SHA512, SingleRequest, TLS_FEATURE, TbsRequest,
};

/// The TLS feature by which a certificate demands a stapled answer: the extension `status_request`.
const STATUS_REQUEST: u16 = 5;

/// A certificate whose state is to be found out, and the authority that issued it.
#[derive(Clone, Debug)]
pub struct CheckedCertificate {
    /// The issuer's name in DER, as the certificate has it.
    pub(super) issuer_name: Vec<u8>,
    pub(super) issuer_key: SubjectPublicKeyInfoOwned,
    /// The serial number in DER.
    serial_number: Vec<u8>,
    responders: Vec<String>,
    must_staple: bool,
    /// Since when and until when it is valid, from the beginning of 1970.
    validity: RangeInclusive<Duration>,
}

/// A certificate, or the key of its issuer, cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate cannot be read: {0}")]
pub struct UnreadableCertificate(#[from] der::Error);

/// Identifies a certificate by hashes of its issuer's name and key, and by its serial number (RFC 6960, 4.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertId {
    issuer_name_hash: [u8; 32],
    issuer_key_hash: [u8; 32],
    serial_number: Vec<u8>,
}

impl CheckedCertificate {
    /// Reads a certificate in DER. `issuer_key` is the key that its signature was verified with: the issuer's
    /// `SubjectPublicKeyInfo` in DER.
    ///
    /// # Errors
    /// [`UnreadableCertificate`].
    pub fn read(certificate: &[u8], issuer_key: &[u8]) -> Result<Self, UnreadableCertificate> {
        let certificate = CertificateInner::<Raw>::from_der(certificate)?;
        let tbs = certificate.tbs_certificate();
        let extension = |oid: ObjectIdentifier| {
            tbs.extensions().and_then(|all| all.iter().find(|extension| extension.extn_id == oid))
        };
        let responders = match tbs.get_extension::<AuthorityInfoAccessSyntax>()? {
            Some((_, access)) => access
                .0
                .iter()
                .filter_map(|access| match &access.access_location {
                    GeneralName::UniformResourceIdentifier(uri) if access.access_method == OCSP_ACCESS => {
                        Some(uri.to_string())
                    }
                    _ => None,
                })
                .collect(),
            None => Vec::new(),
        };
        let must_staple = match extension(TLS_FEATURE) {
            Some(extension) => Vec::<u16>::from_der(extension.extn_value.as_bytes())?.contains(&STATUS_REQUEST),
            None => false,
        };
        Ok(Self {
            issuer_name: tbs.issuer().to_der()?,
            issuer_key: SubjectPublicKeyInfoOwned::from_der(issuer_key)?,
            serial_number: tbs.serial_number().to_der()?,
            responders,
            must_staple,
            validity: tbs.validity().not_before.to_unix_duration()..=tbs.validity().not_after.to_unix_duration(),
        })
    }

    /// The addresses of the responders that the certificate names.
    pub fn responders(&self) -> &[String] {
        &self.responders
    }

    /// Whether the server must staple an answer to the certificate (RFC 7633).
    pub fn must_staple(&self) -> bool {
        self.must_staple
    }

    /// Whether `now` is within the time for which the certificate was issued.
    pub fn is_valid_at(&self, now: UnixTime) -> bool {
        self.validity.contains(&Duration::from_secs(now.as_secs()))
    }

    /// Under what answers about the certificate are kept.
    pub fn id(&self) -> CertId {
        CertId {
            issuer_name_hash: Sha256::digest(&self.issuer_name).into(),
            issuer_key_hash: Sha256::digest(self.issuer_key.subject_public_key.raw_bytes()).into(),
            serial_number: self.serial_number.clone(),
        }
    }

    /// The request for a responder, in DER: the body of a `POST` with the type `application/ocsp-request`.
    ///
    /// # Errors
    /// [`UnreadableCertificate`] when the certificate has a serial number that cannot be written.
    pub fn request(&self) -> Result<Vec<u8>, UnreadableCertificate> {
        // The one hash that every responder understands; nothing rests on its strength.
        let name_hash = Sha1::digest(&self.issuer_name);
        let key_hash = Sha1::digest(self.issuer_key.subject_public_key.raw_bytes());
        let certificate = CertIdRef {
            hash_algorithm: AlgorithmIdentifierRef { oid: SHA1, parameters: Some(AnyRef::NULL) },
            issuer_name_hash: OctetStringRef::new(&name_hash)?,
            issuer_key_hash: OctetStringRef::new(&key_hash)?,
            serial_number: AnyRef::from_der(&self.serial_number)?,
        };
        let request = OcspRequest { to_be_signed: TbsRequest { requests: vec![SingleRequest { certificate }] } };
        Ok(request.to_der()?)
    }

    /// Whether `id`, whatever hash it uses, means this certificate.
    pub(super) fn is_meant_by(&self, id: &CertIdRef<'_>) -> bool {
        let serial_number = Any::from(id.serial_number).to_der();
        let key = self.issuer_key.subject_public_key.raw_bytes();
        serial_number.is_ok_and(|serial_number| serial_number == self.serial_number)
            && hash(id.hash_algorithm.oid, &self.issuer_name).is_some_and(|hash| hash == id.issuer_name_hash.as_bytes())
            && hash(id.hash_algorithm.oid, key).is_some_and(|hash| hash == id.issuer_key_hash.as_bytes())
    }
}

fn hash(algorithm: ObjectIdentifier, data: &[u8]) -> Option<Vec<u8>> {
    match algorithm {
        SHA1 => Some(Sha1::digest(data).to_vec()),
        SHA256 => Some(Sha256::digest(data).to_vec()),
        SHA384 => Some(Sha384::digest(data).to_vec()),
        SHA512 => Some(Sha512::digest(data).to_vec()),
        _ => None,
    }
}
