//! One run: a world is made, things happen in it, and are judged.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc, Once,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use mongo_actors::{
    Client,
    chaos::{Fault, FaultPlan, Firing, Recording, Site},
    simulation::Simulation,
};
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};

use super::{
    faults::{CLIENT, Faults},
    history::History,
    network::Network,
    scenario::Scenario,
    seen::Seen,
    server::{self, NAME, PORT, Set, SharedSet, host},
    verdict,
    workload::{Application, WATCHED},
};
use crate::record::{Against, FiredFault, RunRecord};

/// When every simulation begins.
const EPOCH: Duration = Duration::from_secs(1_750_000_000);
/// The step of the simulated clock.
const TICK: Duration = Duration::from_millis(1);
/// How long a run may go on after its faults have ended.
const AT_MOST: Duration = Duration::from_secs(180);
/// A fault stopped service if nothing succeeded for so long after it.
const NOTICEABLE: Duration = Duration::from_millis(500);

/// What the driver was given to do, and what came of it.
#[derive(Default)]
struct Findings {
    recording: Option<Recording>,
    armed_at: Duration,
}

pub(super) fn run(seed: u64, scenario: &Scenario, keeps_lines: bool) -> (RunRecord, Vec<String>) {
    hush();
    let begun = Instant::now();
    let mut seeds = StdRng::seed_from_u64(seed);
    let history = History::new(keeps_lines);
    let set = Set::new(seeds.next_u64(), scenario.members, scenario.slip);
    let date = Arc::new(AtomicI64::new(0));
    let mut faults = Faults::new(seeds.next_u64(), scenario, set.clone(), date.clone());
    let mut sim = turmoil::Builder::new()
        .rng_seed(seeds.next_u64())
        .epoch(UNIX_EPOCH + EPOCH)
        .tick_duration(TICK)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(5))
        .tcp_capacity(1024)
        .simulation_duration(scenario.faulty_for + AT_MOST)
        .build();
    for member in 0..scenario.members {
        let set = set.clone();
        sim.host(host(member), move || server::run(set.clone(), member));
    }
    let seen = Rc::new(RefCell::new(Seen::default()));
    let findings = Rc::new(RefCell::new(Findings::default()));
    let driver = Driver {
        seeds: StdRng::seed_from_u64(seeds.next_u64()),
        scenario: Rc::new(scenario.clone()),
        history: history.clone(),
        date,
        set: set.clone(),
        seen: seen.clone(),
        findings: findings.clone(),
    };
    sim.client(CLIENT, driver.run());
    let outcome = loop {
        faults.tick(&mut sim);
        match sim.step() {
            Ok(false) => {}
            Ok(true) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    let mut record = RunRecord::new(seed, Against::Simulation);
    record.simulated = sim.elapsed();
    drop(sim);
    let seen = seen.take();
    record.operations = seen.operations;
    record.outcomes = seen.outcomes;
    record.violations = seen.violations;
    if let Err(error) = outcome {
        record.violations.push(format!("the run did not end: {error}"));
    }
    record.faults = faults.fired;
    let Findings { recording, armed_at } = findings.take();
    if let Some(recording) = recording {
        let fired = recording.firings().iter().map(|firing| fired(firing, armed_at));
        record.faults.extend(fired);
        let held = [recording.no_lost_reply(), recording.no_leak()];
        record.violations.extend(held.into_iter().filter_map(Result::err).map(|violation| violation.to_string()));
    }
    record.faults.sort_by_key(|fault| fault.at);
    record.recoveries = recoveries(&record.faults, &seen.successes);
    record.history = history.digest();
    record.elapsed = begun.elapsed();
    (record, history.take_lines())
}

/// For each fault after which nothing succeeded for a while: until something did.
fn recoveries(faults: &[FiredFault], successes: &[Duration]) -> Vec<Duration> {
    let next = |fault: &FiredFault| successes.iter().find(|at| **at > fault.at).map(|at| *at - fault.at);
    faults.iter().filter_map(next).filter(|pause| *pause > NOTICEABLE).collect()
}

fn fired(firing: &Firing, armed_at: Duration) -> FiredFault {
    let role = match &firing.site {
        Site::Message { role, .. } => role.clone(),
        Site::Socket { .. } => "socket".to_owned(),
    };
    let fault = match firing.fault {
        Fault::Message(fault) => format!("{fault:?}"),
        Fault::Socket(fault) => format!("{fault:?}"),
    };
    // How long it takes does not make it another kind.
    let kind = fault.split('(').next().unwrap_or_default().to_lowercase();
    FiredFault { role, kind, at: armed_at + firing.at }
}

/// The host of the application and its driver.
struct Driver {
    seeds: StdRng,
    scenario: Rc<Scenario>,
    history: History,
    date: Arc<AtomicI64>,
    set: SharedSet,
    seen: Rc<RefCell<Seen>>,
    findings: Rc<RefCell<Findings>>,
}

impl Driver {
    async fn run(mut self) -> turmoil::Result {
        let client = self.client()?;
        let application = Application {
            client: client.clone(),
            scenario: self.scenario.clone(),
            history: self.history.clone(),
            seen: self.seen.clone(),
            set: self.set.clone(),
        };
        application.prepare().await;
        let armed_at = turmoil::sim_elapsed().unwrap_or_default();
        let plan = match self.scenario.actors_fail {
            true => FaultPlan::realistic(self.seeds.next_u64()),
            false => FaultPlan::new(0),
        };
        let armed = client.chaos().arm(plan.time_to_live(self.scenario.faulty_for.saturating_sub(armed_at)))?;
        let following = {
            let application = application.clone();
            tokio::task::spawn_local(async move { application.follow().await })
        };
        application.work(self.seeds.next_u64()).await;
        application.catch_up().await;
        let read = application.read_all().await;
        following.abort();
        // The stream is dropped, and its cursor with it.
        drop(following.await);
        client.close().await;
        if client.supervision().operations > 0 || !client.actors().is_empty() {
            application.violation(format!("something is left after closing: {}", client.supervision()));
        }
        *self.findings.borrow_mut() = Findings { recording: armed.disarm(), armed_at };
        match self.set.borrow().truth(&WATCHED) {
            Some(truth) => {
                let found = verdict::violations(&self.seen.borrow(), &truth, read.as_ref());
                found.into_iter().for_each(|violation| application.violation(violation));
            }
            None => application.violation("the servers have no primary at the end"),
        }
        Ok(())
    }

    fn client(&mut self) -> Result<Client, mongo_actors::Error> {
        let hosts: Vec<_> = (0..self.scenario.members).map(|member| format!("{}:{PORT}", host(member))).collect();
        let uri = format!("mongodb://{}/?replicaSet={NAME}", hosts.join(","));
        let (history, date) = (self.history.clone(), self.date.clone());
        let observer = Arc::new(history.clone());
        let messages = history.clone();
        let simulation = Simulation {
            seed: self.seeds.next_u64(),
            dialer: Arc::new(Network { history, dialed: Arc::new(AtomicU64::new(0)) }),
            date: Arc::new(move || now(date.load(Ordering::Relaxed))),
            witness: Some(Arc::new(move |path, message| messages.note(message, path.to_string()))),
        };
        Client::builder()
            .uri(uri)
            .simulation(simulation)
            .command_listener(observer.clone())
            .pool_listener(observer.clone())
            .heartbeat_listener(observer.clone())
            .server_listener(observer.clone())
            .supervision_listener(observer)
            .timeout(self.scenario.timeout)
            .connect_timeout(Duration::from_secs(2))
            .heartbeat_frequency(Duration::from_millis(self.seeds.random_range(500..4_000)))
            .max_pool_size(self.seeds.random_range(2..20))
            .min_pool_size(self.seeds.random_range(0..3))
            .build()
    }
}

/// The date of the client, so many milliseconds off.
fn now(offset: i64) -> SystemTime {
    let now = EPOCH + turmoil::sim_elapsed().unwrap_or_default();
    let millis = i64::try_from(now.as_millis()).unwrap_or(i64::MAX).saturating_add(offset);
    UNIX_EPOCH + Duration::from_millis(millis.try_into().unwrap_or(0))
}

/// Keeps panics that are ordered out of the terminal: there are many, and the driver survives them.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if panic.payload().downcast_ref::<&str>() != Some(&"a fault that was ordered") {
                usual(panic);
            }
        }));
    });
}
