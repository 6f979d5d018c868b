//! Prose tests of the driver sessions specification. Those for drivers that can fork, or authenticate several users on
//! one connection, do not apply: 7, 12, 13, 16 and 17. Number 23 does not either: a snapshot time is only read here.

use std::{collections::HashSet, sync::Arc};

use mongo_actors::{
    Client, ClientSession, Collection, Error,
    bson::{Bson, Document, Timestamp, doc},
    error::Result,
    event::{HeartbeatListener, ServerHeartbeatSucceededEvent},
    options::{IndexModel, ReadPreference},
};
use mongo_actors_testkit::{ReplicaSet, Reply, ScriptedServer};
use tokio::sync::watch;

use crate::{
    commands::{Commands, Sent},
    sessions::client_of,
};

#[tokio::test]
async fn sessions_1_snapshot_and_causal_consistency_together_are_not_allowed() {
    let server = ScriptedServer::builder().start().await.unwrap();
    let client = Client::with_uri_str(server.uri()).await.unwrap();
    let error = client.start_session().snapshot(true).causal_consistency(true).await.unwrap_err();
    assert!(error.is_configuration(), "{error}");
}

#[tokio::test]
async fn sessions_2_pool_is_lifo() {
    let server = ScriptedServer::builder().start().await.unwrap();
    let client = Client::with_uri_str(server.uri()).await.unwrap();
    let (mut a, mut b) = (client.start_session().await.unwrap(), client.start_session().await.unwrap());
    a.end().await;
    b.end().await;
    assert_eq!(client.start_session().await.unwrap().id(), b.id());
    let (first, second) = (client.start_session().await.unwrap(), client.start_session().await.unwrap());
    assert_eq!((first.id(), second.id()), (b.id(), a.id()));
}

#[tokio::test]
async fn sessions_3_cluster_time_in_commands() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, commands) = client_of(&set, &[]).await;
    let db = client.database("it");
    let things = db.collection::<Document>("things");
    for command in ["ping", "aggregate", "find", "insert"] {
        let run = async || match command {
            "ping" => drop(db.run_command("ping").await.unwrap()),
            "aggregate" => drop(things.aggregate([]).await.unwrap()),
            "find" => drop(things.find(doc! {}).await.unwrap()),
            _ => drop(things.insert_one(doc! {}).await.unwrap()),
        };
        run().await;
        assert!(commands.last().command.contains_key("$clusterTime") || command == "ping");
        // The time of a reply travels to the topology and comes back as a snapshot.
        client.flush_events().await;
        let seen = commands.last_reply(command).get("$clusterTime").cloned();
        run().await;
        assert_eq!(commands.last().command.get("$clusterTime").cloned(), seen, "{command}");
    }
    client.close().await;
}

/// Every operation that takes a session, by its name. The collection has documents, `drop`s come last.
async fn all_operations(
    things: &Collection<Document>,
    session: &mut ClientSession,
    mut each: impl FnMut(&str, Result<()>),
) {
    let (client, db) = (things.client().clone(), things.database().clone());
    macro_rules! run {
        ($name:literal, $operation:expr) => {
            each($name, $operation.session(&mut *session).await.map(drop))
        };
    }
    run!("insert_one", things.insert_one(doc! { "_id": 100 }));
    run!("insert_many", things.insert_many([doc! { "_id": 101 }]));
    run!("update_one", things.update_one(doc! {}, doc! { "$set": { "a": 1 } }));
    run!("update_many", things.update_many(doc! {}, doc! { "$set": { "a": 1 } }));
    run!("replace_one", things.replace_one(doc! { "_id": 100 }, doc! { "a": 2 }));
    run!("delete_one", things.delete_one(doc! { "_id": 101 }));
    run!("delete_many", things.delete_many(doc! { "_id": 101 }));
    run!("find_one_and_update", things.find_one_and_update(doc! {}, doc! { "$set": { "a": 3 } }));
    run!("find_one_and_replace", things.find_one_and_replace(doc! { "_id": 100 }, doc! { "a": 3 }));
    run!("find_one_and_delete", things.find_one_and_delete(doc! { "_id": 100 }));
    run!("find", things.find(doc! {}));
    run!("find_one", things.find_one(doc! {}));
    run!("aggregate", things.aggregate([]));
    run!("count_documents", things.count_documents(doc! {}));
    run!("distinct", things.distinct("a", doc! {}));
    run!("explain", things.find(doc! {}).explain());
    run!("create_index", things.create_index(IndexModel::new(doc! { "a": 1 })));
    run!("list_indexes", things.list_indexes());
    run!("list_index_names", things.list_index_names());
    run!("index_information", things.index_information());
    run!("drop_index", things.drop_index("a_1"));
    run!("drop_indexes", things.drop_indexes());
    run!("options", things.options());
    run!("validate", things.validate());
    run!("run_command", db.run_command("ping"));
    run!("run_cursor_command", db.run_cursor_command(doc! { "find": "things" }));
    run!("aggregate of a database", db.aggregate([doc! { "$documents": [] }]));
    run!("create_collection", db.create_collection("others"));
    run!("modify_collection", db.modify_collection("others").validator(doc! { "a": 1 }));
    run!("list_collections", db.list_collections());
    run!("list_collection_names", db.list_collection_names());
    run!("list_databases", client.list_databases());
    run!("list_database_names", client.list_database_names());
    run!("rename", db.collection::<Document>("others").rename("more"));
    run!("drop", db.collection::<Document>("more").drop());
    run!("drop of a database", client.database("gone").drop());
}

