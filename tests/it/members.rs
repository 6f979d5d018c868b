//! What each member of the handles does with its options on a real server, and what it says when there is nothing there
//! or the options make no sense. [`mongo_actors::migration`] lists the members.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use mongo_actors::{
    Client, Collection, Database, Filter,
    bson::{Bson, Document, doc},
    concern::{ReadConcern, WriteConcern},
    error::{Error, ErrorKind, Outcome},
    options::{
        Collation, CollationStrength, CollectionOptions, CommitQuorum, CreateCollectionOptions, DatabaseOptions,
        DriverInfo, ExplainVerbosity, IndexModel, ReadPreference, ReturnDocument, UpdateOneModel, WriteModel,
    },
};

use crate::{
    commands::Commands,
    kit::{client_and_database, shared_set},
};

async fn recorded(test: &str) -> (Arc<Commands>, Database) {
    let (client, commands) = Commands::client(&shared_set().await.uri());
    (commands, client.database(&format!("it-members-{test}")))
}

/// Documents of three towns and four ages, with an index of the ages.
async fn people(database: &Database) -> Collection {
    let people = database.collection::<Document>("people");
    let towns = ["Aachen", "aachen", "Berlin"];
    let person = |id: usize| doc! { "_id": id as i32, "town": towns[id % 3], "age": (id % 4) as i32 };
    people.insert_many((0..12).map(person)).await.unwrap();
    people.create_index("age").await.unwrap();
    people
}

fn ids(documents: &[Document]) -> Vec<i32> {
    documents.iter().map(|document| document.get_i32("_id").unwrap()).collect()
}

fn without_case() -> Collation {
    Collation { strength: Some(CollationStrength::Secondary), ..Collation::new("en") }
}

fn is_argument(error: &Error, name: &str) -> bool {
    error.outcome() == Outcome::NotSent
        && matches!(error.kind(), ErrorKind::InvalidArgument { argument, .. } if argument == name)
}

#[tokio::test]
async fn limits_batches_and_skips_of_a_find() {
    let (commands, database) = recorded("limits").await;
    let people = people(&database).await;
    let sorted = || people.find(doc! {}).sort("_id");
    assert_eq!(sorted().limit(0).await.unwrap().to_vec().await.unwrap().len(), 12);
    assert_eq!(ids(&sorted().skip(10).await.unwrap().to_vec().await.unwrap()), [10, 11]);
    commands.take();
    // A negative limit is one batch, after which the server has no cursor.
    let mut single = sorted().limit(-5).batch_size(2).await.unwrap();
    assert_eq!(single.cursor_id(), Some(0));
    assert_eq!(ids(&single.to_vec().await.unwrap()), [0, 1, 2, 3, 4]);
    assert_eq!(commands.take_names(), ["find"]);
    let mut limited = sorted().limit(5).batch_size(2).await.unwrap();
    assert_eq!(ids(&limited.next_many(3).await.unwrap()), [0, 1, 2]);
    limited.set_batch_size(0);
    assert_eq!(ids(&limited.to_vec().await.unwrap()), [3, 4]);
    assert_eq!((limited.retrieved(), limited.is_alive()), (5, false));
    assert!(is_argument(&limited.next_many(0).await.unwrap_err(), "count"));
    let sizes: Vec<_> = commands.named("getMore").iter().map(|sent| sent.command.get("batchSize").cloned()).collect();
    assert_eq!(sizes[0], Some(2.into()));
    assert!(is_argument(&sorted().limit(i64::MIN).await.unwrap_err(), "limit"));
    database.client().close().await;
}

