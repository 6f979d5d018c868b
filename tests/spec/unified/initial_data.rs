//! What collections hold when a test begins.
//!
//! Making a collection costs a server ten times as much as emptying one, so collections stay between tests as long as
//! tests touch nothing but their documents.

use bson::{Document, doc};
use mongo_actors::Collection;

use super::{
    deployments::Deployment,
    failure::{Failure, Outcome, failure},
    schema::{CollectionData, Operation},
};

/// Operations that change no more of a collection than its documents. After any other the collections of the test's
/// deployment are made anew.
const HARMLESS: &[&str] = &[
    "abortTransaction",
    "aggregate",
    "assertDifferentLsidOnLastTwoCommands",
    "assertEventCount",
    "assertNumberConnectionsCheckedOut",
    "assertSameLsidOnLastTwoCommands",
    "assertSessionDirty",
    "assertSessionNotDirty",
    "assertSessionPinned",
    "assertSessionTransactionState",
    "assertSessionUnpinned",
    "bulkWrite",
    "clientBulkWrite",
    "close",
    "commitTransaction",
    "countDocuments",
    "createChangeStream",
    "createEntities",
    "createFindCursor",
    "deleteMany",
    "deleteOne",
    "distinct",
    "endSession",
    "estimatedDocumentCount",
    "failPoint",
    "find",
    "findOne",
    "findOneAndDelete",
    "findOneAndReplace",
    "findOneAndUpdate",
    "insertMany",
    "insertOne",
    "iterateOnce",
    "iterateUntilDocumentOrError",
    "listCollectionNames",
    "listCollections",
    "listDatabaseNames",
    "listDatabases",
    "listIndexNames",
    "listIndexes",
    "replaceOne",
    "startTransaction",
    "targetedFailPoint",
    "updateMany",
    "updateOne",
    "wait",
    "waitForEvent",
];

/// Makes a collection hold what the file says.
pub(super) async fn insert(deployment: &Deployment, data: &CollectionData) -> Outcome {
    let collection = collection(deployment, data);
    let name = collection.namespace().to_string();
    if data.create_options.is_none() && deployment.has_plain_collection(&name) {
        collection.delete_many(doc! {}).await.map_err(at)?;
        return insert_documents(&collection, data).await;
    }
    deployment.forget_plain_collection(&name);
    collection.drop().await.map_err(at)?;
    // The collections of encryption, which would have to go as well, cannot exist: the driver makes none.
    if data.create_options.is_some() || data.documents.is_empty() {
        let mut create = doc! { "create": &data.collection_name };
        create.extend(data.create_options.clone().unwrap_or_default().0);
        create.insert("writeConcern", doc! { "w": "majority" });
        deployment.internal().database(&data.database_name).run_command(create).await.map_err(at)?;
    }
    insert_documents(&collection, data).await?;
    if data.create_options.is_none() {
        deployment.remember_plain_collection(name);
    }
    Ok(())
}

/// Whether collections that were plain before `operations` are so afterwards.
pub(super) fn leave_collections_plain(operations: &[Operation]) -> bool {
    operations.iter().all(|operation| HARMLESS.contains(&operation.name.as_str()))
}

/// A collection as the runner itself sees it.
pub(super) fn collection(deployment: &Deployment, data: &CollectionData) -> Collection<Document> {
    deployment.internal().database(&data.database_name).collection(&data.collection_name)
}

async fn insert_documents(collection: &Collection<Document>, data: &CollectionData) -> Outcome {
    if !data.documents.is_empty() {
        collection.insert_many(data.documents.iter().map(|object| &object.0)).await.map_err(at)?;
    }
    Ok(())
}

fn at(error: mongo_actors::Error) -> Failure {
    failure!("the initial data: {error}")
}
