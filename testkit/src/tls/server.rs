//! Servers that speak TLS.

use std::{ffi::OsString, io, path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, HandshakeKind, ProtocolVersion, RootCertStore, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::{
    authority::TlsAuthority,
    certificate::{CertificateSpec, TlsCertificate},
    stream::Stream,
};
use crate::error::{Error, Result};

static BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
static ONLY_TLS12: &[&SupportedProtocolVersion] = &[&TLS12];
static ONLY_TLS13: &[&SupportedProtocolVersion] = &[&TLS13];

/// How servers of a deployment, or a pretended one, speak TLS: they accept nothing else.
///
/// The connection strings of the deployment ask for TLS and trust the authority; they name a client certificate if
/// the servers demand one.
///
/// ```no_run
/// # async fn example() -> mongo_actors_testkit::Result<()> {
/// use mongo_actors_testkit::{ReplicaSet, ServerTls, TlsAuthority};
///
/// let authority = TlsAuthority::new()?;
/// let tls = ServerTls::new(&authority)?.require_client_certificates();
/// let set = ReplicaSet::builder(3).auth("user", "secret").tls(tls).start().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ServerTls {
    authority: TlsAuthority,
    certificate: TlsCertificate,
    /// The kit's own, which connection strings name if servers demand one.
    client: TlsCertificate,
    require_client_certificates: bool,
    staple: Vec<u8>,
    versions: &'static [&'static SupportedProtocolVersion],
}

/// What was agreed on in a TLS handshake with a pretended server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Handshake {
    /// The host name that the client asked for (SNI).
    pub server_name: Option<String>,
    /// Whether it is TLS 1.3 rather than 1.2.
    pub tls13: bool,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// Whether the client showed a certificate.
    pub client_certificate: bool,
}

impl ServerTls {
    /// Servers with a certificate of `authority` that is valid for the loopback interface.
    ///
    /// # Errors
    /// [`Error::System`] when the files cannot be written.
    pub fn new(authority: &TlsAuthority) -> Result<Self> {
        Self::with_certificate(authority, authority.issue(CertificateSpec::server())?)
    }

    /// Servers with this certificate.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_certificate(authority: &TlsAuthority, certificate: TlsCertificate) -> Result<Self> {
        Ok(Self {
            authority: authority.clone(),
            certificate,
            client: authority.issue(CertificateSpec::client("testkit"))?,
            require_client_certificates: false,
            staple: Vec::new(),
            versions: BOTH,
        })
    }

    /// Refuses clients without a certificate of the authority. Default: clients need none.
    #[must_use]
    pub fn require_client_certificates(mut self) -> Self {
        self.require_client_certificates = true;
        self
    }

    /// Staples these bytes to the certificate. Only pretended servers do; a `mongod` asks the responder that its
    /// certificate names.
    #[must_use]
    pub fn staple(mut self, response: Vec<u8>) -> Self {
        self.staple = response;
        self
    }

    /// Speaks TLS 1.2 only. Pretended servers only.
    #[must_use]
    pub fn tls12(mut self) -> Self {
        self.versions = ONLY_TLS12;
        self
    }

    /// Speaks TLS 1.3 only. Pretended servers only.
    #[must_use]
    pub fn tls13(mut self) -> Self {
        self.versions = ONLY_TLS13;
        self
    }

    /// The certificate that servers show.
    pub fn certificate(&self) -> &TlsCertificate {
        &self.certificate
    }

    /// Options of connection strings.
    pub(crate) fn uri_options(&self) -> Vec<(&'static str, String)> {
        let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
        let mut options = vec![("tls", "true".to_owned()), ("tlsCAFile", text(self.authority.ca_file()))];
        if self.require_client_certificates {
            options.push(("tlsCertificateKeyFile", text(self.client.file())));
        }
        options
    }

    /// The arguments of a `mongod`.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["--tlsMode".into(), "requireTLS".into()];
        let mut file = |name: &str, path: PathBuf| arguments.extend([name.into(), path.into_os_string()]);
        file("--tlsCAFile", self.authority.ca_file().to_owned());
        file("--tlsCertificateKeyFile", self.certificate.file().to_owned());
        if !self.require_client_certificates {
            arguments.push("--tlsAllowConnectionsWithoutCertificates".into());
        }
        arguments
    }

    /// Connects as the kit itself, which takes any certificate.
    pub(crate) async fn connect(&self, tcp: TcpStream) -> io::Result<Stream> {
        let config = self.client_config().map_err(io::Error::other)?;
        let name = ServerName::IpAddress(std::net::Ipv4Addr::LOCALHOST.into());
        let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
        Ok(Stream::Tls(Box::new(TlsStream::Client(stream))))
    }

    fn client_config(&self) -> Result<ClientConfig, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        let (chain, key) = identity(&self.client)?;
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(algorithms)))
            .with_client_auth_cert(chain, key)
    }

    /// What a pretended server accepts connections with.
    pub(crate) fn acceptor(&self) -> io::Result<TlsAcceptor> {
        Ok(TlsAcceptor::from(Arc::new(self.server_config().map_err(io::Error::other)?)))
    }

    fn server_config(&self) -> Result<ServerConfig> {
        let refused = |error: String| Error::System { what: "a TLS server".into(), source: io::Error::other(error) };
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(self.authority.ca_pem()?.as_bytes()) {
            let certificate = certificate.map_err(|error| refused(error.to_string()))?;
            roots.add(certificate).map_err(|error| refused(error.to_string()))?;
        }
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let clients = match self.require_client_certificates {
            true => clients,
            false => clients.allow_unauthenticated(),
        };
        let clients = clients.build().map_err(|error| refused(error.to_string()))?;
        let (chain, key) = identity(&self.certificate).map_err(|error| refused(error.to_string()))?;
        ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)
            .map_err(|error| refused(error.to_string()))?
            .with_client_cert_verifier(clients)
            .with_single_cert_with_ocsp(chain, key, self.staple.clone())
            .map_err(|error| refused(error.to_string()))
    }
}

/// Shakes hands with a client.
pub(crate) async fn accept(acceptor: &TlsAcceptor, tcp: TcpStream) -> io::Result<(Stream, Handshake)> {
    let stream = acceptor.accept(tcp).await?;
    let session = stream.get_ref().1;
    let handshake = Handshake {
        server_name: session.server_name().map(str::to_owned),
        tls13: session.protocol_version() == Some(ProtocolVersion::TLSv1_3),
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
        client_certificate: session.peer_certificates().is_some_and(|chain| !chain.is_empty()),
    };
    Ok((Stream::Tls(Box::new(TlsStream::Server(stream))), handshake))
}

fn identity(
    certificate: &TlsCertificate,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), rustls::Error> {
    let malformed = |error: rustls::pki_types::pem::Error| rustls::Error::General(error.to_string());
    let chain = CertificateDer::pem_slice_iter(certificate.certificate_pem().as_bytes());
    let chain = chain.collect::<Result<_, _>>().map_err(malformed)?;
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem().as_bytes()).map_err(malformed)?;
    Ok((chain, key))
}

/// Trusts anybody: the kit knows its servers by their ports.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
