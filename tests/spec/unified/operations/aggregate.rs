//! Aggregations of collections and databases.

use std::time::Duration;

use bson::{Bson, Document};
use mongo_actors::{
    action::Aggregate,
    options::{Collation, Hint, TimeoutMode, WriteConcern},
};

use super::{Session, Value, results::drain};
use crate::unified::{
    arguments::{Arguments, set},
    failure::{Attempt, Outcome},
};

/// The stages that the file gives.
pub(super) fn pipeline(arguments: &mut Arguments) -> Outcome<Vec<Document>> {
    arguments.require("pipeline")
}

pub(super) async fn execute(
    mut aggregate: Aggregate<'_>,
    mut arguments: Arguments,
    session: Session<'_>,
) -> Attempt<Value> {
    set!(aggregate, arguments, {
        "allowDiskUse" => allow_disk_use: bool, "batchSize" => batch_size: u32,
        "bypassDocumentValidation" => bypass_document_validation: bool, "collation" => collation: Collation,
        "comment" => comment: Bson, "hint" => hint: Hint, "let" => let_vars: Document,
        "maxAwaitTimeMS" => max_await_time: Duration, "maxTimeMS" => max_time: Duration,
        "timeoutMS" => timeout: Duration, "timeoutMode" => timeout_mode: TimeoutMode,
        "writeConcern" => write_concern: WriteConcern,
    });
    arguments.finish()?;
    Ok(Value::Documents(drain!(aggregate, session)))
}
