//! A database: the handle from which collections are got.

use std::{fmt, hash, sync::Arc};

use mongo_actors_protocol::{
    concern::{ReadConcern, WriteConcern},
    options::CodecOptions,
    selection::SelectionCriteria,
};

use crate::{
    client::Client,
    collection::Collection,
    executor::Call,
    settings::{CollectionOptions, DatabaseOptions, Settings},
};

/// A handle of one database.
///
/// Made by [`Client::database`]; making and cloning one costs next to nothing and asks no server. Its name is checked
/// by the first operation ([`ErrorKind::InvalidName`](crate::error::ErrorKind::InvalidName)). It may be shared between
/// threads.
///
/// ```no_run
/// # async fn example(client: mongo_actors::Client) -> mongo_actors::error::Result<()> {
/// let shop = client.database("shop");
/// for name in shop.list_collection_names().await? {
///     println!("{name}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Database(Arc<Handle>);

struct Handle {
    client: Client,
    name: Arc<str>,
    settings: Settings,
}

impl Database {
    pub(crate) fn new(client: &Client, name: &str, options: DatabaseOptions) -> Self {
        let settings = options.over(client.settings());
        Self(Arc::new(Handle { client: client.clone(), name: name.into(), settings }))
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        self.0.name.clone()
    }

    /// An operation on this database, with nothing but what it inherits.
    pub(crate) fn call(&self) -> Call<'_> {
        Call::new(&self.0.client, &self.0.settings)
    }

    /// The client that it belongs to.
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Which servers its reads go to.
    pub fn selection_criteria(&self) -> &SelectionCriteria {
        &self.0.settings.selection_criteria
    }

    /// Which data its reads may return.
    pub fn read_concern(&self) -> &ReadConcern {
        &self.0.settings.read_concern
    }

    /// How many members must confirm its writes.
    pub fn write_concern(&self) -> &WriteConcern {
        &self.0.settings.write_concern
    }

    /// How values are converted.
    pub fn codec_options(&self) -> &CodecOptions {
        &self.0.settings.codec_options
    }

    /// The same database with other settings; those that are not given stay.
    #[must_use]
    pub fn with_options(&self, options: DatabaseOptions) -> Self {
        let settings = options.over(&self.0.settings);
        Self(Arc::new(Handle { client: self.0.client.clone(), name: self.0.name.clone(), settings }))
    }

    /// A collection of this database, whose documents are read and written as `T`.
    ///
    /// ```no_run
    /// # fn example(shop: mongo_actors::Database) {
    /// use mongo_actors::bson::{Document, RawDocumentBuf};
    ///
    /// let orders = shop.collection::<Document>("orders");
    /// let raw = shop.collection::<RawDocumentBuf>("orders");
    /// # }
    /// ```
    pub fn collection<T>(&self, name: &str) -> Collection<T> {
        Collection::new(self, name, CollectionOptions::default())
    }

    /// A collection with settings of its own.
    pub fn collection_with_options<T>(&self, name: &str, options: CollectionOptions) -> Collection<T> {
        Collection::new(self, name, options)
    }
}

impl PartialEq for Database {
    /// Two databases are equal when their clients and their names are.
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.client() == other.client()
    }
}

impl Eq for Database {}

impl hash::Hash for Database {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.client().hash(state);
        self.name().hash(state);
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("name", &self.0.name).finish_non_exhaustive()
    }
}
