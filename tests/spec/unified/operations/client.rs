//! Operations of clients.

use std::{sync::Arc, time::Duration};

use bson::{Bson, Document};
use mongo_actors::options::DriverInfo;

use super::{Value, results, unsupported};
use crate::unified::{
    arguments::{Arguments, set},
    entities::ClientEntity,
    failure::Attempt,
    run::Context,
};

pub(super) async fn execute(
    _context: &Arc<Context>,
    entity: &ClientEntity,
    name: &str,
    mut arguments: Arguments,
) -> Attempt<Value> {
    let client = &entity.client;
    match name {
        "listDatabases" => {
            let mut list = client.list_databases();
            set!(list, arguments, {
                "filter" => filter: Document, "timeoutMS" => timeout: Duration, "comment" => comment: Bson,
            });
            arguments.finish()?;
            Ok(Value::Documents(results::documents(&list.await?)?))
        }
        "listDatabaseNames" => {
            let mut list = client.list_database_names();
            set!(list, arguments, { "filter" => filter: Document, "timeoutMS" => timeout: Duration });
            arguments.finish()?;
            Ok(Value::Bson(list.await?.into()))
        }
        "dropDatabase" => {
            let database: String = arguments.require("database")?;
            arguments.finish()?;
            client.drop_database(&database).await?;
            Ok(Value::Nothing)
        }
        "appendMetadata" => {
            let mut options = Arguments::new(&arguments.require::<Document>("driverInfoOptions")?);
            arguments.finish()?;
            let mut info = DriverInfo::new(options.require::<String>("name")?);
            set!(info, options, { "version" => with_version: String, "platform" => with_platform: String });
            options.finish()?;
            client.append_metadata(info)?;
            Ok(Value::Nothing)
        }
        "close" => {
            arguments.finish()?;
            client.close().await;
            Ok(Value::Nothing)
        }
        _ => Err(unsupported("a client", name).into()),
    }
}
