//! Who listens.

use super::{
    CommandEvent, CommandFailedEvent, CommandStartedEvent, CommandSucceededEvent, HeartbeatEvent, ServerClosedEvent,
    ServerDescriptionChangedEvent, ServerHeartbeatFailedEvent, ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent, ServerOpeningEvent, TopologyClosedEvent, TopologyDescriptionChangedEvent,
    TopologyOpeningEvent,
};
use crate::{
    cmap::{
        ConnectionCheckedInEvent, ConnectionCheckedOutEvent, ConnectionCheckoutFailedEvent,
        ConnectionCheckoutStartedEvent, ConnectionClosedEvent, ConnectionCreatedEvent, ConnectionReadyEvent,
        PoolClearedEvent, PoolClosedEvent, PoolCreatedEvent, PoolEvent, PoolReadyEvent,
    },
    sdam::SdamEvent,
};

/// On which thread a listener is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// In order, on a thread of its own, soon after.
    #[default]
    Queued,
    /// At once, where the event arises, before what it announces happens. The listener must be quick: the driver waits
    /// for it.
    Inline,
}

/// Listens to commands. Every method does nothing unless it is given.
///
/// ```
/// use mongo_actors_protocol::event::{CommandListener, CommandStartedEvent};
///
/// struct PrintNames;
///
/// impl CommandListener for PrintNames {
///     fn command_started(&self, event: &CommandStartedEvent) {
///         println!("{} on {}", event.command_name, event.db);
///     }
/// }
/// ```
pub trait CommandListener: Send + Sync {
    /// On which thread this listener is called; [`Delivery::Queued`] unless given.
    fn delivery(&self) -> Delivery {
        Delivery::Queued
    }

    /// A command is about to be sent.
    fn command_started(&self, event: &CommandStartedEvent) {
        let _ = event;
    }

    /// A command succeeded.
    fn command_succeeded(&self, event: &CommandSucceededEvent) {
        let _ = event;
    }

    /// A command failed.
    fn command_failed(&self, event: &CommandFailedEvent) {
        let _ = event;
    }
}

/// Listens to server checks. Every method does nothing unless it is given.
pub trait HeartbeatListener: Send + Sync {
    /// On which thread this listener is called; [`Delivery::Queued`] unless given.
    fn delivery(&self) -> Delivery {
        Delivery::Queued
    }

    /// A server is about to be checked.
    fn server_heartbeat_started(&self, event: &ServerHeartbeatStartedEvent) {
        let _ = event;
    }

    /// A server answered.
    fn server_heartbeat_succeeded(&self, event: &ServerHeartbeatSucceededEvent) {
        let _ = event;
    }

    /// A check failed.
    fn server_heartbeat_failed(&self, event: &ServerHeartbeatFailedEvent) {
        let _ = event;
    }
}

/// Listens to connection pools. Every method does nothing unless it is given.
pub trait PoolListener: Send + Sync {
    /// On which thread this listener is called; [`Delivery::Queued`] unless given.
    fn delivery(&self) -> Delivery {
        Delivery::Queued
    }

    /// A pool was created; it is paused.
    fn pool_created(&self, event: &PoolCreatedEvent) {
        let _ = event;
    }

    /// A pool was marked ready.
    fn pool_ready(&self, event: &PoolReadyEvent) {
        let _ = event;
    }

    /// A pool, or one service of a load-balanced pool, was cleared.
    fn pool_cleared(&self, event: &PoolClearedEvent) {
        let _ = event;
    }

    /// A pool was closed.
    fn pool_closed(&self, event: &PoolClosedEvent) {
        let _ = event;
    }

    /// A connection was created; it is not established yet.
    fn connection_created(&self, event: &ConnectionCreatedEvent) {
        let _ = event;
    }

    /// A connection was established.
    fn connection_ready(&self, event: &ConnectionReadyEvent) {
        let _ = event;
    }

