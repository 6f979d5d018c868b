//! How servers are watched.

use std::{fmt, str::FromStr};

/// Whether servers push changes of their state or are asked for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerMonitoringMode {
    /// Poll when running as a function service, else stream.
    #[default]
    Auto,
    /// Servers that can push changes do.
    Stream,
    /// Servers are asked at every heartbeat.
    Poll,
}

impl ServerMonitoringMode {
    /// The mode's name in a connection string.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Stream => "stream",
            Self::Poll => "poll",
        }
    }
}

impl fmt::Display for ServerMonitoringMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ServerMonitoringMode {
    type Err = &'static str;

    /// Reads a mode's name; case does not matter.
    fn from_str(name: &str) -> Result<Self, &'static str> {
        [Self::Auto, Self::Stream, Self::Poll]
            .into_iter()
            .find(|mode| mode.as_str().eq_ignore_ascii_case(name))
            .ok_or("auto, stream or poll")
    }
}
