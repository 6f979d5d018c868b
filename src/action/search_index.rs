//! Search indexes, which a process beside the server keeps (Atlas Search and its like).
//!
//! The server answers before an index is built or gone. Read and write concerns do not apply.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use bson::{Bson, Document};
use mongo_actors_protocol::command::{
    AggregateOptions, CreateSearchIndexes as CreateSearchIndexesCommand, DropSearchIndex as DropSearchIndexCommand,
    ListSearchIndexes as ListSearchIndexesCommand, SearchIndexModel, UpdateSearchIndex as UpdateSearchIndexCommand,
};

use super::{
    ActionFuture, awaitable,
    setters::{fluent, setter},
};
use crate::{
    ClientSession,
    collection::{Collection, CollectionHandle},
    cursor::{Core, Cursor, SessionCursor, Terms},
    error::{Error, ErrorKind, Result},
    executor::{Opening, require},
    session::{ExplicitSession, ImplicitSession},
};

impl<T> Collection<T> {
    /// Creates a search index. Awaiting it gives its name; the index is built in the background.
    ///
    /// ```no_run
    /// # async fn example(films: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::{bson::doc, options::SearchIndexModel};
    ///
    /// let model = SearchIndexModel::search(doc! { "mappings": { "dynamic": true } });
    /// films.create_search_index(model).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of reaching a server and of its refusal, such as that it has no search service.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn create_search_index(&self, model: impl Into<SearchIndexModel>) -> CreateSearchIndexes<'_, String> {
        CreateSearchIndexes::new(self.handle(), vec![model.into()])
    }

    /// Creates search indexes. Awaiting it gives their names; the indexes are built in the background.
    ///
    /// # Errors
    /// As [`create_search_index`](Self::create_search_index).
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn create_search_indexes(
        &self,
        models: impl IntoIterator<Item = SearchIndexModel>,
    ) -> CreateSearchIndexes<'_, Vec<String>> {
        CreateSearchIndexes::new(self.handle(), models.into_iter().collect())
    }

    /// Gives the search index of this name a new definition; it is built in the background.
    ///
    /// # Errors
    /// As [`create_search_index`](Self::create_search_index).
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn update_search_index(
        &self,
        name: impl Into<String>,
        definition: impl Into<Document>,
    ) -> UpdateSearchIndex<'_> {
        let (name, definition) = (name.into(), definition.into());
        UpdateSearchIndex { collection: self.handle(), name, definition, comment: None, timeout: None, session: None }
    }

    /// Drops the search index of this name. A collection that does not exist has none to drop, which is fine.
    ///
    /// # Errors
    /// As [`create_search_index`](Self::create_search_index).
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn drop_search_index(&self, name: impl Into<String>) -> DropSearchIndex<'_> {
        DropSearchIndex { collection: self.handle(), name: name.into(), comment: None, timeout: None, session: None }
    }

    /// The search indexes of the collection. Awaiting it gives a [`Cursor`].
    ///
    /// # Errors
    /// As [`create_search_index`](Self::create_search_index).
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn list_search_indexes(&self) -> ListSearchIndexes<'_> {
        let options = AggregateOptions::default();
        ListSearchIndexes { collection: self.handle(), name: None, options, timeout: None, session: ImplicitSession }
    }
}

/// Creates search indexes. Made by [`Collection::create_search_index`], then it gives a name, and
/// [`Collection::create_search_indexes`], then it gives names.
#[must_use = "operations do nothing unless they are awaited"]
pub struct CreateSearchIndexes<'a, R> {
    collection: &'a Arc<CollectionHandle>,
    models: Vec<SearchIndexModel>,
    comment: Option<Bson>,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
    names: PhantomData<fn() -> R>,
}

impl<'a, R> CreateSearchIndexes<'a, R> {
    fn new(collection: &'a Arc<CollectionHandle>, models: Vec<SearchIndexModel>) -> Self {
        Self { collection, models, comment: None, timeout: None, session: None, names: PhantomData }
    }

    setter!(timeout);
    setter!(session);
    setter!(own_comment);

    fn names(self) -> ActionFuture<'a, Result<Vec<String>>> {
        let Self { collection, models, comment, timeout, session, .. } = self;
        let namespace = &collection.namespace;
        let command = CreateSearchIndexesCommand { namespace, models: &models, comment: comment.as_ref() };
        let prepared = collection.call().timeout(timeout).session(session).prepare(&command);
        ActionFuture::of(collection.client(), prepared, |body| Ok(CreateSearchIndexesCommand::decode(require(body)?)?))
    }
}

