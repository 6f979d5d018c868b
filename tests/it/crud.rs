//! Create, read, update, delete on a replica set.

use mongo_actors::{
    bson::{Document, RawDocumentBuf, doc, rawdoc},
    error::ErrorKind,
};
use serde::{Deserialize, Serialize};

use crate::kit::client_and_database;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Book {
    #[serde(rename = "_id")]
    id: i32,
    title: String,
    year: i32,
}

fn book(id: i32) -> Book {
    Book { id, title: format!("Volume {id}"), year: 1900 + id }
}

#[tokio::test]
async fn typed_documents_make_the_round() {
    let (client, database) = client_and_database("crud-typed").await;
    let books = database.collection::<Book>("books");
    let inserted = books.insert_one(book(1)).await.unwrap();
    assert_eq!(inserted.inserted_id, 1.into());
    assert_eq!(books.find_one(doc! { "_id": 1 }).await.unwrap(), Some(book(1)));
    assert_eq!(books.find_one(doc! { "_id": 2 }).await.unwrap(), None);

    let updated = books.update_one(doc! { "_id": 1 }, doc! { "$set": { "year": 1984 } }).await.unwrap();
    assert_eq!((updated.matched_count, updated.modified_count), (1, 1));
    let upserted = books.update_one(doc! { "_id": 9 }, doc! { "$set": { "title": "x" } }).upsert(true).await.unwrap();
    assert_eq!(upserted.upserted_id, Some(9.into()));
    let replaced = books.find_one_and_replace(doc! { "_id": 1 }, book(1)).await.unwrap().unwrap();
    assert_eq!(replaced.year, 1984);
    assert_eq!(books.delete_many(doc! {}).await.unwrap().deleted_count, 2);
    assert_eq!(books.count_documents(doc! {}).await.unwrap(), 0);
    client.close().await;
}

#[tokio::test]
async fn a_hundred_thousand_documents_go_in_and_come_out() {
    let (client, database) = client_and_database("crud-many").await;
    let numbers = database.collection::<RawDocumentBuf>("numbers");
    let many = 120_000;
    let inserted = numbers.insert_many((0..many).map(|id| rawdoc! { "_id": id })).await.unwrap();
    assert_eq!(inserted.inserted_ids.len(), many as usize);
    let mut cursor = numbers.find(doc! {}).sort(doc! { "_id": 1 }).batch_size(7_000).await.unwrap();
    let mut expected = 0;
    while let Some(document) = cursor.try_next().await.unwrap() {
        assert_eq!(document.get_i32("_id").unwrap(), expected);
        expected += 1;
    }
    assert_eq!(expected, many);
    client.close().await;
}

#[tokio::test]
async fn large_documents_are_split_by_bytes_and_an_oversize_one_is_refused() {
    let (client, database) = client_and_database("crud-large").await;
    let files = database.collection::<Document>("files");
    let megabytes = |count: usize| "x".repeat(count * 1024 * 1024);
    files.insert_many((0..7).map(|id| doc! { "_id": id, "text": megabytes(7) })).await.unwrap();
    assert_eq!(files.count_documents(doc! {}).await.unwrap(), 7);
    files.insert_one(doc! { "text": megabytes(15) }).await.unwrap();
    let error = files.insert_one(doc! { "text": megabytes(17) }).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::DocumentTooLarge { .. }), "{error}");
    assert_eq!(error.outcome(), mongo_actors::error::Outcome::NotSent);
    client.close().await;
}

#[tokio::test]
async fn aggregation_indexes_and_names() {
    let (client, database) = client_and_database("crud-aggregate").await;
    let books = database.collection::<Book>("books");
    books.insert_many((0..10).map(book)).await.unwrap();
    let pipeline = [doc! { "$group": { "_id": null, "sum": { "$sum": "$_id" } } }];
    let mut sums = books.aggregate(pipeline).await.unwrap();
    assert_eq!(sums.try_next().await.unwrap().unwrap().get_i32("sum").unwrap(), 45);
    assert_eq!(books.distinct("year", doc! { "_id": { "$lt": 3 } }).await.unwrap().len(), 3);

    let error = database.collection::<Book>("").find_one(doc! {}).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidName(_)), "{error}");
    let error = books.update_one(doc! {}, doc! { "year": 1 }).await.unwrap_err();
    assert_eq!(error.outcome(), mongo_actors::error::Outcome::NotSent);

    assert_eq!(database.list_collection_names().await.unwrap(), ["books"]);
    assert!(client.list_database_names().await.unwrap().contains(&database.name().to_owned()));
    database.drop().await.unwrap();
    assert!(database.list_collection_names().await.unwrap().is_empty());
    client.close().await;
}

/// Every kind of operation with documents that are never decoded.
#[tokio::test]
async fn raw_documents_make_the_round_in_every_kind_of_operation() {
    let (client, database) = client_and_database("crud-raw").await;
    let things = database.collection::<RawDocumentBuf>("things");
    let thing = |id: i32, n: i32| rawdoc! { "_id": id, "n": n };
    things.insert_one(thing(1, 1)).await.unwrap();
    things.insert_many([thing(2, 2), thing(3, 3)]).await.unwrap();
    assert_eq!(things.find_one(rawdoc! { "_id": 2 }).await.unwrap(), Some(thing(2, 2)));
    let all = things.find(doc! {}).sort(doc! { "_id": -1 }).await.unwrap().to_vec().await.unwrap();
    assert_eq!(all, [thing(3, 3), thing(2, 2), thing(1, 1)]);
    assert_eq!(things.update_one(doc! { "_id": 1 }, doc! { "$inc": { "n": 10 } }).await.unwrap().modified_count, 1);
    assert_eq!(things.update_many(doc! {}, doc! { "$inc": { "n": 1 } }).await.unwrap().modified_count, 3);
    assert_eq!(things.replace_one(doc! { "_id": 3 }, thing(3, 33)).await.unwrap().matched_count, 1);
    let before = things.find_one_and_update(doc! { "_id": 1 }, doc! { "$set": { "n": 0 } }).await.unwrap();
    assert_eq!(before, Some(thing(1, 12)));
    assert_eq!(things.find_one_and_replace(doc! { "_id": 1 }, thing(1, 7)).await.unwrap(), Some(thing(1, 0)));
    assert_eq!(things.find_one_and_delete(doc! { "_id": 1 }).await.unwrap(), Some(thing(1, 7)));
    assert_eq!(things.count_documents(doc! {}).await.unwrap(), 2);
    assert_eq!(things.estimated_document_count().await.unwrap(), 2);
    assert_eq!(things.distinct("n", doc! {}).await.unwrap(), [3.into(), 33.into()]);
    let mut same = things.aggregate([doc! { "$match": { "_id": 3 } }]).with_type::<RawDocumentBuf>().await.unwrap();
    assert_eq!(same.to_vec().await.unwrap(), [thing(3, 33)]);
    assert_eq!(things.delete_one(doc! { "_id": 3 }).await.unwrap().deleted_count, 1);
    assert_eq!(things.delete_many(doc! {}).await.unwrap().deleted_count, 1);
    client.close().await;
}
