//! Delivers events to listeners, on a thread of its own, and to the log.
//!
//! Accepts: events, from any actor, through [`EventSink`].
//! Sends: nothing to actors; calls the application's listeners.
//! Owns: the queue and the thread.
//! Invariant: every listener sees the events of its kind in the order they happened; the queue is bounded.
//! If it dies: it does not; a listener that panics is contained and named in the log.

mod log;
mod queue;
mod supervision;
#[cfg(test)]
mod tests;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use mongo_actors_protocol::{
    cmap::PoolEvent,
    event::{
        CommandEvent, CommandListener, Delivery, HeartbeatEvent, HeartbeatListener, PoolListener, ServerListener,
        TopologyListener, deliver_pool_event, deliver_sdam_event,
    },
    sdam::{SdamEvent, TopologyDescription},
};
use tokio::sync::oneshot;

pub(crate) use self::log::SelectionLog;
pub use self::supervision::SupervisionListener;
use self::{log::Log, queue::Queue};
use crate::{
    runtime::{Outlet, SupervisionEvent},
    ticket::Operation,
};

/// Events that may wait for slow listeners. Beyond that the oldest are dropped, and counted.
const CAPACITY: usize = 16 * 1024;

/// Who listens to what happens inside a client.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Listeners {
    /// To commands.
    pub command: Vec<Arc<dyn CommandListener>>,
    /// To connection pools.
    pub pool: Vec<Arc<dyn PoolListener>>,
    /// To server checks.
    pub heartbeat: Vec<Arc<dyn HeartbeatListener>>,
    /// To servers.
    pub server: Vec<Arc<dyn ServerListener>>,
    /// To the topology.
    pub topology: Vec<Arc<dyn TopologyListener>>,
    /// To the client's actors.
    pub supervision: Vec<Arc<dyn SupervisionListener>>,
}

impl std::fmt::Debug for Listeners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listeners")
            .field("command", &self.command.len())
            .field("pool", &self.pool.len())
            .field("heartbeat", &self.heartbeat.len())
            .field("server", &self.server.len())
            .field("topology", &self.topology.len())
            .field("supervision", &self.supervision.len())
            .finish()
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Command(CommandEvent),
    Pool(PoolEvent),
    Heartbeat(HeartbeatEvent),
    Sdam(SdamEvent),
    Supervision(SupervisionEvent),
}

/// What waits in the queue.
enum Entry {
    Event(Event),
    /// Dropped when everything before it was delivered.
    Barrier(oneshot::Sender<()>),
}

/// Where actors publish. Cheap to clone; the last clone ends the thread.
#[derive(Clone)]
pub(crate) struct EventSink {
    listeners: Arc<Listeners>,
    queue: Option<Arc<Sender>>,
    /// Whether all listeners are called at once, as in a simulation.
    at_once: bool,
    log: Arc<Log>,
}

