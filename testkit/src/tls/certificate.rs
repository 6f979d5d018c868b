//! What is in a certificate.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{
    Certificate, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    SerialNumber,
};
use time::{Duration, OffsetDateTime};

use super::{
    authority::{Files, refused},
    der,
};
use crate::error::Result;

/// What a certificate is to say. Unless told otherwise it is valid since yesterday and for a year.
#[derive(Clone, Debug)]
#[must_use]
pub struct CertificateSpec {
    pub(super) common_name: String,
    unit: &'static str,
    names: Vec<String>,
    usages: Vec<ExtendedKeyUsagePurpose>,
    valid_from: OffsetDateTime,
    valid_until: OffsetDateTime,
    responders: Vec<String>,
    must_staple: bool,
    pub(super) key_pem: Option<String>,
}

impl CertificateSpec {
    fn new(common_name: &str, unit: &'static str, usages: &[ExtendedKeyUsagePurpose]) -> Self {
        let now = OffsetDateTime::now_utc();
        Self {
            common_name: common_name.to_owned(),
            unit,
            names: Vec::new(),
            usages: usages.to_vec(),
            valid_from: now - Duration::DAY,
            valid_until: now + Duration::days(365),
            responders: Vec::new(),
            must_staple: false,
            key_pem: None,
        }
    }

    /// A server's, valid for `localhost`, `127.0.0.1` and `::1`. Also good for members of a replica set among
    /// themselves.
    pub fn server() -> Self {
        let usages = [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        Self::new("localhost", "servers", &usages).names(["localhost", "127.0.0.1", "::1"])
    }

    /// A client's.
    pub fn client(name: &str) -> Self {
        Self::new(name, "clients", &[ExtendedKeyUsagePurpose::ClientAuth])
    }

    /// That of somebody who may answer for the authority which certificates are revoked.
    pub fn ocsp_delegate() -> Self {
        Self::new("delegate", "responders", &[ExtendedKeyUsagePurpose::OcspSigning])
    }

    /// Valid for these DNS names and IP addresses only.
    pub fn names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Valid until an hour ago.
    pub fn expired(mut self) -> Self {
        self.valid_until = OffsetDateTime::now_utc() - Duration::HOUR;
        self
    }

    /// Valid from tomorrow on.
    pub fn not_yet_valid(mut self) -> Self {
        self.valid_from = OffsetDateTime::now_utc() + Duration::DAY;
        self
    }

    /// Names a responder of the Online Certificate Status Protocol. May be called several times.
    pub fn responder(mut self, url: impl Into<String>) -> Self {
        self.responders.push(url.into());
        self
    }

    /// Demands that servers staple the responder's answer.
    pub fn must_staple(mut self) -> Self {
        self.must_staple = true;
        self
    }

    /// For this private key, unencrypted PKCS#8 in PEM, instead of a new one.
    pub fn key_pem(mut self, pem: impl Into<String>) -> Self {
        self.key_pem = Some(pem.into());
        self
    }

    pub(super) fn is_delegate(&self) -> bool {
        self.usages.contains(&ExtendedKeyUsagePurpose::OcspSigning)
    }

    pub(super) fn params(&self) -> Result<CertificateParams> {
        let mut params = CertificateParams::new(self.names.clone()).map_err(refused)?;
        params.distinguished_name = Default::default();
        params.distinguished_name.push(DnType::OrganizationName, "mongo-actors");
        params.distinguished_name.push(DnType::OrganizationalUnitName, self.unit);
        params.distinguished_name.push(DnType::CommonName, self.common_name.as_str());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = self.usages.clone();
        params.not_before = self.valid_from;
        params.not_after = self.valid_until;
        params.use_authority_key_identifier_extension = true;
        // Positive, whatever the first byte.
        let mut serial = [0; 16];
        rand::RngCore::fill_bytes(&mut rand::rng(), &mut serial);
        serial[0] = serial[0] & 0x7f | 0x40;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        if !self.responders.is_empty() {
            params.custom_extensions.push(der::authority_information_access(&self.responders));
        }
        if self.must_staple {
            // The TLS feature status_request, which is number 5 (RFC 7633).
            params
                .custom_extensions
                .push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 24], vec![0x30, 3, 2, 1, 5]));
        }
        Ok(params)
    }
}

/// A certificate with its chain and its key.
#[derive(Clone, Debug)]
pub struct TlsCertificate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    der: Vec<u8>,
    serial: Vec<u8>,
    subject: String,
    chain_pem: String,
    key: KeyPair,
    file: PathBuf,
    files: Arc<Files>,
}

impl TlsCertificate {
    pub(super) fn new(
        params: &CertificateParams,
        certificate: &Certificate,
        key: KeyPair,
        chain: &[String],
        files: Arc<Files>,
    ) -> Result<Self> {
        let mut chain_pem = certificate.pem();
        chain_pem.extend(chain.iter().map(String::as_str));
        let file = files.write("certificate.pem", format!("{chain_pem}{}", key.serialize_pem()))?;
        let serial = params.serial_number.as_ref().map(SerialNumber::to_bytes).unwrap_or_default();
        let subject = subject(params);
        Ok(Self(Arc::new(Inner { der: certificate.der().to_vec(), serial, subject, chain_pem, key, file, files })))
    }

    /// The file with the certificate, those of the authorities between it and the root, and the key, all in PEM: for
    /// `tlsCertificateKeyFile`.
    pub fn file(&self) -> &Path {
        &self.0.file
    }

    /// Writes a file with the certificate and this text, for example its key in another form.
    ///
    /// # Errors
    /// [`Error::System`](crate::Error::System) when it cannot be written.
    pub fn file_with(&self, key_pem: &str) -> Result<PathBuf> {
        self.0.files.write("certificate.pem", format!("{}{key_pem}", self.0.chain_pem))
    }

    /// Writes a file with this text beside those of the certificate.
    ///
    /// # Errors
    /// As [`file_with`](Self::file_with).
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        self.0.files.write(name, text)
    }

    /// The certificate and those of the authorities between it and the root, in PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.0.chain_pem
    }

    /// The key, unencrypted PKCS#8 in PEM.
    pub fn key_pem(&self) -> String {
        self.0.key.serialize_pem()
    }

    /// The certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The serial number, most significant byte first.
    pub fn serial(&self) -> &[u8] {
        &self.0.serial
    }

    pub(super) fn key(&self) -> &KeyPair {
        &self.0.key
    }

    /// The subject as RFC 2253 writes it, which is the user name of MONGODB-X509.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }
}

fn subject(params: &CertificateParams) -> String {
    let mut parts: Vec<_> = params
        .distinguished_name
        .iter()
        .filter_map(|(kind, value)| {
            let rcgen::DnValue::Utf8String(value) = value else { return None };
            let name = match kind {
                DnType::OrganizationName => "O",
                DnType::OrganizationalUnitName => "OU",
                DnType::CommonName => "CN",
                _ => return None,
            };
            Some(format!("{name}={value}"))
        })
        .collect();
    parts.reverse();
    parts.join(",")
}
