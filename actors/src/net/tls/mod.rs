//! TLS over any transport, with rustls.
//!
//! What the options name is read and checked once, when the client is built. A connection then takes part in one
//! handshake; the sessions it gets are resumed by later ones.

mod config;
mod identity;
mod key;
mod revocation;
mod stream;
#[cfg(test)]
mod tests;
mod verify;

use std::{fmt, io, sync::Arc, time::Duration};

use mongo_actors_protocol::{
    address::ServerAddress,
    options::{ConfigError, Socks5Proxy, TlsOptions},
};
use rustls::{
    ClientConfig,
    pki_types::{DnsName, ServerName, UnixTime},
};
use tokio_rustls::TlsConnector;

use self::{stream::Encrypted, verify::ServerVerifier};
use super::BoxedTransport;

/// For how long responders are waited for, if there is time.
const RESPONDER_LIMIT: Duration = Duration::from_secs(5);

/// What all TLS connections of one client have in common.
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    verifier: Arc<ServerVerifier>,
    /// For how long the responders of a certificate are waited for.
    responder_limit: Duration,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

/// Why a TLS connection was not made.
#[derive(Debug)]
pub(crate) enum TlsFault {
    /// The socket failed.
    Io(io::Error),
    /// The two sides do not agree, or the certificate will not do.
    Refused(String),
}

impl Tls {
    /// Reads and checks what the options name. Responders are asked through `proxy` if there is one.
    ///
    /// # Errors
    /// [`ConfigError`] names the option, the file and what is wrong with it.
    pub(crate) fn new(
        options: &TlsOptions,
        proxy: Option<&Socks5Proxy>,
        connect_timeout: Option<Duration>,
    ) -> Result<Self, ConfigError> {
        let (config, verifier) = config::build(options, proxy)?;
        // A responder that stays silent must not use up the time for the connection.
        let share = connect_timeout.map(|limit| limit / 2);
        let responder_limit = share.map_or(RESPONDER_LIMIT, |share| share.min(RESPONDER_LIMIT));
        Ok(Self { config: Arc::new(config), verifier, responder_limit })
    }

    /// Shakes hands with the server at `address`, which `transport` leads to. The caller limits the time.
    pub(crate) async fn secure(
        &self,
        transport: BoxedTransport,
        address: &ServerAddress,
    ) -> Result<BoxedTransport, TlsFault> {
        let connector = TlsConnector::from(self.config.clone());
        let stream = connector.connect(server_name(address)?, transport).await.map_err(fault)?;
        if let Some(verifier) = &self.verifier.chain {
            // A resumed session has its certificates from the one before; they may have been revoked since.
            let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let checked = verifier.check_revocation(chain, UnixTime::now(), self.responder_limit).await;
            checked.map_err(|refusal| TlsFault::Refused(describe(&refusal)))?;
        }
        Ok(Box::new(Encrypted::new(stream)))
    }
}

/// The name that the server's certificate must be valid for, and that tells the server which certificate to show.
fn server_name(address: &ServerAddress) -> Result<ServerName<'static>, TlsFault> {
    match address {
        ServerAddress::Tcp { host, .. } => ServerName::try_from(host.to_string()).map_err(|_| {
            TlsFault::Refused(format!("\"{host}\" is no name that a certificate can be valid for: use a DNS name"))
        }),
        // Whoever listens there is on this host.
        _ => {
            let local = DnsName::try_from_str("localhost").map_err(|error| TlsFault::Refused(error.to_string()))?;
            Ok(ServerName::DnsName(local))
        }
    }
}

fn fault(error: io::Error) -> TlsFault {
    match refusal(&error) {
        Some(reason) => TlsFault::Refused(reason),
        None => TlsFault::Io(error),
    }
}

/// What TLS has to say against the connection, if that is what the error is about.
fn refusal(error: &io::Error) -> Option<String> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).map(describe)
}

/// A fault of TLS after the handshake; with TLS 1.3 a server judges the client's certificate only then.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct TlsRefusal(pub(crate) String);

/// The error as a sentence about what to do.
fn describe(error: &rustls::Error) -> String {
    use rustls::{AlertDescription, CertificateError, Error};

    let hint = match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "its certificate is not signed by a trusted authority: name the authority's certificates with tlsCAFile"
        }
        Error::InvalidCertificate(CertificateError::Revoked) => "its certificate is revoked",
        Error::InvalidCertificate(CertificateError::UnknownRevocationStatus) => {
            "no list in tlsCRLFile covers its certificate: add the list of the authority that issued it"
        }
        Error::InvalidCertificate(CertificateError::ExpiredRevocationListContext { .. }) => {
            "the list in tlsCRLFile that covers its certificate has expired: fetch a newer one"
        }
        Error::InvalidCertificate(CertificateError::Other(other)) => return other.to_string(),
        Error::InvalidMessage(_) => "it does not seem to speak TLS: connect with tls=false, or ask its administrator",
        Error::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure) => {
            "it may demand a client certificate: name one with tlsCertificateKeyFile"
        }
        Error::AlertReceived(
            AlertDescription::UnknownCA | AlertDescription::BadCertificate | AlertDescription::CertificateUnknown,
        ) => "it rejects the certificate in tlsCertificateKeyFile",
        _ => return error.to_string(),
    };
    format!("{hint} ({error})")
}
