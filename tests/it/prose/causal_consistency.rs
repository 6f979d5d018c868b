//! Prose tests of the causal consistency specification. Number 10 was removed there.

use std::sync::Arc;

use mongo_actors::{
    Client, ClientSession, Collection,
    bson::{Document, doc},
    options::{IndexModel, ReadConcern, ReadPreference},
};
use mongo_actors_testkit::{ReplicaSet, Standalone};

use crate::{
    commands::{Commands, Sent},
    sessions::client_of,
};

async fn things(set: &ReplicaSet) -> (Collection<Document>, Arc<Commands>) {
    let (client, commands) = client_of(set, &[]).await;
    let things = client.database("it").collection("things");
    things.insert_one(doc! { "_id": 1 }).await.unwrap();
    commands.take();
    (things, commands)
}

async fn read(things: &Collection<Document>, session: &mut ClientSession) {
    things.find_one(doc! {}).session(session).await.unwrap();
}

fn is_after(sent: &Sent, session_before: Option<mongo_actors::bson::Timestamp>) -> bool {
    sent.read_concern("afterClusterTime") == session_before.map(Into::into).as_ref()
}

#[tokio::test]
async fn causal_consistency_1_2_and_3_the_first_operation_sets_the_operation_time() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    let mut session = things.client().start_session().await.unwrap();
    assert_eq!(session.operation_time(), None);
    read(&things, &mut session).await;
    assert_eq!(commands.last().read_concern("afterClusterTime"), None);
    let told = |name: &str| commands.last_reply(name).get_timestamp("operationTime").ok();
    assert_eq!(session.operation_time(), told("find"));
    assert!(session.operation_time().is_some());
    for causal in [true, false] {
        let mut session = things.client().start_session().causal_consistency(causal).await.unwrap();
        let failed = things.find_one(doc! { "$nonsense": 1 }).session(&mut session).await;
        assert!(failed.is_err());
        assert_eq!(session.operation_time(), told("find"));
        assert!(session.operation_time().is_some());
    }
    things.client().close().await;
}

#[tokio::test]
async fn causal_consistency_4_reads_come_after_a_find_one() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    macro_rules! check {
        ($($operation:expr),* $(,)?) => { $({
            let mut session = things.client().start_session().causal_consistency(true).await.unwrap();
            read(&things, &mut session).await;
            let seen = session.operation_time();
            let _ = $operation.session(&mut session).await.unwrap();
            let sent = commands.last();
            assert!(is_after(&sent, seen) && seen.is_some(), "{sent:?}");
        })* };
    }
    check!(
        things.find(doc! {}),
        things.find_one(doc! {}),
        things.aggregate([]),
        things.count_documents(doc! {}),
        things.distinct("a", doc! {}),
    );
    things.client().close().await;
}

#[tokio::test]
async fn causal_consistency_5_reads_come_after_writes_and_writes_after_reads() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    let db = things.database().clone();
    macro_rules! check {
        ($($operation:expr),* $(,)?) => { $({
            let mut session = things.client().start_session().causal_consistency(true).await.unwrap();
            read(&things, &mut session).await;
            let seen = session.operation_time();
            // With errors too.
            drop($operation.session(&mut session).await);
            let sent = commands.last();
            assert!(is_after(&sent, seen), "{sent:?}");
            let written = session.operation_time();
            assert!(written >= seen);
            read(&things, &mut session).await;
            assert!(is_after(&commands.last(), written));
        })* };
    }
    check!(
        things.insert_one(doc! { "_id": 1 }),
        things.insert_one(doc! { "_id": 2 }),
        things.insert_many([doc! { "_id": 3 }]),
        things.update_one(doc! {}, doc! { "$set": { "a": 1 } }),
        things.update_many(doc! {}, doc! { "$set": { "a": 1 } }),
        things.replace_one(doc! {}, doc! { "a": 1 }),
        things.delete_one(doc! { "_id": 2 }),
        things.delete_many(doc! { "_id": 2 }),
        things.find_one_and_update(doc! {}, doc! { "$set": { "a": 1 } }),
        things.find_one_and_replace(doc! {}, doc! { "a": 1 }),
        things.find_one_and_delete(doc! { "_id": 3 }),
        things.create_index(IndexModel::new(doc! { "a": 1 })),
        things.drop_index("a_1"),
        db.create_collection("others"),
        db.collection::<Document>("others").drop(),
        things.client().database("gone").drop(),
    );
    things.client().close().await;
}

#[tokio::test]
async fn causal_consistency_6_without_it_reads_do_not_wait() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    let mut session = things.client().start_session().causal_consistency(false).await.unwrap();
    for _ in 0..2 {
        read(&things, &mut session).await;
        assert!(!commands.last().command.contains_key("readConcern"));
    }
    things.client().close().await;
}

#[tokio::test]
async fn causal_consistency_7_and_11_a_standalone_has_no_cluster_times() {
    let server = Standalone::start().await.unwrap();
    let commands = Commands::new();
    let client = Client::builder().uri(server.uri()).command_listener(commands.clone()).build().unwrap();
    let things = client.database("it").collection::<Document>("things");
    let mut session = client.start_session().causal_consistency(true).await.unwrap();
    read(&things, &mut session).await;
    read(&things, &mut session).await;
    let sent = commands.last();
    assert!(!sent.command.contains_key("readConcern") && !sent.command.contains_key("$clusterTime"));
    client.close().await;
}

#[tokio::test]
async fn causal_consistency_8_and_9_the_level_is_sent_if_there_is_one() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (things, commands) = things(&set).await;
    let mut session = things.client().start_session().await.unwrap();
    read(&things, &mut session).await;
    let seen = session.operation_time();
    read(&things, &mut session).await;
    let sent = commands.last();
    assert!(is_after(&sent, seen) && sent.read_concern("level").is_none());
    let seen = session.operation_time();
    things.find_one(doc! {}).read_concern(ReadConcern::majority()).session(&mut session).await.unwrap();
    let sent = commands.last();
    assert!(is_after(&sent, seen) && sent.read_concern("level") == Some(&"majority".into()));
    things.client().close().await;
}

#[tokio::test]
async fn causal_consistency_12_commands_carry_the_cluster_time() {
    let set = ReplicaSet::start(3).await.unwrap();
    let (things, commands) = things(&set).await;
    things.find_one(doc! {}).await.unwrap();
    assert!(commands.last().command.contains_key("$clusterTime"));
    // What it is all for: a secondary shows what was just written.
    let mut session = things.client().start_session().await.unwrap();
    for number in 10..40 {
        things.insert_one(doc! { "_id": number }).session(&mut session).await.unwrap();
        let found = things
            .find_one(doc! { "_id": number })
            .selection_criteria(ReadPreference::secondary_preferred())
            .session(&mut session)
            .await;
        assert!(found.unwrap().is_some());
    }
    things.client().close().await;
}