#[tokio::test]
async fn every_option_of_a_find_reaches_the_server() {
    let (commands, database) = recorded("find").await;
    let people = people(&database).await;
    let one = || people.find_one(Filter::id(4));
    assert_eq!(one().projection(["age"]).await.unwrap(), Some(doc! { "_id": 4, "age": 0 }));
    assert_eq!(one().projection([""; 0]).await.unwrap(), Some(doc! { "_id": 4 }));
    assert_eq!(one().projection(doc! { "_id": 0, "town": 1 }).await.unwrap(), Some(doc! { "town": "aachen" }));
    let oldest = people.find_one(doc! {}).sort([("age", -1), ("_id", -1)]).await.unwrap();
    assert_eq!(oldest.unwrap().get_i32("_id").unwrap(), 11);
    assert!(is_argument(&one().sort(doc! {}).await.unwrap_err(), "sort"));

    let in_town = people.find(doc! { "town": "AACHEN" }).collation(without_case()).await.unwrap();
    assert_eq!({ in_town }.to_vec().await.unwrap().len(), 8);
    let as_document = Collation::try_from(doc! { "locale": "en", "strength": 2 }).unwrap();
    assert_eq!(as_document, without_case());
    let older = people.find(doc! { "$expr": { "$gt": ["$age", "$$least"] } }).let_vars(doc! { "least": 1 });
    assert_eq!({ older.allow_disk_use(true).await.unwrap() }.to_vec().await.unwrap().len(), 6);

    let bounded = || people.find(doc! {}).min(doc! { "age": 1 }).max(doc! { "age": 3 });
    assert_eq!({ bounded().hint("age_1").await.unwrap() }.to_vec().await.unwrap().len(), 6);
    assert_eq!({ bounded().hint(doc! { "age": 1 }).await.unwrap() }.to_vec().await.unwrap().len(), 6);
    assert!(is_argument(&bounded().await.unwrap_err(), "hint"));
    let error = people.find(doc! {}).hint("no_such_index").await.unwrap_err();
    assert_eq!(error.code(), Some(2), "{error}");
    let keys = people.find(doc! {}).hint("age_1").return_key(true).limit(1).await.unwrap();
    assert_eq!({ keys }.to_vec().await.unwrap(), [doc! { "age": 0 }]);
    let numbered = one().show_record_id(true).await.unwrap().unwrap();
    assert!(numbered.contains_key("$recordId"));

    commands.take();
    let comment = doc! { "any": ["BSON", 1] };
    let mut commented = people.find(doc! {}).comment(comment.clone()).batch_size(5).await.unwrap();
    assert_eq!(commented.to_vec().await.unwrap().len(), 12);
    let sent = commands.take();
    assert_eq!(sent.iter().map(|sent| &*sent.name).collect::<Vec<_>>(), ["find", "getMore", "getMore"]);
    assert!(sent.iter().all(|sent| sent.command.get_document("comment").unwrap() == &comment));
    let slow = people.find_one(doc! { "$where": "sleep(2000) || true" }).max_time(Duration::from_millis(50));
    assert!(matches!(slow.await.unwrap_err().kind(), ErrorKind::ExecutionTimeout(_)));
    database.client().close().await;
}

#[tokio::test]
async fn counts_and_different_values() {
    let (commands, database) = recorded("counts").await;
    let people = people(&database).await;
    let count = || people.count_documents(doc! { "age": { "$gte": 2 } });
    assert_eq!(count().await.unwrap(), 6);
    assert_eq!(count().limit(0).skip(0).await.unwrap(), 6);
    assert_eq!(count().limit(4).await.unwrap(), 4);
    assert_eq!(count().skip(5).limit(4).hint("age_1").await.unwrap(), 1);
    assert_eq!(people.count_documents(doc! { "town": "AACHEN" }).collation(without_case()).await.unwrap(), 8);
    assert_eq!(people.estimated_document_count().max_time(Duration::from_secs(5)).await.unwrap(), 12);
    assert_eq!(people.distinct("age", doc! {}).await.unwrap(), [0.into(), 1.into(), 2.into(), 3.into()]);
    assert_eq!(people.distinct("town", doc! {}).collation(without_case()).await.unwrap().len(), 2);
    assert_eq!(people.find(doc! { "age": 3 }).distinct("town").await.unwrap().len(), 3);
    assert_eq!(people.distinct("no.such.field", doc! {}).await.unwrap(), [] as [Bson; 0]);

    commands.take();
    count().comment("count").await.unwrap();
    assert_eq!(commands.last().command.get_str("comment").unwrap(), "count");
    people.estimated_document_count().comment(7).await.unwrap();
    assert_eq!(commands.last().command.get_i32("comment").unwrap(), 7);
    database.client().close().await;
}

