//! Doing what a test says.

mod client;
mod collection;
mod cursor;
mod database;
mod find_and_modify;
mod index;
mod results;
mod runner;
mod writes;

pub(super) use results::partial_result;

use std::sync::Arc;

use bson::{Bson, Document};
use futures_util::future::BoxFuture;

use super::{
    arguments::Arguments,
    entities::{CursorEntity, Entity},
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
    /// A cursor.
    Cursor(CursorEntity),
}

/// Executes `operation` and compares what comes of it with what is expected. An error of the driver is handed on, for
/// whoever must see it although it was expected.
pub(super) fn execute<'a>(context: &'a Arc<Context>, operation: &'a Operation) -> BoxFuture<'a, Outcome<Option<Stop>>> {
    Box::pin(async move {
        let place = |failure: Failure| failure.at(format_args!("{} on {}", operation.name, operation.object));
        if operation.object == "testRunner" {
            return runner::execute(context, operation).await.map(|()| None).map_err(place);
        }
        let attempt = attempt(context, operation).await;
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
        Value::Cursor(_) => Err(failure!("a cursor cannot be compared with {expected}")),
    }
}

fn save(context: &Context, name: &str, value: Value) -> Outcome {
    let entity = match value {
        Value::Nothing => return Err(failure!("there is no result to save as {name}")),
        Value::Bson(value) => Entity::Bson(value),
        Value::Documents(documents) => Entity::Bson(documents.into()),
        Value::Cursor(cursor) => Entity::Cursor(Arc::new(cursor)),
    };
    context.entities.insert(name, entity)
}

async fn attempt(context: &Arc<Context>, operation: &Operation) -> Attempt<Value> {
    let arguments = Arguments::new(&operation.arguments);
    let name = operation.name.as_str();
    match context.entities.get(&operation.object)? {
        Entity::Client(client) => client::execute(context, &client, name, arguments).await,
        Entity::Database(database) => database::execute(context, &database, name, arguments).await,
        Entity::Collection(collection) => collection::execute(context, &collection, name, arguments).await,
        Entity::Cursor(cursor) => cursor::execute(&cursor, name, arguments).await,
        Entity::Thread(_) | Entity::Topology(_) | Entity::Bson(_) => Err(unsupported(&operation.object, name).into()),
    }
}

/// The failure of an operation that the runner does not know.
fn unsupported(object: &str, name: &str) -> Failure {
    failure!("the operation {name} is not supported on {object}")
}
