//! Server processes and their directories, which never outlive the test process.
//!
//! A process cannot ask Linux to be killed with its parent without unsafe code, and a killed test process runs no
//! destructor. So each server is the child of a small shell that holds the reading end of a pipe from the test
//! process. When the pipe closes, which the kernel sees to however the test process ends, the shell kills the server.

mod directory;
#[cfg(not(unix))]
mod unsupported;
#[cfg(unix)]
mod watched;

pub(crate) use directory::Directory;
#[cfg(not(unix))]
pub(crate) use unsupported::{ServerProcess, watched_directory};
#[cfg(unix)]
pub(crate) use watched::{ServerProcess, watched_directory};

/// What can be sent to a server process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ends it in order.
    Terminate,
    /// Ends it at once.
    Kill,
    /// Freezes it.
    Stop,
    /// Thaws it.
    Continue,
}
