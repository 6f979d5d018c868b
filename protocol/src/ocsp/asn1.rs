//! The messages of RFC 6960, section 4, as far as they are needed.

use der::{
    Enumerated, Sequence,
    asn1::{AnyRef, BitStringRef, GeneralizedTime, ObjectIdentifier, OctetStringRef},
};
use x509_cert::spki::AlgorithmIdentifierRef;

/// `id-pkix-ocsp-basic`
pub(super) const BASIC_RESPONSE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
/// `id-ad-ocsp`
pub(super) const OCSP_ACCESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");
/// `id-kp-OCSPSigning`
pub(super) const OCSP_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.9");
/// `id-pe-tlsfeature` (RFC 7633)
pub(super) const TLS_FEATURE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.24");
pub(super) const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
pub(super) const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
pub(super) const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
pub(super) const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

#[derive(Sequence)]
pub(super) struct OcspRequest<'a> {
    pub(super) to_be_signed: TbsRequest<'a>,
}

#[derive(Sequence)]
pub(super) struct TbsRequest<'a> {
    pub(super) requests: Vec<SingleRequest<'a>>,
}

#[derive(Sequence)]
pub(super) struct SingleRequest<'a> {
    pub(super) certificate: CertIdRef<'a>,
}

#[derive(Sequence)]
pub(super) struct CertIdRef<'a> {
    pub(super) hash_algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) issuer_name_hash: &'a OctetStringRef,
    pub(super) issuer_key_hash: &'a OctetStringRef,
    /// An integer; compared as it is encoded.
    pub(super) serial_number: AnyRef<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumerated)]
#[repr(u8)]
pub(super) enum ResponseStatus {
    Successful = 0,
    MalformedRequest = 1,
    InternalError = 2,
    TryLater = 3,
    SigRequired = 5,
    Unauthorized = 6,
}

#[derive(Sequence)]
pub(super) struct OcspResponse<'a> {
    pub(super) status: ResponseStatus,
    #[asn1(context_specific = "0", optional = "true")]
    pub(super) bytes: Option<ResponseBytes<'a>>,
}

#[derive(Sequence)]
pub(super) struct ResponseBytes<'a> {
    pub(super) kind: ObjectIdentifier,
    pub(super) response: &'a OctetStringRef,
}

/// A document with its signature: a basic response, or a certificate.
#[derive(Sequence)]
pub(super) struct BasicResponse<'a> {
    pub(super) data: AnyRef<'a>,
    pub(super) algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) signature: BitStringRef<'a>,
    #[asn1(context_specific = "0", optional = "true")]
    pub(super) certificates: Option<Vec<AnyRef<'a>>>,
}

#[derive(Sequence)]
pub(super) struct SignedCertificate<'a> {
    pub(super) data: AnyRef<'a>,
    pub(super) algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) signature: BitStringRef<'a>,
}

#[derive(Sequence)]
pub(super) struct ResponseData<'a> {
    #[asn1(context_specific = "0", optional = "true")]
    pub(super) version: Option<AnyRef<'a>>,
    /// `byName [1]` or `byKey [2]`.
    pub(super) responder: AnyRef<'a>,
    pub(super) produced_at: GeneralizedTime,
    pub(super) responses: Vec<SingleResponse<'a>>,
    #[asn1(context_specific = "1", optional = "true")]
    pub(super) extensions: Option<Vec<Extension<'a>>>,
}

#[derive(Sequence)]
pub(super) struct SingleResponse<'a> {
    pub(super) certificate: CertIdRef<'a>,
    /// `good [0]`, `revoked [1]` or `unknown [2]`.
    pub(super) status: AnyRef<'a>,
    pub(super) this_update: GeneralizedTime,
    #[asn1(context_specific = "0", optional = "true")]
    pub(super) next_update: Option<GeneralizedTime>,
    #[asn1(context_specific = "1", optional = "true")]
    pub(super) extensions: Option<Vec<Extension<'a>>>,
}

#[derive(Sequence)]
pub(super) struct Extension<'a> {
    /// An object identifier, of which there are some that the library cannot hold.
    pub(super) id: AnyRef<'a>,
    #[asn1(default = "Default::default")]
    pub(super) critical: bool,
    pub(super) value: &'a OctetStringRef,
}
