//! Transactions on real deployments.

use mongo_actors::{
    bson::{Document, doc},
    options::WriteConcern,
};
use mongo_actors_testkit::ReplicaSet;

use crate::sessions::client_of;

#[tokio::test]
async fn a_transaction_is_committed_as_a_whole() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, commands) = client_of(&set, &[]).await;
    let things = client.database("it").collection::<Document>("things");
    client.database("it").create_collection("things").await.unwrap();
    let mut session = client.start_session().await.unwrap();
    commands.take();
    session.start_transaction().write_concern(WriteConcern::majority()).await.unwrap();
    assert!(session.in_transaction());
    things.insert_one(doc! { "_id": 1 }).session(&mut session).await.unwrap();
    things.insert_one(doc! { "_id": 2 }).session(&mut session).await.unwrap();
    assert_eq!(things.find_one(doc! { "_id": 1 }).await.unwrap(), None);
    assert!(things.find_one(doc! { "_id": 1 }).session(&mut session).await.unwrap().is_some());
    session.commit_transaction().await.unwrap();
    assert!(!session.in_transaction());
    assert_eq!(things.count_documents(doc! {}).await.unwrap(), 2);
    let sent = commands.take();
    let inserts: Vec<_> = sent.iter().filter(|sent| sent.name == "insert").collect();
    assert_eq!(inserts[0].transaction_fields(), ["startTransaction", "autocommit"]);
    assert_eq!(inserts[1].transaction_fields(), ["autocommit"]);
    assert_eq!(inserts[0].command.get("txnNumber"), inserts[1].command.get("txnNumber"));
    assert!(!inserts[0].command.contains_key("writeConcern"));
    let commit = sent.iter().find(|sent| sent.name == "commitTransaction").unwrap();
    assert_eq!(commit.command.get_document("writeConcern").unwrap(), &doc! { "w": "majority" });
    client.close().await;
}
