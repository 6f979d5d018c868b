//! A collection: the handle on which most operations are made.

use std::{fmt, hash, marker::PhantomData, sync::Arc};

use bson::Document;
use mongo_actors_protocol::{
    command::Namespace,
    concern::{ReadConcern, WriteConcern},
    options::CodecOptions,
    selection::SelectionCriteria,
};

use crate::{
    client::Client,
    database::Database,
    executor::Call,
    settings::{CollectionOptions, Settings},
};

/// A handle of one collection, whose documents are read and written as `T`.
///
/// Made by [`Database::collection`]; making and cloning one costs next to nothing and asks no server. Its name is
/// checked by the first operation ([`ErrorKind::InvalidName`](crate::error::ErrorKind::InvalidName)). It may be shared
/// between threads.
///
/// `T` is anything that serde can serialize or deserialize; [`Document`] by default. With
/// [`RawDocumentBuf`](bson::RawDocumentBuf) the server's bytes are kept as they are.
///
/// ```no_run
/// use mongo_actors::{Client, bson::doc};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize)]
/// struct Person {
///     name: String,
///     age: i32,
/// }
///
/// # async fn example(client: Client) -> mongo_actors::error::Result<()> {
/// let people = client.database("shop").collection::<Person>("people");
/// people.insert_one(Person { name: "Ada".into(), age: 36 }).await?;
/// let mut adults = people.find(doc! { "age": { "$gte": 18 } }).sort(doc! { "name": 1 }).await?;
/// for person in adults.to_vec().await? {
///     println!("{} is {}", person.name, person.age);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Collection<T = Document> {
    handle: Arc<CollectionHandle>,
    documents: PhantomData<fn() -> T>,
}

/// What all clones of a collection share.
pub(crate) struct CollectionHandle {
    database: Database,
    pub(crate) namespace: Namespace,
    settings: Settings,
}

impl CollectionHandle {
    pub(crate) fn client(&self) -> &Client {
        self.database.client()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// An operation on this collection, with nothing but what it inherits.
    pub(crate) fn call(&self) -> Call<'_> {
        Call::new(self.database.client(), &self.settings)
    }
}

impl<T> Collection<T> {
    pub(crate) fn new(database: &Database, name: &str, options: CollectionOptions) -> Self {
        let namespace = Namespace::new(database.shared_name(), name);
        let settings = options.over(database.settings());
        Self {
            handle: Arc::new(CollectionHandle { database: database.clone(), namespace, settings }),
            documents: PhantomData,
        }
    }

    pub(crate) fn handle(&self) -> &Arc<CollectionHandle> {
        &self.handle
    }

    /// The client that it belongs to.
    pub fn client(&self) -> &Client {
        self.handle.client()
    }

    /// The database that it is in.
    pub fn database(&self) -> &Database {
        &self.handle.database
    }

    /// Its name, without that of the database.
    pub fn name(&self) -> &str {
        &self.handle.namespace.coll
    }

    /// Its full name.
    pub fn namespace(&self) -> &Namespace {
        &self.handle.namespace
    }

    /// Which servers its reads go to.
    pub fn selection_criteria(&self) -> &SelectionCriteria {
        &self.handle.settings.selection_criteria
    }

    /// Which data its reads may return.
    pub fn read_concern(&self) -> &ReadConcern {
        &self.handle.settings.read_concern
    }

    /// How many members must confirm its writes.
    pub fn write_concern(&self) -> &WriteConcern {
        &self.handle.settings.write_concern
    }

    /// How values are converted.
    pub fn codec_options(&self) -> &CodecOptions {
        &self.handle.settings.codec_options
    }

    /// The same collection, its documents read and written as `U`.
    pub fn clone_with_type<U>(&self) -> Collection<U> {
        Collection { handle: self.handle.clone(), documents: PhantomData }
    }

    /// The same collection with other settings; those that are not given stay.
    ///
    /// ```no_run
    /// use mongo_actors::{Collection, options::CollectionOptions, concern::WriteConcern};
    ///
    /// # fn example(logs: Collection) {
    /// let careless = logs.with_options(CollectionOptions::new().write_concern(WriteConcern::nodes(0)));
    /// # }
    /// ```
    #[must_use]
    pub fn with_options(&self, options: CollectionOptions) -> Self {
        let handle = &*self.handle;
        let (database, namespace) = (handle.database.clone(), handle.namespace.clone());
        let settings = options.over(&handle.settings);
        Self { handle: Arc::new(CollectionHandle { database, namespace, settings }), documents: PhantomData }
    }

    /// This collection under its new name.
    pub(crate) fn renamed(&self, namespace: Namespace) -> Self {
        let handle = &*self.handle;
        let (database, settings) = (handle.database.clone(), handle.settings.clone());
        Self { handle: Arc::new(CollectionHandle { database, namespace, settings }), documents: PhantomData }
    }

    /// The collection whose name is this one's, a dot, and `name`; with the same settings.
    pub fn child<U>(&self, name: &str) -> Collection<U> {
        let handle = &*self.handle;
        let full = format!("{}.{name}", handle.namespace.coll);
        let namespace = Namespace::new(handle.namespace.db.clone(), full);
        let (database, settings) = (handle.database.clone(), handle.settings.clone());
        Collection { handle: Arc::new(CollectionHandle { database, namespace, settings }), documents: PhantomData }
    }
}

impl<T> Clone for Collection<T> {
    fn clone(&self) -> Self {
        self.clone_with_type()
    }
}

impl<T> PartialEq for Collection<T> {
    /// Two collections are equal when their databases and their names are.
    fn eq(&self, other: &Self) -> bool {
        self.handle.namespace.coll == other.handle.namespace.coll && self.database() == other.database()
    }
}

impl<T> Eq for Collection<T> {}

impl<T> hash::Hash for Collection<T> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.database().hash(state);
        self.name().hash(state);
    }
}

impl<T> fmt::Debug for Collection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collection").field("namespace", &self.handle.namespace).finish_non_exhaustive()
    }
}
