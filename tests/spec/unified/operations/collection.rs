//! Operations of collections that read, and the way to the others.

use std::{sync::Arc, time::Duration};

use bson::{Bson, Document};
use mongo_actors::{
    Collection,
    action::Find,
    options::{Collation, CursorType, Hint, TimeoutMode},
};

use super::{
    Session, Value, aggregate, bulk, change_stream, find_and_modify, index,
    results::{drain, keep},
    unsupported, without_session, writes,
};
use crate::unified::{
    arguments::{Arguments, in_session, set},
    entities::SessionEntity,
    failure::{Attempt, Outcome},
};

pub(super) async fn execute(
    collection: &Collection<Document>,
    name: &str,
    mut arguments: Arguments,
    session: Session<'_>,
    owner: Option<&Arc<SessionEntity>>,
) -> Attempt<Value> {
    match name {
        "find" => {
            let find = find(collection, &mut arguments)?;
            arguments.finish()?;
            Ok(Value::Documents(drain!(find, session)))
        }
        "createFindCursor" => {
            let find = find(collection, &mut arguments)?;
            arguments.finish()?;
            Ok(Value::Cursor(keep!(find, session, owner)))
        }
        "createChangeStream" => change_stream::create(collection.watch(), arguments, session, owner).await,
        "findOne" => find_one(collection, arguments, session).await,
        "aggregate" => {
            let aggregate = collection.aggregate(aggregate::pipeline(&mut arguments)?);
            aggregate::execute(aggregate, arguments, session).await
        }
        "countDocuments" => count_documents(collection, arguments, session).await,
        "estimatedDocumentCount" if session.is_some() => Err(without_session(name).into()),
        "estimatedDocumentCount" => estimated_document_count(collection, arguments).await,
        "distinct" => distinct(collection, arguments, session).await,
        "rename" => {
            let mut rename = in_session!(collection.rename(arguments.require::<String>("to")?), session);
            set!(rename, arguments, {
                "comment" => comment: Bson, "dropTarget" => drop_target: bool, "timeoutMS" => timeout: Duration,
            });
            arguments.finish()?;
            rename.await?;
            Ok(Value::Nothing)
        }
        "bulkWrite" => bulk::collection(collection, arguments, session).await,
        "insertOne" | "insertMany" | "updateOne" | "updateMany" | "replaceOne" | "deleteOne" | "deleteMany" => {
            writes::execute(collection, name, arguments, session).await
        }
        "findOneAndDelete" | "findOneAndReplace" | "findOneAndUpdate" => {
            find_and_modify::execute(collection, name, arguments, session).await
        }
        "createIndex"
        | "dropIndex"
        | "dropIndexes"
        | "listIndexes"
        | "listIndexNames"
        | "createSearchIndex"
        | "createSearchIndexes"
        | "dropSearchIndex"
        | "listSearchIndexes"
        | "updateSearchIndex" => index::execute(collection, name, arguments, session).await,
        _ => Err(unsupported("a collection", name).into()),
    }
}

/// Sets the options that `find` and `findOne` share.
macro_rules! set_query {
    ($find:ident, $arguments:expr) => {
        set!($find, $arguments, {
            "allowDiskUse" => allow_disk_use: bool, "allowPartialResults" => allow_partial_results: bool,
            "collation" => collation: Collation, "comment" => comment: Bson, "hint" => hint: Hint,
            "let" => let_vars: Document, "max" => max: Document, "maxTimeMS" => max_time: Duration,
            "min" => min: Document, "projection" => projection: Document, "returnKey" => return_key: bool,
            "showRecordId" => show_record_id: bool, "skip" => skip: u64, "sort" => sort: Document,
            "timeoutMS" => timeout: Duration,
        });
    };
}

fn find<'a>(collection: &'a Collection<Document>, arguments: &mut Arguments) -> Outcome<Find<'a, Document>> {
    let mut find = collection.find(arguments.require::<Document>("filter")?);
    set_query!(find, arguments);
    set!(find, arguments, {
        "batchSize" => batch_size: u32, "cursorType" => cursor_type: CursorType, "limit" => limit: i64,
        "maxAwaitTimeMS" => max_await_time: Duration, "noCursorTimeout" => no_cursor_timeout: bool,
        "oplogReplay" => oplog_replay: bool, "timeoutMode" => timeout_mode: TimeoutMode,
    });
    Ok(find)
}

async fn find_one(collection: &Collection<Document>, mut arguments: Arguments, session: Session<'_>) -> Attempt<Value> {
    let mut find = in_session!(collection.find_one(arguments.require::<Document>("filter")?), session);
    set_query!(find, arguments);
    arguments.finish()?;
    Ok(Value::Bson(find.await?.into()))
}

async fn count_documents(
    collection: &Collection<Document>,
    mut arguments: Arguments,
    session: Session<'_>,
) -> Attempt<Value> {
    let mut count = in_session!(collection.count_documents(arguments.require::<Document>("filter")?), session);
    set!(count, arguments, {
        "collation" => collation: Collation, "comment" => comment: Bson, "hint" => hint: Hint,
        "limit" => limit: u64, "maxTimeMS" => max_time: Duration, "skip" => skip: u64,
        "timeoutMS" => timeout: Duration,
    });
    arguments.finish()?;
    Ok(Value::Bson(number(count.await?)))
}

async fn estimated_document_count(collection: &Collection<Document>, mut arguments: Arguments) -> Attempt<Value> {
    let mut count = collection.estimated_document_count();
    set!(count, arguments, {
        "comment" => comment: Bson, "maxTimeMS" => max_time: Duration, "timeoutMS" => timeout: Duration,
    });
    arguments.finish()?;
    Ok(Value::Bson(number(count.await?)))
}

fn number(count: u64) -> Bson {
    i64::try_from(count).unwrap_or(i64::MAX).into()
}

async fn distinct(collection: &Collection<Document>, mut arguments: Arguments, session: Session<'_>) -> Attempt<Value> {
    let field: String = arguments.require("fieldName")?;
    let mut distinct = in_session!(collection.distinct(field, arguments.require::<Document>("filter")?), session);
    set!(distinct, arguments, {
        "collation" => collation: Collation, "comment" => comment: Bson, "hint" => hint: Hint,
        "maxTimeMS" => max_time: Duration, "timeoutMS" => timeout: Duration,
    });
    arguments.finish()?;
    Ok(Value::Bson(distinct.await?.into()))
}
