//! What all actors of one client, and its handles, can see: published snapshots, and settings that never change.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
};

use arc_swap::{ArcSwap, ArcSwapOption};
use bson::RawDocument;
use mongo_actors_protocol::{
    handshake::ClientMetadata,
    sdam::{Topology, TopologyDescription, TopologySettings},
    session::{ClusterTime, SessionExpiry},
};
use tokio::sync::{Notify, oneshot, watch};

use crate::{
    connection::{AwsKeyCache, KeyCache},
    event_publisher::EventSink,
    failure::Cause,
    net::Tls,
    reaper::{Ledger, ReaperActor},
    runtime::{Address, Entropy, Registry},
    session_pool::SessionPoolActor,
    settings::{EngineSettings, StartError},
    topology::TopologyActor,
};

/// Everything that is shared. Each cell has one writer, named here; all others read.
pub(crate) struct Shared {
    pub(crate) settings: EngineSettings,
    /// Written by the topology.
    pub(crate) description: ArcSwap<TopologyDescription>,
    /// Written by the topology.
    pub(crate) cluster_time: ArcSwapOption<ClusterTime>,
    /// Written by the supervisor: the topology of today.
    pub(crate) topology: ArcSwapOption<Address<TopologyActor>>,
    /// Written by the supervisor: the reaper of today.
    pub(crate) reaper: ArcSwapOption<Address<ReaperActor>>,
    /// Written by the supervisor: the session pool of today. Whoever needs one waits for it.
    pub(crate) sessions: watch::Sender<Option<Address<SessionPoolActor>>>,
    /// Written by the supervisor; by the handle that closes a client whose supervisor is gone.
    pub(crate) status: ArcSwap<Status>,
    /// Written by the engine's handles, under the eyes of no actor: only later handshakes read it.
    pub(crate) metadata: ArcSwap<ClientMetadata>,
    pub(crate) entropy: Entropy,
    pub(crate) events: EventSink,
    pub(crate) keys: KeyCache,
    pub(crate) aws_keys: AwsKeyCache,
    /// None when connections are not encrypted.
    pub(crate) tls: Option<Tls>,
    pub(crate) registry: Registry,
    /// What is owed to servers.
    pub(crate) ledger: Ledger,
    pub(crate) gate: Gate,
    /// Reached when the tree was started for the first time.
    pub(crate) grown: Milestone,
    pub(crate) operation_ids: AtomicI64,
}

impl Shared {
    /// What a client shares before anything has happened.
    ///
    /// # Errors
    /// When the client's description of itself cannot be sent, or no thread can be had for its events.
    pub(crate) fn new(settings: EngineSettings) -> Result<Self, StartError> {
        let metadata = settings.metadata()?;
        let tls = settings.tls()?;
        let entropy = settings.entropy();
        let nothing_known = Topology::new(TopologySettings::from(&*settings.options), entropy.object_id());
        let (listeners, at_once) = (settings.listeners.clone(), settings.is_simulated());
        let events = EventSink::start(listeners, settings.max_log_document_len, at_once)?;
        let registry = Registry::new(events.supervision());
        #[cfg(feature = "simulation")]
        if let Some(witness) = settings.simulation.as_ref().and_then(|simulation| simulation.witness.clone()) {
            registry.chaos.show(witness);
        }
        Ok(Self {
            registry,
            entropy,
            events,
            settings,
            description: ArcSwap::new(nothing_known.description().clone()),
            cluster_time: ArcSwapOption::empty(),
            topology: ArcSwapOption::empty(),
            reaper: ArcSwapOption::empty(),
            sessions: watch::Sender::default(),
            status: ArcSwap::from_pointee(Status::Open),
            metadata: ArcSwap::from_pointee(metadata),
            keys: KeyCache::default(),
            aws_keys: AwsKeyCache::default(),
            tls,
            ledger: Ledger::default(),
            gate: Gate::default(),
            grown: Milestone::default(),
            operation_ids: 1.into(),
        })
    }

    /// How long servers keep sessions that nobody uses, as far as the topology tells.
    pub(crate) fn session_expiry(&self) -> SessionExpiry {
        let description = self.description.load();
        SessionExpiry::new(self.settings.options.load_balanced, description.logical_session_timeout_minutes)
    }

    /// Passes a cluster time on if it is newer than the one published.
    pub(crate) fn note_cluster_time(&self, seen: &RawDocument, tell: impl FnOnce(ClusterTime)) {
        let known = self.cluster_time.load();
        let Ok(time) = seen.get_timestamp("clusterTime") else { return };
        if known.as_ref().is_none_or(|known| known.time() < time)
            && let Some(newer) = ClusterTime::from_document(seen)
        {
            tell(newer);
        }
    }
}

/// Something that happens once, and that any number of tasks may wait for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Milestone(Arc<(AtomicBool, Notify)>);

impl Milestone {
    pub(crate) fn notify(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        self.0.1.notify_waiters();
    }

    pub(crate) fn is_reached(&self) -> bool {
        self.0.0.load(Ordering::SeqCst)
    }

    pub(crate) async fn reached(&self) {
        let notified = self.0.1.notified();
        if !self.0.0.load(Ordering::SeqCst) {
            notified.await;
        }
    }
}

/// Whether operations may enter.
#[derive(Clone, Debug)]
pub(crate) enum Status {
    Open,
    /// The client was closed, or is being closed.
    Closed,
    /// The actors could not be kept alive; the supervisor tries again by itself.
    Down(Arc<str>),
}

impl Status {
    /// Why an operation may not enter; none when it may.
    pub(crate) fn refusal(&self) -> Option<Cause> {
        match self {
            Self::Open => None,
            Self::Closed => Some(Cause::ClientClosed),
            Self::Down(cause) => Some(Cause::EngineDown(cause.clone())),
        }
    }
}

/// Counts the tickets that are on their way, so that closing can wait for the last one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<GateState>);

#[derive(Debug, Default)]
struct GateState {
    inside: AtomicUsize,
    watched: AtomicBool,
    emptied: Notify,
}

/// One ticket's presence.
#[derive(Debug)]
pub(crate) struct GatePass(Arc<GateState>);

impl Gate {
    pub(crate) fn enter(&self) -> GatePass {
        self.0.inside.fetch_add(1, Ordering::Relaxed);
        GatePass(self.0.clone())
    }

    /// How many are inside.
    pub(crate) fn inside(&self) -> usize {
        self.0.inside.load(Ordering::Acquire)
    }

    /// Resolves when nobody is inside.
    pub(crate) async fn emptied(&self) {
        self.0.watched.store(true, Ordering::SeqCst);
        while self.inside() > 0 {
            let emptied = self.0.emptied.notified();
            if self.inside() > 0 {
                emptied.await;
            }
        }
    }
}

impl Drop for GatePass {
    fn drop(&mut self) {
        if self.0.inside.fetch_sub(1, Ordering::SeqCst) == 1 && self.0.watched.load(Ordering::SeqCst) {
            // A permit is kept if the watcher is between its look and its wait.
            self.0.emptied.notify_one();
        }
    }
}

/// Travels in messages; when the last clone is dropped, whoever made it knows that all of them were handled.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    _last: Arc<oneshot::Sender<()>>,
}

impl Token {
    /// A token, and a future that resolves when the last clone of it is gone.
    pub(crate) fn new() -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (last, gone) = oneshot::channel();
        let gone = async move {
            let _always_an_error = gone.await;
        };
        (Self { _last: Arc::new(last) }, gone)
    }
}
