//! Who listens to what happens to a client's actors.

use actix::Recipient;
use mongo_actors_protocol::event::Delivery;

use crate::runtime::SupervisionEvent;

/// Listens to what happens to a client's actors.
///
/// An actix [`Recipient`] is such a listener, too: its actor gets each event as a message, at once. An actor whose
/// mailbox is full does not get it, which is told to the log.
///
/// ```
/// use mongo_actors_engine::{SupervisionEvent, SupervisionListener};
///
/// struct Alarm;
///
/// impl SupervisionListener for Alarm {
///     fn supervision(&self, event: &SupervisionEvent) {
///         if let SupervisionEvent::ActorRestarted { path, cause, .. } = event {
///             eprintln!("{path} {cause}");
///         }
///     }
/// }
/// ```
pub trait SupervisionListener: Send + Sync {
    /// On which thread this listener is called; [`Delivery::Queued`] unless given.
    fn delivery(&self) -> Delivery {
        Delivery::Queued
    }

    /// Something happened.
    fn supervision(&self, event: &SupervisionEvent);
}

impl SupervisionListener for Recipient<SupervisionEvent> {
    fn delivery(&self) -> Delivery {
        Delivery::Inline
    }

    fn supervision(&self, event: &SupervisionEvent) {
        if let Err(error) = self.try_send(event.clone()) {
            tracing::warn!(target: "mongo_actors::events", %error, ?event, "a recipient did not take a supervision event");
        }
    }
}
