//! Operations of cursors.

use super::{Value, unsupported};
use crate::unified::{arguments::Arguments, entities::CursorEntity, failure::Attempt};

pub(super) async fn execute(cursor: &CursorEntity, name: &str, mut arguments: Arguments) -> Attempt<Value> {
    let limit = if name == "close" { arguments.take("timeoutMS")? } else { None };
    arguments.finish()?;
    match name {
        "iterateUntilDocumentOrError" => Ok(Value::Bson(cursor.iterate_until_document_or_error().await?)),
        "iterateOnce" => Ok(cursor.iterate_once().await?.map_or(Value::Nothing, Value::Bson)),
        "close" => {
            cursor.close(limit).await;
            Ok(Value::Nothing)
        }
        _ => Err(unsupported("a cursor", name).into()),
    }
}
