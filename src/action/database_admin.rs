//! The collections of a database, and its end.

use std::time::Duration;

use bson::{Document, doc};
use mongo_actors_protocol::{
    command::{
        CollectionSpecification, CreateCollection as CreateCollectionCommand, CreateCollectionOptions,
        DropDatabase as DropDatabaseCommand, DropDatabaseOptions, ListCollections as ListCollectionsCommand,
        ListCollectionsOptions, Namespace,
    },
    options::CodecOptions,
};

use super::{ActionFuture, awaitable, confirmed, setters::fluent};
use crate::{
    ClientSession,
    collection::Collection,
    cursor::{Core, Cursor, SessionCursor, Terms},
    database::Database,
    error::{Error, ErrorKind, Result},
    executor::Opening,
    session::{ExplicitSession, ImplicitSession},
};

impl Database {
    /// Creates a collection or view. Awaiting it gives its handle.
    ///
    /// Only needed for options: an insert creates the collection by itself.
    ///
    /// ```no_run
    /// # async fn example(shop: mongo_actors::Database) -> mongo_actors::error::Result<()> {
    /// let logs = shop.create_collection("logs").capped(true).size(1024 * 1024).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CollectionInvalid`](crate::error::ErrorKind::CollectionInvalid) with
    /// [`check_exists`](CreateCollection::check_exists); [`WriteConcern`](crate::error::ErrorKind::WriteConcern), and
    /// those of reaching a server and of its refusal, such as that there is a collection of this name (from 7.0: with
    /// other options).
    ///
    /// # Cancel safety
    /// The collection may or may not be created when the future is dropped; see [`action`](crate::action).
    pub fn create_collection(&self, name: impl Into<String>) -> CreateCollection<'_> {
        let options = CreateCollectionOptions::default();
        CreateCollection {
            database: self,
            name: name.into(),
            check_exists: false,
            options,
            timeout: None,
            session: None,
        }
    }

    /// The collections and views of the database. Awaiting it gives a [`Cursor`].
    ///
    /// # Errors
    /// Those of reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn list_collections(&self) -> ListCollections<'_> {
        ListCollections {
            database: self,
            options: ListCollectionsOptions::default(),
            timeout: None,
            session: ImplicitSession,
        }
    }

    /// The names of the collections and views of the database.
    ///
    /// # Errors
    /// Those of reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn list_collection_names(&self) -> ListCollectionNames<'_> {
        ListCollectionNames { database: self, options: ListCollectionsOptions::default(), timeout: None, session: None }
    }

    /// Drops the database with everything in it. One that does not exist is dropped already, which is fine.
    ///
    /// # Errors
    /// [`WriteConcern`](crate::error::ErrorKind::WriteConcern), and those of reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// The database may or may not be dropped when the future is dropped; see [`action`](crate::action).
    pub fn drop(&self) -> DropDatabase<'_> {
        DropDatabase::new(self.client(), self.clone())
    }
}

/// Creates a collection. Made by [`Database::create_collection`]; awaiting it gives the collection's handle.
#[must_use = "operations do nothing unless they are awaited"]
pub struct CreateCollection<'a> {
    database: &'a Database,
    name: String,
    check_exists: bool,
    options: CreateCollectionOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

fluent! { ['a] CreateCollection<'a>, CreateCollectionOptions {
    session,
    capped, change_stream_pre_and_post_images, clustered_index, collation, comment, create_timeseries,
    expire_after_seconds, index_option_defaults, max_documents, pipeline, size, storage_engine, validation_action,
    validation_level, validator, view_on, write_concern,
} }

impl CreateCollection<'_> {
    /// Whether to look first if there is a collection of this name, whatever its options. Default: false; servers from
    /// 7.0 then accept one that has the same options, older ones refuse it.
    pub fn check_exists(mut self, check: bool) -> Self {
        self.check_exists = check;
        self
    }
}

awaitable! { ['a] CreateCollection<'a> => Collection<Document> {
    fn into_future(self) -> Self::IntoFuture {
        let Self { database, name, check_exists, options, timeout, session } = self;
        ActionFuture::new(async move {
            if check_exists {
                refuse_existing(database, &name, timeout, session.as_deref()).await?;
            }
            let call = database.call().write_concern(options.write_concern.as_ref()).timeout(timeout).session(session);
            let namespace = Namespace::new(database.shared_name(), &*name);
            let prepared = call.prepare(&CreateCollectionCommand { namespace: &namespace, options: &options })?;
            database.client().execute(prepared).await?.finish(confirmed)?;
            Ok(database.collection(&name))
        })
    }
} }

async fn refuse_existing(
    database: &Database,
    name: &str,
    timeout: Option<Duration>,
    session: Option<&ClientSession>,
) -> Result<()> {
    let options = ListCollectionsOptions { filter: Some(doc! { "name": name }), ..Default::default() };
    let found = list(database, true, options, timeout, session).await?;
    let found = Cursor::<Document>::of(found).to_vec().await?;
    match found.is_empty() {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::CollectionInvalid {
            reason: format!("the collection {}.{name} exists already", database.name()),
        })),
    }
}

