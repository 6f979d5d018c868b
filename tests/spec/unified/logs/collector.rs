//! Collecting log messages.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bson::{Bson, Document};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
};

use crate::unified::schema::{Component, ObservedLogMessages, Severity};

/// A message of the driver's log.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(super) component: Component,
    pub(super) severity: Severity,
    pub(super) data: Document,
}

/// Keeps the messages that a test wants to see of one client.
#[derive(Debug)]
pub(crate) struct Collector {
    observed: ObservedLogMessages,
    messages: Mutex<Vec<Message>>,
}

impl Collector {
    pub(crate) fn new(observed: ObservedLogMessages) -> Arc<Self> {
        Arc::new(Self { observed, messages: Mutex::default() })
    }

    /// Runs `make`, and collects the log of the client that it makes.
    pub(crate) fn around<T>(self: &Arc<Self>, make: impl FnOnce() -> T) -> T {
        let subscriber = tracing_subscriber::registry().with(Listening(self.clone()));
        tracing::subscriber::with_default(subscriber, make)
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        self.lock().clone()
    }

    /// Forgets the messages so far.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wants(&self, component: Component, severity: Severity) -> bool {
        let least = match component {
            Component::Command => self.observed.command,
            Component::Topology => self.observed.topology,
            Component::ServerSelection => self.observed.server_selection,
            Component::Connection => self.observed.connection,
        };
        least.is_some_and(|least| severity <= least)
    }
}

struct Listening(Arc<Collector>);

impl<S: Subscriber> Layer<S> for Listening {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let component = match event.metadata().target() {
            "mongo_actors::command" => Component::Command,
            "mongo_actors::topology" => Component::Topology,
            "mongo_actors::server_selection" => Component::ServerSelection,
            "mongo_actors::connection" => Component::Connection,
            _ => return,
        };
        let severity = match *event.metadata().level() {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warning,
            Level::INFO => Severity::Info,
            Level::DEBUG => Severity::Debug,
            Level::TRACE => Severity::Trace,
        };
        if self.0.wants(component, severity) {
            let mut fields = Fields(Document::new());
            event.record(&mut fields);
            self.0.lock().push(Message { component, severity, data: fields.0 });
        }
    }
}

/// The fields of a message as a document.
struct Fields(Document);

impl Fields {
    fn insert(&mut self, field: &Field, value: impl Into<Bson>) {
        self.0.insert(field.name(), value);
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, format!("{value:?}"));
    }
}
