//! The single writer of the topology description, of the pools' generations and of the cluster time.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bson::{RawDocument, RawDocumentBuf, oid::ObjectId};
use rand::RngCore;

use super::{
    Generation, PoolGenerations, RoundTripTime, SdamEvent, ServerDescription, ServerFailure, TopologyDescription,
    TopologySettings, TopologyType, TopologyVersion, Verdict, cluster_time::is_newer_cluster_time,
    failure::Consequence, srv::chosen_hosts, update::Update,
};
use crate::address::ServerAddress;

/// How many generations of removed servers are remembered.
const REMEMBERED_GENERATIONS: usize = 256;

/// What the shell around a [`Topology`] has to do, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Create the server's pool (paused, with the generation that [`Topology::generation`] tells) and its monitor.
    ServerAdded {
        /// The server.
        address: ServerAddress,
        /// Whether it has a monitor; a load balancer has none.
        monitored: bool,
    },
    /// End the server's monitor and close its pool.
    ServerRemoved(ServerAddress),
    /// Mark the server's pool ready.
    MarkPoolReady(ServerAddress),
    /// Clear the server's pool.
    ClearPool {
        /// The server.
        address: ServerAddress,
        /// The generation that begins: of the pool, or of its connections to the service.
        generation: Generation,
        /// Only connections to this service are meant; with a load balancer only.
        service_id: Option<ObjectId>,
        /// Connections in use are to be interrupted too.
        interrupt_in_use: bool,
    },
    /// Ask the monitor for an immediate check.
    RequestCheck(ServerAddress),
    /// Have the monitor give up the check that is going on, and its connection.
    CancelCheck(ServerAddress),
    /// A newer primary took this server's place: probe whether it still answers.
    PrimarySuperseded(ServerAddress),
    /// [`Topology::description`] is a new one: publish it, and let those who wait for a server try again.
    DescriptionReplaced,
    /// Tell the listeners.
    Publish(SdamEvent),
}

/// What survives a topology that crashed.
#[derive(Clone, Debug)]
pub struct TopologySnapshot {
    topology_id: ObjectId,
    was_opened: bool,
    seed_count: usize,
    description: Arc<TopologyDescription>,
    generations: BTreeMap<ServerAddress, PoolGenerations>,
    cluster_time: Option<Arc<RawDocumentBuf>>,
}

impl TopologySnapshot {
    /// The description at the time.
    pub fn description(&self) -> &Arc<TopologyDescription> {
        &self.description
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    New,
    Restored,
    Open,
    Closed,
}

/// The pure machine of server discovery: it is told what monitors, operations and DNS found out, and says
/// what follows. After each input, drain [`poll_effect`](Self::poll_effect).
///
/// ```
/// use mongo_actors_protocol::sdam::{Effect, Topology, TopologySettings};
///
/// let id = bson::oid::ObjectId::from_bytes([1; 12]);
/// let mut topology = Topology::new(TopologySettings::new(["localhost".parse().unwrap()]), id);
/// topology.open();
/// let effects: Vec<Effect> = std::iter::from_fn(|| topology.poll_effect()).collect();
/// assert!(effects.iter().any(|effect| matches!(effect, Effect::ServerAdded { monitored: true, .. })));
/// ```
#[derive(Debug)]
pub struct Topology {
    settings: TopologySettings,
    id: ObjectId,
    life: Life,
    /// How many seeds the user gave, or the SRV record names by now.
    seed_count: usize,
    description: Arc<TopologyDescription>,
    generations: BTreeMap<ServerAddress, PoolGenerations>,
    cluster_time: Option<Arc<RawDocumentBuf>>,
    effects: VecDeque<Effect>,
}

impl Topology {
    /// A topology that lists the seeds as unknown servers. Nothing happens before [`open`](Self::open).
    pub fn new(settings: TopologySettings, topology_id: ObjectId) -> Self {
        let mut description = TopologyDescription::of_unknown(settings.initial_topology_type(), &settings.seeds);
        description.set_name.clone_from(&settings.replica_set);
        description.heartbeat_frequency = settings.heartbeat_frequency;
        description.local_threshold = settings.local_threshold;
        description.srv_max_hosts = settings.srv_max_hosts;
        Self {
            seed_count: settings.seeds.len(),
            settings,
            id: topology_id,
            life: Life::New,
            description: Arc::new(description),
            generations: BTreeMap::new(),
            cluster_time: None,
            effects: VecDeque::new(),
        }
    }