#[tokio::test]
async fn an_aggregation_takes_its_options() {
    let (commands, database) = recorded("aggregate").await;
    let people = people(&database).await;
    let pipeline = [doc! { "$match": { "$expr": { "$eq": ["$age", "$$age"] } } }, doc! { "$sort": { "_id": 1 } }];
    let aggregate = people.aggregate(pipeline).let_vars(doc! { "age": 2 }).allow_disk_use(true).comment(1);
    commands.take();
    let mut found = aggregate.batch_size(0).await.unwrap();
    assert!(!found.has_next(), "the first batch is empty as asked");
    found.set_batch_size(2);
    assert_eq!(ids(&found.to_vec().await.unwrap()), [2, 6, 10]);
    assert!(commands.take().iter().all(|sent| sent.command.get_i32("comment").unwrap() == 1));

    let written = people.aggregate([doc! { "$match": { "age": 1 } }, doc! { "$out": "ones" }]).batch_size(3);
    assert_eq!(written.await.unwrap().to_vec().await.unwrap(), [] as [Document; 0]);
    assert_eq!(database.collection::<Document>("ones").count_documents(doc! {}).await.unwrap(), 3);
    let nothing = people.aggregate([]).batch_size(5).raw_batches().await.unwrap().try_next().await.unwrap();
    assert_eq!(nothing.unwrap().count(), 5);
    let values = database.aggregate([doc! { "$documents": [{ "x": 1 }] }]).await.unwrap().to_vec().await.unwrap();
    assert_eq!(values, [doc! { "x": 1 }]);
    database.client().close().await;
}

#[tokio::test]
async fn where_there_is_nothing_nothing_is_found_and_nothing_fails() {
    let (client, database) = client_and_database("members-nothing").await;
    database.drop().await.unwrap();
    let nobody = database.collection::<Document>("nobody");
    assert_eq!(nobody.find_one(doc! {}).await.unwrap(), None);
    assert_eq!(nobody.find(doc! {}).await.unwrap().to_vec().await.unwrap(), [] as [Document; 0]);
    assert_eq!(nobody.aggregate([]).await.unwrap().to_vec().await.unwrap(), [] as [Document; 0]);
    assert_eq!(nobody.count_documents(doc! {}).await.unwrap(), 0);
    assert_eq!(nobody.estimated_document_count().await.unwrap(), 0);
    assert!(nobody.distinct("x", doc! {}).await.unwrap().is_empty());
    assert!(nobody.list_indexes().await.unwrap().try_next().await.unwrap().is_none());
    assert!(nobody.list_index_names().await.unwrap().is_empty());
    assert!(nobody.index_information().await.unwrap().is_empty());
    assert!(nobody.options().await.unwrap().is_empty());
    assert!(database.list_collection_names().await.unwrap().is_empty());
    nobody.drop_index("x_1").await.unwrap();
    nobody.drop_indexes().await.unwrap();
    nobody.drop().await.unwrap();
    database.drop().await.unwrap();
    assert_eq!(nobody.delete_many(doc! {}).await.unwrap().deleted_count, 0);
    assert_eq!(nobody.update_many(doc! {}, doc! { "$set": { "x": 1 } }).await.unwrap().matched_count, 0);
    assert_eq!(nobody.find_one_and_delete(doc! {}).await.unwrap(), None);
    assert_eq!(database.dereference(&doc! { "$ref": "nobody", "$id": 1 }).await.unwrap(), None);
    // What is asked to be changed must be there.
    assert_eq!(nobody.rename("somebody").await.unwrap_err().code(), Some(26));
    assert_eq!(nobody.validate().await.unwrap_err().code(), Some(26));
    client.close().await;
}