    /// A connection left the pool.
    fn connection_closed(&self, event: &ConnectionClosedEvent) {
        let _ = event;
    }

    /// An operation began to wait for a connection.
    fn connection_checkout_started(&self, event: &ConnectionCheckoutStartedEvent) {
        let _ = event;
    }

    /// An operation did not get a connection.
    fn connection_checkout_failed(&self, event: &ConnectionCheckoutFailedEvent) {
        let _ = event;
    }

    /// An operation got a connection.
    fn connection_checked_out(&self, event: &ConnectionCheckedOutEvent) {
        let _ = event;
    }

    /// An operation gave its connection back.
    fn connection_checked_in(&self, event: &ConnectionCheckedInEvent) {
        let _ = event;
    }
}

/// Listens to servers as the topology sees them. Every method does nothing unless it is given.
pub trait ServerListener: Send + Sync {
    /// On which thread this listener is called; [`Delivery::Queued`] unless given.
    fn delivery(&self) -> Delivery {
        Delivery::Queued
    }

    /// A server was added.
    fn server_opening(&self, event: &ServerOpeningEvent) {
        let _ = event;
    }

    /// Something about a server changed.
    fn server_description_changed(&self, event: &ServerDescriptionChangedEvent) {
        let _ = event;
    }

    /// A server was removed.
    fn server_closed(&self, event: &ServerClosedEvent) {
        let _ = event;
    }
}

/// Listens to the topology. Every method does nothing unless it is given.
pub trait TopologyListener: Send + Sync {
    /// On which thread this listener is called; [`Delivery::Queued`] unless given.
    fn delivery(&self) -> Delivery {
        Delivery::Queued
    }

    /// The topology begins to exist.
    fn topology_opening(&self, event: &TopologyOpeningEvent) {
        let _ = event;
    }

    /// Something about the deployment changed.
    fn topology_description_changed(&self, event: &TopologyDescriptionChangedEvent) {
        let _ = event;
    }

    /// The topology ceased to exist.
    fn topology_closed(&self, event: &TopologyClosedEvent) {
        let _ = event;
    }
}

impl CommandEvent {
    /// Calls the method of `listener` that is for this event.
    pub fn deliver(&self, listener: &dyn CommandListener) {
        match self {
            Self::Started(event) => listener.command_started(event),
            Self::Succeeded(event) => listener.command_succeeded(event),
            Self::Failed(event) => listener.command_failed(event),
        }
    }
}

impl HeartbeatEvent {
    /// Calls the method of `listener` that is for this event.
    pub fn deliver(&self, listener: &dyn HeartbeatListener) {
        match self {
            Self::Started(event) => listener.server_heartbeat_started(event),
            Self::Succeeded(event) => listener.server_heartbeat_succeeded(event),
            Self::Failed(event) => listener.server_heartbeat_failed(event),
        }
    }
}

/// Calls the method of `listener` that is for `event`.
pub fn deliver_pool_event(event: &PoolEvent, listener: &dyn PoolListener) {
    match event {
        PoolEvent::PoolCreated(event) => listener.pool_created(event),
        PoolEvent::PoolReady(event) => listener.pool_ready(event),
        PoolEvent::PoolCleared(event) => listener.pool_cleared(event),
        PoolEvent::PoolClosed(event) => listener.pool_closed(event),
        PoolEvent::ConnectionCreated(event) => listener.connection_created(event),
        PoolEvent::ConnectionReady(event) => listener.connection_ready(event),
        PoolEvent::ConnectionClosed(event) => listener.connection_closed(event),
        PoolEvent::ConnectionCheckoutStarted(event) => listener.connection_checkout_started(event),
        PoolEvent::ConnectionCheckoutFailed(event) => listener.connection_checkout_failed(event),
        PoolEvent::ConnectionCheckedOut(event) => listener.connection_checked_out(event),
        PoolEvent::ConnectionCheckedIn(event) => listener.connection_checked_in(event),
    }
}