    /// A topology that takes the place of one that crashed: same id and same servers, all of them unknown.
    ///
    /// Set name, election id, set version and cluster time are kept. Generations are one up, so that whatever
    /// connections of the earlier life still report is stale.
    pub fn restored(settings: TopologySettings, snapshot: &TopologySnapshot) -> Self {
        let mut topology = Self::new(settings, snapshot.topology_id);
        topology.life = if snapshot.was_opened { Life::Restored } else { Life::New };
        topology.seed_count = snapshot.seed_count;
        topology.description = snapshot.description.clone();
        topology.cluster_time.clone_from(&snapshot.cluster_time);
        topology.generations.clone_from(&snapshot.generations);
        for address in snapshot.description.servers.keys() {
            topology.generations.entry(address.clone()).or_default();
        }
        topology.generations.values_mut().for_each(PoolGenerations::advance_all);
        topology
    }

    /// What a topology that takes this one's place has to know.
    pub fn snapshot(&self) -> TopologySnapshot {
        TopologySnapshot {
            topology_id: self.id,
            was_opened: self.life != Life::New,
            seed_count: self.seed_count,
            description: self.description.clone(),
            generations: self.generations.clone(),
            cluster_time: self.cluster_time.clone(),
        }
    }

    /// Begins: publishes the opening events and has pools and monitors created. Only the first call counts.
    pub fn open(&mut self) {
        match self.life {
            Life::New => self.open_first(),
            Life::Restored => self.open_restored(),
            Life::Open | Life::Closed => {}
        }
    }

    fn open_first(&mut self) {
        self.life = Life::Open;
        self.publish(SdamEvent::TopologyOpening { topology_id: self.id });
        let nothing = Arc::new(TopologyDescription::of_unknown(TopologyType::Unknown, []));
        self.publish_topology_change(&nothing);
        for address in self.description.servers.keys().cloned().collect::<Vec<_>>() {
            self.open_server(address);
        }
        self.effects.push_back(Effect::DescriptionReplaced);
        self.find_load_balancer();
    }

    fn open_restored(&mut self) {
        self.life = Life::Open;
        let monitored = self.description.topology_type != TopologyType::LoadBalanced;
        for address in self.description.servers.keys().cloned() {
            self.effects.push_back(Effect::ServerAdded { address, monitored });
        }
        if !monitored {
            return self.find_load_balancer();
        }
        let mut description = (*self.description).clone();
        for server in description.servers.values_mut() {
            *server = Arc::new(ServerDescription::unknown(server.address.clone()));
        }
        if description.topology_type == TopologyType::ReplicaSetWithPrimary {
            description.topology_type = TopologyType::ReplicaSetNoPrimary;
        }
        description.derive();
        self.replace(description, None);
    }

    /// A load balancer is never checked: it is there from the beginning.
    fn find_load_balancer(&mut self) {
        if self.description.topology_type != TopologyType::LoadBalanced {
            return;
        }
        let mut description = (*self.description).clone();
        for server in description.servers.values_mut() {
            self.effects.push_back(Effect::MarkPoolReady(server.address.clone()));
            *server = Arc::new(ServerDescription::load_balancer(server.address.clone()));
        }
        self.replace(description, None);
    }

    /// What is known now. Cheap to clone; it never changes.
    pub fn description(&self) -> &Arc<TopologyDescription> {
        &self.description
    }

    /// Identifies the topology in its events.
    pub fn id(&self) -> ObjectId {
        self.id
    }

    /// Whether the SRV record is to be looked up from time to time, if the client was given one.
    pub fn polls_srv(&self) -> bool {
        let open = matches!(self.life, Life::Open);
        open && matches!(self.description.topology_type, TopologyType::Unknown | TopologyType::Sharded)
    }