#[tokio::test]
async fn nothing_to_do_is_an_error_before_anything_is_sent() {
    let (commands, database) = recorded("empty").await;
    let people = database.collection::<Document>("people");
    let errors = [
        (people.insert_many([] as [Document; 0]).await.unwrap_err(), "documents"),
        (people.bulk_write([] as [WriteModel; 0]).await.unwrap_err(), "writes"),
        (people.update_one(doc! {}, doc! {}).await.unwrap_err(), "update"),
        (people.update_one(doc! {}, doc! { "x": 1 }).await.unwrap_err(), "update"),
        (people.update_many(doc! {}, Vec::<Document>::new()).await.unwrap_err(), "update"),
        (people.replace_one(doc! {}, doc! { "$set": { "x": 1 } }).await.unwrap_err(), "replacement"),
        (people.find_one_and_replace(doc! {}, doc! { "$set": {} }).await.unwrap_err(), "replacement"),
        (people.create_index(doc! {}).await.unwrap_err(), "keys"),
        (people.create_indexes([]).await.unwrap_err(), "indexes"),
        (people.drop_index("*").await.unwrap_err(), "index"),
        (people.drop_index("").await.unwrap_err(), "index"),
        (people.drop_index_by_keys([("", 1); 0]).await.unwrap_err(), "index"),
        (people.find_one(doc! {}).hint("").await.unwrap_err(), "hint"),
        (database.dereference(&doc! { "$id": 1 }).await.unwrap_err(), "reference"),
    ];
    for (error, argument) in errors {
        assert!(is_argument(&error, argument), "{error:?} instead of {argument}");
    }
    assert!(database.run_command(doc! {}).await.unwrap_err().outcome() == Outcome::NotSent);
    assert!(commands.take().is_empty());
    database.client().close().await;
}

#[tokio::test]
async fn writes_take_their_options() {
    let (commands, database) = recorded("writes").await;
    let people = people(&database).await;
    let updated = people.update_many(doc! { "town": "AACHEN" }, doc! { "$inc": { "age": 1 } });
    assert_eq!(updated.collation(without_case()).hint("age_1").await.unwrap().modified_count, 8);
    let pipeline = vec![doc! { "$set": { "age": "$$age" } }];
    let computed = people.update_one(Filter::id(0), pipeline).let_vars(doc! { "age": 50 }).await.unwrap();
    assert_eq!((computed.matched_count, computed.modified_count, computed.upserted_id), (1, 1, None));
    let listed = doc! { "$set": { "list": [1, 2, 3] } };
    people.update_one(Filter::id(0), listed).await.unwrap();
    let filtered = people.update_one(Filter::id(0), doc! { "$set": { "list.$[large]": 0 } });
    filtered.array_filters([doc! { "large": { "$gt": 1 } }]).await.unwrap();
    let list = people.find_one(Filter::id(0)).projection(["list"]).await.unwrap().unwrap();
    assert_eq!(list, doc! { "_id": 0, "list": [1, 0, 0] });
    let upserted = people.replace_one(Filter::id("new"), doc! { "age": 1 }).upsert(true).await.unwrap();
    assert_eq!((upserted.matched_count, upserted.upserted_id), (0, Some("new".into())));
    let deleted = people.delete_many(doc! { "$expr": { "$eq": ["$age", "$$age"] } }).let_vars(doc! { "age": 50 });
    assert_eq!(deleted.comment("gone").await.unwrap().deleted_count, 1);
    assert_eq!(commands.last().command.get_str("comment").unwrap(), "gone");

    let oldest =
        || people.find_one_and_update(doc! {}, doc! { "$inc": { "age": 100 } }).sort([("age", -1), ("_id", 1)]);
    let before = oldest().projection(["age"]).hint(doc! { "age": 1 }).await.unwrap().unwrap();
    let after =
        oldest().return_document(ReturnDocument::After).max_time(Duration::from_secs(5)).await.unwrap().unwrap();
    assert_eq!(after.get_i32("age").unwrap(), before.get_i32("age").unwrap() + 200);
    assert_eq!(before.keys().collect::<Vec<_>>(), ["_id", "age"]);
    let none = people.find_one_and_replace(Filter::id("none"), doc! {}).upsert(true).await.unwrap();
    assert_eq!(none, None, "there was none before");
    let gone = people.find_one_and_delete(doc! { "town": "BERLIN" }).collation(without_case()).await.unwrap();
    assert_eq!(gone.unwrap().get_str("town").unwrap(), "Berlin");

    let bulk: [WriteModel; 1] =
        [UpdateOneModel::new(doc! { "_id": 1 }, vec![doc! { "$set": { "age": "$$age" } }]).hint("_id_").into()];
    let bulk = people.bulk_write(bulk).let_vars(doc! { "age": 9 }).bypass_document_validation(true);
    assert_eq!(bulk.await.unwrap().modified_count, 1);
    database.client().close().await;
}

