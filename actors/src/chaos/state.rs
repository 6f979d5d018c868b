//! What is to fail at the moment, and what has.

use std::{
    collections::HashSet,
    fmt, io,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use mongo_actors_protocol::{
    address::ServerAddress,
    chaos::{
        Decider, End, Fault, FaultPlan, Firing, MessageFault, Moment, Recording, Resource, Site, SocketFault,
        SocketStep,
    },
};

use super::{
    ORDERED,
    classes::class_of,
    cursors::OpenCursors,
    orders::{FaultOrder, Firings, Orders},
    transport::FaultyTransport,
};
use crate::{
    net::BoxedTransport,
    runtime::{ActorPath, Outlet, Role, SupervisionEvent, clock},
    ticket::Answer,
};

/// The faults of one client. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Chaos(Arc<State>);

#[derive(Default)]
struct State {
    /// Lets everything pass without the lock while nothing is to fail.
    active: AtomicBool,
    faults: Mutex<Faults>,
    events: OnceLock<Outlet<SupervisionEvent>>,
    #[cfg(feature = "simulation")]
    witness: OnceLock<crate::simulation::Witness>,
}

#[derive(Default)]
struct Faults {
    orders: Orders,
    arming: Option<Arming>,
    /// Servers that cannot be reached.
    partitioned: HashSet<String>,
    armings: u64,
}

/// A plan in force.
struct Arming {
    id: u64,
    since: Instant,
    decider: Decider,
    recording: Recording,
    cursors: OpenCursors,
}

impl Faults {
    fn are_none(&self) -> bool {
        self.orders.is_empty() && self.arming.is_none() && self.partitioned.is_empty()
    }
}

impl Chaos {
    /// Tells each fault that fires to `events`.
    pub(crate) fn tell(&self, events: Outlet<SupervisionEvent>) {
        // Told once, when the client is made.
        let _told_already = self.0.events.set(events);
    }

    /// Shows each message to `witness`.
    #[cfg(feature = "simulation")]
    pub(crate) fn show(&self, witness: crate::simulation::Witness) {
        // Shown once, when the client is made.
        let _shown_already = self.0.witness.set(witness);
    }

    #[cfg(feature = "simulation")]
    fn witness(&self, path: &ActorPath, type_name: &str) {
        if let Some(witness) = self.0.witness.get() {
            witness(path, type_name.rsplit("::").next().unwrap_or(type_name));
        }
    }

    /// Whether nothing is to fail, and nobody watches.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        #[cfg(feature = "simulation")]
        if self.0.witness.get().is_some() {
            return false;
        }
        !self.is_active()
    }

    #[inline]
    pub(super) fn is_active(&self) -> bool {
        self.0.active.load(Ordering::Relaxed)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Faults) -> T) -> T {
        let mut faults = self.faults();
        let changed = change(&mut faults);
        self.0.active.store(!faults.are_none(), Ordering::Relaxed);
        changed
    }

    pub(super) fn order(&self, order: FaultOrder) -> Firings {
        self.change(|faults| faults.orders.give(order))
    }

    /// Arms a plan in place of the one that may be in force. The answer names this arming.
    pub(crate) fn arm(&self, plan: FaultPlan) -> u64 {
        self.change(|faults| {
            faults.armings += 1;
            let (id, recording) = (faults.armings, Recording::new(plan.clone()));
            let (decider, cursors) = (Decider::new(plan), OpenCursors::default());
            faults.arming = Some(Arming { id, since: clock::now(), decider, recording, cursors });
            id
        })
    }

    /// Ends an arming. The recording is that of nothing if another plan is in force.
    pub(crate) fn disarm(&self, id: u64) -> Option<Recording> {
        self.change(|faults| faults.arming.take_if(|arming| arming.id == id).map(|arming| arming.recording))
    }

    /// Ends whatever is to fail.
    pub(super) fn calm(&self) {
        self.change(|faults| {
            faults.orders.withdraw();
            faults.arming = None;
            faults.partitioned.clear();
        });
    }

    /// Whoever waits for a server is to be woken after this.
    pub(super) fn partition(&self, server: String) {
        self.change(|faults| faults.partitioned.insert(server));
    }

    pub(super) fn heal(&self, server: &str) {
        self.change(|faults| faults.partitioned.remove(server));
    }

    /// Whether nothing gets to this server and back.
    #[inline]
    pub(super) fn is_partitioned(&self, server: &str) -> bool {
        self.is_active() && self.faults().partitioned.contains(server)
    }

    /// Whether a connection to this server can be made.
    pub(crate) fn check_route(&self, server: &ServerAddress) -> io::Result<()> {
        match self.is_partitioned(&server.to_string()) {
            true => Err(io::Error::new(io::ErrorKind::HostUnreachable, ORDERED)),
            false => Ok(()),
        }
    }

    /// The same transport, which fails when it is due.
    pub(crate) fn wrap(&self, transport: BoxedTransport, server: &ServerAddress) -> BoxedTransport {
        Box::new(FaultyTransport::new(transport, self.clone(), server.to_string()))
    }

    /// A message reaches an actor, or was handled by it. `type_name` may be qualified.
    pub(crate) fn at_message(
        &self,
        role: Role,
        path: &ActorPath,
        type_name: &str,
        moment: Moment,
    ) -> Option<MessageFault> {
        #[cfg(feature = "simulation")]
        if moment == Moment::Before {
            self.witness(path, type_name);
        }
        if !self.is_active() {
            return None;
        }
        let message = type_name.rsplit("::").next().unwrap_or(type_name);
        if let Some(fault) = self.change(|faults| faults.orders.due(path, role, message, moment)) {
            return Some(fault);
        }
        let site = || Site::message(role, path, message, class_of(message), moment);
        match self.decide(site)? {
            Fault::Message(fault) => Some(fault),
            Fault::Socket(_) => None,
        }
    }

    /// A command is about to be written to a server, or its reply to be read.
    pub(super) fn at_socket(&self, server: &str, command: Option<&str>, step: SocketStep) -> Option<SocketFault> {
        if !self.is_active() {
            return None;
        }
        match self.decide(|| Site::socket(server, command, step))? {
            Fault::Socket(fault) => Some(fault),
            Fault::Message(_) => None,
        }
    }

    fn decide(&self, site: impl FnOnce() -> Site) -> Option<Fault> {
        let firing = {
            let mut faults = self.faults();
            let arming = faults.arming.as_mut()?;
            let firing = arming.decider.decide(&site(), clock::now() - arming.since)?;
            arming.recording.fired(firing.clone());
            firing
        };
        self.announce(&firing);
        Some(firing.fault)
    }

    fn announce(&self, Firing { site, fault, ordinal, .. }: &Firing) {
        tracing::warn!(target: "mongo_actors::chaos", %site, ordinal, ?fault, "a fault was injected");
        if let Some(events) = self.0.events.get() {
            events.send(SupervisionEvent::FaultInjected { site: site.to_string(), fault: format!("{fault:?}") });
        }
    }

    #[cold]
    fn record<T>(&self, record: impl FnOnce(&mut Recording, Duration) -> T) -> Option<(u64, T)> {
        let mut faults = self.faults();
        let arming = faults.arming.as_mut()?;
        let at = clock::now() - arming.since;
        Some((arming.id, record(&mut arming.recording, at)))
    }

    /// An attempt at an operation begins.
    #[inline]
    pub(crate) fn began(&self, command: &str) -> Option<RecordedAttempt> {
        if !self.is_active() {
            return None;
        }
        let (arming, attempt) = self.record(|recording, at| recording.began(command, at))?;
        Some(RecordedAttempt(Box::new(Began { chaos: self.clone(), arming, attempt, end: End::Cancelled })))
    }

    /// Something was taken that is to be given back.
    #[inline]
    pub(crate) fn took(&self, resource: Resource) -> Option<Taken> {
        if !self.is_active() {
            return None;
        }
        let (arming, ()) = self.record(|recording, _| recording.took(resource))?;
        Some(Taken(Box::new(Took { chaos: self.clone(), arming, resource })))
    }

    /// Takes note of cursors, if a plan is in force.
    #[cold]
    pub(super) fn with_cursors(&self, note: impl FnOnce(&mut OpenCursors, &mut Recording)) {
        if let Some(arming) = &mut self.faults().arming {
            note(&mut arming.cursors, &mut arming.recording);
        }
    }

    /// Records something that belongs to an earlier moment of the same arming.
    fn record_in(&self, arming: u64, record: impl FnOnce(&mut Recording, Duration)) {
        let mut faults = self.faults();
        if let Some(current) = faults.arming.as_mut().filter(|current| current.id == arming) {
            let at = clock::now() - current.since;
            record(&mut current.recording, at);
        }
    }
}

