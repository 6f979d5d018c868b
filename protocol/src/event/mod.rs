//! What can be listened to, and who listens.
//!
//! Follows the command logging and monitoring, the connection pooling and the server discovery monitoring
//! specifications. Events are cheap to clone and own what they show. The pool's events are defined with the pool
//! ([`cmap`](crate::cmap)) and shown here.

mod command;
mod extended_json;
mod heartbeat;
mod listener;
pub mod redaction;
mod sdam;

pub use crate::cmap::{
    ConnectionCheckedInEvent, ConnectionCheckedOutEvent, ConnectionCheckoutFailedEvent, ConnectionCheckoutFailedReason,
    ConnectionCheckoutStartedEvent, ConnectionClosedEvent, ConnectionClosedReason, ConnectionCreatedEvent,
    ConnectionReadyEvent, PoolClearedEvent, PoolClosedEvent, PoolCreatedEvent, PoolReadyEvent,
};
pub use command::{
    CommandEvent, CommandFailedEvent, CommandFailure, CommandInfo, CommandStartedEvent, CommandSucceededEvent,
    ConnectionInfo,
};
pub use extended_json::{DEFAULT_MAX_LOG_DOCUMENT_LEN, LogDocument, MAX_LOG_DOCUMENT_VARIABLE, max_log_document_len};
pub use heartbeat::{
    HeartbeatEvent, HeartbeatInfo, ServerHeartbeatFailedEvent, ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
};
pub use listener::{
    CommandListener, Delivery, HeartbeatListener, PoolListener, ServerListener, TopologyListener, deliver_pool_event,
    deliver_sdam_event,
};
pub use sdam::{
    ServerClosedEvent, ServerDescriptionChangedEvent, ServerOpeningEvent, TopologyClosedEvent,
    TopologyDescriptionChangedEvent, TopologyOpeningEvent,
};