#[tokio::test]
async fn a_collection_is_renamed_and_its_handle_goes_with_it() {
    let (client, database) = client_and_database("members-rename").await;
    database.drop().await.unwrap();
    let options = CollectionOptions::new().read_concern(ReadConcern::majority());
    let one = database.collection_with_options::<Document>("one", options);
    one.insert_one(doc! { "_id": 1 }).await.unwrap();
    database.collection("two").insert_one(doc! { "_id": 2 }).await.unwrap();
    let error = one.rename("two").await.unwrap_err();
    assert_eq!((error.code(), error.code_name()), (Some(48), Some("NamespaceExists")), "{error}");
    for bad in ["", "a..b", "a$b", ".a"] {
        assert!(matches!(one.rename(bad).await.unwrap_err().kind(), ErrorKind::InvalidName(_)), "{bad}");
    }
    let two = one.rename("two").drop_target(true).comment("renamed").await.unwrap();
    assert_eq!((two.name(), two.read_concern()), ("two", &ReadConcern::majority()));
    assert_eq!(two.find_one(doc! {}).await.unwrap(), Some(doc! { "_id": 1 }));
    assert_eq!(database.list_collection_names().await.unwrap(), ["two"]);
    client.close().await;
}

#[tokio::test]
async fn indexes_are_created_listed_and_dropped_in_every_form() {
    let (client, database) = client_and_database("members-indexes").await;
    database.drop().await.unwrap();
    let places = database.collection::<Document>("places");
    let quorum = places.create_index([("town", 1), ("age", -1)]).commit_quorum(CommitQuorum::Majority).comment("why");
    assert_eq!(quorum.await.unwrap(), "town_1_age_-1");
    let models = [
        IndexModel::new([("text", "text")]).default_language("german").weights(doc! { "text": 3 }),
        IndexModel::new([("at", "2dsphere")]),
        IndexModel::new([("id", "hashed")]),
        IndexModel::new("code").unique(true).partial_filter_expression(doc! { "code": { "$exists": true } }).named("c"),
        IndexModel::new("seen").expire_after(Duration::from_secs(3600)).hidden(true),
        IndexModel::new("$**").wildcard_projection(doc! { "secret": 0 }).collation(Collation::new("simple")),
    ];
    let names = places.create_indexes(models).await.unwrap();
    assert_eq!(names, ["text_text", "at_2dsphere", "id_hashed", "c", "seen_1", "$**_1"]);
    let mut all = places.list_index_names().await.unwrap();
    all.sort();
    assert_eq!(all, ["$**_1", "_id_", "at_2dsphere", "c", "id_hashed", "seen_1", "text_text", "town_1_age_-1"]);
    let information = places.index_information().await.unwrap();
    assert_eq!(information["town_1_age_-1"].get_document("key").unwrap(), &doc! { "town": 1, "age": -1 });
    assert!(information["c"].get_bool("unique").unwrap() && information["seen_1"].get_bool("hidden").unwrap());
    assert!(information.values().all(|index| !index.contains_key("name") && !index.contains_key("ns")));
    let listed = places.list_indexes().batch_size(2).await.unwrap().to_vec().await.unwrap();
    let seen = listed.iter().find(|index| index.name() == "seen_1").unwrap();
    assert_eq!(seen.options.as_ref().unwrap().expire_after, Some(Duration::from_secs(3600)));

    places.drop_index_by_keys([("town", 1), ("age", -1)]).await.unwrap();
    places.drop_index("c").await.unwrap();
    let error = places.drop_index("c").await.unwrap_err();
    assert_eq!(error.code_name(), Some("IndexNotFound"), "{error}");
    places.drop_indexes().await.unwrap();
    assert_eq!(places.list_index_names().await.unwrap(), ["_id_"]);
    client.close().await;
}