    /// A monitor checked its server. A description with an error is a failed check other than a timeout.
    ///
    /// Descriptions of servers that are gone, or older than what is known, are ignored.
    pub fn server_checked(&mut self, check: ServerDescription) {
        self.apply_check(check, false);
    }

    /// A monitor's check failed. `timed_out` tells that the server stayed silent, `topology_version` is the
    /// one of the server's refusal if it answered with one.
    pub fn check_failed(
        &mut self,
        address: &ServerAddress,
        error: impl Into<Arc<str>>,
        topology_version: Option<TopologyVersion>,
        timed_out: bool,
    ) {
        self.apply_check(ServerDescription::failed(address.clone(), error, topology_version), timed_out);
    }

    /// A monitor measured how far away its server is. Publishes nothing: round-trip times are no part of what makes
    /// two descriptions differ.
    pub fn rtt_measured(&mut self, address: &ServerAddress, rtt: RoundTripTime) {
        let Some(current) = self.monitored_server(address).filter(|server| server.is_known()) else { return };
        let measured = ServerDescription {
            round_trip_time: Some(rtt.average),
            min_round_trip_time: rtt.minimum,
            ..(**current).clone()
        };
        let mut description = (*self.description).clone();
        description.servers.insert(address.clone(), Arc::new(measured));
        self.description = Arc::new(description);
        self.effects.push_back(Effect::DescriptionReplaced);
    }

    /// The monitor of a server crashed: nothing is known of the server until the monitor has checked it again. Its pool
    /// is not cleared, as nothing is wrong with it.
    pub fn monitor_restarted(&mut self, address: &ServerAddress, reason: impl Into<Arc<str>>) {
        if self.monitored_server(address).is_some() {
            self.update(ServerDescription::failed(address.clone(), reason, None));
        }
    }

    fn apply_check(&mut self, check: ServerDescription, timed_out: bool) {
        let Some(current) = self.monitored_server(&check.address) else { return };
        if TopologyVersion::is_newer(current.topology_version.as_ref(), check.topology_version.as_ref()) {
            return;
        }
        let (address, failed) = (check.address.clone(), !check.is_known());
        self.update(check);
        if failed {
            self.clear_pool(&address, None, timed_out);
        }
    }

    /// An application's connection met an error. Apply it before the connection is checked in.
    pub fn operation_failed(&mut self, failure: &ServerFailure) -> Verdict {
        if self.is_stale(failure) {
            return Verdict::Stale;
        }
        let load_balanced = self.description.topology_type == TopologyType::LoadBalanced;
        match failure.consequence() {
            Consequence::Nothing => Verdict::Ignored,
            Consequence::StateChange { shutting_down } if load_balanced => {
                let pool_cleared = shutting_down && self.clear_service(failure);
                Verdict::StateChanged { pool_cleared }
            }
            Consequence::ServerDown if load_balanced => match self.clear_service(failure) {
                true => Verdict::ServerFailed,
                false => Verdict::Ignored,
            },
            Consequence::StateChange { shutting_down } => {
                self.update(unknown_after(failure));
                if shutting_down {
                    self.clear_pool(&failure.address, None, false);
                }
                self.effects.push_back(Effect::RequestCheck(failure.address.clone()));
                Verdict::StateChanged { pool_cleared: shutting_down }
            }
            Consequence::ServerDown => {
                self.update(unknown_after(failure));
                self.clear_pool(&failure.address, None, false);
                self.effects.push_back(Effect::CancelCheck(failure.address.clone()));
                Verdict::ServerFailed
            }
        }
    }

    fn is_stale(&self, failure: &ServerFailure) -> bool {
        if self.life != Life::Open {
            return true;
        }
        let Some(server) = self.description.server(&failure.address) else { return true };
        failure.generation < self.generation(&failure.address, failure.service_id)
            || TopologyVersion::is_at_least(server.topology_version.as_ref(), failure.topology_version().as_ref())
    }

