//! `connection-monitoring-and-pooling/cmap-format`: drives the pool actor of an engine without monitors, against a real
//! server, and compares the pool's events.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use bson::Document;
use libtest_mimic::Failed;
use mongo_actors_engine::{Engine, EngineSettings, EstablishError, Lease, Placement, PoolOrder};
use mongo_actors_protocol::{
    address::ServerAddress,
    cmap::{
        CheckOutError, ConnectionCheckedInEvent, ConnectionCheckedOutEvent, ConnectionCheckoutFailedEvent,
        ConnectionCheckoutStartedEvent, ConnectionClosedEvent, ConnectionCreatedEvent, ConnectionReadyEvent,
        NonDefaultPoolOptions, PoolClearedEvent, PoolClosedEvent, PoolCreatedEvent, PoolEvent, PoolReadyEvent,
    },
    event::PoolListener,
    options::ClientOptions,
};
use mongo_actors_testkit::Standalone;
use serde_json::{Value, json};
use tokio::{
    runtime::Runtime,
    sync::{Notify, mpsc},
    task::JoinHandle,
};

use super::Case;
use crate::discovery::SpecFile;

/// How long anything a case waits for may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn cases(file: &SpecFile) -> Vec<Case> {
    let test = file.json.clone();
    vec![Case::new(file, "file", move || run(test))]
}

/// The one server that all cases use, and the runtime its watchers live on.
struct Server {
    runtime: Runtime,
    server: Standalone,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let runtime = Runtime::new().expect("a runtime");
        let server = runtime.block_on(Standalone::start()).expect("a server");
        Server { runtime, server }
    })
}

fn run(test: Value) -> Result<(), Failed> {
    // Fail points are the server's, not a connection's: one case at a time.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let Server { runtime, server } = server();
    runtime.block_on(async {
        let member = server.member();
        let fail_point = test.get("failPoint").cloned();
        if let Some(point) = &fail_point {
            member.admin(document(point)?).await.map_err(|e| e.to_string())?;
        }
        let outcome = Scenario::new(&test, member.address())?.play(&test).await;
        if fail_point.is_some() {
            let off = bson::doc! { "configureFailPoint": "failCommand", "mode": "off" };
            member.admin(off).await.map_err(|e| e.to_string())?;
        }
        outcome
    })
}

fn document(value: &Value) -> Result<Document, Failed> {
    bson::serialize_to_document(value).map_err(Failed::from)
}

/// Records what the pool publishes, as the files write it.
#[derive(Default)]
struct Recorder {
    events: Mutex<Vec<Value>>,
    more: Notify,
}

impl Recorder {
    fn lock(&self) -> MutexGuard<'_, Vec<Value>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, event: PoolEvent) {
        let mut written = json!({ "type": event.name(), "address": event.address().to_string() });
        if let Some(id) = event.connection_id() {
            written["connectionId"] = id.into();
        }
        if let Some(duration) = event.duration() {
            written["duration"] = json!(duration.as_millis() as u64);
        }
        match &event {
            PoolEvent::PoolCreated(event) => written["options"] = options(&event.options),
            PoolEvent::PoolCleared(event) => {
                written["interruptInUseConnections"] = event.interrupt_in_use_connections.into();
            }
            PoolEvent::ConnectionClosed(event) => written["reason"] = event.reason.as_str().into(),
            PoolEvent::ConnectionCheckoutFailed(event) => written["reason"] = event.reason.as_str().into(),
            _ => {}
        }
        self.lock().push(written);
        self.more.notify_waiters();
    }

    async fn wait_for(&self, name: &str, count: usize, patience: Duration) -> Result<(), Failed> {
        let wait = async {
            loop {
                let more = self.more.notified();
                if self.lock().iter().filter(|event| event["type"] == name).count() >= count {
                    return;
                }
                more.await;
            }
        };
        let late = |_| Failed::from(format!("no {count} {name} within {patience:?}: {:?}", self.lock()));
        tokio::time::timeout(patience, wait).await.map_err(late)
    }
}

fn options(options: &NonDefaultPoolOptions) -> Value {
    let mut written = json!({});
    let numbers = [
        ("maxPoolSize", options.max_pool_size),
        ("minPoolSize", options.min_pool_size),
        ("maxConnecting", options.max_connecting),
    ];
    let durations = [("maxIdleTimeMS", options.max_idle_time), ("waitQueueTimeoutMS", options.wait_queue_timeout)];
    for (name, number) in numbers {
        if let Some(number) = number {
            written[name] = number.into();
        }
    }
    for (name, duration) in durations {
        if let Some(duration) = duration {
            written[name] = (duration.as_millis() as u64).into();
        }
    }
    written
}

