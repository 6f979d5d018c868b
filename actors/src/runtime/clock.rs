//! The driver's clock: the one place that asks what time it is.

use std::time::Instant;

/// Now, by the clock that the runtime's timers follow (so that a paused clock pauses both).
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
