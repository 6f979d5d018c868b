//! Every role of the tree under every fault: service resumes in time, nobody waits for ever, the books balance.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mongo_actors::{
    Client,
    bson::{Document, doc},
    chaos::{FaultPlan, MessageFault, Rule},
    supervision::{Role, TreeStatus},
};

use crate::{
    kit::{PATIENCE, eventually, shared_set},
    srv,
};

/// In which time service resumes; after a stall, the time comes first in which an actor counts as stalled.
const RESUMED: Duration = Duration::from_secs(3);
const STALLED: Duration = Duration::from_secs(5);

/// What has a message come to an actor of each role.
#[derive(Clone, Copy, Debug)]
enum Provocation {
    Operation,
    Session,
    Cursor,
    Stream,
    Restart,
    Outage,
}

impl Provocation {
    /// Whether it succeeds does not matter: the fault may meet it.
    async fn happen(self, client: &Client) {
        let numbers = client.database("healing").collection::<Document>("numbers");
        match self {
            Self::Operation => drop(numbers.find_one(doc! {}).await),
            Self::Session => drop(client.start_session().await),
            Self::Cursor => {
                if let Ok(mut cursor) = numbers.find(doc! {}).batch_size(2).await {
                    drop(cursor.advance().await);
                }
            }
            Self::Stream => {
                if let Ok(mut stream) = numbers.watch().max_await_time(Duration::from_millis(50)).await {
                    drop(stream.next_if_any().await);
                }
            }
            Self::Restart => drop(tokio::time::timeout(Duration::from_secs(1), client.restart()).await),
            Self::Outage => {
                let server = client.topology_description().servers.keys().next().unwrap().clone();
                client.chaos().partition(&server);
                let operation = numbers.find_one(doc! {}).into_future();
                drop(tokio::time::timeout(Duration::from_millis(300), operation).await);
                client.chaos().heal(&server);
            }
        }
    }
}

/// Each role, a message that it lives on, and how that comes about.
const ROLES: [(Role, &str, Provocation); 8] = [
    (Role::Supervisor, "Restart", Provocation::Restart),
    (Role::Topology, "Execute", Provocation::Operation),
    (Role::ServerMonitor, "RequestCheck", Provocation::Outage),
    (Role::ConnectionPool, "CheckOut", Provocation::Operation),
    (Role::Connection, "Run", Provocation::Operation),
    (Role::SessionPool, "Lend", Provocation::Session),
    (Role::Reaper, "Settle", Provocation::Cursor),
    (Role::ChangeStream, "Fetch", Provocation::Stream),
];

async fn client() -> Client {
    let client = Client::builder().uri(shared_set().await.uri()).build().unwrap();
    let numbers = client.database("healing").collection::<Document>("numbers");
    let some = (0..10).map(|number| doc! { "_id": number });
    // Another test may have put them there.
    drop(numbers.insert_many(some).ordered(false).await);
    assert!(numbers.find_one(doc! {}).await.unwrap().is_some());
    client
}

/// Has one fault fire, and sees it heal.
async fn heal(rule: Rule, provocation: Provocation, limit: Duration) {
    let what = format!("{rule:?}");
    let client = client().await;
    let armed = client.chaos().arm(FaultPlan::new(1).rule(rule.limit(1))).unwrap();
    let provoked = tokio::time::timeout(PATIENCE, provocation.happen(&client)).await;
    assert!(provoked.is_ok(), "somebody waits for ever: {what}");
    let began = Instant::now();
    let numbers = client.database("healing").collection::<Document>("numbers");
    // The fault itself may meet one of these.
    while let Err(error) = numbers.find_one(doc! {}).await {
        assert!(began.elapsed() < limit, "{what}: {error}");
        if matches!(client.supervision().status, TreeStatus::Down { .. }) {
            // A root that was killed is nobody's to restart but the application's.
            client.restart().await;
        }
    }
    drop(client.start_session().await.unwrap_or_else(|error| panic!("{what}: {error}")));
    assert!(began.elapsed() < limit, "{what}: {:?}", began.elapsed());
    let closed = tokio::time::timeout(PATIENCE, client.close()).await;
    assert!(closed.is_ok(), "closing takes for ever: {what}");
    let recording = armed.disarm().unwrap();
    assert_eq!(recording.firings().len(), 1, "the fault did not fire: {what}");
    for held in [recording.no_lost_reply(), recording.no_leak(), recording.recovers_within(limit)] {
        if let Err(violation) = held {
            panic!("{what}: {violation}");
        }
    }
}

