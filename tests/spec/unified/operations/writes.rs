//! Operations of collections that write.

use std::time::Duration;

use bson::{Bson, Document};
use mongo_actors::{
    Collection,
    action::{Delete, Update},
    options::{Collation, Hint, UpdateModifications},
};

use super::{Session, Value, results, unsupported};
use crate::unified::{
    arguments::{Arguments, in_session, set},
    failure::Attempt,
};

pub(super) async fn execute(
    collection: &Collection<Document>,
    name: &str,
    mut arguments: Arguments,
    session: Session<'_>,
) -> Attempt<Value> {
    match name {
        "insertOne" => insert_one(collection, arguments, session).await,
        "insertMany" => insert_many(collection, arguments, session).await,
        "replaceOne" => replace_one(collection, arguments, session).await,
        "updateOne" => {
            let update_ = arguments.require::<UpdateModifications>("update")?;
            update(
                in_session!(collection.update_one(arguments.require::<Document>("filter")?, update_), session),
                arguments,
            )
            .await
        }
        "updateMany" => {
            let update_ = arguments.require::<UpdateModifications>("update")?;
            update(
                in_session!(collection.update_many(arguments.require::<Document>("filter")?, update_), session),
                arguments,
            )
            .await
        }
        "deleteOne" => {
            delete(in_session!(collection.delete_one(arguments.require::<Document>("filter")?), session), arguments)
                .await
        }
        "deleteMany" => {
            delete(in_session!(collection.delete_many(arguments.require::<Document>("filter")?), session), arguments)
                .await
        }
        _ => Err(unsupported("a collection", name).into()),
    }
}

async fn insert_one(
    collection: &Collection<Document>,
    mut arguments: Arguments,
    session: Session<'_>,
) -> Attempt<Value> {
    let mut insert = in_session!(collection.insert_one(arguments.require::<Document>("document")?), session);
    set!(insert, arguments, {
        "bypassDocumentValidation" => bypass_document_validation: bool, "comment" => comment: Bson,
        "timeoutMS" => timeout: Duration,
    });
    arguments.finish()?;
    Ok(Value::Bson(results::insert_one(&insert.await?)))
}

async fn insert_many(
    collection: &Collection<Document>,
    mut arguments: Arguments,
    session: Session<'_>,
) -> Attempt<Value> {
    let mut insert = in_session!(collection.insert_many(arguments.require::<Vec<Document>>("documents")?), session);
    set!(insert, arguments, {
        "bypassDocumentValidation" => bypass_document_validation: bool, "comment" => comment: Bson,
        "ordered" => ordered: bool, "timeoutMS" => timeout: Duration,
    });
    arguments.finish()?;
    Ok(Value::Bson(results::insert_many(&insert.await?)))
}

async fn replace_one(
    collection: &Collection<Document>,
    mut arguments: Arguments,
    session: Session<'_>,
) -> Attempt<Value> {
    let replacement: Document = arguments.require("replacement")?;
    let mut replace =
        in_session!(collection.replace_one(arguments.require::<Document>("filter")?, replacement), session);
    set!(replace, arguments, {
        "bypassDocumentValidation" => bypass_document_validation: bool, "collation" => collation: Collation,
        "comment" => comment: Bson, "hint" => hint: Hint, "let" => let_vars: Document, "sort" => sort: Document,
        "upsert" => upsert: bool, "timeoutMS" => timeout: Duration,
    });
    arguments.finish()?;
    Ok(Value::Bson(results::update(&replace.await?)))
}

async fn update(mut update: Update<'_>, mut arguments: Arguments) -> Attempt<Value> {
    set!(update, arguments, {
        "arrayFilters" => array_filters: Vec<Document>,
        "bypassDocumentValidation" => bypass_document_validation: bool, "collation" => collation: Collation,
        "comment" => comment: Bson, "hint" => hint: Hint, "let" => let_vars: Document, "sort" => sort: Document,
        "upsert" => upsert: bool, "timeoutMS" => timeout: Duration,
    });
    arguments.finish()?;
    Ok(Value::Bson(results::update(&update.await?)))
}

async fn delete(mut delete: Delete<'_>, mut arguments: Arguments) -> Attempt<Value> {
    set!(delete, arguments, {
        "collation" => collation: Collation, "comment" => comment: Bson, "hint" => hint: Hint,
        "let" => let_vars: Document, "timeoutMS" => timeout: Duration,
    });
    arguments.finish()?;
    Ok(Value::Bson(results::delete(&delete.await?)))
}
