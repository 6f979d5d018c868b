//! The client's own certificate and key.

use std::path::Path;

use mongo_actors_protocol::options::{ConfigError, TlsOptions};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::{
    config::{self, Source, blocks, certificates},
    key,
};

const OPTION: &str = "tlsCertificateKeyFile";

/// A certificate chain, the client's own certificate first, and its private key.
pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

/// Reads the identity that the options name, if they do.
pub(super) fn read(options: &TlsOptions) -> Result<Option<Identity>, ConfigError> {
    let (source, pem) = match (&options.cert_key_pem, &options.cert_key_file, &options.key_file) {
        (Some(pem), _, _) => (Source::Given, Zeroizing::new(pem.expose().as_bytes().to_vec())),
        (None, Some(path), _) => (Source::File(path), file(path)?),
        (None, None, Some(path)) => {
            let reason = "this key has no certificate: name its certificate with tlsCertificateKeyFile";
            return Err(Source::File(path).invalid(OPTION, reason));
        }
        (None, None, None) => return Ok(None),
    };
    let chain = certificates(OPTION, source, &pem)?;
    if chain.is_empty() {
        return Err(source.invalid(OPTION, "there is no PEM certificate in it"));
    }
    let key = match &options.key_file {
        Some(path) if options.cert_key_pem.is_none() => private_key(Source::File(path), &file(path)?, options)?,
        _ => private_key(source, &pem, options)?,
    };
    Ok(Some(Identity { chain, key }))
}

fn file(path: &Path) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    config::read(OPTION, path).map(Zeroizing::new)
}

fn private_key(source: Source<'_>, pem: &[u8], options: &TlsOptions) -> Result<PrivateKeyDer<'static>, ConfigError> {
    let blocks = blocks(OPTION, source, pem)?.unwrap_or_default();
    let block = blocks.into_iter().find(|block| block.tag().ends_with("PRIVATE KEY"));
    let block = block.ok_or_else(|| source.invalid(OPTION, "there is no PEM private key in it"))?;
    let password = options.cert_key_password.as_ref().map(|password| password.expose().as_bytes());
    key::read(block, password).map_err(|fault| source.invalid(fault.option(), fault))
}
