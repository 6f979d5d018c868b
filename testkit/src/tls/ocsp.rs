//! Answers of the Online Certificate Status Protocol (RFC 6960), true and false.

use rcgen::{KeyPair, PublicKeyData, SigningKey};
use time::{Duration, OffsetDateTime};
use yasna::{
    ASN1Error, ASN1ErrorKind, ASN1Result, BERReaderSeq, DERWriter, Tag, construct_der,
    models::{GeneralizedTime, ObjectIdentifier},
};

use super::certificate::TlsCertificate;

const SHA1: &[u64] = &[1, 3, 14, 3, 2, 26];
const BASIC: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 48, 1, 1];
const ECDSA_SHA256: &[u64] = &[1, 2, 840, 10045, 4, 3, 2];
const RSA_SHA256: &[u64] = &[1, 2, 840, 113_549, 1, 1, 11];

/// An example of ISO's, which means nothing.
const UNKNOWN_EXTENSION: &[u64] = &[2, 999, 1];

/// What an answer says of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcspStatus {
    /// Not revoked.
    Good,
    /// Revoked.
    Revoked,
    /// Not known.
    Unknown,
}

/// What an answer is like. Unless told otherwise it is true, fresh and signed by the authority itself.
#[derive(Clone, Debug)]
#[must_use]
pub struct OcspAnswer {
    pub(super) status: OcspStatus,
    pub(super) this_update: OffsetDateTime,
    pub(super) next_update: Option<OffsetDateTime>,
    pub(super) delegate: Option<TlsCertificate>,
    pub(super) damaged: bool,
    pub(super) extension: Option<(Place, bool)>,
}

/// What an extension is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Response,
    Certificate,
}

impl OcspAnswer {
    /// An answer that holds since an hour and for another.
    pub fn new(status: OcspStatus) -> Self {
        let now = OffsetDateTime::now_utc();
        Self {
            status,
            this_update: now - Duration::HOUR,
            next_update: Some(now + Duration::HOUR),
            delegate: None,
            damaged: false,
            extension: None,
        }
    }

    /// Signed by this delegate, whose certificate is included.
    pub fn signed_by(mut self, delegate: &TlsCertificate) -> Self {
        self.delegate = Some(delegate.clone());
        self
    }

    /// One that should have been replaced ten minutes ago.
    pub fn expired(mut self) -> Self {
        self.next_update = Some(OffsetDateTime::now_utc() - Duration::minutes(10));
        self
    }

    /// One that holds from an hour from now.
    pub fn of_the_future(mut self) -> Self {
        self.this_update = OffsetDateTime::now_utc() + Duration::HOUR;
        self.next_update = Some(OffsetDateTime::now_utc() + Duration::hours(2));
        self
    }

    /// One that does not say until when it holds, made this long ago.
    pub fn without_end(mut self, age: std::time::Duration) -> Self {
        self.this_update = OffsetDateTime::now_utc() - age;
        self.next_update = None;
        self
    }

    /// With an extension that nobody knows, of the response as a whole.
    pub fn with_extension(mut self, critical: bool) -> Self {
        self.extension = Some((Place::Response, critical));
        self
    }

    /// With an extension that nobody knows, of what it says of the certificate.
    pub fn with_certificate_extension(mut self, critical: bool) -> Self {
        self.extension = Some((Place::Certificate, critical));
        self
    }

    /// With a signature that does not fit.
    pub fn damaged(mut self) -> Self {
        self.damaged = true;
        self
    }
}

/// The identity of a certificate in a request: hashes of its issuer's name and key, and its serial number, in DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CertId {
    pub(super) issuer_name_hash: Vec<u8>,
    pub(super) issuer_key_hash: Vec<u8>,
    pub(super) serial: Vec<u8>,
}

/// Reads the identity of the first certificate that `request` asks for.
pub(super) fn requested(request: &[u8]) -> Option<CertId> {
    let parsed = yasna::parse_der(request, |reader| {
        reader.read_sequence(|reader| {
            let ids = reader.next().read_sequence(|reader| {
                let ids = reader.next().collect_sequence_of(|reader| {
                    reader.read_sequence(|reader| {
                        let id = reader.next().read_sequence(read_cert_id)?;
                        // Extensions of the single request, and below those of the whole: such as a nonce.
                        reader.read_optional(|reader| reader.read_der())?;
                        Ok(id)
                    })
                })?;
                reader.read_optional(|reader| reader.read_der())?;
                Ok(ids)
            })?;
            Ok(ids)
        })
    });
    parsed.ok().and_then(|ids: Vec<CertId>| ids.into_iter().next())
}

fn read_cert_id(reader: &mut BERReaderSeq<'_, '_>) -> ASN1Result<CertId> {
    reader.next().read_sequence(|reader| {
        let algorithm = reader.next().read_oid()?;
        if algorithm.components().as_slice() != SHA1 {
            return Err(ASN1Error::new(ASN1ErrorKind::Invalid));
        }
        reader.next().read_null()
    })?;
    Ok(CertId {
        issuer_name_hash: reader.next().read_bytes()?,
        issuer_key_hash: reader.next().read_bytes()?,
        serial: reader.next().read_der()?,
    })
}