#[tokio::test]
async fn collections_are_created_described_and_validated() {
    let (client, database) = client_and_database("members-collections").await;
    database.drop().await.unwrap();
    let ring = database.create_collection("ring").capped(true).size(4096).max(3).await.unwrap();
    ring.insert_many((0..5).map(|id| doc! { "_id": id })).await.unwrap();
    assert_eq!(ring.count_documents(doc! {}).await.unwrap(), 3);
    let options = ring.options().comment("options").await.unwrap();
    assert_eq!(options, doc! { "capped": true, "size": 4096, "max": 3 });
    let checked = database.create_collection("checked").validator(doc! { "x": { "$type": "int" } }).await.unwrap();
    let error = checked.insert_one(doc! { "x": "text" }).await.unwrap_err();
    assert_eq!(error.code(), Some(121), "{error}");
    checked.insert_one(doc! { "x": "text" }).bypass_document_validation(true).await.unwrap();
    let view = database.create_collection("view").view_on("ring").pipeline([doc! { "$match": { "_id": 4 } }]);
    assert_eq!(view.await.unwrap().find_one(doc! {}).await.unwrap(), Some(doc! { "_id": 4 }));

    let error = database.create_collection("ring").check_exists(true).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::CollectionInvalid { .. }), "{error}");
    assert_eq!(database.create_collection("ring").await.unwrap_err().code(), Some(48));
    let whole = CreateCollectionOptions { capped: Some(true), size: Some(4096), ..Default::default() };
    database.create_collection("another").with_options(whole).await.unwrap().drop().await.unwrap();

    let mut names = database.list_collection_names().filter(doc! { "type": "collection" }).await.unwrap();
    names.sort();
    assert_eq!(names, ["checked", "ring", "system.views"]);
    let mut described = database.list_collections().filter(doc! { "name": "ring" }).batch_size(1).await.unwrap();
    let ring_ = described.try_next().await.unwrap().unwrap();
    assert_eq!((ring_.name.as_str(), ring_.options.max), ("ring", Some(3)));

    let report = ring.validate().full(true).comment("validate").await.unwrap();
    assert!(report.get_bool("valid").unwrap() && report.get_i32("nrecords").unwrap() == 3);
    assert!(database.validate_collection("ring").background(true).await.unwrap().get_bool("valid").unwrap());
    assert!(ring.validate().full(true).background(true).await.is_err(), "the server refuses the two together");
    let error = checked.validate().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::CollectionInvalid { .. }), "{error}");
    assert_eq!(error.outcome(), Outcome::Applied, "the server has looked at it");
    let report = error.server_response().unwrap();
    assert_eq!(report.get_i32("nNonCompliantDocuments").unwrap(), 1, "{report:?}");
    client.close().await;
}

#[tokio::test]
async fn databases_are_listed_by_every_option_and_the_server_says_what_it_is() {
    let (client, database) = client_and_database("members-databases").await;
    database.collection("things").insert_one(doc! { "_id": 1, "name": "one" }).await.unwrap();
    let mine = doc! { "name": database.name() };
    let listed = client.list_databases().filter(mine.clone()).authorized_databases(true).comment(1).await.unwrap();
    assert_eq!((listed.len(), listed[0].name.as_str(), listed[0].empty), (1, database.name(), false));
    let mut session = client.start_session().await.unwrap();
    let names = client.list_database_names().filter(mine.clone()).session(&mut session);
    assert_eq!(names.await.unwrap(), [database.name()]);
    let info = client.server_info().session(&mut session).timeout(Duration::from_secs(10)).await.unwrap();
    let build = client.build_info().await.unwrap();
    assert_eq!(info.get_str("version").unwrap(), build.version);
    let reference = doc! { "$ref": "things", "$id": 1, "$db": database.name() };
    let found = database.dereference(&reference).projection(["name"]).comment("dereference").session(&mut session);
    assert_eq!(found.await.unwrap(), Some(doc! { "_id": 1, "name": "one" }));
    client.drop_database(database.name()).session(&mut session).await.unwrap();
    assert!(client.list_database_names().filter(mine).await.unwrap().is_empty());
    client.close().await;
}

