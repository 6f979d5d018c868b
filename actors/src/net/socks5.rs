//! SOCKS5 proxies (RFC 1928, RFC 1929).

use std::io;

use mongo_actors_protocol::options::Socks5Proxy;
use tokio_socks::tcp::Socks5Stream;

use super::{BoxedTransport, ProxyError, tcp};

/// Has the proxy connect to `host`, whose name the proxy resolves. Without credentials none are offered; with them, the
/// proxy may still do without.
pub(super) async fn connect(proxy: &Socks5Proxy, host: &str, port: u16) -> io::Result<BoxedTransport> {
    let failed = |kind, reason: String| {
        let error = ProxyError { proxy: format!("{}:{}", proxy.host, proxy.port), reason };
        io::Error::new(kind, error)
    };
    let socket =
        tcp::connect(&proxy.host, proxy.port).await.map_err(|error| failed(error.kind(), error.to_string()))?;
    let asking = async {
        match &proxy.credentials {
            None => Socks5Stream::connect_with_socket(socket, (host, port)).await,
            Some((user, password)) => {
                Socks5Stream::connect_with_password_and_socket(socket, (host, port), user, password.expose()).await
            }
        }
    };
    let stream = asking.await.map_err(|error| {
        let kind = match &error {
            tokio_socks::Error::Io(error) => error.kind(),
            _ => io::ErrorKind::ConnectionRefused,
        };
        failed(kind, error.to_string())
    })?;
    Ok(Box::new(stream.into_inner()))
}
