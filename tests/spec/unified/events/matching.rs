//! Comparing events.

use std::time::Duration;

use bson::{Document, RawDocument, oid::ObjectId};
use mongo_actors::event::ConnectionInfo;

use super::observer::{Event, Monitor, Observer};
use crate::unified::{
    failure::{Outcome, failure},
    matching::Matcher,
    schema::{CmapEvent, CommandEvent, ExpectedDescription, ExpectedEvent, ExpectedEvents, SdamEvent},
};

/// How long to wait for events of what the driver does in the background, such as closing a cursor.
const LIMIT: Duration = Duration::from_secs(5);

/// Waits until as many events have happened as are expected.
pub(crate) async fn awaited(expected: &ExpectedEvents, observer: &Observer) {
    let (monitor, count) = match expected {
        ExpectedEvents::Command(expected) => (Monitor::Command, expected.len()),
        ExpectedEvents::Cmap(expected) => (Monitor::Cmap, expected.len()),
        ExpectedEvents::Sdam(expected) => (Monitor::Sdam, expected.len()),
    };
    let is_seen = |event: &&Event| event.monitor() == monitor;
    let happened = |observer: &Observer| observer.events().iter().filter(is_seen).count() >= count;
    // What is missing after that is told by the comparison.
    observer.wait_until(LIMIT, happened).await;
}

/// Sees that the events of one monitor are exactly the expected ones, in order.
pub(crate) fn verify(matcher: Matcher<'_>, expected: &ExpectedEvents, ignore_extra: bool, events: &[Event]) -> Outcome {
    match expected {
        ExpectedEvents::Command(expected) => {
            sequence(Monitor::Command, expected, ignore_extra, events, |one, event| command(matcher, one, event))
        }
        ExpectedEvents::Cmap(expected) => sequence(Monitor::Cmap, expected, ignore_extra, events, cmap),
        ExpectedEvents::Sdam(expected) => sequence(Monitor::Sdam, expected, ignore_extra, events, sdam),
    }
}

/// Sees that one event is the expected one.
pub(crate) fn matches(matcher: Matcher<'_>, expected: &ExpectedEvent, event: &Event) -> Outcome {
    match expected {
        ExpectedEvent::Command(expected) => command(matcher, expected, event),
        ExpectedEvent::Cmap(expected) => cmap(expected, event),
        ExpectedEvent::Sdam(expected) => sdam(expected, event),
    }
}

fn sequence<E>(
    monitor: Monitor,
    expected: &[E],
    ignore_extra: bool,
    events: &[Event],
    matches: impl Fn(&E, &Event) -> Outcome,
) -> Outcome {
    let events: Vec<_> = events.iter().filter(|event| event.monitor() == monitor).collect();
    for (index, one) in expected.iter().enumerate() {
        let Some(event) = events.get(index) else { break };
        matches(one, event).map_err(|failure| failure.at(format!("event {index}{}", list(&events))))?;
    }
    if events.len() < expected.len() || (events.len() > expected.len() && !ignore_extra) {
        let (count, wanted) = (events.len(), expected.len());
        return Err(failure!("{count} events instead of {wanted}{}", list(&events)));
    }
    Ok(())
}

fn list(events: &[&Event]) -> String {
    let describe = |event: &&Event| match event {
        Event::CommandStarted(event) => format!("\n  commandStartedEvent {:?}", event.command),
        Event::CommandSucceeded(event) => format!("\n  commandSucceededEvent {}", event.command_name),
        Event::CommandFailed(event) => format!("\n  commandFailedEvent {}: {:?}", event.command_name, event.failure),
        Event::ConnectionClosed(event) => format!("\n  connectionClosedEvent {}", event.reason),
        Event::ConnectionCheckOutFailed(event) => format!("\n  connectionCheckOutFailedEvent {}", event.reason),
        event => format!("\n  {}", event.name()),
    };
    format!(" of:{}\n", events.iter().map(describe).collect::<String>())
}

fn command(matcher: Matcher<'_>, expected: &CommandEvent, event: &Event) -> Outcome {
    match (expected, event) {
        (CommandEvent::CommandStartedEvent(expected), Event::CommandStarted(event)) => {
            same("command name", expected.command_name.as_deref(), &event.command_name)?;
            same("database name", expected.database_name.as_deref(), &event.db)?;
            service_id(expected.has_service_id, event.service_id)?;
            connection_id(expected.has_server_connection_id, &event.connection)?;
            expected.command.as_ref().map_or(Ok(()), |expected| matcher.root(expected, &document(&event.command)?))
        }
        (CommandEvent::CommandSucceededEvent(expected), Event::CommandSucceeded(event)) => {
            same("command name", expected.command_name.as_deref(), &event.command_name)?;
            same("database name", expected.database_name.as_deref(), &event.db)?;
            service_id(expected.has_service_id, event.service_id)?;
            connection_id(expected.has_server_connection_id, &event.connection)?;
            let reply = || document(event.reply.as_document());
            expected.reply.as_ref().map_or(Ok(()), |expected| matcher.root(expected, &reply()?))
        }
        (CommandEvent::CommandFailedEvent(expected), Event::CommandFailed(event)) => {
            same("command name", expected.command_name.as_deref(), &event.command_name)?;
            same("database name", expected.database_name.as_deref(), &event.db)?;
            service_id(expected.has_service_id, event.service_id)?;
            connection_id(expected.has_server_connection_id, &event.connection)
        }
        _ => Err(other_kind(expected, event)),
    }
}

