//! Opening change streams.

use std::time::Duration;

use bson::{Bson, Document, Timestamp};
use mongo_actors::{
    action::Watch,
    change_stream::ResumeToken,
    options::{Collation, FullDocumentBeforeChangeType, FullDocumentType},
};

use super::{Session, Value};
use crate::unified::{
    arguments::{Arguments, set},
    entities::CursorEntity,
    failure::{Attempt, failure},
};

pub(super) async fn create(watch: Watch<'_>, mut arguments: Arguments, session: Session<'_>) -> Attempt<Value> {
    if session.is_some() {
        return Err(failure!("createChangeStream has no session").into());
    }
    let mut watch = watch.pipeline(arguments.require::<Vec<Document>>("pipeline")?);
    set!(watch, arguments, {
        "batchSize" => batch_size: u32, "collation" => collation: Collation, "comment" => comment: Bson,
        "fullDocument" => full_document: FullDocumentType,
        "fullDocumentBeforeChange" => full_document_before_change: FullDocumentBeforeChangeType,
        "maxAwaitTimeMS" => max_await_time: Duration, "resumeAfter" => resume_after: ResumeToken,
        "showExpandedEvents" => show_expanded_events: bool, "startAfter" => start_after: ResumeToken,
        "startAtOperationTime" => start_at_operation_time: Timestamp, "timeoutMS" => timeout: Duration,
    });
    arguments.finish()?;
    Ok(Value::Cursor(CursorEntity::of_changes(watch.await?.with_type())))
}
