//! Operations of collections that find a document and change it.

use std::time::Duration;

use bson::{Bson, Document};
use mongo_actors::{
    Collection,
    options::{Collation, Hint, ReturnDocument, UpdateModifications},
};

use super::{Session, Value, unsupported};
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
    let filter: Document = arguments.require("filter")?;
    match name {
        "findOneAndDelete" => {
            let mut action = in_session!(collection.find_one_and_delete(filter), session);
            set!(action, arguments, {
                "collation" => collation: Collation, "comment" => comment: Bson, "hint" => hint: Hint,
                "let" => let_vars: Document, "maxTimeMS" => max_time: Duration, "projection" => projection: Document,
                "sort" => sort: Document, "timeoutMS" => timeout: Duration,
            });
            arguments.finish()?;
            Ok(Value::Bson(action.await?.into()))
        }
        "findOneAndReplace" => {
            let replacement: Document = arguments.require("replacement")?;
            let mut action = in_session!(collection.find_one_and_replace(filter, replacement), session);
            set!(action, arguments, {
                "bypassDocumentValidation" => bypass_document_validation: bool, "collation" => collation: Collation,
                "comment" => comment: Bson, "hint" => hint: Hint, "let" => let_vars: Document,
                "maxTimeMS" => max_time: Duration, "projection" => projection: Document,
                "returnDocument" => return_document: ReturnDocument, "sort" => sort: Document,
                "upsert" => upsert: bool, "timeoutMS" => timeout: Duration,
            });
            arguments.finish()?;
            Ok(Value::Bson(action.await?.into()))
        }
        "findOneAndUpdate" => {
            let update: UpdateModifications = arguments.require("update")?;
            let mut action = in_session!(collection.find_one_and_update(filter, update), session);
            set!(action, arguments, {
                "arrayFilters" => array_filters: Vec<Document>,
                "bypassDocumentValidation" => bypass_document_validation: bool, "collation" => collation: Collation,
                "comment" => comment: Bson, "hint" => hint: Hint, "let" => let_vars: Document,
                "maxTimeMS" => max_time: Duration, "projection" => projection: Document, "returnDocument" => return_document: ReturnDocument,
                "sort" => sort: Document, "upsert" => upsert: bool, "timeoutMS" => timeout: Duration,
            });
            arguments.finish()?;
            Ok(Value::Bson(action.await?.into()))
        }
        _ => Err(unsupported("a collection", name).into()),
    }
}
