//! What fails in one run against real servers, all of it drawn from the seed.

use std::time::Duration;

use mongo_actors::{
    chaos::{FaultPlan, MessageFault, Rule, SocketFault},
    supervision::Role,
};
use mongo_actors_testkit::Direction;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

/// How the driver under attack is used, what fails inside it, and what fails around it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    /// `timeoutMS`; none leaves it at the timeouts of each step.
    pub(super) timeout: Option<Duration>,
    pub(super) faults: FaultPlan,
    /// In the order of their times.
    pub(super) events: Vec<Event>,
}

/// Something that is done to the servers, the network or an actor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    /// Since the attack began. Later, if what comes before takes longer.
    pub(super) at: Duration,
    pub(super) blow: Blow,
}

/// Whom an event meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victim {
    Primary,
    Member(usize),
}

/// What an event does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Blow {
    StepDown,
    /// The process is killed, and started again after that time.
    Kill(Victim, Duration),
    /// It is ended in order, and started again after that time.
    Restart(Victim, Duration),
    /// It is frozen for that time.
    Pause(Victim, Duration),
    /// Its connections are that slow, for the second time.
    Slow(Victim, Duration, Duration),
    /// Nothing passes in that direction, for that time.
    Silence(Victim, Direction, Duration),
    /// Its connections are reset.
    Cut(Victim),
    /// Its connections are reset, and it accepts none for that time.
    Refuse(Victim, Duration),
    /// The reply to one such command is lost with its connection.
    LoseReply(Victim, &'static str),
    /// All actors of a role are struck at once.
    Strike(Role, MessageFault),
    /// The root is killed, and the client started anew after that time.
    KillRoot(Duration),
}

const COMMANDS: [&str; 5] = ["insert", "update", "find", "getMore", "commitTransaction"];

/// The roles that messages come to while a client is used.
const ROLES: [Role; 7] = [
    Role::Connection,
    Role::ConnectionPool,
    Role::Topology,
    Role::ServerMonitor,
    Role::SessionPool,
    Role::Reaper,
    Role::ChangeStream,
];

impl Plan {
    /// The plan of this seed, for an attack of that length on so many members.
    pub(super) fn draw(seed: u64, attack: Duration, members: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let timeout = rng.random_bool(0.6).then(|| between(&mut rng, 3_000, 8_000));
        Self { timeout, faults: faults(&mut rng, seed, attack), events: events(&mut rng, attack, members) }
    }
}

fn between(rng: &mut StdRng, least: u64, most: u64) -> Duration {
    Duration::from_millis(rng.random_range(least..=most))
}

fn faults(rng: &mut StdRng, seed: u64, attack: Duration) -> FaultPlan {
    let plan = FaultPlan::new(seed).time_to_live(attack);
    (0..rng.random_range(4..=14)).fold(plan, |plan, _| plan.rule(rule(rng, attack)))
}

/// One kind of fault, a few times within two seconds of the attack.
fn rule(rng: &mut StdRng, attack: Duration) -> Rule {
    let rule = match rng.random_bool(0.6) {
        true => {
            let role = *ROLES.choose(rng).unwrap_or(&Role::Connection);
            let fault = message_fault(rng);
            let rule = Rule::message(fault).role(role);
            match fault {
                MessageFault::Panic | MessageFault::Stop if rng.random_bool(0.5) => rule.after(),
                _ => rule,
            }
        }
        false => Rule::socket(socket_fault(rng)),
    };
    let from = attack.mul_f64(rng.random_range(0.0..0.8));
    rule.between(from, from + Duration::from_secs(2)).chance(rng.random_range(0.02..0.3)).limit(rng.random_range(1..=3))
}

fn message_fault(rng: &mut StdRng) -> MessageFault {
    match rng.random_range(0..16) {
        0..5 => MessageFault::Panic,
        5..7 => MessageFault::Stop,
        7..10 => MessageFault::Kill,
        10..13 => MessageFault::Drop,
        13..15 => MessageFault::Delay(between(rng, 1, 200)),
        _ => MessageFault::Stall,
    }
}

fn socket_fault(rng: &mut StdRng) -> SocketFault {
    match rng.random_range(0..6) {
        0 => SocketFault::CloseBeforeWrite,
        1 => SocketFault::CloseInWrite,
        2 => SocketFault::CloseBeforeReply,
        3 => SocketFault::Reset,
        4 => SocketFault::Stall(between(rng, 10, 1_500)),
        _ => SocketFault::Corrupt,
    }
}

fn events(rng: &mut StdRng, attack: Duration, members: usize) -> Vec<Event> {
    let mut events = Vec::new();
    let mut at = between(rng, 200, 1_000);
    while at < attack {
        events.push(Event { at, blow: blow(rng, members) });
        at += between(rng, 300, 2_500);
    }
    events
}

fn blow(rng: &mut StdRng, members: usize) -> Blow {
    let victim = match rng.random_bool(0.5) {
        true => Victim::Primary,
        false => Victim::Member(rng.random_range(0..members.max(1))),
    };
    match rng.random_range(0..24) {
        0..3 => Blow::StepDown,
        3..6 => Blow::Kill(victim, between(rng, 0, 1_500)),
        6 => Blow::Restart(victim, between(rng, 0, 500)),
        7..9 => Blow::Pause(victim, between(rng, 300, 3_000)),
        9..11 => Blow::Slow(victim, between(rng, 5, 200), between(rng, 500, 2_000)),
        11..13 => {
            let direction =
                *[Direction::ToServer, Direction::ToClient, Direction::Both].choose(rng).unwrap_or(&Direction::Both);
            Blow::Silence(victim, direction, between(rng, 300, 2_500))
        }
        13..15 => Blow::Cut(victim),
        15..17 => Blow::Refuse(victim, between(rng, 100, 1_500)),
        17..20 => Blow::LoseReply(victim, COMMANDS.choose(rng).unwrap_or(&COMMANDS[0])),
        20..23 => {
            let role = *ROLES.choose(rng).unwrap_or(&Role::Topology);
            let faults = [MessageFault::Panic, MessageFault::Kill, MessageFault::Stop, MessageFault::Stall];
            Blow::Strike(role, *faults.choose(rng).unwrap_or(&MessageFault::Panic))
        }
        _ => Blow::KillRoot(between(rng, 0, 500)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTACK: Duration = Duration::from_secs(12);

    #[test]
    fn a_plan_follows_from_its_seed_and_makes_sense() {
        let plans: Vec<_> = (0..200).map(|seed| Plan::draw(seed, ATTACK, 3)).collect();
        for (seed, plan) in (0..).zip(&plans) {
            assert_eq!(*plan, Plan::draw(seed, ATTACK, 3));
            assert_eq!(plan.faults.check(), Ok(()));
            assert_eq!((plan.faults.seed(), plan.faults.lifetime()), (seed, ATTACK));
            assert!(plan.events.iter().all(|event| event.at < ATTACK));
            assert!(plan.events.is_sorted_by_key(|event| event.at));
            assert!(plan.events.len() > 3);
        }
        assert!(plans.windows(2).all(|pair| pair[0] != pair[1]));
        let blows = plans.iter().flat_map(|plan| &plan.events).map(|event| std::mem::discriminant(&event.blow));
        assert_eq!(blows.collect::<std::collections::HashSet<_>>().len(), 11, "every blow is dealt by some plan");
    }
}
