//! Indexes: `createIndexes`, `listIndexes` and `dropIndexes`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bson::Document;
use mongo_actors_protocol::command::{
    CreateIndexOptions, CreateIndexes as CreateIndexesCommand, DropIndexOptions, DropIndexes as DropIndexesCommand,
    IndexModel, IndexSelection, Keys, ListIndexes as ListIndexesCommand, ListIndexesOptions,
};

use super::{ActionFuture, awaitable, confirmed, setters::fluent};
use crate::{
    ClientSession,
    collection::{Collection, CollectionHandle},
    cursor::{Core, Cursor, SessionCursor, Terms},
    error::{Error, Result},
    executor::{Opening, Prepared},
    session::{ExplicitSession, ImplicitSession},
};

impl<T> Collection<T> {
    /// Creates an index, and the collection if it does not exist. Awaiting it gives the index's name.
    ///
    /// An index that is there already, with the same options, is left alone.
    ///
    /// ```no_run
    /// # async fn example(people: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::options::IndexModel;
    ///
    /// people.create_index([("age", -1), ("name", 1)]).await?;
    /// let name = people.create_index(IndexModel::new("email").unique(true)).await?;
    /// assert_eq!(name, "email_1");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) for an index without keys,
    /// [`Configuration`](crate::error::ErrorKind::Configuration) for a commit quorum on a server before 4.4,
    /// [`WriteConcern`](crate::error::ErrorKind::WriteConcern), and those of reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// The server may go on building when the future is dropped; see [`action`](crate::action).
    pub fn create_index(&self, index: impl Into<IndexModel>) -> CreateIndex<'_> {
        let options = CreateIndexOptions::default();
        CreateIndex { collection: self.handle(), index: index.into(), options, timeout: None, session: None }
    }

    /// Creates several indexes at once. Awaiting it gives their names.
    ///
    /// # Errors
    /// As [`create_index`](Self::create_index), and [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) for
    /// no index.
    ///
    /// # Cancel safety
    /// The server may go on building when the future is dropped; see [`action`](crate::action).
    pub fn create_indexes(&self, indexes: impl IntoIterator<Item = IndexModel>) -> CreateIndexes<'_> {
        let (indexes, options) = (indexes.into_iter().collect(), CreateIndexOptions::default());
        CreateIndexes { collection: self.handle(), indexes, options, timeout: None, session: None }
    }

    /// Drops the index of this name. A collection that does not exist has none to drop, which is fine; an index that
    /// does not exist is an error.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) for the name `*`, see
    /// [`drop_indexes`](Self::drop_indexes); [`WriteConcern`](crate::error::ErrorKind::WriteConcern), and those of
    /// reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn drop_index(&self, name: impl Into<String>) -> DropIndex<'_> {
        DropIndex::new(self.handle(), Which::Name(name.into()))
    }

    /// Drops the index whose name was made from these keys.
    ///
    /// ```no_run
    /// # async fn example(people: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// people.drop_index_by_keys([("age", -1), ("name", 1)]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`drop_index`](Self::drop_index).
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn drop_index_by_keys(&self, keys: impl Into<Keys>) -> DropIndex<'_> {
        DropIndex::new(self.handle(), Which::Keys(keys.into().into()))
    }

    /// Drops every index but that of `_id`.
    ///
    /// # Errors
    /// As [`drop_index`](Self::drop_index).
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn drop_indexes(&self) -> DropIndex<'_> {
        DropIndex::new(self.handle(), Which::All)
    }

    /// The indexes of the collection; none when it does not exist. Awaiting it gives a [`Cursor`].
    ///
    /// ```no_run
    /// # async fn example(people: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// let mut indexes = people.list_indexes().await?;
    /// while let Some(index) = indexes.next().await {
    ///     println!("{}", index?.name());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn list_indexes(&self) -> ListIndexes<'_> {
        ListIndexes {
            collection: self.handle(),
            options: ListIndexesOptions::default(),
            timeout: None,
            session: ImplicitSession,
        }
    }

    /// The names of the indexes; none when the collection does not exist.
    ///
    /// # Errors
    /// Those of reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn list_index_names(&self) -> ListIndexNames<'_> {
        ListIndexNames {
            collection: self.handle(),
            options: ListIndexesOptions::default(),
            timeout: None,
            session: None,
        }
    }

    /// The indexes by their names: what the server says of each, such as its `key`, without the name itself.
    ///
    /// # Errors
    /// Those of reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn index_information(&self) -> IndexInformation<'_> {
        IndexInformation {
            collection: self.handle(),
            options: ListIndexesOptions::default(),
            timeout: None,
            session: None,
        }
    }
}

