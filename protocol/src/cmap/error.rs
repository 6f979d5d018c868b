//! Why a check-out got no connection.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use super::event::ConnectionCheckoutFailedReason;
use crate::address::ServerAddress;

/// Why a check-out got no connection. `F` is the failure of an establishment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckOutError<F> {
    /// The pool is closed.
    PoolClosed(PoolClosed),
    /// The pool is paused, or was cleared meanwhile. Safe to retry; says nothing new about the server.
    PoolCleared(PoolCleared),
    /// The wait was too long.
    WaitQueueTimeout(WaitQueueTimeout),
    /// The connection made for this check-out could not be established.
    Establishment(F),
    /// The connection made for this check-out ended without a word while it was being established.
    Lost,
    /// The server, once primary, is silent, and the waiter looks for another; nobody reads this.
    Dismissed,
    /// The caller has given up; nobody reads this.
    Cancelled,
}

/// A check-out met a closed pool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection pool of {address} is closed")]
pub struct PoolClosed {
    /// The server the pool belongs to.
    pub address: Arc<ServerAddress>,
}

/// A check-out met a paused pool, or one that was cleared while it waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolCleared {
    /// The server the pool belongs to.
    pub address: Arc<ServerAddress>,
    /// The error for which the pool was cleared; none when the server has not been checked yet.
    pub cause: Option<Arc<str>>,
    /// Whether a server monitor's timeout interrupted the connection.
    pub interrupted: bool,
}

impl fmt::Display for PoolCleared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = &self.address;
        match &self.cause {
            _ if self.interrupted => write!(f, "Connection to {address} interrupted due to server monitor timeout"),
            Some(cause) => {
                write!(f, "Connection pool for {address} was cleared because another operation failed with: {cause}")
            }
            None => write!(f, "Connection pool for {address} is paused until the server has been checked"),
        }
    }
}

impl Error for PoolCleared {}

/// A check-out waited for too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitQueueTimeout {
    /// The server the pool belongs to.
    pub address: Arc<ServerAddress>,
    /// How long the operation waited.
    pub waited: Duration,
    /// `maxPoolSize` of the pool; 0 means no limit.
    pub max_pool_size: u32,
    /// Connections being established at that moment.
    pub pending: usize,
    /// Connections that cursors hold.
    pub in_use_by_cursors: usize,
    /// Connections that transactions hold.
    pub in_use_by_transactions: usize,
    /// Connections that anything else holds.
    pub in_use_by_other_operations: usize,
}

impl fmt::Display for WaitQueueTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Timeout waiting for connection from the connection pool. maxPoolSize: {}, connections in use by cursors: \
             {}, connections in use by transactions: {}, connections in use by other operations: {} (server {}, {} \
             being established, waited {:?})",
            self.max_pool_size,
            self.in_use_by_cursors,
            self.in_use_by_transactions,
            self.in_use_by_other_operations,
            self.address,
            self.pending,
            self.waited,
        )
    }
}

impl Error for WaitQueueTimeout {}

impl<F> CheckOutError<F> {
    /// The reason a failed check-out's event gives.
    pub const fn reason(&self) -> ConnectionCheckoutFailedReason {
        match self {
            Self::PoolClosed(_) => ConnectionCheckoutFailedReason::PoolClosed,
            Self::WaitQueueTimeout(_) | Self::Cancelled => ConnectionCheckoutFailedReason::Timeout,
            Self::PoolCleared(_) | Self::Establishment(_) | Self::Lost | Self::Dismissed => {
                ConnectionCheckoutFailedReason::ConnectionError
            }
        }
    }

    /// The type the specification's test files give to this error, and the fixed message that goes with it.
    pub const fn specified(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::PoolClosed(_) => {
                Some(("PoolClosedError", "Attempted to check out a connection from closed connection pool"))
            }
            Self::WaitQueueTimeout(_) => {
                Some(("WaitQueueTimeoutError", "Timed out while checking out a connection from connection pool"))
            }
            Self::PoolCleared(_) => Some(("PoolClearedError", "Connection pool was cleared")),
            Self::Establishment(_) | Self::Lost | Self::Dismissed | Self::Cancelled => None,
        }
    }
}

impl<F: fmt::Display> fmt::Display for CheckOutError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PoolClosed(error) => error.fmt(f),
            Self::PoolCleared(error) => error.fmt(f),
            Self::WaitQueueTimeout(error) => error.fmt(f),
            Self::Establishment(failure) => failure.fmt(f),
            Self::Lost => f.write_str("the connection ended while it was being established"),
            Self::Dismissed => f.write_str("a newer primary took over, and the former one no longer answers"),
            Self::Cancelled => f.write_str("the caller gave up waiting for a connection"),
        }
    }
}

impl<F: Error + 'static> Error for CheckOutError<F> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::PoolClosed(error) => Some(error),
            Self::PoolCleared(error) => Some(error),
            Self::WaitQueueTimeout(error) => Some(error),
            Self::Establishment(failure) => Some(failure),
            Self::Lost | Self::Dismissed | Self::Cancelled => None,
        }
    }
}
