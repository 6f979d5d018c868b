//! What a pool is configured with.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

/// The default of `maxPoolSize`.
const DEFAULT_MAX_SIZE: u32 = 100;
/// The default of `maxConnecting`.
const DEFAULT_MAX_CONNECTING: NonZeroU32 = match NonZeroU32::new(2) {
    Some(two) => two,
    None => NonZeroU32::MIN,
};
/// How often a pool looks after its connections unless told otherwise.
const DEFAULT_MAINTENANCE_INTERVAL: Duration = Duration::from_secs(1);

/// The options of one connection pool, equal for all pools of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// `maxPoolSize`: most connections the pool may have, whatever their state. 0 means no limit; default 100.
    pub max_size: u32,
    /// `minPoolSize`: connections the pool keeps open while it is ready. Default 0.
    pub min_size: u32,
    /// `maxIdleTimeMS`: how long a connection may stay unused in the pool. None and zero mean for ever; default none.
    pub max_idle: Option<Duration>,
    /// `maxConnecting`: most connections the pool may be establishing at one time. Default 2.
    pub max_connecting: NonZeroU32,
    /// `waitQueueTimeoutMS`: how long a check-out may wait for a connection or for permission to establish one.
    /// Ignored for a check-out with a deadline of its own. None and zero mean for ever; default none.
    pub wait_queue_timeout: Option<Duration>,
    /// Whether the server is a load balancer, so that connections have the generation of their service.
    pub load_balanced: bool,
    /// Shortest time between two runs of the background maintenance, and the pause after a failed attempt to fill the
    /// pool. None stops the maintenance altogether, which only tests want. Default 1 s.
    pub maintenance_interval: Option<Duration>,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            max_size: DEFAULT_MAX_SIZE,
            min_size: 0,
            max_idle: None,
            max_connecting: DEFAULT_MAX_CONNECTING,
            wait_queue_timeout: None,
            load_balanced: false,
            maintenance_interval: Some(DEFAULT_MAINTENANCE_INTERVAL),
        }
    }
}

impl PoolOptions {
    /// The options that differ from their defaults, as the pool-created event tells them.
    pub fn non_default(&self) -> NonDefaultPoolOptions {
        let differs = |value: u32, default: u32| (value != default).then_some(value);
        NonDefaultPoolOptions {
            max_pool_size: differs(self.max_size, DEFAULT_MAX_SIZE),
            min_pool_size: differs(self.min_size, 0),
            max_idle_time: self.max_idle(),
            max_connecting: differs(self.max_connecting.get(), DEFAULT_MAX_CONNECTING.get()),
            wait_queue_timeout: self.wait_queue_timeout.filter(|limit| !limit.is_zero()),
        }
    }

    /// The idle limit, where zero is none.
    pub(super) fn max_idle(&self) -> Option<Duration> {
        self.max_idle.filter(|limit| !limit.is_zero())
    }

    /// When a check-out that has no deadline of its own has to leave the wait queue.
    pub(super) fn queue_deadline(&self, now: Instant) -> Option<Instant> {
        self.wait_queue_timeout.filter(|limit| !limit.is_zero()).and_then(|limit| now.checked_add(limit))
    }

    /// Whether a pool of `total` connections may have one more.
    pub(super) fn has_room(&self, total: usize) -> bool {
        self.max_size == 0 || total < self.max_size as usize
    }
}

/// Pool options a user has changed; those left at their defaults are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NonDefaultPoolOptions {
    /// `maxPoolSize`; 0 means no limit.
    pub max_pool_size: Option<u32>,
    /// `minPoolSize`.
    pub min_pool_size: Option<u32>,
    /// `maxIdleTimeMS`.
    pub max_idle_time: Option<Duration>,
    /// `maxConnecting`.
    pub max_connecting: Option<u32>,
    /// `waitQueueTimeoutMS`.
    pub wait_queue_timeout: Option<Duration>,
}
