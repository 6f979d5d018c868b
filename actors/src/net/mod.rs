//! How bytes get to a server and back: every way there is ends in one [`Transport`].

#[cfg(feature = "tls")]
mod http;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
#[cfg(unix)]
mod unix;

use std::io;

use mongo_actors_protocol::address::ServerAddress;
use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) use tls::{Tls, TlsFault, TlsRefusal};

/// A host name could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error("cannot resolve {host}: {reason}")]
struct ResolutionError {
    host: String,
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

/// Connects to `address`. The caller limits the time.
///
/// # Errors
/// The operating system's, with the address named.
pub(crate) async fn connect(address: &ServerAddress) -> io::Result<BoxedTransport> {
    match address {
        ServerAddress::Tcp { host, port } => tcp::connect(host, *port).await,
        #[cfg(unix)]
        ServerAddress::Unix { path } => unix::connect(path).await,
        other => {
            let message = format!("{other}: this platform has no such sockets");
            Err(io::Error::new(io::ErrorKind::Unsupported, message))
        }
    }
}
