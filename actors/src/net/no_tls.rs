//! What stands for TLS in a build without it: nothing that could exist.

use std::{convert::Infallible, io};

use mongo_actors_protocol::address::ServerAddress;

use super::BoxedTransport;

/// No client has one.
#[derive(Debug)]
pub(crate) struct Tls(Infallible);

/// No connection has one.
#[derive(Debug)]
#[expect(dead_code, reason = "without TLS nobody makes one, but those who handle it need not know")]
pub(crate) enum TlsFault {
    Io(io::Error),
    Refused(String),
}

/// No connection has one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct TlsRefusal(pub(crate) String);

impl Tls {
    #[expect(clippy::unused_async, reason = "as with TLS")]
    pub(crate) async fn secure(&self, _: BoxedTransport, _: &ServerAddress) -> Result<BoxedTransport, TlsFault> {
        match self.0 {}
    }
}