/// Lists collections. Made by [`Database::list_collections`]; awaiting it gives a [`Cursor`], or in a session a
/// [`SessionCursor`].
#[derive(Clone)]
#[must_use = "operations do nothing unless they are awaited"]
pub struct ListCollections<'a, S = ImplicitSession> {
    database: &'a Database,
    options: ListCollectionsOptions,
    timeout: Option<Duration>,
    session: S,
}

impl<'a> ListCollections<'a> {
    /// Runs in a session, which is borrowed until the cursor is open. Awaiting it then gives a [`SessionCursor`].
    pub fn session(self, session: &'a mut ClientSession) -> ListCollections<'a, ExplicitSession<'a>> {
        let Self { database, options, timeout, .. } = self;
        ListCollections { database, options, timeout, session: ExplicitSession(session) }
    }
}

/// Lists the names of collections. Made by [`Database::list_collection_names`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct ListCollectionNames<'a> {
    database: &'a Database,
    options: ListCollectionsOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

fluent! { ['a, S] ListCollections<'a, S>, ListCollectionsOptions { batch_size, comment, filter, timeout_mode } }
fluent! { ['a] ListCollectionNames<'a>, ListCollectionsOptions { session, authorized_collections, batch_size, comment, filter } }

async fn list(
    database: &Database,
    names: bool,
    options: ListCollectionsOptions,
    timeout: Option<Duration>,
    session: Option<&ClientSession>,
) -> Result<Core> {
    let list = if names { ListCollectionsCommand::names } else { ListCollectionsCommand::full };
    let call = database.call().timeout(timeout).in_session(session);
    let opening = Opening { mode: options.timeout_mode, ..Opening::default() };
    let prepared = call.prepare(&list(database.name(), &options))?.opening(opening)?;
    let ListCollectionsOptions { batch_size, comment, .. } = options;
    let terms = Terms { batch_size, comment, ..Terms::of(&prepared) };
    let executed = database.client().execute(prepared).await?;
    Core::opened(database.client(), &CodecOptions::default(), terms, executed)
}

awaitable! { ['a] ListCollections<'a> => Cursor<CollectionSpecification> {
    fn into_future(self) -> Self::IntoFuture {
        let Self { database, options, timeout, .. } = self;
        ActionFuture::new(async move { Ok(Cursor::of(list(database, false, options, timeout, None).await?)) })
    }
} }

awaitable! { ['a] ListCollections<'a, ExplicitSession<'a>> => SessionCursor<CollectionSpecification> {
    fn into_future(self) -> Self::IntoFuture {
        let Self { database, options, timeout, session: ExplicitSession(session) } = self;
        ActionFuture::new(async move {
            Ok(SessionCursor::of(list(database, false, options, timeout, Some(session)).await?))
        })
    }
} }

awaitable! { ['a] ListCollectionNames<'a> => Vec<String> {
    fn into_future(self) -> Self::IntoFuture {
        let Self { database, options, timeout, session } = self;
        ActionFuture::new(async move {
            let mut found = Cursor::<Document>::of(list(database, true, options, timeout, session.as_deref()).await?);
            let mut names = Vec::new();
            while found.advance().await? {
                if let Some(element) = found.current() {
                    names.push(ListCollectionsCommand::name(element)?.to_owned());
                }
            }
            Ok(names)
        })
    }
} }

/// Drops a database. Made by [`Database::drop`] and [`Client::drop_database`](crate::Client::drop_database).
#[must_use = "operations do nothing unless they are awaited"]
pub struct DropDatabase<'a> {
    client: &'a crate::client::Client,
    database: Database,
    options: DropDatabaseOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

impl<'a> DropDatabase<'a> {
    pub(super) fn new(client: &'a crate::client::Client, database: Database) -> Self {
        Self { client, database, options: DropDatabaseOptions::default(), timeout: None, session: None }
    }
}

fluent! { ['a] DropDatabase<'a>, DropDatabaseOptions { session, comment, write_concern } }

awaitable! { ['a] DropDatabase<'a> => () {
    fn into_future(self) -> Self::IntoFuture {
        let Self { client, database, options, timeout, session } = self;
        let call = database.call().write_concern(options.write_concern.as_ref()).timeout(timeout).session(session);
        let prepared = call.prepare(&DropDatabaseCommand { database: database.name(), options: &options });
        ActionFuture::of(client, prepared, confirmed)
    }
} }
