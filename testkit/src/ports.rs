//! TCP ports on the loopback interface.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

use rand::Rng;
use tokio::net::TcpSocket;

/// A port of the loopback interface that belongs to whoever has this, also while nobody listens on it.
///
/// Servers take seconds to listen, and may be down for a while. Two that believed the same port free would answer for
/// each other.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    /// Bound, but never listening. Other systems than Linux let nobody else listen then.
    _held: Option<TcpSocket>,
}

impl Port {
    /// Takes a port outside the range from which Linux and macOS take the ports of outgoing connections.
    pub(crate) fn reserve() -> io::Result<Self> {
        for _ in 0..200 {
            let number = rand::rng().random_range(20_000..32_000);
            if let Some(socket) = hold(number)? {
                return Ok(Self { number, _held: cfg!(target_os = "linux").then_some(socket) });
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "no free port from 20000 to 31999"))
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }

    /// Listens on it.
    pub(crate) fn listen(&self) -> io::Result<TcpListener> {
        let listener = TcpListener::bind(self.address())?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }
}

/// A socket that is bound to the port; none if the port is somebody's. Afterwards it lets others bind to it that are as
/// willing to share an address as servers are, and as nobody is who looks for a port here.
fn hold(number: u16) -> io::Result<Option<TcpSocket>> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(false)?;
    if socket.bind((Ipv4Addr::LOCALHOST, number).into()).is_err() {
        return Ok(None);
    }
    socket.set_reuseaddr(true)?;
    Ok(Some(socket))
}

/// Listens on a free port of the loopback interface.
pub(crate) fn listen() -> io::Result<(TcpListener, u16)> {
    let port = Port::reserve()?;
    Ok((port.listen()?, port.number()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_reserved_port_is_nobody_elses_whether_its_owner_listens_or_not() {
        let port = Port::reserve().unwrap();
        assert!(hold(port.number()).unwrap().is_none(), "reserved");
        let listener = port.listen().unwrap();
        assert!(hold(port.number()).unwrap().is_none(), "listening");
        drop(listener);
        assert!(hold(port.number()).unwrap().is_none(), "down");
        let again = port.listen().unwrap();
        let number = port.number();
        drop((port, again));
        assert!(hold(number).unwrap().is_some(), "given back");
    }
}
