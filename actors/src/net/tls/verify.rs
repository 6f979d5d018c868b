//! Whether a server is the one we want to talk to.

use std::{sync::Arc, time::Duration};

use mongo_actors_protocol::ocsp::CheckedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime},
};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, RevocationCheckDepth, RevocationOptionsBuilder,
    UnknownStatusPolicy, VerifiedPath,
};

use super::revocation::{Revocation, RevocationFault};

/// Sees that a server owns the certificate that it shows, and that the certificate is good enough.
#[derive(Debug)]
pub(super) struct ServerVerifier {
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    /// None takes any certificate, as `tlsAllowInvalidCertificates` asks.
    pub(super) chain: Option<ChainVerifier>,
}

/// Checks the chain of certificates, revocation lists and the host name.
#[derive(Debug)]
pub(super) struct ChainVerifier {
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    /// Certificates that the options name as trusted, which a server may also show as its own.
    pub(super) pinned: Vec<CertificateDer<'static>>,
    /// If there are any, one of them must cover the server's certificate.
    pub(super) revocation_lists: Vec<CertRevocationList<'static>>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    pub(super) check_names: bool,
    /// None when revocation is not to be checked.
    pub(super) revocation: Option<Revocation>,
}

impl ChainVerifier {
    /// Finds out whether the server's certificate, the first of the chain that it has sent, was revoked.
    pub(super) async fn check_revocation(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
        limit: Duration,
    ) -> Result<(), Error> {
        let (Some(revocation), Some((end_entity, intermediates))) = (&self.revocation, chain.split_first()) else {
            return Ok(());
        };
        let certificate = EndEntityCert::try_from(end_entity).map_err(certificate_error)?;
        let checked = checked(end_entity, &self.issuer_key(&certificate, intermediates, now)?)?;
        revocation.check(&checked, now, limit).await.map_err(revocation_error)
    }

    fn verify(&self, shown: &Shown<'_>, server_name: &ServerName<'_>, now: UnixTime) -> Result<(), Error> {
        let Shown { end_entity, intermediates, ocsp_response } = *shown;
        let certificate = EndEntityCert::try_from(end_entity).map_err(certificate_error)?;
        let issuer_key = self.issuer_key(&certificate, intermediates, now)?;
        if self.check_names {
            certificate.verify_is_valid_for_subject_name(server_name).map_err(certificate_error)?;
        }
        if let Some(revocation) = &self.revocation {
            let checked = checked(end_entity, &issuer_key)?;
            revocation.check_staple(&checked, ocsp_response, now).map_err(revocation_error)?;
        }
        Ok(())
    }

    /// Verifies the server's certificate and returns the key it was signed with.
    fn issuer_key(
        &self,
        certificate: &EndEntityCert<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Vec<u8>, Error> {
        match self.path(certificate, intermediates, now) {
            Ok(path) => Ok(path.issuer_spki().to_vec()),
            // What `openssl req -x509` makes for a server says that it is an authority, and has signed itself.
            Err(webpki::Error::CaUsedAsEndEntity) if self.is_pinned(certificate) => {
                let own_key = certificate.subject_public_key_info();
                match checked(&certificate.der(), &own_key)?.is_valid_at(now) {
                    true => Ok(own_key.to_vec()),
                    false => Err(Error::InvalidCertificate(CertificateError::Expired)),
                }
            }
            Err(error) => Err(certificate_error(error)),
        }
    }

    /// Whether the very certificate is trusted. Lists cannot cover one that has signed itself.
    fn is_pinned(&self, certificate: &EndEntityCert<'_>) -> bool {
        self.revocation_lists.is_empty() && self.pinned.contains(&certificate.der())
    }

    /// Finds a way from the server's certificate to a trusted one.
    fn path<'a>(
        &'a self,
        certificate: &'a EndEntityCert<'a>,
        intermediates: &'a [CertificateDer<'a>],
        now: UnixTime,
    ) -> Result<VerifiedPath<'a>, webpki::Error> {
        let lists: Vec<_> = self.revocation_lists.iter().collect();
        // Without lists there is nothing to check them for.
        let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
            options
                .with_depth(RevocationCheckDepth::EndEntity)
                .with_status_policy(UnknownStatusPolicy::Deny)
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build()
        });
        let usage = KeyUsage::server_auth();
        certificate.verify_for_usage(self.algorithms.all, &self.anchors, intermediates, now, usage, revocation, None)
    }
}

/// What a server shows of itself in the handshake.
struct Shown<'a> {
    end_entity: &'a CertificateDer<'a>,
    intermediates: &'a [CertificateDer<'a>],
    ocsp_response: &'a [u8],
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(chain) = &self.chain {
            chain.verify(&Shown { end_entity, intermediates, ocsp_response }, server_name, now)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The certificate together with what is known of its issuer.
fn checked(certificate: &CertificateDer<'_>, issuer_key: &[u8]) -> Result<CheckedCertificate, Error> {
    CheckedCertificate::read(certificate, issuer_key).map_err(other_error)
}

/// The error in rustls' terms, which decide the alert that the server gets to see.
fn certificate_error(error: webpki::Error) -> Error {
    use webpki::Error as Fault;

    Error::InvalidCertificate(match error {
        Fault::BadDer | Fault::BadDerTime | Fault::TrailingData(_) => CertificateError::BadEncoding,
        Fault::CertExpired { time, not_after } => CertificateError::ExpiredContext { time, not_after },
        Fault::CertNotValidYet { time, not_before } => CertificateError::NotValidYetContext { time, not_before },
        Fault::CertNotValidForName(name) => {
            CertificateError::NotValidForNameContext { expected: name.expected, presented: name.presented }
        }
        Fault::CertRevoked => CertificateError::Revoked,
        Fault::CrlExpired { time, next_update } => CertificateError::ExpiredRevocationListContext { time, next_update },
        Fault::UnknownIssuer => CertificateError::UnknownIssuer,
        Fault::UnknownRevocationStatus => CertificateError::UnknownRevocationStatus,
        Fault::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        other => return other_error(UnfitCertificate(other)),
    })
}

fn revocation_error(fault: RevocationFault) -> Error {
    match fault {
        RevocationFault::Revoked => Error::InvalidCertificate(CertificateError::Revoked),
        other => other_error(other),
    }
}

fn other_error(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
}

/// A certificate that rustls has no word for.
#[derive(Debug, thiserror::Error)]
#[error("its certificate cannot be used: {0}")]
struct UnfitCertificate(webpki::Error);