macro_rules! record_all {
    ($($method:ident: $variant:ident($event:ty);)*) => {
        impl PoolListener for Recorder {
            $(fn $method(&self, event: &$event) {
                self.record(PoolEvent::$variant(event.clone()));
            })*
        }
    };
}

record_all! {
    pool_created: PoolCreated(PoolCreatedEvent);
    pool_ready: PoolReady(PoolReadyEvent);
    pool_cleared: PoolCleared(PoolClearedEvent);
    pool_closed: PoolClosed(PoolClosedEvent);
    connection_created: ConnectionCreated(ConnectionCreatedEvent);
    connection_ready: ConnectionReady(ConnectionReadyEvent);
    connection_closed: ConnectionClosed(ConnectionClosedEvent);
    connection_checkout_started: ConnectionCheckoutStarted(ConnectionCheckoutStartedEvent);
    connection_checkout_failed: ConnectionCheckoutFailed(ConnectionCheckoutFailedEvent);
    connection_checked_out: ConnectionCheckedOut(ConnectionCheckedOutEvent);
    connection_checked_in: ConnectionCheckedIn(ConnectionCheckedInEvent);
}

type PoolFailure = CheckOutError<EstablishError>;

/// One case being played.
struct Scenario {
    engine: Engine,
    address: ServerAddress,
    recorder: Arc<Recorder>,
    leases: Arc<Mutex<HashMap<String, Lease>>>,
    threads: HashMap<String, Thread>,
}

struct Thread {
    operations: mpsc::UnboundedSender<Value>,
    task: JoinHandle<Result<(), PoolFailure>>,
}

impl Scenario {
    fn new(test: &Value, address: ServerAddress) -> Result<Self, Failed> {
        let mut uri = format!("mongodb://{address}/?directConnection=true");
        let mut interval = Some(Duration::from_secs(1));
        for (name, value) in test["poolOptions"].as_object().into_iter().flatten() {
            match (name.as_str(), value.as_i64()) {
                ("backgroundThreadIntervalMS", Some(millis)) => {
                    interval = u64::try_from(millis).ok().map(Duration::from_millis);
                }
                (_, Some(number)) => uri.push_str(&format!("&{name}={number}")),
                _ => uri.push_str(&format!("&{name}={}", value.as_str().unwrap_or_default())),
            }
        }
        let recorder = Arc::new(Recorder::default());
        let options = ClientOptions::parse(&uri)?;
        if let Some(warning) = options.warnings().first() {
            return Err(Failed::from(format!("{warning}")));
        }
        let mut settings = EngineSettings::new(options);
        settings.placement = Some(Placement::Dedicated);
        settings.conformance.monitors = false;
        settings.conformance.maintenance_interval = interval;
        settings.listeners.pool.push(recorder.clone());
        let engine = Engine::start(settings)?;
        Ok(Self { engine, address, recorder, leases: Arc::default(), threads: HashMap::new() })
    }

    async fn play(mut self, test: &Value) -> Result<(), Failed> {
        let mut error = None;
        for operation in test["operations"].as_array().into_iter().flatten() {
            match operation.get("thread").and_then(Value::as_str) {
                Some(thread) => self.delegate(thread, operation)?,
                None => {
                    if let Some(found) = self.perform(operation).await? {
                        error = Some(found);
                        break;
                    }
                }
            }
        }
        self.engine.flush_events().await;
        let outcome = compare_error(test.get("error"), error.as_ref())
            .and_then(|()| compare_events(test, &self.recorder.lock(), &self.address));
        self.leases.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.engine.close(Some(Duration::ZERO)).await;
        outcome
    }

    fn delegate(&self, thread: &str, operation: &Value) -> Result<(), Failed> {
        let thread = self.threads.get(thread).ok_or_else(|| format!("there is no thread {thread}"))?;
        thread.operations.send(operation.clone()).map_err(|_| Failed::from("the thread has ended"))
    }

    /// The inner value is what the pool refused.
    async fn perform(&mut self, operation: &Value) -> Result<Option<PoolFailure>, Failed> {
        let text = |key: &str| operation[key].as_str().unwrap_or_default().to_owned();
        match text("name").as_str() {
            "start" => self.start_thread(text("target")),
            "wait" => tokio::time::sleep(millis(&operation["ms"])).await,
            "waitForThread" => {
                let thread = self.threads.remove(&text("target")).ok_or("no such thread")?;
                drop(thread.operations);
                let ended = tokio::time::timeout(PATIENCE, thread.task).await.map_err(|_| "the thread hangs")?;
                return Ok(ended?.err());
            }
            "waitForEvent" => {
                let patience = operation.get("timeout").map_or(PATIENCE, millis);
                let count = operation["count"].as_u64().unwrap_or(1) as usize;
                self.recorder.wait_for(&text("event"), count, patience).await?;
            }
            "ready" => self.order(PoolOrder::Ready).await,
            "close" => self.order(PoolOrder::Close).await,
            "clear" => {
                let interrupt_in_use = operation["interruptInUseConnections"].as_bool().unwrap_or(false);
                self.order(PoolOrder::Clear { interrupt_in_use }).await;
            }
            _ => return Ok(lease_operation(&self.engine, &self.address, &self.leases, operation).await?.err()),
        }
        Ok(None)
    }