/// An answer about the certificate with this identity, in DER.
pub(super) fn respond(answer: &OcspAnswer, id: &CertId, authority: &KeyPair) -> Result<Vec<u8>, rcgen::Error> {
    let signer = answer.delegate.as_ref().map_or(authority, TlsCertificate::key);
    let data = construct_der(|writer| response_data(writer, answer, id, signer));
    let mut signature = signer.sign(&data)?;
    if answer.damaged {
        let middle = signature.len() / 2;
        signature[middle] ^= 1;
    }
    let basic = construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_der(&data);
            writer.next().write_sequence(|writer| signature_algorithm(writer, signer));
            writer.next().write_bitvec_bytes(&signature, signature.len() * 8);
            if let Some(delegate) = &answer.delegate {
                writer.next().write_tagged(Tag::context(0), |writer| {
                    writer.write_sequence(|writer| writer.next().write_der(delegate.der()));
                });
            }
        });
    });
    Ok(construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_enum(0);
            writer.next().write_tagged(Tag::context(0), |writer| {
                writer.write_sequence(|writer| {
                    writer.next().write_oid(&oid(BASIC));
                    writer.next().write_bytes(&basic);
                });
            });
        });
    }))
}

/// `tryLater`, in DER.
pub(super) fn try_later() -> Vec<u8> {
    construct_der(|writer| writer.write_sequence(|writer| writer.next().write_enum(3)))
}

fn response_data(writer: DERWriter<'_>, answer: &OcspAnswer, id: &CertId, signer: &KeyPair) {
    let time = |time: OffsetDateTime| GeneralizedTime::from_datetime(time.replace_nanosecond(0).unwrap_or(time));
    writer.write_sequence(|writer| {
        // The responder by its key.
        let key = sha1(signer.der_bytes());
        writer.next().write_tagged(Tag::context(2), |writer| writer.write_bytes(&key));
        writer.next().write_generalized_time(&time(answer.this_update));
        writer.next().write_sequence(|writer| {
            writer.next().write_sequence(|writer| {
                writer.next().write_sequence(|writer| {
                    writer.next().write_sequence(|writer| {
                        writer.next().write_oid(&oid(SHA1));
                        writer.next().write_null();
                    });
                    writer.next().write_bytes(&id.issuer_name_hash);
                    writer.next().write_bytes(&id.issuer_key_hash);
                    writer.next().write_der(&id.serial);
                });
                match answer.status {
                    OcspStatus::Good => {
                        writer.next().write_tagged_implicit(Tag::context(0), |writer| writer.write_null());
                    }
                    OcspStatus::Revoked => {
                        writer.next().write_tagged_implicit(Tag::context(1), |writer| {
                            writer.write_sequence(|writer| {
                                writer.next().write_generalized_time(&time(answer.this_update));
                            });
                        });
                    }
                    OcspStatus::Unknown => {
                        writer.next().write_tagged_implicit(Tag::context(2), |writer| writer.write_null());
                    }
                }
                writer.next().write_generalized_time(&time(answer.this_update));
                if let Some(next_update) = answer.next_update {
                    writer.next().write_tagged(Tag::context(0), |writer| {
                        writer.write_generalized_time(&time(next_update));
                    });
                }
                extensions(writer, answer, Place::Certificate);
            });
        });
        extensions(writer, answer, Place::Response);
    });
}

/// The extension of the answer, if it has one in this place.
fn extensions(writer: &mut yasna::DERWriterSeq<'_>, answer: &OcspAnswer, place: Place) {
    let Some((_, critical)) = answer.extension.filter(|(of, _)| *of == place) else { return };
    writer.next().write_tagged(Tag::context(1), |writer| {
        writer.write_sequence(|writer| {
            writer.next().write_sequence(|writer| {
                writer.next().write_oid(&oid(UNKNOWN_EXTENSION));
                if critical {
                    writer.next().write_bool(true);
                }
                writer.next().write_bytes(b"?");
            });
        });
    });
}

fn signature_algorithm(writer: &mut yasna::DERWriterSeq<'_>, key: &KeyPair) {
    if key.is_compatible(&rcgen::PKCS_RSA_SHA256) {
        writer.next().write_oid(&oid(RSA_SHA256));
        writer.next().write_null();
    } else {
        writer.next().write_oid(&oid(ECDSA_SHA256));
    }
}

fn oid(components: &[u64]) -> ObjectIdentifier {
    ObjectIdentifier::from_slice(components)
}

pub(super) fn sha1(bytes: &[u8]) -> Vec<u8> {
    use sha1::Digest;
    sha1::Sha1::digest(bytes).to_vec()
}