    /// Clears the connections to the service that failed; nothing when `hello` has not told it yet.
    fn clear_service(&mut self, failure: &ServerFailure) -> bool {
        if failure.service_id.is_some() {
            self.clear_pool(&failure.address, failure.service_id, false);
        }
        failure.service_id.is_some()
    }

    /// The pool of a server crashed and is about to be created anew: begins its next generation, which is
    /// returned, and asks for a check. The new pool is marked ready at once if the server is in use.
    pub fn pool_restarted(&mut self, address: &ServerAddress) -> Generation {
        let generations = self.generations.entry(address.clone()).or_default();
        generations.advance_all();
        let generation = generations.get(None);
        if let (Life::Open, Some(server)) = (self.life, self.description.server(address)) {
            let (ready, monitored) = (self.is_usable(server), self.monitored_server(address).is_some());
            if ready {
                self.effects.push_back(Effect::MarkPoolReady(address.clone()));
            }
            if monitored {
                self.effects.push_back(Effect::RequestCheck(address.clone()));
            }
        }
        generation
    }

    /// The SRV record was looked up again. `hosts` are the valid hosts of the answer; an empty answer, or one
    /// that comes when the deployment turned out to be neither unknown nor sharded, changes nothing.
    pub fn srv_updated(&mut self, hosts: &[ServerAddress], rng: &mut dyn RngCore) {
        if !self.polls_srv() || hosts.is_empty() {
            return;
        }
        let chosen = chosen_hosts(&self.description, hosts, self.settings.srv_max_hosts, rng);
        let mut update = Update::of(&self.description);
        update.description.servers.retain(|address, _| chosen.contains(address));
        chosen.iter().for_each(|address| update.add(address));
        self.seed_count = chosen.len();
        update.description.derive();
        self.replace(update.description, None);
    }

    /// The current generation of a server's pool, or of its connections to a service.
    pub fn generation(&self, address: &ServerAddress, service_id: Option<ObjectId>) -> Generation {
        self.generations.get(address).map_or_else(Generation::default, |generations| generations.get(service_id))
    }

    /// All generations of a server's pool.
    pub fn generations(&self, address: &ServerAddress) -> PoolGenerations {
        self.generations.get(address).cloned().unwrap_or_default()
    }

    /// A reply to an application carried this cluster time. Says whether it is newer than what was known.
    pub fn advance_cluster_time(&mut self, cluster_time: &RawDocument) -> bool {
        let newer = is_newer_cluster_time(cluster_time, self.cluster_time.as_deref().map(AsRef::as_ref));
        if newer {
            self.cluster_time = Some(Arc::new(cluster_time.to_owned()));
        }
        newer
    }

    /// The newest cluster time seen, as the server sent it.
    pub fn cluster_time(&self) -> Option<&Arc<RawDocumentBuf>> {
        self.cluster_time.as_ref()
    }

    /// Ends: removes all servers and publishes the closing events. Later inputs are ignored.
    pub fn close(&mut self) {
        if self.life == Life::Closed {
            return;
        }
        let was_open = self.life != Life::New;
        self.life = Life::Closed;
        let mut description = (*self.description).clone();
        description.topology_type = TopologyType::Unknown;
        description.servers.clear();
        description.derive();
        if !was_open {
            self.description = Arc::new(description);
            return;
        }
        self.replace(description, None);
        self.publish(SdamEvent::TopologyClosed { topology_id: self.id });
    }

    /// The next thing to be done; none when all was taken.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// The server at `address`, if it is there and has a monitor.
    fn monitored_server(&self, address: &ServerAddress) -> Option<&Arc<ServerDescription>> {
        let monitored = self.life == Life::Open && self.description.topology_type != TopologyType::LoadBalanced;
        self.description.server(address).filter(|_| monitored)
    }

    /// Whether operations may be sent to the server, so that its pool has to be ready.
    fn is_usable(&self, server: &ServerDescription) -> bool {
        server.is_data_bearing() || (server.is_known() && self.description.topology_type == TopologyType::Single)
    }

