//! What the tests share: deployments that no test harms, and a listener that remembers.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use mongo_actors::{
    Client, ClientBuilder, Database,
    event::{
        CommandListener, CommandStartedEvent, CommandSucceededEvent, ConnectionCheckedInEvent,
        ConnectionCheckedOutEvent, ConnectionClosedEvent, ConnectionCreatedEvent, PoolClearedEvent, PoolListener,
    },
};
use mongo_actors_testkit::ReplicaSet;
use tokio::sync::OnceCell;

/// How long to wait for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A set of one member that the tests of this process share. Its end comes with the process.
pub(crate) async fn shared_set() -> &'static ReplicaSet {
    static SET: OnceCell<ReplicaSet> = OnceCell::const_new();
    SET.get_or_init(|| async { ReplicaSet::start(1).await.unwrap() }).await
}

/// A client of the shared set, with a database that no other test uses.
pub(crate) async fn client_and_database(test: &str) -> (Client, Database) {
    let client = Client::with_uri_str(&shared_set().await.uri()).await.unwrap();
    let database = client.database(&format!("it-{test}"));
    (client, database)
}

/// Waits until `is_so`.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Counts what happens to connections and sessions, and keeps the names of the commands.
#[derive(Default)]
pub(crate) struct Recorder {
    created: AtomicUsize,
    closed: AtomicUsize,
    checked_out: AtomicUsize,
    checked_in: AtomicUsize,
    cleared: AtomicUsize,
    in_use: AtomicUsize,
    most_in_use: AtomicUsize,
    ended_sessions: AtomicUsize,
    killed_cursors: AtomicUsize,
    sessions: Mutex<std::collections::BTreeSet<String>>,
    started: Mutex<Vec<String>>,
}

macro_rules! counts {
    ($($name:ident),*) => {
        impl Recorder {
            $(pub(crate) fn $name(&self) -> usize {
                self.$name.load(Ordering::SeqCst)
            })*
        }
    };
}

counts!(created, closed, checked_out, checked_in, cleared, most_in_use, ended_sessions, killed_cursors);

fn count(counter: &AtomicUsize) -> usize {
    counter.fetch_add(1, Ordering::SeqCst) + 1
}

impl Recorder {
    /// Has the client tell this recorder everything.
    pub(crate) fn listen(builder: ClientBuilder) -> (Arc<Self>, ClientBuilder) {
        let recorder = Arc::new(Self::default());
        (recorder.clone(), builder.command_listener(recorder.clone()).pool_listener(recorder))
    }

    /// How many different server sessions commands have carried.
    pub(crate) fn sessions(&self) -> usize {
        self.sessions.lock().unwrap().len()
    }

    /// How many commands of this name were sent.
    pub(crate) fn sent(&self, command: &str) -> usize {
        self.started.lock().unwrap().iter().filter(|name| *name == command).count()
    }

    /// Nothing is checked out any more.
    pub(crate) async fn expect_all_checked_in(&self, client: &Client) {
        eventually("everything is checked in", async || {
            client.flush_events().await;
            self.checked_in() == self.checked_out()
        })
        .await;
    }
}

impl PoolListener for Recorder {
    fn connection_created(&self, _: &ConnectionCreatedEvent) {
        count(&self.created);
    }

    fn connection_closed(&self, _: &ConnectionClosedEvent) {
        count(&self.closed);
    }

    fn connection_checked_out(&self, _: &ConnectionCheckedOutEvent) {
        count(&self.checked_out);
        self.most_in_use.fetch_max(count(&self.in_use), Ordering::SeqCst);
    }

    fn connection_checked_in(&self, _: &ConnectionCheckedInEvent) {
        count(&self.checked_in);
        self.in_use.fetch_sub(1, Ordering::SeqCst);
    }

    fn pool_cleared(&self, _: &PoolClearedEvent) {
        count(&self.cleared);
    }
}

impl CommandListener for Recorder {
    fn command_started(&self, event: &CommandStartedEvent) {
        self.started.lock().unwrap().push(event.command_name.to_string());
        if let Ok(lsid) = event.command.get_document("lsid") {
            self.sessions.lock().unwrap().insert(format!("{lsid:?}"));
        }
    }

    fn command_succeeded(&self, event: &CommandSucceededEvent) {
        match event.command_name.as_ref() {
            "endSessions" => drop(count(&self.ended_sessions)),
            "killCursors" => {
                let killed = event.reply.as_document().get_array("cursorsKilled");
                let killed = killed.map_or(0, |killed| killed.into_iter().count());
                self.killed_cursors.fetch_add(killed, Ordering::SeqCst);
            }
            _ => {}
        }
    }
}