/// Ends the queue when the last sink is gone.
struct Sender(Arc<Queue<Entry>>);

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl EventSink {
    /// A sink for these listeners. The thread is started only if one of them wants queued delivery, and they are not to be
    /// called `at_once` all the same.
    ///
    /// # Errors
    /// The operating system's, when it grants no thread.
    pub(crate) fn start(
        listeners: Listeners,
        max_log_document_len: Option<usize>,
        at_once: bool,
    ) -> std::io::Result<Self> {
        let listeners = Arc::new(listeners);
        let log = Arc::new(Log::new(max_log_document_len));
        if at_once || !listeners.want(Delivery::Queued) {
            return Ok(Self { listeners, queue: None, at_once, log });
        }
        let queue = Arc::new(Queue::new(CAPACITY));
        let (entries, audience) = (queue.clone(), listeners.clone());
        thread::Builder::new()
            .name("mongo-actors-events".to_owned())
            .spawn(move || deliver_all(&entries, &audience))?;
        Ok(Self { listeners, queue: Some(Arc::new(Sender(queue))), at_once, log })
    }

    /// Whether command events are worth building.
    pub(crate) fn wants_commands(&self) -> bool {
        !self.listeners.command.is_empty() || self.log.wants_commands()
    }

    /// Whether pool events are worth building.
    pub(crate) fn wants_pools(&self) -> bool {
        !self.listeners.pool.is_empty() || self.log.wants_pools()
    }

    pub(crate) fn publish_command(&self, event: CommandEvent) {
        self.publish(Event::Command(event));
    }

    pub(crate) fn publish_pool(&self, event: PoolEvent) {
        self.publish(Event::Pool(event));
    }

    pub(crate) fn publish_heartbeat(&self, event: HeartbeatEvent) {
        self.publish(Event::Heartbeat(event));
    }

    /// Where the runtime tells what happens to actors.
    pub(crate) fn supervision(&self) -> Outlet<SupervisionEvent> {
        match self.listeners.supervision.is_empty() {
            // The runtime itself writes the log.
            true => Outlet::nowhere(),
            false => {
                let sink = self.clone();
                Outlet::new(move |event| sink.publish(Event::Supervision(event)))
            }
        }
    }

    pub(crate) fn publish_sdam(&self, event: SdamEvent) {
        self.publish(Event::Sdam(event));
    }

    /// The log of one server selection.
    pub(crate) fn selection<'a>(
        &'a self,
        operation: &'a Operation,
        topology: &'a TopologyDescription,
    ) -> SelectionLog<'a> {
        SelectionLog {
            log: &self.log,
            operation: &operation.request.name,
            operation_id: operation.operation_id,
            criteria: &operation.criteria,
            topology,
        }
    }

    fn publish(&self, event: Event) {
        self.log.write(&event);
        self.listeners.deliver(&event, Delivery::Inline);
        if self.at_once {
            self.listeners.deliver(&event, Delivery::Queued);
        }
        if let Some(queue) = &self.queue {
            queue.0.push(Entry::Event(event));
        }
    }

    /// Resolves when everything published so far was delivered.
    pub(crate) fn flushed(&self) -> impl Future<Output = ()> + Send + use<> {
        let (barrier, passed) = oneshot::channel();
        if let Some(queue) = &self.queue {
            queue.0.push(Entry::Barrier(barrier));
        }
        async move {
            let _always_an_error = passed.await;
        }
    }
}

fn deliver_all(queue: &Queue<Entry>, listeners: &Listeners) {
    while let Some((entry, dropped)) = queue.pop() {
        if dropped > 0 {
            tracing::warn!(target: "mongo_actors::events", dropped, "listeners are too slow: the oldest events were dropped");
        }
        match entry {
            Entry::Event(event) => listeners.deliver(&event, Delivery::Queued),
            Entry::Barrier(passed) => drop(passed),
        }
    }
}

impl Listeners {
    fn want(&self, delivery: Delivery) -> bool {
        self.command.iter().any(|listener| listener.delivery() == delivery)
            || self.pool.iter().any(|listener| listener.delivery() == delivery)
            || self.heartbeat.iter().any(|listener| listener.delivery() == delivery)
            || self.server.iter().any(|listener| listener.delivery() == delivery)
            || self.topology.iter().any(|listener| listener.delivery() == delivery)
            || self.supervision.iter().any(|listener| listener.delivery() == delivery)
    }

    /// Calls the listeners that want `event` delivered this way.
    fn deliver(&self, event: &Event, delivery: Delivery) {
        match event {
            Event::Command(event) => {
                for listener in self.command.iter().filter(|listener| listener.delivery() == delivery) {
                    contained(|| event.deliver(&**listener));
                }
            }
            Event::Heartbeat(event) => {
                for listener in self.heartbeat.iter().filter(|listener| listener.delivery() == delivery) {
                    contained(|| event.deliver(&**listener));
                }
            }
            Event::Pool(event) => {
                for listener in self.pool.iter().filter(|listener| listener.delivery() == delivery) {
                    contained(|| deliver_pool_event(event, &**listener));
                }
            }
            Event::Sdam(event) => self.deliver_sdam(event, delivery),
            Event::Supervision(event) => {
                for listener in self.supervision.iter().filter(|listener| listener.delivery() == delivery) {
                    contained(|| listener.supervision(event));
                }
            }
        }
    }

    fn deliver_sdam(&self, event: &SdamEvent, delivery: Delivery) {
        for listener in self.topology.iter().filter(|listener| listener.delivery() == delivery) {
            contained(|| deliver_sdam_event(event, [&**listener], []));
        }
        for listener in self.server.iter().filter(|listener| listener.delivery() == delivery) {
            contained(|| deliver_sdam_event(event, [], [&**listener]));
        }
    }
}

/// Calls a listener. What it panics with goes to the log and no further.
fn contained(call: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
        let death = crate::runtime::Death::from_panic(&*payload);
        tracing::error!(target: "mongo_actors::events", %death, "an event listener panicked");
    }
}
