//! Results of the driver as documents.

use std::collections::BTreeMap;

use bson::{Bson, Document, doc};
use mongo_actors::{
    Cursor, Error,
    results::{BulkWriteResult, ClientBulkWriteResult, DeleteResult, InsertManyResult, InsertOneResult, UpdateResult},
};
use serde::Serialize;

use crate::unified::failure::{Attempt, Outcome, failure};

/// Opens the cursor of an operation, in a session if there is one, and reads it to its end.
macro_rules! drain {
    ($action:expr, $session:expr) => {
        match $session {
            None => $crate::unified::operations::results::drained($action.await?.with_type()).await?,
            Some(session) => {
                let mut cursor = $action.session(&mut *session).await?.with_type::<bson::Document>();
                cursor.to_vec(session).await?
            }
        }
    };
}
pub(super) use drain;

/// Opens the cursor of an operation, in a session if there is one, and keeps it.
macro_rules! keep {
    ($action:expr, $session:expr, $owner:expr) => {
        match ($session, $owner) {
            (Some(session), Some(owner)) => {
                let cursor = $action.session(session).await?;
                $crate::unified::entities::CursorEntity::in_session(cursor, owner)
            }
            _ => $crate::unified::entities::CursorEntity::new($action.await?),
        }
    };
}
pub(super) use keep;

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

pub(super) fn bulk_write(result: &BulkWriteResult) -> Bson {
    let mut document = doc! {
        "acknowledged": result.acknowledged, "insertedIds": by_index(&result.inserted_ids),
    };
    if result.acknowledged {
        document.extend(doc! {
            "insertedCount": count(result.inserted_count), "matchedCount": count(result.matched_count),
            "modifiedCount": count(result.modified_count), "deletedCount": count(result.deleted_count),
            "upsertedCount": count(result.upserted_count), "upsertedIds": by_index(&result.upserted_ids),
        });
    }
    document.into()
}

pub(super) fn client_bulk_write(result: &ClientBulkWriteResult) -> Outcome<Bson> {
    let mut document = bson::serialize_to_document(result).map_err(|error| failure!("a result: {error}"))?;
    if !result.acknowledged {
        document.clear();
    }
    document.insert("acknowledged", result.acknowledged);
    Ok(document.into())
}

/// What an error says was done before it.
pub(crate) fn partial_result(error: &Error) -> Option<Bson> {
    if let Some(partial) = error.partial_client_bulk_write() {
        return client_bulk_write(partial.partial_result.as_ref()?).ok();
    }
    if let Some(partial) = error.partial_bulk_write() {
        return Some(bulk_write(&partial.partial_result));
    }
    let partial = error.partial_insert()?;
    let count = i64::try_from(partial.inserted_ids.len()).unwrap_or(i64::MAX);
    let result = doc! {
        "insertedCount": count, "matchedCount": 0, "modifiedCount": 0, "deletedCount": 0, "upsertedCount": 0,
        "insertedIds": by_index(&partial.inserted_ids), "upsertedIds": {},
    };
    Some(result.into())
}
