//! Clients.

use std::{sync::Arc, time::Duration};

use bson::{Bson, Document};
use mongo_actors::{Client, options::ServerApi, timeout};

use crate::unified::{
    deployments::{Deployment, with_options},
    events::{Observer, Policy},
    failure::{Outcome, failure},
    logs::Collector,
    schema,
};

const MAX_LOG_DOCUMENT_LEN: usize = 10_000;
const HEARTBEAT_FREQUENCY_MS: i32 = 50;
const MIN_HEARTBEAT_FREQUENCY: Duration = Duration::from_millis(50);

/// A client, and what it published.
pub(crate) struct ClientEntity {
    pub(crate) client: Client,
    pub(crate) observer: Arc<Observer>,
    /// Its log, if the test wants to see it.
    pub(crate) log: Option<Arc<Collector>>,
}

impl ClientEntity {
    /// Makes a client. It looks at its servers more often when they are to be `faulty`, and sooner when it needs one, so
    /// that it does not wait long for those that a test has made unknown to it.
    pub(super) async fn create(entity: &schema::ClientEntity, deployment: &Deployment, faulty: bool) -> Outcome<Self> {
        refuse_what_is_missing(entity)?;
        let options = entity.uri_options.clone().unwrap_or_default().0;
        let mut uri_options = resolved(&options)?;
        if faulty && !uri_options.contains_key("heartbeatFrequencyMS") {
            uri_options.insert("heartbeatFrequencyMS", HEARTBEAT_FREQUENCY_MS);
        }
        let uri = with_options(&deployment.uri(entity.use_multiple_mongoses), &uri_options)?;
        let observer = Arc::new(Observer::new(policy(entity)));
        let mut builder = Client::builder()
            .uri(&uri)
            .min_heartbeat_frequency(MIN_HEARTBEAT_FREQUENCY)
            .command_listener(observer.clone())
            .pool_listener(observer.clone())
            .heartbeat_listener(observer.clone())
            .server_listener(observer.clone())
            .topology_listener(observer.clone());
        if let Some(api) = &entity.server_api {
            builder = builder.server_api(server_api(api)?);
        }
        let log = entity.observe_log_messages.as_ref().map(|observed| Collector::new(observed.0.clone()));
        // Messages are compared as documents, of which nothing must be missing.
        let builder = builder.max_log_document_len(MAX_LOG_DOCUMENT_LEN);
        let client = match &log {
            Some(log) => log.around(|| builder.build()),
            None => builder.build(),
        };
        let client = client.map_err(|error| failure!("the client {uri}: {error}"))?;
        let entity_ = Self { client, observer, log };
        if let (Some(limit), Some(size)) = (entity.await_min_pool_size_ms, number(&options, "minPoolSize")) {
            entity_.await_min_pool_size(size, Duration::from_millis(limit)).await?;
        }
        Ok(entity_)
    }

    /// Waits until the pool of each data-bearing server has `size` connections, and forgets what happened until then.
    async fn await_min_pool_size(&self, size: usize, limit: Duration) -> Outcome {
        let ping = timeout::scope(limit, self.client.warm_up()).await;
        ping.map_err(|error| failure!("the client finds no server: {error}"))?;
        let is_populated = |observer: &Observer| {
            let description = self.client.topology_description();
            let count = description.known_servers().filter(|server| server.server_type.is_data_bearing()).count();
            let all = description.servers.len();
            count == all && observer.ready() >= size * count
        };
        if !self.observer.wait_until(limit, is_populated).await {
            return Err(failure!("the pools have fewer than {size} connections each after {limit:?}"));
        }
        self.client.flush_events().await;
        self.observer.clear();
        if let Some(log) = &self.log {
            log.clear();
        }
        Ok(())
    }

    /// Waits until everything that happened so far was published.
    pub(crate) async fn flush(&self) {
        self.client.flush_events().await;
    }
}

fn refuse_what_is_missing(entity: &schema::ClientEntity) -> Outcome {
    if entity.auto_encrypt_opts.is_some() {
        return Err(failure!("client-side encryption is a later part of the driver"));
    }
    if entity.observe_tracing_messages.is_some() {
        return Err(failure!("OpenTelemetry is a later part of the driver"));
    }
    if entity.store_events_as_entities.is_some() {
        return Err(failure!("the format does not describe storeEventsAsEntities any more"));
    }
    Ok(())
}

/// The options with placeholders replaced from the environment.
fn resolved(options: &Document) -> Outcome<Document> {
    let is_placeholder = |value: &Bson| value.as_document().is_some_and(|value| value.contains_key("$$placeholder"));
    for (name, value) in options {
        let nested = value.as_document().is_some_and(|value| value.values().any(is_placeholder));
        if nested || is_placeholder(value) {
            return Err(failure!("nothing here can stand for the placeholder in {name}"));
        }
    }
    Ok(options.clone())
}

fn policy(entity: &schema::ClientEntity) -> Policy {
    let kinds = entity.observe_events.as_deref().unwrap_or_default();
    Policy {
        kinds: kinds.iter().map(|kind| kind.0.clone()).collect(),
        ignored_commands: entity.ignore_command_monitoring_events.as_deref().unwrap_or_default().to_vec(),
        sensitive_commands: entity.observe_sensitive_commands.unwrap_or(false),
    }
}

fn server_api(options: &schema::ServerApiOptions) -> Outcome<ServerApi> {
    if options.version != "1" {
        return Err(failure!("the driver does not support version {:?} of the stable API", options.version));
    }
    let mut api = ServerApi::v1();
    if let Some(strict) = options.strict {
        api = api.strict(strict);
    }
    if let Some(refuse) = options.deprecation_errors {
        api = api.deprecation_errors(refuse);
    }
    Ok(api)
}

fn number(options: &Document, name: &str) -> Option<usize> {
    let value = options.get(name)?;
    value.as_i32().map(i64::from).or_else(|| value.as_i64()).and_then(|value| usize::try_from(value).ok())
}
