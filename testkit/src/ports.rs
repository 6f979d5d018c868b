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
    /// Bound, but never listening.
    _held: Option<TcpSocket>,
}

impl Port {
    /// Takes a port outside the range from which Linux and macOS take the ports of outgoing connections.
    pub(crate) fn reserve() -> io::Result<Self> {
        for _ in 0..200 {
            let number = rand::rng().random_range(20_000..32_000);
            if let Some(held) = hold(number)? {
                return Ok(Self { number, _held: held });
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

/// None if the port is somebody's. What holds it is there on Linux only, where a socket lets others bind to its address
/// that are as willing to share it as servers are: none is willing that looks for a port here.
fn hold(number: u16) -> io::Result<Option<Option<TcpSocket>>> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(false)?;
    if socket.bind((Ipv4Addr::LOCALHOST, number).into()).is_err() {
        return Ok(None);
    }
    if cfg!(not(target_os = "linux")) {
        return Ok(Some(None));
    }
    socket.set_reuseaddr(true)?;
    Ok(Some(Some(socket)))
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
