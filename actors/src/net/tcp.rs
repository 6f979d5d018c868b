//! TCP.

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};

use super::{BoxedTransport, ResolutionError};

/// Keep-alive of the specification: 120 s idle, then a probe every 10 s, 9 of them.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(120);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
#[cfg(any(target_os = "linux", target_os = "macos", windows))]
const KEEPALIVE_PROBES: u32 = 9;

/// Connects to the first address of `host` that accepts.
pub(super) async fn connect(host: &str, port: u16) -> io::Result<BoxedTransport> {
    let unresolved = |kind, reason| io::Error::new(kind, ResolutionError { host: host.to_owned(), reason });
    let addresses = lookup_host((host, port)).await.map_err(|error| unresolved(error.kind(), error.to_string()))?;
    let mut last = unresolved(io::ErrorKind::NotFound, "it has no address".to_owned());
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return prepare(stream),
            Err(error) => last = io::Error::new(error.kind(), format!("{address}: {error}")),
        }
    }
    Err(last)
}

fn prepare(stream: TcpStream) -> io::Result<BoxedTransport> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    #[cfg(any(target_os = "linux", target_os = "macos", windows))]
    let keepalive = keepalive.with_retries(KEEPALIVE_PROBES);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(Box::new(stream))
}
