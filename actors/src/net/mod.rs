//! How bytes get to a server and back: every way there is ends in one [`Transport`].

#[cfg(feature = "dns-resolver")]
pub(crate) mod dns;
#[cfg(not(feature = "dns-resolver"))]
#[path = "no_dns.rs"]
pub(crate) mod dns;
#[cfg(any(feature = "aws-auth", feature = "tls"))]
pub(crate) mod http;
mod socks5;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
#[cfg(unix)]
mod unix;

use std::io;

use mongo_actors_protocol::{address::ServerAddress, options::Socks5Proxy};
use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) use tls::{Tls, TlsFault, TlsRefusal};

/// DNS has no answer that can be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("DNS was asked for the {record_type} records of {name}: {reason}")]
#[non_exhaustive]
pub struct DnsError {
    /// The name that was asked for.
    pub name: String,
    /// What of it was asked for, such as `SRV`.
    pub record_type: String,
    /// What came back, or that nothing did.
    pub reason: String,
    /// Whether DNS knows that there are no such records, rather than that it could not be asked.
    pub is_absence: bool,
}

/// A host name could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error("cannot resolve {host}: {reason}")]
struct ResolutionError {
    host: String,
    reason: String,
}

/// The proxy could not be reached, or did not do as asked.
#[derive(Debug, thiserror::Error)]
#[error("the SOCKS5 proxy {proxy}: {reason}")]
struct ProxyError {
    proxy: String,
    reason: String,
}

/// Whether `error` says that there is no such host, rather than that it cannot be reached.
pub(crate) fn is_resolution_error(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<ResolutionError>())
}

/// A connected stream of bytes, whatever it runs over.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// A transport whose kind does not matter any more.
pub(crate) type BoxedTransport = Box<dyn Transport>;

/// Connects to `address`, through `proxy` if there is one. The caller limits the time.
///
/// # Errors
/// The operating system's, with the address named.
pub(crate) async fn connect(address: &ServerAddress, proxy: Option<&Socks5Proxy>) -> io::Result<BoxedTransport> {
    match (address, proxy) {
        (ServerAddress::Tcp { host, port }, Some(proxy)) => socks5::connect(proxy, host, *port).await,
        (ServerAddress::Tcp { host, port }, None) => Ok(Box::new(tcp::connect(host, *port).await?)),
        #[cfg(unix)]
        (ServerAddress::Unix { path }, _) => unix::connect(path).await,
        (other, _) => {
            let message = format!("{other}: this platform has no such sockets");
            Err(io::Error::new(io::ErrorKind::Unsupported, message))
        }
    }
}
