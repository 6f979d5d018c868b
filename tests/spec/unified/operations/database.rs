//! Operations of databases.

use std::{sync::Arc, time::Duration};

use bson::{Bson, Document};
use mongo_actors::{
    Database,
    action::RunCursorCommand,
    options::{ChangeStreamPreAndPostImages, ClusteredIndex, Collation, CursorType, ReadPreference, TimeoutMode},
};

use super::{
    Session, Value, aggregate, change_stream,
    results::{drain, keep},
    unsupported,
};
use crate::unified::{
    arguments::{Arguments, in_session, set},
    entities::SessionEntity,
    failure::{Attempt, Outcome, failure},
};

pub(super) async fn execute(
    database: &Database,
    name: &str,
    mut arguments: Arguments,
    session: Session<'_>,
    owner: Option<&Arc<SessionEntity>>,
) -> Attempt<Value> {
    match name {
        "runCommand" => run_command(database, arguments, session).await,
        "runCursorCommand" => {
            let run = run_cursor_command(database, &mut arguments)?;
            arguments.finish()?;
            Ok(Value::Documents(drain!(run, session)))
        }
        "createCommandCursor" => {
            let run = run_cursor_command(database, &mut arguments)?;
            arguments.finish()?;
            Ok(Value::Cursor(keep!(run, session, owner)))
        }
        "createChangeStream" => change_stream::create(database.watch(), arguments, session, owner).await,
        "aggregate" => {
            let aggregate = database.aggregate(aggregate::pipeline(&mut arguments)?);
            aggregate::execute(aggregate, arguments, session).await
        }
        "createCollection" => create_collection(database, arguments, session).await,
        "dropCollection" => drop_collection(database, arguments, session).await,
        "modifyCollection" => modify_collection(database, arguments, session).await,
        "listCollections" => list_collections(database, arguments, session).await,
        // Handles of collections are made by name.
        "listCollectionNames" | "listCollectionObjects" => list_collection_names(database, arguments, session).await,
        _ => Err(unsupported("a database", name).into()),
    }
}

/// The command, with the field that `commandName` names first. Some files leave the name out.
fn command(arguments: &mut Arguments) -> Outcome<Document> {
    let name: Option<String> = arguments.take("commandName")?;
    let command: Document = arguments.require("command")?;
    match (name, command.keys().next()) {
        (None, Some(_)) => Ok(command),
        (Some(name), Some(first)) if *first == name => Ok(command),
        (name, first) => Err(failure!("the command begins with {first:?} instead of {name:?}")),
    }
}

async fn run_command(database: &Database, mut arguments: Arguments, session: Session<'_>) -> Attempt<Value> {
    let mut run = in_session!(database.run_command(command(&mut arguments)?), session);
    set!(run, arguments, { "readPreference" => selection_criteria: ReadPreference, "timeoutMS" => timeout: Duration });
    arguments.finish()?;
    Ok(Value::Bson(run.await?.into()))
}

fn run_cursor_command<'a>(database: &'a Database, arguments: &mut Arguments) -> Outcome<RunCursorCommand<'a>> {
    let mut run = database.run_cursor_command(command(arguments)?);
    set!(run, arguments, {
        "readPreference" => selection_criteria: ReadPreference, "batchSize" => batch_size: u32,
        "maxTimeMS" => max_time: Duration, "comment" => comment: Bson, "cursorType" => cursor_type: CursorType,
        "timeoutMS" => timeout: Duration, "timeoutMode" => timeout_mode: TimeoutMode,
    });
    Ok(run)
}

async fn create_collection(database: &Database, mut arguments: Arguments, session: Session<'_>) -> Attempt<Value> {
    let name: String = arguments.require("collection")?;
    let mut create = in_session!(database.create_collection(&name), session);
    if let Some(seconds) = arguments.take::<u64>("expireAfterSeconds")? {
        create = create.expire_after_seconds(Duration::from_secs(seconds));
    }
    set!(create, arguments, {
        "capped" => capped: bool, "size" => size: u64, "max" => max: u64, "validator" => validator: Document,
        "collation" => collation: Collation, "storageEngine" => storage_engine: Document, "viewOn" => view_on: String, "pipeline" => pipeline: Vec<Document>, "comment" => comment: Bson,
        "changeStreamPreAndPostImages" => change_stream_pre_and_post_images: ChangeStreamPreAndPostImages,
        "clusteredIndex" => clustered_index: ClusteredIndex, "timeoutMS" => timeout: Duration,
    });
    if let Some(timeseries) = arguments.take::<Bson>("timeseries")? {
        let read = bson::deserialize_from_bson(timeseries);
        create = create.timeseries(read.map_err(|error| failure!("the argument timeseries: {error}"))?);
    }
    arguments.finish()?;
    create.await?;
    Ok(Value::Collection(database.collection(&name)))
}

async fn drop_collection(database: &Database, mut arguments: Arguments, session: Session<'_>) -> Attempt<Value> {
    let name: String = arguments.require("collection")?;
    let mut drop = in_session!(database.drop_collection(&name), session);
    set!(drop, arguments, { "comment" => comment: Bson, "timeoutMS" => timeout: Duration });
    arguments.finish()?;
    drop.await?;
    Ok(Value::Nothing)
}

async fn modify_collection(database: &Database, mut arguments: Arguments, session: Session<'_>) -> Attempt<Value> {
    let name: String = arguments.require("collection")?;
    let mut modify = in_session!(database.modify_collection(&name), session);
    set!(modify, arguments, {
        "index" => index: Document, "validator" => validator: Document,
        "changeStreamPreAndPostImages" => change_stream_pre_and_post_images: ChangeStreamPreAndPostImages,
    });
    arguments.finish()?;
    Ok(Value::Bson(modify.await?.into()))
}

async fn list_collections(database: &Database, mut arguments: Arguments, session: Session<'_>) -> Attempt<Value> {
    let mut list = database.list_collections();
    set!(list, arguments, {
        "filter" => filter: Document, "batchSize" => batch_size: u32, "comment" => comment: Bson,
        "timeoutMS" => timeout: Duration, "timeoutMode" => timeout_mode: TimeoutMode,
    });
    arguments.finish()?;
    Ok(Value::Documents(drain!(list, session)))
}

async fn list_collection_names(database: &Database, mut arguments: Arguments, session: Session<'_>) -> Attempt<Value> {
    let mut list = in_session!(database.list_collection_names(), session);
    set!(list, arguments, {
        "authorizedCollections" => authorized_collections: bool, "batchSize" => batch_size: u32,
        "comment" => comment: Bson, "filter" => filter: Document, "timeoutMS" => timeout: Duration,
    });
    arguments.finish()?;
    Ok(Value::Bson(list.await?.into()))
}
