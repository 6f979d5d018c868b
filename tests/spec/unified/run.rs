//! Executing one test.

use std::sync::Arc;

use bson::{Bson, doc};
use mongo_actors::{concern::ReadConcern, options::CollectionOptions};

use super::{
    deployments::Deployment,
    entities::{Entity, EntityMap},
    events,
    fail_points::FailPoints,
    failure::{Outcome, failure},
    initial_data, logs,
    matching::{Matcher, equal},
    operations,
    schema::{self, CollectionData, Operation, Test, TestFile},
};

/// What the operations of a test share.
pub(super) struct Context {
    pub(super) deployment: Deployment,
    pub(super) entities: EntityMap,
    pub(super) fail_points: FailPoints,
    /// Whether the test lets servers fail.
    faulty: bool,
}

impl Context {
    pub(super) fn matcher(&self) -> Matcher<'_> {
        Matcher::new(&self.entities)
    }

    /// Makes an entity that the file describes.
    pub(super) async fn create(&self, entity: &schema::Entity) -> Outcome {
        self.entities.create(entity, &self.deployment, self.faulty).await
    }
}

/// Runs `test` on `deployment`, and leaves the servers as they were.
pub(super) async fn run(file: &TestFile, test: &Test, deployment: Deployment) -> Outcome {
    let faulty = mentions(&test.operations, &["failPoint", "targetedFailPoint"]);
    let context = Context { deployment, entities: EntityMap::default(), fail_points: FailPoints::default(), faulty };
    let context = Arc::new(context);
    let outcome = execute(&context, file, test).await;
    let cleaned = clean_up(&context, test, outcome.is_err()).await;
    outcome.and(cleaned)
}

async fn execute(context: &Arc<Context>, file: &TestFile, test: &Test) -> Outcome {
    for data in file.initial_data.as_deref().unwrap_or_default() {
        initial_data::insert(&context.deployment, data).await?;
    }
    for entity in file.create_entities.as_deref().unwrap_or_default() {
        context.create(entity).await?;
    }
    for (index, operation) in test.operations.iter().enumerate() {
        let executed = operations::execute(context, operation, None).await;
        executed.map_err(|failure| failure.at(format_args!("operation {index}")))?;
    }
    for entity in context.entities.all() {
        if let Entity::Client(client) = entity {
            client.flush().await;
        }
    }
    context.fail_points.disable_all(&context.deployment).await?;
    for expected in test.expect_events.as_deref().unwrap_or_default() {
        let client = context.entities.client(&expected.client)?;
        events::awaited(&expected.events, &client.observer).await;
        let observed = client.observer.events();
        let verified = events::verify(context.matcher(), &expected.events, expected.ignore_extra_events, &observed);
        verified.map_err(|failure| failure.at(format_args!("events of {}", expected.client)))?;
    }
    for expected in test.expect_log_messages.as_deref().unwrap_or_default() {
        let log = context.entities.client(&expected.client)?.log.clone();
        let log = log.ok_or_else(|| failure!("the log of {} is not observed", expected.client))?;
        let verified = logs::verify(context.matcher(), expected, &log.messages());
        verified.map_err(|failure| failure.at(format_args!("log of {}", expected.client)))?;
    }
    if test.expect_tracing_messages.is_some() {
        return Err(failure!("OpenTelemetry is a later part of the driver"));
    }
    for data in test.outcome.as_deref().unwrap_or_default() {
        verify_outcome(context, data).await?;
    }
    Ok(())
}

async fn clean_up(context: &Context, test: &Test, has_failed: bool) -> Outcome {
    context.fail_points.disable_all(&context.deployment).await?;
    for entity in context.entities.all() {
        if let Entity::Cursor(cursor) = entity {
            cursor.close(None).await;
        }
    }
    for entity in context.entities.all() {
        if let Entity::Session(session) = entity {
            session.lock().await.end().await;
        }
    }
    for entity in context.entities.all() {
        if let Entity::Client(client) = entity {
            client.client.close().await;
        }
    }
    context.entities.clear();
    if has_failed || !initial_data::leave_collections_plain(&test.operations) {
        context.deployment.forget_plain_collections();
    }
    if has_failed || mentions(&test.operations, &["startTransaction", "withTransaction"]) {
        context.deployment.kill_all_sessions().await?;
    }
    if mentions(&test.operations, &["waitForPrimaryChange"]) {
        context.deployment.heal().await?;
    }
    Ok(())
}

fn mentions(operations: &[Operation], names: &[&str]) -> bool {
    operations.iter().any(|operation| names.contains(&operation.name.as_str()))
}

/// Sees that a collection holds exactly what the file says.
async fn verify_outcome(context: &Context, data: &CollectionData) -> Outcome {
    let collection = initial_data::collection(&context.deployment, data)
        .with_options(CollectionOptions::new().read_concern(ReadConcern::local()));
    let at = |error: mongo_actors::Error| failure!("the outcome: {error}");
    let mut found = collection.find(doc! {}).sort(doc! { "_id": 1 }).await.map_err(at)?;
    let found = Bson::from(found.to_vec().await.map_err(at)?);
    let expected = Bson::from(data.documents.iter().map(|object| object.0.clone()).collect::<Vec<_>>());
    if equal(&expected, &found) { Ok(()) } else { Err(failure!("the collection holds {found} instead of {expected}")) }
}
