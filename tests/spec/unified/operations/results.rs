//! Results of the driver as documents.

use std::collections::BTreeMap;

use bson::{Bson, Document, doc};
use mongo_actors::{
    Cursor, Error,
    results::{DeleteResult, InsertManyResult, InsertOneResult, UpdateResult},
};
use serde::Serialize;

use crate::unified::failure::{Attempt, Outcome, failure};

/// Reads a cursor to its end.
pub(super) async fn drained(mut cursor: Cursor<Document>) -> Attempt<Vec<Document>> {
    let mut documents = Vec::new();
    while let Some(document) = cursor.try_next().await? {
        documents.push(document);
    }
    Ok(documents)
}

pub(super) fn documents<T: Serialize>(results: &[T]) -> Outcome<Vec<Document>> {
    let serialize = |result| bson::serialize_to_document(result).map_err(|error| failure!("a result: {error}"));
    results.iter().map(serialize).collect()
}

/// Ids by the index of the document or statement.
pub(super) fn by_index(ids: &BTreeMap<usize, Bson>) -> Document {
    ids.iter().map(|(index, id)| (index.to_string(), id.clone())).collect()
}

pub(super) fn insert_one(result: &InsertOneResult) -> Bson {
    match result.acknowledged {
        true => doc! { "acknowledged": true, "insertedId": result.inserted_id.clone() }.into(),
        false => doc! { "acknowledged": false, "insertedId": result.inserted_id.clone() }.into(),
    }
}

pub(super) fn insert_many(result: &InsertManyResult) -> Bson {
    let count = i64::try_from(result.inserted_ids.len()).unwrap_or(i64::MAX);
    let mut document = doc! { "acknowledged": result.acknowledged, "insertedIds": by_index(&result.inserted_ids) };
    if result.acknowledged {
        // The specification describes the result as that of a bulk write.
        document.extend(doc! {
            "insertedCount": count, "matchedCount": 0, "modifiedCount": 0, "deletedCount": 0, "upsertedCount": 0,
            "upsertedIds": {},
        });
    }
    document.into()
}

pub(super) fn update(result: &UpdateResult) -> Bson {
    let mut document = doc! { "acknowledged": result.acknowledged };
    if result.acknowledged {
        document.insert("matchedCount", count(result.matched_count));
        document.insert("modifiedCount", count(result.modified_count));
        document.insert("upsertedCount", i32::from(result.upserted_id.is_some()));
        if let Some(id) = &result.upserted_id {
            document.insert("upsertedId", id.clone());
        }
    }
    document.into()
}

pub(super) fn delete(result: &DeleteResult) -> Bson {
    let mut document = doc! { "acknowledged": result.acknowledged };
    if result.acknowledged {
        document.insert("deletedCount", count(result.deleted_count));
    }
    document.into()
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What an error says was done before it.
pub(crate) fn partial_result(error: &Error) -> Option<Bson> {
    let partial = error.partial_insert()?;
    let count = i64::try_from(partial.inserted_ids.len()).unwrap_or(i64::MAX);
    let result = doc! {
        "insertedCount": count, "matchedCount": 0, "modifiedCount": 0, "deletedCount": 0, "upsertedCount": 0,
        "insertedIds": by_index(&partial.inserted_ids), "upsertedIds": {},
    };
    Some(result.into())
}
