//! `entity` and what it is made of.

use serde::Deserialize;

use super::{
    Filled, NonEmpty, Object, Severity,
    encryption::{AutoEncryptOpts, ClientEncryptionEntity},
};

/// Something a test uses by its name.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Entity {
    Client(ClientEntity),
    ClientEncryption(ClientEncryptionEntity),
    Database(DatabaseEntity),
    Collection(CollectionEntity),
    Session(SessionEntity),
    Bucket(BucketEntity),
    Thread(ThreadEntity),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ClientEntity {
    pub(crate) id: String,
    pub(crate) uri_options: Option<Object>,
    pub(crate) use_multiple_mongoses: Option<bool>,
    pub(crate) observe_events: Option<NonEmpty<EventName>>,
    pub(crate) ignore_command_monitoring_events: Option<NonEmpty<String>>,
    pub(crate) observe_sensitive_commands: Option<bool>,
    pub(crate) observe_log_messages: Option<Filled<ObservedLogMessages>>,
    pub(crate) observe_tracing_messages: Option<ObservedTracingMessages>,
    pub(crate) server_api: Option<ServerApiOptions>,
    pub(crate) auto_encrypt_opts: Option<AutoEncryptOpts>,
    #[serde(rename = "awaitMinPoolSizeMS")]
    pub(crate) await_min_pool_size_ms: Option<u64>,
    pub(crate) store_events_as_entities: Option<NonEmpty<StoreEventsAsEntity>>,
}

/// The name of a kind of events, such as `commandStartedEvent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventName(pub(crate) String);

/// Every kind of events the format can observe.
const EVENT_NAMES: &[&str] = &[
    "commandStartedEvent",
    "commandSucceededEvent",
    "commandFailedEvent",
    "poolCreatedEvent",
    "poolReadyEvent",
    "poolClearedEvent",
    "poolClosedEvent",
    "connectionCreatedEvent",
    "connectionReadyEvent",
    "connectionClosedEvent",
    "connectionCheckOutStartedEvent",
    "connectionCheckOutFailedEvent",
    "connectionCheckedOutEvent",
    "connectionCheckedInEvent",
    "serverDescriptionChangedEvent",
    "topologyDescriptionChangedEvent",
    "topologyOpeningEvent",
    "topologyClosedEvent",
    "serverHeartbeatStartedEvent",
    "serverHeartbeatSucceededEvent",
    "serverHeartbeatFailedEvent",
];

impl<'de> Deserialize<'de> for EventName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if EVENT_NAMES.contains(&name.as_str()) {
            return Ok(Self(name));
        }
        Err(serde::de::Error::custom(format!("{name:?} is no kind of events")))
    }
}

/// For each component, the least severity of the messages to collect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ObservedLogMessages {
    pub(crate) command: Option<Severity>,
    pub(crate) topology: Option<Severity>,
    pub(crate) server_selection: Option<Severity>,
    pub(crate) connection: Option<Severity>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ObservedTracingMessages {
    enable_command_payload: Option<bool>,
}

/// The deprecated way to keep events.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoreEventsAsEntity {
    pub(crate) id: String,
    pub(crate) events: NonEmpty<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ServerApiOptions {
    pub(crate) version: String,
    pub(crate) strict: Option<bool>,
    pub(crate) deprecation_errors: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct DatabaseEntity {
    pub(crate) id: String,
    pub(crate) client: String,
    pub(crate) database_name: String,
    pub(crate) database_options: Option<CollectionOrDatabaseOptions>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CollectionEntity {
    pub(crate) id: String,
    pub(crate) database: String,
    pub(crate) collection_name: String,
    pub(crate) collection_options: Option<CollectionOrDatabaseOptions>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CollectionOrDatabaseOptions {
    pub(crate) read_concern: Option<Object>,
    pub(crate) read_preference: Option<Object>,
    pub(crate) write_concern: Option<Object>,
    #[serde(rename = "timeoutMS")]
    pub(crate) timeout_ms: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct SessionEntity {
    pub(crate) id: String,
    pub(crate) client: String,
    pub(crate) session_options: Option<Object>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct BucketEntity {
    pub(crate) id: String,
    pub(crate) database: String,
    pub(crate) bucket_options: Option<Object>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ThreadEntity {
    pub(crate) id: String,
}