fn cmap(expected: &CmapEvent, event: &Event) -> Outcome {
    match (expected, event) {
        (CmapEvent::PoolCreatedEvent(_), Event::PoolCreated)
        | (CmapEvent::PoolReadyEvent(_), Event::PoolReady)
        | (CmapEvent::PoolClosedEvent(_), Event::PoolClosed)
        | (CmapEvent::ConnectionCreatedEvent(_), Event::ConnectionCreated)
        | (CmapEvent::ConnectionReadyEvent(_), Event::ConnectionReady)
        | (CmapEvent::ConnectionCheckOutStartedEvent(_), Event::ConnectionCheckOutStarted)
        | (CmapEvent::ConnectionCheckedOutEvent(_), Event::ConnectionCheckedOut)
        | (CmapEvent::ConnectionCheckedInEvent(_), Event::ConnectionCheckedIn) => Ok(()),
        (CmapEvent::PoolClearedEvent(expected), Event::PoolCleared(event)) => {
            service_id(expected.has_service_id, event.service_id)?;
            let interrupts = expected.interrupt_in_use_connections;
            same("interruptInUseConnections", interrupts, event.interrupt_in_use_connections)
        }
        (CmapEvent::ConnectionClosedEvent(expected), Event::ConnectionClosed(event)) => {
            same("reason", expected.reason.as_deref(), event.reason.as_str())
        }
        (CmapEvent::ConnectionCheckOutFailedEvent(expected), Event::ConnectionCheckOutFailed(event)) => {
            same("reason", expected.reason.as_deref(), event.reason.as_str())
        }
        _ => Err(other_kind(expected, event)),
    }
}

fn sdam(expected: &SdamEvent, event: &Event) -> Outcome {
    match (expected, event) {
        (SdamEvent::TopologyOpeningEvent(_), Event::TopologyOpening)
        | (SdamEvent::TopologyClosedEvent(_), Event::TopologyClosed) => Ok(()),
        (SdamEvent::ServerDescriptionChangedEvent(expected), Event::ServerDescriptionChanged(event)) => {
            let (previous, new) = (&event.previous_description, &event.new_description);
            described(expected.previous_description.as_ref(), |name| name.0 == previous.server_type.name())?;
            described(expected.new_description.as_ref(), |name| name.0 == new.server_type.name())
        }
        (SdamEvent::TopologyDescriptionChangedEvent(expected), Event::TopologyDescriptionChanged(event)) => {
            let (previous, new) = (&event.previous_description, &event.new_description);
            described(expected.previous_description.as_ref(), |name| name.0 == previous.topology_type.name())?;
            described(expected.new_description.as_ref(), |name| name.0 == new.topology_type.name())
        }
        (SdamEvent::ServerHeartbeatStartedEvent(expected), Event::ServerHeartbeatStarted(event)) => {
            same("awaited", expected.awaited, event.awaited)
        }
        (SdamEvent::ServerHeartbeatSucceededEvent(expected), Event::ServerHeartbeatSucceeded(event)) => {
            same("awaited", expected.awaited, event.awaited)
        }
        (SdamEvent::ServerHeartbeatFailedEvent(expected), Event::ServerHeartbeatFailed(event)) => {
            same("awaited", expected.awaited, event.awaited)
        }
        _ => Err(other_kind(expected, event)),
    }
}

fn described<T: std::fmt::Debug>(
    expected: Option<&ExpectedDescription<T>>,
    is_type: impl FnOnce(&T) -> bool,
) -> Outcome {
    match expected.and_then(|expected| expected.type_name.as_ref()) {
        Some(name) if !is_type(name) => Err(failure!("the type is not {name:?}")),
        _ => Ok(()),
    }
}

fn other_kind(expected: &impl std::fmt::Debug, event: &Event) -> super::super::failure::Failure {
    failure!("{} instead of {expected:?}", event.name())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: Option<T>, actual: T) -> Outcome {
    match expected {
        Some(expected) if expected != actual => Err(failure!("the {what} is {actual:?} instead of {expected:?}")),
        _ => Ok(()),
    }
}

fn service_id(expected: Option<bool>, actual: Option<ObjectId>) -> Outcome {
    let is_set = actual.is_some_and(|id| id.bytes() != [0; 12]);
    same("presence of a service id", expected, is_set)
}

fn connection_id(expected: Option<bool>, actual: &ConnectionInfo) -> Outcome {
    same("presence of a server's connection id", expected, actual.server_id.is_some_and(|id| id > 0))
}

fn document(raw: &RawDocument) -> Outcome<Document> {
    Document::try_from(raw).map_err(|error| failure!("the event holds malformed BSON: {error}"))
}
