//! Events of server checks.

use std::{sync::Arc, time::Duration};

use crate::{address::ServerAddress, wire::ReplyBody};

/// What the events of one check have in common. Makes the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatInfo {
    /// The server that is checked.
    pub server_address: Arc<ServerAddress>,
    /// Whether the server was asked to wait for a change.
    pub awaited: bool,
    /// The driver's number for the connection, once there is one.
    pub driver_connection_id: Option<u32>,
    /// The server's number for the connection, once it is known.
    pub server_connection_id: Option<i64>,
}

impl HeartbeatInfo {
    /// A check of `server_address` whose connection is not known yet.
    pub fn new(server_address: Arc<ServerAddress>, awaited: bool) -> Self {
        Self { server_address, awaited, driver_connection_id: None, server_connection_id: None }
    }

    /// The check is about to be made.
    pub fn started(&self) -> ServerHeartbeatStartedEvent {
        ServerHeartbeatStartedEvent {
            server_address: self.server_address.clone(),
            awaited: self.awaited,
            driver_connection_id: self.driver_connection_id,
            server_connection_id: self.server_connection_id,
        }
    }

    /// The server answered. `duration` of an awaited answer includes the waiting.
    pub fn succeeded(&self, reply: &ReplyBody, duration: Duration) -> ServerHeartbeatSucceededEvent {
        ServerHeartbeatSucceededEvent {
            duration,
            reply: reply.clone(),
            server_address: self.server_address.clone(),
            awaited: self.awaited,
            driver_connection_id: self.driver_connection_id,
            server_connection_id: self.server_connection_id,
        }
    }

    /// The check failed.
    pub fn failed(&self, failure: Arc<str>, duration: Duration) -> ServerHeartbeatFailedEvent {
        ServerHeartbeatFailedEvent {
            duration,
            failure,
            server_address: self.server_address.clone(),
            awaited: self.awaited,
            driver_connection_id: self.driver_connection_id,
            server_connection_id: self.server_connection_id,
        }
    }
}

/// A server is about to be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerHeartbeatStartedEvent {
    /// The server.
    pub server_address: Arc<ServerAddress>,
    /// Whether the server was asked to wait for a change.
    pub awaited: bool,
    /// The driver's number for the connection, once there is one.
    pub driver_connection_id: Option<u32>,
    /// The server's number for the connection, once it is known.
    pub server_connection_id: Option<i64>,
}

/// A server answered its check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerHeartbeatSucceededEvent {
    /// From sending to the answer, waiting for a change included.
    pub duration: Duration,
    /// The answer.
    pub reply: ReplyBody,
    /// The server.
    pub server_address: Arc<ServerAddress>,
    /// Whether the server was asked to wait for a change.
    pub awaited: bool,
    /// The driver's number for the connection.
    pub driver_connection_id: Option<u32>,
    /// The server's number for the connection.
    pub server_connection_id: Option<i64>,
}

/// A server's check failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerHeartbeatFailedEvent {
    /// From sending to the failure.
    pub duration: Duration,
    /// What happened, in words.
    pub failure: Arc<str>,
    /// The server.
    pub server_address: Arc<ServerAddress>,
    /// Whether the server was asked to wait for a change.
    pub awaited: bool,
    /// The driver's number for the connection, once there is one.
    pub driver_connection_id: Option<u32>,
    /// The server's number for the connection, once it is known.
    pub server_connection_id: Option<i64>,
}

/// Any event of a server check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeartbeatEvent {
    /// A server is about to be checked.
    Started(ServerHeartbeatStartedEvent),
    /// A server answered.
    Succeeded(ServerHeartbeatSucceededEvent),
    /// A check failed.
    Failed(ServerHeartbeatFailedEvent),
}
