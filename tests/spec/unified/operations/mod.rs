//! Doing what a test says.

mod aggregate;
mod bucket;
mod bulk;
mod change_stream;
mod client;
mod collection;
mod cursor;
mod database;
mod find_and_modify;
mod index;
mod results;
mod runner;
mod session;
mod writes;

use std::sync::Arc;

use bson::{Bson, Document};
use futures_util::future::LocalBoxFuture;
use mongo_actors::{ClientSession, Collection};

pub(super) use self::{results::partial_result, session::transaction_options};

use super::{
    arguments::Arguments,
    entities::{CursorEntity, Entity, SessionEntity},
    errors,
    failure::{Attempt, Failure, Outcome, Stop, failure},
    matching::Level,
    run::Context,
    schema::{Expectation, Operation},
};

/// What an operation gives.
pub(super) enum Value {
    /// Nothing at all.
    Nothing,
    /// A value; a document is a root-level one.
    Bson(Bson),
    /// What an iterable gave; each is a root-level document.
    Documents(Vec<Document>),
    /// A collection that was created.
    Collection(Collection<Document>),
    /// A cursor.
    Cursor(CursorEntity),
}

/// The session that an operation runs in, if the file names one.
type Session<'s> = Option<&'s mut ClientSession>;

/// A session that is in use already: the callback of a transaction has it.
pub(super) struct Held<'s> {
    id: &'s str,
    session: &'s mut ClientSession,
}

/// Executes `operation` and compares what comes of it with what is expected. An error of the driver is handed on, for
/// whoever must see it although it was expected.
pub(super) fn execute<'a>(
    context: &'a Arc<Context>,
    operation: &'a Operation,
    held: Option<Held<'a>>,
) -> LocalBoxFuture<'a, Outcome<Option<Stop>>> {
    Box::pin(async move {
        let place = |failure: Failure| failure.at(format_args!("{} on {}", operation.name, operation.object));
        if operation.object == "testRunner" {
            return runner::execute(context, operation, held).await.map(|()| None).map_err(place);
        }
        let attempt = attempt(context, operation, held).await;
        judge(context, operation, attempt).map_err(place)
    })
}

fn judge(context: &Context, operation: &Operation, attempt: Attempt<Value>) -> Outcome<Option<Stop>> {
    match (&operation.expectation, attempt) {
        (_, Err(Stop::Failure(failure))) => Err(failure),
        (Expectation::Ignored, Ok(_)) => Ok(None),
        (Expectation::Ignored, Err(error)) => Ok(Some(error)),
        (Expectation::Error(expected), Ok(_)) => Err(failure!("it succeeded instead of failing with {expected:?}")),
        (Expectation::Error(expected), Err(Stop::Driver(error))) => {
            errors::verify(context.matcher(), expected, &error)?;
            Ok(Some(Stop::Driver(error)))
        }
        (Expectation::Success { .. }, Err(error)) => Err(error.unexpected()),
        (Expectation::Success { result, save_as }, Ok(value)) => {
            if let Some(expected) = result {
                verify(context, expected, &value)?;
            }
            if let Some(name) = save_as {
                save(context, name, value)?;
            }
            Ok(None)
        }
    }
}

fn verify(context: &Context, expected: &Bson, value: &Value) -> Outcome {
    let matcher = context.matcher();
    match value {
        Value::Nothing => matcher.matches(expected, None, Level::Root),
        Value::Bson(value) => matcher.matches(expected, Some(value), Level::Root),
        Value::Documents(documents) => {
            let array = documents.iter().cloned().map(Bson::Document).collect();
            matcher.matches(expected, Some(&Bson::Array(array)), Level::RootElements)
        }
        Value::Collection(_) => Err(failure!("a collection cannot be compared with {expected}")),
        Value::Cursor(_) => Err(failure!("a cursor cannot be compared with {expected}")),
    }
}

fn save(context: &Context, name: &str, value: Value) -> Outcome {
    let entity = match value {
        Value::Nothing => return Err(failure!("there is no result to save as {name}")),
        Value::Bson(value) => Entity::Bson(value),
        Value::Documents(documents) => Entity::Bson(documents.into()),
        Value::Collection(collection) => Entity::Collection(collection),
        Value::Cursor(cursor) => Entity::Cursor(Arc::new(cursor)),
    };
    context.entities.insert(name, entity)
}

async fn attempt(context: &Arc<Context>, operation: &Operation, held: Option<Held<'_>>) -> Attempt<Value> {
    let mut arguments = Arguments::new(&operation.arguments);
    let id = arguments.take::<String>("session")?;
    let id = id.as_deref();
    let name = operation.name.as_str();
    let entity = context.entities.get(&operation.object)?;
    if let Entity::Session(session) = &entity {
        let id = operation.object.as_str();
        return match held {
            Some(held) if held.id == id => session::execute(context, held.session, id, name, arguments).await,
            _ => session::execute(context, &mut *session.lock().await, id, name, arguments).await,
        };
    }
    let owner = id.map(|id| context.entities.session(id)).transpose()?;
    match (held, &owner) {
        (Some(held), Some(owner)) if Some(held.id) == id => {
            on_entity(entity, name, arguments, Some(held.session), Some(owner)).await
        }
        (_, Some(owner)) => {
            let mut session = owner.lock().await;
            on_entity(entity, name, arguments, Some(&mut *session), Some(owner)).await
        }
        (_, None) => on_entity(entity, name, arguments, None, None).await,
    }
}

async fn on_entity(
    entity: Entity,
    name: &str,
    arguments: Arguments,
    session: Session<'_>,
    owner: Option<&Arc<SessionEntity>>,
) -> Attempt<Value> {
    match entity {
        Entity::Client(client) => client::execute(&client, name, arguments, session, owner).await,
        Entity::Database(database) => database::execute(&database, name, arguments, session, owner).await,
        Entity::Collection(collection) => collection::execute(&collection, name, arguments, session, owner).await,
        Entity::Bucket(bucket) => bucket::execute(&bucket, name, arguments, session).await,
        // A cursor has its session.
        Entity::Cursor(_) if session.is_some() => Err(without_session(name).into()),
        Entity::Cursor(cursor) => cursor::execute(&cursor, name, arguments).await,
        other => Err(unsupported(other.kind(), name).into()),
    }
}

/// The failure of an operation that runs in no session, and is given one.
fn without_session(name: &str) -> Failure {
    failure!("the operation {name} has no session")
}

/// The failure of an operation that the runner does not know.
fn unsupported(object: &str, name: &str) -> Failure {
    failure!("the operation {name} is not supported on {object}")
}
