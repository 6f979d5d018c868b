//! Operations of cursors.

use super::{Value, unsupported};
use crate::unified::{arguments::Arguments, entities::CursorEntity, failure::Attempt};

pub(super) async fn execute(cursor: &CursorEntity, name: &str, arguments: Arguments) -> Attempt<Value> {
    arguments.finish()?;
    match name {
        "iterateUntilDocumentOrError" => Ok(Value::Bson(cursor.iterate_until_document_or_error().await?)),
        "iterateOnce" => Ok(cursor.iterate_once().await?.map_or(Value::Nothing, Value::Bson)),
        "close" => {
            cursor.close().await;
            Ok(Value::Nothing)
        }
        _ => Err(unsupported("a cursor", name).into()),
    }
}
