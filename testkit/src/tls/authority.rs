//! An authority that issues certificates.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData, RevocationReason, RevokedCertParams, SerialNumber,
};
use time::{Duration, OffsetDateTime};

use super::{
    certificate::{CertificateSpec, TlsCertificate},
    der,
    ocsp::{self, CertId},
};
use crate::{
    error::{Error, Result},
    process::Directory,
};

/// Keys that everybody knows, as `ring` does not make RSA keys.
mod rsa {
    pub(super) const ROOT: &str = include_str!("keys/rsa-1.pem");
    pub(super) const SUBJECT: &str = include_str!("keys/rsa-2.pem");
    pub(super) const INTERMEDIATE: &str = include_str!("keys/rsa-3.pem");
    /// Of its own, because OpenSSL finds the signer of an answer by its key.
    pub(super) const DELEGATE: &str = include_str!("keys/rsa-4.pem");
}

/// An authority that issues certificates for tests, and revokes them.
///
/// Its files, and those of the certificates it has issued, are removed when the last of them is dropped.
///
/// ```
/// use mongo_actors_testkit::{CertificateSpec, TlsAuthority};
///
/// # fn main() -> mongo_actors_testkit::Result<()> {
/// let authority = TlsAuthority::new()?;
/// let server = authority.issue(CertificateSpec::server())?;
/// let list = authority.revocation_list(&[&server])?;
/// assert!(authority.ca_file().is_file() && server.file().is_file() && list.is_file());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct TlsAuthority(Arc<Inner>);

struct Inner {
    params: CertificateParams,
    key: KeyPair,
    certificate: Certificate,
    /// Certificates from this authority's own issuer up to, but without, the root.
    chain: Vec<String>,
    ca_file: PathBuf,
    rsa: bool,
    files: Arc<Files>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsAuthority").field("ca_file", &self.ca_file).field("rsa", &self.rsa).finish_non_exhaustive()
    }
}

/// Where the files of an authority are.
#[derive(Debug)]
pub(super) struct Files {
    directory: Directory,
    written: AtomicU64,
}

impl Files {
    /// Writes a new file.
    pub(super) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> Result<PathBuf> {
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.path().join(format!("{number}-{name}"));
        fs::write(&path, contents).map_err(Error::system("a file of the TLS authority"))?;
        Ok(path)
    }
}

pub(super) fn refused(error: rcgen::Error) -> Error {
    Error::System { what: "a certificate".into(), source: io::Error::other(error) }
}

impl TlsAuthority {
    /// An authority with an ECDSA key on P-256, which issues certificates with such keys.
    ///
    /// # Errors
    /// [`Error::System`] when its files cannot be written.
    pub fn new() -> Result<Self> {
        Self::root(KeyPair::generate().map_err(refused)?, false)
    }

