//! Bulk writes.

use std::time::Duration;

use bson::{Bson, Document};
use mongo_actors::{
    Client, Collection, Namespace,
    options::{
        Collation, DeleteManyModel, DeleteOneModel, Hint, InsertOneModel, ReplaceOneModel, UpdateManyModel,
        UpdateModifications, UpdateOneModel, WriteConcern, WriteModel,
    },
};

use super::{Session, Value, results};
use crate::unified::{
    arguments::{Arguments, in_session, set},
    failure::{Attempt, Outcome, failure},
};

pub(super) async fn collection(
    collection: &Collection<Document>,
    mut arguments: Arguments,
    session: Session<'_>,
) -> Attempt<Value> {
    let requests: Vec<Document> = arguments.require("requests")?;
    let writes: Vec<WriteModel> =
        requests.iter().map(|one| model(one).map(|(_, model)| model)).collect::<Outcome<_>>()?;
    let mut bulk = in_session!(collection.bulk_write(writes), session);
    set!(bulk, arguments, {
        "ordered" => ordered: bool, "comment" => comment: Bson, "let" => let_vars: Document,
        "bypassDocumentValidation" => bypass_document_validation: bool, "timeoutMS" => timeout: Duration,
    });
    arguments.finish()?;
    Ok(Value::Bson(results::bulk_write(&bulk.await?)))
}

pub(super) async fn client(client: &Client, mut arguments: Arguments, session: Session<'_>) -> Attempt<Value> {
    let models: Vec<Document> = arguments.require("models")?;
    let verbose = arguments.take::<bool>("verboseResults")?.unwrap_or(false);
    let writes: Vec<_> = models.iter().map(namespaced).collect::<Outcome<_>>()?;
    let mut bulk = in_session!(client.bulk_write(writes), session);
    set!(bulk, arguments, {
        "ordered" => ordered: bool, "comment" => comment: Bson, "let" => let_vars: Document,
        "bypassDocumentValidation" => bypass_document_validation: bool, "writeConcern" => write_concern: WriteConcern,
        "timeoutMS" => timeout: Duration,
    });
    arguments.finish()?;
    if verbose {
        bulk = bulk.verbose_results(true);
    }
    Ok(Value::Bson(results::client_bulk_write(&bulk.await?)?))
}

fn namespaced(request: &Document) -> Outcome<mongo_actors::options::NamespacedWrite> {
    let (namespace, model) = model(request)?;
    let namespace = namespace.ok_or_else(|| failure!("a write has no namespace"))?;
    let namespace: Namespace = namespace.parse().map_err(|error| failure!("the namespace {namespace}: {error}"))?;
    Ok(model.in_namespace(namespace))
}

/// A write, and the namespace that it names.
fn model(request: &Document) -> Outcome<(Option<String>, WriteModel)> {
    let (name, fields) = request.iter().next().ok_or_else(|| failure!("a write is empty"))?;
    let fields = fields.as_document().ok_or_else(|| failure!("the write {name} is no object"))?;
    let mut fields = Arguments::new(fields);
    let namespace = fields.take("namespace")?;
    let model = match name.as_str() {
        "insertOne" => InsertOneModel::new(fields.require::<Document>("document")?).into(),
        "replaceOne" => {
            let mut model = ReplaceOneModel::new(fields.require("filter")?, fields.require::<Document>("replacement")?);
            set!(model, fields, {
                "collation" => collation: Collation, "hint" => hint: Hint, "upsert" => upsert: bool,
                "sort" => sort: Document,
            });
            model.into()
        }
        "updateOne" => {
            let update: UpdateModifications = fields.require("update")?;
            let mut model = UpdateOneModel::new(fields.require("filter")?, update);
            set!(model, fields, {
                "arrayFilters" => array_filters: Vec<Document>, "collation" => collation: Collation,
                "hint" => hint: Hint, "upsert" => upsert: bool, "sort" => sort: Document,
            });
            model.into()
        }
        "updateMany" => {
            let update: UpdateModifications = fields.require("update")?;
            let mut model = UpdateManyModel::new(fields.require("filter")?, update);
            set!(model, fields, {
                "arrayFilters" => array_filters: Vec<Document>, "collation" => collation: Collation,
                "hint" => hint: Hint, "upsert" => upsert: bool,
            });
            model.into()
        }
        "deleteOne" => {
            let mut model = DeleteOneModel::new(fields.require("filter")?);
            set!(model, fields, { "collation" => collation: Collation, "hint" => hint: Hint });
            model.into()
        }
        "deleteMany" => {
            let mut model = DeleteManyModel::new(fields.require("filter")?);
            set!(model, fields, { "collation" => collation: Collation, "hint" => hint: Hint });
            model.into()
        }
        _ => return Err(failure!("{name} is no write")),
    };
    fields.finish()?;
    Ok((namespace, model))
}
