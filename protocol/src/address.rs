//! Where a server listens.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

/// The port a MongoDB server listens on unless told otherwise.
pub const DEFAULT_PORT: u16 = 27017;

/// The address of one server: a TCP endpoint or a Unix domain socket.
///
/// Host names are kept in lower case, as the server discovery specification demands, so that two
/// spellings of one name are one server. IPv6 literals are kept without their brackets.
///
/// ```
/// use mongo_actors_protocol::address::ServerAddress;
///
/// let address: ServerAddress = "Db0.Example.com:27018".parse().unwrap();
/// assert_eq!(address.to_string(), "db0.example.com:27018");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum ServerAddress {
    /// A host name or IP address and a port.
    Tcp {
        /// Lower-case host name, IPv4 address, or IPv6 address without brackets.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// A Unix domain socket.
    Unix {
        /// Path of the socket file, which ends in `.sock`.
        path: PathBuf,
    },
}

/// Why a text is not a server address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a server address: {reason}")]
pub struct InvalidAddress {
    /// The text that was given.
    pub text: String,
    /// What is wrong with it, and what to write instead.
    pub reason: &'static str,
}

impl ServerAddress {
    /// Parses `text`, giving hosts without a port of their own `default_port`.
    ///
    /// # Errors
    /// [`InvalidAddress`] for an empty host, a port outside 1..=65535, or an IPv6 literal without brackets.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, InvalidAddress> {
        let invalid = |reason| InvalidAddress { text: text.to_owned(), reason };
        // A bracket begins an address, unless it is part of a path.
        if text.ends_with(".sock") && (text.contains('/') || !text.starts_with('[')) {
            return Ok(Self::Unix { path: PathBuf::from(text) });
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) =
                    rest.split_once(']').ok_or_else(|| invalid("the IPv6 address lacks its closing bracket"))?;
                if !is_ipv6(host) {
                    return Err(invalid("the text in brackets is not an IPv6 address"));
                }
                match after.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if after.is_empty() => (host, None),
                    None => return Err(invalid("only a port may follow the closing bracket")),
                }
            }
            None => match text.split_once(':') {
                Some((_, rest)) if rest.contains(':') => {
                    return Err(invalid(
                        "an IPv6 address must stand in brackets, and other colons must be percent-encoded",
                    ));
                }
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() {
            return Err(invalid("the host is empty"));
        }
        let port = match port {
            None => default_port,
            Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => match port.parse() {
                Ok(0) | Err(_) => return Err(invalid("the port must be from 1 to 65535")),
                Ok(port) => port,
            },
            Some(_) => return Err(invalid("the port must be a number from 1 to 65535")),
        };
        Ok(Self::Tcp { host: host.to_ascii_lowercase(), port })
    }

    /// The host name of a TCP address, or the path of a Unix socket.
    pub fn host(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Tcp { host, .. } => host.into(),
            Self::Unix { path } => path.to_string_lossy(),
        }
    }

    /// The port; none for a Unix socket.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp { port, .. } => Some(*port),
            Self::Unix { .. } => None,
        }
    }
}

/// Whether it is an IPv6 address, with or without the name of an interface.
fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, "any"));
    address.parse::<std::net::Ipv6Addr>().is_ok() && !zone.is_empty()
}

impl FromStr for ServerAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        Self::parse(text, DEFAULT_PORT)
    }
}

impl TryFrom<String> for ServerAddress {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        text.parse()
    }
}

impl From<ServerAddress> for String {
    fn from(address: ServerAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix { path } => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_must_be_in_range() {
        for bad in ["a:0", "a:65536", "a:x", "a:", "a:+1", ":27017", ""] {
            assert!(bad.parse::<ServerAddress>().is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn ipv6_needs_brackets() {
        assert!("::1".parse::<ServerAddress>().is_err());
        let address: ServerAddress = "[::1]:5".parse().unwrap();
        assert_eq!(address, ServerAddress::Tcp { host: "::1".into(), port: 5 });
        assert_eq!(address.to_string(), "[::1]:5");
    }

    #[test]
    fn only_an_address_stands_in_brackets() {
        let zoned: ServerAddress = "[fe80::1%eth0]:5".parse().unwrap();
        assert_eq!((zoned.host().as_ref(), zoned.to_string().as_str()), ("fe80::1%eth0", "[fe80::1%eth0]:5"));
        for bad in ["[a%b]", "[%]", "[::1%]", "[name]", "[::1", "[x.sock"] {
            assert!(bad.parse::<ServerAddress>().is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn names_are_lower_case_and_sockets_are_not() {
        assert_eq!("A.B".parse::<ServerAddress>().unwrap().to_string(), "a.b:27017");
        for path in ["/Tmp/X.sock", "X.sock", "[::1]:2/X.sock"] {
            let address: ServerAddress = path.parse().unwrap();
            assert_eq!((address.to_string().as_str(), address.port()), (path, None));
        }
    }
}
