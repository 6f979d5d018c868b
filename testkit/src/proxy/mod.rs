//! x
use mongo_actors_protocol::address::ServerAddress;
use std::io;
/// x
#[derive(Clone, Debug)]
pub struct Proxy;
impl Proxy {
    pub(crate) async fn start(_: std::net::SocketAddr) -> io::Result<Self> {
        Ok(Self)
    }
    /// x
    pub fn address(&self) -> ServerAddress {
        ServerAddress::Tcp { host: "".into(), port: 1 }
    }
}
