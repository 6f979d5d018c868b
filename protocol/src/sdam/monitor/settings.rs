//! How servers are to be monitored.

use std::time::Duration;

use crate::options::{ClientOptions, ServerMonitoringMode};

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
    /// How long after a check the next one comes at the earliest when one is asked for. Default 500 ms.
    pub min_heartbeat_frequency: Duration,
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
            min_heartbeat_frequency: Duration::from_millis(500),
            connect_timeout: Some(Duration::from_secs(20)),
            always_hello: false,
        }
    }
}

impl MonitorSettings {
    /// What the client's options say. `function_as_a_service` tells where the client runs.
    pub fn from_options(options: &ClientOptions, function_as_a_service: bool) -> Self {
        Self {
            mode: options.server_monitoring_mode,
            function_as_a_service,
            heartbeat_frequency: options.heartbeat_frequency,
            min_heartbeat_frequency: options.min_heartbeat_frequency,
            connect_timeout: options.connect_timeout,
            always_hello: options.server_api.is_some(),
        }
    }

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
        self.min_heartbeat_frequency = self.min_heartbeat_frequency.min(LONGEST);
        self.connect_timeout = self.connect_timeout.map(|timeout| timeout.min(LONGEST));
        self
    }

    /// The limit for an awaited reply: the server may wait for a whole heartbeat interval before it answers.
    pub(super) fn awaited_timeout(&self) -> Option<Duration> {
        Some(self.connect_timeout? + self.heartbeat_frequency)
    }
}
