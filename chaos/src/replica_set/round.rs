//! One run: a client that is used, attacked, left in peace, and held to what it has said.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::TryStreamExt;
use mongo_actors::{
    Client, Collection,
    bson::{Document, doc},
    chaos::{Fault, Firing, MessageFault, Moment, Recording, Site, SocketFault},
    concern::{ReadConcern, WriteConcern},
    supervision::{SupervisionEvent, SupervisionListener},
};
use mongo_actors_testkit::ReplicaSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    environment::{Environment, heal},
    follower::{Follower, Seen},
    log::{Claim, Log},
    plan::Plan,
    workload::{Claims, Collections, Workload},
};
use crate::record::{Against, FiredFault, RunRecord};

/// In which time service resumes after the last fault, when the set is whole. An actor counts as stalled after 4 s.
const RESUMED: Duration = Duration::from_secs(10);
/// In which time a client closes.
const CLOSED: Duration = Duration::from_secs(20);
/// The `_id` of the last insert.
const LAST: &str = "last";

/// Why a run could not be made.
pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Makes the run of this seed, whose attack takes that long. The set is whole afterwards.
pub(super) async fn attack(set: &ReplicaSet, seed: u64, time: Duration) -> Result<RunRecord, Failure> {
    let began = Instant::now();
    let plan = Plan::draw(seed, time, set.members().len());
    let log = Arc::new(Log::new(began, plan.timeout));
    let witness = Client::builder()
        .uri(set.uri())
        .write_concern(WriteConcern::majority())
        .read_concern(ReadConcern::majority())
        .build()?;
    let name = database_name(seed);
    let stored = Collections::of(&witness.database(&name));
    stored.furnish().await?;

    let pauses = Arc::new(Pauses::default());
    let client = client(set, plan.timeout, pauses.clone())?;
    let collections = Collections::of(&client.database(&name));
    let follower = Follower::start(collections.inserts.clone(), LAST, log.clone()).await?;
    let workload = Workload::start(&collections, &log);
    let (armed_at, armed) = (log.now(), client.chaos().arm_in_release(plan.faults)?);
    let (since, end) = (Instant::now(), Instant::now() + time);
    let environment = Environment { set, client: &client, began };
    let mut faults = environment.suffer(&plan.events, since, end).await;
    sleep_until(end).await;
    heal(set).await?;

    let limit = RESUMED + pauses.longest();
    for kind in log.resumed(log.now(), limit).await {
        log.violate(format!("no {kind:?} succeeded within {limit:?} after the last fault"));
    }
    let claims = workload.end().await;
    stored.inserts.insert_one(doc! { "_id": LAST }).await?;
    let seen = follower.end(limit + Duration::from_secs(20)).await;
    if timeout(CLOSED, client.close()).await.is_err() {
        log.violate(format!("the client did not close within {CLOSED:?}"));
    }
    match armed.disarm() {
        Some(recording) => {
            hold(&recording, &log);
            faults.extend(recording.firings().iter().map(|firing| fired(firing, armed_at)));
        }
        None => log.violate("the plan was disarmed by somebody else"),
    }
    verify(&stored, &claims, seen, &log).await?;
    witness.database(&name).drop().await?;
    witness.close().await;

    faults.sort_by_key(|fault| fault.at);
    Ok(RunRecord {
        recoveries: log.recoveries(faults.iter().map(|fault| fault.at)),
        faults,
        operations: log.operations(),
        outcomes: log.outcomes(),
        violations: log.violations(),
        simulated: began.elapsed(),
        elapsed: began.elapsed(),
        ..RunRecord::new(seed, Against::ReplicaSet)
    })
}

/// One that no other run has used, of this process or an earlier one.
fn database_name(seed: u64) -> String {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("chaos-{seed}-{}-{}", now.as_millis(), RUNS.fetch_add(1, Ordering::Relaxed))
}

/// The client under attack.
fn client(set: &ReplicaSet, timeout: Option<Duration>, pauses: Arc<Pauses>) -> mongo_actors::Result<Client> {
    let builder = Client::builder()
        .uri(set.uri_with(&[("heartbeatFrequencyMS", "500")]))
        .write_concern(WriteConcern::majority())
        .server_selection_timeout(Duration::from_secs(5))
        .connect_timeout(Duration::from_secs(2))
        .supervision_listener(pauses);
    match timeout {
        Some(timeout) => builder.timeout(timeout),
        None => builder.socket_timeout(Duration::from_secs(5)),
    }
    .build()
}

