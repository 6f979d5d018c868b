//! Connection monitoring and pooling.
//!
//! [`Pool`] is the pure machine of one server's connection pool: it is told what happened and when, and says what
//! should be done through [`Pool::poll_action`]. It opens no socket, starts no timer and reads no clock.
//!
//! It follows the connection monitoring and pooling specification, and the pool parts of the load balancer and client
//! backpressure specifications. The topology owns the generations; the pool obeys them.

mod backpressure;
mod check_out;
mod clear;
mod connection;
mod drain;
mod error;
mod establishment;
mod event;
mod generation;
mod maintenance;
mod options;
mod pool;
mod wait_queue;

#[cfg(test)]
mod tests;

pub use backpressure::{EstablishmentStep, establishment_labels};
pub use check_out::{CheckIn, NotCheckedOut};
pub use clear::Clear;
pub use connection::{ConnectionId, Purpose};
pub use error::{CheckOutError, PoolCleared, PoolClosed, WaitQueueTimeout};
pub use establishment::Origin;
pub use event::{
    ConnectionCheckedInEvent, ConnectionCheckedOutEvent, ConnectionCheckoutFailedEvent, ConnectionCheckoutFailedReason,
    ConnectionCheckoutStartedEvent, ConnectionClosedEvent, ConnectionClosedReason, ConnectionCreatedEvent,
    ConnectionReadyEvent, PoolClearedEvent, PoolClosedEvent, PoolCreatedEvent, PoolEvent, PoolReadyEvent,
};
pub use options::{NonDefaultPoolOptions, PoolOptions};
pub use pool::{Pool, PoolAction, PoolCounts, PoolState};
pub use wait_queue::Waiter;

pub use crate::sdam::Generation;
