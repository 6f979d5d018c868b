//! Where there is no POSIX shell, servers cannot be watched and are not started.

use std::{any::Any, ffi::OsString, io, path::Path};

use super::Signal;

const WHY: &str = "the test kit starts servers on Unix only; give your tests the URI of a server that runs already";

#[derive(Debug)]
pub(crate) struct ServerProcess;

impl ServerProcess {
    pub(crate) async fn spawn(_: &Path, _: &[OsString], _: &Path) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
    }

    pub(crate) fn pid(&self) -> u32 {
        0
    }

    pub(crate) fn exit_status(&self) -> Option<i32> {
        None
    }

    pub(crate) fn is_frozen(&self) -> bool {
        false
    }

    pub(crate) async fn exited(&self) -> i32 {
        std::future::pending().await
    }

    pub(crate) fn signal(&self, _: Signal) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
    }
}

pub(crate) fn watched_directory(_: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
    Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
}
