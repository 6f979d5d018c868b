//! The engine against real servers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod aws;
mod chaos;
mod operations;
mod restarts;
mod stalls;
mod supervision;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use bson::{RawDocumentBuf, rawdoc};
use mongo_actors_engine::{ActorEntry, Engine, EngineSettings, Operation, Placement, Reply, Role, Setback};
use mongo_actors_protocol::{
    cmap::{
        ConnectionCheckedInEvent, ConnectionCheckedOutEvent, ConnectionClosedEvent, ConnectionCreatedEvent,
        PoolClearedEvent,
    },
    command::Request,
    event::PoolListener,
    options::ClientOptions,
    read_preference::ReadPreference,
    retry::Retryability,
    selection::SelectionCriteria,
    wire::DocumentSequence,
};
use mongo_actors_testkit::ReplicaSet;
use tokio::sync::OnceCell;

/// A set of one member that no test harms.
async fn set() -> &'static ReplicaSet {
    static SET: OnceCell<ReplicaSet> = OnceCell::const_new();
    SET.get_or_init(|| async { ReplicaSet::start(1).await.unwrap() }).await
}

fn settings(uri: &str) -> EngineSettings {
    let mut settings = EngineSettings::new(ClientOptions::parse(uri).unwrap());
    settings.placement = Some(Placement::Dedicated);
    settings
}

fn engine(uri: &str) -> Engine {
    Engine::start(settings(uri)).unwrap()
}

fn command(name: &'static str, body: RawDocumentBuf) -> Operation {
    Operation::new(Request::new(name, "engine".into(), body), SelectionCriteria::Writable)
}

fn insert(id: i32) -> Operation {
    let mut documents = DocumentSequence::new("documents");
    documents.push(&rawdoc! { "_id": id });
    let request = Request::new("insert", "engine".into(), rawdoc! { "insert": "numbers" }).with_sequence(documents);
    let mut operation = Operation::new(request, SelectionCriteria::Writable);
    operation.retryability = Retryability::Write;
    operation
}

fn count() -> Operation {
    let mut operation = command("count", rawdoc! { "count": "numbers" });
    operation.criteria = ReadPreference::Primary.into();
    operation.retryability = Retryability::Read;
    operation
}

async fn run(engine: &Engine, operation: Operation) -> Result<Reply, Box<Setback>> {
    engine.execute(operation).await.expect("the engine answers")
}

/// Repeats an attempt until it succeeds, as a retry plan without limits would.
async fn persist(engine: &Engine, operation: Operation) -> Reply {
    let end = Instant::now() + Duration::from_secs(60);
    let mut answer = run(engine, operation).await;
    loop {
        match answer {
            Ok(reply) => return reply,
            Err(setback) => {
                assert!(Instant::now() < end, "{}", setback.failure.cause);
                answer = engine.repeat(*setback, Vec::new(), None).await.expect("the engine answers");
            }
        }
    }
}

fn number(reply: &Reply) -> i32 {
    reply.body.as_ref().unwrap().as_document().get_i32("n").unwrap()
}

/// Counts what becomes of a pool's connections.
#[derive(Default)]
struct Ledger {
    checked_out: AtomicUsize,
    checked_in: AtomicUsize,
    closed: AtomicUsize,
    cleared: AtomicUsize,
    created: AtomicUsize,
}

impl PoolListener for Ledger {
    fn connection_checked_out(&self, _: &ConnectionCheckedOutEvent) {
        self.checked_out.fetch_add(1, Ordering::SeqCst);
    }

    fn connection_checked_in(&self, _: &ConnectionCheckedInEvent) {
        self.checked_in.fetch_add(1, Ordering::SeqCst);
    }

    fn connection_created(&self, _: &ConnectionCreatedEvent) {
        self.created.fetch_add(1, Ordering::SeqCst);
    }

    fn pool_cleared(&self, _: &PoolClearedEvent) {
        self.cleared.fetch_add(1, Ordering::SeqCst);
    }

    fn connection_closed(&self, _: &ConnectionClosedEvent) {
        self.closed.fetch_add(1, Ordering::SeqCst);
    }
}

/// The live actors of a role.
fn actors(engine: &Engine, role: Role) -> Vec<ActorEntry> {
    engine.actors().into_iter().filter(|actor| actor.role == role).collect()
}

/// Waits until `is_so`, looking whenever something else has run.
async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