/// Calls the method that is for `event` on every listener of its kind, in order.
pub fn deliver_sdam_event<'l>(
    event: &SdamEvent,
    topology: impl IntoIterator<Item = &'l dyn TopologyListener>,
    servers: impl IntoIterator<Item = &'l dyn ServerListener>,
) {
    match event.clone() {
        SdamEvent::TopologyOpening { topology_id } => {
            let event = TopologyOpeningEvent { topology_id };
            topology.into_iter().for_each(|listener| listener.topology_opening(&event));
        }
        SdamEvent::TopologyDescriptionChanged { topology_id, previous, new } => {
            let event =
                TopologyDescriptionChangedEvent { topology_id, previous_description: previous, new_description: new };
            topology.into_iter().for_each(|listener| listener.topology_description_changed(&event));
        }
        SdamEvent::TopologyClosed { topology_id } => {
            let event = TopologyClosedEvent { topology_id };
            topology.into_iter().for_each(|listener| listener.topology_closed(&event));
        }
        SdamEvent::ServerOpening { topology_id, address } => {
            let event = ServerOpeningEvent { topology_id, address };
            servers.into_iter().for_each(|listener| listener.server_opening(&event));
        }
        SdamEvent::ServerDescriptionChanged { topology_id, address, previous, new } => {
            let event = ServerDescriptionChangedEvent {
                topology_id,
                address,
                previous_description: previous,
                new_description: new,
            };
            servers.into_iter().for_each(|listener| listener.server_description_changed(&event));
        }
        SdamEvent::ServerClosed { topology_id, address } => {
            let event = ServerClosedEvent { topology_id, address };
            servers.into_iter().for_each(|listener| listener.server_closed(&event));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bson::oid::ObjectId;

    use super::{super::HeartbeatInfo, *};
    use crate::address::ServerAddress;

    #[derive(Default)]
    struct Recorder(Mutex<Vec<&'static str>>);

    impl Recorder {
        fn record(&self, what: &'static str) {
            self.0.lock().unwrap().push(what);
        }
    }

    impl HeartbeatListener for Recorder {
        fn delivery(&self) -> Delivery {
            Delivery::Inline
        }

        fn server_heartbeat_started(&self, _: &ServerHeartbeatStartedEvent) {
            self.record("started");
        }

        fn server_heartbeat_failed(&self, event: &ServerHeartbeatFailedEvent) {
            assert_eq!(&*event.failure, "refused");
            self.record("failed");
        }
    }

    impl ServerListener for Recorder {
        fn server_closed(&self, _: &ServerClosedEvent) {
            self.record("server closed");
        }
    }

    impl TopologyListener for Recorder {
        fn topology_opening(&self, _: &TopologyOpeningEvent) {
            self.record("topology opening");
        }
    }

    impl CommandListener for Recorder {}

    #[test]
    fn each_event_reaches_its_method() {
        let recorder = Recorder::default();
        let address: ServerAddress = "localhost".parse().unwrap();
        let info = HeartbeatInfo::new(Arc::new(address.clone()), true);
        HeartbeatEvent::Started(info.started()).deliver(&recorder);
        let failed = info.failed("refused".into(), std::time::Duration::ZERO);
        assert!(failed.awaited);
        HeartbeatEvent::Failed(failed).deliver(&recorder);
        let topology_id = ObjectId::from_bytes([0; 12]);
        for event in [SdamEvent::TopologyOpening { topology_id }, SdamEvent::ServerClosed { topology_id, address }] {
            let (topology, servers): (&dyn TopologyListener, &dyn ServerListener) = (&recorder, &recorder);
            deliver_sdam_event(&event, [topology], [servers]);
        }
        assert_eq!(*recorder.0.lock().unwrap(), ["started", "failed", "topology opening", "server closed"]);
        assert_eq!(HeartbeatListener::delivery(&recorder), Delivery::Inline);
        assert_eq!(CommandListener::delivery(&recorder), Delivery::Queued);
    }
}