/// The rules are for all roles, as some faults take their time.
async fn heal_all(rule: impl Fn(Role, &'static str) -> Rule, limit: Duration) {
    join_all(ROLES.map(|(role, message, provocation)| heal(rule(role, message), provocation, limit))).await;
}

#[tokio::test]
async fn whoever_panics_before_its_message() {
    heal_all(|role, message| Rule::message(MessageFault::Panic).role(role).on(message), RESUMED).await;
}

#[tokio::test]
async fn whoever_panics_after_its_message() {
    heal_all(|role, message| Rule::message(MessageFault::Panic).role(role).on(message).after(), RESUMED).await;
}

#[tokio::test]
async fn whoever_stops() {
    heal_all(|role, message| Rule::message(MessageFault::Stop).role(role).on(message), RESUMED).await;
}

#[tokio::test]
async fn whoever_is_killed() {
    heal_all(|role, message| Rule::message(MessageFault::Kill).role(role).on(message), RESUMED).await;
}

#[tokio::test]
async fn whoever_stalls() {
    heal_all(|role, message| Rule::message(MessageFault::Stall).role(role).on(message), STALLED + RESUMED).await;
}

#[tokio::test]
async fn whose_ticket_or_lease_is_dropped() {
    let tickets = ROLES.into_iter().filter(|(role, ..)| *role != Role::Supervisor);
    let dropped = tickets.map(|(role, message, provocation)| {
        heal(Rule::message(MessageFault::Drop).role(role).on(message), provocation, RESUMED)
    });
    join_all(dropped).await;
}

/// Connections are sent no state while they are idle, and the reaper, the streams and the root none at all.
#[tokio::test]
async fn whose_state_is_late() {
    let late = |role, message, provocation| {
        let rule = Rule::message(MessageFault::Delay(Duration::from_millis(300))).role(role).on(message);
        heal(rule, provocation, RESUMED)
    };
    join_all([
        late(Role::Topology, "ServerChecked", Provocation::Restart),
        late(Role::ConnectionPool, "MarkReady", Provocation::Restart),
        late(Role::ConnectionPool, "CheckedIn", Provocation::Operation),
        late(Role::ConnectionPool, "ConnectionEstablished", Provocation::Restart),
        late(Role::ConnectionPool, "ClearPool", Provocation::Outage),
        late(Role::SessionPool, "ReturnSession", Provocation::Session),
    ])
    .await;
}

/// The poller accepts no message that a plan could meet: it is struck directly.
#[tokio::test]
async fn whoever_follows_the_records() {
    let heal = async |fault: MessageFault, limit: Duration| {
        let dns = srv::test1().await;
        let uri = "mongodb+srv://test1.test.build.10gen.cc/?tls=false";
        let mut follower = srv::Follower::start(&dns, uri, false).await;
        srv::expect(&mut follower, &[27017, 27018]).await;
        let (chaos, began) = (follower.engine.chaos(), Instant::now());
        let struck = match fault {
            MessageFault::Panic => chaos.panic(Role::SrvPoller, None),
            MessageFault::Stop => chaos.stop(Role::SrvPoller, None),
            MessageFault::Kill => chaos.kill(Role::SrvPoller, None),
            _ => chaos.stall(Role::SrvPoller, None),
        };
        assert_eq!(struck, 1, "{fault:?}");
        eventually(&format!("a new life after {fault:?}"), async || {
            let actors = follower.engine.actors();
            actors.iter().any(|actor| actor.role == Role::SrvPoller && actor.alive_for < began.elapsed())
        })
        .await;
        srv::set_records(&dns, srv::TEST1, &[27017, 27019]);
        srv::expect(&mut follower, &[27017, 27019]).await;
        assert!(began.elapsed() < limit, "{fault:?}: {:?}", began.elapsed());
        let closed = tokio::time::timeout(PATIENCE, follower.engine.close(None)).await;
        assert!(closed.is_ok(), "closing takes for ever: {fault:?}");
    };
    tokio::join!(
        heal(MessageFault::Panic, RESUMED),
        heal(MessageFault::Stop, RESUMED),
        heal(MessageFault::Kill, RESUMED),
        heal(MessageFault::Stall, STALLED + RESUMED),
    );
}