    /// An authority with an RSA key of 2048 bits, which issues certificates with such keys.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn rsa() -> Result<Self> {
        Self::root(KeyPair::from_pem(rsa::ROOT).map_err(refused)?, true)
    }

    fn root(key: KeyPair, rsa: bool) -> Result<Self> {
        let params = Self::params("mongo-actors test authority");
        let certificate = params.self_signed(&key).map_err(refused)?;
        let files = Arc::new(Files { directory: Directory::create()?, written: AtomicU64::new(0) });
        let ca_file = files.write("ca.pem", certificate.pem())?;
        Ok(Self(Arc::new(Inner { params, key, certificate, chain: Vec::new(), ca_file, rsa, files })))
    }

    fn params(name: &str) -> CertificateParams {
        // So that it can be a server's as well.
        let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap_or_default();
        params.distinguished_name = Default::default();
        params.distinguished_name.push(DnType::OrganizationName, "mongo-actors");
        // Two authorities must not take each other for the same.
        let number: u32 = rand::random();
        params.distinguished_name.push(DnType::CommonName, format!("{name} {number:08x}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        params.not_before = OffsetDateTime::now_utc() - Duration::DAY;
        params.not_after = OffsetDateTime::now_utc() + Duration::days(3650);
        params
    }

    /// An authority below this one. Servers send its certificate along with theirs.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn intermediate(&self) -> Result<Self> {
        let key = match self.0.rsa {
            true => KeyPair::from_pem(rsa::INTERMEDIATE).map_err(refused)?,
            false => KeyPair::generate().map_err(refused)?,
        };
        let params = Self::params("mongo-actors intermediate authority");
        let certificate = params.signed_by(&key, &self.issuer()).map_err(refused)?;
        let mut chain = vec![certificate.pem()];
        chain.extend(self.0.chain.iter().cloned());
        let (ca_file, files) = (self.0.ca_file.clone(), self.0.files.clone());
        Ok(Self(Arc::new(Inner { params, key, certificate, chain, ca_file, rsa: self.0.rsa, files })))
    }

    /// The authority's own certificate, for a server that shows it: as people make with `openssl req -x509`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn own_certificate(&self) -> Result<TlsCertificate> {
        let key = KeyPair::from_pem(&self.0.key.serialize_pem()).map_err(refused)?;
        TlsCertificate::new(&self.0.params, &self.0.certificate, key, &self.0.chain, self.0.files.clone())
    }

    /// The file with the root's certificate, for `tlsCAFile`.
    pub fn ca_file(&self) -> &Path {
        &self.0.ca_file
    }

    /// The root's certificate in PEM.
    ///
    /// # Errors
    /// [`Error::System`] when its file is gone.
    pub fn ca_pem(&self) -> Result<String> {
        fs::read_to_string(&self.0.ca_file).map_err(Error::system("the certificate of the TLS authority"))
    }

    /// Issues a certificate, whose key is new unless `spec` has one.
    ///
    /// # Errors
    /// [`Error::System`] when a name is no DNS name, or a file cannot be written.
    pub fn issue(&self, spec: CertificateSpec) -> Result<TlsCertificate> {
        let key = match (&spec.key_pem, self.0.rsa) {
            (Some(pem), _) => KeyPair::from_pem(pem),
            (None, true) if spec.is_delegate() => KeyPair::from_pem(rsa::DELEGATE),
            (None, true) => KeyPair::from_pem(rsa::SUBJECT),
            (None, false) => KeyPair::generate(),
        };
        let key = key.map_err(refused)?;
        let params = spec.params()?;
        let certificate = params.signed_by(&key, &self.issuer()).map_err(refused)?;
        TlsCertificate::new(&params, &certificate, key, &self.0.chain, self.0.files.clone())
    }

    /// Writes a revocation list in PEM with these certificates, which holds for a day.
    ///
    /// # Errors
    /// [`Error::System`] when the file cannot be written.
    pub fn revocation_list(&self, revoked: &[&TlsCertificate]) -> Result<PathBuf> {
        let list = self.list(revoked, OffsetDateTime::now_utc() + Duration::DAY)?;
        self.0.files.write("crl.pem", list.pem().map_err(refused)?)
    }

    /// The same in DER.
    ///
    /// # Errors
    /// As [`revocation_list`](Self::revocation_list).
    pub fn revocation_list_der(&self, revoked: &[&TlsCertificate]) -> Result<PathBuf> {
        let list = self.list(revoked, OffsetDateTime::now_utc() + Duration::DAY)?;
        self.0.files.write("crl.der", list.der())
    }

    /// A revocation list that should have been replaced an hour ago.
    ///
    /// # Errors
    /// As [`revocation_list`](Self::revocation_list).
    pub fn stale_revocation_list(&self, revoked: &[&TlsCertificate]) -> Result<PathBuf> {
        let list = self.list(revoked, OffsetDateTime::now_utc() - Duration::HOUR)?;
        self.0.files.write("crl.pem", list.pem().map_err(refused)?)
    }

    fn list(
        &self,
        revoked: &[&TlsCertificate],
        next_update: OffsetDateTime,
    ) -> Result<rcgen::CertificateRevocationList> {
        let this_update = next_update - Duration::days(2);
        let entries = revoked.iter().map(|certificate| RevokedCertParams {
            serial_number: SerialNumber::from_slice(certificate.serial()),
            revocation_time: this_update,
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: entries.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer()).map_err(refused)
    }

    pub(super) fn key(&self) -> &KeyPair {
        &self.0.key
    }

    /// How requests of the Online Certificate Status Protocol name a certificate of this authority.
    pub(super) fn cert_id(&self, certificate: &TlsCertificate) -> CertId {
        CertId {
            issuer_name_hash: ocsp::sha1(&der::name(&self.0.params.distinguished_name)),
            issuer_key_hash: ocsp::sha1(self.0.key.der_bytes()),
            serial: der::positive_integer(certificate.serial()),
        }
    }

    pub(super) fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.0.params, &self.0.key)
    }
}