impl fmt::Debug for Chaos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chaos").field("active", &self.is_active()).finish_non_exhaustive()
    }
}

/// An attempt in the recording, which ends when this is dropped: cancelled, unless something else was said.
///
/// Like [`Taken`] it is one pointer wide: whatever carries it is moved often, and mostly carries none.
pub(crate) struct RecordedAttempt(Box<Began>);

struct Began {
    chaos: Chaos,
    arming: u64,
    attempt: usize,
    end: End,
}

impl RecordedAttempt {
    /// With this answer; none if whoever had it is gone without one.
    #[cold]
    pub(crate) fn ended(mut self, answer: Option<&Answer>) {
        self.0.end = match answer {
            Some(Ok(_)) => End::Succeeded,
            Some(Err(_)) => End::Failed,
            None => End::Lost,
        };
    }
}

impl Drop for RecordedAttempt {
    fn drop(&mut self) {
        let Began { ref chaos, arming, attempt, end } = *self.0;
        chaos.record_in(arming, |recording, at| recording.ended(attempt, at, end));
    }
}

/// Something in the recording that was taken, and is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Taken(Box<Took>);

#[derive(Debug)]
struct Took {
    chaos: Chaos,
    arming: u64,
    resource: Resource,
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Took { ref chaos, arming, resource } = *self.0;
        chaos.record_in(arming, |recording, _| recording.gave_back(resource));
    }
}