/// How long the root has paused at most before it brought the tree back.
#[derive(Default)]
struct Pauses(AtomicU64);

impl Pauses {
    fn longest(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

impl SupervisionListener for Pauses {
    fn supervision(&self, event: &SupervisionEvent) {
        if let SupervisionEvent::TreeDown { retry_after: Some(pause), .. } = event {
            self.0.fetch_max(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
}

/// What holds of every recording.
fn hold(recording: &Recording, log: &Log) {
    for held in [recording.no_lost_reply(), recording.no_leak()] {
        if let Err(violation) = held {
            log.violate(violation.to_string());
        }
    }
}

fn fired(firing: &Firing, armed_at: Duration) -> FiredFault {
    let (role, kind) = match (&firing.site, firing.fault) {
        (Site::Message { role, moment, .. }, Fault::Message(fault)) => {
            let after = if *moment == Moment::After { " after its message" } else { "" };
            (role.clone(), format!("{}{after}", of_message(fault)))
        }
        (_, Fault::Message(fault)) => ("actor".to_owned(), of_message(fault).to_owned()),
        (_, Fault::Socket(fault)) => ("socket".to_owned(), of_socket(fault).to_owned()),
    };
    FiredFault { role, kind, at: armed_at + firing.at }
}

fn of_message(fault: MessageFault) -> &'static str {
    match fault {
        MessageFault::Drop => "drop",
        MessageFault::Delay(_) => "delay",
        MessageFault::Reorder => "reorder",
        MessageFault::Panic => "panic",
        MessageFault::Stop => "stop",
        MessageFault::Kill => "kill",
        MessageFault::Stall => "stall",
        _ => "other",
    }
}

fn of_socket(fault: SocketFault) -> &'static str {
    match fault {
        SocketFault::CloseBeforeWrite => "close before write",
        SocketFault::CloseInWrite => "close in write",
        SocketFault::CloseBeforeReply => "close before reply",
        SocketFault::Reset => "reset",
        SocketFault::Stall(_) => "stall",
        SocketFault::Corrupt => "corrupt",
        _ => "other",
    }
}

/// Holds what the callers were told, and what the change stream has shown, against what is there.
async fn verify(
    stored: &Collections,
    claims: &Claims,
    seen: Result<Seen, String>,
    log: &Log,
) -> mongo_actors::Result<()> {
    let found = ids(&stored.inserts).await?;
    compare("insert", &claims.inserts, &found, log);
    let (left, right) = (ids(&stored.left).await?, ids(&stored.right).await?);
    compare("transaction", &claims.transactions, &left, log);
    for half in left.symmetric_difference(&right) {
        log.violate(format!("of transaction {half} only one half is there"));
    }
    for (counter, (acknowledged, unknown)) in &claims.increments {
        let document = stored.counters.find_one(doc! { "_id": counter }).await?.unwrap_or_default();
        let count = document.get_i64("n").unwrap_or(-1);
        if !(*acknowledged..=acknowledged + unknown).contains(&count) {
            log.violate(format!(
                "counter {counter} is {count}: {acknowledged} increments were acknowledged, and {unknown} more may have been made"
            ));
        }
    }
    match seen {
        Ok(seen) => check_stream(&seen, claims, &found, log),
        Err(what) => log.violate(what),
    }
    Ok(())
}

async fn ids(collection: &Collection<Document>) -> mongo_actors::Result<BTreeSet<String>> {
    let found: Vec<_> = collection.find(doc! {}).await?.try_collect().await?;
    Ok(found.iter().filter_map(|document| document.get_str("_id").ok()).map(str::to_owned).collect())
}

fn compare(what: &str, claims: &[(String, Claim)], found: &BTreeSet<String>, log: &Log) {
    for (id, claim) in claims {
        match (claim, found.contains(id)) {
            (Claim::Done, false) => log.violate(format!("{what} {id} was acknowledged and is lost")),
            (Claim::NotDone, true) => log.violate(format!("{what} {id} was reported as not executed and is there")),
            _ => {}
        }
    }
}

/// Each insert is shown once, and in the order in which they were done.
fn check_stream(seen: &Seen, claims: &Claims, found: &BTreeSet<String>, log: &Log) {
    let mut times: BTreeMap<&str, u32> = BTreeMap::new();
    seen.iter().for_each(|(id, _)| *times.entry(id).or_default() += 1);
    for (id, count) in &times {
        if *count > 1 {
            log.violate(format!("the change stream showed insert {id} {count} times"));
        }
        if !found.contains(*id) {
            log.violate(format!("the change stream showed insert {id}, which is not there"));
        }
    }
    // What may have been executed may also have been executed after the last.
    let done: Vec<_> = claims.inserts.iter().filter(|(_, claim)| *claim == Claim::Done).map(|(id, _)| id).collect();
    for id in &done {
        if !times.contains_key(id.as_str()) {
            log.violate(format!("the change stream did not show insert {id}"));
        }
    }
    let places: HashMap<_, _> = seen.iter().enumerate().map(|(place, (id, _))| (id.as_str(), place)).collect();
    for pair in done.windows(2) {
        let of_one_task = pair[0].split('-').next() == pair[1].split('-').next();
        let places = places.get(pair[0].as_str()).zip(places.get(pair[1].as_str()));
        if of_one_task && places.is_some_and(|(earlier, later)| earlier > later) {
            log.violate(format!("the change stream showed insert {} after {}", pair[0], pair[1]));
        }
    }
    if !seen.is_sorted_by_key(|(_, time)| *time) {
        log.violate("the change stream went back in time");
    }
}

#[cfg(test)]
mod tests {
    use mongo_actors::bson::Timestamp;

    use super::*;

    fn log() -> Log {
        Log::new(Instant::now(), None)
    }

    fn inserts(claims: &[(&str, Claim)]) -> Claims {
        let inserts = claims.iter().map(|(id, claim)| ((*id).to_owned(), *claim)).collect();
        Claims { inserts, ..Claims::default() }
    }

    fn set(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn seen(ids: &[(&str, u32)]) -> Seen {
        ids.iter().map(|(id, time)| ((*id).to_owned(), Some(Timestamp { time: *time, increment: 1 }))).collect()
    }

    #[test]
    fn what_was_told_is_held_against_what_is_there() {
        let claims = inserts(&[("0-1", Claim::Done), ("0-2", Claim::NotDone), ("0-3", Claim::Unknown)]);
        for (found, violations) in [
            (set(&["0-1"]), &[][..]),
            (set(&["0-1", "0-3"]), &[]),
            (set(&["0-3"]), &["insert 0-1 was acknowledged and is lost"]),
            (set(&["0-1", "0-2"]), &["insert 0-2 was reported as not executed and is there"]),
        ] {
            let log = log();
            compare("insert", &claims.inserts, &found, &log);
            assert_eq!(log.violations(), violations);
        }
    }

    #[test]
    fn a_stream_that_loses_repeats_invents_or_confuses_is_found_out() {
        let claims =
            inserts(&[("0-1", Claim::Done), ("0-2", Claim::Done), ("1-1", Claim::Done), ("1-2", Claim::Unknown)]);
        let found = set(&["0-1", "0-2", "1-1", "1-2"]);
        for (seen, violation) in [
            (seen(&[("1-1", 1), ("0-1", 1), ("0-2", 2)]), None),
            (seen(&[("1-1", 1), ("0-1", 1), ("1-2", 2), ("0-2", 2)]), None),
            (seen(&[("1-1", 1), ("0-1", 1)]), Some("did not show insert 0-2")),
            (seen(&[("1-1", 1), ("1-1", 1), ("0-1", 1), ("0-2", 2)]), Some("insert 1-1 2 times")),
            (seen(&[("1-1", 1), ("0-1", 1), ("0-2", 2), ("9-9", 3)]), Some("9-9, which is not there")),
            (seen(&[("1-1", 1), ("0-2", 1), ("0-1", 1)]), Some("0-1 after 0-2")),
            (seen(&[("1-1", 2), ("0-1", 1), ("0-2", 2)]), Some("back in time")),
        ] {
            let log = log();
            check_stream(&seen, &claims, &found, &log);
            let violations = log.violations();
            match violation {
                None => assert!(violations.is_empty(), "{violations:?}"),
                Some(part) => assert!(violations.len() == 1 && violations[0].contains(part), "{part}: {violations:?}"),
            }
        }
    }
}
