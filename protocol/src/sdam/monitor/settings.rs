//! How servers are to be monitored.

use std::{fmt, str::FromStr, time::Duration};

/// Whether servers report changes by themselves, or are asked from time to time (`serverMonitoringMode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerMonitoringMode {
    /// Like `Poll` on function-as-a-service platforms, like `Stream` elsewhere.
    #[default]
    Auto,
    /// Servers report changes at once, if they can; others are polled.
    Stream,
    /// Servers are asked every heartbeat interval.
    Poll,
}

impl ServerMonitoringMode {
    /// The option's value in a connection string.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Stream => "stream",
            Self::Poll => "poll",
        }
    }
}

impl fmt::Display for ServerMonitoringMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text names no monitoring mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a server monitoring mode: write auto, stream or poll")]
pub struct UnknownMonitoringMode(pub String);

impl FromStr for ServerMonitoringMode {
    type Err = UnknownMonitoringMode;

    /// Reads the option's value, ignoring case.
    fn from_str(text: &str) -> Result<Self, UnknownMonitoringMode> {
        [Self::Auto, Self::Stream, Self::Poll]
            .into_iter()
            .find(|mode| mode.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownMonitoringMode(text.to_owned()))
    }
}

/// Longer durations than this (a century) are as good as no end, and would overflow when added to an instant.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);

/// How one server is to be monitored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorSettings {
    /// Streaming or polling.
    pub mode: ServerMonitoringMode,
    /// The client runs as a function on a service platform.
    pub function_as_a_service: bool,
    /// The interval between checks, and the longest silence of a streaming server. Default 10 s.
    pub heartbeat_frequency: Duration,
    /// Limit for connecting and for each reply; none for no limit. Default 20 s.
    pub connect_timeout: Option<Duration>,
    /// Say `hello` from the beginning, as a declared server API version demands; else begin with its legacy form.
    pub always_hello: bool,
}

impl Default for MonitorSettings {
    fn default() -> Self {
        Self {
            mode: ServerMonitoringMode::Auto,
            function_as_a_service: false,
            heartbeat_frequency: Duration::from_secs(10),
            connect_timeout: Some(Duration::from_secs(20)),
            always_hello: false,
        }
    }
}

impl MonitorSettings {
    /// Whether servers that can report changes by themselves are let.
    pub fn streams(&self) -> bool {
        match self.mode {
            ServerMonitoringMode::Auto => !self.function_as_a_service,
            ServerMonitoringMode::Stream => true,
            ServerMonitoringMode::Poll => false,
        }
    }

    pub(super) fn within_reason(mut self) -> Self {
        self.heartbeat_frequency = self.heartbeat_frequency.min(LONGEST);
        self.connect_timeout = self.connect_timeout.map(|timeout| timeout.min(LONGEST));
        self
    }

    /// The limit for an awaited reply: the server may wait for a whole heartbeat interval before it answers.
    pub(super) fn awaited_timeout(&self) -> Option<Duration> {
        Some(self.connect_timeout? + self.heartbeat_frequency)
    }
}
