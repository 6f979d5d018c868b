//! Who is asked for the records of a `mongodb+srv` name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The DNS servers that are asked for the SRV and TXT records of a `mongodb+srv` connection string. Default: the
/// system's.
///
/// Host names are always resolved by the system, or by the proxy if there is one.
///
/// ```
/// use mongo_actors_protocol::options::ResolverConfig;
///
/// let config = ResolverConfig::name_servers(["192.0.2.1:53".parse().unwrap()]);
/// assert_eq!(config.servers().len(), 1);
/// assert!(ResolverConfig::system().servers().is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolverConfig {
    /// Empty for the system's.
    servers: Vec<SocketAddr>,
}

const DNS_PORT: u16 = 53;

impl ResolverConfig {
    /// Those that the system is configured with, read anew for every lookup.
    pub fn system() -> Self {
        Self::default()
    }

    /// Exactly these, over UDP and, for large answers, TCP; none for the system's.
    pub fn name_servers(servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self { servers: servers.into_iter().collect() }
    }

    /// The public servers of Cloudflare.
    pub fn cloudflare() -> Self {
        let v6 = |last| Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, last).into();
        Self::public([Ipv4Addr::new(1, 1, 1, 1).into(), Ipv4Addr::new(1, 0, 0, 1).into(), v6(0x1111), v6(0x1001)])
    }

    /// The public servers of Google.
    pub fn google() -> Self {
        let v6 = |last| Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, last).into();
        Self::public([Ipv4Addr::new(8, 8, 8, 8).into(), Ipv4Addr::new(8, 8, 4, 4).into(), v6(0x8888), v6(0x8844)])
    }

    /// The public servers of Quad9.
    pub fn quad9() -> Self {
        let v6 = |last| Ipv6Addr::new(0x2620, 0xfe, 0, 0, 0, 0, 0, last).into();
        Self::public([Ipv4Addr::new(9, 9, 9, 9).into(), Ipv4Addr::new(149, 112, 112, 112).into(), v6(0xfe), v6(0x9)])
    }

    fn public(addresses: [IpAddr; 4]) -> Self {
        Self::name_servers(addresses.map(|address| SocketAddr::new(address, DNS_PORT)))
    }

    /// The servers; empty for the system's.
    pub fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }
}
