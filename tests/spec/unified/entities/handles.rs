//! Databases and collections.

use std::time::Duration;

use bson::{Bson, Document};
use mongo_actors::{
    Client, Collection, Database,
    options::{CollectionOptions, DatabaseOptions, ReadConcern, ReadPreference, WriteConcern},
};

use crate::unified::{
    arguments::Argument,
    failure::{Outcome, failure},
    schema::{CollectionEntity, CollectionOrDatabaseOptions, DatabaseEntity, Object},
};

pub(super) fn database(entity: &DatabaseEntity, client: &Client) -> Outcome<Database> {
    let mut options = DatabaseOptions::new();
    if let Some(given) = &entity.database_options {
        let Inherited { read_concern, read_preference, write_concern, timeout } = inherited(given)?;
        options.read_concern = read_concern;
        options.selection_criteria = read_preference.map(Into::into);
        options.write_concern = write_concern;
        options.timeout = timeout;
    }
    Ok(client.database_with_options(&entity.database_name, options))
}

pub(super) fn collection(entity: &CollectionEntity, database: &Database) -> Outcome<Collection<Document>> {
    let mut options = CollectionOptions::new();
    if let Some(given) = &entity.collection_options {
        let Inherited { read_concern, read_preference, write_concern, timeout } = inherited(given)?;
        options.read_concern = read_concern;
        options.selection_criteria = read_preference.map(Into::into);
        options.write_concern = write_concern;
        options.timeout = timeout;
    }
    Ok(database.collection_with_options(&entity.collection_name, options))
}

struct Inherited {
    read_concern: Option<ReadConcern>,
    read_preference: Option<ReadPreference>,
    write_concern: Option<WriteConcern>,
    timeout: Option<Duration>,
}

fn inherited(given: &CollectionOrDatabaseOptions) -> Outcome<Inherited> {
    Ok(Inherited {
        read_concern: read("readConcern", given.read_concern.as_ref())?,
        read_preference: read("readPreference", given.read_preference.as_ref())?,
        write_concern: read("writeConcern", given.write_concern.as_ref())?,
        timeout: given.timeout_ms.map(Duration::from_millis),
    })
}

fn read<T: Argument>(name: &str, object: Option<&Object>) -> Outcome<Option<T>> {
    let read = object.map(|object| T::read(Bson::Document(object.0.clone()))).transpose();
    read.map_err(|reason| failure!("the option {name} {reason}"))
}
