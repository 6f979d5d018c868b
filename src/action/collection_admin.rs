//! One collection as a whole: its options, its name, its end.

use std::{sync::Arc, time::Duration};

use bson::{Bson, Document, doc};
use mongo_actors_protocol::command::{
    DropCollection as DropCollectionCommand, DropCollectionOptions, ListCollections, ListCollectionsOptions, Namespace,
    RenameCollection as RenameCollectionCommand, RenameCollectionOptions,
    ValidateCollection as ValidateCollectionCommand, ValidateCollectionOptions,
};
use mongo_actors_protocol::{options::CodecOptions, retry::Outcome};

use super::{
    ActionFuture, awaitable, confirmed,
    setters::{fluent, setter},
};
use crate::{
    ClientSession,
    collection::{Collection, CollectionHandle},
    cursor::{Core, Cursor, Terms},
    database::Database,
    decode::decode,
    error::{Error, ErrorKind},
    executor::require,
};

impl<T> Collection<T> {
    /// Drops the collection with its documents and indexes. One that does not exist is dropped already, which is fine.
    ///
    /// # Errors
    /// [`WriteConcern`](crate::error::ErrorKind::WriteConcern), and those of reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// The collection may or may not be dropped when the future is dropped; see [`action`](crate::action).
    pub fn drop(&self) -> DropCollection<'_> {
        DropCollection {
            collection: self.handle().clone(),
            client: self.client(),
            options: Default::default(),
            timeout: None,
            session: None,
        }
    }

    /// Gives the collection another name, in the same database. Awaiting it gives a handle of it under its new name.
    ///
    /// ```no_run
    /// # async fn example(people: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// let persons = people.rename("persons").drop_target(true).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidName`](crate::error::ErrorKind::InvalidName),
    /// [`WriteConcern`](crate::error::ErrorKind::WriteConcern), and those of reaching a server and of its refusal, such
    /// as that the new name is taken.
    ///
    /// # Cancel safety
    /// The collection may or may not be renamed when the future is dropped; see [`action`](crate::action).
    pub fn rename(&self, name: impl Into<String>) -> RenameCollection<'_, T> {
        RenameCollection {
            collection: self,
            name: name.into(),
            options: Default::default(),
            timeout: None,
            session: None,
        }
    }

    /// The options that the collection was created with; empty when it does not exist.
    ///
    /// # Errors
    /// Those of reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn options(&self) -> CollectionCreationOptions<'_> {
        CollectionCreationOptions { collection: self.handle(), comment: None, timeout: None, session: None }
    }

    /// Checks the structures of the collection and its indexes; see [`Database::validate_collection`].
    pub fn validate(&self) -> ValidateCollection<'_> {
        ValidateCollection::new(self.database(), self.name())
    }
}

impl Database {
    /// Drops a collection; see [`Collection::drop`].
    pub fn drop_collection(&self, name: &str) -> DropCollection<'_> {
        let collection = self.collection::<Document>(name).handle().clone();
        DropCollection { collection, client: self.client(), options: Default::default(), timeout: None, session: None }
    }

    /// Checks the structures of a collection and its indexes. Awaiting it gives the server's report.
    ///
    /// # Errors
    /// [`CollectionInvalid`](crate::error::ErrorKind::CollectionInvalid) when the server, or one of the shards, says
    /// that the collection is not valid: the report is the error's
    /// [`server_response`](crate::error::Error::server_response). Those of reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn validate_collection(&self, name: &str) -> ValidateCollection<'_> {
        ValidateCollection::new(self, name)
    }
}

/// Drops a collection. Made by [`Collection::drop`] and [`Database::drop_collection`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct DropCollection<'a> {
    collection: Arc<CollectionHandle>,
    client: &'a crate::client::Client,
    options: DropCollectionOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