#[tokio::test]
async fn explanations_change_nothing_and_show_the_index() {
    let (client, database) = client_and_database("members-explain").await;
    let people = people(&database).await;
    let plan = |explained: Document| {
        let explained = explained.to_string();
        // Counting needs no more than the index.
        explained.contains("IXSCAN") || explained.contains("COUNT_SCAN") || explained.contains("DISTINCT_SCAN")
    };
    let planner = ExplainVerbosity::QueryPlanner;
    let found = people.find(doc! { "age": 1 }).limit(2).explain();
    assert!(plan(found.verbosity(planner).comment("explain").await.unwrap()));
    let default = people.find(doc! { "age": 1 }).explain().await.unwrap();
    assert!(default.to_string().contains("allPlansExecution"), "{default}");
    assert!(plan(people.count_documents(doc! { "age": 1 }).explain().verbosity(planner).await.unwrap()));
    assert!(plan(people.aggregate([doc! { "$match": { "age": 1 } }]).explain().verbosity(planner).await.unwrap()));
    assert!(plan(people.distinct("age", doc! {}).explain().verbosity(planner).await.unwrap()));
    people.update_many(doc! { "age": 1 }, doc! { "$set": { "age": 9 } }).explain().await.unwrap();
    people.replace_one(doc! { "age": 1 }, doc! {}).explain().await.unwrap();
    people.delete_many(doc! { "age": 1 }).explain().await.unwrap();
    people.find_one_and_delete(doc! { "age": 1 }).explain().await.unwrap();
    assert_eq!(people.count_documents(doc! { "age": 1 }).await.unwrap(), 3);
    client.close().await;
}

#[tokio::test]
async fn handles_inherit_and_are_equal_by_what_they_name() {
    let set = shared_set().await;
    let uri = set.uri_with(&[("w", "majority"), ("appName", "one")]);
    let client = Client::builder().uri(&uri).default_database("shop").build().unwrap();
    let shop = client.default_database().unwrap();
    assert_eq!((shop.name(), client.default_database_or("other").name()), ("shop", "shop"));
    assert_eq!(client.database_with(None, DatabaseOptions::new()).unwrap(), shop);
    let options = DatabaseOptions::new().selection_criteria(ReadPreference::nearest());
    let near = shop.with_options(options);
    let orders = near.collection::<Document>("orders");
    assert_eq!(orders.write_concern(), &WriteConcern::majority());
    assert_eq!(orders.selection_criteria(), &ReadPreference::nearest().into());
    let careless = orders.with_options(CollectionOptions::new().write_concern(WriteConcern::nodes(0)));
    assert_eq!(careless.selection_criteria(), orders.selection_criteria());
    assert!(!careless.write_concern().is_acknowledged() && orders.write_concern().is_acknowledged());
    let archive = orders.child::<Document>("archive");
    assert_eq!((archive.namespace().to_string().as_str(), archive.client()), ("shop.orders.archive", &client));

    // Settings, credentials and options make no difference.
    let other = Client::with_uri_str(set.uri_with(&[("appName", "other")])).await.unwrap();
    assert!(client == other && !client.ptr_eq(&other) && client.ptr_eq(&client.clone()));
    assert_eq!(HashSet::from([client.clone(), other.clone()]).len(), 1);
    assert_eq!(HashSet::from([shop.clone(), near.clone(), other.database("shop")]).len(), 1);
    assert_eq!(HashSet::from([orders.clone(), careless, shop.collection("orders")]).len(), 1);
    assert_ne!(orders, archive);
    assert_ne!(shop, other.database("Shop"));

    assert!(client.append_metadata(DriverInfo::new("odm")).unwrap());
    let metadata = client.metadata();
    assert_eq!(metadata.get_document("application").unwrap().get_str("name").unwrap(), "one");
    assert_eq!(metadata.get_document("driver").unwrap().get_str("name").unwrap(), "mongo-actors|odm");
    client.close().await;
    other.close().await;
}

#[tokio::test]
async fn the_deployment_is_told_at_a_glance() {
    let set = shared_set().await;
    let client = Client::with_uri_str(set.uri()).await.unwrap();
    assert_eq!((client.primary(), client.nodes()), (None, BTreeSet::new()), "nothing is known yet, and nobody waits");
    let address = client.address().await.unwrap();
    assert_eq!(client.primary(), Some(address.clone()));
    assert_eq!(client.nodes(), BTreeSet::from([address]));
    assert_eq!((client.secondaries(), client.arbiters()), (BTreeSet::new(), BTreeSet::new()));
    assert!(client.is_primary().await.unwrap() && !client.is_mongos().await.unwrap());
    client.close().await;
    assert!(client.nodes().is_empty() && client.primary().is_none());
    let error = client.address().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidOperation { .. }), "{error}");
}
