//! Operations of the runner itself.

use std::{sync::Arc, time::Duration};

use bson::{Bson, Document};
use mongo_actors::{ClientSession, options::SelectionCriteria};

use super::Held;
use crate::unified::{
    arguments::Arguments,
    entities::Entity,
    events,
    failure::{Outcome, Stop, failure},
    run::Context,
    schema::{self, Expectation, ExpectedEvent, Operation},
};

/// How long to wait for events and changes.
const LIMIT: Duration = Duration::from_secs(10);

pub(super) async fn execute(context: &Arc<Context>, operation: &Operation, held: Option<Held<'_>>) -> Outcome {
    if !matches!(operation.expectation, Expectation::Success { result: None, save_as: None }) {
        return Err(failure!("an operation of the runner has no result and no error"));
    }
    let mut arguments = Arguments::new(&operation.arguments);
    run(context, &operation.name, &mut arguments, held).await?;
    arguments.finish()
}

async fn run(context: &Arc<Context>, name: &str, arguments: &mut Arguments, held: Option<Held<'_>>) -> Outcome {
    match name {
        "failPoint" => fail_point(context, arguments).await,
        "targetedFailPoint" => targeted_fail_point(context, arguments, held).await,
        "assertSessionTransactionState" => {
            let expected: String = arguments.require("state")?;
            let actual = inspect(context, arguments, held, |session| session.transaction_state_name()).await?;
            if actual == expected { Ok(()) } else { Err(failure!("the transaction is {actual} instead of {expected}")) }
        }
        "assertSessionPinned" => pinned(context, arguments, held, true).await,
        "assertSessionUnpinned" => pinned(context, arguments, held, false).await,
        "assertSessionDirty" => dirty(context, arguments, held, true).await,
        "assertSessionNotDirty" => dirty(context, arguments, held, false).await,
        "createEntities" => {
            for entity in arguments.require::<Vec<Document>>("entities")? {
                context.create(&schema::from_argument::<schema::Entity>(entity)?).await?;
            }
            Ok(())
        }
        "assertDifferentLsidOnLastTwoCommands" => lsids(context, arguments, |one, other| one != other).await,
        "assertSameLsidOnLastTwoCommands" => lsids(context, arguments, |one, other| one == other).await,
        "assertCollectionExists" => collection_exists(context, arguments, true).await,
        "assertCollectionNotExists" => collection_exists(context, arguments, false).await,
        "assertIndexExists" => index_exists(context, arguments, true).await,
        "assertIndexNotExists" => index_exists(context, arguments, false).await,
        "assertNumberConnectionsCheckedOut" => checked_out(context, arguments).await,
        "runOnThread" => {
            let thread = context.entities.thread(&arguments.require::<String>("thread")?)?;
            let operation: Operation = schema::from_argument(arguments.require("operation")?)?;
            let context = context.clone();
            thread.run(async move { super::execute(&context, &operation, None).await.map(drop) });
            Ok(())
        }
        "waitForThread" => context.entities.thread(&arguments.require::<String>("thread")?)?.wait().await,
        "waitForEvent" => wait_for_event(context, arguments).await,
        "assertEventCount" => event_count(context, arguments).await,
        "recordTopologyDescription" => {
            let client = context.entities.client(&arguments.require::<String>("client")?)?;
            let id: String = arguments.require("id")?;
            context.entities.insert(&id, Entity::Topology(client.client.topology_description()))
        }
        "assertTopologyType" => {
            let description = context.entities.topology(&arguments.require::<String>("topologyDescription")?)?;
            let expected: String = arguments.require("topologyType")?;
            let actual = description.topology_type.name();
            if actual == expected { Ok(()) } else { Err(failure!("the topology is {actual} instead of {expected}")) }
        }
        "waitForPrimaryChange" => wait_for_primary_change(context, arguments).await,
        "wait" => {
            let time: Duration = arguments.require("ms")?;
            tokio::time::sleep(time).await;
            Ok(())
        }
        _ => Err(failure!("the operation {name} of the runner is not supported")),
    }
}

async fn fail_point(context: &Context, arguments: &mut Arguments) -> Outcome {
    let client = context.entities.client(&arguments.require::<String>("client")?)?;
    let command: Document = arguments.require("failPoint")?;
    context.fail_points.remember(&command)?;
    let admin = client.client.database("admin");
    admin.run_command(command).await.map(drop).map_err(|error| Stop::from(error).unexpected())
}

/// Looks at the session that the argument `session` names.
async fn inspect<T>(
    context: &Context,
    arguments: &mut Arguments,
    held: Option<Held<'_>>,
    look: impl FnOnce(&ClientSession) -> T,
) -> Outcome<T> {
    let id: String = arguments.require("session")?;
    match held {
        Some(held) if held.id == id => Ok(look(held.session)),
        _ => Ok(look(&*context.entities.session(&id)?.lock().await)),
    }
}

async fn pinned(context: &Context, arguments: &mut Arguments, held: Option<Held<'_>>, expected: bool) -> Outcome {
    let pinned = inspect(context, arguments, held, ClientSession::is_pinned).await?;
    if pinned == expected { Ok(()) } else { Err(failure!("that the session is pinned is {pinned}")) }
}

