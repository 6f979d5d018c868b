//! When SRV records are looked up again, and which of them count (polling specification).

use std::time::Duration;

use crate::{
    address::ServerAddress,
    options::{ClientOptions, ConfigError},
    uri::srv::SrvOptions,
};

/// One SRV record of an answer. Priority and weight do not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrvRecord {
    /// Where it points.
    pub target: ServerAddress,
    /// How long it may be believed.
    pub ttl: Duration,
}

/// When SRV records are looked up again.
#[derive(Clone, Copy, Debug)]
pub struct SrvPolling {
    least_interval: Duration,
    retry_interval: Duration,
}

/// What follows from an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescan {
    /// The hosts that the deployment consists of now; none when the answer is of no use and nothing is to change.
    pub hosts: Vec<ServerAddress>,
    /// Why records were left out.
    pub refused: Vec<ConfigError>,
    /// How long to wait before the next lookup.
    pub next: Duration,
}

impl SrvPolling {
    /// The least time between two lookups as long as they succeed.
    pub const LEAST_INTERVAL: Duration = Duration::from_secs(60);

    /// With the heartbeat interval after a lookup without use. `least_interval` is
    /// [`LEAST_INTERVAL`](Self::LEAST_INTERVAL) but in tests.
    pub fn new(options: &ClientOptions, least_interval: Duration) -> Self {
        Self { least_interval, retry_interval: options.heartbeat_frequency }
    }

    /// How long after the seeds were looked up the next lookup is due.
    pub fn first(&self) -> Duration {
        self.least_interval
    }

    /// Judges an answer: records outside of the domain are left out.
    pub fn answered(&self, srv: &SrvOptions, records: Vec<SrvRecord>) -> Rescan {
        let lowest_ttl = records.iter().map(|record| record.ttl).min().unwrap_or_default();
        let (mut hosts, mut refused) = (Vec::new(), Vec::new());
        for SrvRecord { target, .. } in records {
            match srv.check_target(&target.host()) {
                Ok(()) => hosts.push(target),
                Err(reason) => refused.push(reason),
            }
        }
        let next = if hosts.is_empty() { self.retry_interval } else { lowest_ttl.max(self.least_interval) };
        Rescan { hosts, refused, next }
    }

    /// How long to wait after a lookup that failed.
    pub fn failed(&self) -> Duration {
        self.retry_interval
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polling() -> (SrvPolling, SrvOptions) {
        let options = ClientOptions::parse("mongodb+srv://a.b.c/?heartbeatFrequencyMS=7000").unwrap();
        (SrvPolling::new(&options, SrvPolling::LEAST_INTERVAL), options.srv.unwrap())
    }

    fn record(target: &str, seconds: u64) -> SrvRecord {
        SrvRecord { target: target.parse().unwrap(), ttl: Duration::from_secs(seconds) }
    }

    #[test]
    fn the_lowest_ttl_decides_but_never_below_a_minute() {
        let (polling, srv) = polling();
        assert_eq!(polling.first(), Duration::from_secs(60));
        for (ttls, next) in [([90, 80], 80), ([300, 59], 60), ([0, 400], 60), ([3600, 7200], 3600)] {
            let rescan = polling.answered(&srv, vec![record("x.b.c:1", ttls[0]), record("y.b.c:2", ttls[1])]);
            assert_eq!(rescan.next, Duration::from_secs(next), "{ttls:?}");
            assert_eq!((rescan.hosts.len(), rescan.refused.len()), (2, 0));
        }
    }

    #[test]
    fn records_outside_of_the_domain_are_left_out() {
        let (polling, srv) = polling();
        let rescan = polling.answered(&srv, vec![record("x.evil.c:1", 100), record("y.b.c:2", 100)]);
        assert_eq!(rescan.hosts, ["y.b.c:2".parse().unwrap()]);
        assert!(rescan.refused[0].to_string().contains("x.evil.c"));
        assert_eq!(rescan.next, Duration::from_secs(100));
    }

    #[test]
    fn a_lookup_without_use_is_repeated_at_the_heartbeat() {
        let (polling, srv) = polling();
        let heartbeat = Duration::from_secs(7);
        assert_eq!(polling.failed(), heartbeat);
        for records in [vec![], vec![record("x.evil.c:1", 100)]] {
            let rescan = polling.answered(&srv, records);
            assert_eq!((rescan.hosts, rescan.next), (Vec::new(), heartbeat));
        }
    }
}
