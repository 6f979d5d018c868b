//! TLS settings.

use std::path::{Path, PathBuf};

use crate::auth::secret::Secret;

/// How TLS connections are made. Files are read when the client is built, not before.
///
/// What is not set keeps its secure default: the platform's trust store, certificates and host names checked,
/// revocation checked where possible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsOptions {
    /// File of PEM certificates that replaces the platform's trust store.
    pub ca_file: Option<PathBuf>,
    /// PEM certificates that replace the platform's trust store; goes before `ca_file`.
    pub ca_pem: Option<String>,
    /// File with the client's PEM certificate chain and, unless `key_file` is given, its private key.
    pub cert_key_file: Option<PathBuf>,
    /// The client's PEM certificate chain and private key; goes before `cert_key_file`.
    pub cert_key_pem: Option<Secret>,
    /// File with the private key of the certificates in `cert_key_file`, if it is kept apart.
    pub key_file: Option<PathBuf>,
    /// Password of the private key.
    pub cert_key_password: Option<Secret>,
    /// File of certificate revocation lists, PEM or DER.
    pub crl_file: Option<PathBuf>,
    /// Sets the three flags below to its value. Cannot be combined with any of them.
    pub insecure: Option<bool>,
    /// Skips all checks of the server's certificate.
    pub allow_invalid_certificates: Option<bool>,
    /// Accepts a valid certificate of another host.
    pub allow_invalid_hostnames: Option<bool>,
    /// Never contacts an OCSP responder; stapled answers count still.
    pub disable_ocsp_endpoint_check: Option<bool>,
    /// Checks neither OCSP nor revocation lists.
    pub disable_certificate_revocation_check: Option<bool>,
}

impl TlsOptions {
    /// Secure defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Neither certificates nor host names are checked. For tests only.
    pub fn insecure() -> Self {
        Self { insecure: Some(true), ..Self::default() }
    }

    /// The same with a file of trusted certificates.
    #[must_use]
    pub fn with_ca_file(mut self, file: impl AsRef<Path>) -> Self {
        self.ca_file = Some(file.as_ref().to_owned());
        self
    }

    /// The same with trusted certificates in PEM.
    #[must_use]
    pub fn with_ca_pem(mut self, pem: impl Into<String>) -> Self {
        self.ca_pem = Some(pem.into());
        self
    }

    /// The same with a file of the client's certificate and key.
    #[must_use]
    pub fn with_cert_key_file(mut self, file: impl AsRef<Path>) -> Self {
        self.cert_key_file = Some(file.as_ref().to_owned());
        self
    }

    /// The same with the client's certificate and key in PEM.
    #[must_use]
    pub fn with_cert_key_pem(mut self, pem: impl Into<Secret>) -> Self {
        self.cert_key_pem = Some(pem.into());
        self
    }

    /// The same with the password of the client's key.
    #[must_use]
    pub fn with_cert_key_password(mut self, password: impl Into<Secret>) -> Self {
        self.cert_key_password = Some(password.into());
        self
    }

    /// The same with a file of certificate revocation lists.
    #[must_use]
    pub fn with_crl_file(mut self, file: impl AsRef<Path>) -> Self {
        self.crl_file = Some(file.as_ref().to_owned());
        self
    }

    /// The same, with or without any check of the server's certificate.
    #[must_use]
    pub fn with_allow_invalid_certificates(mut self, allow: bool) -> Self {
        self.allow_invalid_certificates = Some(allow);
        self
    }

    /// The same, with or without the check that the server's certificate is that of its host.
    #[must_use]
    pub fn with_allow_invalid_hostnames(mut self, allow: bool) -> Self {
        self.allow_invalid_hostnames = Some(allow);
        self
    }

    /// Whether the server's certificate is not checked.
    pub fn allows_invalid_certificates(&self) -> bool {
        self.flag(self.allow_invalid_certificates)
    }

    /// Whether the server's certificate may be that of another host.
    pub fn allows_invalid_hostnames(&self) -> bool {
        self.flag(self.allow_invalid_hostnames)
    }

    /// Whether OCSP responders may be contacted.
    pub fn checks_ocsp_endpoint(&self) -> bool {
        !self.flag(self.disable_ocsp_endpoint_check) && self.checks_revocation()
    }

    /// Whether revocation is checked at all.
    pub fn checks_revocation(&self) -> bool {
        self.disable_certificate_revocation_check != Some(true) && !self.allows_invalid_certificates()
    }

    fn flag(&self, flag: Option<bool>) -> bool {
        flag.or(self.insecure).unwrap_or(false)
    }

    /// The given options that ask for TLS by being there, by their names in a connection string.
    pub(super) fn implying(&self) -> Vec<&'static str> {
        [
            ("tlsCAFile", self.ca_file.is_some() || self.ca_pem.is_some()),
            ("tlsCertificateKeyFile", self.cert_key_file.is_some() || self.cert_key_pem.is_some()),
            ("tlsCertificateKeyFile", self.key_file.is_some() && self.cert_key_file.is_none()),
            ("tlsCertificateKeyFilePassword", self.cert_key_password.is_some()),
            ("tlsCRLFile", self.crl_file.is_some()),
            ("tlsAllowInvalidCertificates", self.allow_invalid_certificates == Some(false)),
            ("tlsAllowInvalidHostnames", self.allow_invalid_hostnames == Some(false)),
            ("tlsDisableOCSPEndpointCheck", self.disable_ocsp_endpoint_check == Some(false)),
            ("tlsDisableCertificateRevocationCheck", self.disable_certificate_revocation_check == Some(false)),
        ]
        .into_iter()
        .filter_map(|(name, implies)| implies.then_some(name))
        .collect()
    }
}
