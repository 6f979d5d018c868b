//! SOCKS5 proxies.

use crate::auth::secret::Secret;

/// The port of a SOCKS5 proxy unless told otherwise.
pub const DEFAULT_PROXY_PORT: u16 = 1080;

/// The SOCKS5 proxy that every connection goes through (SOCKS5 specification).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Socks5Proxy {
    /// Host name or IP address of the proxy.
    pub host: String,
    /// Its port, 1080 by default.
    pub port: u16,
    /// User name and password, if the proxy asks for them.
    pub credentials: Option<(String, Secret)>,
}

impl Socks5Proxy {
    /// A proxy at the default port, without credentials.
    pub fn new(host: impl Into<String>) -> Self {
        Self { host: host.into(), port: DEFAULT_PROXY_PORT, credentials: None }
    }

    /// The same at another port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The same with a user name and a password.
    #[must_use]
    pub fn with_credentials(mut self, username: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.credentials = Some((username.into(), password.into()));
        self
    }
}