#[tokio::test]
async fn sessions_4_explicit_and_implicit_session_arguments() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, commands) = client_of(&set, &[]).await;
    let things = client.database("it").collection::<Document>("things");
    things.insert_one(doc! { "_id": 1 }).await.unwrap();
    assert!(commands.last().lsid().is_some());
    let mut session = client.start_session().await.unwrap();
    let id = Document::try_from(session.id()).unwrap();
    let check = |name: &str, result: Result<()>| {
        if let Err(error) = result {
            panic!("{name}: {error}");
        }
        let sent = commands.take();
        assert!(!sent.is_empty() && sent.iter().all(|sent| sent.lsid() == Some(&id)), "{name}: {sent:?}");
    };
    all_operations(&things, &mut session, check).await;
    client.close().await;
}

#[tokio::test]
async fn sessions_5_session_argument_is_for_the_right_client() {
    let server = ScriptedServer::builder().start().await.unwrap();
    let client = Client::with_uri_str(server.uri()).await.unwrap();
    let other = Client::with_uri_str(server.uri()).await.unwrap();
    let mut session = other.start_session().await.unwrap();
    let refused = |name: &str, result: Result<()>| {
        let error = result.unwrap_err();
        assert!(error.to_string().contains("another client"), "{name}: {error}");
    };
    all_operations(&client.database("it").collection("things"), &mut session, refused).await;
}

#[tokio::test]
async fn sessions_6_no_operation_after_the_end() {
    let server = ScriptedServer::builder().start().await.unwrap();
    let client = Client::with_uri_str(server.uri()).await.unwrap();
    let mut session = client.start_session().await.unwrap();
    session.end().await;
    let refused = |name: &str, result: Result<()>| {
        let error = result.unwrap_err();
        assert!(error.to_string().contains("has ended"), "{name}: {error}");
    };
    all_operations(&client.database("it").collection("things"), &mut session, refused).await;
    let refused = |error: Error| assert!(error.to_string().contains("has ended"), "{error}");
    refused(session.start_transaction().await.unwrap_err());
    refused(session.commit_transaction().await.unwrap_err());
    refused(session.abort_transaction().await.unwrap_err());
}

fn lsid(sent: &Sent) -> Document {
    sent.lsid().unwrap().clone()
}

#[tokio::test]
async fn sessions_8_and_9_an_exhausted_cursor_returns_its_implicit_session_at_once() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, commands) = client_of(&set, &[("maxPoolSize", "1")]).await;
    let things = client.database("it").collection::<Document>("things");
    things.insert_many((0..5).map(|number| doc! { "_id": number })).await.unwrap();
    let mut cursor = things.find(doc! { "_id": { "$lt": 2 } }).await.unwrap();
    assert!(cursor.try_next().await.unwrap().is_some());
    let of_cursor = lsid(&commands.last());
    things.find_one(doc! {}).await.unwrap();
    assert_eq!(lsid(&commands.last()), of_cursor);
    let mut cursor = things.find(doc! {}).batch_size(3).await.unwrap();
    for _ in 0..4 {
        assert!(cursor.try_next().await.unwrap().is_some());
    }
    let more = commands.last();
    assert_eq!(more.name, "getMore");
    things.find_one(doc! {}).await.unwrap();
    assert_eq!(lsid(&commands.last()), lsid(&more));
    client.close().await;
}

#[tokio::test]
async fn sessions_11_find_and_get_more_send_the_same_session_id() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, commands) = client_of(&set, &[]).await;
    let things = client.database("it").collection::<Document>("things");
    things.insert_many((0..3).map(|number| doc! { "_id": number })).await.unwrap();
    for preference in [
        ReadPreference::Primary,
        ReadPreference::primary_preferred(),
        ReadPreference::secondary_preferred(),
        ReadPreference::nearest(),
    ] {
        commands.take();
        let mut cursor = things.find(doc! {}).batch_size(2).selection_criteria(preference).await.unwrap();
        assert_eq!(cursor.to_vec().await.unwrap().len(), 3);
        let sent = commands.take();
        assert_eq!(sent.iter().map(|sent| &*sent.name).collect::<Vec<_>>(), ["find", "getMore"]);
        assert_eq!(lsid(&sent[0]), lsid(&sent[1]));
    }
    client.close().await;
}