    /// Takes a server's new description through the specification's rules.
    fn update(&mut self, server: ServerDescription) {
        let usable = self.is_usable(&server);
        let mut update = Update::of(&self.description);
        let checked = Arc::new(server.clone());
        update.apply(server, self.seed_count == 1);
        // The pool is made ready before anyone can select the server.
        if usable && update.description.server(&checked.address).is_some_and(|server| server.is_known()) {
            self.effects.push_back(Effect::MarkPoolReady(checked.address.clone()));
        }
        self.replace(update.description, Some(checked));
        for address in update.superseded.into_iter().filter(|address| self.description.server(address).is_some()) {
            self.effects.push_back(Effect::RequestCheck(address.clone()));
            self.effects.push_back(Effect::PrimarySuperseded(address));
        }
    }

    /// Puts `description` in the place of the current one, and has everything done that follows.
    /// `checked` is the server whose check caused the change, as it described itself.
    fn replace(&mut self, description: TopologyDescription, checked: Option<Arc<ServerDescription>>) {
        let previous = std::mem::replace(&mut self.description, Arc::new(description));
        let current = self.description.clone();
        if let Some(checked) = &checked {
            let new = current.server(&checked.address).unwrap_or(checked);
            self.publish_server_change(&previous, new);
        }
        let others = current
            .servers
            .values()
            .filter(|server| checked.as_ref().is_none_or(|checked| checked.address != server.address));
        for server in others {
            self.publish_server_change(&previous, server);
        }
        for address in current.servers.keys().filter(|address| !previous.servers.contains_key(address)) {
            self.open_server(address.clone());
        }
        for address in previous.servers.keys().filter(|address| !current.servers.contains_key(address)) {
            self.close_server(address);
        }
        self.publish_topology_change(&previous);
        self.effects.push_back(Effect::DescriptionReplaced);
    }

    fn open_server(&mut self, address: ServerAddress) {
        self.publish(SdamEvent::ServerOpening { topology_id: self.id, address: address.clone() });
        self.generations.entry(address.clone()).or_default();
        let monitored = self.description.topology_type != TopologyType::LoadBalanced;
        self.effects.push_back(Effect::ServerAdded { address, monitored });
    }

    fn close_server(&mut self, address: &ServerAddress) {
        self.effects.push_back(Effect::ServerRemoved(address.clone()));
        self.publish(SdamEvent::ServerClosed { topology_id: self.id, address: address.clone() });
        // Should the server come back, connections of its former pool must be stale.
        self.generations.entry(address.clone()).or_default().advance_all();
        if self.generations.len() > self.description.servers.len() + REMEMBERED_GENERATIONS {
            let servers = &self.description.servers;
            self.generations.retain(|address, _| servers.contains_key(address));
        }
    }

    fn clear_pool(&mut self, address: &ServerAddress, service_id: Option<ObjectId>, interrupt_in_use: bool) {
        let Some(generations) = self.generations.get_mut(address) else { return };
        if !self.description.servers.contains_key(address) {
            return;
        }
        let generation = generations.advance(service_id);
        let address = address.clone();
        self.effects.push_back(Effect::ClearPool { address, generation, service_id, interrupt_in_use });
    }

    fn publish_server_change(&mut self, previous: &TopologyDescription, new: &Arc<ServerDescription>) {
        let Some(old) = previous.server(&new.address) else { return };
        if !Arc::ptr_eq(old, new) && old != new {
            self.publish(SdamEvent::ServerDescriptionChanged {
                topology_id: self.id,
                address: new.address.clone(),
                previous: old.clone(),
                new: new.clone(),
            });
        }
    }

    fn publish_topology_change(&mut self, previous: &Arc<TopologyDescription>) {
        if **previous != *self.description {
            self.publish(SdamEvent::TopologyDescriptionChanged {
                topology_id: self.id,
                previous: previous.clone(),
                new: self.description.clone(),
            });
        }
    }

    fn publish(&mut self, event: SdamEvent) {
        self.effects.push_back(Effect::Publish(event));
    }
}

/// The description of a server after an application's error.
fn unknown_after(failure: &ServerFailure) -> ServerDescription {
    ServerDescription::failed(failure.address.clone(), failure.message.clone(), failure.topology_version())
}
