//! Operations of collections on their indexes.

use std::time::Duration;

use bson::{Bson, Document};
use mongo_actors::{
    Collection,
    options::{AggregateOptions, IndexModel, IndexOptions, SearchIndexModel, SearchIndexType, TimeoutMode},
};

use super::{Session, Value, results::drain, unsupported};
use crate::unified::{
    arguments::{Arguments, in_session, set},
    failure::{Attempt, Outcome, failure},
};

pub(super) async fn execute(
    collection: &Collection<Document>,
    name: &str,
    mut arguments: Arguments,
    session: Session<'_>,
) -> Attempt<Value> {
    match name {
        "createIndex" => create_index(collection, arguments, session).await,
        "dropIndex" => {
            let mut drop = in_session!(collection.drop_index(arguments.require::<String>("name")?), session);
            set!(drop, arguments, {
                "comment" => comment: Bson, "maxTimeMS" => max_time: Duration, "timeoutMS" => timeout: Duration,
            });
            arguments.finish()?;
            drop.await?;
            Ok(Value::Nothing)
        }
        "dropIndexes" => {
            let mut drop = in_session!(collection.drop_indexes(), session);
            set!(drop, arguments, {
                "comment" => comment: Bson, "maxTimeMS" => max_time: Duration, "timeoutMS" => timeout: Duration,
            });
            arguments.finish()?;
            drop.await?;
            Ok(Value::Nothing)
        }
        "listIndexes" => {
            let mut list = collection.list_indexes();
            set!(list, arguments, {
                "batchSize" => batch_size: u32, "comment" => comment: Bson, "maxTimeMS" => max_time: Duration,
                "timeoutMS" => timeout: Duration, "timeoutMode" => timeout_mode: TimeoutMode,
            });
            arguments.finish()?;
            Ok(Value::Documents(drain!(list, session)))
        }
        "listIndexNames" => {
            let mut list = in_session!(collection.list_index_names(), session);
            set!(list, arguments, {
                "batchSize" => batch_size: u32, "comment" => comment: Bson, "maxTimeMS" => max_time: Duration,
                "timeoutMS" => timeout: Duration,
            });
            arguments.finish()?;
            Ok(Value::Bson(list.await?.into()))
        }
        _ => search_index(collection, name, arguments, session).await,
    }
}

async fn create_index(
    collection: &Collection<Document>,
    mut arguments: Arguments,
    session: Session<'_>,
) -> Attempt<Value> {
    let keys: Document = arguments.require("keys")?;
    let comment: Option<Bson> = arguments.take("comment")?;
    let (max_time, timeout): (Option<Duration>, Option<Duration>) =
        (arguments.take("maxTimeMS")?, arguments.take("timeoutMS")?);
    // Whatever else there is describes the index.
    let options: IndexOptions = arguments.rest()?;
    if let Some(name) = options.extra.keys().next() {
        return Err(failure!("the option {name} of an index is not known").into());
    }
    let mut create = in_session!(collection.create_index(IndexModel::new(keys).with_options(options)), session);
    if let Some(comment) = comment {
        create = create.comment(comment);
    }
    if let Some(limit) = max_time {
        create = create.max_time(limit);
    }
    if let Some(timeout) = timeout {
        create = create.timeout(timeout);
    }
    Ok(Value::Bson(create.await?.into()))
}

async fn search_index(
    collection: &Collection<Document>,
    name: &str,
    mut arguments: Arguments,
    session: Session<'_>,
) -> Attempt<Value> {
    match name {
        "createSearchIndex" => {
            let model = search_index_model(&arguments.require::<Document>("model")?)?;
            arguments.finish()?;
            Ok(Value::Bson(in_session!(collection.create_search_index(model), session).await?.into()))
        }
        "createSearchIndexes" => {
            let models: Vec<Document> = arguments.require("models")?;
            let models: Vec<_> = models.iter().map(search_index_model).collect::<Outcome<_>>()?;
            arguments.finish()?;
            Ok(Value::Bson(in_session!(collection.create_search_indexes(models), session).await?.into()))
        }
        "dropSearchIndex" => {
            let name: String = arguments.require("name")?;
            arguments.finish()?;
            in_session!(collection.drop_search_index(name), session).await?;
            Ok(Value::Nothing)
        }
        "updateSearchIndex" => {
            let name: String = arguments.require("name")?;
            let definition: Document = arguments.require("definition")?;
            arguments.finish()?;
            in_session!(collection.update_search_index(name, definition), session).await?;
            Ok(Value::Nothing)
        }
        "listSearchIndexes" => {
            let mut list = collection.list_search_indexes();
            set!(list, arguments, { "name" => name: String });
            if let Some(options) = arguments.take::<Document>("aggregationOptions")? {
                list = list.with_options(aggregate_options(&options)?);
            }
            arguments.finish()?;
            Ok(Value::Documents(drain!(list, session)))
        }
        _ => Err(unsupported("a collection", name).into()),
    }
}

fn search_index_model(model: &Document) -> Outcome<SearchIndexModel> {
    let mut fields = Arguments::new(model);
    let index_type = |name: String| match name.as_str() {
        "search" => SearchIndexType::Search,
        "vectorSearch" => SearchIndexType::VectorSearch,
        _ => SearchIndexType::Other(name),
    };
    let model = SearchIndexModel {
        definition: fields.require("definition")?,
        name: fields.take("name")?,
        index_type: fields.take("type")?.map(index_type),
        ..SearchIndexModel::default()
    };
    fields.finish()?;
    Ok(model)
}

fn aggregate_options(options: &Document) -> Outcome<AggregateOptions> {
    let mut fields = Arguments::new(options);
    let options = AggregateOptions { batch_size: fields.take("batchSize")?, ..AggregateOptions::default() };
    fields.finish()?;
    Ok(options)
}
