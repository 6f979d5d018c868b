//! Opening change streams.

use std::{sync::Arc, time::Duration};

use bson::{Bson, Document, Timestamp};
use mongo_actors::{
    action::Watch,
    change_stream::ResumeToken,
    options::{Collation, FullDocumentBeforeChangeType, FullDocumentType},
};

use super::{Session, Value};
use crate::unified::{
    arguments::{Arguments, set},
    entities::{CursorEntity, SessionEntity},
    failure::Attempt,
};

pub(super) async fn create(
    watch: Watch<'_>,
    mut arguments: Arguments,
    session: Session<'_>,
    owner: Option<&Arc<SessionEntity>>,
) -> Attempt<Value> {
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
    Ok(Value::Cursor(match (session, owner) {
        (Some(session), Some(owner)) => {
            CursorEntity::of_session_changes(watch.session(session).await?.with_type(), owner)
        }
        _ => CursorEntity::of_changes(watch.await?.with_type()),
    }))
}