async fn dirty(context: &Context, arguments: &mut Arguments, held: Option<Held<'_>>, expected: bool) -> Outcome {
    let dirty = inspect(context, arguments, held, ClientSession::is_dirty).await?;
    if dirty == expected { Ok(()) } else { Err(failure!("that the session is dirty is {dirty}")) }
}

/// Routers of the test lead to the same server, so that the fail point is the same whichever is asked.
async fn targeted_fail_point(context: &Context, arguments: &mut Arguments, held: Option<Held<'_>>) -> Outcome {
    let look = |session: &ClientSession| (session.client().clone(), session.pinned_server());
    let (client, server) = inspect(context, arguments, held, look).await?;
    let server = server.ok_or_else(|| failure!("the session is not pinned to a server"))?;
    let command: Document = arguments.require("failPoint")?;
    context.fail_points.remember(&command)?;
    let admin = client.database("admin");
    let run = admin.run_command(command).selection_criteria(SelectionCriteria::Address(server));
    run.await.map(drop).map_err(|error| Stop::from(error).unexpected())
}

async fn lsids(context: &Context, arguments: &mut Arguments, holds: fn(&Bson, &Bson) -> bool) -> Outcome {
    let client = context.entities.client(&arguments.require::<String>("client")?)?;
    client.flush().await;
    let lsids = client.observer.last_two_lsids();
    let [last, before] = lsids.ok_or_else(|| failure!("fewer than two commands with a session were started"))?;
    if holds(&last, &before) { Ok(()) } else { Err(failure!("the last two sessions are {before} and {last}")) }
}

async fn collection_exists(context: &Context, arguments: &mut Arguments, expected: bool) -> Outcome {
    let (database, collection): (String, String) =
        (arguments.require("databaseName")?, arguments.require("collectionName")?);
    let names = context.deployment.internal().database(&database);
    let names = names.list_collection_names().await.map_err(|error| failure!("collections: {error}"))?;
    if names.contains(&collection) == expected {
        return Ok(());
    }
    Err(failure!("the collection {collection} {}", if expected { "does not exist" } else { "exists" }))
}

async fn index_exists(context: &Context, arguments: &mut Arguments, expected: bool) -> Outcome {
    let (database, collection): (String, String) =
        (arguments.require("databaseName")?, arguments.require("collectionName")?);
    let index: String = arguments.require("indexName")?;
    let collection = context.deployment.internal().database(&database).collection::<Document>(&collection);
    // A collection that does not exist has no indexes.
    let names = match collection.list_index_names().await {
        Err(error) if error.code() == Some(26) => Vec::new(),
        names => names.map_err(|error| failure!("indexes: {error}"))?,
    };
    if names.contains(&index) == expected {
        return Ok(());
    }
    Err(failure!("the index {index} {}", if expected { "does not exist" } else { "exists" }))
}

async fn checked_out(context: &Context, arguments: &mut Arguments) -> Outcome {
    let client = context.entities.client(&arguments.require::<String>("client")?)?;
    let expected: i64 = arguments.require("connections")?;
    client.flush().await;
    let actual = client.observer.checked_out();
    if actual == expected {
        return Ok(());
    }
    Err(failure!("{actual} connections are checked out instead of {expected}"))
}

fn event(arguments: &mut Arguments) -> Outcome<(ExpectedEvent, usize)> {
    let event = schema::from_argument(arguments.require("event")?)?;
    Ok((event, arguments.require("count")?))
}

async fn wait_for_event(context: &Context, arguments: &mut Arguments) -> Outcome {
    let client = context.entities.client(&arguments.require::<String>("client")?)?;
    let (expected, count) = event(arguments)?;
    let happened = |observer: &events::Observer| counted(context, &expected, observer) >= count;
    if client.observer.wait_until(LIMIT, happened).await {
        return Ok(());
    }
    let names: Vec<_> = client.observer.events().iter().map(events::Event::name).collect();
    Err(failure!("{expected:?} did not happen {count} times within {LIMIT:?}, but {names:?}"))
}

async fn event_count(context: &Context, arguments: &mut Arguments) -> Outcome {
    let client = context.entities.client(&arguments.require::<String>("client")?)?;
    let (expected, count) = event(arguments)?;
    client.flush().await;
    let actual = counted(context, &expected, &client.observer);
    if actual == count { Ok(()) } else { Err(failure!("{expected:?} happened {actual} times instead of {count}")) }
}

fn counted(context: &Context, expected: &ExpectedEvent, observer: &events::Observer) -> usize {
    let is_it = |event: &&events::Event| events::matches(context.matcher(), expected, event).is_ok();
    observer.events().iter().filter(is_it).count()
}

async fn wait_for_primary_change(context: &Context, arguments: &mut Arguments) -> Outcome {
    let client = context.entities.client(&arguments.require::<String>("client")?)?;
    let prior = context.entities.topology(&arguments.require::<String>("priorTopologyDescription")?)?;
    let limit = arguments.take::<Duration>("timeoutMS")?.unwrap_or(LIMIT);
    let prior = prior.primary().map(|server| server.address.clone());
    let changed = async {
        loop {
            match client.client.primary() {
                Some(primary) if Some(&primary) != prior.as_ref() => return,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let waited = tokio::time::timeout(limit, changed).await;
    waited.map_err(|_| failure!("the primary is the same after {limit:?}"))
}
