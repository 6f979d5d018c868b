//! Messages on connection pools.

use std::{sync::Arc, time::Duration};

use mongo_actors_protocol::cmap::{ConnectionCheckoutFailedReason, ConnectionClosedReason, PoolEvent};
use tracing::debug;

use super::{CONNECTION, milliseconds};

/// Writes the fields that all messages on pools have, and then some.
macro_rules! message {
    ($event:expr, $($rest:tt)*) => {
        debug!(
            target: CONNECTION,
            serverHost = &*$event.address.host(),
            serverPort = $event.address.port(),
            $($rest)*
        )
    };
}

pub(super) fn write(event: &PoolEvent) {
    match event {
        PoolEvent::PoolCreated(event) => {
            let options = &event.options;
            message!(
                event,
                maxIdleTimeMS = whole_milliseconds(options.max_idle_time),
                minPoolSize = options.min_pool_size,
                maxPoolSize = options.max_pool_size,
                maxConnecting = options.max_connecting,
                waitQueueTimeoutMS = whole_milliseconds(options.wait_queue_timeout),
                "Connection pool created"
            );
        }
        PoolEvent::PoolReady(event) => message!(event, "Connection pool ready"),
        PoolEvent::PoolCleared(event) => {
            message!(event, serviceId = event.service_id.map(|id| id.to_hex()), "Connection pool cleared");
        }
        PoolEvent::PoolClosed(event) => message!(event, "Connection pool closed"),
        PoolEvent::ConnectionCreated(event) => {
            message!(event, driverConnectionId = event.connection_id, "Connection created");
        }
        PoolEvent::ConnectionReady(event) => {
            let (id, duration) = (event.connection_id, milliseconds(event.duration));
            message!(event, driverConnectionId = id, durationMS = duration, "Connection ready");
        }
        PoolEvent::ConnectionClosed(event) => {
            let (id, reason, error) = (event.connection_id, closed(event.reason), text(&event.error));
            message!(event, driverConnectionId = id, reason, error, "Connection closed");
        }
        PoolEvent::ConnectionCheckoutStarted(event) => message!(event, "Connection checkout started"),
        PoolEvent::ConnectionCheckoutFailed(event) => {
            let (reason, error) = (check_out_failed(event.reason), text(&event.error));
            message!(event, durationMS = milliseconds(event.duration), reason, error, "Connection checkout failed");
        }
        PoolEvent::ConnectionCheckedOut(event) => {
            let (id, duration) = (event.connection_id, milliseconds(event.duration));
            message!(event, driverConnectionId = id, durationMS = duration, "Connection checked out");
        }
        PoolEvent::ConnectionCheckedIn(event) => {
            message!(event, driverConnectionId = event.connection_id, "Connection checked in");
        }
        _ => {}
    }
}

fn whole_milliseconds(duration: Option<Duration>) -> Option<u64> {
    duration.map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

fn text(error: &Option<Arc<str>>) -> Option<&str> {
    error.as_deref()
}

/// The reason as the specification words it.
fn closed(reason: ConnectionClosedReason) -> &'static str {
    match reason {
        ConnectionClosedReason::Stale => "Connection became stale because the pool was cleared",
        ConnectionClosedReason::Idle => {
            "Connection has been available but unused for longer than the configured max idle time"
        }
        ConnectionClosedReason::Error => "An error occurred while using the connection",
        ConnectionClosedReason::PoolClosed => "Connection pool was closed",
        other => other.as_str(),
    }
}

/// The reason as the specification words it.
fn check_out_failed(reason: ConnectionCheckoutFailedReason) -> &'static str {
    match reason {
        ConnectionCheckoutFailedReason::Timeout => "Wait queue timeout elapsed without a connection becoming available",
        ConnectionCheckoutFailedReason::ConnectionError => {
            "An error occurred while trying to establish a new connection"
        }
        ConnectionCheckoutFailedReason::PoolClosed => "Connection pool was closed",
        other => other.as_str(),
    }
}
