//! Free TCP ports on the loopback interface.

use std::{io, net::Ipv4Addr};

use rand::Rng;

/// A port nobody listens on, outside the range from which Linux and macOS take the ports of outgoing
/// connections: so a member that is down for a while finds its port free when it comes back.
pub(crate) fn free_port() -> io::Result<u16> {
    for _ in 0..200 {
        let port = rand::rng().random_range(20_000..32_000);
        if std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no free port from 20000 to 31999"))
}

/// Listens on a free port of the loopback interface.
pub(crate) fn listen() -> io::Result<(std::net::TcpListener, u16)> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..50 {
        let port = free_port()?;
        match listen_on(port) {
            Ok(listener) => return Ok((listener, port)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Listens on `port` of the loopback interface.
pub(crate) fn listen_on(port: u16) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
