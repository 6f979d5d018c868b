//! Unix domain sockets.

use std::{io, path::Path};

use tokio::net::UnixStream;

use super::BoxedTransport;

pub(super) async fn connect(path: &Path) -> io::Result<BoxedTransport> {
    match UnixStream::connect(path).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
    }
}
