//! Prose tests of the index management specification. Those of search indexes need MongoDB Atlas: the commands that they
//! send are tested by the specification's files.

use std::collections::BTreeSet;

use mongo_actors::{
    Client,
    bson::{Document, doc},
    options::{CollectionOptions, IndexModel, IndexOptions, ReadPreference, WriteConcern},
};
use mongo_actors_testkit::{MongosProxy, ReplicaSet, Standalone};

const NAMES: [&str; 4] = ["_id_", "a_1", "b_1_c_-1", "d_1"];

async fn indexes_are_listed(uri: &str, members: u32, read_from: Option<ReadPreference>) {
    let client = Client::with_uri_str(uri).await.unwrap();
    let things = client.database("indexes").collection::<Document>("things");
    things.drop().await.unwrap();
    let unique = IndexOptions { unique: Some(true), ..IndexOptions::default() };
    things.create_index(IndexModel::new(doc! { "a": 1 })).await.unwrap();
    things.create_index(IndexModel::new(doc! { "b": 1, "c": -1 })).await.unwrap();
    things.create_index(IndexModel::new(doc! { "d": 1 }).with_options(unique)).await.unwrap();
    // Secondaries have it all then.
    let everywhere = WriteConcern::nodes(members);
    things.insert_one(doc! { "a": 1, "b": 1, "c": 1, "d": 1 }).write_concern(everywhere).await.unwrap();
    let things = match read_from {
        Some(preference) => things.with_options(CollectionOptions::new().selection_criteria(preference)),
        None => things,
    };
    let names = things.list_index_names().await.unwrap();
    assert_eq!(names.iter().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(NAMES));
    assert_eq!(names.len(), NAMES.len(), "none is named twice");
    let indexes = things.list_indexes().await.unwrap().to_vec().await.unwrap();
    assert_eq!(indexes.len(), NAMES.len());
    let unique: Vec<_> = indexes.iter().filter(|index| is_unique(index)).collect();
    assert_eq!(unique.len(), 1);
    assert_eq!(unique[0].keys, doc! { "d": 1 });
    client.close().await;
}

fn is_unique(index: &IndexModel) -> bool {
    index.options.as_ref().is_some_and(|options| options.unique == Some(true))
}

#[tokio::test]
async fn index_management_prose_indexes_are_listed_by_every_kind_of_server() {
    let standalone = Standalone::start().await.unwrap();
    indexes_are_listed(&standalone.uri(), 1, None).await;
    let set = ReplicaSet::start(2).await.unwrap();
    indexes_are_listed(&set.uri(), 2, None).await;
    indexes_are_listed(&set.uri(), 2, Some(ReadPreference::secondary())).await;
    let router = MongosProxy::start(&set).await.unwrap();
    indexes_are_listed(&router.uri(), 2, None).await;
}