    async fn order(&self, order: PoolOrder) {
        self.engine.order_pool(self.address.clone(), order).await;
    }

    fn start_thread(&mut self, name: String) {
        let (operations, mut orders) = mpsc::unbounded_channel::<Value>();
        let (engine, address, leases) = (self.engine.clone(), self.address.clone(), self.leases.clone());
        let task = tokio::spawn(async move {
            while let Some(operation) = orders.recv().await {
                match operation["name"].as_str() {
                    Some("wait") => tokio::time::sleep(millis(&operation["ms"])).await,
                    _ => match lease_operation(&engine, &address, &leases, &operation).await {
                        Ok(outcome) => outcome?,
                        Err(failed) => panic!("{}", failed.message().unwrap_or("an invalid operation")),
                    },
                }
            }
            Ok(())
        });
        self.threads.insert(name, Thread { operations, task });
    }
}

/// `checkOut` and `checkIn`, which threads perform too.
async fn lease_operation(
    engine: &Engine,
    address: &ServerAddress,
    leases: &Mutex<HashMap<String, Lease>>,
    operation: &Value,
) -> Result<Result<(), PoolFailure>, Failed> {
    let held = || leases.lock().unwrap_or_else(PoisonError::into_inner);
    match operation["name"].as_str() {
        Some("checkOut") => {
            let lease = match engine.check_out(address.clone()).await {
                Ok(lease) => lease,
                Err(error) => return Ok(Err(error)),
            };
            let unlabelled = format!("connection {}", lease.info().id);
            let label = operation["label"].as_str().map_or(unlabelled, str::to_owned);
            held().insert(label, lease);
        }
        Some("checkIn") => {
            let label = operation["connection"].as_str().unwrap_or_default();
            let lease = held().remove(label).ok_or_else(|| format!("no connection {label} is checked out"))?;
            drop(lease);
        }
        other => return Err(Failed::from(format!("unknown operation {other:?}"))),
    }
    engine.flush_events().await;
    Ok(Ok(()))
}

fn millis(value: &Value) -> Duration {
    Duration::from_millis(value.as_u64().unwrap_or_default())
}

fn compare_error(expected: Option<&Value>, found: Option<&PoolFailure>) -> Result<(), Failed> {
    match (expected, found) {
        (None, None) => Ok(()),
        (None, Some(error)) => Err(Failed::from(format!("unexpected error: {error}"))),
        (Some(expected), None) => Err(Failed::from(format!("no error, though {expected} was expected"))),
        (Some(expected), Some(error)) => {
            let (kind, message) = error.specified().ok_or_else(|| format!("{error} has no specified form"))?;
            match expected["type"] == kind && expected.get("message").is_none_or(|text| *text == message) {
                true => Ok(()),
                false => Err(Failed::from(format!("expected {expected}, found {kind}: {message}"))),
            }
        }
    }
}

fn compare_events(test: &Value, found: &[Value], address: &ServerAddress) -> Result<(), Failed> {
    let ignored = |event: &&Value| test["ignore"].as_array().into_iter().flatten().any(|name| *name == event["type"]);
    let found: Vec<_> = found.iter().filter(|event| !ignored(event)).collect();
    let expected: Vec<_> = test["events"].as_array().into_iter().flatten().collect();
    let fits = expected.len() == found.len()
        && expected.iter().zip(&found).all(|(expected, found)| event_fits(expected, found, address));
    if fits { Ok(()) } else { Err(Failed::from(format!("expected {expected:#?}\nfound {found:#?}"))) }
}

fn event_fits(expected: &Value, found: &Value, address: &ServerAddress) -> bool {
    expected.as_object().into_iter().flatten().all(|(key, value)| match (key.as_str(), &found[key]) {
        (_, Value::Null) => false,
        ("address", found) if is_any(value) => *found == address.to_string(),
        (_, _) if is_any(value) => true,
        ("options", found) => {
            // What is no option of the pool-created event is left out by the driver.
            value.as_object().into_iter().flatten().all(|(name, value)| found[name] == *value)
        }
        (_, found) => found == value,
    })
}

/// The files write 42 for "anything".
fn is_any(value: &Value) -> bool {
    *value == json!(42) || *value == json!("42")
}