#[tokio::test]
async fn sessions_14_implicit_sessions_are_taken_after_the_check_out() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, commands) = client_of(&set, &[("maxPoolSize", "1"), ("retryWrites", "true")]).await;
    let things = client.database("it").collection::<Document>("things");
    things.insert_one(doc! {}).await.unwrap();
    let mut fewest = usize::MAX;
    for _ in 0..5 {
        commands.take();
        let set_a = || doc! { "$set": { "a": 1 } };
        let (a, b, c, d, e, f, g) = tokio::join!(
            things.insert_one(doc! {}),
            things.delete_one(doc! {}),
            things.update_one(doc! {}, set_a()),
            things.find_one_and_delete(doc! {}),
            things.find_one_and_update(doc! {}, set_a()),
            things.find_one_and_replace(doc! {}, doc! { "a": 1 }),
            async { things.find(doc! {}).await?.to_vec().await },
        );
        assert!(a.is_ok() && b.is_ok() && c.is_ok() && d.is_ok() && e.is_ok() && f.is_ok() && g.is_ok());
        let sent = commands.take();
        assert_eq!(sent.len(), 7);
        let ids: HashSet<_> = sent.iter().map(|sent| lsid(sent).to_string()).collect();
        assert!(ids.len() < 7);
        fewest = fewest.min(ids.len());
    }
    assert_eq!(fewest, 1);
    client.close().await;
}

async fn without_sessions() -> ScriptedServer {
    ScriptedServer::builder()
        .hello(doc! { "logicalSessionTimeoutMinutes": Bson::Null })
        .on("find", Reply::cursor("it.things", [doc! { "_id": 1 }]))
        .on("insert", Reply::document(doc! { "ok": 1, "n": 1 }))
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn sessions_18_implicit_session_is_ignored_without_sessions() {
    let server = without_sessions().await;
    let commands = Commands::new();
    let client = Client::builder().uri(server.uri()).command_listener(commands.clone()).build().unwrap();
    let things = client.database("it").collection::<Document>("things");
    things.find_one(doc! {}).await.unwrap();
    assert_eq!(commands.last().lsid(), None);
    things.insert_one(doc! {}).await.unwrap();
    assert_eq!(commands.last().lsid(), None);
}

#[tokio::test]
async fn sessions_19_explicit_session_is_an_error_without_sessions() {
    let server = without_sessions().await;
    let client = Client::with_uri_str(server.uri()).await.unwrap();
    let things = client.database("it").collection::<Document>("things");
    let mut session = client.start_session().await.unwrap();
    for error in [
        things.find_one(doc! {}).session(&mut session).await.unwrap_err(),
        things.insert_one(doc! {}).session(&mut session).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("does not support sessions"), "{error}");
    }
    assert!(server.received_named("find").is_empty() && server.received_named("insert").is_empty());
}

/// Counts successful heartbeats.
struct Beats(watch::Sender<u32>);

impl HeartbeatListener for Beats {
    fn server_heartbeat_succeeded(&self, _: &ServerHeartbeatSucceededEvent) {
        self.0.send_modify(|count| *count += 1);
    }
}

#[tokio::test]
async fn sessions_20_heartbeats_gossip_no_cluster_time() {
    let set = ReplicaSet::start(1).await.unwrap();
    let uri = format!("{}&heartbeatFrequencyMS=500", set.members()[0].uri());
    let commands = Commands::new();
    let beats = Arc::new(Beats(watch::Sender::new(0)));
    let c1 = Client::builder().uri(uri).command_listener(commands.clone()).heartbeat_listener(beats.clone());
    let c1 = c1.build().unwrap();
    let ping = async || {
        let reply = c1.database("admin").run_command("ping").await.unwrap();
        c1.flush_events().await;
        reply.get("$clusterTime").cloned()
    };
    let known = ping().await;
    let (c2, _) = client_of(&set, &[]).await;
    c2.database("it").collection("things").insert_one(doc! { "advance": "$clusterTime" }).await.unwrap();
    let beats_so_far = *beats.0.borrow();
    beats.0.subscribe().wait_for(|count| *count > beats_so_far + 1).await.unwrap();
    commands.take();
    ping().await;
    assert_eq!(commands.last().command.get("$clusterTime").cloned(), known);
    c1.close().await;
}

#[tokio::test]
async fn sessions_21_snapshot_time_without_snapshot_is_not_allowed() {
    let server = ScriptedServer::builder().start().await.unwrap();
    let client = Client::with_uri_str(server.uri()).await.unwrap();
    let time = Timestamp { time: 1, increment: 0 };
    let error = client.start_session().snapshot(false).snapshot_time(time).await.unwrap_err();
    assert!(error.is_configuration(), "{error}");
}

#[tokio::test]
async fn sessions_22_a_session_without_snapshot_has_no_snapshot_time() {
    let server = ScriptedServer::builder().start().await.unwrap();
    let client = Client::with_uri_str(server.uri()).await.unwrap();
    assert_eq!(client.start_session().snapshot(false).await.unwrap().snapshot_time(), None);
}
