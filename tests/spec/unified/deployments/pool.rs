//! Lending deployments: a test has its servers for itself, and leaves them as it found them.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError},
};

use bson::{Document, doc};
use mongo_actors::{Client, concern::WriteConcern};

use super::{Group, Place, runtime, servers::Servers};
use crate::unified::failure::{Outcome, failure};

/// How many deployments of a group there may be at a time.
const MOST: usize = 4;

/// Servers and the runner's own client for them.
struct Instance {
    servers: Servers,
    internal: Client,
    /// Collections that the runner made without options, and that nobody has changed but for their documents.
    plain: Mutex<HashSet<String>>,
}

#[derive(Default)]
struct Shelf {
    idle: Vec<Arc<Instance>>,
    started: usize,
}

static SHELVES: LazyLock<Mutex<HashMap<Group, Shelf>>> = LazyLock::new(Mutex::default);
static RETURNED: Condvar = Condvar::new();

/// A deployment that one test has for itself.
pub(crate) struct Deployment {
    pub(crate) place: Place,
    instance: Arc<Instance>,
}

/// Waits for a deployment at `place`. Blocks the thread.
pub(crate) fn lend(place: Place) -> Outcome<Deployment> {
    let mut shelves = lock();
    loop {
        let shelf = shelves.entry(place.group).or_default();
        if let Some(instance) = shelf.idle.pop() {
            return Ok(Deployment { place, instance });
        }
        if shelf.started < MOST {
            shelf.started += 1;
            break;
        }
        shelves = RETURNED.wait(shelves).unwrap_or_else(PoisonError::into_inner);
    }
    drop(shelves);
    match start(place.group) {
        Ok(instance) => Ok(Deployment { place, instance: Arc::new(instance) }),
        Err(failure) => {
            lock().entry(place.group).or_default().started -= 1;
            RETURNED.notify_one();
            Err(failure)
        }
    }
}

fn lock() -> MutexGuard<'static, HashMap<Group, Shelf>> {
    SHELVES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(group: Group) -> Outcome<Instance> {
    runtime().block_on(async {
        let servers = Servers::start(group).await?;
        let built = Client::builder().uri(servers.plain_uri()).write_concern(WriteConcern::majority()).build();
        let internal = built.map_err(|error| failure!("the runner's own client: {error}"))?;
        Ok(Instance { servers, internal, plain: Mutex::default() })
    })
}

impl Drop for Deployment {
    fn drop(&mut self) {
        lock().entry(self.place.group).or_default().idle.push(self.instance.clone());
        // Those who wait may want another group.
        RETURNED.notify_all();
    }
}

impl Deployment {
    /// A client of the runner's own, which writes with majority.
    pub(crate) fn internal(&self) -> &Client {
        &self.instance.internal
    }

    /// Whether there is a collection with this full name that is as one is that an insertion makes, but for its documents.
    pub(crate) fn has_plain_collection(&self, name: &str) -> bool {
        self.plain().contains(name)
    }

    pub(crate) fn remember_plain_collection(&self, name: String) {
        self.plain().insert(name);
    }

    pub(crate) fn forget_plain_collection(&self, name: &str) {
        self.plain().remove(name);
    }

    pub(crate) fn forget_plain_collections(&self) {
        self.plain().clear();
    }

    fn plain(&self) -> MutexGuard<'_, HashSet<String>> {
        self.instance.plain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection string that clients of a test get, for one router or several.
    pub(crate) fn uri(&self, several_routers: Option<bool>) -> String {
        self.instance.servers.uri(self.place.topology, several_routers)
    }

    /// Turns a fail point off on every server.
    pub(crate) async fn disable_fail_point(&self, name: &str) -> Outcome {
        self.instance.servers.disable_fail_point(name).await
    }

    /// Configures a fail point, not through a client of the test.
    pub(crate) async fn admin(&self, command: Document) -> Outcome<Document> {
        self.instance.servers.admin(command).await
    }

    /// Waits until all members are there again and one is primary.
    pub(crate) async fn heal(&self) -> Outcome {
        self.instance.servers.heal().await
    }

    /// Ends transactions that a test left open.
    pub(crate) async fn kill_all_sessions(&self) -> Outcome {
        self.admin(doc! { "killAllSessions": [] }).await.map(drop)
    }
}
