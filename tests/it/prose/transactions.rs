//! Prose tests of the transactions specification. That of `PoolClearedError` is in `protocol/src/transaction/tests.rs`:
//! the label follows from the kind of failure.

use std::collections::BTreeSet;

use mongo_actors::{
    bson::{Document, doc},
    options::{CollectionOptions, WriteConcern},
};
use mongo_actors_testkit::ReplicaSet;

use crate::{sessions::client_of, transactions::routers};

#[tokio::test]
async fn transactions_mongos_pinning_1_and_2_another_operation_unpins_the_session() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (_routers, client, commands) = routers(&set).await;
    let things = client.database("it").collection::<Document>("things");
    things.insert_one(doc! {}).await.unwrap();
    for in_transactions in [true, false] {
        let mut session = client.start_session().await.unwrap();
        session.start_transaction().await.unwrap();
        things.insert_one(doc! {}).session(&mut session).await.unwrap();
        session.commit_transaction().await.unwrap();
        commands.take();
        for _ in 0..50 {
            if in_transactions {
                session.start_transaction().await.unwrap();
            }
            let mut cursor = things.find(doc! {}).session(&mut session).await.unwrap();
            assert!(cursor.try_next(&mut session).await.unwrap().is_some());
            if in_transactions {
                session.commit_transaction().await.unwrap();
            }
        }
        let finds = commands.take_named("find");
        let servers: BTreeSet<_> = finds.iter().map(|sent| &sent.server).collect();
        assert_eq!((finds.len(), servers.len()), (50, 2));
    }
    client.close().await;
}

#[tokio::test]
async fn transactions_options_1_0_write_concern_is_not_inherited_from_the_collection() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, _) = client_of(&set, &[]).await;
    let db = client.database("it");
    db.create_collection("things").await.unwrap();
    let careless = CollectionOptions::new().write_concern(WriteConcern::nodes(0));
    let things = db.collection_with_options::<Document>("things", careless);
    let mut session = client.start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    let inserted = things.insert_one(doc! { "n": 1 }).session(&mut session).await.unwrap();
    assert!(inserted.acknowledged);
    session.commit_transaction().await.unwrap();
    session.end().await;
    assert_eq!(things.count_documents(doc! { "n": 1 }).await.unwrap(), 1);
    client.close().await;
}