fluent! { ['a] DropCollection<'a>, DropCollectionOptions { session, comment, write_concern } }

awaitable! { ['a] DropCollection<'a> => () {
    fn into_future(self) -> Self::IntoFuture {
        let Self { collection, client, options, timeout, session } = self;
        let call = collection.call().write_concern(options.write_concern.as_ref()).timeout(timeout).session(session);
        let prepared =
            call.prepare(&DropCollectionCommand { namespace: &collection.namespace, options: &options });
        ActionFuture::of(client, prepared, confirmed)
    }
} }

/// Renames a collection. Made by [`Collection::rename`]; awaiting it gives the collection under its new name.
#[must_use = "operations do nothing unless they are awaited"]
pub struct RenameCollection<'a, T> {
    collection: &'a Collection<T>,
    name: String,
    options: RenameCollectionOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

fluent! { ['a, T] RenameCollection<'a, T>, RenameCollectionOptions { session, comment, drop_target, write_concern } }

awaitable! { ['a, T: 'a] RenameCollection<'a, T> => Collection<T> {
    fn into_future(self) -> Self::IntoFuture {
        let Self { collection, name, options, timeout, session } = self;
        let handle = collection.handle();
        let call = handle.call().write_concern(options.write_concern.as_ref()).timeout(timeout).session(session);
        let from = &handle.namespace;
        let to = Namespace::new(from.db.clone(), &*name);
        let prepared = call.prepare(&RenameCollectionCommand { from, to: &to, options: &options });
        ActionFuture::of(collection.client(), prepared, move |body| {
            confirmed(body).map(|()| collection.renamed(to))
        })
    }
} }

/// Asks for the options of a collection. Made by [`Collection::options`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct CollectionCreationOptions<'a> {
    collection: &'a Arc<CollectionHandle>,
    comment: Option<Bson>,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

impl<'a> CollectionCreationOptions<'a> {
    setter!(timeout);
    setter!(session);
    setter!(own_comment);
}

awaitable! { ['a] CollectionCreationOptions<'a> => Document {
    fn into_future(self) -> Self::IntoFuture {
        let Self { collection, comment, timeout, session } = self;
        ActionFuture::new(async move {
            let session = session.as_deref();
            let call = collection.call().timeout(timeout).in_session(session);
            let Namespace { db, coll } = &collection.namespace;
            let filter = Some(doc! { "name": &**coll });
            let options = ListCollectionsOptions { filter, comment, ..Default::default() };
            let prepared = call.prepare(&ListCollections::full(db, &options))?;
            let terms = Terms::of(&prepared);
            let executed = call.client().execute(prepared).await?;
            let found = Core::opened(call.client(), &CodecOptions::default(), terms, executed)?;
            let mut found: Cursor = Cursor::of(found);
            let options = found.try_next().await?.and_then(|mut found| found.remove("options"));
            Ok(options.and_then(|options| options.as_document().cloned()).unwrap_or_default())
        })
    }
} }

/// Checks a collection. Made by [`Database::validate_collection`]; awaiting it gives the server's report.
#[must_use = "operations do nothing unless they are awaited"]
pub struct ValidateCollection<'a> {
    database: &'a Database,
    namespace: Namespace,
    options: ValidateCollectionOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

impl<'a> ValidateCollection<'a> {
    fn new(database: &'a Database, name: &str) -> Self {
        let namespace = Namespace::new(database.shared_name(), name);
        Self { database, namespace, options: Default::default(), timeout: None, session: None }
    }
}

fluent! { ['a] ValidateCollection<'a>, ValidateCollectionOptions { session, background, comment, full, scan_data } }

awaitable! { ['a] ValidateCollection<'a> => Document {
    fn into_future(self) -> Self::IntoFuture {
        let Self { database, namespace, options, timeout, session } = self;
        let call = database.call().timeout(timeout).session(session);
        let prepared = call.prepare(&ValidateCollectionCommand { namespace: &namespace, options: &options });
        ActionFuture::of(database.client(), prepared, move |body| {
            let report = require(body)?;
            if !ValidateCollectionCommand::decode(report)? {
                let reason = format!("the collection {namespace} is not valid: see the server's response");
                return Err(Error::new(ErrorKind::CollectionInvalid { reason }).with_outcome(Outcome::Applied));
            }
            decode(report.as_bytes(), &CodecOptions::default())
        })
    }
} }
