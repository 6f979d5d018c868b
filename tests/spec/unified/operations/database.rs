//! Operations of databases.

use std::{sync::Arc, time::Duration};

use bson::{Bson, Document};
use mongo_actors::{
    Database,
    options::{ChangeStreamPreAndPostImages, ClusteredIndex, CursorType, ReadPreference},
};

use super::{Value, results, unsupported};
use crate::unified::{
    arguments::{Arguments, set},
    entities::CursorEntity,
    failure::{Attempt, Outcome, failure},
    run::Context,
};

pub(super) async fn execute(
    _context: &Arc<Context>,
    database: &Database,
    name: &str,
    arguments: Arguments,
) -> Attempt<Value> {
    match name {
        "runCommand" => run_command(database, arguments).await,
        "runCursorCommand" => {
            let cursor = run_cursor_command(database, arguments).await?;
            Ok(Value::Documents(results::drained(cursor).await?))
        }
        "createCommandCursor" => Ok(Value::Cursor(CursorEntity::new(run_cursor_command(database, arguments).await?))),
        "aggregate" => aggregate(database, arguments).await,
        "createCollection" => create_collection(database, arguments).await,
        "dropCollection" => drop_collection(database, arguments).await,
        "modifyCollection" => modify_collection(database, arguments).await,
        "listCollections" => list_collections(database, arguments).await,
        "listCollectionNames" => list_collection_names(database, arguments).await,
        _ => Err(unsupported("a database", name).into()),
    }
}

/// The command, with the field that `commandName` names first.
fn command(arguments: &mut Arguments) -> Outcome<Document> {
    let name: String = arguments.require("commandName")?;
    let command: Document = arguments.require("command")?;
    match command.keys().next() {
        Some(first) if *first == name => Ok(command),
        _ => Err(failure!("the command does not begin with {name}")),
    }
}

async fn run_command(database: &Database, mut arguments: Arguments) -> Attempt<Value> {
    let mut run = database.run_command(command(&mut arguments)?);
    set!(run, arguments, { "readPreference" => selection_criteria: ReadPreference, "timeoutMS" => timeout: Duration });
    arguments.finish()?;
    Ok(Value::Bson(run.await?.into()))
}

async fn run_cursor_command(database: &Database, mut arguments: Arguments) -> Attempt<mongo_actors::Cursor<Document>> {
    let mut run = database.run_cursor_command(command(&mut arguments)?);
    set!(run, arguments, {
        "readPreference" => selection_criteria: ReadPreference, "batchSize" => batch_size: u32,
        "maxTimeMS" => max_time: Duration, "comment" => comment: Bson, "cursorType" => cursor_type: CursorType,
        "timeoutMS" => timeout: Duration,
    });
    arguments.finish()?;
    Ok(run.await?)
}

async fn aggregate(database: &Database, mut arguments: Arguments) -> Attempt<Value> {
    let mut aggregate = database.aggregate(arguments.require::<Vec<Document>>("pipeline")?);
    set!(aggregate, arguments, {
        "allowDiskUse" => allow_disk_use: bool, "batchSize" => batch_size: u32, "comment" => comment: Bson,
        "let" => let_vars: Document, "maxTimeMS" => max_time: Duration, "timeoutMS" => timeout: Duration,
    });
    arguments.finish()?;
    Ok(Value::Documents(results::drained(aggregate.await?).await?))
}

async fn create_collection(database: &Database, mut arguments: Arguments) -> Attempt<Value> {
    let mut create = database.create_collection(arguments.require::<String>("collection")?);
    if let Some(seconds) = arguments.take::<u64>("expireAfterSeconds")? {
        create = create.expire_after_seconds(Duration::from_secs(seconds));
    }
    set!(create, arguments, {
        "capped" => capped: bool, "size" => size: u64, "max" => max: u64, "validator" => validator: Document,
        "viewOn" => view_on: String, "pipeline" => pipeline: Vec<Document>, "comment" => comment: Bson,
        "changeStreamPreAndPostImages" => change_stream_pre_and_post_images: ChangeStreamPreAndPostImages,
        "clusteredIndex" => clustered_index: ClusteredIndex, "timeoutMS" => timeout: Duration,
    });
    if let Some(timeseries) = arguments.take::<Bson>("timeseries")? {
        let read = bson::deserialize_from_bson(timeseries);
        create = create.timeseries(read.map_err(|error| failure!("the argument timeseries: {error}"))?);
    }
    arguments.finish()?;
    create.await?;
    Ok(Value::Nothing)
}

async fn drop_collection(database: &Database, mut arguments: Arguments) -> Attempt<Value> {
    let name: String = arguments.require("collection")?;
    let mut drop = database.drop_collection(&name);
    set!(drop, arguments, { "comment" => comment: Bson, "timeoutMS" => timeout: Duration });
    arguments.finish()?;
    drop.await?;
    Ok(Value::Nothing)
}

async fn modify_collection(database: &Database, mut arguments: Arguments) -> Attempt<Value> {
    let name: String = arguments.require("collection")?;
    let mut modify = database.modify_collection(&name);
    set!(modify, arguments, {
        "index" => index: Document, "validator" => validator: Document,
        "changeStreamPreAndPostImages" => change_stream_pre_and_post_images: ChangeStreamPreAndPostImages,
    });
    arguments.finish()?;
    Ok(Value::Bson(modify.await?.into()))
}

async fn list_collections(database: &Database, mut arguments: Arguments) -> Attempt<Value> {
    let mut list = database.list_collections();
    set!(list, arguments, {
        "filter" => filter: Document, "batchSize" => batch_size: u32, "comment" => comment: Bson,
        "timeoutMS" => timeout: Duration,
    });
    arguments.finish()?;
    Ok(Value::Documents(results::drained(list.await?.with_type()).await?))
}

async fn list_collection_names(database: &Database, mut arguments: Arguments) -> Attempt<Value> {
    let mut list = database.list_collection_names();
    set!(list, arguments, { "filter" => filter: Document, "timeoutMS" => timeout: Duration });
    arguments.finish()?;
    Ok(Value::Bson(list.await?.into()))
}
