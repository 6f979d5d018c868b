//! `expectedEventsForClient`.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

use super::Object;

/// The events of one kind that a client is expected to publish.
#[derive(Clone, Debug)]
pub(crate) struct ExpectedEventsForClient {
    pub(crate) client: String,
    pub(crate) events: ExpectedEvents,
    pub(crate) ignore_extra_events: bool,
}

/// Which monitor the events come from, and what they are.
#[derive(Clone, Debug)]
pub(crate) enum ExpectedEvents {
    Command(Vec<CommandEvent>),
    Cmap(Vec<CmapEvent>),
    Sdam(Vec<SdamEvent>),
}

/// An event of any monitor, as operations that wait for one or count them name it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum ExpectedEvent {
    Command(CommandEvent),
    Cmap(CmapEvent),
    Sdam(SdamEvent),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::enum_variant_names, reason = "the names are the format's")]
pub(crate) enum CommandEvent {
    CommandStartedEvent(CommandStarted),
    CommandSucceededEvent(CommandSucceeded),
    CommandFailedEvent(CommandFailed),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CommandStarted {
    pub(crate) command: Option<Object>,
    pub(crate) command_name: Option<String>,
    pub(crate) database_name: Option<String>,
    pub(crate) has_service_id: Option<bool>,
    pub(crate) has_server_connection_id: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CommandSucceeded {
    pub(crate) reply: Option<Object>,
    pub(crate) command_name: Option<String>,
    pub(crate) database_name: Option<String>,
    pub(crate) has_service_id: Option<bool>,
    pub(crate) has_server_connection_id: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CommandFailed {
    pub(crate) command_name: Option<String>,
    pub(crate) database_name: Option<String>,
    pub(crate) has_service_id: Option<bool>,
    pub(crate) has_server_connection_id: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::enum_variant_names, reason = "the names are the format's")]
pub(crate) enum CmapEvent {
    PoolCreatedEvent(Nothing),
    PoolReadyEvent(Nothing),
    PoolClearedEvent(PoolCleared),
    PoolClosedEvent(Nothing),
    ConnectionCreatedEvent(Nothing),
    ConnectionReadyEvent(Nothing),
    ConnectionClosedEvent(WithReason),
    ConnectionCheckOutStartedEvent(Nothing),
    ConnectionCheckOutFailedEvent(WithReason),
    ConnectionCheckedOutEvent(Nothing),
    ConnectionCheckedInEvent(Nothing),
}

/// An object that must be empty.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct PoolCleared {
    pub(crate) has_service_id: Option<bool>,
    pub(crate) interrupt_in_use_connections: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WithReason {
    pub(crate) reason: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::enum_variant_names, reason = "the names are the format's")]
pub(crate) enum SdamEvent {
    ServerDescriptionChangedEvent(Change<ServerTypeName>),
    TopologyDescriptionChangedEvent(Change<TopologyTypeName>),
    ServerHeartbeatStartedEvent(Heartbeat),
    ServerHeartbeatSucceededEvent(Heartbeat),
    ServerHeartbeatFailedEvent(Heartbeat),
    TopologyOpeningEvent(Nothing),
    TopologyClosedEvent(Nothing),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Heartbeat {
    pub(crate) awaited: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Change<T> {
    pub(crate) previous_description: Option<ExpectedDescription<T>>,
    pub(crate) new_description: Option<ExpectedDescription<T>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectedDescription<T> {
    #[serde(rename = "type")]
    pub(crate) type_name: Option<T>,
}

/// One of the names that the discovery specification gives to servers or topologies.
macro_rules! names {
    ($name:ident { $($allowed:literal),* $(,)? }) => {
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) struct $name(pub(crate) String);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = String::deserialize(deserializer)?;
                match name.as_str() {
                    $($allowed)|* => Ok(Self(name)),
                    _ => Err(D::Error::custom(format!("{name:?} is no such type"))),
                }
            }
        }
    };
}

names! { ServerTypeName {
    "Standalone", "Mongos", "PossiblePrimary", "RSPrimary", "RSSecondary", "RSOther", "RSArbiter", "RSGhost",
    "LoadBalancer", "Unknown",
} }
names! { TopologyTypeName {
    "Single", "Unknown", "ReplicaSetNoPrimary", "ReplicaSetWithPrimary", "Sharded", "LoadBalanced",
} }

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Read {
    client: String,
    event_type: Option<EventType>,
    events: Vec<Value>,
    ignore_extra_events: Option<bool>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EventType {
    Command,
    Cmap,
    Sdam,
}

impl<'de> Deserialize<'de> for ExpectedEventsForClient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Read { client, event_type, events, ignore_extra_events } = Read::deserialize(deserializer)?;
        let events = match event_type.unwrap_or(EventType::Command) {
            EventType::Command => each(events).map(ExpectedEvents::Command),
            EventType::Cmap => each(events).map(ExpectedEvents::Cmap),
            EventType::Sdam => each(events).map(ExpectedEvents::Sdam),
        };
        let ignore_extra_events = ignore_extra_events.unwrap_or(false);
        Ok(Self { client, events: events.map_err(D::Error::custom)?, ignore_extra_events })
    }
}

fn each<T: for<'any> Deserialize<'any>>(events: Vec<Value>) -> Result<Vec<T>, serde_json::Error> {
    events.into_iter().map(T::deserialize).collect()
}
