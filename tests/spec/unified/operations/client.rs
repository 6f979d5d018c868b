//! Operations of clients.

use std::{sync::Arc, time::Duration};

use bson::{Bson, Document};
use mongo_actors::options::DriverInfo;

use super::{Session, Value, bulk, change_stream, results, unsupported, without_session};
use crate::unified::{
    arguments::{Arguments, in_session, set},
    entities::{ClientEntity, SessionEntity},
    failure::Attempt,
};

pub(super) async fn execute(
    entity: &ClientEntity,
    name: &str,
    mut arguments: Arguments,
    session: Session<'_>,
    owner: Option<&Arc<SessionEntity>>,
) -> Attempt<Value> {
    let client = &entity.client;
    match name {
        "listDatabases" => {
            let mut list = in_session!(client.list_databases(), session);
            set!(list, arguments, {
                "authorizedDatabases" => authorized_databases: bool, "comment" => comment: Bson,
                "filter" => filter: Document, "timeoutMS" => timeout: Duration,
            });
            arguments.finish()?;
            Ok(Value::Documents(results::documents(&list.await?)?))
        }
        // Handles of databases are made by name.
        "listDatabaseNames" | "listDatabaseObjects" => {
            let mut list = in_session!(client.list_database_names(), session);
            set!(list, arguments, {
                "authorizedDatabases" => authorized_databases: bool, "comment" => comment: Bson,
                "filter" => filter: Document, "timeoutMS" => timeout: Duration,
            });
            arguments.finish()?;
            Ok(Value::Bson(list.await?.into()))
        }
        "dropDatabase" => {
            let database: String = arguments.require("database")?;
            let mut drop = in_session!(client.drop_database(&database), session);
            set!(drop, arguments, { "comment" => comment: Bson, "timeoutMS" => timeout: Duration });
            arguments.finish()?;
            drop.await?;
            Ok(Value::Nothing)
        }
        "createChangeStream" => change_stream::create(client.watch(), arguments, session, owner).await,
        "clientBulkWrite" => bulk::client(client, arguments, session).await,
        "appendMetadata" | "close" if session.is_some() => Err(without_session(name).into()),
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