awaitable! { ['a] CreateSearchIndexes<'a, String> => String {
    fn into_future(self) -> Self::IntoFuture {
        let names = self.names();
        ActionFuture::new(async move {
            let first = names.await?.into_iter().next();
            first.ok_or_else(|| Error::new(ErrorKind::InvalidReply { reason: "it names no index".to_owned() }))
        })
    }
} }

awaitable! { ['a] CreateSearchIndexes<'a, Vec<String>> => Vec<String> {
    fn into_future(self) -> Self::IntoFuture {
        self.names()
    }
} }

/// Changes the definition of a search index. Made by [`Collection::update_search_index`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct UpdateSearchIndex<'a> {
    collection: &'a Arc<CollectionHandle>,
    name: String,
    definition: Document,
    comment: Option<Bson>,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

impl<'a> UpdateSearchIndex<'a> {
    setter!(timeout);
    setter!(session);
    setter!(own_comment);
}

awaitable! { ['a] UpdateSearchIndex<'a> => () {
    fn into_future(self) -> Self::IntoFuture {
        let Self { collection, name, definition, comment, timeout, session } = self;
        let namespace = &collection.namespace;
        let command = UpdateSearchIndexCommand {
            namespace,
            name: &name,
            definition: &definition,
            comment: comment.as_ref(),
        };
        let prepared = collection.call().timeout(timeout).session(session).prepare(&command);
        ActionFuture::of(collection.client(), prepared, |_| Ok(()))
    }
} }

/// Drops a search index. Made by [`Collection::drop_search_index`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct DropSearchIndex<'a> {
    collection: &'a Arc<CollectionHandle>,
    name: String,
    comment: Option<Bson>,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

impl<'a> DropSearchIndex<'a> {
    setter!(timeout);
    setter!(session);
    setter!(own_comment);
}

awaitable! { ['a] DropSearchIndex<'a> => () {
    fn into_future(self) -> Self::IntoFuture {
        let Self { collection, name, comment, timeout, session } = self;
        let namespace = &collection.namespace;
        let command = DropSearchIndexCommand { namespace, name: &name, comment: comment.as_ref() };
        let prepared = collection.call().timeout(timeout).session(session).prepare(&command);
        ActionFuture::of(collection.client(), prepared, |_| Ok(()))
    }
} }

/// Lists search indexes. Made by [`Collection::list_search_indexes`]; awaiting it gives a [`Cursor`], or in a session a
/// [`SessionCursor`].
#[derive(Clone)]
#[must_use = "operations do nothing unless they are awaited"]
pub struct ListSearchIndexes<'a, S = ImplicitSession> {
    collection: &'a Arc<CollectionHandle>,
    name: Option<String>,
    options: AggregateOptions,
    timeout: Option<Duration>,
    session: S,
}

impl<'a> ListSearchIndexes<'a> {
    /// Runs in a session, which is borrowed until the cursor is open. Awaiting it then gives a [`SessionCursor`].
    pub fn session(self, session: &'a mut ClientSession) -> ListSearchIndexes<'a, ExplicitSession<'a>> {
        let Self { collection, name, options, timeout, .. } = self;
        ListSearchIndexes { collection, name, options, timeout, session: ExplicitSession(session) }
    }
}

fluent! { ['a, S] ListSearchIndexes<'a, S>, AggregateOptions { batch_size, collation, comment, hint, let_vars, max_time } }

impl<S> ListSearchIndexes<'_, S> {
    /// Only the index of this name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

awaitable! { ['a] ListSearchIndexes<'a> => Cursor<Document> {
    fn into_future(self) -> Self::IntoFuture {
        let Self { collection, name, options, timeout, .. } = self;
        ActionFuture::new(async move { Ok(Cursor::of(list(collection, name, options, timeout, None).await?)) })
    }
} }

awaitable! { ['a] ListSearchIndexes<'a, ExplicitSession<'a>> => SessionCursor<Document> {
    fn into_future(self) -> Self::IntoFuture {
        let Self { collection, name, options, timeout, session: ExplicitSession(session) } = self;
        ActionFuture::new(async move {
            Ok(SessionCursor::of(list(collection, name, options, timeout, Some(session)).await?))
        })
    }
} }

async fn list(
    collection: &CollectionHandle,
    name: Option<String>,
    options: AggregateOptions,
    timeout: Option<Duration>,
    session: Option<&ClientSession>,
) -> Result<Core> {
    let call = collection.call().timeout(timeout).in_session(session);
    let command = ListSearchIndexesCommand::new(&collection.namespace, name.as_deref(), &options);
    let opening = Opening { mode: options.timeout_mode, ..Opening::default() };
    let prepared = call.prepare(&command)?.opening(opening)?;
    let AggregateOptions { batch_size, comment, .. } = options;
    let terms = Terms { batch_size, comment, ..Terms::of(&prepared) };
    let executed = call.client().execute(prepared).await?;
    Core::opened(call.client(), &call.settings().codec_options, terms, executed)
}
