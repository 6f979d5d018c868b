//! From options to rustls' configuration.

use std::{borrow::Cow, fs, path::Path, sync::Arc};

use mongo_actors_protocol::options::{ConfigError, Socks5Proxy, TlsOptions};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor},
    version::{TLS12, TLS13},
};
use webpki::{CertRevocationList, OwnedCertRevocationList};

use super::{
    identity,
    revocation::Revocation,
    verify::{ChainVerifier, ServerVerifier},
};

/// Builds the configuration that all connections share, and the verifier in it, which asks responders through `proxy` if
/// there is one.
pub(super) fn build(
    options: &TlsOptions,
    proxy: Option<&Socks5Proxy>,
) -> Result<(ClientConfig, Arc<ServerVerifier>), ConfigError> {
    // Not the process' default: what an application chooses for itself must not change how we connect.
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| invalid("tls", error))?;
    let chain =
        (!options.allows_invalid_certificates()).then(|| chain_verifier(options, proxy, &provider)).transpose()?;
    let verifier = Arc::new(ServerVerifier { algorithms: provider.signature_verification_algorithms, chain });
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier.clone());
    let config = match identity::read(options)? {
        None => builder.with_no_client_auth(),
        Some(identity) => builder.with_client_auth_cert(identity.chain, identity.key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                invalid("tlsCertificateKeyFile", "the private key does not belong to the certificate")
            }
            other => invalid("tlsCertificateKeyFile", other),
        })?,
    };
    Ok((config, verifier))
}

fn chain_verifier(
    options: &TlsOptions,
    proxy: Option<&Socks5Proxy>,
    provider: &CryptoProvider,
) -> Result<ChainVerifier, ConfigError> {
    let algorithms = provider.signature_verification_algorithms;
    let revocation_lists = revocation_lists(options)?;
    // Lists of the application's own settle the matter.
    let asks_responders = options.checks_ocsp_endpoint() && revocation_lists.is_empty();
    let (anchors, pinned) = anchors(options)?;
    Ok(ChainVerifier {
        anchors,
        pinned,
        revocation_lists,
        algorithms,
        check_names: !options.allows_invalid_hostnames(),
        revocation: options.checks_revocation().then(|| Revocation::new(algorithms, asks_responders, proxy.cloned())),
    })
}

/// Whom to trust, and which certificates that is taken from.
type Trusted = (Vec<TrustAnchor<'static>>, Vec<CertificateDer<'static>>);

/// The authorities that the options name, or else those of the platform.
fn anchors(options: &TlsOptions) -> Result<Trusted, ConfigError> {
    let bundle = match (&options.ca_pem, &options.ca_file) {
        (Some(pem), _) => Some((Source::Given, Cow::Borrowed(pem.as_bytes()))),
        (None, Some(path)) => Some((Source::File(path), read("tlsCAFile", path)?.into())),
        (None, None) => None,
    };
    match bundle {
        Some((source, pem)) => given_anchors(source, &pem),
        None => Ok((platform_anchors()?, Vec::new())),
    }
}

fn given_anchors(source: Source<'_>, pem: &[u8]) -> Result<Trusted, ConfigError> {
    let certificates = certificates("tlsCAFile", source, pem)?;
    if certificates.is_empty() {
        return Err(source.invalid("tlsCAFile", "there is no PEM certificate in it"));
    }
    let mut store = RootCertStore::empty();
    for (index, certificate) in certificates.iter().enumerate() {
        store.add(certificate.clone()).map_err(|error| {
            source.invalid("tlsCAFile", format!("certificate {} cannot be used: {error}", index + 1))
        })?;
    }
    Ok((store.roots, certificates))
}

fn platform_anchors() -> Result<Vec<TrustAnchor<'static>>, ConfigError> {
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    // A platform's store may hold certificates that nobody can use any more.
    let (usable, _) = store.add_parsable_certificates(found.certs);
    if usable > 0 {
        return Ok(store.roots);
    }
    let reason = found.errors.first().map_or_else(|| "it is empty".to_owned(), ToString::to_string);
    let reason = format!("the platform's trust store cannot be used ({reason}): name trusted certificates");
    Err(ConfigError::Configuration { options: vec!["tlsCAFile".into()], reason })
}

fn revocation_lists(options: &TlsOptions) -> Result<Vec<CertRevocationList<'static>>, ConfigError> {
    let Some(path) = options.crl_file.as_ref().filter(|_| options.checks_revocation()) else {
        return Ok(Vec::new());
    };
    let source = Source::File(path);
    let lists: Vec<CertificateRevocationListDer<'static>> = {
        let bytes = read("tlsCRLFile", path)?;
        match blocks("tlsCRLFile", source, &bytes)? {
            Some(blocks) => {
                let lists = blocks.into_iter().filter(|block| block.tag() == "X509 CRL");
                lists.map(|block| block.into_contents().into()).collect()
            }
            None => vec![bytes.into()],
        }
    };
    if lists.is_empty() {
        return Err(source.invalid("tlsCRLFile", "there is no revocation list in it"));
    }
    let parsed = lists.iter().map(|list| OwnedCertRevocationList::from_der(list).map(CertRevocationList::from));
    parsed.collect::<Result<_, _>>().map_err(|error| source.invalid("tlsCRLFile", error))
}

/// Where PEM came from, for errors.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// The application gave it.
    Given,
    File(&'a Path),
}

impl Source<'_> {
    pub(super) fn invalid(self, option: &'static str, reason: impl ToString) -> ConfigError {
        let reason = reason.to_string();
        match self {
            Self::Given => invalid(option, format!("the PEM given is of no use: {reason}")),
            Self::File(path) => invalid(option, format!("{} is of no use: {reason}", path.display())),
        }
    }
}

/// The certificates among the PEM blocks, in their order.
pub(super) fn certificates(
    option: &'static str,
    source: Source<'_>,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let blocks = blocks(option, source, pem)?.unwrap_or_default();
    let certificates = blocks.into_iter().filter(|block| block.tag() == "CERTIFICATE");
    Ok(certificates.map(|block| block.into_contents().into()).collect())
}

/// The PEM blocks in `bytes`; none when it is not PEM.
pub(super) fn blocks(
    option: &'static str,
    source: Source<'_>,
    bytes: &[u8],
) -> Result<Option<Vec<pem::Pem>>, ConfigError> {
    let blocks = pem::parse_many(bytes).map_err(|error| source.invalid(option, error))?;
    Ok(Some(blocks).filter(|blocks| !blocks.is_empty()))
}

pub(super) fn read(option: &'static str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    fs::read(path).map_err(|error| invalid(option, format!("{} cannot be read: {error}", path.display())))
}

fn invalid(option: &'static str, reason: impl ToString) -> ConfigError {
    ConfigError::Configuration { options: vec![option.into()], reason: format!("{option}: {}", reason.to_string()) }
}