/// Creates an index. Made by [`Collection::create_index`]; awaiting it gives its name.
#[must_use = "operations do nothing unless they are awaited"]
pub struct CreateIndex<'a> {
    collection: &'a Arc<CollectionHandle>,
    index: IndexModel,
    options: CreateIndexOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

/// Creates indexes. Made by [`Collection::create_indexes`]; awaiting it gives their names.
#[must_use = "operations do nothing unless they are awaited"]
pub struct CreateIndexes<'a> {
    collection: &'a Arc<CollectionHandle>,
    indexes: Vec<IndexModel>,
    options: CreateIndexOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

fluent! { ['a] CreateIndex<'a>, CreateIndexOptions { session, comment, commit_quorum, max_time, write_concern } }
fluent! { ['a] CreateIndexes<'a>, CreateIndexOptions { session, comment, commit_quorum, max_time, write_concern } }

fn prepare_creation(
    collection: &CollectionHandle,
    models: &[IndexModel],
    options: &CreateIndexOptions,
    timeout: Option<Duration>,
    session: Option<&mut ClientSession>,
) -> Result<Prepared> {
    let call = collection.call().write_concern(options.write_concern.as_ref()).timeout(timeout).session(session);
    call.prepare(&CreateIndexesCommand { namespace: &collection.namespace, models, options })
}

awaitable! { ['a] CreateIndex<'a> => String {
    fn into_future(self) -> Self::IntoFuture {
        let Self { collection, index, options, timeout, session } = self;
        let name = index.name();
        let prepared = prepare_creation(collection, &[index], &options, timeout, session);
        ActionFuture::of(collection.client(), prepared, move |body| confirmed(body).map(|()| name))
    }
} }

awaitable! { ['a] CreateIndexes<'a> => Vec<String> {
    fn into_future(self) -> Self::IntoFuture {
        let Self { collection, indexes, options, timeout, session } = self;
        let names = indexes.iter().map(IndexModel::name).collect();
        let prepared = prepare_creation(collection, &indexes, &options, timeout, session);
        ActionFuture::of(collection.client(), prepared, move |body| confirmed(body).map(|()| names))
    }
} }

/// Drops indexes. Made by [`Collection::drop_index`] and its companions.
#[must_use = "operations do nothing unless they are awaited"]
pub struct DropIndex<'a> {
    collection: &'a Arc<CollectionHandle>,
    which: Which,
    options: DropIndexOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

#[derive(Clone)]
enum Which {
    Name(String),
    Keys(Document),
    All,
}

impl<'a> DropIndex<'a> {
    fn new(collection: &'a Arc<CollectionHandle>, which: Which) -> Self {
        Self { collection, which, options: DropIndexOptions::default(), timeout: None, session: None }
    }
}

fluent! { ['a] DropIndex<'a>, DropIndexOptions { session, comment, max_time, write_concern } }

awaitable! { ['a] DropIndex<'a> => () {
    fn into_future(self) -> Self::IntoFuture {
        let Self { collection, which, options, timeout, session } = self;
        let call = collection.call().write_concern(options.write_concern.as_ref()).timeout(timeout).session(session);
        let selection = match &which {
            Which::Name(name) => IndexSelection::Name(name),
            Which::Keys(keys) => IndexSelection::Keys(keys),
            Which::All => IndexSelection::All,
        };
        let namespace = &collection.namespace;
        let prepared = call.prepare(&DropIndexesCommand { namespace, selection, options: &options });
        ActionFuture::of(collection.client(), prepared, confirmed)
    }
} }

/// Lists indexes. Made by [`Collection::list_indexes`]; awaiting it gives a [`Cursor`], or in a session a
/// [`SessionCursor`].
#[derive(Clone)]
#[must_use = "operations do nothing unless they are awaited"]
pub struct ListIndexes<'a, S = ImplicitSession> {
    collection: &'a Arc<CollectionHandle>,
    options: ListIndexesOptions,
    timeout: Option<Duration>,
    session: S,
}

impl<'a> ListIndexes<'a> {
    /// Runs in a session, which is borrowed until the cursor is open. Awaiting it then gives a [`SessionCursor`].
    pub fn session(self, session: &'a mut ClientSession) -> ListIndexes<'a, ExplicitSession<'a>> {
        let Self { collection, options, timeout, .. } = self;
        ListIndexes { collection, options, timeout, session: ExplicitSession(session) }
    }
}

/// Lists the names of indexes. Made by [`Collection::list_index_names`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct ListIndexNames<'a> {
    collection: &'a Arc<CollectionHandle>,
    options: ListIndexesOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

/// Lists indexes by their names. Made by [`Collection::index_information`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct IndexInformation<'a> {
    collection: &'a Arc<CollectionHandle>,
    options: ListIndexesOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

fluent! { ['a, S] ListIndexes<'a, S>, ListIndexesOptions { batch_size, comment, max_time, timeout_mode } }
fluent! { ['a] ListIndexNames<'a>, ListIndexesOptions { session, batch_size, comment, max_time } }
fluent! { ['a] IndexInformation<'a>, ListIndexesOptions { session, batch_size, comment, max_time } }

async fn list(
    collection: &CollectionHandle,
    options: ListIndexesOptions,
    timeout: Option<Duration>,
    session: Option<&ClientSession>,
) -> Result<Core> {
    let call = collection.call().timeout(timeout).in_session(session);
    let prepared = call
        .prepare(&ListIndexesCommand { namespace: &collection.namespace, options: &options })?
        .opening(Opening { mode: options.timeout_mode, ..Opening::default() })?;
    let ListIndexesOptions { batch_size, comment, .. } = options;
    let terms = Terms { batch_size, comment, ..Terms::of(&prepared) };
    let executed = call.client().execute(prepared).await?;
    Core::opened(call.client(), &call.settings().codec_options, terms, executed)
}

fn take_name(index: &mut Document) -> Result<String> {
    match index.remove("name") {
        Some(bson::Bson::String(name)) => Ok(name),
        _ => Err(Error::from(crate::error::ErrorKind::InvalidReply { reason: "an index has no name".to_owned() })),
    }
}

awaitable! { ['a] ListIndexes<'a> => Cursor<IndexModel> {
    fn into_future(self) -> Self::IntoFuture {
        let Self { collection, options, timeout, .. } = self;
        ActionFuture::new(async move { Ok(Cursor::of(list(collection, options, timeout, None).await?)) })
    }
} }

awaitable! { ['a] ListIndexes<'a, ExplicitSession<'a>> => SessionCursor<IndexModel> {
    fn into_future(self) -> Self::IntoFuture {
        let Self { collection, options, timeout, session: ExplicitSession(session) } = self;
        ActionFuture::new(async move {
            Ok(SessionCursor::of(list(collection, options, timeout, Some(session)).await?))
        })
    }
} }

awaitable! { ['a] ListIndexNames<'a> => Vec<String> {
    fn into_future(self) -> Self::IntoFuture {
        let Self { collection, options, timeout, session } = self;
        ActionFuture::new(async move {
            let mut indexes = Cursor::<Document>::of(list(collection, options, timeout, session.as_deref()).await?).to_vec().await?;
            indexes.iter_mut().map(take_name).collect()
        })
    }
} }

awaitable! { ['a] IndexInformation<'a> => BTreeMap<String, Document> {
    fn into_future(self) -> Self::IntoFuture {
        let Self { collection, options, timeout, session } = self;
        ActionFuture::new(async move {
            let indexes = Cursor::<Document>::of(list(collection, options, timeout, session.as_deref()).await?).to_vec().await?;
            let named = indexes.into_iter().map(|mut index| {
                index.remove("ns");
                Ok((take_name(&mut index)?, index))
            });
            named.collect()
        })
    }
} }
