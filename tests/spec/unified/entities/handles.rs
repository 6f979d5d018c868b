//! Databases and collections.

use std::time::Duration;

use bson::{Bson, Document};
use mongo_actors::{
    Client, Collection, Database,
    gridfs::{GridFsBucket, GridFsBucketOptions},
    options::{CollectionOptions, DatabaseOptions, ReadConcern, ReadPreference, WriteConcern},
};

use crate::unified::{
    arguments::{Argument, Arguments, set},
    failure::{Outcome, failure},
    schema::{BucketEntity, CollectionEntity, CollectionOrDatabaseOptions, DatabaseEntity, Object},
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

pub(super) fn bucket(entity: &BucketEntity, database: &Database) -> Outcome<GridFsBucket> {
    let given = entity.bucket_options.as_ref().map(|object| object.0.clone()).unwrap_or_default();
    let mut given = Arguments::new(&given);
    let mut options = GridFsBucketOptions::new();
    set!(options, given, {
        "bucketName" => bucket_name: String, "chunkSizeBytes" => chunk_size_bytes: u32,
        "readConcern" => read_concern: ReadConcern, "readPreference" => selection_criteria: ReadPreference,
        "timeoutMS" => timeout: Duration, "writeConcern" => write_concern: WriteConcern,
    });
    // No digest is ever computed.
    given.take::<bool>("disableMD5")?;
    given.finish()?;
    Ok(database.gridfs_bucket(options))
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
