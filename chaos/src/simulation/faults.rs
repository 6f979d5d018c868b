//! When the network, the servers and the clocks fail, and how.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::{
    scenario::Scenario,
    server::{SharedSet, host},
};
use crate::record::FiredFault;

/// The host of the driver.
pub(crate) const CLIENT: &str = "app";
/// How much later messages arrive in a slow network.
const SLOW: Duration = Duration::from_millis(400);
const NORMAL: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing gets from the client to a member and back; what is on its way is lost.
    Partition,
    /// Everything between client and member arrives later.
    Hold,
    /// Messages between client and member take long.
    Slow,
    /// A member is cut off from the others.
    Isolate,
    /// A member is cut off from the others and from the client.
    Vanish,
    Crash,
    StepDown,
    ClientDate,
    MemberDate,
}

impl Kind {
    fn role(self) -> &'static str {
        match self {
            Self::Partition | Self::Hold | Self::Slow | Self::Isolate | Self::Vanish => "network",
            Self::Crash | Self::StepDown => "server",
            Self::ClientDate | Self::MemberDate => "clock",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Partition => "partition",
            Self::Hold => "hold",
            Self::Slow => "slow",
            Self::Isolate => "isolated member",
            Self::Vanish => "vanished member",
            Self::Crash => "crash",
            Self::StepDown => "step down",
            Self::ClientDate => "the client's date jumps",
            Self::MemberDate => "a member's date jumps",
        }
    }

    /// Whether it cuts the client off from the member, or the member from the client.
    fn takes_link(self) -> bool {
        matches!(self, Self::Partition | Self::Hold | Self::Slow | Self::Vanish)
    }
}

/// The faults of a run, as time goes by.
pub(crate) struct Faults {
    rng: StdRng,
    kinds: Vec<Kind>,
    set: SharedSet,
    members: usize,
    until: Duration,
    next: Duration,
    /// What ends when.
    current: Vec<(Duration, Kind, usize)>,
    date: Arc<AtomicI64>,
    pub(crate) fired: Vec<FiredFault>,
}

impl Faults {
    /// `date` is how far the client's date is off, in milliseconds.
    pub(crate) fn new(seed: u64, scenario: &Scenario, set: SharedSet, date: Arc<AtomicI64>) -> Self {
        let mut kinds = Vec::new();
        if scenario.network_fails {
            kinds.extend([Kind::Partition, Kind::Partition, Kind::Hold, Kind::Slow, Kind::Isolate, Kind::Vanish]);
        }
        if scenario.servers_fail {
            kinds.extend([Kind::Crash, Kind::Crash, Kind::StepDown]);
        }
        if scenario.clocks_fail {
            kinds.extend([Kind::ClientDate, Kind::MemberDate]);
        }
        Self {
            rng: StdRng::seed_from_u64(seed),
            kinds,
            set,
            members: scenario.members,
            until: scenario.faulty_for,
            next: Duration::from_secs(3),
            current: Vec::new(),
            date,
            fired: Vec::new(),
        }
    }

    /// Lets happen what is due.
    pub(crate) fn tick(&mut self, sim: &mut turmoil::Sim<'_>) {
        let now = sim.elapsed();
        while let Some(index) = self.current.iter().position(|(ends, ..)| *ends <= now) {
            let (_, kind, member) = self.current.remove(index);
            self.end(sim, kind, member);
        }
        if now < self.next || now >= self.until {
            return;
        }
        self.next = now + Duration::from_millis(self.rng.random_range(200..4_000));
        let Some(kind) = self.kinds.choose(&mut self.rng).copied() else { return };
        // Half of them strike the primary, where they hurt most.
        let primary = self.set.borrow().primary().filter(|_| self.rng.random_bool(0.5));
        let member = primary.unwrap_or_else(|| self.rng.random_range(0..self.members));
        let lasts = Duration::from_millis(self.rng.random_range(100..6_000));
        if self.is_busy(kind, member) {
            return;
        }
        if self.begin(sim, kind, member) {
            self.fired.push(FiredFault { role: kind.role().to_owned(), kind: kind.name().to_owned(), at: now });
            // Everything has healed when the time for faults is over.
            self.current.push(((now + lasts).min(self.until), kind, member));
        }
    }

    fn is_busy(&self, kind: Kind, member: usize) -> bool {
        self.current.iter().any(|(_, other, of)| {
            *of == member && (*other == kind || (kind.takes_link() && other.takes_link()) || isolates(kind, *other))
        })
    }

    fn begin(&mut self, sim: &mut turmoil::Sim<'_>, kind: Kind, member: usize) -> bool {
        let name = host(member);
        match kind {
            Kind::Partition => sim.partition(CLIENT, name),
            Kind::Hold => sim.hold(CLIENT, name),
            Kind::Slow => sim.set_link_max_message_latency(CLIENT, name, SLOW),
            Kind::Isolate => self.isolate(member),
            Kind::Vanish => {
                self.isolate(member);
                sim.partition(CLIENT, name);
            }
            Kind::Crash => {
                self.set.borrow_mut().crash(member);
                sim.crash(name);
            }
            Kind::StepDown => {
                let now = sim.elapsed().as_millis().try_into().unwrap_or(0);
                return self.set.borrow_mut().step_down(now);
            }
            Kind::ClientDate => drop(self.date.fetch_add(self.rng.random_range(-90_000..90_000), Ordering::Relaxed)),
            Kind::MemberDate => self.set.borrow_mut().jump(member, self.rng.random_range(-90_000..90_000)),
        }
        true
    }

    fn isolate(&mut self, member: usize) {
        let mut set = self.set.borrow_mut();
        (0..self.members).filter(|other| *other != member).for_each(|other| set.cut(member, other));
    }

    fn end(&mut self, sim: &mut turmoil::Sim<'_>, kind: Kind, member: usize) {
        let name = host(member);
        match kind {
            Kind::Partition => sim.repair(CLIENT, name),
            Kind::Hold => sim.release(CLIENT, name),
            Kind::Slow => sim.set_link_max_message_latency(CLIENT, name, NORMAL),
            Kind::Isolate | Kind::Vanish => {
                let cut_off =
                    |of: usize| self.current.iter().any(|(_, other, whom)| *whom == of && isolates(*other, *other));
                let mut set = self.set.borrow_mut();
                (0..self.members).filter(|other| *other != member && !cut_off(*other)).for_each(|other| {
                    set.heal(member, other);
                });
                drop(set);
                if kind == Kind::Vanish {
                    sim.repair(CLIENT, name);
                }
            }
            Kind::Crash => sim.bounce(name),
            Kind::StepDown | Kind::ClientDate | Kind::MemberDate => {}
        }
    }
}

fn isolates(a: Kind, b: Kind) -> bool {
    [a, b].iter().all(|kind| matches!(kind, Kind::Isolate | Kind::Vanish))
}
